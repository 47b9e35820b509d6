//! Where monitoring is served, and to whom.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::http::{Monitored, ask, connect, get};
use super::support::process::{Process, run_to_end};

/// A folder that goes with its test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("monitoring-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.0.join(name), text).unwrap();
        self.path(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_monitoring_port_opens_first_and_the_ports_file_tells_it() {
    let folder = Folder::new();
    let server = Monitored::start(&["--ports_file_dir", &folder.path("")]);
    let log = server.process.log();
    let place = |text: &str| log.find(text).unwrap_or_else(|| panic!("{text} in {log}"));
    assert!(place("Starting http monitor on 127.0.0.1:") < place("Listening for client connections on"), "{log}");
    let path = folder.path(&format!("midge_{}.ports", server.process.id()));
    let (client, http) = (server.process.address(), server.http);
    let expected = format!("{{\"nats\":[\"nats://{client}\"],\"monitoring\":[\"http://{http}\"]}}");
    assert_eq!(fs::read_to_string(path).unwrap(), expected);
    let varz = server.json("/varz");
    assert_eq!((varz["http_host"].as_str(), varz["http_port"].as_u64()), (Some("127.0.0.1"), Some(http.port().into())));
    assert_eq!(varz["port"].as_u64(), Some(client.port().into()));
}

#[test]
fn a_server_that_cannot_be_monitored_as_wanted_does_not_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, port) = (taken.local_addr().unwrap(), taken.local_addr().unwrap().port().to_string());
    for (args, text) in [
        (
            &["-m", &*port][..],
            format!("can't listen to the monitor port: listen tcp {address}: bind: address already in use"),
        ),
        (&["-m", "1", "-ms", "2"], "can't specify both HTTP (1) and HTTPs (2) ports".to_owned()),
        (&["-ms", "-1"], "TLS cert and key required for HTTPS".to_owned()),
    ] {
        let output = run_to_end(args);
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{log}");
        assert!(log.contains(&format!("[FTL] Can't start monitoring: {text}\n")), "{log}");
        assert!(!log.contains("Listening for client"), "{log}");
    }
}

#[test]
fn everything_moves_below_the_base_path() {
    let folder = Folder::new();
    let config = folder.write("c.conf", "http_base_path: mon/x\nserver_tags: [a, b]\nserver_metadata { c: d }\n");
    let server = Monitored::start(&["-c", &config]);
    let varz = server.json("/mon/x/varz");
    assert_eq!(varz["http_base_path"], "mon/x");
    assert_eq!(varz["tags"], serde_json::json!(["a", "b"]));
    assert_eq!(varz["metadata"], serde_json::json!({"c": "d"}));
    assert_eq!(varz["http_req_stats"], serde_json::json!({"/varz": 1}));
    let page = server.get("/mon/x");
    assert_eq!(page.header("Content-Type"), Some("text/html; charset=utf-8"));
    assert!(page.text().contains("<base href=\"./x/\">"), "its links are those below it");
    for target in ["/", "/varz", "/mon/x/", "/mon/xvarz", "/mon/x/nope", "/mon/x/VARZ", "/mon/x/varz/"] {
        let response = server.get(target);
        assert_eq!((response.status, response.text()), (404, "404 page not found\n"), "{target}");
    }
    let response = server.get("//mon/x/./varz?a=b");
    assert_eq!((response.status, response.header("Location")), (307, Some("/mon/x/varz?a=b")));
}

#[test]
fn an_own_address_a_token_and_a_password_are_kept_to() {
    let folder = Folder::new();
    let text = "http: '127.0.0.1:-1'\nhttp_token: s3cret\nhttp_user: me\nhttp_password: 'pass:word'\n";
    let config = folder.write("c.conf", text);
    let server = Monitored::of(Process::start(&["-a", "127.0.0.2", "-c", &config]));
    assert_eq!(
        (server.http.ip().to_string(), server.process.address().ip().to_string()),
        ("127.0.0.1".into(), "127.0.0.2".into())
    );
    for target in ["/", "/varz", "/healthz", "/nope"] {
        let response = server.get(target);
        assert_eq!((response.status, response.text()), (401, "401 unauthorized\n"), "{target}");
        assert!(response.header("WWW-Authenticate").unwrap().contains("Basic realm="), "{response:?}");
    }
    let with = |line: &str| {
        let request = format!("GET /varz HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: {line}\r\n\r\n");
        ask(connect(server.http), &request)
    };
    for line in ["Bearer s3cret", "Basic bWU6cGFzczp3b3Jk"] {
        let response = with(line);
        assert_eq!(response.status, 200, "{line}");
        assert!(!response.text().contains("s3cret") && !response.text().contains("pass:word"), "{}", response.text());
    }
    assert_eq!(with("Bearer s3cres").status, 401);
    // Another token by a reload.
    folder.write("c.conf", &text.replace("s3cret", "s3cres"));
    server.process.signal("HUP");
    let log = server.process.wait_log("Reloaded server configuration");
    assert!(log.contains("Reloaded: http_token = [REDACTED]") && !log.contains("s3cre"), "{log}");
    assert_eq!((with("Bearer s3cres").status, with("Bearer s3cret").status), (200, 401));
    folder.write("c.conf", &text.replace("-1'", "1'"));
    server.process.signal("HUP");
    server.process.wait_log("config reload not supported for HTTPPort: old=-1, new=1");
}

