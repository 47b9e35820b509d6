//! One connection of a transcript, a client's or another server's: writes pieces, and waits for exactly the bytes that are due.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::script::Document;
use super::text::show;

/// How long anything may take. Long enough for a loaded machine, and only ever waited for by a failing test.
const DEADLINE: Duration = Duration::from_secs(8);

/// The server's own PING, which may come at any time about two seconds after CONNECT.
const PING: &[u8] = b"PING\r\n";

/// What was wanted and what was there instead.
#[derive(Debug)]
pub struct Mismatch {
    /// What the transcript wants.
    pub expected: String,
    /// What the connection had to show at that point.
    pub got: String,
}

/// How a connection behaves throughout a case.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// The payload limit that INFO must state, in bytes.
    pub max_payload: usize,
    /// True when a server's PING is a step of the transcript rather than noise.
    pub pings_stated: bool,
    /// True when the server may ask clients who they are.
    pub may_ask: bool,
    /// True when a reset is as good as an orderly close.
    pub reset_allowed: bool,
    /// True for a server of a cluster.
    pub is_clustered: bool,
}

/// Who the other side takes the connection for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A client.
    Client,
    /// Another server of the cluster.
    Route,
}

/// A connection, and what it received and nobody asked for yet.
#[derive(Debug)]
pub struct Peer {
    stream: TcpStream,
    received: Vec<u8>,
    end: Option<ErrorKind>,
    manners: Manners,
    role: Role,
    opened: Instant,
    port: u16,
    client_id: u64,
    /// A connect_info INFO may follow the PONG of a check's own PING.
    info_may_come: bool,
}

impl Peer {
    /// Connects and reads the first INFO, which must meet the conditions.
    pub fn open(address: SocketAddr, role: Role, manners: Manners, conditions: &Document) -> Result<Peer, Mismatch> {
        let refused = |error: std::io::Error| Mismatch { expected: "a connection".to_string(), got: error.to_string() };
        let stream = TcpStream::connect_timeout(&address, DEADLINE).map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        stream.set_write_timeout(Some(DEADLINE)).map_err(refused)?;
        let mut peer = Peer {
            stream,
            received: Vec::new(),
            end: None,
            manners,
            role,
            opened: Instant::now(),
            port: address.port(),
            client_id: 0,
            info_may_come: false,
        };
        let mut first = conditions.clone();
        let absent = ["connect_info", "remote_account", "ldm", "acc_is_sys"];
        first.absent.extend(absent.map(str::to_string));
        peer.expect_info(&first)?;
        Ok(peer)
    }

    /// When the connection was made.
    pub fn opened(&self) -> Instant {
        self.opened
    }

    /// Writes in one go. A server that closed already makes this a no-op: what it sent tells the story.
    pub fn write(&mut self, bytes: &[u8]) {
        if self.stream.write_all(bytes).is_err() {
            // The reading side reports how the connection ended.
        }
    }

