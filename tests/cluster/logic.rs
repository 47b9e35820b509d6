//! The cluster logic alone against the official server, over real sockets.

use super::support;
use midge::cluster::{Action, Cluster, Conn, Own, Settings};
use midge::log::Level;
use midge::wire::route::{Limits, Op, Outcome, RouteUrl, parse, write};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// An official server of a cluster. It is killed when this is dropped.
struct Official {
    child: Child,
    client: SocketAddr,
    routes: SocketAddr,
    log: Receiver<String>,
}

impl Official {
    fn start(program: &Path, name: &str, cluster: Option<&str>, routes: &[SocketAddr]) -> Official {
        let urls: Vec<String> = routes.iter().map(|address| format!("nats-route://{address}")).collect();
        let mut command = Command::new(program);
        command.args(["-a", "127.0.0.1", "-p", "-1", "-n", name, "--cluster", "nats://127.0.0.1:-1"]);
        command.args(["--routes", &urls.join(","), "-D"]);
        if let Some(cluster) = cluster {
            command.args(["--cluster_name", cluster]);
        }
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the official server starts");
        let mut pipe = BufReader::new(child.stderr.take().unwrap());
        let (lines, log) = channel();
        let (mut client, mut routes) = (None, None);
        let address = |line: &str| line.rsplit(' ').next().and_then(|address| address.trim().parse().ok());
        while client.is_none() || routes.is_none() {
            let mut line = String::new();
            assert!(pipe.read_line(&mut line).unwrap() > 0, "the official server ended");
            if line.contains("Listening for client connections on") {
                client = address(&line);
            } else if line.contains("Listening for route connections on") {
                routes = address(&line);
            }
            _ = lines.send(line);
        }
        thread::spawn(move || pipe.lines().map_while(Result::ok).try_for_each(|line| lines.send(line)));
        Official { child, client: client.unwrap(), routes: routes.unwrap(), log }
    }

    /// Errors and warnings it wrote so far.
    fn complaints(&self) -> Vec<String> {
        self.log.try_iter().filter(|line| line.contains("[ERR]") || line.contains("[WRN]")).collect()
    }

    /// Waits for a line of its log with all the words.
    fn wait_for(&self, words: &[&str]) {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.log.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) if words.iter().all(|word| line.contains(word)) => return,
                Ok(_) => {}
                Err(error) => panic!("{words:?} did not come: {error}"),
            }
        }
    }

    fn client(&self) -> Client {
        let stream = TcpStream::connect(self.client).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Client { input: BufReader::new(stream.try_clone().unwrap()), stream };
        client.line();
        client.send("CONNECT {\"verbose\":false,\"protocol\":1}\r\nPING\r\n");
        client.until("PONG");
        client
    }
}

impl Drop for Official {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

struct Client {
    stream: TcpStream,
    input: BufReader<TcpStream>,
}

impl Client {
    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.input.read_line(&mut line).expect("a line comes") > 0, "the connection ended");
        line.trim_end().to_owned()
    }

    /// The next line with the text in it.
    fn until(&mut self, text: &str) -> String {
        loop {
            let line = self.line();
            if line.contains(text) {
                return line;
            }
        }
    }
}

/// What happens to the sockets of a [`Peer`].
enum Event {
    Accepted(TcpStream),
    Read(Conn, Vec<u8>),
    Ended(Conn),
}

/// One cluster logic with sockets.
struct Peer {
    cluster: Cluster,
    events: Receiver<Event>,
    sender: Sender<Event>,
    address: SocketAddr,
    streams: HashMap<Conn, TcpStream>,
    partial: HashMap<Conn, Vec<u8>>,
    next: Conn,
    start: Instant,
    /// Ids of registered peers by connection.
    registered: HashMap<Conn, String>,
    urls: Vec<String>,
    complaints: Vec<String>,
    /// Operations of registered peers, but for interest in `$SYS`.
    heard: Vec<String>,
}

