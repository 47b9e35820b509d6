use super::*;
use socket2::{Domain, Socket, Type};
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::UNIX_EPOCH;

const PATIENCE: Duration = Duration::from_secs(20);

/// A path for a socket, removed at the end.
struct SocketPath(PathBuf);

impl SocketPath {
    fn new() -> SocketPath {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        SocketPath(std::env::temp_dir().join(format!("midge-syslog-{}-{number}", std::process::id())))
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn open(address: Address) -> Syslog {
    Syslog::open(address, Some("/usr/bin/midge".into())).unwrap()
}

fn lines(syslog: &Syslog, entries: &[(Level, &str)]) -> Vec<u8> {
    let when = UNIX_EPOCH + Duration::from_secs(1_795_425_953);
    let mut out = Vec::new();
    for &(level, text) in entries {
        syslog.format(Entry { when, level, text }, &mut out);
    }
    out
}

fn reader(listener: &TcpListener) -> BufReader<TcpStream> {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    BufReader::new(stream)
}

fn next(reader: &mut impl BufRead) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    line
}

#[test]
fn severities_and_times_are_the_official_ones() {
    let when = UNIX_EPOCH + Duration::from_secs(1_795_425_953);
    assert_eq!(internet_time(when), "2026-11-23T09:25:53Z");
    let short = short_time(when);
    assert!(short.starts_with("Nov 2") && short.ends_with(":53") && short.len() == 15, "{short}");
    // A day of one digit has a blank before it.
    let early = short_time(UNIX_EPOCH + Duration::from_secs(1_795_425_953 - 18 * 86400));
    assert!(early.starts_with("Nov  ") && early.len() == 15, "{early}");
    for (level, number) in [
        (Level::Fatal, 2),
        (Level::Error, 3),
        (Level::Warning, 4),
        (Level::Info, 5),
        (Level::Trace, 5),
        (Level::Debug, 7),
    ] {
        assert_eq!(severity(level), number);
    }
}

#[test]
fn udp_gets_a_datagram_for_each_line() {
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    daemon.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut syslog = open(Address::Udp(daemon.local_addr().unwrap().to_string()));
    let out = lines(&syslog, &[(Level::Info, "one"), (Level::Error, "two")]);
    syslog.write(&out).unwrap();
    let (pid, host) = (std::process::id(), sys::host_name());
    let mut buffer = [0; 1000];
    for (priority, text) in [(5, "one"), (3, "two")] {
        let count = daemon.recv(&mut buffer).unwrap();
        let expected = format!("<{priority}>2026-11-23T09:25:53Z {host} midge[{pid}]: {text}\n");
        assert_eq!(str::from_utf8(&buffer[..count]).unwrap(), expected);
    }
    // Nobody there is no error: nobody would know.
    drop(daemon);
    for _ in 0..3 {
        syslog.write(&out).unwrap();
    }
}

#[test]
fn this_machines_daemon_gets_datagrams_of_facility_daemon() {
    let (path, missing) = (SocketPath::new(), SocketPath::new());
    let daemon = UnixDatagram::bind(&path.0).unwrap();
    daemon.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut syslog = open(Address::Local(vec![missing.0.clone(), path.0.clone()]));
    let out = lines(&syslog, &[(Level::Info, "one")]);
    syslog.write(&out).unwrap();
    let mut buffer = [0; 1000];
    let count = daemon.recv(&mut buffer).unwrap();
    let line = str::from_utf8(&buffer[..count]).unwrap();
    assert!(line.starts_with("<29>Nov 2"), "{line}");
    assert!(line.ends_with(&format!(":53 midge[{}]: one\n", std::process::id())), "{line}");
    // It is restarted: the socket is another one of the same name.
    drop(daemon);
    std::fs::remove_file(&path.0).unwrap();
    let daemon = UnixDatagram::bind(&path.0).unwrap();
    daemon.set_read_timeout(Some(PATIENCE)).unwrap();
    syslog.write(&out).unwrap();
    assert_eq!(daemon.recv(&mut buffer).unwrap(), out.len());
    // It is gone: lines are lost at once and counted.
    drop(daemon);
    std::fs::remove_file(&path.0).unwrap();
    for _ in 0..3 {
        assert_eq!(syslog.write(&out).unwrap_err().lines, 1);
    }
}

#[test]
fn a_stream_serves_where_there_is_no_datagram_socket() {
    let path = SocketPath::new();
    let daemon = UnixListener::bind(&path.0).unwrap();
    let mut syslog = open(Address::Local(vec![path.0.clone()]));
    let out = lines(&syslog, &[(Level::Warning, "one")]);
    syslog.write(&out).unwrap();
    let line = next(&mut BufReader::new(daemon.accept().unwrap().0));
    assert!(line.starts_with("<28>Nov 2"), "{line}");
}

#[test]
fn a_unix_url_is_a_stream_without_the_hosts_name() {
    let path = SocketPath::new();
    let daemon = UnixListener::bind(&path.0).unwrap();
    let mut syslog = open(Address::Unix(path.0.clone()));
    let out = lines(&syslog, &[(Level::Info, "one")]);
    syslog.write(&out).unwrap();
    let line = next(&mut BufReader::new(daemon.accept().unwrap().0));
    assert!(line.starts_with("<5>Nov 2"), "{line}");
    assert!(line.ends_with(&format!(":53 midge[{}]: one\n", std::process::id())), "{line}");
}

#[test]
fn a_daemon_that_hung_up_is_connected_to_again_without_a_loss() {
    let daemon = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut syslog = open(Address::Tcp(daemon.local_addr().unwrap().to_string()));
    let out = lines(&syslog, &[(Level::Info, "one"), (Level::Info, "two")]);
    for _ in 0..3 {
        syslog.write(&out).unwrap();
        let mut peer = reader(&daemon);
        assert!(next(&mut peer).ends_with(": one\n"));
        assert!(next(&mut peer).ends_with(": two\n"));
    }
}

#[test]
fn a_line_cut_by_a_hang_up_is_sent_again_whole() {
    let path = SocketPath::new();
    let daemon = UnixListener::bind(&path.0).unwrap();
    let mut syslog = open(Address::Unix(path.0.clone()));
    let line = lines(&syslog, &[(Level::Info, &"x".repeat(1000))]);
    let reader = std::thread::spawn(move || {
        // It hangs up in the middle of what comes.
        let mut first = daemon.accept().unwrap().0;
        first.read_exact(&mut [0]).unwrap();
        drop(first);
        let mut text = Vec::new();
        daemon.accept().unwrap().0.read_to_end(&mut text).unwrap();
        text
    });
    syslog.write(&line.repeat(2000)).unwrap();
    drop(syslog);
    let text = reader.join().unwrap();
    assert!(!text.is_empty() && text.chunks(line.len()).all(|chunk| chunk == line));
}

#[test]
fn a_dead_daemon_costs_lines_and_comes_back() {
    let path = SocketPath::new();
    let daemon = UnixListener::bind(&path.0).unwrap();
    let mut syslog = open(Address::Unix(path.0.clone()));
    let out = lines(&syslog, &[(Level::Info, "one"), (Level::Info, "two")]);
    drop(daemon);
    for _ in 0..3 {
        let lost = syslog.write(&out).unwrap_err();
        assert_eq!(lost.lines, 2);
        assert_eq!(lost.fault, format!("dial unix {}: connect: connection refused", path.0.display()));
    }
    std::fs::remove_file(&path.0).unwrap();
    let daemon = UnixListener::bind(&path.0).unwrap();
    let until = Instant::now() + PATIENCE;
    while syslog.write(&out).is_err() {
        assert!(Instant::now() < until, "it does not come back");
        std::thread::yield_now();
    }
    assert!(next(&mut BufReader::new(daemon.accept().unwrap().0)).ends_with(": one\n"));
}

#[test]
fn a_daemon_that_does_not_read_costs_lines_and_little_time() {
    let daemon = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut syslog = open(Address::Tcp(daemon.local_addr().unwrap().to_string()));
    let mut frozen = reader(&daemon);
    let out = lines(&syslog, &[(Level::Info, &"x".repeat(1000))]).repeat(1000);
    let start = Instant::now();
    let mut lost = None;
    while lost.is_none() {
        assert!(start.elapsed() < PATIENCE, "everything is taken");
        lost = syslog.write(&out).err();
    }
    let lost = lost.unwrap();
    assert_eq!(lost.fault, "timed out");
    assert!(lost.lines > 0 && lost.lines <= 1000, "{}", lost.lines);
    // Nothing is tried for a while, and then it costs nothing.
    let start = Instant::now();
    assert_eq!(syslog.write(&out).unwrap_err().lines, 1000);
    assert!(start.elapsed() < Duration::from_millis(500));
    // The lines that were taken are whole.
    let mut text = Vec::new();
    frozen.read_to_end(&mut text).unwrap();
    assert!(text.split_inclusive(|byte| *byte == b'\n').rev().skip(1).all(|line| line.len() * 1000 == out.len()));
}

#[test]
fn this_machines_daemon_costs_little_time_when_it_does_not_read() {
    let path = SocketPath::new();
    let daemon = UnixDatagram::bind(&path.0).unwrap();
    daemon.set_nonblocking(true).unwrap();
    let mut syslog = open(Address::Local(vec![path.0.clone()]));
    let out = lines(&syslog, &[(Level::Info, "x")]).repeat(10_000);
    let lost = syslog.write(&out).unwrap_err();
    assert_eq!(lost.fault, "timed out");
    let start = Instant::now();
    assert_eq!(syslog.write(&out).unwrap_err().lines, 10_000);
    assert!(start.elapsed() < Duration::from_millis(500));
    let mut taken = 0;
    while daemon.recv(&mut [0; 1000]).is_ok() {
        taken += 1;
    }
    assert_eq!(taken + lost.lines, 10_000);
}

#[test]
fn daemons_that_cannot_be_reached_are_told_in_official_words() {
    // It has its port, but does not listen.
    let deaf = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    deaf.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let port = deaf.local_addr().unwrap().as_socket().unwrap().port();
    let path = SocketPath::new();
    let _datagrams = UnixDatagram::bind(&path.0).unwrap();
    let shown = path.0.display();
    for (address, expected) in [
        (
            Address::Tcp(format!("127.0.0.1:{port}")),
            format!("error connecting to syslog: \"dial tcp 127.0.0.1:{port}: connect: connection refused\""),
        ),
        (
            Address::Unix("/nonexistent".into()),
            "error connecting to syslog: \"dial unix /nonexistent: connect: no such file or directory\"".into(),
        ),
        (
            Address::Unix(path.0.clone()),
            format!("error connecting to syslog: \"dial unix {shown}: connect: protocol wrong type for socket\""),
        ),
        (
            Address::Local(vec!["/nonexistent".into()]),
            "error connecting to syslog: \"Unix syslog delivery error\"".into(),
        ),
    ] {
        assert_eq!(Syslog::open(address, None).unwrap_err(), expected);
    }
}
