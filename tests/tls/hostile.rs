//! Handshakes that come to nothing, while others go on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Programs;
use super::peer::{Peer, dial, plain_info, rest};

/// Half-open connections at a time.
const HALF_OPEN: usize = 1000;

/// The bytes a client begins with.
fn client_hello(server: &super::Server) -> Vec<u8> {
    let name = "localhost".try_into().expect("a host name");
    let mut client = rustls::ClientConnection::new(server.certificates.client(None), name).expect("a client");
    let mut hello = Vec::new();
    client.write_tls(&mut hello).expect("bytes");
    hello
}

#[test]
fn garbage_in_every_place_ends_the_connection_only() {
    Programs::Midge.check_with("timeout: '1s'", |server| {
        let hello = client_hello(&server);
        let mut bystander = Peer::connect(server.process.address(), &server.certificates.client(None));
        let mut seed = 12_345u32;
        for at in 0..hello.len().min(400) {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let mut bytes = hello.clone();
            bytes[at] ^= (seed >> 24) as u8 | 1;
            let mut stream = dial(server.process.address());
            plain_info(&mut stream);
            stream.write_all(&bytes).expect("a write");
            // Some of these are good enough to be answered.
            _ = stream.shutdown(std::net::Shutdown::Write);
            rest(stream);
        }
        bystander.round_trip();
        assert_eq!(rest_after(&server, &[0x16; 40_000]), 0);
        bystander.round_trip();
    });
}

/// Plain bytes that come back for these, without alerts.
fn rest_after(server: &super::Server, bytes: &[u8]) -> usize {
    let mut stream = dial(server.process.address());
    plain_info(&mut stream);
    // It may be closed before all is sent.
    _ = stream.write_all(bytes);
    rest(stream).iter().filter(|byte| byte.is_ascii_alphabetic()).count()
}

#[test]
fn garbage_behind_the_handshake_ends_the_connection() {
    Programs::Midge.check_with("", |server| {
        let peer = Peer::connect(server.process.address(), &server.certificates.client(None));
        let mut socket = peer.socket().try_clone().expect("a descriptor");
        socket.write_all(b"\x17\x03\x03\x00\x20aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa").expect("a write");
        rest(socket);
        server.process.wait_log("Client connection closed: Read Error");
    });
}

#[test]
fn a_handshake_byte_by_byte_succeeds_or_runs_out_of_time() {
    Programs::Midge.check_with("timeout: '1s'", |server| {
        let hello = client_hello(&server);
        let mut stream = dial(server.process.address());
        stream.set_nodelay(true).expect("an option");
        plain_info(&mut stream);
        for byte in &hello {
            stream.write_all(&[*byte]).expect("a write");
        }
        let mut answer = [0];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(answer[0], 0x16, "no handshake");

        let mut stream = dial(server.process.address());
        plain_info(&mut stream);
        let start = Instant::now();
        for byte in &hello {
            if stream.write_all(&[*byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
            assert!(start.elapsed() < Duration::from_secs(20), "it goes on for ever");
        }
        server.process.wait_log("i/o timeout");
    });
}

#[test]
fn a_thousand_half_open_connections_are_bounded_and_go() {
    Programs::Midge.check_with("timeout: '3s'", |server| {
        let hello = client_hello(&server);
        let mut bystander = Peer::connect(server.process.address(), &server.certificates.client(None));
        let before = server.process.memory();
        let open: Vec<TcpStream> = (0..HALF_OPEN)
            .map(|number| {
                let mut stream = dial(server.process.address());
                plain_info(&mut stream);
                match number % 3 {
                    0 => {}
                    1 => stream.write_all(&hello[..hello.len() / 2]).expect("a write"),
                    _ => stream.write_all(&hello).expect("a write"),
                }
                stream
            })
            .collect();
        bystander.round_trip();
        let each = server.process.memory().saturating_sub(before) / HALF_OPEN;
        println!("{each} bytes for each half-open connection");
        assert!(each < 16 * 1024, "{each} bytes each");
        open.into_iter().for_each(|stream| _ = rest(stream));
        server.process.wait_log_times("Client connection closed: TLS Handshake Failure", HALF_OPEN);
        bystander.round_trip();
    });
}

#[test]
fn a_storm_of_handshakes_does_not_hold_up_the_others() {
    Programs::Midge.check_with("", |server| {
        let config = server.certificates.client(None);
        let mut bystander = Peer::connect(server.process.address(), &config);
        let hello = Arc::new(client_hello(&server));
        let stop = Arc::new(AtomicBool::new(false));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (hello, stop, address) = (Arc::clone(&hello), Arc::clone(&stop), server.process.address());
                thread::spawn(move || {
                    let mut handshakes = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let Ok(mut stream) = TcpStream::connect(address) else { continue };
                        // Costs the server all of a handshake's work, and us nearly nothing.
                        if stream.write_all(&hello).is_ok() && stream.read(&mut [0; 4096]).is_ok_and(|bytes| bytes > 0)
                        {
                            handshakes += 1;
                        }
                    }
                    handshakes
                })
            })
            .collect();
        let mut times: Vec<Duration> = Vec::new();
        let end = Instant::now() + Duration::from_secs(2);
        while Instant::now() < end {
            let start = Instant::now();
            bystander.round_trip();
            times.push(start.elapsed());
        }
        stop.store(true, Ordering::Relaxed);
        let handshakes: usize = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
        times.sort();
        let (half, late) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        println!("{handshakes} handshakes begun; {} round trips meanwhile, median {half:?}, p99 {late:?}", times.len());
        assert!(handshakes > 20 && times.len() > 50, "{handshakes} handshakes, {} round trips", times.len());
        assert!(half < Duration::from_millis(50), "{half:?}");
    });
}
