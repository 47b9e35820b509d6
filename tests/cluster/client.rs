//! A client, written and read by hand.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use socket2::{Domain, Socket, Type};

/// How long anything may take. Long enough for a loaded machine, and only ever waited for by a failing test.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The pause before something is asked once more.
const LOOK: Duration = Duration::from_millis(2);

/// A connection.
#[derive(Debug)]
pub struct Client {
    reader: BufReader<TcpStream>,
    /// The last INFO.
    pub info: Value,
    /// Messages that came while something else was waited for.
    came: VecDeque<Message>,
    /// What the server complained of.
    errors: Vec<String>,
}

/// A message as it came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    pub subject: String,
    pub sid: String,
    pub reply: String,
    /// With the version line, without the blank line; empty if there are none.
    pub headers: String,
    pub payload: String,
}

impl Message {
    /// True for what a server says in place of those who do not answer.
    pub fn is_no_responders(&self) -> bool {
        self.headers.starts_with("NATS/1.0 503")
    }
}

enum Event {
    Message(Message),
    Info,
    Pong,
    Error(String),
}

impl Client {
    /// Connects with headers, word of no responders and of news.
    pub fn connect(address: SocketAddr) -> Client {
        Self::connect_with(address, "")
    }

    /// The same with further fields in CONNECT, such as `,"user":"a"`.
    pub fn connect_with(address: SocketAddr, fields: &str) -> Client {
        Self::over(TcpStream::connect_timeout(&address, DEADLINE).expect("the server takes connections"), fields)
    }

    /// The same with a small buffer for what was not read yet, so that the server soon notices that nothing is.
    pub fn connect_narrow(address: SocketAddr) -> Client {
        const BUFFER_BYTES: usize = 32 * 1024;
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(BUFFER_BYTES).expect("a size of a buffer");
        socket.connect(&address.into()).expect("the server takes connections");
        Self::over(socket.into(), "")
    }

    fn over(stream: TcpStream, fields: &str) -> Client {
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        stream.set_write_timeout(Some(DEADLINE)).expect("a deadline");
        stream.set_nodelay(true).expect("no delay");
        let reader = BufReader::with_capacity(64 * 1024, stream);
        let mut client = Client { reader, info: Value::Null, came: VecDeque::new(), errors: Vec::new() };
        assert!(matches!(client.event(), Event::Info), "the first line is INFO");
        client.send(format!(
            "CONNECT {{\"verbose\":false,\"protocol\":1,\"headers\":true,\"no_responders\":true{fields}}}\r\n"
        ));
        client.flush();
        client
    }

