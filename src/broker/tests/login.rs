//! Saying who one is.

use super::world::World;
use crate::config::authorization::{Login, User};
use crate::config::{Options, lang};
use crate::log::Log;
use crate::wire::{Secret, base64};
use std::path::Path;
use std::sync::Arc;

pub const VIOLATION: &str = "-ERR 'Authorization Violation'\r\n";

/// What a configuration file with this text says.
pub fn options(text: &str) -> Options {
    let outside = lang::Outside { variable: &|_| None, file: &|_| Ok(text.as_bytes().to_vec()) };
    let mut options = Options::default();
    crate::config::file::read(Path::new("c.conf"), &mut options, &outside).unwrap();
    options.check().unwrap();
    options
}

pub fn world(text: &str) -> World {
    World::new(2, options(text), Log::quiet(), 7)
}

/// A connection that sends `text` after it was greeted.
pub fn say_first(world: &mut World, text: &str) -> (usize, String) {
    let peer = world.accept(0);
    assert!(world.hear(peer).starts_with("INFO "));
    world.say(peer, text);
    (peer, world.hear(peer))
}

pub fn connect(credentials: &str) -> String {
    format!("CONNECT {{\"verbose\":false,\"pedantic\":false,\"protocol\":1{credentials}}}\r\nPING\r\n")
}

/// The hash of a password, cheap to check.
fn hash(password: &str) -> String {
    let digest = bcrypt::bcrypt(4, [7; 16], format!("{password}\0").as_bytes());
    let (salt, digest) = (base64::encode(&[7; 16], base64::BCRYPT), base64::encode(&digest[..23], base64::BCRYPT));
    format!("$2a$04${salt}{digest}")
}

fn hashed() -> World {
    let user = |name: &str, password: &str| User {
        login: Login::Password(name.into(), Secret::from(hash(password))),
        permissions: None,
        is_standard: true,
    };
    let mut options = Options::default();
    options.authorization.users = Some(Arc::new(vec![user("a", "1"), user("b", "2")]));
    World::new(2, options, Log::quiet(), 7)
}

#[test]
fn the_first_word_is_connect() {
    for first in ["PING\r\n", "SUB a 1\r\n", "\r\n", "x", "PUB a 1\r\nx\r\n"] {
        let mut world = world("authorization { token: t }");
        assert_eq!(say_first(&mut world, first).1, VIOLATION, "{first:?}");
    }
    let mut world = world("authorization { token: t }");
    assert_eq!(say_first(&mut world, "COX").1, "-ERR 'Unknown Protocol Operation'\r\n");
    let (peer, answer) = say_first(&mut world, "connect {\"auth_token\":\"t\"}\r\n");
    assert_eq!(answer, "+OK\r\n");
    world.say(peer, "PING\r\n");
    assert_eq!(world.hear(peer), "PONG\r\n");
}

#[test]
fn an_info_says_what_is_asked() {
    let mut open = world("");
    let peer = open.accept(0);
    let info = open.hear(peer);
    assert!(!info.contains("auth_required") && !info.contains("nonce"), "{info}");
    let mut asking = world("authorization { token: t }");
    let peer = asking.accept(0);
    let info = asking.hear(peer);
    assert!(info.contains("\"auth_required\":true") && !info.contains("nonce"), "{info}");
    let mut assuming = world("no_auth_user: a\nauthorization { users: [{user: a}] }");
    let (peer, answer) = say_first(&mut assuming, &connect(""));
    assert!(answer.starts_with("PONG\r\nINFO ") && answer.contains("\"auth_required\":true"), "{answer}");
    let peer_after = assuming.accept(0);
    assert!(!assuming.hear(peer_after).contains("auth_required"), "it is not said before");
    assert!(assuming.brokers[0].client(assuming.peers[peer].key).is_some());
}

