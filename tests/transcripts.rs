//! Replays `tests/transcripts/*.txt`: what connections send, and what must come back.
//!
//! `TRANSCRIPT=words` plays only the cases whose file or name contains the words. `MIDGE_BIN=path` plays them against
//! that program instead of the midge in this process: a build of another kind. `NATS_REF=path` plays the files
//! against the official server too, which proves the expectations themselves; `NATS_REF_MODES=all` does so in every
//! mode, which proves this runner.

mod support;
#[path = "support/transcript/mod.rs"]
mod transcript;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};

use support::{Midge, Reference, Settings};
use transcript::plan::{Mode, cut_count};
use transcript::replay::{Stage, replay};
use transcript::script::{Case, Script, parse};

/// Cases played at the same time. They wait for answers most of the time.
const PLAYERS: usize = 6;

#[test]
fn one_worker_answers_as_stated() {
    play_all(&scripts(), true, |settings| midge(1, settings));
}

#[test]
fn three_workers_answer_as_stated() {
    let mut scripts = scripts();
    scripts.retain(|script| !script.one_worker);
    play_all(&scripts, true, |settings| midge(3, settings));
}

#[test]
fn official_server_answers_as_stated() {
    let Some(program) = support::reference_path() else {
        println!("NOT RUN: set NATS_REF to the path of an official nats-server");
        return;
    };
    let every_mode = std::env::var("NATS_REF_MODES").is_ok_and(|modes| modes == "all");
    let mut scripts = scripts();
    scripts.retain(|script| !script.midge_only);
    play_all(&scripts, every_mode, |settings| {
        let server = Reference::start(&program, settings).expect("the official server starts");
        Server {
            address: server.address(),
            routes: server.routes(),
            probes: 1,
            resets: true,
            _running: Box::new(server),
        }
    });
}

/// A running server of any kind.
struct Server {
    address: SocketAddr,
    routes: Option<SocketAddr>,
    probes: usize,
    resets: bool,
    _running: Box<dyn std::any::Any>,
}

/// Starts midge in this process, or the program that is to be proven.
fn midge(workers: usize, settings: &Settings) -> Server {
    if let Some(program) = support::other_midge_path() {
        let server = Reference::start_with(&program, &["--workers", &workers.to_string()], settings);
        let server = server.expect("the program in MIDGE_BIN starts");
        return Server {
            address: server.address(),
            routes: server.routes(),
            probes: workers,
            resets: false,
            _running: Box::new(server),
        };
    }
    let server = Midge::start(workers, settings).expect("midge starts");
    Server {
        address: server.address(),
        routes: server.routes(),
        probes: workers,
        resets: false,
        _running: Box::new(server),
    }
}

/// Plays every case, each against a server of its own, several at a time.
fn play_all(scripts: &[Script], every_mode: bool, start: impl Fn(&Settings) -> Server + Sync) {
    let words = std::env::var("TRANSCRIPT").unwrap_or_default();
    let cases: Vec<(&Script, &Case)> = scripts
        .iter()
        .flat_map(|script| script.cases.iter().map(move |case| (script, case)))
        .filter(|(script, case)| script.name.contains(&words) || case.name.contains(&words))
        .collect();
    let next = AtomicUsize::new(0);
    let plays = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..PLAYERS {
            scope.spawn(|| {
                while let Some(&(script, case)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let server = start(&script.settings);
                    let Server { address, routes, probes, resets, .. } = server;
                    let stage = Stage { address, routes, probes, resets };
                    let every_mode = every_mode && !(case.official_whole && server.resets);
                    for mode in modes(script, case, every_mode) {
                        plays.fetch_add(1, Ordering::Relaxed);
                        if let Err(failure) = replay(script, case, mode, stage) {
                            failures.lock().unwrap().push(failure.to_string());
                            break;
                        }
                    }
                }
            });
        }
    });
    println!("{} cases, {} plays", cases.len(), plays.into_inner());
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    assert!(failures.is_empty(), "{} of {} cases failed\n\n{}\n", failures.len(), cases.len(), failures.join("\n\n"));
}

/// The modes a case is played in, the plainest first.
fn modes(script: &Script, case: &Case, every_mode: bool) -> Vec<Mode> {
    if !every_mode || script.whole_only {
        return vec![Mode::Whole];
    }
    let mut modes = vec![Mode::Whole, Mode::Lines, Mode::Merged, Mode::Bytes];
    modes.extend((0..cut_count(case)).map(Mode::Cut));
    modes
}

/// All transcript files, in the order of their names.
fn scripts() -> Vec<Script> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let entries = fs::read_dir(folder).expect("tests/transcripts is there");
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    let read = |path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let content = fs::read_to_string(path).unwrap();
        parse(&name, &content).unwrap_or_else(|error| panic!("{error}"))
    };
    paths.iter().map(|path| read(path)).collect()
}
