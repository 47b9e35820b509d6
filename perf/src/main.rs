//! `midge-perf`: drives a NATS server as hard as it can at little cost of its own, and compares two servers.
//!
//! - `load SCENARIO` drives a running server once and prints one line of JSON.
//! - `compare` starts two servers in turn, runs everything several times and writes tables and charts.
//!
//! From top to bottom: [`scenarios`] set up connections and say what is measured; [`flow`] moves prebuilt
//! [`script`]s through [`clients`] and counts bytes; [`proc`] asks the kernel what the server used; [`sys`] holds the
//! system calls that std lacks, and all `unsafe`. [`compare`] collects the [`outcome`]s, from which [`results`],
//! [`report`] and [`charts`] are written.

#![deny(unsafe_code)]

mod args;
mod chart;
mod charts;
mod clients;
mod compare;
mod figures;
mod flow;
mod growth;
mod json;
mod machine;
mod outcome;
mod proc;
mod random;
mod report;
mod results;
mod scenarios;
mod script;
mod server;
mod stats;
#[allow(unsafe_code)]
mod sys;
mod tls;

use std::process::ExitCode;
use std::time::Duration;

use args::Args;
use compare::Plan;
use proc::Process;
use scenarios::Setup;

/// Descriptors for 10,000 connections here and in the server, and some.
const OPEN_FILES: u64 = 20_000;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let result = match args.next().as_deref() {
        Some("load") => load(args),
        Some("compare") => compare(args),
        Some("--help" | "-h" | "help") => {
            println!("{}", usage());
            Ok(())
        }
        _ => Err(usage()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("midge-perf: {message}");
            ExitCode::FAILURE
        }
    }
}

fn load(args: impl Iterator<Item = String>) -> Result<(), String> {
    let mut args = Args::parse(args, &[])?;
    let name = args.word().ok_or_else(usage)?;
    let scenario = scenarios::find(&name).ok_or_else(|| format!("no scenario {name:?}\n{}", usage()))?;
    let setup = Setup {
        addr: args.required("addr")?,
        server: Process { pid: args.required("pid")? },
        peer: None,
        time: seconds(args.value("seconds")?.unwrap_or(1.0))?,
        warm_up: seconds(args.value("warm-up")?.unwrap_or(0.2))?,
        count: args.value("count")?,
        size: args.value("size")?,
    };
    args.done()?;
    sys::raise_open_files(OPEN_FILES).map_err(|e| format!("open files: {e}"))?;
    let outcome = scenario.run(&setup).map_err(|e| format!("{name}: {e}"))?;
    println!("{}", outcome.json(&name));
    Ok(())
}

fn compare(args: impl Iterator<Item = String>) -> Result<(), String> {
    let words: Vec<String> = args.collect();
    let mut args = Args::parse(words.iter().cloned(), &["quick"])?;
    let quick = args.switch("quick");
    let only: String = args.value("only")?.unwrap_or_default();
    let plan = Plan {
        ours: args.required("ours")?,
        theirs: args.required("theirs")?,
        rounds: args.value("rounds")?.unwrap_or(if quick { 1 } else { 5 }),
        quick,
        only: only.split(',').filter(|name| !name.is_empty()).map(str::to_string).collect(),
        out: args.required("out")?,
        command: args.value("command")?.unwrap_or_else(|| format!("midge-perf compare {}", words.join(" "))),
    };
    args.done()?;
    if let Some(name) = plan.only.iter().find(|name| *name != "growth" && scenarios::find(name).is_none()) {
        return Err(format!("no scenario {name:?}\n{}", usage()));
    }
    sys::raise_open_files(OPEN_FILES).map_err(|e| format!("open files: {e}"))?;
    compare::run(&plan)
}

fn seconds(value: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(value).map_err(|e| format!("{value} seconds: {e}"))
}

fn usage() -> String {
    let mut text =
        "usage: midge-perf load SCENARIO --addr HOST:PORT --pid PID [--seconds S] [--warm-up S] [--count N] \
                    [--size BYTES]\n       midge-perf compare --ours PATH --theirs PATH --out DIR [--rounds N] [--quick] [--command TEXT] \
                    [--only SCENARIO,growth,...]\nscenarios:\n"
            .to_string();
    for scenario in scenarios::ALL {
        text.push_str(&format!("  {:12} {}\n", scenario.name, scenario.about));
    }
    text
}
