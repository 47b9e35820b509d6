//! Clients of monitoring that are slow or mean harm.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::http::{Monitored, connect, get, response};
use super::peer::Peer;

const MIB: usize = 1024 * 1024;

/// Connections that monitoring serves at a time.
const CONNECTIONS_MAX: usize = 64;

/// Reads to the end, however that comes.
fn end(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => bytes,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => bytes,
        Err(error) => panic!("not closed but {error}"),
    }
}

#[test]
fn silent_connections_are_dropped_and_keep_nobody_out_for_long() {
    let server = Monitored::start(&[]);
    let start = Instant::now();
    let mut silent: Vec<TcpStream> = (0..CONNECTIONS_MAX).map(|_| connect(server.http)).collect();
    // Some say a little; that buys no time.
    silent.iter_mut().take(10).for_each(|stream| stream.write_all(b"GET /varz HT").unwrap());
    let refused = get(server.http, "/varz");
    assert_eq!((refused.status, refused.text()), (503, "503 too many connections\n"));
    for stream in silent {
        assert!(end(stream).is_empty());
    }
    assert!(start.elapsed() >= Duration::from_secs(5) && start.elapsed() < Duration::from_secs(15));
    assert_eq!(get(server.http, "/varz").status, 200);
}

#[test]
fn an_idle_connection_makes_way_for_one_that_asks() {
    let server = Monitored::start(&[]);
    let mut idle: Vec<TcpStream> = (0..CONNECTIONS_MAX).map(|_| connect(server.http)).collect();
    for stream in &mut idle {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"{\"status\":\"ok\"}") {
            let mut piece = [0; 1024];
            let count = stream.read(&mut piece).unwrap();
            assert!(count > 0);
            bytes.extend_from_slice(&piece[..count]);
        }
    }
    for _ in 0..3 {
        assert_eq!(get(server.http, "/varz").status, 200);
    }
    let last = idle.pop().unwrap();
    assert!(end(idle.remove(0)).is_empty(), "the one that waits longest goes");
    let mut last = last;
    last.write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    assert_eq!(response(&end(last)).status, 200, "and the youngest stays");
}

#[test]
fn answers_that_nobody_reads_take_little_memory_and_cost_no_message() {
    let server = Monitored::with_workers(2);
    let mut reader = Peer::connect(server.process.address());
    for sub in 0..20_000 {
        reader.send(format!("SUB some.subject.of.some.length.{sub} more{sub}\r\n"));
    }
    reader.subscribe("a");
    let mut publisher = Peer::connect(server.process.address());
    let size = server.get("/connz?subs=detail").body.len();
    assert!(size > 2 * MIB, "{size}");
    let before = server.process.memory();
    let request = b"GET /connz?subs=detail HTTP/1.1\r\nHost: h\r\n\r\n".repeat(100);
    let mut greedy: Vec<TcpStream> = (0..40).map(|_| connect(server.http)).collect();
    greedy.iter_mut().for_each(|stream| stream.write_all(&request).unwrap());
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        publisher.publish("a", b"x");
        reader.expect_message("a", b"x");
    }
    let grown = server.process.memory_peak().saturating_sub(before);
    assert!(grown < 64 * MIB, "{} MiB more for {} MiB asked for", grown / MIB, 4000 * size / MIB);
    // Who reads nothing is dropped, and then there is room again.
    drop(greedy);
    assert_eq!(get(server.http, "/healthz").status, 200);
}

#[test]
fn garbage_is_answered_or_dropped_and_the_others_are_served() {
    let server = Monitored::start(&[]);
    let mut dice = 12345u64;
    for round in 0..200 {
        let mut bytes = Vec::new();
        for _ in 0..round * 10 {
            dice = dice.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            bytes.push(if round % 2 == 0 {
                (dice >> 33) as u8
            } else {
                b" \r\n:/?&=%AGEThp.10"[(dice >> 33) as usize % 18]
            });
        }
        let mut stream = connect(server.http);
        // It may be closed at any byte.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let answer = end(stream);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."), "{:?}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(get(server.http, "/varz").status, 200);
}
