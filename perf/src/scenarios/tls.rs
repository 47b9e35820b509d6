//! With TLS: throughput, handshakes, memory.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use super::Setup;
use crate::outcome::Outcome;
use crate::proc::Process;
use crate::script::{delivery, publication};
use crate::tls::{self, Counter, TlsClient};

/// Bytes given to the cipher at once.
const WRITE_BYTES: usize = 128 * 1024;
/// Bytes of deliveries under way.
const WINDOW_BYTES: u64 = 16 << 20;
/// A look at the window while it is full.
const PAUSE: Duration = Duration::from_micros(50);
/// Threads that shake hands, each with one connection at a time.
const THREADS: usize = 4;
/// Longest wait for memory to stop moving.
const SETTLE: Duration = Duration::from_secs(2);
/// After this long the server has given back what it needed for the handshakes.
const GIVE_BACK: Duration = Duration::from_secs(8);

/// One publisher, one subscriber.
pub fn one_to_one(setup: &Setup, size: usize) -> io::Result<Outcome> {
    let config = tls::config();
    let line_bytes = delivery("bench.00", "1", "", size, false).len() as u64;
    let publication = publication("bench.00", "", size, false);
    let count = (WRITE_BYTES / publication.len()).max(1);
    let bytes = publication.repeat(count);
    let mut counter = TlsClient::connect(0, setup.addr, &config, "SUB bench.00 1\r\n")?.into_counter();
    let mut publisher = TlsClient::connect(1, setup.addr, &config, "")?;
    let mut publish = |time: Duration| -> io::Result<(u64, Outcome)> {
        let (caused, counted, done) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
        let (server_cpu, own_cpu, start) = (setup.server.cpu()?, Process::own().cpu()?, Instant::now());
        thread::scope(|scope| {
            let sender = scope.spawn(|| -> io::Result<()> {
                while start.elapsed() < time {
                    while caused.load(SeqCst) - counted.load(SeqCst) > WINDOW_BYTES {
                        thread::sleep(PAUSE);
                    }
                    caused.fetch_add(count as u64 * line_bytes, SeqCst);
                    publisher.send(&bytes)?;
                }
                done.store(true, SeqCst);
                Ok(())
            });
            count_all(&mut counter, &caused, &counted, &done)?;
            sender.join().expect("no panic")
        })?;
        let messages = counted.load(SeqCst) / line_bytes;
        let outcome = Outcome {
            unit: "messages",
            count: messages,
            moved: 2 * messages,
            elapsed: start.elapsed(),
            server_cpu: setup.server.cpu()?.saturating_sub(server_cpu),
            own_cpu: Process::own().cpu()?.saturating_sub(own_cpu),
            lost: (caused.load(SeqCst) / line_bytes).saturating_sub(messages),
            ..Outcome::default()
        };
        Ok((messages, outcome))
    };
    publish(setup.warm_up)?;
    Ok(publish(setup.time)?.1)
}

/// Counts until all that was caused has come.
fn count_all(counter: &mut Counter, caused: &AtomicU64, counted: &AtomicU64, done: &AtomicBool) -> io::Result<()> {
    while !done.load(SeqCst) || counted.load(SeqCst) < caused.load(SeqCst) {
        counted.fetch_add(counter.more()?, SeqCst);
    }
    Ok(())
}

/// Connect, full handshake, CONNECT, PING, close, as often as it goes.
pub fn handshakes(setup: &Setup) -> io::Result<Outcome> {
    let config = tls::config();
    let serial = AtomicUsize::new(0);
    shake_for(setup, setup.warm_up, &config, &serial)?;
    let (server_cpu, own_cpu, start) = (setup.server.cpu()?, Process::own().cpu()?, Instant::now());
    let count = shake_for(setup, setup.time, &config, &serial)?;
    Ok(Outcome {
        unit: "handshakes",
        count,
        moved: count,
        elapsed: start.elapsed(),
        server_cpu: setup.server.cpu()?.saturating_sub(server_cpu),
        own_cpu: Process::own().cpu()?.saturating_sub(own_cpu),
        ..Outcome::default()
    })
}

fn shake_for(setup: &Setup, time: Duration, config: &Arc<ClientConfig>, serial: &AtomicUsize) -> io::Result<u64> {
    let until = Instant::now() + time;
    thread::scope(|scope| {
        let shake = || -> io::Result<u64> {
            let mut count = 0;
            while Instant::now() < until {
                TlsClient::connect(serial.fetch_add(1, SeqCst), setup.addr, config, "")?;
                count += 1;
            }
            Ok(count)
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(shake)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    })
}

/// `count` idle connections with one subscription each.
pub fn connections(setup: &Setup, count: usize) -> io::Result<Outcome> {
    let config = tls::config();
    let start = setup.server.resident_settled(SETTLE)?;
    let (cpu, began) = (setup.server.cpu()?, Instant::now());
    let connect = |n| TlsClient::connect(n, setup.addr, &config, &format!("SUB idle.{n:06} 1\r\n"));
    let clients = (0..count).map(connect).collect::<io::Result<Vec<_>>>()?;
    let elapsed = began.elapsed();
    let server_cpu = setup.server.cpu()?.saturating_sub(cpu);
    thread::sleep(GIVE_BACK);
    let open = setup.server.resident_settled(SETTLE)?;
    drop(clients);
    Ok(Outcome {
        unit: "connections",
        count: count as u64,
        moved: count as u64,
        elapsed,
        server_cpu,
        bytes_each: Some(open.saturating_sub(start) as f64 / count as f64),
        steps: vec![("start", start), ("open", open)],
        ..Outcome::default()
    })
}
