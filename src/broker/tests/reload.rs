//! Other options while clients are connected.

use super::world::World;
use crate::config::Options;
use crate::log::Log;
use std::sync::Arc;

fn adopt(world: &mut World, change: fn(&mut Options)) {
    let mut options = Options::default();
    change(&mut options);
    let options = Arc::new(options);
    for worker in 0..world.brokers.len() {
        world.order(worker, |broker| broker.adopt(Arc::clone(&options)));
    }
    world.settle();
}

#[test]
fn an_operation_that_is_half_there_is_measured_anew() {
    let mut world = World::new(1, Options::default(), Log::quiet(), 7);
    let peer = world.client(0, "");
    world.say(peer, "PUB foo 10\r\n01234");
    adopt(&mut world, |options| options.max_payload = 9);
    world.say(peer, "56789\r\nPING\r\n");
    assert_eq!(world.hear(peer), "-ERR 'Maximum Payload Violation'\r\n");
    let peer = world.client(0, "");
    world.say(peer, "PUB foo 9\r\n01234");
    adopt(&mut world, |options| options.max_payload = 10);
    world.say(peer, "5678\r\nPUB foo 10\r\n0123456789\r\nPING\r\n");
    assert_eq!(world.hear(peer), "PONG\r\n");
}

#[test]
fn a_timer_that_runs_keeps_its_time_and_the_next_has_the_new_one() {
    let mut world = World::new(1, Options::default(), Log::quiet(), 7);
    let peer = world.client(0, "");
    world.pass(3_000);
    assert_eq!(world.hear(peer), "PING\r\n");
    world.say(peer, "PONG\r\n");
    adopt(&mut world, |options| options.ping_interval = std::time::Duration::from_secs(5));
    world.pass(110_000);
    assert_eq!(world.hear(peer), "", "the old interval is not over");
    world.pass(10_000);
    assert_eq!(world.hear(peer), "PING\r\n");
    world.say(peer, "PONG\r\n");
    world.pass(5_000);
    world.pass(5_000);
    assert!(world.hear(peer).starts_with("PING\r\n"));
}

#[test]
fn the_surplus_is_closed_in_parts_and_only_as_many() {
    let mut world = World::new(1, Options::default(), Log::quiet(), 7);
    let peers: Vec<usize> = (0..1000).map(|_| world.client(0, "")).collect();
    world.order(0, |broker| {
        broker.close_surplus(700);
        assert_eq!(broker.shared.connections(), 1000 - 256, "not all in one turn");
        assert!(broker.has_chores());
    });
    world.settle();
    assert_eq!(world.shared.connections(), 300);
    let told = peers.iter().filter(|&&peer| world.hear(peer) == "-ERR 'maximum connections exceeded'\r\n").count();
    assert_eq!(told, 700);
    // More than there are is all.
    world.order(0, |broker| broker.close_surplus(1000));
    world.settle();
    assert_eq!((world.shared.connections(), world.brokers[0].has_chores()), (0, false));
}

#[test]
fn who_is_behind_is_waited_for_from_when_that_is_allowed() {
    let mut world = World::new(1, Options { no_fast_producer_stall: true, ..Options::default() }, Log::quiet(), 7);
    let reader = world.client(0, "");
    let publisher = world.client(0, "");
    world.say(reader, "SUB foo 1\r\n");
    world.peers[reader].space = 0;
    let message = format!("PUB foo 1000000\r\n{}\r\n", "x".repeat(1_000_000));
    let key = world.peers[publisher].key;
    let publish_much = |world: &mut World| (0..16).for_each(|_| world.say(publisher, &message));
    publish_much(&mut world);
    assert!(world.brokers[0].wants_input(key));
    adopt(&mut world, |_| {});
    world.say(publisher, &message);
    assert!(!world.brokers[0].wants_input(key));
}
