//! Members of a cluster that are configured by a file.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::client::DEADLINE;
use super::node::{Folder, Kind, Node, has_official};

/// The time in which nothing must come.
#[cfg(feature = "tls")]
const SILENCE: Duration = Duration::from_millis(300);

/// A server with its file.
pub struct Member {
    pub node: Node,
    folder: Folder,
    name: &'static str,
    /// How often its options were reloaded.
    reloads: usize,
}

impl Member {
    /// Starts a member of the cluster `C1` with these lines in its block `cluster`.
    pub fn start(kind: Kind, name: &'static str, cluster: &str) -> Member {
        let folder = Folder::new();
        let path = folder.write("server.conf", &file(name, cluster));
        Member { node: Node::run(kind, &["-D", "-c", &path]), folder, name, reloads: 0 }
    }

    /// Has it take other lines for its block `cluster`.
    pub fn reload(&mut self, cluster: &str) {
        self.reload_whole(&file(self.name, cluster));
    }

    /// The same with the whole file.
    pub fn reload_whole(&mut self, text: &str) {
        self.write(text);
        self.node.process.signal("HUP");
        self.reloads += 1;
        self.node.process.wait_log_times("Reloaded server configuration", self.reloads);
    }

    /// Writes its file.
    pub fn write(&self, text: &str) {
        self.folder.write("server.conf", text);
    }

    /// The URL of its routes.
    pub fn url(&self) -> String {
        format!("nats://{}", self.node.routes)
    }

    /// The same with a user and a password.
    pub fn url_as(&self, user_info: &str) -> String {
        format!("nats://{user_info}@{}", self.node.routes)
    }

    /// Waits until so many servers are in the cluster, this one included.
    pub fn wait_servers(&self, count: usize) {
        self.node.wait_servers(count);
    }

    /// How often a text is in its log.
    pub fn count(&self, text: &str) -> usize {
        self.node.process.log().matches(text).count()
    }

    pub fn wait_log(&self, text: &str) {
        self.node.process.wait_log(text);
    }

    /// Panics if a secret is in its log.
    pub fn expect_no_secret(&self, secret: &str) {
        let log = self.node.process.log();
        assert!(!log.contains(secret), "{log}");
    }
}

/// A file for a member with these lines in its block `cluster`.
pub fn file(name: &str, cluster: &str) -> String {
    format!("server_name: {name}\ncluster {{\nname: C1\nlisten: \"127.0.0.1:-1\"\n{cluster}\n}}\n")
}

/// The line for routes to these URLs.
pub fn routes(urls: &[String]) -> String {
    let quoted: Vec<String> = urls.iter().map(|url| format!("\"{url}\"")).collect();
    format!("routes: [{}]\n", quoted.join(", "))
}

/// Which server dials and which is dialled: midge each time, with itself and with the official one if that is there.
pub fn pairs() -> Vec<(Kind, Kind)> {
    let mut pairs = vec![(Kind::Midge, Kind::Midge)];
    if has_official() {
        pairs.extend([(Kind::Midge, Kind::Official), (Kind::Official, Kind::Midge)]);
    }
    pairs
}

/// Waits until a subject that is wanted at one server can be reached from the other.
pub fn exchange(one: &Node, other: &Node) {
    for (from, to) in [(one, other), (other, one)] {
        let (mut from, mut to) = (from.client(), to.client());
        to.subscribe("here");
        to.known_to(&mut from);
        from.publish("here", "hello");
        to.expect("here", "hello");
    }
}

/// Waits until something holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < end, "not yet: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A peer that is written and read by hand.
pub struct Raw(BufReader<TcpStream>);

impl Raw {
    pub fn dial(address: SocketAddr) -> Raw {
        let stream = TcpStream::connect(address).expect("the server takes connections");
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        Raw(BufReader::new(stream))
    }

    pub fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).expect("the server reads");
    }

    /// Says who it is.
    pub fn introduce(&mut self, connect: &str) {
        self.line_with("INFO ");
        self.send(&format!(
            "CONNECT {{\"cluster\":\"C1\"{connect}}}\r\nINFO {{\"server_id\":\"RAW\",\"server_name\":\"raw\",\
             \"cluster\":\"C1\",\"host\":\"127.0.0.1\",\"port\":1,\"headers\":true,\"ln\":true}}\r\n"
        ));
    }

    /// The next line with this in it; PINGs are answered.
    pub fn line_with(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).expect("a line before the deadline");
            assert!(line.ends_with('\n'), "the connection ended before {text:?}, with {line:?}");
            if line.contains(text) {
                return line.trim_end().to_owned();
            }
            if line.starts_with("PING") {
                self.send("PONG\r\n");
            }
        }
    }

    /// What comes until the end.
    pub fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("no end: {error}"),
            _ => String::from_utf8_lossy(&rest).into_owned(),
        }
    }

    /// Nothing comes for a while.
    #[cfg(feature = "tls")]
    pub fn expect_silence(&mut self) {
        self.0.get_ref().set_read_timeout(Some(SILENCE)).expect("a deadline");
        let mut byte = [0];
        let outcome = self.0.read(&mut byte);
        assert!(outcome.is_err(), "{outcome:?} {byte:?}");
        self.0.get_ref().set_read_timeout(Some(DEADLINE)).expect("a deadline");
    }
}
