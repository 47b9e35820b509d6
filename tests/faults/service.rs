//! midge below a service manager: what it tells it, and the sockets it gets from it; and the file for those who want to
//! know where it listens.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram, UnixListener};

use super::bystanders::Bystanders;
use super::peer::{DEADLINE, Peer};
use super::scratch::Scratch;
use super::support::process::{Process, run_to_end_with_socket};

#[test]
fn the_manager_hears_of_the_start_the_life_and_the_end() {
    let folder = Scratch::new();
    let path = folder.path("notify");
    let name = format!("midge-faults-{}", std::process::id());
    let abstract_address = UnixAddress::from_abstract_name(&name).unwrap();
    let sockets = [
        (UnixDatagram::bind(&path).unwrap(), path.clone()),
        (UnixDatagram::bind_addr(&abstract_address).unwrap(), format!("@{name}")),
    ];
    for (socket, address) in sockets {
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut server = Process::with_environment(&[("NOTIFY_SOCKET", &address), ("WATCHDOG_USEC", "200000")]);
        assert_eq!(told(&socket), "READY=1");
        for _ in 0..4 {
            assert_eq!(told(&socket), "WATCHDOG=1");
        }
        server.signal("TERM");
        let last = std::iter::repeat_with(|| told(&socket)).find(|text| text != "WATCHDOG=1");
        assert_eq!(last.as_deref(), Some("STOPPING=1"));
        assert_eq!(server.wait_end().code(), Some(0));
        socket.set_nonblocking(true).unwrap();
        assert!(socket.recv(&mut [0; 64]).is_err(), "nothing follows");
    }
}

#[test]
fn lame_duck_mode_is_life_and_not_yet_the_end() {
    let folder = Scratch::new();
    let path = folder.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let variables = [("NOTIFY_SOCKET", path.as_str()), ("WATCHDOG_USEC", "200000")];
    let mut server = Process::with_environment(&variables);
    let peer = Peer::connect(server.address());
    server.signal("USR2");
    server.wait_log("Entering lame duck mode");
    assert_eq!(told(&socket), "READY=1");
    for _ in 0..4 {
        assert_eq!(told(&socket), "WATCHDOG=1");
    }
    drop(peer);
    let last = std::iter::repeat_with(|| told(&socket)).find(|text| text != "WATCHDOG=1");
    assert_eq!(last.as_deref(), Some("STOPPING=1"));
    assert_eq!(server.wait_end().code(), Some(0));
}

#[test]
fn the_manager_hears_when_a_reload_begins_and_when_it_is_over_whatever_came_of_it() {
    let folder = Scratch::new();
    let (path, file) = (folder.path("notify"), folder.path("file.conf"));
    fs::write(&file, "").unwrap();
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let server = Process::start_in(&[("NOTIFY_SOCKET", &path)], &["-c", &file]);
    assert_eq!(told(&socket), "READY=1");
    for text in ["max_payload: 5", "nonsense"] {
        fs::write(&file, text).unwrap();
        server.signal("HUP");
        let reloading = told(&socket);
        let micros = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect(&reloading);
        assert!(micros.parse::<u64>().unwrap() > 0);
        assert_eq!(told(&socket), "READY=1");
    }
    server.wait_log("Reloaded server configuration");
    server.wait_log("Failed to reload server configuration");
}

#[test]
fn a_manager_that_is_not_there_is_a_warning() {
    let server = Process::with_environment(&[("NOTIFY_SOCKET", "/nonexistent/notify"), ("WATCHDOG_USEC", "1000")]);
    server.wait_log("[WRN] Cannot tell the service manager: no such file or directory");
    Bystanders::connect(server.address()).exchange();
    let server = Process::with_environment(&[("NOTIFY_SOCKET", "nonsense")]);
    server.wait_log("[WRN] Cannot reach the service manager: NOTIFY_SOCKET: ");
}