impl Peer {
    fn start(id: &str, cluster: Option<&str>, routes: &[SocketAddr]) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let own = Own {
            id: id.to_owned(),
            name: format!("name-{id}"),
            version: "2.15.1".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: address.port(),
            headers: true,
            max_payload: 1 << 20,
            client_urls: vec![format!("127.0.0.9:{}", address.port())],
            import: None,
            export: None,
        };
        let settings = Settings {
            name: cluster.map(str::to_owned),
            // Lower than what official servers generate, so that theirs is taken over.
            generated_name: "!".to_owned(),
            routes: routes.iter().map(|route| RouteUrl::new("127.0.0.1", route.port())).collect(),
            advertise: None,
            no_advertise: false,
            connect_retries: 2,
            connect_backoff: false,
            error_reports: [3600, 1],
            ping_interval_ms: 30_000,
            ping_max: 2,
            credentials: None,
            auth_timeout_ms: 2000,
            tls: false,
        };
        let (sender, events) = channel();
        let accepted = sender.clone();
        thread::spawn(move || {
            listener.incoming().flatten().try_for_each(|stream| accepted.send(Event::Accepted(stream)).map_err(drop))
        });
        let mut peer = Peer {
            cluster: Cluster::new(own, settings, 7),
            events,
            sender,
            address,
            streams: HashMap::new(),
            partial: HashMap::new(),
            next: 1,
            start: Instant::now(),
            registered: HashMap::new(),
            urls: Vec::new(),
            complaints: Vec::new(),
            heard: Vec::new(),
        };
        peer.cluster.start(0);
        peer.act();
        peer
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    fn open(&mut self, stream: TcpStream) -> Conn {
        let conn = self.next;
        self.next += 1;
        let (mut input, events) = (stream.try_clone().unwrap(), self.sender.clone());
        self.streams.insert(conn, stream);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = input.read(&mut buffer) {
                _ = events.send(Event::Read(conn, buffer[..count].to_vec()));
            }
            _ = events.send(Event::Ended(conn));
        });
        conn
    }

    fn act(&mut self) {
        while let Some(action) = self.cluster.next_action() {
            let now = self.now();
            match action {
                Action::Dial { dial, host, port, .. } => match TcpStream::connect((&host[..], port)) {
                    Ok(stream) => {
                        let ip = stream.peer_addr().unwrap().ip();
                        let conn = self.open(stream);
                        self.cluster.dialled(dial, conn, ip, now);
                    }
                    Err(error) => self.cluster.dial_failed(dial, &error.to_string(), now),
                },
                Action::Send(conn, bytes) => self.send(conn, &bytes),
                Action::Close(conn, _) => {
                    if let Some(stream) = self.streams.remove(&conn) {
                        _ = stream.shutdown(Shutdown::Both);
                    }
                    self.cluster.closed(conn, now);
                }
                Action::Registered(conn, peer) => _ = self.registered.insert(conn, peer.id),
                Action::Lost(conn) => _ = self.registered.remove(&conn),
                Action::ClientUrls(urls) => self.urls = urls,
                Action::Note(Level::Error, _, text) => self.complaints.push(text),
                _ => {}
            }
        }
    }

    fn send(&mut self, conn: Conn, bytes: &[u8]) {
        if let Some(mut stream) = self.streams.get(&conn) {
            _ = stream.write_all(bytes);
        }
    }

    /// Goes on until something holds.
    fn until(&mut self, what: &str, mut holds: impl FnMut(&Peer) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < end, "not yet: {what}; {:?} {:?}", self.registered, self.complaints);
            self.step(Duration::from_millis(200));
        }
    }

    /// Waits for something to happen, or to be due.
    fn step(&mut self, at_most: Duration) {
        let due = Duration::from_millis(self.cluster.next_due().saturating_sub(self.now()));
        let event = self.events.recv_timeout(due.min(at_most));
        let now = self.now();
        match event {
            Ok(Event::Accepted(stream)) => {
                let ip = stream.peer_addr().unwrap().ip();
                let conn = self.open(stream);
                self.cluster.accepted(conn, ip, now);
            }
            Ok(Event::Read(conn, bytes)) => self.read(conn, &bytes),
            Ok(Event::Ended(conn)) => {
                self.streams.remove(&conn);
                self.cluster.closed(conn, now);
            }
            Err(RecvTimeoutError::Timeout) => self.cluster.fire(now),
            Err(RecvTimeoutError::Disconnected) => unreachable!("we hold a sender"),
        }
        self.act();
    }

    fn read(&mut self, conn: Conn, bytes: &[u8]) {
        let limits = Limits { control_line_max: 65_536, payload_max: 1 << 23, origin_in_unsubscribe: true };
        let mut input = self.partial.remove(&conn).unwrap_or_default();
        input.extend_from_slice(bytes);
        let mut rest = &input[..];
        while self.streams.contains_key(&conn) {
            let (op, used) = match parse(rest, &limits) {
                Outcome::Done(op, used) => (op, used),
                Outcome::More(_) => break,
                Outcome::Bad(bad) => panic!("{bad:?} in {}", rest.escape_ascii()),
            };
            let text = rest[..used].escape_ascii().to_string();
            rest = &rest[used..];
            let now = self.now();
            match op {
                Op::Connect(document) => self.cluster.connect(conn, document, now),
                Op::Info(document) => self.cluster.info(conn, document, now),
                Op::Pong => self.cluster.pong(conn, now),
                Op::Error(text) => self.cluster.error(conn, text, now),
                Op::Ping => self.send(conn, write::PONG),
                _ if !self.cluster.is_registered(conn) => self.cluster.intrude(conn, now),
                Op::Subscribe(interest) if interest.account == b"$SYS" => {}
                _ => self.heard.push(text),
            }
            self.act();
        }
        self.partial.insert(conn, rest.to_vec());
    }

    fn conn(&self) -> Conn {
        *self.registered.keys().next().expect("there is a peer")
    }

    fn has_heard(&self, text: &str) -> bool {
        self.heard.iter().any(|heard| heard == text)
    }
}

