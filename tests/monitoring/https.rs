//! Monitoring where there is TLS.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

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
    let known = certificates.client(Some("server"));
    let shown = |program| {
        let server = start(&certificates, program, "-m");
        let _client = client(server.process.address(), &known);
        let varz = server.json("/varz");
        let varz = ["tls_required", "tls_verify", "tls_timeout", "tls_cert_not_after", "https_port"]
            .map(|name| varz[name].clone());
        let connection = server.json("/connz")["connections"][0].clone();
        (varz, ["tls_version", "tls_cipher_suite"].map(|name| connection[name].clone()))
    };
    assert_eq!(shown(None), shown(Some(&program)));
}
