//! What a connection may cost, and what is left when it is gone.

use super::world::World;
use crate::broker::Reason;
use crate::config::Options;
use crate::interest::GLOBAL_ACCOUNT;
use crate::log::Log;

fn world(options: Options) -> World {
    World::new(2, options, Log::quiet(), 7)
}

#[test]
fn one_connection_too_many_is_told_so() {
    let mut world = world(Options { max_connections: 2, ..Options::default() });
    let clients = [world.client(0, ""), world.client(1, "")];
    let refused = world.accept(0);
    let heard = world.hear(refused);
    assert!(heard.starts_with("INFO ") && heard.ends_with("\r\n-ERR 'maximum connections exceeded'\r\n"), "{heard}");
    assert!(world.peers[refused].half_closed);
    world.pass(100);
    assert!(world.peers[refused].dropped);
    world.end(clients[0]);
    world.settle();
    world.client(0, "");
}

#[test]
fn a_reader_past_max_pending_is_cut_and_its_interest_goes() {
    for worker in [0, 1] {
        let mut world = world(Options { max_pending: 10_000, no_fast_producer_stall: false, ..Options::default() });
        let reader = world.client(0, "");
        world.say(reader, "SUB a 1\r\nSUB b 2\r\n");
        world.make_room(reader, 0);
        let publisher = world.client(worker, "");
        let publish = format!("PUB a 1000\r\n{}\r\n", "x".repeat(1000));
        for _ in 0..12 {
            world.say(publisher, &publish);
            world.pass(100);
            world.settle();
        }
        assert!(world.peers[reader].dropped);
        assert_eq!(world.brokers[0].local.counts.slow_consumers(), 1);
        assert_eq!(world.shared.interest.count(GLOBAL_ACCOUNT), 0);
        world.say(publisher, "PING\r\n");
        assert_eq!(world.hear(publisher), "PONG\r\n");
    }
}

#[test]
fn without_stalling_a_reader_that_is_behind_loses_messages_and_stays() {
    let mut world = world(Options { max_pending: 10_000, no_fast_producer_stall: true, ..Options::default() });
    let reader = world.client(0, "");
    world.say(reader, "SUB a 1\r\n");
    world.make_room(reader, 0);
    let publisher = world.client(1, "");
    let publish = format!("PUB a 1000\r\n{}\r\n", "x".repeat(1000));
    world.say(publisher, &publish.repeat(50));
    world.say(publisher, "PING\r\n");
    assert_eq!(world.hear(publisher), "PONG\r\n");
    world.make_room(reader, super::world::ENDLESS);
    let heard = world.hear(reader);
    assert_eq!(heard.matches("MSG a 1 1000\r\n").count(), 8, "three quarters of the limit, and the one that passes it");
    world.say(publisher, &publish);
    assert!(world.hear(reader).starts_with("MSG a 1 1000\r\n"));
}

#[test]
fn what_a_turn_may_queue_is_bounded() {
    for worker in [0, 1] {
        let mut world = world(Options::default());
        let readers: Vec<usize> = (0..50).map(|_| world.client(0, "")).collect();
        for &reader in &readers {
            world.say(reader, "SUB a 1\r\n");
        }
        let publisher = world.client(worker, "");
        world.turns.clear();
        // It would be 50 MB at once.
        world.say(publisher, &format!("PUB a 1000\r\n{}\r\n", "x".repeat(1000)).repeat(1000));
        let most = world.turns.iter().map(|turn| turn.queued.iter().map(|(_, bytes)| bytes.len()).sum::<usize>()).max();
        assert!(most < Some(9 * 1024 * 1024), "{most:?} at once, from worker {worker}");
        for reader in readers {
            assert_eq!(world.hear(reader).matches("MSG a 1 1000\r\n").count(), 1000);
        }
    }
}

#[test]
fn receivers_of_a_large_message_hold_it_together() {
    for worker in [0, 1] {
        let mut world = world(Options::default());
        for _ in 0..50 {
            let reader = world.client(0, "");
            world.say(reader, "SUB a 1\r\n");
            world.make_room(reader, 0);
        }
        let publisher = world.client(worker, "");
        world.say(publisher, &format!("PUB a 100000\r\n{}\r\n", "x".repeat(100_000)));
        let bytes = world.brokers[0].local.pool.bytes();
        assert!(bytes < 1_000_000, "{bytes} bytes, from worker {worker}");
    }
}

/// Only what was queued ended a turn, so that deliveries nobody took, and searches, went on for seconds.
#[test]
fn work_that_queues_nothing_ends_a_turn_too() {
    let many = |text: &str| (0..2000).map(|sid| text.replace("{sid}", &sid.to_string())).collect::<String>();
    for (own, others, publish) in [
        ("SUB x {sid}\r\n", "", "PUB x 0\r\n\r\n"),
        ("SUB x group {sid}\r\n", "", "PUB x 0\r\n\r\n"),
        ("", "SUB x {sid}\r\n", "PUB none x 0\r\n\r\n"),
        ("", "SUB x group {sid}\r\n", "SUB x group y\r\nUNSUB y\r\nPUB x 0\r\n\r\n"),
    ] {
        let mut world = world(Options::default());
        let other = world.client(1, "");
        world.say(other, &many(others));
        let client = world.client(0, ",\"echo\":false,\"headers\":true,\"no_responders\":true");
        world.say(client, &many(own));
        world.send(client, &publish.repeat(60_000 / publish.len()).into_bytes());
        world.read(client, usize::MAX, 0);
        assert!(world.brokers[0].has_backlog(world.peers[client].key), "{publish:?} was worked on to its end at once");
    }
}

