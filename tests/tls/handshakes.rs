//! Who gets in, and what is logged of those who do not.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};

use super::Programs;
use super::peer::{Peer, dial, plain_info, rest};
use super::support::certificates::dns;

#[test]
fn both_versions_are_spoken_and_logged() {
    Programs::Both.check_with("", |server| {
        for (version, words) in
            [(&TLS13, "TLS version 1.3, cipher suite TLS_"), (&TLS12, "TLS version 1.2, cipher suite TLS_ECDHE_")]
        {
            let config = server.certificates.client_of(None, &[version]);
            let mut peer = Peer::connect(server.process.address(), &config);
            assert_eq!(peer.tls().protocol_version(), Some(version.version));
            peer.round_trip();
            server.process.wait_log(words);
        }
        server.process.wait_log("[INF] TLS required for client connections");
        server.process.wait_log("cid:");
        server.process.wait_log(" - Starting TLS client connection handshake");
        server.process.wait_log(" - TLS handshake complete");
    });
}

#[test]
fn old_clients_can_be_kept_out() {
    Programs::Both.check_with("min_version: '1.3'", |server| {
        let (new, old) = ([&TLS13], [&TLS12]);
        Peer::connect(server.process.address(), &server.certificates.client_of(None, &new)).round_trip();
        assert!(Peer::secure(server.process.address(), &server.certificates.client_of(None, &old)).is_err());
        server.process.wait_log("[ERR]");
        server.process.wait_log("TLS handshake error: tls: client offered only unsupported versions");
    });
}

#[test]
fn suites_and_curves_are_those_configured() {
    let keys = "cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384], curve_preferences: [CurveP256]";
    Programs::Both.check_with(keys, |server| {
        let peer = Peer::connect(server.process.address(), &server.certificates.client_of(None, &[&TLS12]));
        let suite = peer.tls().negotiated_cipher_suite().expect("a suite").suite();
        assert_eq!(suite, rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384);
        let peer = Peer::connect(server.process.address(), &server.certificates.client(None));
        let group = peer.tls().negotiated_key_exchange_group().expect("a curve").name();
        assert_eq!(group, rustls::NamedGroup::secp256r1);
    });
}

#[test]
fn who_speaks_something_else_is_disconnected_without_a_word() {
    Programs::Both.check_with("", |server| {
        let mut stream = dial(server.process.address());
        plain_info(&mut stream);
        stream.write_all(b"CONNECT {}\r\nPING\r\n").expect("a write");
        assert_eq!(rest(stream), b"");
        server.process.wait_log("[DBG]");
        server.process.wait_log("TLS handshake error: tls: first record does not look like a TLS handshake");
        server.process.wait_log("Client connection closed: TLS Handshake Failure");
    });
}

#[test]
fn who_says_nothing_is_disconnected_when_the_time_is_over() {
    Programs::Both.check_with("timeout: 0.3", |server| {
        let start = Instant::now();
        let mut stream = dial(server.process.address());
        plain_info(&mut stream);
        assert_eq!(rest(stream), b"");
        assert!(start.elapsed() >= Duration::from_millis(300));
        server.process.wait_log("i/o timeout");
        server.process.wait_log("Client connection closed: TLS Handshake Failure");
    });
}

#[test]
fn who_goes_away_within_the_handshake_is_logged() {
    Programs::Both.check_with("", |server| {
        let mut stream = dial(server.process.address());
        plain_info(&mut stream);
        drop(stream);
        server.process.wait_log("TLS handshake error: EOF");
        let mut stream = dial(server.process.address());
        plain_info(&mut stream);
        stream.write_all(b"\x16\x03\x01\x01").expect("a write");
        drop(stream);
        server.process.wait_log("TLS handshake error: unexpected EOF");
    });
}

#[test]
fn a_client_that_does_not_trust_the_server_is_logged() {
    Programs::Midge.check_with("", |server| {
        let others = super::Certificates::new();
        assert!(Peer::secure(server.process.address(), &others.client(None)).is_err());
        server.process.wait_log("TLS handshake error: remote error: tls: ");
    });
}

#[test]
fn a_session_is_resumed() {
    Programs::Both.check_with("", |server| {
        for version in [&TLS13, &TLS12] {
            let config = server.certificates.client_of(None, &[version]);
            let kinds = [(); 3].map(|()| {
                let mut peer = Peer::connect(server.process.address(), &config);
                // The ticket comes behind the handshake.
                peer.round_trip();
                peer.tls().handshake_kind()
            });
            assert_eq!(kinds, [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed), Some(HandshakeKind::Resumed)]);
        }
    });
}

#[test]
fn the_certificate_is_the_one_for_the_name() {
    let keys = "certs: [{cert_file: 'CERTS/server.pem', key_file: 'CERTS/server.key'}, \
                {cert_file: 'CERTS/b.pem', key_file: 'CERTS/b.key'}]";
    let prepare = |certificates: &super::Certificates| certificates.issue("b", &[], &[dns("b.test"), dns("*.c.test")]);
    Programs::Both.check(keys, "", prepare, |server| {
        let config = server.certificates.client(None);
        for name in ["localhost", "b.test", "a.c.test"] {
            let mut stream = dial(server.process.address());
            plain_info(&mut stream);
            let mut peer = Peer::shake(stream, &config, name).expect("a certificate for the name");
            peer.send("CONNECT {\"verbose\":false}\r\n");
            peer.round_trip();
        }
        let mut stream = dial(server.process.address());
        plain_info(&mut stream);
        assert!(Peer::shake(stream, &config, "d.test").is_err());
    });
}

#[test]
fn clients_may_do_without_where_that_is_allowed() {
    Programs::Both.check(
        "",
        "allow_non_tls: true",
        |_| {},
        |server| {
            let mut stream = dial(server.process.address());
            let info = plain_info(&mut stream);
            assert!(info.contains("\"tls_available\":true") && !info.contains("tls_required"), "{info}");
            stream.write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n").expect("a write");
            let mut pong = [0; 6];
            stream.read_exact(&mut pong).expect("an answer");
            assert_eq!(&pong, b"PONG\r\n");
            Peer::connect(server.process.address(), &server.certificates.client(None)).round_trip();
            server.process.wait_log("[INF] TLS available for client connections");
        },
    );
}

#[test]
fn more_connections_than_allowed_in_a_second_are_told_to_wait() {
    Programs::Both.check_with("connection_rate_limit: 2", |server| {
        let mut throttled = 0;
        for _ in 0..4 {
            let mut stream = dial(server.process.address());
            let info = plain_info(&mut stream);
            assert!(info.contains("tls_required"));
            stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a deadline");
            let mut line = [0; 256];
            // Who was admitted hears nothing before it begins.
            if let Ok(bytes) = stream.read(&mut line) {
                let line = String::from_utf8_lossy(&line[..bytes]).into_owned();
                assert_eq!(line, "-ERR 'Connection throttling is active. Please try again later.'\r\n");
                throttled += 1;
            }
        }
        assert!(throttled >= 1, "all were admitted");
        server.process.wait_log("Client connection closed: Maximum Connections Exceeded");
    });
}
