//! Servers that form one system: midge with its own kind, with official servers, and with peers that misbehave.
//!
//! Each test is named for what it proves. Those with `official` in their names need the official server: `NATS_REF=path`
//! names its program.

#![cfg(target_os = "linux")]

mod authorization;
mod chaos;
mod client;
mod faults;
mod logic;
mod members;
mod membership;
mod mixed;
mod node;
mod numbers;
mod peer;
mod permissions;
mod proxy;
#[path = "../faults/random.rs"]
#[allow(dead_code, reason = "the tests of faults use more of it")]
mod random;
mod reload;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "tls")]
mod tls;
mod traffic;
