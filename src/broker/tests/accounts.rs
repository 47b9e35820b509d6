//! Accounts: subject spaces of their own.

use super::login::{connect, options, say_first, world};
use super::world::World;
use std::sync::Arc;

const TWO: &str = "accounts { A { users: [{user: a}, {user: aa}] }, B { users: [{user: b}] } }";

fn user(world: &mut World, worker: usize, name: &str) -> usize {
    let peer = world.accept(worker);
    world.say(peer, &connect(&format!(",\"user\":\"{name}\"")));
    assert!(world.hear(peer).contains("PONG\r\n"));
    peer
}

#[test]
fn what_is_said_in_one_account_is_heard_in_no_other() {
    for publisher_worker in [0, 1] {
        let mut world = world(TWO);
        let (a, b) = (user(&mut world, 0, "a"), user(&mut world, 0, "b"));
        let aa = user(&mut world, publisher_worker, "aa");
        for peer in [a, b] {
            world.say(peer, "SUB > 1\r\nSUB x g 2\r\n");
        }
        world.say(aa, "PUB x 1\r\nm\r\n");
        assert_eq!(world.hear(a), "MSG x 1 1\r\nm\r\nMSG x 2 1\r\nm\r\n");
        assert_eq!(world.hear(b), "");
    }
}

#[test]
fn a_client_is_told_its_account() {
    let mut world = world(TWO);
    for (name, account) in [("a", "A"), ("b", "B")] {
        let (_, answer) = say_first(&mut world, &connect(&format!(",\"user\":\"{name}\"")));
        assert!(answer.contains(&format!("\"remote_account\":\"{account}\"")), "{answer}");
    }
}

#[test]
fn a_second_connect_may_lead_to_another_account() {
    let mut world = world(TWO);
    let (a, b) = (user(&mut world, 0, "a"), user(&mut world, 0, "b"));
    world.say(b, "SUB x 1\r\n");
    world.say(a, "SUB x 1\r\nPUB x 0\r\n\r\nCONNECT {\"user\":\"b\"}\r\nPUB x 0\r\n\r\n");
    assert_eq!(world.hear(a), "MSG x 1 0\r\n\r\n");
    assert_eq!(world.hear(b), "MSG x 1 0\r\n\r\n");
}

#[test]
fn limits_of_an_account_are_those_of_its_clients() {
    let limits = "limits: {max_conn: 2, max_subs: 1, max_payload: 4}";
    let mut world =
        world(&format!("accounts {{ A {{ users: [{{user: a}}], {limits} }}, B {{ users: [{{user: b}}] }} }}"));
    let first = user(&mut world, 0, "a");
    let (second, answer) = say_first(&mut world, &connect(",\"user\":\"a\""));
    assert!(answer.contains("\"max_payload\":4,"), "{answer}");
    let full = "-ERR 'maximum account active connections exceeded'\r\n";
    assert_eq!(say_first(&mut world, &connect(",\"user\":\"a\"")).1, full);
    user(&mut world, 0, "b");
    world.say(first, "SUB x 1\r\nSUB y 2\r\n");
    assert_eq!(world.hear(first), "-ERR 'maximum subscriptions exceeded'\r\n");
    world.say(second, "PUB x 4\r\nmmmm\r\n");
    assert_eq!(world.hear(first), "MSG x 1 4\r\nmmmm\r\n");
    world.say(second, "PUB x 5\r\nmmmmm\r\n");
    assert_eq!(world.hear(second), "-ERR 'Maximum Payload Violation'\r\n");
    user(&mut world, 0, "a");
    world.say(first, "CONNECT {}\r\nPING\r\n");
    assert_eq!(world.hear(first), "PONG\r\n", "it counts once");
}

#[test]
fn where_only_the_system_has_users_everyone_may_come() {
    let mut world = world("accounts { $SYS { users: [{user: s, pass: p}] } }");
    let peer = world.accept(0);
    assert!(world.hear(peer).contains("\"auth_required\":true"));
    world.say(peer, &connect(""));
    let answer = world.hear(peer);
    assert!(answer.starts_with("PONG\r\n") && answer.contains("\"remote_account\":\"$G\""), "{answer}");
    assert!(say_first(&mut world, "PING\r\n").1 == "PONG\r\n");
    let (_, answer) = say_first(&mut world, &connect(",\"user\":\"s\",\"pass\":\"p\""));
    assert!(answer.contains("\"remote_account\":\"$SYS\""), "{answer}");
    let (_, answer) = say_first(&mut world, &connect(",\"user\":\"s\",\"pass\":\"x\""));
    assert_eq!(answer, super::login::VIOLATION);
}

#[test]
fn who_is_moved_to_another_account_goes_without_a_word() {
    let mut world = world(TWO);
    let (a, b) = (user(&mut world, 0, "a"), user(&mut world, 0, "b"));
    let moved =
        Arc::new(options("accounts { A { users: [{user: b}] }, B { users: [{user: c}] }, C { users: [{user: a}] } }"));
    for worker in 0..2 {
        world.order(worker, |broker| broker.adopt(Arc::clone(&moved)));
    }
    for peer in [a, b] {
        assert_eq!((world.hear(peer), world.peers[peer].dropped), (String::new(), true));
    }
    user(&mut world, 0, "a");
}
