//! Where the log goes, and that no trouble there holds up a client.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::bystanders::Bystanders;
use super::peer::{DEADLINE, Peer};
use super::scratch::Scratch;
use super::support::process::{Process, run_to_end};

/// How often a file is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Payloads of so many bytes fill a log soon.
const LONG: usize = 4000;

#[test]
fn with_a_file_nothing_goes_elsewhere() {
    let folder = Scratch::new();
    let path = folder.path("log");
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    daemon.set_nonblocking(true).unwrap();
    let url = format!("udp://{}", daemon.local_addr().unwrap());
    let mut server = start(&path, &["-D", "-s", "-r", &url]);
    Bystanders::connect(server.address()).exchange();
    server.signal("TERM");
    assert_eq!(server.wait_end().code(), Some(0));
    let log = read(&path);
    assert!(log.contains("Client connection created") && log.ends_with("[INF] Server Exiting..\n"), "{log}");
    assert!(log.lines().all(|line| line.starts_with(&format!("[{}] 2", server.id()))), "{log}");
    assert_eq!(server.log(), "");
    assert!(daemon.recv(&mut [0; 100]).is_err(), "the file comes first");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o137, 0);
}

#[test]
fn a_file_is_continued_and_may_do_without_times() {
    let folder = Scratch::new();
    let path = folder.path("log");
    fs::write(&path, "before\n").unwrap();
    let server = start(&path, &["-T=false"]);
    let log = read(&path);
    let first = format!("before\n[{}] [INF] Starting nats-server\n", server.id());
    assert!(log.starts_with(&first), "{log}");
}

#[test]
fn a_renamed_file_is_opened_again() {
    let folder = Scratch::new();
    let (path, old) = (folder.path("log"), folder.path("old"));
    let server = start(&path, &["--log_size_limit", "100_000"]);
    fs::rename(&path, &old).unwrap();
    server.signal("USR1");
    wait_for(&path, "[INF] File log re-opened\n");
    assert_eq!(read(&path).lines().count(), 1);
    assert!(read(&old).ends_with("Trapped \"user defined signal 1\" signal\n"));
    Bystanders::connect(server.address()).exchange();
    // Where there is no file, that is told.
    let server = Process::start(&[]);
    server.signal("USR1");
    server.wait_log("[INF] File log re-open ignored, not a file logger");
}

#[test]
fn a_file_that_cannot_be_opened_again_goes_on() {
    let folder = Scratch::new();
    let (path, old) = (folder.path("log"), folder.path("old"));
    let server = start(&path, &[]);
    fs::rename(&path, &old).unwrap();
    fs::create_dir(&path).unwrap();
    server.signal("USR1");
    wait_for(&old, &format!("[ERR] File log re-open failed: open {path}: is a directory\n"));
}

#[test]
fn large_files_are_put_aside_and_no_line_is_lost() {
    const MESSAGES: usize = 300;
    let folder = Scratch::new();
    let path = folder.path("log");
    let server = start(&path, &["-V", "--log_size_limit", "5000"]);
    let mut publisher = Peer::connect(server.address());
    for number in 0..MESSAGES {
        publisher.publish(&format!("number.{number}"), b"x");
    }
    publisher.round_trip();
    let last = format!("[PUB number.{} 1]", MESSAGES - 1);
    wait_until(|| folder.paths("log").iter().any(|path| read(path).contains(&last)));
    let paths = folder.paths("log");
    assert!(paths.len() > 5, "{paths:?}");
    let mut told = 0;
    // The one in use sorts first, and is the last.
    for path in paths[1..].iter().chain([&paths[0]]) {
        let text = read(path);
        assert!(text.len() < 5200, "{} bytes", text.len());
        for line in text.lines().filter(|line| line.contains("[PUB ")) {
            assert!(line.ends_with(&format!("[PUB number.{told} 1]")), "{told}: {line}");
            told += 1;
        }
    }
    assert_eq!(told, MESSAGES);
}

#[test]
fn a_full_disk_costs_lines_that_are_counted() {
    let folder = Scratch::new();
    let (path, old) = (folder.path("log"), folder.path("old"));
    let log = path.clone();
    let mut server = Process::start_limited("-f 64", &["-l", &path, "-DV"], move || read_if_there(&log));
    let mut publisher = Peer::connect(server.address());
    for _ in 0..100 {
        publisher.publish("fills", &[b'x'; LONG]);
    }
    publisher.round_trip();
    let mut bystanders = Bystanders::connect(server.address());
    bystanders.exchange();
    // The signal is acted on behind all that was logged before.
    fs::rename(&path, &old).unwrap();
    server.signal("USR1");
    wait_for(&path, " log lines dropped: file too large\n");
    assert!(read(&path).contains("[WRN] "), "{}", read(&path));
    assert!(read(&old).len() <= 64 * 1024);
    bystanders.exchange();
    server.signal("TERM");
    assert_eq!(server.wait_end().code(), Some(0));
}

#[test]
fn a_disk_full_from_the_start_holds_up_nobody() {
    let folder = Scratch::new();
    let pid_file = folder.path("pid");
    // Nothing is ever logged, so the port must be known.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ready = || match TcpStream::connect(("127.0.0.1", port)) {
        Ok(_) => format!("Listening for client connections on 127.0.0.1:{port}\nServer is ready"),
        Err(_) => String::new(),
    };
    let args = ["-l", "/dev/full", "-DV", "--log_size_limit", "10", "-P", &pid_file, "-p", &port.to_string()];
    let mut server = Process::start_logging(&args, ready);
    Bystanders::connect(server.address()).exchange();
    server.signal("TERM");
    assert_eq!(server.wait_end().code(), Some(0));
}

