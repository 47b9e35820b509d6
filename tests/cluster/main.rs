//! Servers that form one system: midge with its own kind, with official servers, and with peers that misbehave.
//!
//! Each test is named for what it proves. Those with `official` in their names need the official server: `NATS_REF=path`
//! names its program.

#![cfg(target_os = "linux")]

mod client;
mod faults;
mod logic;
mod membership;
mod mixed;
mod node;
mod numbers;
mod peer;
mod proxy;
#[path = "../support/mod.rs"]
mod support;