#[test]
fn a_unix_socket_will_do_without_a_port() {
    let folder = Folder::new();
    let socket = folder.path("s");
    // One that was left behind makes way.
    drop(UnixListener::bind(&socket).unwrap());
    let config = folder.write("c.conf", &format!("http_socket: '{socket}'\n"));
    let mut server = Process::start(&["-c", &config]);
    server.wait_log(&format!("Starting http monitor on {socket}"));
    let response =
        ask(UnixStream::connect(&socket).unwrap(), "GET /varz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_eq!(response.status, 200);
    let varz: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(varz["http_port"], 0);
    server.signal("TERM");
    server.wait_end();
    assert!(!Path::new(&socket).exists());
}

#[test]
fn a_connection_serves_one_request_after_the_other() {
    let server = Monitored::start(&[]);
    let mut stream = connect(server.http);
    let request = |method: &str, path: &str, more: &str| format!("{method} {path} HTTP/1.1\r\nHost: h\r\n{more}\r\n");
    let all = [
        request("GET", "/healthz", ""),
        request("HEAD", "/healthz", ""),
        request("POST", "/healthz", "Content-Length: 5\r\n") + "hello",
        request("DELETE", "/nope", ""),
        request("GET", "/healthz", "Connection: close\r\n"),
        request("GET", "/never", ""),
    ];
    // At once, and byte by byte.
    stream.write_all(all.concat().as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<&str> = text.split("HTTP/1.1 ").skip(1).map(|part| part.split("\r\n").next().unwrap()).collect();
    assert_eq!(lines, ["200 OK", "200 OK", "200 OK", "404 Not Found", "200 OK"], "{text}");
    assert_eq!(text.matches("{\"status\":\"ok\"}").count(), 3, "no body for HEAD: {text}");
    assert_eq!(text.matches("Content-Length: 15\r\n").count(), 4, "{text}");
    let mut stream = connect(server.http);
    for byte in all.concat().bytes() {
        stream.write_all(&[byte]).unwrap_or_default();
    }
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap().matches("HTTP/1.1 ").count(), 5);
}

#[test]
fn requests_that_make_no_sense_are_told_so() {
    let server = Monitored::start(&[]);
    for (request, status, body) in [
        ("GET /varz HTTP/1.1\r\n\r\n", 400, "400 Bad Request: missing required Host header"),
        ("CONNECT {}\r\nPING\r\n", 400, "400 Bad Request"),
        ("GET /varz HTTP/1.0\r\n\r\n", 200, ""),
    ] {
        let response = ask(connect(server.http), request);
        assert_eq!(response.status, status, "{request:?}");
        assert!(response.text() == body || body.is_empty(), "{request:?}: {}", response.text());
        assert_eq!(response.header("Connection"), Some("close"), "{request:?}");
        assert_eq!(response.head.starts_with("HTTP/1.0"), request.contains("HTTP/1.0"));
    }
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(10_000));
    assert_eq!(ask(connect(server.http), &long).status, 431);
    for (target, text) in [
        ("/connz?subs=zz", "Error decoding boolean for 'subs': strconv.ParseBool: parsing \"zz\": invalid syntax"),
        ("/connz?state=foo", "Error decoding state for foo"),
        ("/connz?sort=stop&state=any", "sort by stop only valid on closed connections"),
        (
            "/subsz?subs=detail",
            "Error decoding boolean for 'subs': strconv.ParseBool: parsing \"detail\": invalid syntax",
        ),
        ("/accountz?acc=ZZ", "Account ZZ does not exist"),
    ] {
        let response = get(server.http, target);
        assert_eq!((response.status, response.text()), (400, text), "{target}");
        assert_eq!(response.header("Content-Type"), Some("text/plain; charset=utf-8"));
    }
}