#[test]
fn a_log_that_cannot_be_opened_is_told_in_one_plain_line() {
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused_url = format!("tcp://{refused}");
    let refused_text = format!("error connecting to syslog: \"dial tcp {refused}: connect: connection refused\"");
    for (args, text) in [
        (["-l", "/nonexistent/x"], "error opening file: open /nonexistent/x: no such file or directory"),
        (["-l", "/"], "error opening file: open /: is a directory"),
        (["-r", "foo://x"], "error invalid network type: \"foo\""),
        (["-r", "udp://x"], "error connecting to syslog: \"dial udp: address x: missing port in address\""),
        (["-r", "tcp://"], "error connecting to syslog: \"dial tcp: missing address\""),
        (
            ["-r", "unix:///nonexistent"],
            "error connecting to syslog: \"dial unix /nonexistent: connect: no such file or directory\"",
        ),
        (["-r", &refused_url], &refused_text),
    ] {
        let output = run_to_end(&args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let told = String::from_utf8(output.stderr).unwrap();
        // `2026/11/24 18:00:47 `, and that is all.
        let (time, rest) = told.split_at(20);
        assert_eq!(rest, format!("{text}\n"));
        assert!(
            time.bytes()
                .enumerate()
                .all(|(at, byte)| byte.is_ascii_digit() == b"0000/00/00 00:00:00 "[at].is_ascii_digit())
        );
    }
}

#[test]
fn a_log_daemon_that_goes_and_comes_back_costs_lines_that_are_counted() {
    let (daemon, address) = listen("127.0.0.1:0");
    let mut server = Process::start_logging(&["-D", "-r", &format!("tcp://{address}")], daemon.reader());
    let mut bystanders = Bystanders::connect(server.address());
    daemon.stop();
    // What was under way when it went is lost unseen, and after that it takes a while until it is tried again.
    for _ in 0..20 {
        drop(Peer::connect(server.address()));
        bystanders.exchange();
    }
    let (daemon, _) = listen(&address.to_string());
    wait_until(|| {
        drop(Peer::connect(server.address()));
        daemon.text().contains(" log lines dropped: ")
    });
    let text = daemon.text();
    let report = text.lines().find(|line| line.contains(" log lines dropped: ")).unwrap();
    assert!(report.starts_with("<4>2") && report.contains(" midge["), "{report}");
    bystanders.exchange();
    server.signal("TERM");
    assert_eq!(server.wait_end().code(), Some(0));
    assert_eq!(server.log(), "");
    wait_until(|| daemon.text().ends_with("Server Exiting..\n"));
}

#[test]
fn a_log_daemon_that_does_not_read_holds_up_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ready = || match TcpStream::connect(("127.0.0.1", port)) {
        Ok(_) => format!("Listening for client connections on 127.0.0.1:{port}\nServer is ready"),
        Err(_) => String::new(),
    };
    let mut server = Process::start_logging(&["-DV", "-r", &url, "-p", &port.to_string()], ready);
    let bystanders = Bystanders::connect(server.address()).keep_busy();
    let mut publisher = Peer::connect(server.address());
    let start = Instant::now();
    // Far more than the sockets between them hold.
    for _ in 0..100 {
        for _ in 0..100 {
            publisher.publish("flood", &[b'x'; LONG]);
        }
        publisher.round_trip();
    }
    assert!(start.elapsed() < DEADLINE);
    bystanders.stop();
    let start = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait_end().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    drop(listener);
}

fn start(path: &str, args: &[&str]) -> Process {
    Process::start_logging(&[&["-l", path], args].concat(), || read_if_there(path))
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn read_if_there(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Waits until a file holds this text.
fn wait_for(path: &str, text: &str) {
    wait_until(|| read_if_there(path).contains(text));
}

fn wait_until(mut wanted: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !wanted() {
        assert!(Instant::now() < deadline, "it does not come");
        thread::sleep(LOOK);
    }
}

/// A log daemon: takes one connection after the other and keeps what comes.
struct Daemon {
    text: Arc<Mutex<String>>,
    stop: Arc<Mutex<Option<TcpStream>>>,
}

fn listen(address: &str) -> (Daemon, SocketAddr) {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    let daemon = Daemon { text: Arc::default(), stop: Arc::default() };
    let (text, stop) = (Arc::clone(&daemon.text), Arc::clone(&daemon.stop));
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        *stop.lock().unwrap() = Some(stream.try_clone().unwrap());
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        while lines.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            text.lock().unwrap().push_str(&line);
            line.clear();
        }
    });
    (daemon, address)
}

impl Daemon {
    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    fn reader(&self) -> impl Fn() -> String + use<> {
        let text = Arc::clone(&self.text);
        move || text.lock().unwrap().clone()
    }

    /// Hangs up, and nobody listens any more.
    fn stop(self) {
        let stream = self.stop.lock().unwrap().take().expect("it was connected to");
        stream.shutdown(std::net::Shutdown::Both).unwrap();
    }
}
