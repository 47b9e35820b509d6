//! One client connection, written and read by hand.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

/// How long anything may take. Long enough for a loaded machine, and only ever waited for by a failing test.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A connection.
#[derive(Debug)]
pub struct Peer {
    reader: BufReader<TcpStream>,
}

/// A message as it came.
#[derive(Debug, PartialEq)]
pub struct Message {
    /// Its subject.
    pub subject: String,
    /// Its payload.
    pub payload: Vec<u8>,
}

impl Peer {
    /// Connects; nothing is read.
    pub fn dial(address: SocketAddr) -> Peer {
        Self::over(TcpStream::connect_timeout(&address, DEADLINE).expect("the server takes connections"))
    }

    /// Connects and reads the INFO.
    pub fn open(address: SocketAddr) -> Peer {
        let mut peer = Self::dial(address);
        peer.expect_info();
        peer
    }

    /// Connects and sends CONNECT without further wishes.
    pub fn connect(address: SocketAddr) -> Peer {
        Self::open(address).introduced()
    }

    /// The same with the protocol of clients that take an INFO at any time.
    pub fn connect_for_news(address: SocketAddr) -> Peer {
        let mut peer = Self::open(address);
        peer.send("CONNECT {\"verbose\":false,\"protocol\":1}\r\n");
        peer.round_trip();
        peer.expect_info();
        peer
    }

    /// The same as [`connect`](Self::connect) with a small buffer for what was not read yet, so that the server soon notices that nothing is.
    pub fn connect_narrow(address: SocketAddr) -> Peer {
        const BUFFER_BYTES: usize = 64 * 1024;
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(BUFFER_BYTES).expect("a size of a buffer");
        socket.connect(&address.into()).expect("the server takes connections");
        let mut peer = Self::over(socket.into());
        peer.expect_info();
        peer.introduced()
    }

    fn over(stream: TcpStream) -> Peer {
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        stream.set_write_timeout(Some(DEADLINE)).expect("a deadline");
        stream.set_nodelay(true).expect("no delay");
        Peer { reader: BufReader::with_capacity(1024, stream) }
    }

    fn introduced(mut self) -> Peer {
        self.send("CONNECT {\"verbose\":false}\r\n");
        self.round_trip();
        self
    }

    /// A larger buffer for much to read.
    pub fn buffered(self, bytes: usize) -> Peer {
        assert!(self.reader.buffer().is_empty());
        Peer { reader: BufReader::with_capacity(bytes, self.reader.into_inner()) }
    }

    /// Another handle on the connection, to write while this one reads.
    pub fn writer(&self) -> TcpStream {
        self.stream().try_clone().expect("a descriptor")
    }

    fn stream(&self) -> &TcpStream {
        self.reader.get_ref()
    }

