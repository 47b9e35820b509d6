//! midge: a NATS server for small machines.
pub mod config;
pub mod interest;
pub mod log;
pub mod memory;
#[allow(unsafe_code)]
pub mod sys;
pub mod wire;