#[cfg(feature = "tls")]
#[test]
fn each_connection_has_a_nonce_of_its_own() {
    let key = crate::wire::nkey::encode(crate::wire::nkey::USER, &[7; 32]);
    let mut world = world(&format!("authorization {{ users: [{{nkey: {key}}}] }}"));
    let nonces: Vec<String> = (0..2)
        .map(|_| {
            let peer = world.accept(0);
            let info = world.hear(peer);
            info.split("\"nonce\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
        })
        .collect();
    assert!(nonces[0].len() == 15 && nonces[0] != nonces[1], "{nonces:?}");
}

#[test]
fn who_says_nothing_in_time_is_sent_away() {
    for begun in ["", "CON", "CONNECT {\"verbose\":"] {
        let mut world = world("authorization { token: t, timeout: 0.5 }");
        let (peer, answer) = say_first(&mut world, begun);
        assert_eq!(answer, "");
        world.pass(499);
        assert_eq!(world.hear(peer), "");
        world.pass(1);
        assert_eq!(world.hear(peer), "-ERR 'Authentication Timeout'\r\n");
    }
    let mut world = world("authorization { token: t, timeout: 0.5 }");
    let (peer, _) = say_first(&mut world, &connect(",\"auth_token\":\"t\""));
    world.pass(1000);
    assert_eq!(world.hear(peer), "", "it has said who it is");
}

#[test]
fn a_user_may_be_assumed_of_the_first_word() {
    let mut world = world("no_auth_user: a\nauthorization { users: [{user: a, permissions: {sub: foo}}, {user: b}] }");
    let (_, answer) = say_first(&mut world, "SUB foo 1\r\nSUB bar 2\r\n");
    assert_eq!(answer, "+OK\r\n-ERR 'Permissions Violation for Subscription to \"bar\"'\r\n");
    let (_, answer) = say_first(&mut world, &connect(",\"user\":\"a\",\"pass\":\"x\""));
    assert_eq!(answer, VIOLATION);
}

#[test]
fn a_second_connect_is_looked_at_like_the_first() {
    let mut world = world("authorization { users: [{user: a, pass: p, permissions: {pub: foo}}, {user: b, pass: q}] }");
    let (peer, _) = say_first(&mut world, &connect(",\"user\":\"a\",\"pass\":\"p\""));
    world.say(peer, "SUB x 1\r\nCONNECT {}\r\nPUB foo 0\r\n\r\nPUB x 0\r\n\r\n");
    assert_eq!(world.hear(peer), "-ERR 'Permissions Violation for Publish to \"x\"'\r\n", "it is still the same user");
    world.say(peer, "CONNECT {\"user\":\"b\",\"pass\":\"q\"}\r\nSUB x 1\r\nPUB x 0\r\n\r\n");
    assert_eq!(world.hear(peer), "MSG x 1 0\r\n\r\n");
    world.say(peer, "CONNECT {\"user\":\"b\",\"pass\":\"p\"}\r\n");
    assert_eq!(world.hear(peer), VIOLATION);
}

#[test]
fn input_waits_while_a_password_is_checked() {
    let mut world = hashed();
    let (peer, answer) = say_first(&mut world, &connect(",\"user\":\"a\",\"pass\":\"1\""));
    assert_eq!((answer.as_str(), world.checks.len()), ("", 1));
    world.say(peer, "SUB x 1\r\nPUB x 1\r\nm\r\n");
    assert_eq!(world.hear(peer), "");
    assert!(world.check());
    let answer = world.hear(peer);
    assert!(answer.starts_with("PONG\r\nINFO ") && answer.ends_with("\r\nMSG x 1 1\r\nm\r\n"), "{answer}");
}

#[test]
fn wrong_passwords_and_unknown_users_are_refused_alike() {
    for (name, password) in [("a", "2"), ("a", ""), ("c", "1"), ("", "")] {
        let mut world = hashed();
        let credentials = format!(",\"user\":\"{name}\",\"pass\":\"{password}\"");
        let (peer, answer) = say_first(&mut world, &connect(&credentials));
        assert_eq!((answer.as_str(), world.checks.len()), ("", 1), "{credentials}");
        world.check();
        assert_eq!(world.hear(peer), VIOLATION, "{credentials}");
    }
}

#[test]
fn an_answer_to_one_that_is_gone_is_for_nobody() {
    let mut world = hashed();
    let (peer, _) = say_first(&mut world, &connect(",\"user\":\"a\",\"pass\":\"1\""));
    let (worker, check) = world.checks.remove(0);
    world.break_off(peer, crate::broker::Reason::ReadError);
    let other = world.accept(0);
    world.hear(other);
    assert_eq!(world.peers[other].key, world.peers[peer].key, "the key is used again");
    assert_eq!(check.run(), crate::broker::auth::Verdict::Unknown, "nobody waits for it");
    world.order(worker, |broker| broker.checked(check.key, check.cid, crate::broker::auth::Verdict::Right));
    world.say(other, "PING\r\n");
    assert_eq!(world.hear(other), VIOLATION);
}

#[test]
fn a_check_that_cannot_be_made_ends_like_one_that_takes_too_long() {
    let mut world = hashed();
    let (peer, _) = say_first(&mut world, &connect(",\"user\":\"a\",\"pass\":\"1\""));
    let (worker, check) = world.checks.remove(0);
    world.order(worker, |broker| broker.checked(check.key, check.cid, crate::broker::auth::Verdict::Unknown));
    assert_eq!(world.hear(peer), "-ERR 'Authentication Timeout'\r\n");
}

#[test]
fn who_guesses_is_told_later_and_who_knows_is_let_in_at_once() {
    let mut world = world("authorization { users: [{user: a, pass: p}] }");
    for _ in 0..10 {
        assert_eq!(say_first(&mut world, &connect(",\"user\":\"a\",\"pass\":\"x\"")).1, VIOLATION);
    }
    let (peer, answer) = say_first(&mut world, &connect(",\"user\":\"a\",\"pass\":\"x\""));
    assert_eq!(answer, "");
    world.say(peer, "PUB x 0\r\n\r\n");
    let (_, answer) = say_first(&mut world, &connect(",\"user\":\"a\",\"pass\":\"p\""));
    assert!(answer.starts_with("PONG\r\n"), "{answer}");
    world.pass(49);
    assert_eq!(world.hear(peer), "");
    world.pass(1);
    assert_eq!(world.hear(peer), VIOLATION);
}

#[test]
fn passwords_from_addresses_that_fail_go_last() {
    let mut world = hashed();
    let attempt = |world: &mut World| {
        say_first(world, &connect(",\"user\":\"a\",\"pass\":\"x\""));
        world.checks.last().unwrap().1.is_trusted
    };
    assert!(attempt(&mut world));
    for _ in 0..11 {
        attempt(&mut world);
        while world.check() {}
    }
    assert!(!attempt(&mut world));
}

#[test]
fn nothing_is_left_of_clients_that_were_refused() {
    let mut world = hashed();
    for name in ["a", "c"] {
        say_first(&mut world, &connect(&format!(",\"user\":\"{name}\",\"pass\":\"x\"")));
    }
    while world.check() {}
    world.settle();
    world.pass(20_000);
    world.settle();
    world.assert_empty();
}

#[test]
fn the_log_calls_users_by_name_and_shows_no_secret() {
    let (log, captured) = Log::capture();
    let text = "authorization { users: [{user: a, pass: s3cret}, {user: b}] }";
    let mut world = World::new(1, options(text), log, 7);
    say_first(&mut world, &connect(",\"user\":\"a\",\"pass\":\"s3cret\",\"name\":\"app\""));
    say_first(&mut world, &connect(",\"user\":\"b\",\"pass\":\"0ther\""));
    say_first(&mut world, &connect(",\"auth_token\":\"t0ken\""));
    say_first(&mut world, &connect(",\"nkey\":\"UA\",\"sig\":\"s1g\""));
    say_first(&mut world, "PING\r\n");
    let lines = captured.lines().join("\n") + "\n";
    for part in [
        "cid:1 - \"app\" - \"$G/user:a\" - <<- [PING]",
        "cid:2 - authentication error - User \"b\"",
        "cid:3 - authentication error - Token \"[REDACTED]\"",
        "cid:4 - authentication error - Nkey \"UA\"",
        "cid:5 - authentication error\n",
        "Client connection closed: Authentication Failure",
    ] {
        assert!(lines.contains(part), "{part:?} is not in\n{lines}");
    }
    for secret in ["s3cret", "0ther", "t0ken", "s1g"] {
        assert!(!lines.contains(secret), "{secret} is in\n{lines}");
    }
}
