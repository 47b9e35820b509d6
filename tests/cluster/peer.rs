//! Another server's end of a route, written and read by hand.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::client::{DEADLINE, unique};

/// A route.
#[derive(Debug)]
pub struct RoutePeer {
    reader: BufReader<TcpStream>,
}

impl RoutePeer {
    /// Connects, and reads the INFO.
    pub fn dial(address: SocketAddr) -> RoutePeer {
        let mut peer = Self::dial_silently(address);
        let line = peer.any_line().expect("INFO");
        let document = line.strip_prefix("INFO ").expect("INFO");
        let info: Value = serde_json::from_str(document).expect("JSON");
        assert_eq!(info["cluster"], "C1");
        peer
    }

    /// Connects.
    pub fn dial_silently(address: SocketAddr) -> RoutePeer {
        let stream = TcpStream::connect_timeout(&address, DEADLINE).expect("the server takes routes");
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        stream.set_write_timeout(Some(DEADLINE)).expect("a deadline");
        RoutePeer { reader: BufReader::with_capacity(64 * 1024, stream) }
    }

    /// Becomes a peer of a name of its own.
    pub fn join(address: SocketAddr) -> RoutePeer {
        Self::join_as(address, &format!("peer{}", unique()))
    }

    /// Becomes a peer of this name, which is its id, too.
    pub fn join_as(address: SocketAddr, name: &str) -> RoutePeer {
        let mut peer = Self::dial(address);
        peer.send(format!(
            "CONNECT {{\"cluster\":\"C1\",\"name\":\"{name}\"}}\r\n\
             INFO {{\"server_id\":\"{name}\",\"server_name\":\"{name}\",\"host\":\"127.0.0.1\",\"port\":1,\"cluster\":\"C1\",\
             \"headers\":true,\"lnoc\":true,\"lnocu\":true,\"ln\":true,\"proto\":2,\"gossip_mode\":1}}\r\n"
        ));
        peer.flush();
        peer
    }

    /// Sends all of it.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.reader.get_ref().write_all(bytes.as_ref()).expect("the server reads");
    }

    /// Sends what the server takes. It may close at any byte.
    pub fn send_anyhow(&mut self, bytes: &[u8]) {
        // How the connection ended, the reading side finds out.
        let _ = self.reader.get_ref().write_all(bytes);
    }

    /// Another handle on the connection, to write while this one reads.
    pub fn writer(&self) -> TcpStream {
        self.reader.get_ref().try_clone().expect("a descriptor")
    }

    /// Waits until the server has done all that was sent. What it said of interest meanwhile is dropped.
    pub fn flush(&mut self) {
        self.send("PING\r\n");
        while self.line() != "PONG" {}
    }

    /// The next line but INFO; PINGs are answered.
    pub fn line(&mut self) -> String {
        loop {
            let line = self.any_line().expect("the connection has ended");
            match &line[..] {
                "PING" => self.send("PONG\r\n"),
                line if line.starts_with("INFO ") => {}
                _ => return line,
            }
        }
    }

    /// All lines up to the end, which must come.
    pub fn rest(mut self) -> Vec<String> {
        std::iter::from_fn(|| self.any_line()).collect()
    }

    fn any_line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => None,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no line before the deadline: {error}"),
            Ok(_) => Some(line.trim_end().to_owned()),
        }
    }
}
