//! Subscriptions that come and go.

use std::fmt::Write as _;
use std::io::Write as _;
use std::thread;

use super::peer::Peer;
use super::support::process::Process;
use super::{MIB, with_each_worker_count};

/// SUB and UNSUB pairs of one run.
const CYCLES: usize = 1_000_000;

/// Pairs sent in one write.
const BATCH: usize = 10_000;

/// What memory may have grown by behind it, in bytes.
const GROWTH_MAX: usize = 4 * MIB;

#[test]
fn a_million_subscriptions_that_come_and_go_leave_no_memory_in_use() {
    with_each_worker_count(|workers| {
        let server = Process::with_workers(workers);
        let mut peer = Peer::connect(server.address());
        // What is only taken into use the first time is not what this is about.
        cycle(&mut peer, 0..2 * BATCH);
        let before = server.memory();
        cycle(&mut peer, 0..CYCLES);
        server.wait_down("memory", before + GROWTH_MAX, Process::memory);
        // None of them is left.
        for subject in ["churn.0.x", "churn.1.y.z", "churn.x.999998", "churn.3.y"] {
            peer.expect_no_subscribers(subject);
        }
    });
}

#[test]
fn many_subscriptions_at_a_time_give_their_memory_back() {
    const SUBSCRIPTIONS: usize = 200_000;
    with_each_worker_count(|workers| {
        let server = Process::with_workers(workers);
        let mut watcher = Peer::connect(server.address());
        let before = server.memory();
        for end in ["UNSUB", "reset"] {
            let mut peer = Peer::connect(server.address());
            let mut text = String::new();
            for number in 0..SUBSCRIPTIONS {
                let _ = write!(text, "SUB {} {number}\r\n", subject(number));
            }
            peer.send(&text);
            peer.round_trip();
            if end == "UNSUB" {
                text.clear();
                for number in 0..SUBSCRIPTIONS {
                    let _ = write!(text, "UNSUB {number}\r\n");
                }
                peer.send(&text);
                peer.round_trip();
            }
            peer.reset();
            watcher.round_trip();
            server.wait_down("memory", before + GROWTH_MAX, Process::memory);
        }
    });
}

/// Subscribes and unsubscribes with these numbers, in large writes, and waits until that is done.
fn cycle(peer: &mut Peer, numbers: std::ops::Range<usize>) {
    let mut writer = peer.writer();
    let writing = thread::spawn(move || {
        let mut text = String::new();
        for number in numbers {
            let _ = write!(text, "SUB {} {number}\r\nUNSUB {number}\r\n", subject(number));
            if number % BATCH == BATCH - 1 {
                writer.write_all(text.as_bytes()).expect("the server reads");
                text.clear();
            }
        }
        writer.write_all(text.as_bytes()).expect("the server reads");
    });
    writing.join().expect("all was written");
    peer.round_trip();
}

/// Another subject for each number: literal ones, patterns of both kinds, and queue groups.
fn subject(number: usize) -> String {
    match number % 4 {
        0 => format!("churn.{number}.x"),
        1 => format!("churn.{number}.>"),
        2 => format!("churn.*.{number}"),
        _ => format!("churn.{number}.* group{}", number % 100),
    }
}
