//! Other users and permissions while clients are connected.

use super::login::{VIOLATION, connect, options, say_first, world};
use super::world::World;
use std::sync::Arc;

fn adopt(world: &mut World, text: &str) {
    let options = Arc::new(options(text));
    for worker in 0..world.brokers.len() {
        world.order(worker, |broker| broker.adopt(Arc::clone(&options)));
    }
    world.settle();
}

fn user(world: &mut World, name: &str, password: &str) -> usize {
    let (peer, answer) = say_first(world, &connect(&format!(",\"user\":\"{name}\",\"pass\":\"{password}\"")));
    assert!(answer.starts_with("PONG\r\n"), "{answer}");
    peer
}

/// Whether the client hears nothing and is served.
fn is_served(world: &mut World, peer: usize) -> bool {
    let before = world.hear(peer);
    world.say(peer, "PING\r\n");
    before.is_empty() && world.hear(peer) == "PONG\r\n"
}

#[test]
fn who_is_removed_goes_without_a_word_and_who_has_another_password_is_told() {
    let mut world = world(
        "authorization { users: [{user: a, pass: 1}, {user: b, pass: 2}, {user: c, pass: x}] }"
            .replace("1", "'1'")
            .replace("2", "'2'")
            .as_str(),
    );
    let (a, b, c) = (user(&mut world, "a", "1"), user(&mut world, "b", "2"), user(&mut world, "c", "x"));
    adopt(&mut world, "authorization { users: [{user: b, pass: other}, {user: c, pass: x}] }");
    assert_eq!((world.hear(a), world.peers[a].dropped), (String::new(), true));
    assert_eq!(world.hear(b), VIOLATION);
    assert!(is_served(&mut world, c));
    let (_, answer) = say_first(&mut world, &connect(",\"user\":\"b\",\"pass\":\"other\""));
    assert!(answer.starts_with("PONG\r\n"));
}

#[test]
fn tokens_and_single_users_change() {
    let mut world = world("authorization { token: t }");
    let (peer, _) = say_first(&mut world, &connect(",\"auth_token\":\"t\""));
    adopt(&mut world, "authorization { token: t, timeout: 5 }");
    assert!(is_served(&mut world, peer));
    adopt(&mut world, "authorization { token: u }");
    assert_eq!(world.hear(peer), VIOLATION);
    let (peer, _) = say_first(&mut world, &connect(",\"auth_token\":\"u\""));
    adopt(&mut world, "authorization { user: a, pass: p }");
    assert_eq!(world.hear(peer), VIOLATION);
    let peer = user(&mut world, "a", "p");
    adopt(&mut world, "authorization { users: [{user: a, pass: p}] }");
    assert!(is_served(&mut world, peer));
    adopt(&mut world, "");
    assert!(is_served(&mut world, peer));
    adopt(&mut world, "authorization { token: u }");
    assert_eq!(world.hear(peer), VIOLATION, "what it said of itself was not looked at");
}

#[test]
fn who_has_said_nothing_is_asked_from_now_on() {
    let mut world = world("");
    let peer = world.accept(0);
    world.hear(peer);
    adopt(&mut world, "authorization { token: t }");
    world.say(peer, &connect(",\"auth_token\":\"t\""));
    assert!(world.hear(peer).starts_with("PONG\r\n"));
    let peer = world.accept(0);
    world.hear(peer);
    adopt(&mut world, "");
    assert!(is_served(&mut world, peer) || world.hear(peer).is_empty());
}

#[test]
fn who_is_assumed_may_be_someone_else_now() {
    let users = "authorization { users: [{user: a, permissions: {pub: x}}, {user: b}] }\n";
    let mut world = world(&format!("{users}no_auth_user: a"));
    let (peer, _) = say_first(&mut world, &connect(""));
    world.say(peer, "PUB y 0\r\n\r\n");
    assert_eq!(world.hear(peer), "-ERR 'Permissions Violation for Publish to \"y\"'\r\n");
    adopt(&mut world, &format!("{users}no_auth_user: b"));
    world.say(peer, "PUB y 0\r\n\r\n");
    assert!(is_served(&mut world, peer));
    adopt(&mut world, users);
    assert_eq!(world.hear(peer), VIOLATION);
}

