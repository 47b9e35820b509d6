//! One bad peer never hurts another: what a server meets outside of tidy tests, played against real midge processes.
//!
//! Each test is named for what it proves. Those that say how much memory or processor time was used, or that need limits
//! of their own, run midge as a process; a few that need options without a flag run it in this process.

#![cfg(target_os = "linux")]

mod authorization;
mod bystanders;
mod churn;
mod descriptors;
mod garbage;
mod half;
mod lame_duck;
mod lifecycle;
mod log_lines;
mod logging;
mod memory;
mod options;
mod orders;
mod peer;
mod random;
mod reload;
mod run_as;
mod scratch;
mod service;
mod slow;
mod start;
#[path = "../support/mod.rs"]
mod support;

/// One mebibyte, in bytes.
const MIB: usize = 1024 * 1024;

/// Runs a check with one worker and with several.
fn with_each_worker_count(check: impl Fn(usize)) {
    for workers in [1, 3] {
        println!("with {workers} workers");
        check(workers);
    }
}
