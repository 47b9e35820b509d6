//! Other certificates, and TLS on and off, while the server runs.

use std::fs;

use super::peer::{Peer, dial, plain_info};
use super::support::certificates::{Certificates, dns};
use super::{Programs, write_config};

/// Whether a client that asks for this name is shown a certificate for it.
fn is_for(server: &super::Server, name: &str) -> bool {
    let mut stream = dial(server.process.address());
    plain_info(&mut stream);
    Peer::shake(stream, &server.certificates.client(None), name).is_ok()
}

#[test]
fn changed_files_are_taken_into_use_by_themselves() {
    Programs::Midge.check_with("", |server| {
        let mut before = Peer::connect(server.process.address(), &server.certificates.client(None));
        assert!(is_for(&server, "localhost") && !is_for(&server, "new.test"));
        server.certificates.issue("server", &[], &[dns("new.test")]);
        server.process.wait_log("[INF] Reloaded: tls certificates");
        assert!(is_for(&server, "new.test") && !is_for(&server, "localhost"));
        before.round_trip();
    });
}

#[test]
fn a_half_written_pair_is_logged_and_the_old_one_stays() {
    Programs::Midge.check_with("", |server| {
        server.certificates.issue("other", &[], &[dns("other.test")]);
        fs::copy(server.certificates.path("other.pem"), server.certificates.path("server.pem")).expect("a copy");
        server.process.wait_log("error parsing X509 certificate/key pair: tls: private key does not match public key");
        assert!(is_for(&server, "localhost"));
        fs::copy(server.certificates.path("other.key"), server.certificates.path("server.key")).expect("a copy");
        server.process.wait_log("[INF] Reloaded: tls certificates");
        assert!(is_for(&server, "other.test"));
        assert_eq!(server.process.log().matches("does not match public key").count(), 1);
    });
}

#[test]
fn a_reload_reads_the_files_anew() {
    Programs::Both.check_with("", |server| {
        server.certificates.issue("server", &[], &[dns("new.test")]);
        server.process.signal("HUP");
        server.process.wait_log("[INF] Reloaded server configuration");
        assert!(is_for(&server, "new.test"));
        fs::write(server.certificates.path("server.key"), "no key").expect("a write");
        server.process.signal("HUP");
        server.process.wait_log("Failed to reload server configuration");
        assert!(is_for(&server, "new.test"));
    });
}

#[test]
fn tls_goes_on_and_off_for_new_connections() {
    Programs::Both.check_with("", |server| {
        let mut secured = Peer::connect(server.process.address(), &server.certificates.client(None));
        fs::write(server.certificates.path("midge.conf"), "debug: true").expect("a write");
        server.process.signal("HUP");
        server.process.wait_log("[INF] Reloaded: tls = disabled");
        server.process.wait_log_times("[INF] Reloaded server configuration", 1);
        secured.round_trip();
        let mut stream = dial(server.process.address());
        let info = plain_info(&mut stream);
        assert!(!info.contains("tls_"), "{info}");
        write_config(&server.certificates, "", "");
        server.process.signal("HUP");
        server.process.wait_log("[INF] Reloaded: tls = enabled");
        server.process.wait_log_times("[INF] Reloaded server configuration", 2);
        Peer::connect(server.process.address(), &server.certificates.client(None)).round_trip();
        secured.round_trip();
    });
}

#[test]
fn the_end_of_a_certificate_is_warned_of() {
    let expired = |certificates: &Certificates| {
        certificates.issue_until("server", &[], &[dns("localhost")], (2020, 1, 1));
    };
    Programs::Midge.check("", "", expired, |server| {
        server.process.wait_log("[WRN] The TLS certificate of the server has expired");
    });
    Programs::Midge.check_with("", |server| {
        assert!(!server.process.log().contains("The TLS certificate of the server"));
    });
}
