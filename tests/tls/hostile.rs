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

/// A client's first record, which offers this version and these suites. What else it says is as usual, so that nothing but
/// those can be wrong.
fn hello_with(version: u16, suites: &[u16]) -> Vec<u8> {
    let two = |number: usize| (number as u16).to_be_bytes();
    let suites: Vec<u8> = suites.iter().flat_map(|suite| suite.to_be_bytes()).collect();
    // Groups: P-256 and X25519. Signatures: ECDSA and RSA with SHA-256, and with SHA-1. No compression of points.
    let extensions: [(u16, &[u8]); 4] =
        [(10, &[0, 4, 0, 0x17, 0, 0x1d]), (11, &[1, 0]), (13, &[0, 8, 4, 3, 4, 1, 2, 3, 2, 1]), (23, &[])];
    let extensions: Vec<u8> =
        extensions.iter().flat_map(|(kind, body)| [&kind.to_be_bytes()[..], &two(body.len()), body].concat()).collect();
    let body = [
        &version.to_be_bytes()[..],
        &[7; 32],
        &[0],
        &two(suites.len()),
        &suites,
        &[1, 0],
        &two(extensions.len()),
        &extensions,
    ]
    .concat();
    let handshake = [&[1, 0][..], &two(body.len()), &body].concat();
    [&[0x16, 3, 1][..], &two(handshake.len()), &handshake].concat()
}

/// The kind of the first record that answers this, and its bytes.
fn answer_to(server: &super::Server, hello: &[u8]) -> (u8, Vec<u8>) {
    let mut stream = dial(server.process.address());
    plain_info(&mut stream);
    stream.write_all(hello).expect("a write");
    let mut head = [0; 5];
    stream.read_exact(&mut head).expect("an answer");
    let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut body).expect("a whole record");
    (head[0], body)
}

#[test]
fn old_versions_and_suites_that_protect_nothing_are_refused() {
    const TLS12: u16 = 0x0303;
    const GOOD: [u16; 2] = [0xc02b, 0xc02f];
    Programs::Both.check_with("", |server| {
        assert_eq!(answer_to(&server, &hello_with(TLS12, &GOOD)).0, 0x16, "what is good is answered");
        for (what, version, suites) in [
            ("SSL 3.0", 0x0300, &GOOD[..]),
            ("TLS 1.0", 0x0301, &GOOD),
            ("TLS 1.1", 0x0302, &GOOD),
            ("no encryption", TLS12, &[0x0001, 0x0002, 0x003b, 0xc006, 0xc010]),
            ("no certificate", TLS12, &[0x0018, 0x0034, 0x006c, 0xc018, 0xc019]),
            ("export", TLS12, &[0x0003, 0x0006, 0x0008, 0x000b, 0x0014]),
            ("RC4, DES and 3DES", TLS12, &[0x0005, 0x0009, 0x000a, 0xc007, 0xc008]),
        ] {
            let (kind, alert) = answer_to(&server, &hello_with(version, suites));
            // A fatal one: of the handshake, of the version, or that it offers too little security.
            assert_eq!((kind, alert[0]), (0x15, 2), "{what}");
            assert!([40, 70, 71].contains(&alert[1]), "{what}: alert {}", alert[1]);
        }
        let mut peer = Peer::connect(server.process.address(), &server.certificates.client(None));
        peer.round_trip();
    });
}
