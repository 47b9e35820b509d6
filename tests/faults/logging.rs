//! Where the log goes, and that no trouble there holds up a client.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Shutdown, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::bystanders::Bystanders;
use super::peer::Peer;
use super::scratch::{Scratch, wait_until};
use super::support::process::{Process, run_to_end};

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
fn tracing_into_a_file_costs_no_message() {
    const MESSAGES: usize = 50_000;
    let folder = Scratch::new();
    let path = folder.path("log");
    let server = start(&path, &["-DV"]);
    let mut reader = Peer::connect(server.address());
    reader.subscribe("traced");
    let mut publisher = Peer::connect(server.address());
    let sending = thread::spawn(move || {
        for first in (0..MESSAGES).step_by(100) {
            let batch = (first..first + 100).map(|number| format!("PUB traced 8\r\n{number:08}\r\n"));
            publisher.send(batch.collect::<String>());
        }
        publisher.round_trip();
        publisher
    });
    for number in 0..MESSAGES {
        reader.expect_message("traced", format!("{number:08}").as_bytes());
    }
    let _publisher = sending.join().unwrap();
    reader.send("UNSUB 1\r\n");
    reader.round_trip();
    wait_until(|| {
        let log = read(&path);
        log.contains("<<- [UNSUB 1]") || log.contains(" log lines dropped: ")
    });
    // Lines may be missing where the file could not follow, but then it is said how many.
    let traced = read(&path).matches("MSG_PAYLOAD: [\"").count();
    assert!(traced > 0 && traced <= 2 * MESSAGES, "{traced} of {}", 2 * MESSAGES);
    if traced < 2 * MESSAGES {
        wait_for(&path, " log lines dropped: ");
    }
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
fn a_device_without_space_costs_lines_that_are_counted() {
    let folder = Scratch::new();
    let (path, first, second) = (folder.path("log"), folder.path("first"), folder.path("second"));
    symlink(&first, &path).unwrap();
    let server = start(&path, &["-DV", "--log_size_limit", "1_000_000"]);
    let lead_to = |file: &str| {
        fs::remove_file(&path).unwrap();
        symlink(file, &path).unwrap();
        server.signal("USR1");
    };
    lead_to("/dev/full");
    wait_until(|| server.has_open("/dev/full"));
    let mut bystanders = Bystanders::connect(server.address());
    for _ in 0..10 {
        bystanders.exchange();
    }
    lead_to(&second);
    wait_for(&second, " log lines dropped: no space left on device\n");
    assert!(read(&second).starts_with(&format!("[{}] ", server.id())), "{}", read(&second));
    bystanders.exchange();
}

#[test]
fn a_log_that_cannot_be_opened_is_told_in_one_plain_line() {
    // It has its port, but does not listen.
    let deaf = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    deaf.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let refused = deaf.local_addr().unwrap().as_socket().unwrap();
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
    let folder = Scratch::new();
    let path = folder.path("socket");
    let daemon = Daemon::listen(&path);
    let text = daemon.text.clone();
    let ready = || text.lock().unwrap().clone();
    let mut server = Process::start_logging(&["-D", "-r", &format!("unix://{path}")], ready);
    let mut bystanders = Bystanders::connect(server.address());
    daemon.stop();
    fs::remove_file(&path).unwrap();
    for _ in 0..20 {
        drop(Peer::connect(server.address()));
        bystanders.exchange();
    }
    let daemon = Daemon::listen(&path);
    let told = || daemon.text.lock().unwrap().clone();
    wait_until(|| {
        drop(Peer::connect(server.address()));
        told().contains(" log lines dropped: ")
    });
    let text = told();
    let report = text.lines().find(|line| line.contains(" log lines dropped: ")).unwrap();
    assert!(report.starts_with("<4>") && report.contains(&format!(" midge[{}]: ", server.id())), "{report}");
    bystanders.exchange();
    server.signal("TERM");
    assert_eq!(server.wait_end().code(), Some(0));
    assert_eq!(server.log(), "");
    wait_until(|| told().ends_with("Server Exiting..\n"));
}

#[test]
fn a_log_daemon_that_does_not_read_holds_up_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let mut daemon = None;
    let mut log = String::new();
    let ready = || {
        let daemon = daemon.get_or_insert_with(|| BufReader::with_capacity(512, listener.accept().unwrap().0));
        daemon.read_line(&mut log).unwrap();
        log.clone()
    };
    let mut server = Process::start_logging(&["-DV", "-r", &url], ready);
    // From here on it reads nothing, and accepts nobody.
    let bystanders = Bystanders::connect(server.address()).keep_busy();
    let mut publisher = Peer::connect(server.address());
    // Far more than the sockets between them hold.
    for _ in 0..100 {
        for _ in 0..100 {
            publisher.publish("flood", &[b'x'; LONG]);
        }
        publisher.round_trip();
    }
    bystanders.stop();
    let start = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait_end().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
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

/// A log daemon: takes one connection and keeps what comes.
struct Daemon {
    text: Arc<Mutex<String>>,
    connection: Arc<Mutex<Option<UnixStream>>>,
}

impl Daemon {
    fn listen(path: &str) -> Daemon {
        let listener = UnixListener::bind(path).unwrap();
        let daemon = Daemon { text: Arc::default(), connection: Arc::default() };
        let (text, connection) = (Arc::clone(&daemon.text), Arc::clone(&daemon.connection));
        thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            *connection.lock().unwrap() = Some(stream.try_clone().unwrap());
            let mut lines = BufReader::new(stream);
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
                text.lock().unwrap().push_str(&line);
                line.clear();
            }
        });
        daemon
    }

    /// Hangs up; nobody listens any more.
    fn stop(self) {
        let stream = self.connection.lock().unwrap().take().expect("it was connected to");
        stream.shutdown(Shutdown::Both).unwrap();
    }
}
