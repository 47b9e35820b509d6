//! The lines of the log, one by one: as the official server writes them. Where `NATS_REF` names it, it must agree.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::peer::DEADLINE;
use super::support;
use super::support::process::Process;

/// The log of [`session`], with `*` for what differs from run to run.
const EXPECTED: &[&str] = &[
    "[INF] Starting nats-server",
    "[INF]   Version:  *",
    "[INF]   Git:      *",
    "[INF]   Name:     *",
    "[INF]   ID:       *",
    "[INF] Listening for client connections on *",
    "[INF] Server is ready",
    "[DBG] * - cid:* - Client connection created",
    "[TRC] * - cid:* - <<- [CONNECT {\"verbose\":false, \"pass\" : \"[REDACTED]\",\"sig\":\"[REDACTED]\",\
        \"lang\":\"go\",\"version\":\"1.2\",\"name\":\"app\",\"headers\":true}]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - <<- [PING]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - ->> [PONG]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - <<- [SUB foo 1]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - <<- [SUB bar q 2]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - <<- [PUB foo 5]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - <<- MSG_PAYLOAD: [\"hello\"]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - ->> [MSG foo 1 5]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - ->> MSG_PAYLOAD: [\"hello\"]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - <<- [PUB foo rep.ly 13]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - <<- MSG_PAYLOAD: [\"\\x00\\x01\\\"\\nlonger h...\"]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - ->> [MSG foo 1 rep.ly 13]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - ->> MSG_PAYLOAD: [\"\\x00\\x01\\\"\\nlonger h...\"]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - <<- [PUB foo 0]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - ->> [MSG foo 1 0]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - <<- [HPUB bar rep 12 12]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - <<- MSG_PAYLOAD: [\"NATS/1.0\\r\\n\\r\\n\"]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - ->> [HMSG bar 2 rep 12 12]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - ->> MSG_PAYLOAD: [\"NATS/1.0\\r\\n\\r\\n\"]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - <<- [UNSUB 2 2]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - <<- [PUB bar 1]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - <<- MSG_PAYLOAD: [\"x\"]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - ->> [MSG bar 2 1]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - ->> MSG_PAYLOAD: [\"x\"]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - <-> [DELSUB 2]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - <<- [UNSUB 9]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - <<- [SUB foo..bar 3]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - ->> [-ERR Invalid Subject]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - <<- [PUB fo\"o\\ 0]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - <<- [PING]",
    "[TRC] * - cid:* - \"v1.2:go:app\" - ->> [PONG]",
    "[DBG] * - cid:* - \"v1.2:go:app\" - Client connection closed: Client Closed",
    "[TRC] * - cid:* - \"v1.2:go:app\" - <-> [DELSUB 1]",
    "[DBG] * - cid:* - Client connection created",
    "[TRC] * - cid:* - <<- [CONNECT {\"verbose\":true}]",
    "[TRC] * - cid:* - ->> [OK]",
    "[TRC] * - cid:* - <<- [SUB a 1]",
    "[TRC] * - cid:* - ->> [OK]",
    "[TRC] * - cid:* - <<- [PUB a 1]",
    "[TRC] * - cid:* - <<- MSG_PAYLOAD: [\"x\"]",
    "[TRC] * - cid:* - ->> [OK]",
    "[TRC] * - cid:* - ->> [MSG a 1 1]",
    "[TRC] * - cid:* - ->> MSG_PAYLOAD: [\"x\"]",
    "[TRC] * - cid:* - <<- [UNSUB 1]",
    "[TRC] * - cid:* - ->> [OK]",
    "[TRC] * - cid:* - <-> [DELSUB 1]",
    "[TRC] * - cid:* - <<- [PING]",
    "[TRC] * - cid:* - ->> [PONG]",
    "[DBG] * - cid:* - Client connection closed: Client Closed",
    "[INF] Trapped \"user defined signal 1\" signal",
    "[INF] File log re-open ignored, not a file logger",
    "[INF] Trapped \"interrupt\" signal",
    "[INF] Initiating Shutdown...",
    "[INF] Server Exiting..",
];

/// Lines that only one of the two servers writes, those of the ping timer, and those that come a line sooner or later, by
/// a part of their text.
const LEFT_OUT: &[&str] = &[
    "[DBG]   Go build:",
    "[DBG] Created system account:",
    " - Auto-unsubscribe limit of 2 reached for sid '2'",
    "[DBG] SYSTEM - ",
    "[DBG] Client accept loop exiting..",
    "[INF]   Midge: ",
    "[DBG] Open files limit:",
    "[DBG] Memory budget:",
    " - Client Ping Timer",
    " - ->> [PING]",
];

