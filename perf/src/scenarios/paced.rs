//! The latency of a quiet pair of clients while another pair floods the server.

use std::io;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::{Setup, stream};
use crate::clients::{Client, Frames};
use crate::outcome::Outcome;
use crate::script::{delivery, publication};
use crate::stats::Latencies;

/// Distance between two messages of the quiet pair.
const PACE: Duration = Duration::from_millis(1);
/// The payload is the time of sending in this many digits.
const STAMP_DIGITS: usize = 16;
/// The stamp of the last message, which is not measured.
const END: u64 = 0;

/// A message per millisecond from one client to another, beside a 1:1 flood of 16 B. Rates and CPU time are those of
/// the flood (with the quiet pair's few messages), latencies those of the quiet pair, from just before the write to
/// just after the read.
pub fn run(setup: &Setup) -> io::Result<Outcome> {
    let publisher = Client::connect(setup.addr)?;
    let mut subscriber = Client::connect(setup.addr)?;
    subscriber.send(b"SUB quiet.pair 1\r\n")?;
    subscriber.barrier()?;
    let base = Instant::now();
    let time = setup.warm_up + setup.time;
    let (flood, sent, received) = thread::scope(|scope| {
        let sending = scope.spawn(move || send(publisher, base, time, setup.warm_up));
        let receiving = scope.spawn(move || receive(subscriber.stream, base));
        let flood = stream::one_to_one(setup, STAMP_DIGITS, false);
        (flood, sending.join().expect("the sender panicked"), receiving.join().expect("the receiver panicked"))
    });
    let (mut outcome, sent, (latencies, received)) = (flood?, sent?, received?);
    outcome.lost += sent.saturating_sub(received);
    outcome.latency = latencies.summary();
    Ok(outcome)
}

/// Sends one stamped message per `PACE` for `time`, unmeasured ones (stamp 1) during the first `warm_up`. Returns how
/// many, without the last, which ends the stream.
fn send(mut client: Client, base: Instant, time: Duration, warm_up: Duration) -> io::Result<u64> {
    let mut message = publication("quiet.pair", "", STAMP_DIGITS, false);
    let at = message.len() - STAMP_DIGITS - 2;
    let mut stamped = |stamp: u64| {
        message[at..at + STAMP_DIGITS].copy_from_slice(format!("{stamp:0STAMP_DIGITS$}").as_bytes());
        client.send(&message)
    };
    let mut sent = 0;
    let mut next = Duration::ZERO;
    while next < time {
        next += PACE;
        // The pace is the point: no event to wait for but the clock.
        thread::sleep(next.saturating_sub(base.elapsed()));
        stamped(if next < warm_up { 1 } else { base.elapsed().as_nanos() as u64 })?;
        sent += 1;
    }
    stamped(END)?;
    Ok(sent)
}

/// Receives until the message that ends the stream. Returns the latencies and how many messages came before it.
fn receive(mut stream: TcpStream, base: Instant) -> io::Result<(Latencies, u64)> {
    let line = delivery("quiet.pair", "1", "", STAMP_DIGITS, false);
    let mut frames = Frames::new(16 * 1024);
    let mut latencies = Latencies::default();
    let mut received = 0;
    loop {
        frames.fill(&mut stream)?;
        let now = base.elapsed().as_nanos() as u64;
        while let Some(frame) = frames.next(line.len()) {
            let stamp = &frame[line.len() - STAMP_DIGITS - 2..line.len() - 2];
            let stamp: u64 = std::str::from_utf8(stamp).ok().and_then(|s| s.parse().ok()).unwrap_or(END);
            if stamp == END {
                return Ok((latencies, received));
            }
            received += 1;
            if stamp > 1 {
                latencies.add(now.saturating_sub(stamp));
            }
        }
    }
}
