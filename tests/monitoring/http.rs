//! A small HTTP client, and servers with monitoring to use it on.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::process::Process;

/// How long anything may take; only ever waited for by a failing test.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// An answer.
#[derive(Debug)]
pub struct Response {
    /// The code of the first line.
    pub status: u16,
    /// First line and headers.
    pub head: String,
    /// What follows.
    pub body: Vec<u8>,
}

impl Response {
    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let of = |line: &'_ str| line.split_once(": ").is_some_and(|(known, _)| known.eq_ignore_ascii_case(name));
        self.head.lines().find(|line| of(line)).and_then(|line| line.split_once(": ")).map(|(_, value)| value)
    }
}

/// A server with monitoring.
#[derive(Debug)]
pub struct Monitored {
    pub process: Process,
    pub http: SocketAddr,
}

impl Monitored {
    /// midge with these arguments more.
    pub fn start(args: &[&str]) -> Self {
        Self::of(Process::start(&[&["-m", "-1"], args].concat()))
    }

    /// midge with so many workers.
    pub fn with_workers(workers: usize) -> Self {
        Self::start(&["--workers", &workers.to_string()])
    }

    /// A server that logged where its monitoring is.
    pub fn of(process: Process) -> Self {
        let log = process.log();
        let line = log.lines().find_map(|line| line.split_once(" monitor on "));
        let http = line.expect("it says where").1.parse().expect("an address");
        Self { process, http }
    }

    /// Asks for a document.
    pub fn get(&self, target: &str) -> Response {
        get(self.http, target)
    }

    /// Asks for a document that is JSON.
    pub fn json(&self, target: &str) -> Value {
        let response = self.get(target);
        assert_eq!(response.status, 200, "{target}: {response:?}");
        serde_json::from_slice(&response.body).unwrap_or_else(|error| panic!("{target}: {error}: {}", response.text()))
    }

    /// Asks again and again until the document is as wanted.
    pub fn wait_json(&self, target: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let document = self.json(target);
            if wanted(&document) {
                return document;
            }
            assert!(Instant::now() < deadline, "{target} stays {document:#}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// One request on a connection of its own.
pub fn get(address: SocketAddr, target: &str) -> Response {
    ask(connect(address), &format!("GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))
}

/// A connection with deadlines.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, DEADLINE).expect("monitoring takes connections");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    stream.set_write_timeout(Some(DEADLINE)).expect("a deadline");
    stream
}

/// Sends a request and reads the answer up to the end of the connection.
pub fn ask(mut stream: impl Read + Write, request: &str) -> Response {
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap_or_else(|error| panic!("{error} behind {request:?}"));
    response(&bytes)
}

/// An answer that is there whole, with its body in one piece or in chunks.
pub fn response(bytes: &[u8]) -> Response {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or_else(|| {
        panic!("no head in {:?}", String::from_utf8_lossy(bytes));
    });
    let head = String::from_utf8(bytes[..end].to_vec()).expect("text");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let mut body = bytes[end + 4..].to_vec();
    if head.to_lowercase().contains("transfer-encoding: chunked") {
        body = unchunked(&body);
    }
    Response { status, head, body }
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n").expect("a chunk");
        let size = std::str::from_utf8(&rest[..end]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.expect("its size");
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[end + 2..][..size]);
        rest = &rest[end + 2 + size + 2..];
    }
}
