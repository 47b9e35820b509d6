//! Monitoring where there is TLS.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rcgen::DnType;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::{Value, json};

use super::http::{Monitored, ask, connect, response};
use super::support::certificates::Certificates;
use super::support::process::Process;
use super::support::reference_path;

const REQUEST: &str = "Host: h\r\nConnection: close\r\n\r\n";

fn secure(stream: TcpStream, config: &Arc<ClientConfig>) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::clone(config), name).unwrap(), stream)
}

/// A document over HTTPS.
fn get(address: SocketAddr, config: &Arc<ClientConfig>, target: &str) -> Value {
    let response = ask(secure(connect(address), config), &format!("GET {target} HTTP/1.1\r\n{REQUEST}"));
    assert_eq!(response.status, 200, "{target}: {response:?}");
    serde_json::from_slice(&response.body).unwrap()
}

/// A NATS client that begins TLS before it has its INFO.
fn client_first(address: SocketAddr, config: &Arc<ClientConfig>) -> StreamOwned<ClientConnection, TcpStream> {
    let mut stream = secure(connect(address), config);
    stream.write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n").unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(b"PONG\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        heard.extend(byte);
    }
    stream
}

/// A NATS client over TLS that is there once this returns.
fn client(address: SocketAddr, config: &Arc<ClientConfig>) -> StreamOwned<ClientConnection, TcpStream> {
    let stream = connect(address);
    let mut info = String::new();
    let mut reader = BufReader::with_capacity(1, stream.try_clone().unwrap());
    reader.read_line(&mut info).unwrap();
    assert!(info.contains("\"tls_required\":true"), "{info}");
    let mut stream = secure(stream, config);
    stream.write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n").unwrap();
    let mut pong = [0; 6];
    stream.read_exact(&mut pong).unwrap();
    assert_eq!(&pong, b"PONG\r\n");
    stream
}

/// A server with TLS whose clients need a certificate, and monitoring as `flag` says.
fn start(certificates: &Certificates, program: Option<&std::path::Path>, flag: &str) -> Monitored {
    let (authority, flags) = (certificates.text("ca.pem"), certificates.flags());
    let mut args: Vec<&str> = flags.iter().map(String::as_str).collect();
    args.extend(["--tlsverify", "--tlscacert", &authority, flag, "-1"]);
    let process = match program {
        Some(program) => Process::start_program(program, &args),
        None => Process::start(&args),
    };
    Monitored::of(process)
}

#[test]
fn documents_come_over_tls_too_and_ask_for_no_certificate() {
    let certificates = Certificates::new();
    let server = start(&certificates, None, "-ms");
    server.process.wait_log("Starting https monitor on 127.0.0.1:");
    let (bare, known) = (certificates.client(None), certificates.client(Some("server")));
    let varz = get(server.http, &bare, "/varz");
    assert_eq!((&varz["http_port"], &varz["https_port"]), (&json!(0), &json!(server.http.port())));
    assert_eq!((&varz["tls_required"], &varz["tls_verify"]), (&json!(true), &json!(true)));
    assert_eq!(varz["tls_cert_not_after"], "2070-01-01T00:00:00Z");
    let _client = client(server.process.address(), &known);
    let connz = get(server.http, &bare, "/connz");
    assert_eq!(connz["connections"][0]["tls_version"], "1.3", "{connz:#}");
    // One connection, several requests, and a document that is much longer than what a socket takes at once.
    let mut many = client(server.process.address(), &known);
    let subs: String = (0..30_000).map(|sub| format!("SUB a.long.subject.to.subscribe.{sub} {sub}\r\n")).collect();
    many.write_all((subs + "PING\r\n").as_bytes()).unwrap();
    many.read_exact(&mut [0; 6]).unwrap();
    let mut stream = secure(connect(server.http), &bare);
    let requests = [
        "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(),
        format!("GET /connz?subs=detail HTTP/1.1\r\n{REQUEST}"),
    ];
    stream.write_all(requests.concat().as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an end in order");
    let at = bytes.windows(9).rposition(|window| window == b"HTTP/1.1 ").unwrap();
    let long: Value = serde_json::from_slice(&response(&bytes[at..]).body).unwrap();
    assert_eq!(long["connections"][1]["subscriptions_list_detail"].as_array().unwrap().len(), 30_000);
    // Somebody who does not speak TLS is told so.
    let plain = ask(connect(server.http), "GET /varz HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!((plain.status, plain.text()), (400, "Client sent an HTTP request to an HTTPS server.\n"));
    let metrics = ask(secure(connect(server.http), &bare), &format!("GET /metrics HTTP/1.1\r\n{REQUEST}"));
    assert!(metrics.text().contains("\nmidge_certificate_end_seconds 3155760000\n"), "{}", metrics.text());
}

#[test]
fn what_is_shown_of_tls_is_what_the_official_server_shows() {
    let Some(program) = reference_path() else { return };
    let certificates = Certificates::new();
    let subject = [
        (DnType::CountryName, "DE"),
        (DnType::OrganizationName, "Acme, Inc. <west>"),
        (DnType::OrganizationalUnitName, "garden"),
        (DnType::CommonName, "#1 caf\u{e9} "),
        (DnType::CustomDnType(vec![0, 9, 2342, 19_200_300, 100, 1, 25]), "example_com"),
    ];
    certificates.issue("client", &subject, &[]);
    for name in ["client", "server"] {
        let known = certificates.client(Some(name));
        let shown = |program| {
            let server = start(&certificates, program, "-m");
            let _client = client(server.process.address(), &known);
            let varz = server.json("/varz");
            let varz = ["tls_required", "tls_verify", "tls_timeout", "tls_cert_not_after", "https_port"]
                .map(|name| varz[name].clone());
            let fields = ["tls_version", "tls_cipher_suite", "tls_peer_certs", "tls_first"];
            let connz = ["/connz", "/connz?auth=1"].map(|target| server.json(target)["connections"][0].clone());
            (varz, connz.map(|connection| fields.map(|name| connection[name].clone())))
        };
        let ours = shown(None);
        assert_eq!(ours.1[1][2][0]["spki_sha256"].as_str().map(str::len), Some(64), "{ours:?}");
        assert_eq!(ours, shown(Some(&program)));
    }
}

#[test]
fn a_handshake_that_came_first_is_shown_as_by_the_official_server() {
    let Some(program) = reference_path() else { return };
    let certificates = Certificates::new();
    let known = certificates.client(Some("server"));
    let folder = super::access::Folder::new();
    let (certificate, key) = (certificates.text("server.pem"), certificates.text("server.key"));
    for (first, is_first) in [("true", true), ("'5s'", true), ("'50ms'", false), ("false", false)] {
        let tls = format!("tls {{ cert_file: '{certificate}', key_file: '{key}', handshake_first: {first} }}\n");
        let config = folder.write("c.conf", &tls);
        let shown = |server: Monitored| {
            let start = if is_first { client_first } else { client };
            let _client = start(server.process.address(), &known);
            server.json("/connz")["connections"][0]["tls_first"].clone()
        };
        let args = ["-m", "-1", "-c", &config];
        let (ours, theirs) = (Process::start(&args), Process::start_program(&program, &args));
        let ours = shown(Monitored::of(ours));
        assert_eq!(ours, shown(Monitored::of(theirs)), "{first}");
        assert_eq!(ours == json!(true), is_first, "{first}");
    }
}
