//! Users, while others are served: passwords that take long to check, and a reload that changes who may do what.

use std::fs;

use super::bystanders::Bystanders;
use super::peer::Peer;
use super::scratch::Scratch;
use super::support::process::Process;
use super::with_each_worker_count;

/// The password `foo`, with about a quarter of a second of work.
const HASH: &str = "$2b$12$......................";

const VIOLATION: &[u8] = b"-ERR 'Authorization Violation'\r\n";

fn connect(name: &str, password: &str) -> String {
    format!("CONNECT {{\"verbose\":false,\"user\":\"{name}\",\"pass\":\"{password}\"}}\r\n")
}

fn log_in(server: &Process, name: &str, password: &str) -> Peer {
    let mut peer = Peer::open(server.address());
    peer.send(connect(name, password));
    peer.round_trip();
    peer
}

#[test]
fn nobody_waits_for_a_password_that_is_being_checked() {
    let folder = Scratch::new();
    let path = folder.path("c.conf");
    let users = format!("{{user: slow, password: \"{HASH}{}\"}}, {{user: quick, password: p}}", "x".repeat(31));
    fs::write(&path, format!("authorization {{ users: [{users}] }}")).unwrap();
    let server = Process::start(&["-c", &path, "--workers", "1", "-D"]);
    let mut quick = log_in(&server, "quick", "p");
    let slow: Vec<Peer> = (0..4)
        .map(|_| {
            let mut peer = Peer::open(server.address());
            peer.send(connect("slow", "foo"));
            peer
        })
        .collect();
    // Each answer comes while all of them are still waiting: the log has no word of a refusal yet.
    for _ in 0..100 {
        quick.round_trip();
    }
    assert!(!server.log().contains("authentication error"), "{}", server.log());
    for mut peer in slow {
        assert_eq!(peer.rest(), VIOLATION);
    }
    quick.round_trip();
}

#[test]
fn a_reload_changes_users_and_permissions_and_loses_nothing_else() {
    with_each_worker_count(|workers| {
        let folder = Scratch::new();
        let path = folder.path("c.conf");
        let write = |users: &str| {
            let all = "{user: all}";
            fs::write(&path, format!("no_auth_user: all, authorization {{ users: [{all}, {users}] }}")).unwrap();
        };
        write("{user: a, pass: x}, {user: b, pass: x}, {user: c, pass: x}");
        let server = Process::start(&["-c", &path, "--workers", &workers.to_string()]);
        let busy = Bystanders::connect(server.address()).keep_busy();
        let (mut a, mut b, mut c) = (log_in(&server, "a", "x"), log_in(&server, "b", "x"), log_in(&server, "c", "x"));
        c.send("SUB foo 1\r\nSUB bar 2\r\n");
        c.round_trip();
        write("{user: b, pass: y}, {user: c, pass: x, permissions: {sub: foo, pub: foo}}");
        server.signal("HUP");
        server.wait_log_times("Reloaded server configuration", 1);
        assert!(server.log().contains("Reloaded: authorization users"));
        assert_eq!(a.rest(), b"");
        assert_eq!(b.rest(), VIOLATION);
        c.expect_line("-ERR 'Permissions Violation for Subscription to \"bar\" (sid \"2\")'");
        c.send("PUB bar 0\r\n\r\nPUB foo 0\r\n\r\n");
        c.expect_line("-ERR 'Permissions Violation for Publish to \"bar\"'");
        c.expect_message("foo", b"");
        server.wait_log("Removed sub \"bar\" (sid \"2\") for User \"c\" - not authorized");
        log_in(&server, "b", "y");
        busy.stop().exchange();
    });
}

#[test]
fn secrets_of_the_command_line_are_not_in_the_log() {
    let server = Process::start(&["--user", "u", "--pass", "s3cret", "-DV"]);
    log_in(&server, "u", "s3cret");
    let mut peer = Peer::open(server.address());
    peer.send(connect("u", "0ther"));
    assert_eq!(peer.rest(), VIOLATION);
    server.wait_log("authentication error - User \"u\"");
    server.wait_log("Plaintext passwords detected, use nkeys or bcrypt");
    assert!(!server.log().contains("s3cret") && !server.log().contains("0ther"), "{}", server.log());
}

#[test]
fn of_user_and_token_on_the_command_line_the_token_counts() {
    let server = Process::start(&["--user", "u", "--pass", "p", "--auth", "t"]);
    let mut peer = Peer::open(server.address());
    peer.send("CONNECT {\"verbose\":false,\"auth_token\":\"t\"}\r\n");
    peer.round_trip();
    let mut peer = Peer::open(server.address());
    peer.send(connect("u", "p"));
    assert_eq!(peer.rest(), VIOLATION);
}
