//! Where lines go.

use std::io::{self, Stderr as StdStderr, Write};

use crate::sys;

/// Takes whole lines, one or many at a time, in the log thread. May block: only the log thread waits for it.
pub(super) trait Target: Send {
    /// Writes `lines`.
    ///
    /// # Errors
    /// When lines were lost; the log goes on with the next ones.
    fn write(&mut self, lines: &[u8]) -> io::Result<()>;
}

/// Standard error.
pub(super) struct Stderr {
    stream: StdStderr,
}

impl Stderr {
    pub fn new() -> Self {
        Stderr { stream: io::stderr() }
    }

    /// True when a person is likely to look at it.
    pub fn is_terminal(&self) -> bool {
        sys::is_terminal(&self.stream)
    }
}

impl Target for Stderr {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.stream.write_all(lines)
    }
}
