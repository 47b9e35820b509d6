//! What the standard library and mio lack of the operating system, and the only folder with `unsafe` in it.
//!
//! Each module wraps one facility behind safe functions; every `unsafe` block says why its call is sound.
//! Nothing here knows about NATS, and nothing here keeps state between calls except the start of the monotonic clock.

pub mod clock;
pub mod limits;
pub mod memory;
pub mod pid_file;
pub mod random;
pub mod signals;

use std::io::IsTerminal;

/// True when `stream` is connected to a terminal, so that colours make sense on it.
pub fn is_terminal(stream: &impl IsTerminal) -> bool {
    stream.is_terminal()
}
