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
pub mod priority;
pub mod privileges;
pub mod processes;
pub mod random;
pub mod service;
pub mod signals;
pub mod sockets;

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

/// True when `stream` is connected to a terminal, so that colours make sense on it.
pub fn is_terminal(stream: &impl IsTerminal) -> bool {
    stream.is_terminal()
}

/// The errors that a C library other than glibc (musl) words in its own way, as they are called everywhere else.
const ERROR_TEXTS: [(i32, &str); 15] = [
    (libc::EADDRINUSE, "address already in use"),
    (libc::EADDRNOTAVAIL, "cannot assign requested address"),
    (libc::EDQUOT, "disk quota exceeded"),
    (libc::EHOSTUNREACH, "no route to host"),
    (libc::EIO, "input/output error"),
    (libc::ELOOP, "too many levels of symbolic links"),
    (libc::EMFILE, "too many open files"),
    (libc::EMSGSIZE, "message too long"),
    (libc::ENAMETOOLONG, "file name too long"),
    (libc::ENETUNREACH, "network is unreachable"),
    (libc::ENOMEM, "cannot allocate memory"),
    (libc::ENOTCONN, "transport endpoint is not connected"),
    (libc::ENOTSOCK, "socket operation on non-socket"),
    (libc::ETIMEDOUT, "connection timed out"),
    (libc::EXDEV, "invalid cross-device link"),
];

/// What the system calls an error, worded as Go programs word it: `address already in use`. It is the same whatever C
/// library midge was built with.
pub fn error_text(error: &io::Error) -> String {
    if let Some((_, text)) = ERROR_TEXTS.iter().find(|(code, _)| error.raw_os_error() == Some(*code)) {
        return (*text).to_owned();
    }
    let text = error.to_string();
    let text = text.split(" (os error ").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// Waits until `stream` takes bytes again or is broken: at most `patience`, or however long that is. For threads that may
/// block.
///
/// # Errors
/// `TimedOut` when that did not happen in time; else what poll(2) says, an interruption excepted.
pub fn wait_writable(stream: &impl AsFd, patience: Option<Duration>) -> io::Result<()> {
    let mut poll = libc::pollfd { fd: stream.as_fd().as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    let deadline = patience.map(|patience| Instant::now() + patience);
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        // Rounded up: a wait of no length would be a busy one.
        let millis = left.map_or(-1, |left| left.as_micros().div_ceil(1000).try_into().unwrap_or(i32::MAX));
        // SAFETY: `poll` is the one entry announced, and its descriptor is open while `stream` is borrowed.
        match unsafe { libc::poll(&mut poll, 1, millis) } {
            0 => return Err(io::ErrorKind::TimedOut.into()),
            1.. => return Ok(()),
            _ => {}
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// The name of this machine, `localhost` if it has none.
pub fn host_name() -> String {
    let mut name = [0; 256];
    // SAFETY: the place for the answer is as long as announced.
    let code = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) };
    let name = name.split(|byte| *byte == 0).next().filter(|name| code == 0 && !name.is_empty());
    name.map_or("localhost".to_owned(), |name| String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_worded_like_gos() {
        assert_eq!(error_text(&io::Error::from_raw_os_error(libc::EADDRINUSE)), "address already in use");
        assert_eq!(error_text(&io::Error::other("Odd")), "odd");
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        for (code, text) in super::ERROR_TEXTS {
            let error = io::Error::from_raw_os_error(code).to_string();
            assert_eq!(error.to_lowercase(), format!("{text} (os error {code})"));
        }
    }
}
