//! What becomes due, by a clock turned by hand.

use super::world::World;
use crate::broker::{NEVER, Reason};
use crate::config::{Options, WriteTimeout};
use crate::log::Log;
use std::time::Duration;

const STALE: &str = "-ERR 'Stale Connection'\r\n";

fn world(options: Options) -> World {
    World::new(2, options, Log::quiet(), 7)
}

/// Pings every second, at most two unanswered.
fn pinging() -> World {
    world(Options { ping_interval: Duration::from_secs(1), ping_max: 2, ..Options::default() })
}

/// Passes time in small steps; returns after how many milliseconds the client heard `text`, and nothing before it.
fn wait_for(world: &mut World, peer: usize, text: &str) -> u64 {
    for ms in 1..2 * 60 * 60 * 1000 {
        world.pass(1);
        let heard = world.hear(peer);
        if !heard.is_empty() {
            assert_eq!(heard, text);
            return ms;
        }
    }
    panic!("{text:?} never comes");
}

#[test]
fn the_first_ping_comes_about_two_seconds_after_connect() {
    let mut world = World::new(1, Options::default(), Log::quiet(), 0x1234_5678_9abc_def0);
    let clients: Vec<usize> = (0..20).map(|_| world.client(0, "")).collect();
    let mut waits = Vec::new();
    for ms in 1..=2400 {
        world.pass(1);
        let pinged = clients.iter().filter(|&&client| world.hear(client) == "PING\r\n").count();
        waits.extend(vec![ms; pinged]);
    }
    assert_eq!((waits.len(), waits[0] >= 2000), (20, true), "{waits:?}");
    waits.dedup();
    assert!(waits.len() > 10, "connections made together are not pinged together: {waits:?}");
}

#[test]
fn a_client_that_has_not_said_connect_is_pinged_after_the_interval() {
    let mut world = pinging();
    let client = world.accept(0);
    assert!(world.hear(client).starts_with("INFO "));
    assert_eq!(wait_for(&mut world, client, "PING\r\n"), 1000);
}

#[test]
fn a_silent_client_is_pinged_and_then_stale() {
    let mut world = pinging();
    let client = world.client(0, "");
    let first = wait_for(&mut world, client, "PING\r\n");
    assert!((1000..=1200).contains(&first));
    assert_eq!(wait_for(&mut world, client, "PING\r\n"), 1000);
    assert_eq!(wait_for(&mut world, client, STALE), 1000);
    assert!(world.peers[client].half_closed);
    assert_eq!(world.brokers[0].local.counts.stale_connections, 1);
}

#[test]
fn a_client_that_answers_is_never_stale() {
    let mut world = pinging();
    let client = world.client(0, "");
    for _ in 0..10 {
        wait_for(&mut world, client, "PING\r\n");
        world.say(client, "PONG\r\n");
    }
    wait_for(&mut world, client, "PING\r\n");
    wait_for(&mut world, client, "PING\r\n");
    wait_for(&mut world, client, STALE);
}

#[test]
fn a_busy_client_is_pinged_once_and_then_once_an_hour() {
    let mut world = pinging();
    let client = world.client(0, "");
    wait_for(&mut world, client, "PING\r\n");
    world.say(client, "PONG\r\n");
    let mut pinged_after = None;
    for seconds in 0..2 * 60 * 60 {
        world.pass(500);
        world.say(client, "PUB a 0\r\n\r\n");
        if world.hear(client) == "PING\r\n" {
            pinged_after = pinged_after.or(Some(seconds / 2));
            world.say(client, "PONG\r\n");
        }
    }
    assert!(pinged_after.is_some_and(|seconds| (3590..=3600).contains(&seconds)), "{pinged_after:?}");
}

#[test]
fn each_batch_has_a_write_deadline_of_its_own() {
    let mut world = world(Options { write_deadline: Duration::from_secs(1), ..Options::default() });
    let reader = world.client(0, "");
    let writer = world.client(0, "");
    world.say(reader, "SUB a 1\r\n");
    world.make_room(reader, 0);
    let message = format!("PUB a 84\r\n{}\r\n", "x".repeat(84));
    world.say(writer, &message);
    for _ in 0..10 {
        // What waited is taken just in time, and one byte of what came since.
        world.say(writer, &message);
        world.pass(999);
        world.make_room(reader, 100);
        world.settle();
        assert!(!world.peers[reader].dropped);
    }
    world.pass(999);
    world.make_room(reader, 50);
    world.settle();
    world.pass(1);
    assert!(world.peers[reader].dropped, "half of a batch is not enough");
    assert_eq!(world.brokers[0].local.counts.slow_consumers(), 1);
}