/// Arguments of both servers.
const ARGS: &[&str] = &["-DV", "--max_traced_msg_len", "12"];

#[test]
fn midge_logs_as_stated() {
    check(&session(Process::start(ARGS)));
}

#[test]
fn the_official_server_logs_as_stated() {
    let Some(program) = support::reference_path() else {
        println!("NOT RUN: set NATS_REF to the path of an official nats-server");
        return;
    };
    check(&session(Process::start_program(&program, ARGS)));
}

fn check(log: &str) {
    assert_eq!(normal(log), EXPECTED, "{log}");
    for text in ["Auto-unsubscribe limit of 2 reached for sid '2'", "Client accept loop exiting.."] {
        assert_eq!(log.matches(text).count(), 1, "{text:?} in {log}");
    }
}

#[test]
fn no_secret_of_any_connect_is_logged() {
    let server = Process::start(&["-DV"]);
    let documents = [
        "{\"user\":\"u\",\"pass\":\"hunter2\",\"auth_token\":\"hunter2\",\"jwt\":\"hunter2\",\"nkey\":\"hunter2\"}",
        "{ \"PASS\" : \"hunter2\", \"p\\u0061ss\":\"a\\\"hunter2\" }",
        "{\"pass\":[\"hunter2\"],\"x\":{\"sig\":\"hunter2\"}}",
        "{\"pass\":\"hunter2\"",
        "{pass:hunter2}",
        "hunter2",
    ];
    for document in documents {
        // Some of these end the connection.
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(format!("CONNECT {document}\r\n").as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }
    server.signal("USR1");
    let log = server.wait_log("File log re-open ignored");
    assert_eq!(log.matches("<<- [CONNECT ").count(), documents.len(), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
}

/// Two clients one after the other, and the end. Returns the log.
fn session(mut server: Process) -> String {
    let connect = "CONNECT {\"verbose\":false, \"pass\" : \"p\",\"sig\":\"s\",\
        \"lang\":\"go\",\"version\":\"1.2\",\"name\":\"app\",\"headers\":true}\r\n";
    let operations = [
        "SUB foo 1\r\nSUB bar q 2\r\nPUB foo 5\r\nhello\r\nPUB foo rep.ly 13\r\n\0\u{1}\"\nlonger he\r\n",
        "PUB foo 0\r\n\r\nHPUB bar rep 12 12\r\nNATS/1.0\r\n\r\n\r\nUNSUB 2 2\r\nPUB bar 1\r\nx\r\nUNSUB 9\r\n",
        "SUB foo..bar 3\r\nPUB fo\"o\\ 0\r\n\r\n",
    ];
    talk(server.address(), &[connect, &operations.concat()]);
    server.wait_log("- <-> [DELSUB 1]");
    talk(server.address(), &["CONNECT {\"verbose\":true}\r\nSUB a 1\r\nPUB a 1\r\nx\r\nUNSUB 1\r\n"]);
    server.wait_log(" - Client connection closed: Client Closed\n[");
    server.signal("USR1");
    server.wait_log("File log re-open ignored");
    server.signal("INT");
    assert_eq!(server.wait_end().code(), Some(0));
    server.log()
}

/// Sends each part with a PING behind, reads up to its PONG, and ends the connection.
fn talk(address: SocketAddr, parts: &[&str]) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    for part in parts {
        stream.write_all(format!("{part}PING\r\n").as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"PONG\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.extend_from_slice(&byte);
        }
    }
}

/// The lines without process id and time, and `*` for what differs.
fn normal(log: &str) -> Vec<String> {
    let kept = log.lines().filter(|line| !LEFT_OUT.iter().any(|part| line.contains(part)));
    kept.map(|line| {
        let (_, line) = line.split_once(']').expect("a process id");
        // ` 2026/11/23 09:25:53.383160 `.
        let line = &line[28..];
        for start in
            ["  Version:  ", "  Git:      ", "  Name:     ", "  ID:       ", "Listening for client connections on "]
        {
            if line[6..].starts_with(start) {
                return format!("{}{start}*", &line[..6]);
            }
        }
        match line.split_once(" - cid:") {
            None => line.to_owned(),
            Some((before, after)) => {
                let rest = &after[after.find(' ').expect("more behind the cid")..];
                format!("{}* - cid:*{rest}", &before[..6])
            }
        }
    })
    .collect()
}
