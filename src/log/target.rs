//! Where lines go.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;

use crate::sys;

/// Takes whole lines, one or many at a time, in the log thread. May block: only the log thread waits for it.
pub(super) trait Target: Send {
    /// Writes `lines`.
    ///
    /// # Errors
    /// When lines were lost; the log goes on with the next ones.
    fn write(&mut self, lines: &[u8]) -> io::Result<()>;
}

/// An open stream such as standard error.
pub(super) struct Stream<S>(pub S);

impl<S: IsTerminal> Stream<S> {
    /// True when a person is likely to look at it.
    pub fn is_terminal(&self) -> bool {
        sys::is_terminal(&self.0)
    }
}

impl<S: Write + AsFd + Send> Target for Stream<S> {
    fn write(&mut self, mut lines: &[u8]) -> io::Result<()> {
        while !lines.is_empty() {
            match self.0.write(lines) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => lines = &lines[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Standard error is shared with whoever started us, and that program may have made it non-blocking.
                Err(error) if error.kind() == ErrorKind::WouldBlock => sys::wait_writable(&self.0)?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::thread;

    #[test]
    fn a_non_blocking_stream_gets_every_byte() {
        let (near, mut far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let lines: Vec<u8> = (0..4 << 20).map(|at| at as u8).collect();
        let reader = thread::spawn(move || {
            let mut got = Vec::new();
            far.read_to_end(&mut got).unwrap();
            got
        });
        Stream(near).write(&lines).unwrap();
        assert!(reader.join().unwrap() == lines);
    }

    #[test]
    fn a_closed_stream_is_an_error_and_no_loop() {
        let (near, far) = UnixStream::pair().unwrap();
        drop(far);
        assert!(Stream(near).write(b"lost\n").is_err());
    }
}