#[test]
fn permissions_are_those_of_now() {
    let with = |permissions: &str| format!("authorization {{ users: [{{user: a, permissions: {{{permissions}}}}}] }}");
    let mut world = world(&with("sub: [foo, bar], pub: foo"));
    let peer = user(&mut world, "a", "");
    world.say(peer, "SUB foo 1\r\nSUB bar 2\r\nSUB bar q 3\r\nPUB foo 0\r\n\r\n");
    assert_eq!(world.hear(peer), "MSG foo 1 0\r\n\r\n");
    adopt(&mut world, &with("sub: foo, pub: bar"));
    let heard = world.hear(peer);
    let plain = "-ERR 'Permissions Violation for Subscription to \"bar\" (sid \"2\")'\r\n";
    let queue = "-ERR 'Permissions Violation for Subscription to \"bar\" using queue \"q\" (sid \"3\")'\r\n";
    assert!(heard == format!("{plain}{queue}") || heard == format!("{queue}{plain}"), "{heard}");
    world.say(peer, "PUB foo 0\r\n\r\nPUB bar 0\r\n\r\n");
    assert_eq!(world.hear(peer), "-ERR 'Permissions Violation for Publish to \"foo\"'\r\n");
    adopt(&mut world, "authorization { users: [{user: a}] }");
    world.say(peer, "SUB bar 2\r\nPUB bar 0\r\n\r\nPUB foo 0\r\n\r\n");
    assert_eq!(world.hear(peer), "MSG bar 2 0\r\n\r\nMSG foo 1 0\r\n\r\n");
}

#[test]
fn a_wide_subscription_stays_and_gets_less_and_then_more() {
    let with = |permissions: &str| format!("authorization {{ users: [{{user: a, permissions: {{{permissions}}}}}] }}");
    let mut world = world("authorization { users: [{user: a}] }");
    let peer = user(&mut world, "a", "");
    world.say(peer, "SUB > 1\r\n");
    let publish = "PUB no.x 0\r\n\r\nPUB y 0\r\n\r\n";
    for (text, expected) in [
        (with("sub: {deny: 'no.>'}"), "MSG y 1 0\r\n\r\n"),
        (with("sub: {deny: y}"), "MSG no.x 1 0\r\n\r\n"),
        (with(""), "MSG no.x 1 0\r\n\r\nMSG y 1 0\r\n\r\n"),
        (with("sub: {deny: y}"), "MSG no.x 1 0\r\n\r\n"),
        (String::new(), "MSG no.x 1 0\r\n\r\nMSG y 1 0\r\n\r\n"),
    ] {
        adopt(&mut world, &text);
        world.say(peer, publish);
        assert_eq!(world.hear(peer), expected, "{text}");
    }
}

#[test]
fn a_password_that_is_being_checked_must_still_be_the_one() {
    let hash = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    let text = format!("authorization {{ users: [{{user: a, pass: '{hash}'}}, {{user: b}}] }}");
    for (after, expected) in [
        (text.replace("user: b", "user: c"), "PONG\r\n"),
        (text.replace("yOeW", "zOeW"), VIOLATION),
        (text.replace("user: a", "user: c"), VIOLATION),
    ] {
        let mut world = world(&text);
        let (peer, _) = say_first(&mut world, &connect(",\"user\":\"a\",\"pass\":\"U*U\""));
        adopt(&mut world, &after);
        assert_eq!(world.hear(peer), "");
        world.check();
        let answer = world.hear(peer);
        assert!(answer.starts_with(expected), "{after}: {answer}");
    }
}

#[test]
fn many_are_looked_at_in_parts() {
    let mut world = world("authorization { users: [{user: a}] }");
    let peer = user(&mut world, "a", "");
    let many: String = (0..3000).map(|sid| format!("SUB s.{sid} {sid}\r\n")).collect();
    world.say(peer, &many);
    let options = Arc::new(options("authorization { users: [{user: a, permissions: {sub: x}}] }"));
    world.order(0, |broker| broker.adopt(Arc::clone(&options)));
    let left = world.shared.interest.count(crate::interest::GLOBAL_ACCOUNT);
    assert!(left > 1000 && world.brokers[0].has_chores(), "{left} are left after the first part");
    let errors = world.hear(peer).matches("-ERR 'Permissions Violation for Subscription to \"s.").count();
    assert_eq!((errors, world.shared.interest.count(crate::interest::GLOBAL_ACCOUNT)), (3000, 0));
    assert!(is_served(&mut world, peer));
    assert!(!world.brokers[0].has_chores());
}