    /// Closes the sending half.
    pub fn shut(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Waits until exactly `wanted` came next, and takes it.
    pub fn expect(&mut self, wanted: &[u8]) -> Result<(), Mismatch> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let noise_pending = self.skip_noise(wanted);
            let common = wanted.len().min(self.received.len());
            let so_far_right = self.received[..common] == wanted[..common];
            if so_far_right && common == wanted.len() {
                self.received.drain(..common);
                return Ok(());
            }
            let undecided = so_far_right || noise_pending;
            if !undecided || !self.fill(deadline) {
                return Err(self.mismatch(show(wanted)));
            }
        }
    }

    /// Waits for an INFO line, which must meet the conditions and those that hold for every INFO, and takes it.
    pub fn expect_info(&mut self, conditions: &Document) -> Result<(), Mismatch> {
        self.info_may_come = false;
        let is_route = self.role == Role::Route;
        let line = self.take_info_line()?;
        let document = line
            .strip_prefix(b"INFO ")
            // The blank is for clients that split lines at blanks; between servers it makes no difference.
            .and_then(|rest| rest.strip_suffix(b" \r\n").or(rest.strip_suffix(b"\r\n").filter(|_| is_route)))
            .and_then(|json| serde_json::from_slice(json).ok());
        let complaint = match &document {
            None => Some("INFO {json} \\r\\n".to_string()),
            Some(document) => self.complaint(document, conditions),
        };
        if let Some(expected) = complaint {
            let got = show(&line);
            return Err(Mismatch { expected, got });
        }
        Ok(())
    }

    /// Sends PING: PONG must be the very next thing.
    pub fn expect_open(&mut self) -> Result<(), Mismatch> {
        self.write(PING);
        self.expect(b"PONG\r\n")?;
        self.info_may_come = true;
        Ok(())
    }

    /// Sends PING and takes all that comes before PONG.
    pub fn take_until_pong(&mut self) -> Result<Vec<u8>, Mismatch> {
        self.write(PING);
        let deadline = Instant::now() + DEADLINE;
        let pong = b"PONG\r\n";
        loop {
            self.skip_noise(pong);
            let found = self.received.windows(pong.len()).position(|window| window == pong);
            if let Some(at) = found {
                let before = self.received.drain(..at).collect();
                self.received.drain(..pong.len());
                self.info_may_come = true;
                return Ok(before);
            }
            if !self.fill(deadline) {
                return Err(self.mismatch("... PONG".to_string()));
            }
        }
    }

    /// Tries the items in any order until each was taken once.
    pub fn expect_any_order(&mut self, items: &[Vec<u8>]) -> Result<(), Mismatch> {
        let deadline = Instant::now() + DEADLINE;
        let mut missing: Vec<&Vec<u8>> = items.iter().collect();
        // Longest first: an item may be the beginning of another one.
        missing.sort_by_key(|item| std::cmp::Reverse(item.len()));
        while !missing.is_empty() {
            let noise_pending = self.skip_noise(b"");
            let found = missing.iter().position(|item| self.received.starts_with(item));
            if let Some(index) = found {
                self.received.drain(..missing.remove(index).len());
                continue;
            }
            let undecided = missing.iter().any(|item| item.starts_with(&self.received));
            if !(undecided || noise_pending) || !self.fill(deadline) {
                let left: Vec<String> = missing.iter().map(|item| show(item)).collect();
                return Err(self.mismatch(format!("any of\n        {}", left.join("\n        "))));
            }
        }
        Ok(())
    }

    /// Waits for the server to close; nothing may come before that.
    pub fn expect_closed(&mut self) -> Result<(), Mismatch> {
        let deadline = Instant::now() + DEADLINE;
        while self.fill(deadline) {}
        self.skip_noise(b"");
        let orderly = match self.end {
            Some(ErrorKind::UnexpectedEof) => true,
            Some(_) => self.manners.reset_allowed,
            None => false,
        };
        if orderly && self.received.is_empty() {
            return Ok(());
        }
        Err(self.mismatch("(the server closes)".to_string()))
    }

    /// Removes from the front what may come at any time: the server's PING, unless it is a step or what is wanted, and
    /// the INFO that answers a PING of our own. True while the front may yet turn out to be one of these.
    fn skip_noise(&mut self, wanted: &[u8]) -> bool {
        loop {
            let ping = !self.manners.pings_stated && !wanted.starts_with(PING);
            let info = self.info_may_come && !wanted.starts_with(b"INFO");
            let complete = self.received.iter().position(|&byte| byte == b'\n');
            match complete.map(|end| end + 1) {
                Some(len) if ping && self.received[..len] == *PING => {
                    self.received.drain(..len);
                }
                Some(len) if info && self.received.starts_with(b"INFO {") => {
                    self.received.drain(..len);
                    self.info_may_come = false;
                }
                Some(_) => return false,
                None => {
                    let may_be = |noise: &[u8]| {
                        let common = noise.len().min(self.received.len());
                        self.received[..common] == noise[..common]
                    };
                    return ping && may_be(PING) || info && may_be(b"INFO {");
                }
            }
        }
    }

    /// Reads once. False when there is nothing more to read before the deadline.
    fn fill(&mut self, deadline: Instant) -> bool {
        if self.end.is_some() {
            return false;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || self.stream.set_read_timeout(Some(left)).is_err() {
            return false;
        }
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => self.end = Some(ErrorKind::UnexpectedEof),
            Ok(count) => self.received.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if is_timeout(error.kind()) => return false,
            Err(error) => self.end = Some(error.kind()),
        }
        self.end.is_none()
    }

    /// Takes the next line, which must begin like INFO.
    fn take_info_line(&mut self) -> Result<Vec<u8>, Mismatch> {
        let deadline = Instant::now() + DEADLINE;
        let start = b"INFO {";
        loop {
            let noise_pending = self.skip_noise(start);
            let common = start.len().min(self.received.len());
            let right = self.received[..common] == start[..common];
            let end = self.received.iter().position(|&byte| byte == b'\n');
            if let (true, Some(end)) = (right, end) {
                return Ok(self.received.drain(..=end).collect());
            }
            let undecided = right || noise_pending;
            if !undecided || !self.fill(deadline) {
                return Err(self.mismatch("INFO{...}".to_string()));
            }
        }
    }

    /// What is wrong with an INFO document, if anything.
    fn complaint(&mut self, document: &serde_json::Value, conditions: &Document) -> Option<String> {
        let id = document["client_id"].as_u64().unwrap_or(0);
        if self.client_id == 0 {
            self.client_id = id;
        }
        let text = |key: &str| document[key].as_str().unwrap_or_default();
        let of_client = self.role == Role::Client;
        let always = [
            ("server_id not empty", !text("server_id").is_empty()),
            ("server_name not empty", !text("server_name").is_empty()),
            ("version 2.x.y", is_version_two(text("version"))),
            ("go, a string", document["go"].is_string()),
            ("host 127.0.0.1", text("host") == "127.0.0.1"),
            ("port, the real one", document["port"] == self.port),
            ("proto 1, or more on a route", document["proto"] == 1 || !of_client),
            ("headers true", document["headers"] == true),
            ("max_payload", document["max_payload"] == self.manners.max_payload),
            ("client_id, one for good", (id > 0) == of_client && id == self.client_id),
            ("client_ip 127.0.0.1", text("client_ip") == "127.0.0.1" || !of_client),
        ];
        let asking = ["auth_required", "nonce"].into_iter().filter(|_| !self.manners.may_ask);
        let alone = ["cluster", "connect_urls"].into_iter().filter(|_| !self.manners.is_clustered);
        let never = ["tls_required", "tls_available", "tls_verify", "jetstream", "ip"];
        let never = asking.chain(alone).chain(never);
        let mut absent = never.chain(conditions.absent.iter().map(String::as_str));
        if let Some((rule, _)) = always.iter().find(|(_, holds)| !holds) {
            return Some(format!("INFO with {rule}"));
        }
        if let Some(key) = absent.find(|key| document.get(key).is_some()) {
            return Some(format!("INFO without {key}"));
        }
        let met = |(key, value): &&(String, Option<serde_json::Value>)| match value {
            Some(value) => document.get(key) == Some(value),
            None => document.get(key).is_some(),
        };
        let unmet = conditions.present.iter().find(|condition| !met(condition));
        unmet.map(|(key, value)| match value {
            Some(value) => format!("INFO with {key} = {value}"),
            None => format!("INFO with {key}"),
        })
    }

    /// What was expected against everything that is there, or how the connection ended.
    fn mismatch(&self, expected: String) -> Mismatch {
        let end = match self.end {
            None => "",
            Some(ErrorKind::UnexpectedEof) => "\n        (closed)",
            Some(_) => "\n        (reset)",
        };
        let got = format!("{}{end}", show(&self.received));
        Mismatch { expected, got }
    }
}

/// True for the kinds of error that a read timeout shows as.
fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// True for a version that clients take for a server of major version 2.
fn is_version_two(version: &str) -> bool {
    let core = version.split('-').next().unwrap_or_default();
    let parts: Vec<Option<u32>> = core.split('.').map(|part| part.parse().ok()).collect();
    matches!(parts[..], [Some(2), Some(_), Some(_)])
}