/// The official server's program, or a word that nothing is proven.
fn program() -> Option<std::path::PathBuf> {
    let program = support::reference_path();
    if program.is_none() {
        println!("NOT RUN: set NATS_REF to the path of an official nats-server");
    }
    program
}

/// Interest and messages both ways.
fn exchange(peer: &mut Peer, official: &Official) {
    let mut client = official.client();
    client.send("SUB to.it 1\r\nSUB to.it q 2\r\nPING\r\n");
    client.until("PONG");
    peer.until("interest comes", |peer| {
        peer.has_heard("RS+ $G to.it\\r\\n") && peer.has_heard("RS+ $G to.it q 1\\r\\n")
    });
    let conn = peer.conn();
    peer.send(conn, b"RS+ $G to.us\r\nRS+ $G to.us g 2\r\nRMSG $G to.it | q 2\r\nhi\r\n");
    client.until("MSG to.it");
    client.until("MSG to.it");
    client.send("PUB to.us reply 3\r\nyou\r\n");
    peer.until("a message comes", |peer| peer.has_heard("RMSG $G to.us + reply g 3\\r\\nyou\\r\\n"));
    client.send("UNSUB 1\r\nPING\r\n");
    client.until("PONG");
    peer.until("interest goes", |peer| peer.has_heard("RS- $G to.it\\r\\n"));
}

