//! What goes through once the keys are there.

use std::io::Read;
use std::time::Duration;

use rustls::version::{TLS12, TLS13};

use super::Programs;
use super::peer::Peer;

/// Bytes that repeat so late that a shift of any record shows.
fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

#[test]
fn messages_of_every_size_pass_unchanged() {
    Programs::Both.check_with("", |server| {
        for version in [&TLS13, &TLS12] {
            let config = server.certificates.client_of(None, &[version]);
            let mut subscriber = Peer::connect(server.process.address(), &config);
            subscriber.send("SUB big 1\r\n");
            subscriber.round_trip();
            let mut publisher = Peer::connect(server.process.address(), &config);
            for len in [0, 1, 100, 4096, 16_350, 16_384, 16_400, 65_536, 200_000, 1_048_576] {
                publisher.publish("big", &bytes(len));
                subscriber.expect_message("big", &bytes(len));
            }
            for byte in b"PUB big 5\r\nhello\r\nPING\r\n" {
                publisher.send([*byte]);
            }
            assert_eq!(publisher.line(), "PONG");
            subscriber.expect_message("big", b"hello");
        }
    });
}

#[test]
fn a_reader_that_is_slow_gets_all() {
    const MESSAGES: usize = 200;
    const LEN: usize = 100_000;
    Programs::Both.check_with("", |server| {
        let config = server.certificates.client(None);
        let mut subscriber = Peer::connect(server.process.address(), &config);
        subscriber.send("SUB flow 1\r\n");
        subscriber.round_trip();
        let address = server.process.address();
        let publisher = std::thread::spawn(move || {
            let mut publisher = Peer::connect(address, &config);
            let payload = bytes(LEN);
            (0..MESSAGES).for_each(|_| publisher.publish("flow", &payload));
            publisher.round_trip();
        });
        // Until much waits for it.
        std::thread::sleep(Duration::from_millis(300));
        for _ in 0..MESSAGES {
            subscriber.expect_message("flow", &bytes(LEN));
        }
        publisher.join().expect("all was published");
        subscriber.round_trip();
    });
}

#[test]
fn errors_are_read_before_an_announced_end() {
    Programs::Both.check_with("", |server| {
        let mut peer = Peer::connect(server.process.address(), &server.certificates.client(None));
        peer.send("FOO\r\n");
        assert_eq!(peer.rest_in_order(), b"-ERR 'Unknown Protocol Operation'\r\n");
    });
}

#[test]
fn an_announced_end_of_the_client_is_one() {
    Programs::Both.check_with("", |server| {
        let mut peer = Peer::connect(server.process.address(), &server.certificates.client(None));
        peer.say_end();
        server.process.wait_log("Client connection closed: Client Closed");
        let mut nothing = Vec::new();
        _ = peer.read_to_end(&mut nothing);
        assert_eq!(nothing, b"");
    });
}

#[test]
fn the_end_of_the_server_is_announced() {
    Programs::Both.check_with("", |server| {
        let peer = Peer::connect(server.process.address(), &server.certificates.client(None));
        server.process.signal("TERM");
        assert_eq!(peer.rest_in_order(), b"");
    });
}

#[test]
fn a_frozen_reader_is_cut_off_and_costs_no_more_than_its_limit() {
    const LIMIT: usize = 4 << 20;
    Programs::Midge.check(
        "",
        &format!("max_pending: {LIMIT}\nwrite_deadline: '1s'"),
        |_| {},
        |server| {
            let config = server.certificates.client(None);
            let mut frozen = Peer::connect(server.process.address(), &config);
            frozen.send("SUB flood 1\r\n");
            frozen.round_trip();
            let before = server.process.memory();
            let mut publisher = Peer::connect(server.process.address(), &config);
            let payload = bytes(100_000);
            (0..300).for_each(|_| publisher.publish("flood", &payload));
            publisher.round_trip();
            server.process.wait_log("Slow Consumer Detected");
            assert!(server.process.memory_peak() < before + 3 * LIMIT, "{}", server.process.memory_peak());
        },
    );
}
