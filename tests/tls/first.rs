//! Handshake before INFO.

use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use super::Programs;
use super::peer::{Peer, dial, plain_info, rest};

#[test]
fn info_comes_after_the_handshake() {
    Programs::Both.check_with("handshake_first: true", |server| {
        let config = server.certificates.client(None);
        let mut peer = Peer::shake(dial(server.process.address()), &config, "localhost").expect("a handshake");
        let info = peer.line();
        assert!(info.starts_with("INFO {") && info.contains("\"tls_required\":true"), "{info}");
        peer.send("CONNECT {\"verbose\":false}\r\n");
        peer.round_trip();
    });
}

#[test]
fn a_client_that_waits_for_info_in_vain_is_disconnected() {
    Programs::Both.check_with("handshake_first: true, timeout: 0.3", |server| {
        assert_eq!(rest(dial(server.process.address())), b"");
        server.process.wait_log("Client connection closed: TLS Handshake Failure");
    });
}

#[test]
fn with_a_delay_either_may_begin() {
    for (first, delay) in [("auto", 50), ("'300ms'", 300)] {
        Programs::Both.check_with(&format!("handshake_first: {first}"), |server| {
            let config = server.certificates.client(None);
            let mut peer = Peer::shake(dial(server.process.address()), &config, "localhost").expect("a handshake");
            assert!(peer.line().starts_with("INFO {"));
            peer.send("CONNECT {\"verbose\":false}\r\n");
            peer.round_trip();

            let start = Instant::now();
            let mut stream = dial(server.process.address());
            let info = plain_info(&mut stream);
            assert!(start.elapsed() >= Duration::from_millis(delay), "{:?}", start.elapsed());
            assert!(info.contains("\"tls_required\":true"), "{info}");
            let mut peer = Peer::shake(stream, &config, "localhost").expect("a handshake");
            peer.send("CONNECT {\"verbose\":false}\r\n");
            peer.round_trip();
        });
    }
}

#[test]
fn nothing_is_said_before_the_delay_is_over() {
    Programs::Both.check_with("handshake_first: '1s'", |server| {
        let mut stream = dial(server.process.address());
        stream.set_read_timeout(Some(Duration::from_millis(300))).expect("a deadline");
        let silence = stream.read(&mut [0]).expect_err("silence");
        assert_eq!(silence.kind(), ErrorKind::WouldBlock);
    });
}