#[test]
fn whoever_takes_nothing_until_the_write_deadline_is_dropped_without_a_word() {
    let mut world = world(Options { write_deadline: Duration::from_secs(1), ..Options::default() });
    let reader = world.client(0, "");
    world.say(reader, "SUB a 1\r\n");
    world.make_room(reader, 0);
    let writer = world.client(1, "");
    world.say(writer, "PUB a 1\r\nx\r\nPING\r\n");
    world.pass(999);
    assert!(!world.peers[reader].dropped);
    world.pass(1);
    assert!(world.peers[reader].dropped);
    assert_eq!(world.peers[reader].heard, world.peers[reader].looked);
    assert_eq!(world.brokers[0].local.counts.slow_consumers(), 1);
    world.say(writer, "PING\r\n");
    assert_eq!(world.hear(writer), "PONG\r\nPONG\r\n");
}

#[test]
fn the_end_is_read_before_the_socket_goes() {
    let mut world = world(Options::default());
    let client = world.client(0, "");
    world.say(client, "oops\r\nPING\r\n");
    assert_eq!(world.hear(client), "-ERR 'Unknown Protocol Operation'\r\n");
    assert!(world.peers[client].half_closed);
    world.pass(99);
    assert!(!world.peers[client].dropped);
    world.pass(1);
    assert!(world.peers[client].dropped);
}

#[test]
fn a_peer_that_read_the_end_is_not_waited_for() {
    let mut world = world(Options::default());
    let client = world.client(0, "");
    world.say(client, "oops\r\n");
    world.end(client);
    world.settle();
    assert!(world.peers[client].dropped);
}

#[test]
fn a_closing_reader_gets_time_while_it_gets_on() {
    let mut world = world(Options::default());
    let readers = [world.client(0, ""), world.client(0, "")];
    let writer = world.client(0, "");
    for reader in readers {
        world.say(reader, "SUB a 1\r\n");
        world.make_room(reader, 10);
    }
    world.say(writer, "PUB a 100\r\n0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\r\n");
    world.brokers[0].shut_down();
    world.settle();
    world.pass(999);
    world.make_room(readers[1], 10);
    assert!(!world.peers[readers[0]].dropped);
    world.pass(1);
    assert_eq!(readers.map(|reader| world.peers[reader].dropped), [true, false], "one takes nothing");
    for _ in 0..8 {
        world.make_room(readers[1], 5);
        world.pass(1000);
        assert!(!world.peers[readers[1]].dropped);
    }
    world.make_room(readers[1], 5);
    world.pass(1000);
    assert!(world.peers[readers[1]].dropped, "it is not waited for without end");
}

/// A reader holds its publisher from 4000 waiting bytes on.
fn holding(publisher_worker: usize) -> (World, usize, usize) {
    let mut world = world(Options::default());
    world.brokers[0].local.stall_bytes = 4000;
    let reader = world.client(0, "");
    world.say(reader, "SUB a 1\r\n");
    world.make_room(reader, 0);
    let publisher = world.client(publisher_worker, "");
    let publish = format!("PUB a 1000\r\n{}\r\n", "x".repeat(1000));
    for _ in 0..5 {
        world.say(publisher, &publish);
    }
    assert_eq!(held(&world, publisher), 1);
    world.say(publisher, "PING\r\n");
    assert_eq!(world.hear(publisher), "", "nothing more is read from it");
    (world, reader, publisher)
}

fn held(world: &World, peer: usize) -> u32 {
    let peer = &world.peers[peer];
    world.brokers[peer.worker].client(peer.key).unwrap().held_by
}

#[test]
fn a_publisher_is_let_go_when_its_reader_has_caught_up_to_half() {
    for worker in [0, 1] {
        let (mut world, reader, publisher) = holding(worker);
        world.make_room(reader, 3000);
        world.settle();
        assert_eq!(held(&world, publisher), 1, "more than half still waits");
        world.make_room(reader, 2000);
        assert_eq!(world.hear(publisher), "PONG\r\n");
        assert_eq!((held(&world, publisher), world.brokers[worker].local.counts.stalls), (0, 1));
    }
}

