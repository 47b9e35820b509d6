//! Where lines go.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::{Duration, SystemTime};

use super::Level;
use super::line::Format;
use crate::sys;

/// One statement on its way out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    /// When it was made.
    pub when: SystemTime,
    /// How much it matters.
    pub level: Level,
    /// What it says, on one line.
    pub text: &'a str,
}

/// Takes whole lines, one or many at a time, in the log thread. May block: only the log thread waits for it.
pub(super) trait Target: Send {
    /// Appends `entry` to `out` the way this target wants it, its line end included and no other line end in it.
    fn format(&self, entry: Entry<'_>, out: &mut Vec<u8>);

    /// Writes lines made by [`Target::format`].
    ///
    /// # Errors
    /// When lines were lost, and how many; the log goes on with the next ones.
    fn write(&mut self, lines: &[u8]) -> Result<(), Lost>;

    /// Opens the file of this name again, because it may have been renamed. None when the target is no file.
    ///
    /// # Errors
    /// What is wrong with the name; the old file then stays in use.
    fn reopen(&mut self) -> Option<Result<(), String>> {
        None
    }
}

/// Lines that could not be written.
#[derive(Debug)]
pub(super) struct Lost {
    /// How many.
    pub lines: u64,
    /// Why, the last time.
    pub fault: String,
}

impl Lost {
    /// Every line that ends in `rest` is lost, one whose beginning was written included.
    pub fn all(rest: &[u8], fault: String) -> Lost {
        Lost { lines: memchr::memchr_iter(b'\n', rest).count() as u64, fault }
    }
}

/// An open stream such as standard error.
pub(super) struct Stream<S> {
    stream: S,
    format: Format,
}

impl<S: IsTerminal> Stream<S> {
    /// Lines for `stream`, their tags coloured when a person is likely to look at it, unless `color` says otherwise.
    pub fn new(stream: S, format: Format, color: Option<bool>) -> Self {
        let color = color.unwrap_or_else(|| sys::is_terminal(&stream));
        Stream { stream, format: Format { color, ..format } }
    }
}

impl<S: Write + AsFd + Send> Target for Stream<S> {
    fn format(&self, entry: Entry<'_>, out: &mut Vec<u8>) {
        self.format.write(entry, out);
    }

    fn write(&mut self, lines: &[u8]) -> Result<(), Lost> {
        // Standard error is shared with whoever started us, and that program may have made it non-blocking.
        write_all(&mut self.stream, lines, None).map_err(|stopped| stopped.lost(lines))
    }
}

/// A write that ended before its end.
#[derive(Debug)]
pub(super) struct Stopped {
    /// How many bytes were taken.
    pub written: usize,
    /// Why no more were.
    pub error: io::Error,
}

impl Stopped {
    /// What is lost when nothing more is tried with `lines`.
    pub fn lost(&self, lines: &[u8]) -> Lost {
        Lost::all(&lines[self.written..], sys::error_text(&self.error))
    }
}

/// Writes `bytes` to something that may be non-blocking; each time it takes no more it has `patience` to go on.
pub(super) fn write_all(
    out: &mut (impl Write + AsFd),
    bytes: &[u8],
    patience: Option<Duration>,
) -> Result<(), Stopped> {
    let mut written = 0;
    while written < bytes.len() {
        let outcome = match out.write(&bytes[written..]) {
            Ok(0) => Err(ErrorKind::WriteZero.into()),
            Ok(count) => {
                written += count;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => sys::wait_writable(out, patience),
            Err(error) => Err(error),
        };
        outcome.map_err(|error| Stopped { written, error })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::thread;

    #[test]
    fn a_non_blocking_stream_gets_every_byte() {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let lines: Vec<u8> = (0..4 << 20).map(|at| at as u8).collect();
        let reader = thread::spawn(move || {
            let mut got = Vec::new();
            far.read_to_end(&mut got).unwrap();
            got
        });
        write_all(&mut near, &lines, None).unwrap();
        drop(near);
        assert!(reader.join().unwrap() == lines);
    }

    #[test]
    fn a_reader_that_stopped_ends_the_write() {
        let (mut near, _far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let stopped = write_all(&mut near, &vec![0; 4 << 20], Some(Duration::from_millis(1))).unwrap_err();
        assert_eq!(stopped.error.kind(), ErrorKind::TimedOut);
        assert!(stopped.written > 0 && stopped.written < 4 << 20);
    }

    #[test]
    fn a_closed_stream_is_an_error_and_no_loop() {
        let (mut near, far) = UnixStream::pair().unwrap();
        drop(far);
        assert_eq!(write_all(&mut near, b"lost\n", None).unwrap_err().written, 0);
    }

    #[test]
    fn only_a_terminal_gets_colours() {
        let line = |path: &str, color| {
            let file = File::options().read(true).write(true).open(path).unwrap();
            let format = Format { pid: 7, time: false, utc: false, color: false };
            let mut out = Vec::new();
            let entry = Entry { when: SystemTime::UNIX_EPOCH, level: Level::Info, text: "x" };
            Stream::new(file, format, color).format(entry, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(line("/dev/null", None), "[7] [INF] x\n");
        assert_eq!(line("/dev/null", Some(true)), "[7] [\x1b[32mINF\x1b[0m] x\n");
        if cfg!(target_os = "linux") {
            assert_eq!(line("/dev/ptmx", None), "[7] [\x1b[32mINF\x1b[0m] x\n");
            assert_eq!(line("/dev/ptmx", Some(false)), "[7] [INF] x\n");
        }
    }

    #[test]
    fn a_line_begun_is_lost_too() {
        let lost = Lost::all(b"nd of one\ntwo\n", String::new());
        assert_eq!(lost.lines, 2);
    }
}
