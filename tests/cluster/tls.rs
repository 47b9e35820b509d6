//! Routes with TLS.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use rcgen::SanType;
use rustls::pki_types::ServerName;
use rustls::version::TLS12;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::client::DEADLINE;
use super::members::{Member, Raw, exchange, file, pairs, routes, until};
use super::node::{Folder, Kind};
use super::support::certificates::{Certificates, dns};
use super::support::process::run_to_end;

/// The block `tls` with one of the certificates.
fn tls(certificates: &Certificates, name: &str, more: &str) -> String {
    let [pem, key, ca] =
        [format!("{name}.pem"), format!("{name}.key"), "ca.pem".to_owned()].map(|file| certificates.text(&file));
    format!("tls {{ cert_file: '{pem}', key_file: '{key}', ca_file: '{ca}'\n{more} }}\n")
}

/// A handshake from outside, with one of the certificates or none: the first line of the server, if it gets that far.
fn first_line(address: SocketAddr, config: &Arc<ClientConfig>) -> Option<(String, Vec<u8>)> {
    let stream = TcpStream::connect(address).expect("the server takes connections");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let engine = ClientConnection::new(Arc::clone(config), name).expect("an engine");
    let mut stream = StreamOwned::new(engine, stream);
    let mut line = Vec::new();
    let mut byte = [0];
    while line.last() != Some(&b'\n') {
        match stream.read(&mut byte) {
            Ok(1) => line.push(byte[0]),
            _ => return None,
        }
    }
    let shown = stream.conn.peer_certificates()?.first()?.to_vec();
    Some((String::from_utf8(line).expect("a text"), shown))
}

#[test]
fn servers_with_certificates_form_a_cluster() {
    for (dialling, dialled) in pairs() {
        let certificates = Certificates::new();
        let with_tls = tls(&certificates, "server", "");
        let there = Member::start(dialled, "there", &with_tls);
        let here = Member::start(dialling, "here", &(with_tls.clone() + &routes(&[there.url()])));
        here.wait_servers(2);
        exchange(&here.node, &there.node);
        if dialling == Kind::Midge {
            here.wait_log("Starting TLS route client handshake");
            here.wait_log("TLS handshake complete");
        }
        if dialled == Kind::Midge {
            there.wait_log("Starting TLS route server handshake");
            there.wait_log("TLS handshake complete");
        }
        // Large messages are many records, in both directions.
        let (mut from, mut to) = (here.node.client(), there.node.client());
        to.subscribe("large");
        to.known_to(&mut from);
        let payload = "x".repeat(900_000);
        for _ in 0..5 {
            from.publish("large", &payload);
        }
        for _ in 0..5 {
            assert!(to.message().payload == payload);
        }
    }
}

#[test]
fn the_handshake_comes_first_and_shows_who_the_peer_is() {
    let certificates = Certificates::new();
    let there = Member::start(Kind::Midge, "there", &tls(&certificates, "server", "min_version: \"1.3\""));
    let mut silent = Raw::dial(there.node.routes);
    silent.expect_silence();
    let (info, _) = first_line(there.node.routes, &certificates.client(Some("server"))).expect("an INFO");
    assert!(info.starts_with("INFO {") && info.contains("\"tls_required\":true,\"tls_verify\":true"), "{info}");
    assert_eq!(first_line(there.node.routes, &certificates.client(None)), None);
    there.wait_log("TLS route handshake error: tls: client didn't provide a certificate");
    let others = Certificates::new();
    for file in ["server.pem", "server.key"] {
        std::fs::copy(others.path(file), certificates.path(&format!("stranger{}", &file[6..]))).expect("a copy");
    }
    assert_eq!(first_line(there.node.routes, &certificates.client(Some("stranger"))), None);
    assert_eq!(first_line(there.node.routes, &certificates.client_of(Some("server"), &[&TLS12])), None);
    there.wait_log("TLS route handshake error: tls: client offered only unsupported versions");
    // One that is configured without TLS.
    let mut plain = Raw::dial(there.node.routes);
    plain.send("CONNECT {\"cluster\":\"C1\"}\r\n");
    assert!(!plain.rest().contains("INFO"));
    there.wait_log("TLS route handshake error: tls: first record does not look like a TLS handshake");
    there.wait_log("TLS route handshake error: i/o timeout");
    silent.rest();
}

