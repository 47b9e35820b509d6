//! Bytes that are no operations, or nearly are.

use super::bystanders::Bystanders;
use super::peer::Peer;
use super::random::Random;
use super::support::process::Process;
use super::{MIB, with_each_worker_count};

/// Connections of one flood.
const CONNECTIONS: usize = 300;

/// What a connection is sent at least: more than the longest line that could be an operation.
const BYTES_MIN: usize = 5000;

/// Memory a server that has seen it all may have in use, in bytes.
const MEMORY_MAX: usize = 32 * MIB;

#[test]
fn garbage_gets_an_error_and_the_end_and_nobody_else_notices() {
    with_each_worker_count(|workers| {
        let mut random = Random::new();
        let server = Process::with_workers(workers);
        let bystanders = Bystanders::connect(server.address()).keep_busy();
        for _ in 0..CONNECTIONS {
            let mut peer = Peer::open(server.address());
            let count = BYTES_MIN + random.below(64 * 1024);
            let mut garbage = random.bytes(count);
            // A whole operation by chance, or the start of one that ends without a word, would spoil the expectation.
            garbage[0] |= 0x80;
            peer.send_anyhow(&garbage);
            let answer = peer.rest();
            let answer = String::from_utf8_lossy(&answer);
            assert_eq!(answer, "-ERR 'Unknown Protocol Operation'\r\n", "to {:?}...", &garbage[..40]);
        }
        bystanders.stop();
        assert!(server.memory_peak() < MEMORY_MAX, "{} MiB in use", server.memory_peak() / MIB);
    });
}

#[test]
fn lines_without_an_end_get_an_error_and_the_end() {
    let starts = ["PUB ", "SUB ", "UNSUB ", "CONNECT {", "PING", "+OK", "-ERR '", "INFO {"];
    with_each_worker_count(|workers| {
        let server = Process::with_workers(workers);
        let bystanders = Bystanders::connect(server.address()).keep_busy();
        for start in starts {
            let mut peer = Peer::connect(server.address());
            peer.send_anyhow(start.as_bytes());
            // Far more than a line may have, and it is never ended: nothing of it may be kept for long.
            peer.send_anyhow(&vec![b'x'; 4 * MIB]);
            peer.shut_anyhow();
            let answer = peer.rest();
            let answer = String::from_utf8_lossy(&answer);
            let is_error = answer == "-ERR 'maximum control line exceeded'\r\n";
            // What follows PING, +OK or -ERR is nothing to the server: it may as well wait for the end of the line.
            let is_ignored = answer.is_empty() && ["PING", "+OK", "-ERR '"].contains(&start);
            assert!(is_error || is_ignored, "{answer:?} to {start:?}");
        }
        bystanders.stop();
        assert!(server.memory_peak() < MEMORY_MAX, "{} MiB in use", server.memory_peak() / MIB);
    });
}

/// What is spoiled: every operation a client knows.
const GOOD: &[&str] = &[
    "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\n",
    "PING\r\n",
    "SUB a.* 1\r\n",
    "SUB a.> workers 2\r\n",
    "PUB a.b 5\r\nhello\r\n",
    "PUB a.b reply 0\r\n\r\n",
    "HPUB a.b 18 20\r\nNATS/1.0\r\nA: b\r\n\r\nhi\r\n",
    "UNSUB 1 5\r\n",
    "UNSUB 2\r\n",
    "PONG\r\n",
];

#[test]
fn operations_with_wrong_bytes_hurt_nobody_else() {
    with_each_worker_count(|workers| {
        let mut random = Random::new();
        let server = Process::with_workers(workers);
        let bystanders = Bystanders::connect(server.address()).keep_busy();
        for _ in 0..CONNECTIONS {
            let mut input: Vec<u8> = (0..40).flat_map(|_| random.one_of(GOOD).bytes()).collect();
            for _ in 0..=random.below(8) {
                let at = random.below(input.len());
                match random.below(3) {
                    0 => input[at] = random.below(256) as u8,
                    1 => drop(input.remove(at)),
                    _ => input.insert(at, random.one_of(b"0 9.*>\r\n\t\0{\"'\xff")),
                }
            }
            let mut peer = Peer::open(server.address());
            // In pieces, so that partial operations go wrong as well.
            let mut rest = &input[..];
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at(1 + random.below(rest.len()));
                peer.send_anyhow(piece);
                rest = behind;
            }
            peer.shut_anyhow();
            // Whatever it is told, it is told something: it began with an INFO and the end comes.
            peer.rest();
        }
        bystanders.stop();
        assert!(server.memory_peak() < MEMORY_MAX, "{} MiB in use", server.memory_peak() / MIB);
    });
}
