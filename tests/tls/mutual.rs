//! Clients with certificates.

use std::io::Read;

use rcgen::DnType;
use rustls::version::{TLS12, TLS13};

use super::peer::{Peer, dial, plain_info};
use super::support::certificates::{Certificates, dns};
use super::{Programs, Server};

const VERIFY: &str = "ca_file: 'CERTS/ca.pem', verify: true";

fn joe(certificates: &Certificates) {
    certificates.issue("joe", &[(DnType::CommonName, "joe")], &[dns("joe.test")]);
}

/// Whether a client gets as far as an answer.
fn gets_in(server: &Server, config: &std::sync::Arc<rustls::ClientConfig>) -> bool {
    let Ok(mut peer) = Peer::secure(server.process.address(), config) else { return false };
    // With 1.3 the client has done its part before the server looks at its certificate.
    let mut pong = [0; 6];
    peer.send_anyhow(b"CONNECT {\"verbose\":false}\r\nPING\r\n")
        && peer.read_exact(&mut pong).is_ok()
        && &pong == b"PONG\r\n"
}

#[test]
fn a_certificate_of_the_authority_is_demanded() {
    Programs::Both.check(VERIFY, "", joe, |server| {
        let mut stream = dial(server.process.address());
        let info = plain_info(&mut stream);
        assert!(info.contains("\"tls_required\":true,\"tls_verify\":true"), "{info}");
        let others = Certificates::new();
        joe(&others);
        for version in [&TLS13, &TLS12] {
            let versions = [version];
            assert!(gets_in(&server, &server.certificates.client_of(Some("joe"), &versions)));
            assert!(!gets_in(&server, &server.certificates.client_of(None, &versions)));
        }
        server.process.wait_log("TLS handshake error: tls: client didn't provide a certificate");
        // One of another authority of the same shape.
        std::fs::copy(others.path("joe.pem"), server.certificates.path("stranger.pem")).expect("a copy");
        std::fs::copy(others.path("joe.key"), server.certificates.path("stranger.key")).expect("a copy");
        for version in [&TLS13, &TLS12] {
            assert!(!gets_in(&server, &server.certificates.client_of(Some("stranger"), &[version])));
        }
        server.process.wait_log_times("Client connection closed: TLS Handshake Failure", 4);
    });
}

#[test]
fn resumed_sessions_keep_their_certificate() {
    Programs::Both.check(VERIFY, "", joe, |server| {
        let config = server.certificates.client(Some("joe"));
        for _ in 0..3 {
            assert!(gets_in(&server, &config));
        }
    });
}

#[test]
fn an_expired_certificate_is_refused() {
    let prepare = |certificates: &Certificates| certificates.issue_until("old", &[], &[dns("old.test")], (2020, 1, 1));
    Programs::Both.check(VERIFY, "", prepare, |server| {
        assert!(!gets_in(&server, &server.certificates.client(Some("old"))));
        server.process.wait_log("TLS handshake error: tls: ");
    });
}

#[test]
fn the_certificate_says_which_user_the_client_is() {
    let users = "authorization { users: [ {user: 'CN=joe,O=Acme', permissions: {publish: may}}, {user: 'jim.test'}, \
                 {user: 'joe.test', password: secret}, {user: other} ] }";
    let prepare = |certificates: &Certificates| {
        let subject = [(DnType::OrganizationName, "Acme"), (DnType::CommonName, "joe")];
        certificates.issue("by-subject", &subject, &[]);
        certificates.issue("by-name", &subject, &[dns("jim.test")]);
        certificates.issue("with-password", &[], &[dns("joe.test")]);
        certificates.issue("nobody", &[(DnType::CommonName, "other")], &[dns("nobody.test")]);
    };
    Programs::Both.check("ca_file: 'CERTS/ca.pem', verify_and_map: true", users, prepare, |server| {
        let talk = |name: &str, connect: &str| {
            let config = server.certificates.client(Some(name));
            let mut peer = Peer::secure(server.process.address(), &config).expect("a handshake");
            peer.send(format!("CONNECT {{\"verbose\":false{connect}}}\r\nPUB not 0\r\n\r\nPING\r\n"));
            peer.line()
        };
        let violation = "-ERR 'Permissions Violation for Publish to \"not\"'";
        assert_eq!(talk("by-subject", ""), violation);
        assert_eq!(talk("by-name", ""), "PONG");
        // The name that the client gives does not count, and is warned of.
        assert_eq!(talk("by-subject", ",\"user\":\"other\""), violation);
        server.process.wait_log("[WRN]");
        server.process.wait_log("User \"other\" found in connect proto, but user required from cert");
        let refused = "-ERR 'Authorization Violation'";
        assert_eq!(talk("nobody", ""), refused);
        assert_eq!(talk("nobody", ",\"user\":\"other\""), refused);
        assert_eq!(talk("with-password", ""), refused);
        assert_eq!(talk("with-password", ",\"pass\":\"secret\""), "PONG");
        assert_eq!(talk("by-name", ",\"pass\":\"secret\""), refused);
    });
}

#[test]
fn only_pinned_keys_come_in() {
    let certificates = Certificates::new();
    joe(&certificates);
    certificates.issue("jim", &[], &[dns("jim.test")]);
    let pin = certificates.pin("joe");
    let more = format!("ca_file: 'CERTS/ca.pem', verify: true, pinned_certs: ['{pin}']");
    let config = super::write_config(&certificates, &more, "");
    let mut programs = vec![None];
    programs.extend(super::support::reference_path().map(Some));
    for program in programs {
        let args = ["-D", "-c", &config];
        let process = match &program {
            None => super::Process::start(&args),
            Some(program) => super::Process::start_program(program, &args),
        };
        let copy = |name: &str| certificates.client(Some(name));
        let configs = [copy("joe"), copy("jim")];
        let server = Server { certificates: Certificates::new(), process };
        assert_eq!(configs.map(|config| gets_in(&server, &config)), [true, false]);
    }
}