#[test]
fn a_reader_that_takes_nothing_holds_nobody_for_long_and_then_nobody_at_all() {
    for worker in [0, 1] {
        let (mut world, reader, publisher) = holding(worker);
        world.pass(99);
        assert_eq!(world.hear(publisher), "");
        world.pass(1);
        assert_eq!(world.hear(publisher), "PONG\r\n");
        let publish = format!("PUB a 1000\r\n{}\r\nPING\r\n", "x".repeat(1000));
        world.say(publisher, &publish);
        assert_eq!(world.hear(publisher), "PONG\r\n", "it is given up");
        // Until it takes what a reader worth waiting for takes.
        let deep = "PUB a 1000000\r\n".to_string() + &"x".repeat(1_000_000) + "\r\n";
        world.say(publisher, &deep);
        world.make_room(reader, 700_000);
        world.say(publisher, &publish);
        assert_eq!(held(&world, publisher), 1);
    }
}

#[test]
fn a_reader_that_goes_lets_its_publishers_go() {
    for worker in [0, 1] {
        let (mut world, reader, publisher) = holding(worker);
        world.break_off(reader, Reason::ReadError);
        assert_eq!(world.hear(publisher), "PONG\r\n");
        assert_eq!(held(&world, publisher), 0);
    }
}

/// It had only to take much: what it was given meanwhile did not count.
#[test]
fn a_reader_that_never_catches_up_holds_nobody_for_ever() {
    for worker in [0, 1] {
        let (mut world, reader, publisher) = holding(worker);
        let publish = format!("PUB a 700000\r\n{}\r\n", "x".repeat(700_000));
        let mut tenths = 0;
        while held(&world, publisher) > 0 && tenths < 200 {
            let another = world.client(1 - worker, "");
            world.say(another, &publish);
            world.make_room(reader, 700_000);
            world.pass(100);
            world.settle();
            tenths += 1;
        }
        assert!((50..=100).contains(&tenths), "{tenths}");
        world.say(publisher, "PUB a 1\r\nx\r\n");
        assert_eq!(held(&world, publisher), 0, "it is not held again");
    }
}

#[test]
fn a_held_publisher_is_not_stale() {
    let mut world = pinging();
    world.brokers[0].local.stall_bytes = 4000;
    let reader = world.client(0, "");
    world.say(reader, "SUB a 1\r\n");
    world.make_room(reader, 0);
    let publishers: Vec<usize> = (0..40).map(|number| world.client(number % 2, "")).collect();
    let publish = format!("PUB a 1000000\r\n{}\r\n", "x".repeat(1_000_000));
    for &publisher in &publishers {
        world.say(publisher, &publish);
    }
    for _ in 0..50 {
        world.make_room(reader, 700_000);
        world.pass(100);
        world.say(reader, "PONG\r\n");
        world.say(publishers[0], "PONG\r\n");
    }
    // The first found nothing waiting before it, and the others have waited all the time.
    assert!(publishers[1..].iter().all(|&publisher| held(&world, publisher) == 1));
    world.make_room(reader, super::world::ENDLESS);
    world.settle();
    for publisher in publishers {
        world.say(publisher, "PONG\r\nPING\r\n");
        assert!(world.hear(publisher).ends_with("PONG\r\n"));
    }
}

#[test]
fn a_connection_without_anything_due_needs_no_timer_but_for_its_ping() {
    let mut world = world(Options::default());
    let client = world.client(0, "");
    let key = world.peers[client].key;
    let due = world.brokers[0].client(key).unwrap().due;
    assert_eq!((due.stall, due.write, due.close), (NEVER, NEVER, NEVER));
    assert_eq!(world.next_timer(), Some(due.ping));
}

#[test]
fn whoever_may_retry_stays_past_the_write_deadline_and_gets_all_of_it_later() {
    let (log, captured) = Log::capture();
    let options =
        Options { write_deadline: Duration::from_secs(1), write_timeout: WriteTimeout::Retry, ..Options::default() };
    let mut world = World::new(1, options, log, 7);
    let reader = world.client(0, "");
    let writer = world.client(0, "");
    world.say(reader, "SUB a 1\r\n");
    world.make_room(reader, 0);
    world.say(writer, "PUB a 1\r\nx\r\n");
    for seconds in 1..=3 {
        world.pass(1000);
        let state = "Slow Consumer State: WriteDeadline of 1s exceeded with 1 chunks of ";
        assert_eq!(captured.lines().iter().filter(|line| line.contains(state)).count(), seconds);
    }
    world.make_room(reader, 100);
    world.settle();
    assert!(world.hear(reader).starts_with("MSG a 1 1\r\nx\r\n"));
}
