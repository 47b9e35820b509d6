//! What comes and goes: subscriptions on one connection, and whole connections.

use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use super::Setup;
use crate::clients::{CONNECT, Client};
use crate::flow::{Flow, Publisher, Sharing};
use crate::outcome::Outcome;
use crate::proc::Process;
use crate::script::{Script, delivery, publication};
use crate::stats::Latencies;

/// Threads that open and close connections, each with one at a time.
const THREADS: usize = 8;
/// Different subjects among the SUB/UNSUB pairs.
const SUBJECTS: usize = 10_000;

/// One connection subscribes and unsubscribes over and over; afterwards nothing of it may be left.
pub fn subscriptions(setup: &Setup) -> io::Result<Outcome> {
    let pairs = (0..SUBJECTS).map(|i| (format!("SUB churn.{i:05} {i:05}\r\nUNSUB {i:05}\r\n").into_bytes(), 0));
    let script = Script::listed(pairs);
    let publishers = vec![Publisher { client: Client::connect(setup.addr)?, script: &script }];
    // Nothing is delivered, so the window never fills.
    let mut flow = Flow { publishers, subscribers: Vec::new(), sharing: Sharing::Pool, line_bytes: 0, window_bytes: 1 };
    flow.run(setup.warm_up, &[setup.server])?;
    let moved = flow.run(setup.time, &[setup.server])?;

    let client = &mut flow.publishers[0].client;
    for i in (0..SUBJECTS).step_by(97) {
        client.send(&publication(&format!("churn.{i:05}"), "", 0, false))?;
    }
    // A message instead of the PONG is an error here.
    client.barrier()?;
    Ok(Outcome {
        unit: "pairs",
        count: moved.published,
        moved: moved.published,
        elapsed: moved.elapsed,
        server_cpu: moved.server_cpu,
        own_cpu: moved.own_cpu,
        trouble: moved.trouble,
        ..Outcome::default()
    })
}

/// Connect, SUB, PUB, PING, close, as often as it goes. Every connection must get its own message and its PONG.
pub fn connections(setup: &Setup) -> io::Result<Outcome> {
    let serial = AtomicUsize::new(0);
    churn(setup, setup.warm_up, &serial)?;
    let (server_cpu, own_cpu, start) = (setup.server.cpu()?, Process::own().cpu()?, Instant::now());
    let latencies = churn(setup, setup.time, &serial)?;
    Ok(Outcome {
        unit: "connections",
        count: latencies.len() as u64,
        moved: latencies.len() as u64,
        elapsed: start.elapsed(),
        server_cpu: setup.server.cpu()?.saturating_sub(server_cpu),
        own_cpu: Process::own().cpu()?.saturating_sub(own_cpu),
        latency: latencies.summary(),
        ..Outcome::default()
    })
}

/// Opens and closes connections on all threads for `time`; the latencies are of whole lives.
fn churn(setup: &Setup, time: Duration, serial: &AtomicUsize) -> io::Result<Latencies> {
    let talk = [CONNECT.as_bytes(), b"SUB churn 1\r\n", &publication("churn", "", 16, false), b"PING\r\n"].concat();
    let until = Instant::now() + time;
    let lives = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let talk = own_subject(&talk, thread);
                let answer = [&own_subject(&delivery("churn", "1", "", 16, false), thread)[..], b"PONG\r\n"].concat();
                scope.spawn(move || -> io::Result<Vec<Duration>> {
                    let mut lives = Vec::new();
                    while Instant::now() < until {
                        lives.push(live(setup, serial.fetch_add(1, Relaxed), &talk, &answer)?);
                    }
                    Ok(lives)
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().expect("a thread panicked")).collect::<io::Result<Vec<_>>>()
    })?;
    let mut latencies = Latencies::default();
    lives.iter().flatten().for_each(|life| latencies.add(life.as_nanos() as u64));
    Ok(latencies)
}

/// Each thread has a subject of its own, so that it gets its own message only.
fn own_subject(bytes: &[u8], thread: usize) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    text.replace(" churn ", &format!(" churn{thread} ")).into_bytes()
}

/// One connection from its first packet to its close.
fn live(setup: &Setup, serial: usize, talk: &[u8], answer: &[u8]) -> io::Result<Duration> {
    let start = Instant::now();
    let mut client = Client::open_from(serial, setup.addr)?;
    client.read_info()?;
    client.send(talk)?;
    let mut got = vec![0; answer.len()];
    client.stream.read_exact(&mut got)?;
    if got != answer {
        return Err(io::Error::other(format!("not the answer: {:?}", String::from_utf8_lossy(&got))));
    }
    drop(client);
    Ok(start.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_of_threads_differ() {
        let talk = own_subject(b"SUB churn 1\r\nPUB churn 1\r\nx\r\n", 3);
        assert_eq!(talk, b"SUB churn3 1\r\nPUB churn3 1\r\nx\r\n");
    }
}
