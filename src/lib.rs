//! midge: a NATS server for small machines.
pub mod broker;
pub mod config;
pub mod interest;
pub mod log;
pub mod memory;
pub mod reactor;
pub mod server;
#[allow(unsafe_code)]
pub mod sys;
pub mod wire;