#[test]
fn an_official_server_that_is_dialled_becomes_a_peer() {
    let Some(program) = program() else { return };
    let official = Official::start(&program, "real1", Some("C1"), &[]);
    let mut peer = Peer::start("US", Some("C1"), &[official.routes]);
    peer.until("registered", |peer| peer.registered.len() == 1 && peer.cluster.has_synced());
    assert_eq!(peer.urls, [official.client.to_string()]);
    exchange(&mut peer, &official);
    // It pings within the first seconds, and we it.
    let until = peer.now() + 1500;
    peer.until("some time passes", |peer| peer.now() > until);
    assert_eq!((peer.registered.len(), &peer.complaints[..], &official.complaints()[..]), (1, &[][..], &[][..]));
}

#[test]
fn an_official_server_that_dials_becomes_a_peer_with_one_connection() {
    let Some(program) = program() else { return };
    let mut peer = Peer::start("US", Some("C1"), &[]);
    let official = Official::start(&program, "real1", Some("C1"), &[peer.address]);
    peer.until("registered", |peer| peer.registered.len() == 1 && peer.streams.len() == 1);
    exchange(&mut peer, &official);
    assert_eq!(peer.complaints, [""; 0]);
    // It opens one connection for `$SYS` alone, and finds that this needs a pool.
    let complaints = official.complaints();
    assert!(complaints.iter().all(|line| line.contains("dedicated route for account")), "{complaints:?}");
}

#[test]
fn official_servers_and_we_find_each_other_from_one_address() {
    let Some(program) = program() else { return };
    let first = Official::start(&program, "real1", Some("C1"), &[]);
    let mut peer = Peer::start("US", Some("C1"), &[first.routes]);
    peer.until("registered", |peer| peer.registered.len() == 1);
    let second = Official::start(&program, "real2", Some("C1"), &[first.routes]);
    peer.until("both are peers", |peer| peer.registered.len() == 2 && peer.urls.len() == 2);
    // And the other way round: we are told of to one that came first.
    let mut late = Peer::start("LATE", Some("C1"), &[second.routes]);
    let end = Instant::now() + PATIENCE;
    while peer.registered.len() < 3 || late.registered.len() < 3 {
        assert!(Instant::now() < end, "not yet: {:?} {:?}", peer.registered, late.registered);
        peer.step(Duration::from_millis(20));
        late.step(Duration::from_millis(20));
    }
    assert!(peer.registered.values().any(|id| id == "LATE"));
    assert_eq!(peer.complaints, [""; 0]);
}

#[test]
fn a_generated_cluster_name_gives_way_to_that_of_an_official_server() {
    let Some(program) = program() else { return };
    for cluster in [Some("C1"), None] {
        let official = Official::start(&program, "real1", cluster, &[]);
        let mut peer = Peer::start("US", None, &[official.routes]);
        peer.until("registered", |peer| peer.registered.len() == 1 && peer.cluster.has_synced());
        assert!(cluster.is_none_or(|name| peer.cluster.name() == name), "{}", peer.cluster.name());
        exchange(&mut peer, &official);
    }
}

#[test]
fn clients_of_an_official_server_learn_of_ours_until_we_are_a_lame_duck() {
    let Some(program) = program() else { return };
    let official = Official::start(&program, "real1", Some("C1"), &[]);
    let mut client = official.client();
    let mut peer = Peer::start("US", Some("C1"), &[official.routes]);
    peer.until("registered", |peer| peer.registered.len() == 1);
    let ours = format!("127.0.0.9:{}", peer.address.port());
    client.until(&ours);
    let now = peer.now();
    peer.cluster.enter_lame_duck_mode(now);
    peer.act();
    let info = client.until("INFO");
    assert!(!info.contains(&ours), "{info}");
}

#[test]
fn an_official_server_refuses_another_cluster_and_is_refused() {
    let Some(program) = program() else { return };
    let official = Official::start(&program, "real1", Some("C2"), &[]);
    let mut peer = Peer::start("US", Some("C1"), &[official.routes]);
    peer.until("refused", |peer| peer.complaints.iter().any(|text| text.contains("\"C2\" does not match \"C1\"")));
    official.wait_for(&["cluster name", "does not match"]);
    assert!(peer.registered.is_empty());
}