#[test]
fn a_passed_socket_is_listened_on() {
    for workers in ["1", "3"] {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        // One that came before the server is served too.
        let mut early = Peer::dial(address);
        let mut server = Process::with_socket(socket.into(), &["--workers", workers, "-a", "::1"]);
        assert_eq!(server.address(), address);
        server.wait_log("Using the listening socket of the service manager");
        let info = early.info();
        assert!(info.contains(&format!("\"host\":\"127.0.0.1\",\"port\":{}", address.port())), "{info}");
        Bystanders::connect(address).exchange();
        server.signal("TERM");
        assert_eq!(server.wait_end().code(), Some(0));
    }
}

#[test]
fn a_passed_socket_that_cannot_be_listened_on_is_fatal() {
    let folder = Scratch::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let cases: [(OwnedFd, &str); 4] = [
        (stream.into(), "passed descriptor 3 is not a listening socket"),
        (UnixListener::bind(folder.path("unix")).unwrap().into(), "passed descriptor 3 is not a TCP socket"),
        (UnixDatagram::unbound().unwrap().into(), "no stream socket among 1 passed descriptors"),
        (File::open("/dev/null").unwrap().into(), "no stream socket among 1 passed descriptors"),
    ];
    for (socket, reason) in cases {
        let output = run_to_end_with_socket(socket);
        assert_eq!(output.status.code(), Some(1), "{reason}");
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(log.contains(&format!("[FTL] Error listening on a passed socket: {reason}\n")), "{log}");
    }
}

#[test]
fn what_is_passed_to_another_process_is_not_ours() {
    let server = Process::with_environment(&[("LISTEN_PID", "1"), ("LISTEN_FDS", "1")]);
    Bystanders::connect(server.address()).exchange();
    assert!(!server.log().contains("service manager"), "{}", server.log());
}

#[test]
fn the_ports_file_stands_while_the_server_runs() {
    let folder = Scratch::new();
    let mut server = Process::start(&["--ports_file_dir", folder.folder().to_str().unwrap()]);
    let name = format!("midge_{}.ports", server.id());
    let text = fs::read_to_string(folder.path(&name)).unwrap();
    assert_eq!(files(&folder), [name]);
    assert_eq!(text, format!("{{\"nats\":[\"nats://{}\"]}}", server.address()));
    server.signal("INT");
    assert_eq!(server.wait_end().code(), Some(0));
    assert_eq!(files(&folder), [""; 0]);
}

#[test]
fn the_ports_file_of_a_wildcard_lists_addresses_that_can_be_reached() {
    let folder = Scratch::new();
    let server = Process::start(&["-a", "0.0.0.0", "--ports_file_dir", folder.folder().to_str().unwrap()]);
    let text = fs::read_to_string(folder.path(&format!("midge_{}.ports", server.id()))).unwrap();
    let ports: serde_json::Value = serde_json::from_str(&text).unwrap();
    let urls: Vec<&str> = ports["nats"].as_array().unwrap().iter().map(|url| url.as_str().unwrap()).collect();
    let loopback = SocketAddr::from(([127, 0, 0, 1], server.address().port()));
    assert!(urls.contains(&format!("nats://{loopback}").as_str()), "{text}");
}

#[test]
fn a_ports_file_that_cannot_be_written_is_no_reason_to_stop() {
    let mut server = Process::start(&["--ports_file_dir", "/nonexistent/folder"]);
    let path = format!("/nonexistent/folder/midge_{}.ports", server.id());
    let line = format!("[ERR] Error writing ports file ({path}): open {path}: no such file or directory");
    server.wait_log(&line);
    Bystanders::connect(server.address()).exchange();
    server.signal("TERM");
    assert_eq!(server.wait_end().code(), Some(0));
}

/// The next thing the manager is told.
fn told(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 64];
    let bytes = loop {
        match socket.recv(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            outcome => break outcome.expect("a word before the deadline"),
        }
    };
    String::from_utf8_lossy(&buffer[..bytes]).into_owned()
}

fn files(folder: &Scratch) -> Vec<String> {
    let entries = fs::read_dir(folder.folder()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