/// Each of two workers gave it to the other's member, which did not take it either.
#[test]
fn a_message_that_no_member_of_a_group_takes_does_not_go_to_and_fro() {
    let mut world = world(Options { max_pending: 10_000, no_fast_producer_stall: true, ..Options::default() });
    for worker in [0, 1] {
        let member = world.client(worker, "");
        world.say(member, "SUB a group 1\r\nSUB b 2\r\n");
        world.make_room(member, 0);
    }
    let publisher = world.client(0, "");
    world.say(publisher, &format!("PUB b 1000\r\n{}\r\n", "x".repeat(1000)).repeat(20));
    world.say(publisher, "PUB a 1\r\nx\r\nPING\r\n");
    assert_eq!(world.hear(publisher), "PONG\r\n");
}

#[test]
fn a_large_operation_is_kept_only_while_it_comes() {
    let mut world = world(Options::default());
    let client = world.client(0, "");
    world.say(client, &format!("PUB a 500000\r\n{}", "x".repeat(400_000)));
    let key = world.peers[client].key;
    let partial = |world: &World| world.brokers[0].client(key).unwrap().partial.buffer.capacity();
    assert!((400_000..=1_100_000).contains(&partial(&world)), "{}", partial(&world));
    world.say(client, &format!("{}\r\nPING\r\n", "x".repeat(100_000)));
    assert_eq!(world.hear(client), "PONG\r\n");
    assert_eq!(partial(&world), 0);
}

#[test]
fn nothing_is_allocated_for_what_is_only_announced() {
    let mut world = world(Options::default());
    let client = world.client(0, "");
    world.say(client, "PUB a 1000000\r\n");
    let key = world.peers[client].key;
    let client = world.brokers[0].client(key).unwrap();
    assert!(client.partial.buffer.capacity() <= 64 * 1024, "{}", client.partial.buffer.capacity());
}

#[test]
fn connections_leave_nothing_behind() {
    let mut world = world(Options::default());
    for round in 0..100 {
        let worker = round % 2;
        let client = world.client(worker, "");
        for sid in 0..50 {
            world.say(client, &format!("SUB a.{round}.{sid}.* {sid}\r\nSUB a.> q q{sid}\r\n"));
        }
        world.say(client, &format!("PUB a.{round}.1.x 3\r\nabc\r\nPUB x 100\r\nhalf"));
        world.end(client);
        world.settle();
        assert!(world.peers[client].dropped);
    }
    world.assert_empty();
}

/// All of them were removed in one go, while everyone else waited.
#[test]
fn many_subscriptions_are_removed_in_parts() {
    for ending in ["CONNECT {}\r\nSUB a 1\r\nPING\r\n", "oops\r\n"] {
        let mut world = world(Options::default());
        let client = world.client(0, "");
        world.say(client, &(0..10_000).map(|sid| format!("SUB a {sid}\r\n")).collect::<String>());
        let other = world.client(1, ",\"headers\":true,\"no_responders\":true");
        world.send(client, ending.as_bytes());
        world.read(client, usize::MAX, 0);
        let left = world.shared.interest.count(GLOBAL_ACCOUNT);
        assert!((1..=10_000).contains(&left), "{left}");
        world.flush(0);
        let told = world.peers[client].heard;
        world.send(other, b"PUB a 1\r\nx\r\n");
        world.read(other, usize::MAX, 0);
        world.flush(1);
        world.take_letters(0, 1);
        world.flush(0);
        assert_eq!(world.peers[client].heard, told, "nothing comes to subscriptions that are being removed");
        world.settle();
        let again = ending.starts_with("CONNECT");
        assert_eq!(world.shared.interest.count(GLOBAL_ACCOUNT), usize::from(again));
        if again {
            assert!(world.hear(client).ends_with("PONG\r\n"));
            world.say(other, "PUB a 1\r\ny\r\n");
            assert_eq!(world.hear(client), "MSG a 1 1\r\ny\r\n");
        }
        world.end(client);
        world.end(other);
        world.pass(1000);
        world.settle();
        world.assert_empty();
    }
}

#[test]
fn the_key_of_a_connection_with_many_subscriptions_is_free_when_these_are_gone() {
    for is_broken in [true, false] {
        let mut world = world(Options::default());
        let client = world.client(0, "");
        world.say(client, &(0..10_000).map(|sid| format!("SUB a {sid}\r\n")).collect::<String>());
        if is_broken {
            world.break_off(client, Reason::ReadError);
        } else {
            world.end(client);
            world.read(client, usize::MAX, 0);
            world.flush(0);
        }
        assert!(world.peers[client].dropped);
        let next = world.accept(0);
        assert_ne!(world.peers[next].key, world.peers[client].key);
        world.settle();
        let after = world.accept(0);
        assert_eq!(world.peers[after].key, world.peers[client].key);
    }
}
