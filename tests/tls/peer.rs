//! A client with TLS, written and read by hand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// How long anything may take. Only ever waited for by a failing test.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A connection with TLS.
pub struct Peer {
    reader: BufReader<StreamOwned<ClientConnection, TcpStream>>,
}

/// A plain connection to the server.
pub fn dial(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server takes connections");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    stream.set_write_timeout(Some(DEADLINE)).expect("a deadline");
    stream
}

/// Reads the first line of the server in plain text, and no byte more.
pub fn plain_info(stream: &mut TcpStream) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a whole line");
        line.push(byte[0]);
    }
    let line = String::from_utf8(line).expect("text");
    assert!(line.starts_with("INFO {"), "INFO expected, not {line:?}");
    line
}

/// What comes until the end. A reset is an end too.
pub fn rest(mut stream: impl Read) -> Vec<u8> {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
            panic!("not closed")
        }
        _ => rest,
    }
}

impl Peer {
    /// Reads INFO, shakes hands, and says CONNECT.
    pub fn connect(address: SocketAddr, config: &Arc<ClientConfig>) -> Peer {
        let mut peer = Self::secure(address, config).expect("a handshake");
        peer.send("CONNECT {\"verbose\":false}\r\n");
        peer.round_trip();
        peer
    }

    /// Reads INFO and shakes hands, if the server does.
    pub fn secure(address: SocketAddr, config: &Arc<ClientConfig>) -> std::io::Result<Peer> {
        let mut stream = dial(address);
        let info = plain_info(&mut stream);
        assert!(info.contains("\"tls_required\":true") || info.contains("\"tls_available\":true"), "{info}");
        Self::shake(stream, config, "localhost")
    }

    /// Shakes hands with the server of this name, and reads as far as that the server has agreed.
    pub fn shake(stream: TcpStream, config: &Arc<ClientConfig>, name: &str) -> std::io::Result<Peer> {
        let name = name.to_owned().try_into().expect("a host name");
        let connection = ClientConnection::new(Arc::clone(config), name).expect("a client");
        let mut stream = StreamOwned::new(connection, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Peer { reader: BufReader::new(stream) })
    }

    /// What is known of the TLS connection.
    pub fn tls(&self) -> &ClientConnection {
        &self.reader.get_ref().conn
    }

    /// The socket below.
    pub fn socket(&self) -> &TcpStream {
        &self.reader.get_ref().sock
    }

    /// Sends all of it.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let stream = self.reader.get_mut();
        stream.write_all(bytes.as_ref()).expect("the server reads");
        stream.flush().expect("the server reads");
    }

    /// Sends it to a server that may have closed. False if it surely has.
    pub fn send_anyhow(&mut self, bytes: &[u8]) -> bool {
        self.reader.get_mut().write_all(bytes).is_ok()
    }

    /// The next line without its end. PINGs of the server are answered and are no such lines.
    pub fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).expect("a line before the deadline");
            assert!(line.ends_with("\r\n"), "the connection ended with {line:?}");
            line.truncate(line.len() - 2);
            if line != "PING" {
                return line;
            }
            self.send("PONG\r\n");
        }
    }

    /// Sends a PING; what comes must be its PONG.
    pub fn round_trip(&mut self) {
        self.send("PING\r\n");
        assert_eq!(self.line(), "PONG");
    }

    /// Publishes.
    pub fn publish(&mut self, subject: &str, payload: &[u8]) {
        self.send([format!("PUB {subject} {}\r\n", payload.len()).as_bytes(), payload, b"\r\n"].concat());
    }

    /// Reads a message with this payload, which must be what comes next.
    pub fn expect_message(&mut self, subject: &str, payload: &[u8]) {
        assert_eq!(self.line(), format!("MSG {subject} 1 {}", payload.len()));
        let mut got = vec![0; payload.len() + 2];
        self.reader.read_exact(&mut got).expect("a payload before the deadline");
        assert!(&got[..payload.len()] == payload, "another payload of {} bytes", payload.len());
    }

    /// What comes until the end, which the server must announce in the way of TLS.
    pub fn rest_in_order(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.reader.read_to_end(&mut rest).expect("an announced end");
        rest
    }

    /// Ends the sending half, announced.
    pub fn say_end(&mut self) {
        let stream = self.reader.get_mut();
        stream.conn.send_close_notify();
        stream.conn.complete_io(&mut stream.sock).expect("the server reads");
    }
}

impl Read for Peer {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.reader.read(buffer)
    }
}
