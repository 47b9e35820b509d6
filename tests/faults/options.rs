//! Options that change what clients see, here and with the official server.

use std::fs;

use super::peer::Peer;
use super::scratch::Scratch;
use super::support;
use super::support::process::Process;

/// Runs a check with both servers, where the official one is to be had.
fn with_both(text: &str, check: fn(&Process)) {
    let folder = Scratch::new();
    let file = folder.path("file.conf");
    fs::write(&file, text).unwrap();
    let args = ["-c", &file];
    check(&Process::start(&args));
    match support::reference_path() {
        Some(program) => check(&Process::start_program(&program, &args)),
        None => println!("NOT RUN with the official server: set NATS_REF to its path"),
    }
}

#[test]
fn clients_are_told_the_advertised_address_as_by_the_official_server() {
    with_both("client_advertise: \"a.b:99\"", |server| {
        let info = Peer::dial(server.address()).info();
        assert!(info.contains("\"host\":\"a.b\",\"port\":99,"), "{info}");
    });
    with_both("client_advertise: a.b", |server| {
        let info = Peer::dial(server.address()).info();
        let expected = format!("\"host\":\"a.b\",\"port\":{},", server.address().port());
        assert!(info.contains(&expected), "{info}");
    });
}

#[test]
fn headers_can_be_switched_off_as_with_the_official_server() {
    with_both("no_header_support: true", |server| {
        let mut peer = Peer::dial(server.address());
        assert!(peer.info().contains("\"headers\":false,"));
        peer.send("CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB foo 1\r\nPUB foo 2\r\nhi\r\n");
        peer.expect_message("foo", b"hi");
        peer.send("HPUB foo 12 12\r\nNATS/1.0\r\n\r\n\r\nPING\r\n");
        assert_eq!(peer.rest(), b"");
        let mut peer = Peer::open(server.address());
        peer.send("CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\n");
        peer.expect_line("-ERR 'no responders requires headers support'");
    });
}

#[test]
fn of_messages_only_the_headers_are_traced_as_by_the_official_server() {
    with_both("trace_headers: true", |server| {
        let mut peer = Peer::open(server.address());
        peer.send("CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB foo 1\r\nPUB foo 5\r\nplain\r\n");
        peer.expect_message("foo", b"plain");
        peer.send("HPUB foo 17 21\r\nNATS/1.0\r\nA:b\r\n\r\nbody\r\n");
        for line in ["HMSG foo 1 17 21", "NATS/1.0", "A:b", "", "body"] {
            peer.expect_line(line);
        }
        let log = server.wait_log("->> [HMSG foo 1 17 21]");
        let payloads = r#"MSG_PAYLOAD: ["NATS/1.0\r\nA:b"]"#;
        server.wait_log_times(payloads, 2);
        assert!(log.contains("<<- [PUB foo 5]") && !log.contains("plain") && !log.contains("body"), "{log}");
    });
}
