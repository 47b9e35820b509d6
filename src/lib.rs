//! midge: a NATS server for small machines.
pub mod config;
pub mod log;
#[allow(unsafe_code)]
pub mod sys;
pub mod wire;
