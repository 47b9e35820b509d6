//! What the standard library and mio lack of the operating system, and the only folder with `unsafe` in it.
//!
//! Each module wraps one facility behind safe functions; every `unsafe` block says why its call is sound.
//! Nothing here knows about NATS, and nothing here keeps state between calls except the start of the monotonic clock and
//! that a passed socket was taken.

pub mod addresses;
pub mod clock;
pub mod limits;
pub mod memory;
pub mod passed;
pub mod pid_file;
pub mod processes;
pub mod random;
pub mod service;
pub mod signals;
pub mod sockets;

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, AsRawFd};

/// True when `stream` is connected to a terminal, so that colours make sense on it.
pub fn is_terminal(stream: &impl IsTerminal) -> bool {
    stream.is_terminal()
}

/// What the system calls an error, worded as Go programs word it: `address already in use`.
pub fn error_text(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error ").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// Waits until `stream` takes bytes again or is broken, however long that is. For threads that may block.
///
/// # Errors
/// What poll(2) says, an interruption excepted.
pub fn wait_writable(stream: &impl AsFd) -> io::Result<()> {
    let mut poll = libc::pollfd { fd: stream.as_fd().as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    loop {
        // SAFETY: `poll` is the one entry announced, and its descriptor is open while `stream` is borrowed.
        if unsafe { libc::poll(&mut poll, 1, -1) } >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_worded_like_gos() {
        assert_eq!(error_text(&io::Error::from_raw_os_error(libc::EADDRINUSE)), "address already in use");
        assert_eq!(error_text(&io::Error::other("Odd")), "odd");
    }
}
