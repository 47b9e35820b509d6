//! Monitoring as its clients meet it, over HTTP against real processes.
//!
//! With `NATS_REF` naming an official server, its documents are compared with ours field by field.

#![cfg(all(target_os = "linux", feature = "monitoring"))]

mod access;
mod clustered;
mod counters;
mod hostile;
mod http;
#[cfg(feature = "tls")]
mod https;
mod large;
mod metrics;
mod official;
mod page;
#[path = "../faults/peer.rs"]
#[allow(dead_code, reason = "the tests of faults use more of it")]
mod peer;
mod requests;
#[path = "../support/mod.rs"]
mod support;
mod tools;

/// Runs a check with one worker and with several.
fn with_each_worker_count(check: impl Fn(usize)) {
    for workers in [1, 3] {
        println!("with {workers} workers");
        check(workers);
    }
}