#[test]
fn the_server_that_is_dialled_must_be_the_host_of_the_route() {
    for dialled in pairs().into_iter().filter(|(dialling, _)| *dialling == Kind::Midge).map(|(_, dialled)| dialled) {
        let certificates = Certificates::new();
        certificates.issue("named", &[], &[dns("localhost")]);
        certificates.issue("other", &[], &[dns("other.test"), SanType::IpAddress([127, 0, 0, 9].into())]);
        let there = Member::start(dialled, "there", &tls(&certificates, "other", ""));
        let port = there.node.routes.port();
        let by = |url: String| tls(&certificates, "server", "") + &routes(&[url]);
        for host in ["127.0.0.1", "localhost"] {
            let here = Member::start(Kind::Midge, "here", &by(format!("nats://{host}:{port}")));
            here.wait_log("TLS route handshake error: tls: invalid peer certificate: certificate not valid for name");
            // It is dialled again and again.
            here.node.process.wait_log_times("TLS route handshake error", 2);
            here.wait_log("Error trying to connect to route");
            assert_eq!(here.count("TLS handshake complete"), 0);
        }
        let there = Member::start(dialled, "there", &tls(&certificates, "named", ""));
        let here = Member::start(Kind::Midge, "here", &by(format!("nats://localhost:{}", there.node.routes.port())));
        here.wait_servers(2);
    }
}

#[test]
fn a_file_that_cannot_be_used_is_told_before_the_start() {
    let certificates = Certificates::new();
    let block = tls(&certificates, "server", "");
    let folder = Folder::new();
    for (block, is_good) in [(block.clone(), true), (block.replace("ca.pem", "missing.pem"), false)] {
        let path = folder.write("server.conf", &file("here", &block));
        let output = run_to_end(&["-t", "-c", &path]);
        assert_eq!(output.status.success(), is_good, "{output:?}");
        let told = String::from_utf8_lossy(&output.stderr).contains("cluster: open ");
        assert_eq!(told, !is_good, "{output:?}");
    }
}

#[test]
fn a_server_of_another_authority_is_not_trusted() {
    let (certificates, others) = (Certificates::new(), Certificates::new());
    let there = Member::start(Kind::Midge, "there", &tls(&others, "server", ""));
    let here = Member::start(Kind::Midge, "here", &(tls(&certificates, "server", "") + &routes(&[there.url()])));
    here.wait_log("TLS route handshake error: tls: invalid peer certificate: UnknownIssuer");
    there.wait_log("TLS route handshake error: remote error: tls: unknown certificate authority");
}

#[test]
fn a_server_that_others_told_of_may_have_a_certificate_for_a_configured_host() {
    for (seed, third) in pairs() {
        let certificates = Certificates::new();
        certificates.issue("named", &[], &[dns("localhost")]);
        let with_tls = tls(&certificates, "named", "");
        let seed = Member::start(seed, "seed", &with_tls);
        let known = with_tls + &routes(&[format!("nats://localhost:{}", seed.node.routes.port())]);
        let second = Member::start(Kind::Midge, "second", &known);
        second.wait_servers(2);
        let third = Member::start(third, "third", &known);
        for member in [&seed, &second, &third] {
            member.wait_servers(3);
        }
        exchange(&second.node, &third.node);
    }
}