    /// Sends all of it.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream().write_all(bytes.as_ref()).expect("the server reads");
    }

    /// Sends what the server takes. It may close at any byte.
    pub fn send_anyhow(&mut self, bytes: &[u8]) {
        // How the connection ended, the reading side finds out.
        let _ = self.stream().write_all(bytes);
    }

    /// Subscribes, and waits until that is in force.
    pub fn subscribe(&mut self, subject: &str) {
        self.send(format!("SUB {subject} 1\r\n"));
        self.round_trip();
    }

    /// Publishes.
    pub fn publish(&mut self, subject: &str, payload: &[u8]) {
        self.send([format!("PUB {subject} {}\r\n", payload.len()).as_bytes(), payload, b"\r\n"].concat());
    }

    /// Sends a PING; what comes must be its PONG.
    pub fn round_trip(&mut self) {
        self.send("PING\r\n");
        self.expect_line("PONG");
    }

    /// Reads an INFO, which must be what comes next.
    pub fn expect_info(&mut self) {
        self.info();
    }

    /// The same, for those who want to know what is in it.
    pub fn info(&mut self) -> String {
        let line = self.line();
        assert!(line.starts_with("INFO {"), "INFO expected, not {line:?}");
        line
    }

    /// Reads this line, which must be what comes next.
    pub fn expect_line(&mut self, wanted: &str) {
        let line = self.line();
        assert_eq!(line, wanted);
    }

    /// The next line, whatever it is.
    pub fn answer(&mut self) -> String {
        self.line()
    }

    /// The next line without its end. PINGs of the server are answered and are no such lines.
    fn line(&mut self) -> String {
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

    /// Reads a message without headers, which must be what comes next.
    pub fn message(&mut self) -> Message {
        let (op, message) = self.any_message();
        assert_eq!(op, "MSG", "a message without headers expected, not {message:?}");
        message
    }

    /// Reads a message, which must be what comes next, with MSG or HMSG and headers as part of the payload.
    pub fn any_message(&mut self) -> (String, Message) {
        let line = self.line();
        let words: Vec<&str> = line.split(' ').collect();
        let [op, subject, .., size] = words[..] else { panic!("MSG expected, not {line:?}") };
        assert!(op == "MSG" || op == "HMSG", "MSG expected, not {line:?}");
        let mut payload = vec![0; size.parse::<usize>().expect("a size") + 2];
        self.reader.read_exact(&mut payload).expect("a payload before the deadline");
        assert!(payload.ends_with(b"\r\n"), "{line:?} with another size");
        payload.truncate(payload.len() - 2);
        (op.to_string(), Message { subject: subject.to_string(), payload })
    }

    /// Reads a message on this subject with this payload, which must be what comes next.
    pub fn expect_message(&mut self, subject: &str, payload: &[u8]) {
        let Message { subject: got_subject, payload: got_payload } = self.message();
        assert_eq!(got_subject, subject);
        assert!(got_payload == payload, "another payload of {} bytes on {subject}", got_payload.len());
    }

    /// Publishes to a subject that must have no subscribers. Changes what was said in CONNECT, and needs nothing
    /// subscribed but what this subscribes.
    pub fn expect_no_subscribers(&mut self, subject: &str) {
        self.send("CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\nSUB inbox inbox\r\n");
        self.send(format!("PUB {subject} inbox 0\r\n\r\nUNSUB inbox\r\n"));
        let line = self.line();
        assert!(line.starts_with("HMSG inbox inbox "), "no responders expected, not {line:?}");
        self.expect_line("NATS/1.0 503");
        self.expect_line(&format!("Nats-Subject: {subject}"));
        self.expect_line("");
        self.expect_line("");
    }

    /// Reads some bytes, 0 at the end. The deadline or a reset is an error.
    pub fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.reader.read(buffer)
    }

    /// Sends this, and reads whatever comes before its answer.
    pub fn read_on_after(mut self, request: &str, answer: &[u8]) {
        self.send(request);
        let mut last = Vec::new();
        let mut piece = vec![0; 64 * 1024];
        while !last.ends_with(answer) {
            let bytes = self.reader.read(&mut piece).expect("more before the deadline");
            assert!(bytes > 0, "the end came before the answer");
            last.extend_from_slice(&piece[..bytes]);
            last.drain(..last.len().saturating_sub(answer.len()));
        }
    }

    /// Everything up to the end, which must come. A reset is an end too.
    pub fn rest(&mut self) -> Vec<u8> {
        let (rest, end) = self.rest_and_end();
        assert!(matches!(end, None | Some(ErrorKind::ConnectionReset)), "not closed but {end:?}");
        rest
    }

    /// Everything up to the end, which must come and be an orderly one.
    pub fn rest_in_order(&mut self) -> Vec<u8> {
        let (rest, end) = self.rest_and_end();
        assert_eq!(end, None, "no orderly end");
        rest
    }

    fn rest_and_end(&mut self) -> (Vec<u8>, Option<ErrorKind>) {
        let mut rest = Vec::new();
        let end = self.reader.read_to_end(&mut rest).err().map(|error| error.kind());
        (rest, end)
    }

    /// Ends the sending half.
    pub fn shut(&mut self) {
        self.stream().shutdown(Shutdown::Write).expect("an open connection");
    }

    /// Ends the sending half of a connection that may be closed already.
    pub fn shut_anyhow(&mut self) {
        let _ = self.stream().shutdown(Shutdown::Write);
    }

    /// Ends the connection with a reset instead of an orderly close.
    pub fn reset(self) {
        SockRef::from(self.stream()).set_linger(Some(Duration::ZERO)).expect("a way to close");
    }
}