    /// Sends all of it.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.reader.get_ref().write_all(bytes.as_ref()).expect("the server reads");
    }

    /// Sends a PING and waits for its PONG; messages that come before are kept.
    pub fn flush(&mut self) {
        self.send("PING\r\n");
        loop {
            match self.event() {
                Event::Pong => return,
                Event::Message(message) => self.came.push_back(message),
                Event::Error(text) => self.errors.push(text),
                Event::Info => {}
            }
        }
    }

    /// Subscribes, with a queue group if one is named after a blank. The subject is the number, too.
    pub fn subscribe(&mut self, subject: &str) {
        let sid = subject.replace(' ', "/");
        self.send(format!("SUB {subject} {sid}\r\n"));
        self.flush();
    }

    pub fn unsubscribe(&mut self, sid: &str) {
        self.send(format!("UNSUB {sid}\r\n"));
        self.flush();
    }

    pub fn publish(&mut self, subject: &str, payload: &str) {
        self.send(format!("PUB {subject} {}\r\n{payload}\r\n", payload.len()));
    }

    pub fn request(&mut self, subject: &str, reply: &str, payload: &str) {
        self.send(format!("PUB {subject} {reply} {}\r\n{payload}\r\n", payload.len()));
    }

    /// The next message.
    pub fn message(&mut self) -> Message {
        loop {
            if let Some(message) = self.came.pop_front() {
                return message;
            }
            match self.event() {
                Event::Message(message) => self.came.push_back(message),
                Event::Error(text) => panic!("-ERR {text}"),
                Event::Info | Event::Pong => {}
            }
        }
    }

    /// The next message, which must be this.
    pub fn expect(&mut self, subject: &str, payload: &str) -> Message {
        let message = self.message();
        assert_eq!((&message.subject[..], &message.payload[..]), (subject, payload), "{message:?}");
        message
    }

    /// Waits for a message on the subject; others that come before are kept.
    pub fn take(&mut self, subject: &str) -> Message {
        let mut others = VecDeque::new();
        let found = loop {
            let message = self.message();
            if message.subject == subject {
                break message;
            }
            others.push_back(message);
        };
        others.append(&mut self.came);
        self.came = others;
        found
    }

    /// What has come already, up to the answer of a PING.
    pub fn drain(&mut self) -> Vec<Message> {
        self.flush();
        self.came.drain(..).collect()
    }

    /// Nothing has come.
    pub fn expect_nothing(&mut self) {
        let came = self.drain();
        assert!(came.is_empty(), "{came:?}");
    }

    /// Waits for an INFO of which something holds, perhaps the one that came last.
    pub fn wait_info(&mut self, what: &str, holds: impl Fn(&Value) -> bool) {
        let end = Instant::now() + DEADLINE;
        while !holds(&self.info) {
            assert!(Instant::now() < end, "no such INFO: {what}; {}", self.info);
            match self.event() {
                Event::Message(message) => self.came.push_back(message),
                Event::Error(text) => panic!("-ERR {text} instead of {what}; {}", self.info),
                Event::Info | Event::Pong => {}
            }
        }
    }

    /// Where clients can connect, by the last INFO.
    pub fn urls(&self) -> Vec<String> {
        urls(&self.info)
    }

    /// True if somebody wants the subject now, as this client's server sees it. Whoever does gets an empty request.
    pub fn is_wanted(&mut self, subject: &str) -> bool {
        let inbox = format!("_INBOX.{}", unique());
        self.send(format!("SUB {inbox} {inbox}\r\n"));
        self.request(subject, &inbox, "");
        self.send(format!("UNSUB {inbox}\r\n"));
        self.flush();
        let refused = self.came.iter().position(|message| message.subject == inbox && message.is_no_responders());
        refused.map(|at| self.came.remove(at)).is_none()
    }

    /// Waits until somebody wants the subject.
    pub fn wait_wanted(&mut self, subject: &str) {
        let end = Instant::now() + DEADLINE;
        while !self.is_wanted(subject) {
            assert!(Instant::now() < end, "nobody wants {subject}");
            thread::sleep(LOOK);
        }
    }

    /// Waits until nobody does.
    pub fn wait_unwanted(&mut self, subject: &str) {
        let end = Instant::now() + DEADLINE;
        while self.is_wanted(subject) {
            assert!(Instant::now() < end, "somebody still wants {subject}");
            thread::sleep(LOOK);
        }
    }

    /// Waits until what this client has subscribed to is known at the other one's server.
    pub fn known_to(&mut self, other: &mut Client) {
        // What comes with the first mark may come after it, but not after the second.
        for _ in 0..2 {
            let mark = format!("mark.{}", unique());
            self.subscribe(&mark);
            other.wait_wanted(&mark);
            self.take(&mark);
            self.unsubscribe(&mark);
        }
    }

    fn event(&mut self) -> Event {
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).expect("a line before the deadline");
            assert!(line.ends_with("\r\n"), "the connection ended with {line:?} {:?}", self.errors);
            let line = line.trim_end();
            let (op, rest) = line.split_once(' ').unwrap_or((line, ""));
            match op {
                "PING" => self.send("PONG\r\n"),
                "PONG" => return Event::Pong,
                "INFO" => {
                    self.info = serde_json::from_str(rest).expect("JSON");
                    return Event::Info;
                }
                "-ERR" => return Event::Error(rest.to_owned()),
                "MSG" | "HMSG" => return Event::Message(self.rest_of_message(op == "HMSG", rest)),
                _ => panic!("{line:?}"),
            }
        }
    }

    fn rest_of_message(&mut self, has_headers: bool, line: &str) -> Message {
        let mut words: Vec<&str> = line.split(' ').collect();
        let size: usize = words.pop().expect("a size").parse().expect("a number");
        let header_bytes: usize = if has_headers { words.pop().expect("a size").parse().expect("a number") } else { 0 };
        let mut body = vec![0; size + 2];
        self.reader.read_exact(&mut body).expect("a payload before the deadline");
        assert!(body.ends_with(b"\r\n"), "{line:?} with another size");
        body.truncate(size);
        let payload = String::from_utf8(body.split_off(header_bytes)).expect("a text");
        let headers = String::from_utf8(body).expect("a text");
        Message {
            subject: words[0].to_owned(),
            sid: words[1].to_owned(),
            reply: words.get(2).copied().unwrap_or_default().to_owned(),
            headers: headers.trim_end().to_owned(),
            payload,
        }
    }
}

/// Where clients can connect, by an INFO.
pub fn urls(info: &Value) -> Vec<String> {
    let list = info["connect_urls"].as_array().cloned().unwrap_or_default();
    list.iter().map(|url| url.as_str().expect("a text").to_owned()).collect()
}

/// A number that nobody had before.
pub fn unique() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}