#[test]
fn only_pinned_keys_are_peers_at_either_end() {
    let certificates = Certificates::new();
    for name in ["one", "two"] {
        certificates.issue(name, &[], &[SanType::IpAddress([127, 0, 0, 1].into())]);
    }
    let pinned = |name: &str| format!("pinned_certs: ['{}']", certificates.pin(name));
    for (dialling, dialled) in pairs() {
        let there = Member::start(dialled, "there", &tls(&certificates, "one", &pinned("two")));
        let at = routes(&[there.url()]);
        let here = Member::start(dialling, "here", &(tls(&certificates, "two", &pinned("one")) + &at));
        here.wait_servers(2);
        // The key of another one, at that end and at this.
        let wrong = Member::start(dialling, "wrong", &(tls(&certificates, "one", &pinned("one")) + &at));
        until("refused there", || there.count("not pinned") > 0);
        assert_eq!(wrong.node.client().urls(), [""; 0]);
        let wrong = Member::start(dialling, "wrong", &(tls(&certificates, "two", &pinned("two")) + &at));
        until("refused here", || wrong.count("not pinned") > 0);
        assert_eq!(wrong.node.client().urls(), [""; 0]);
    }
}

#[test]
fn a_peer_that_says_nothing_is_given_up_and_dialled_again() {
    let certificates = Certificates::new();
    let mute = TcpListener::bind("127.0.0.1:0").expect("a port");
    mute.set_nonblocking(true).expect("a socket that does not block");
    let url = format!("nats://{}", mute.local_addr().expect("an address"));
    let here = Member::start(Kind::Midge, "here", &(tls(&certificates, "server", "timeout: 0.3") + &routes(&[url])));
    for _ in 0..3 {
        let mut dialled = None;
        until("dialled", || {
            dialled = mute.accept().ok();
            dialled.is_some()
        });
        let (mut stream, _) = dialled.expect("a dial");
        stream.set_nonblocking(false).expect("a blocking socket");
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        let mut first = [0];
        stream.read_exact(&mut first).expect("a first byte");
        assert_eq!(first, [0x16], "a handshake begins");
    }
    here.wait_log("TLS route handshake error: i/o timeout");
}

#[test]
fn changed_files_are_for_new_routes_and_disturb_no_old_one() {
    let certificates = Certificates::new();
    let with_tls = tls(&certificates, "server", "");
    let there = Member::start(Kind::Midge, "there", &with_tls);
    let mut here = Member::start(Kind::Midge, "here", &(with_tls.clone() + &routes(&[there.url()])));
    here.wait_servers(2);
    let shown = || first_line(there.node.routes, &certificates.client(Some("server"))).expect("a line").1;
    let before = shown();
    certificates.issue("server", &[], &[dns("localhost"), SanType::IpAddress([127, 0, 0, 1].into())]);
    there.wait_log("[INF] Reloaded: tls certificates");
    let after = shown();
    assert_ne!(before, after);
    here.wait_log("[INF] Reloaded: tls certificates");
    certificates.issue("server", &[], &[dns("localhost"), SanType::IpAddress([127, 0, 0, 1].into())]);
    here.reload(&(with_tls.clone() + &routes(&[there.url()])));
    there.node.process.signal("HUP");
    until("another one", || shown() != after);
    exchange(&here.node, &there.node);
    // Those that were there, beside the handshakes from outside.
    assert_eq!(here.count("Router connection closed"), 0);
    // What cannot be used is not taken.
    std::fs::write(certificates.path("server.key"), "no key").expect("a write");
    there.node.process.signal("HUP");
    there.wait_log("Failed to reload server configuration: cluster: error parsing X509 certificate/key pair");
    exchange(&here.node, &there.node);
}

#[test]
fn routes_get_tls_by_a_reload() {
    let certificates = Certificates::new();
    let with_tls = tls(&certificates, "server", "");
    let mut there = Member::start(Kind::Midge, "there", "");
    let at = routes(&[there.url()]);
    let mut here = Member::start(Kind::Midge, "here", &at);
    here.wait_servers(2);
    there.reload(&with_tls);
    exchange(&here.node, &there.node);
    // Only one of the two has it now, and then both.
    let third = Member::start(Kind::Midge, "third", &at);
    third.node.process.wait_log_times("Router connection closed", 2);
    here.reload(&(with_tls.clone() + &at));
    let fourth = Member::start(Kind::Midge, "fourth", &(with_tls + &at));
    fourth.wait_servers(3);
    assert_eq!(fourth.node.complaints(), [""; 0]);
}
