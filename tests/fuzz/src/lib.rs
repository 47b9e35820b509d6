//! What must hold for any bytes a peer can send.
//!
//! Each module is one target: `run` takes arbitrary bytes and panics if a promise is broken. `tests/fuzz/run` gives them
//! inputs from libFuzzer, which looks for those that reach new code.

pub mod connect;
pub mod parse;
pub mod session;
