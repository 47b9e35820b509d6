//! What must hold for any bytes that a peer can send or an operator can write.
//!
//! Each module is one target: `run` takes arbitrary bytes and panics if a promise is broken. `tests/fuzz/run` gives them
//! inputs from libFuzzer, which looks for those that reach new code.

pub mod certificate;
pub mod config;
pub mod connect;
pub mod http;
pub mod nkey;
pub mod parse;
pub mod permissions;
pub mod route;
pub mod session;
