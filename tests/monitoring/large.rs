//! Large reports hold no message up.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::http::Monitored;
use super::peer::Peer;

/// Subscriptions of each connection.
const SUBS: usize = 10;

/// Connections, another number of which `MIDGE_CONNECTIONS` asks for.
const CONNECTIONS: usize = 1000;

/// How long messages are looked at.
const TIME: Duration = Duration::from_secs(2);

/// Delays of one message a millisecond, while `is_over` says no, sorted.
fn delays(publisher: &mut Peer, reader: &mut Peer, is_over: impl Fn() -> bool) -> Vec<Duration> {
    let mut delays = Vec::new();
    let mut next = Instant::now();
    while !is_over() {
        let sent = Instant::now();
        publisher.publish("paced", b"12345678");
        reader.expect_message("paced", b"12345678");
        delays.push(sent.elapsed());
        next = (next + Duration::from_millis(1)).max(Instant::now());
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    delays.sort_unstable();
    delays
}

fn shown(delays: &[Duration]) -> String {
    let part = |part: f64| delays[(delays.len() as f64 * part) as usize];
    format!("median {:?}, 99 % {:?}, most {:?} of {}", part(0.5), part(0.99), delays[delays.len() - 1], delays.len())
}

#[test]
fn a_report_on_all_connections_is_complete_and_delays_nobody() {
    let count = std::env::var("MIDGE_CONNECTIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(CONNECTIONS);
    let server = Monitored::with_workers(1);
    let subs: String = (0..SUBS).map(|sub| format!("SUB some.subject.{sub}.> {sub}\r\n")).collect();
    let hello = format!("CONNECT {{\"verbose\":false,\"name\":\"one of many\"}}\r\n{subs}PING\r\n");
    let mut idle: Vec<TcpStream> = Vec::new();
    for _ in 0..count {
        let mut peer = Peer::open(server.process.address());
        peer.send(&hello);
        peer.expect_line("PONG");
        idle.push(peer.writer());
    }
    let mut reader = Peer::connect(server.process.address());
    reader.subscribe("paced");
    let mut publisher = Peer::connect(server.process.address());
    let start = Instant::now();
    let before = delays(&mut publisher, &mut reader, || start.elapsed() > TIME);
    let over = AtomicBool::new(false);
    let (times, during) = thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let start = Instant::now();
            let (mut times, mut responses) = (Vec::new(), Vec::new());
            while start.elapsed() < TIME {
                let start = Instant::now();
                responses.push(server.get("/connz?subs=1&limit=100000"));
                times.push(start.elapsed());
                thread::sleep(Duration::from_millis(20));
            }
            over.store(true, Ordering::Relaxed);
            (times, responses)
        });
        let during = delays(&mut publisher, &mut reader, || over.load(Ordering::Relaxed));
        // What is in them is work for later: messages are looked at now.
        let (times, responses) = asking.join().unwrap();
        for response in &responses {
            let text = response.text();
            assert_eq!(text.matches("\"cid\":").count(), count + 2);
            assert_eq!(text.matches("some.subject.").count(), count * SUBS);
        }
        (times, during)
    });
    let (most, least) = (times.iter().max().unwrap(), times.iter().min().unwrap());
    println!("{count} connections: {} documents, {least:?} to {most:?} each", times.len());
    println!("messages before: {}\nmessages during: {}", shown(&before), shown(&during));
    // Tests share the machine; a worker that reported all at once would hold up every message of that time.
    assert!(during[during.len() / 2] < Duration::from_millis(20), "{}", shown(&during));
}
