//! How a server starts, and why it may not.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use super::bystanders::Bystanders;
use super::peer::Peer;
use super::scratch::Scratch;
use super::support::process::{Process, run_to_end};

#[test]
fn a_port_in_use_is_fatal() {
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = other.local_addr().unwrap().port();
    let output = run_to_end(&["-p", &port.to_string()]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"");
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.lines().next().unwrap_or_default().ends_with("[INF] Starting nats-server"), "{log}");
    let last = log.lines().last().unwrap_or_default();
    let line = format!(
        "[FTL] Error listening on port: 127.0.0.1:{port}, \"listen tcp 127.0.0.1:{port}: bind: address already in use\""
    );
    assert!(last.ends_with(&line), "{log}");
}

#[test]
fn an_address_that_is_none_of_ours_is_fatal() {
    // Addresses for documentation: no machine has them.
    for host in ["192.0.2.1", "2001:db8::1"] {
        let output = run_to_end(&["-a", host]);
        assert_eq!(output.status.code(), Some(1), "{host}");
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(log.contains("[FTL] Error listening on port: "), "{log}");
        assert!(log.contains(": bind: cannot assign requested address\""), "{log}");
    }
    let log = String::from_utf8(run_to_end(&["-a", "no.such.host.invalid", "-p", "1"]).stderr).unwrap();
    let line = "no.such.host.invalid:1, \"listen tcp: lookup no.such.host.invalid: no such host\"";
    assert!(log.contains(line), "{log}");
}

#[test]
fn wrong_arguments_are_told_in_one_line() {
    let cases: &[(&[&str], &str, i32)] = &[
        (&["--bogus"], "flag provided but not defined: -bogus", 2),
        (&["-p"], "flag needs an argument: -p", 2),
        (&["-p", "x"], "invalid value \"x\" for flag -p: parse error", 2),
        (&["-D=maybe"], "invalid boolean value \"maybe\" for -D: parse error", 2),
        (&["---p", "1"], "bad flag syntax: ---p", 2),
        (&["-p", "65536"], "port", 1),
        (&["--workers", "0"], "workers", 1),
        (&["nonsense"], "unrecognized command: \"nonsense\"", 1),
    ];
    for (args, told, code) in cases {
        let output = run_to_end(args);
        assert_eq!(output.status.code(), Some(*code), "{args:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(told), "{text:?} does not tell {told:?}");
    }
}

#[test]
fn the_pid_file_holds_digits_and_stays() {
    let folder = Scratch::new();
    let file = folder.path("pid");
    let mut server = Process::start(&["-P", &file]);
    assert_eq!(fs::read_to_string(&file).unwrap(), server.id().to_string());
    server.signal("TERM");
    assert_eq!(server.wait_end().code(), Some(0));
    assert!(fs::exists(&file).unwrap());
    // Another server takes it over.
    let next = Process::start(&["-P", &file]);
    assert_eq!(fs::read_to_string(&file).unwrap(), next.id().to_string());
}

#[test]
fn a_pid_file_that_cannot_be_written_is_fatal() {
    let output = run_to_end(&["-P", "/nonexistent/folder/midge.pid"]);
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("[FTL] Could not write pidfile: "), "{log}");
}

#[test]
fn the_unspecified_ipv6_address_takes_both_families() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        println!("NOT RUN: there is no IPv6 on this machine");
        return;
    }
    for workers in ["1", "3"] {
        let server = Process::start(&["-a", "::", "--workers", workers]);
        let port = server.address().port();
        for host in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
            Bystanders::connect(SocketAddr::new(host, port)).exchange();
        }
        let mut six = Peer::connect(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port));
        six.subscribe("both");
        let mut four = Peer::connect(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
        four.publish("both", b"from the other family");
        six.expect_message("both", b"from the other family");
    }
}
