//! The byte budget of all workers, and the limits of one address.

use super::world::World;
use crate::broker::{Broker, Reason};
use crate::config::Options;
use crate::log::Log;
use std::sync::Arc;

const MIB: usize = 1024 * 1024;

fn world(workers: usize) -> World {
    World::new(workers, Options::default(), Log::quiet(), 7)
}

/// A client that subscribes to `subject` and reads nothing.
fn frozen(world: &mut World, worker: usize, subject: &str) -> usize {
    let reader = world.client(worker, "");
    world.say(reader, &format!("SUB {subject} 1\r\n"));
    world.make_room(reader, 0);
    reader
}

/// Sets the budget to what is needed now and so much more.
fn set_budget(world: &mut World, more: isize) {
    for worker in 0..world.brokers.len() {
        world.order(worker, Broker::trim);
        world.flush(worker);
    }
    let used = world.shared.budget.used();
    world.shared.budget.set_most(used.checked_add_signed(more).unwrap());
}

fn closed(world: &World, reason: Reason) -> u64 {
    world.brokers.iter().map(|broker| broker.local.counts.closed(reason)).sum()
}

#[test]
fn of_all_readers_the_one_with_most_pending_goes() {
    for (one, other) in [(0, 0), (0, 1), (1, 0)] {
        let mut world = world(2);
        let large = frozen(&mut world, one, "large");
        let small = frozen(&mut world, other, "small");
        let publisher = world.client(0, "");
        let publish = |subject| format!("PUB {subject} 100000\r\n{}\r\n", "x".repeat(100_000));
        set_budget(&mut world, 4_200_000);
        let before = world.shared.budget.used();
        for _ in 0..25 {
            world.say(publisher, &publish("large"));
        }
        for _ in 0..13 {
            world.say(publisher, &publish("small"));
        }
        let used = world.shared.budget.used() - before;
        assert!(
            !world.peers[large].dropped && !world.peers[small].dropped,
            "3.8 MB fit, {used} counted at {one} {other}"
        );
        // The small one is the one that grows.
        world.say(publisher, &publish("small").repeat(5));
        assert_eq!(
            (world.peers[large].dropped, world.peers[small].dropped),
            (true, false),
            "workers {one} and {other}"
        );
        assert_eq!(closed(&world, Reason::MaximumMemoryExceeded), 1);
        world.make_room(small, super::world::ENDLESS);
        assert_eq!(world.hear(small).matches("MSG small 1 100000\r\n").count(), 18, "nothing of it is lost");
        world.say(publisher, "PING\r\n");
        assert_eq!(world.hear(publisher), "PONG\r\n");
        world.say(publisher, "PING\r\n");
        set_budget(&mut world, 0);
        let used = world.shared.budget.used();
        assert!(used < before + 100_000, "{used} bytes are counted still, and were {before} before");
    }
}

#[test]
fn whoever_holds_most_unfinished_input_goes() {
    let mut world = world(1);
    let reader = frozen(&mut world, 0, "a");
    let publisher = world.client(0, "");
    world.say(publisher, &format!("PUB a 300000\r\n{}\r\n", "x".repeat(300_000)));
    set_budget(&mut world, 700_000);
    let guilty = world.client(0, "");
    world.say(guilty, "PUB b 1000000\r\n");
    for _ in 0..9 {
        world.say(guilty, &"x".repeat(100_000));
    }
    assert!(world.peers[guilty].dropped && !world.peers[reader].dropped);
    assert_eq!(closed(&world, Reason::MaximumMemoryExceeded), 1);
}

/// Half a megabyte is left, and that is kept for those who are there.
#[test]
fn short_of_memory_no_subscription_and_no_connection_is_taken() {
    let mut world = world(2);
    let (greedy, modest) = (world.client(0, ""), world.client(1, ""));
    world.shared.budget.set_most(4 * MIB);
    let mut heard = String::new();
    for sid in (0..100_000).step_by(1000) {
        let subs: String = (sid..sid + 1000).map(|sid| format!("SUB subject.{sid} {sid}\r\n")).collect();
        world.say(greedy, &subs);
        heard.push_str(&world.hear(greedy));
    }
    let error = "-ERR 'maximum subscriptions exceeded: the server is short of memory'\r\n";
    assert!(heard.replace(error, "").is_empty(), "{heard}");
    let refused = heard.matches(error).count();
    assert!((70_000..90_000).contains(&refused), "{refused} refused");
    assert_eq!(world.brokers[0].local.counts.refused_subs, refused as u64);
    world.say(modest, "SUB a 1\r\n");
    assert_eq!(world.hear(modest), error);
    let newcomer = world.accept(1);
    let answer = world.hear(newcomer);
    assert!(answer.ends_with("\r\n-ERR 'maximum connections exceeded: the server is short of memory'\r\n"), "{answer}");
    assert_eq!(closed(&world, Reason::MemoryShort), 1);
    world.say(greedy, "PUB nobody 1\r\nx\r\nPING\r\n");
    assert_eq!(world.hear(greedy), "PONG\r\n", "otherwise it may go on");
    world.end(greedy);
    world.settle();
    world.say(modest, "SUB a 1\r\nPING\r\n");
    assert_eq!(world.hear(modest), "PONG\r\n");
    world.client(1, "");
}

#[test]
fn where_nobody_has_much_waiting_whoever_costs_most_goes() {
    let mut world = world(2);
    let clients: Vec<usize> = (0..10).map(|number| world.client(number % 2, "")).collect();
    for (number, &client) in clients.iter().enumerate() {
        let subs: String = (0..100 + 10_000 * usize::from(number == 4)).map(|sid| format!("SUB a {sid}\r\n")).collect();
        world.say(client, &subs);
    }
    set_budget(&mut world, -1);
    world.settle();
    let dropped: Vec<usize> = (0..10).filter(|number| world.peers[clients[*number]].dropped).collect();
    assert_eq!(dropped, [4]);
    assert_eq!(closed(&world, Reason::MaximumMemoryExceeded), 1);
}

/// What is given back must not cost another connection its life.
#[test]
fn one_large_connection_is_enough() {
    let mut world = world(1);
    let others: Vec<usize> = (0..50).map(|_| frozen(&mut world, 0, "few")).collect();
    let publisher = world.client(0, "");
    world.say(publisher, &format!("PUB few 1000\r\n{}\r\n", "x".repeat(1000)).repeat(100));
    let large = frozen(&mut world, 0, "many");
    world.say(publisher, &format!("PUB many 1000\r\n{}\r\n", "x".repeat(1000)).repeat(2000));
    set_budget(&mut world, -1000);
    world.settle();
    assert!(world.peers[large].dropped);
    assert!(others.iter().all(|&other| !world.peers[other].dropped));
}

#[test]
fn a_payload_of_many_counts_once() {
    let mut world = world(1);
    let readers: Vec<usize> = (0..50).map(|_| frozen(&mut world, 0, "a")).collect();
    world.shared.budget.set_most(world.shared.budget.used() + 2 * MIB);
    let publisher = world.client(0, "");
    world.say(publisher, &format!("PUB a 500000\r\n{}\r\n", "x".repeat(500_000)));
    assert!(readers.iter().all(|&reader| !world.peers[reader].dropped));
}

#[test]
fn what_a_socket_holds_counts() {
    let mut world = world(1);
    let client = world.client(0, "");
    let before = world.brokers[0].held();
    let key = world.peers[client].key;
    world.order(0, |broker| broker.count_beside(key, 30_000));
    assert_eq!(world.brokers[0].held(), before + 30_000);
    world.order(0, |broker| broker.count_beside(key, 0));
    assert_eq!(world.brokers[0].held(), before);
    world.order(0, |broker| broker.count_beside(key, 30_000));
    world.end(client);
    world.settle();
    world.pass(200);
    world.assert_empty();
}

fn adopt(world: &mut World, options: Options) {
    let options = Arc::new(options);
    for worker in 0..world.brokers.len() {
        world.order(worker, |broker: &mut Broker| broker.adopt(Arc::clone(&options)));
    }
}

#[test]
fn an_address_has_so_many_clients_whatever_workers_they_are_at() {
    let options = || Options { max_connections_per_address: 3, ..Options::default() };
    let mut world = World::new(2, options(), Log::quiet(), 7);
    let clients: Vec<usize> = (0..3).map(|number| world.client(number % 2, "")).collect();
    let refused = world.accept(1);
    let heard = world.hear(refused);
    assert!(heard.ends_with("\r\n-ERR 'maximum connections exceeded for this address'\r\n"), "{heard}");
    assert_eq!(closed(&world, Reason::MaximumAddressConnectionsExceeded), 1);
    world.end(clients[0]);
    world.settle();
    world.client(0, "");
    // Without a limit nobody is counted, and with one again those are who are there.
    adopt(&mut world, Options::default());
    let more = world.client(0, "");
    adopt(&mut world, options());
    world.end(more);
    world.settle();
    let refused = world.accept(0);
    assert!(world.hear(refused).contains("-ERR 'maximum connections exceeded for this address'"));
    world.end(clients[1]);
    world.settle();
    world.client(0, "");
}

#[test]
fn so_many_clients_of_an_address_come_in_a_second() {
    let mut world = World::new(2, Options { connection_rate_per_address: 2, ..Options::default() }, Log::quiet(), 7);
    world.client(0, "");
    world.client(1, "");
    let refused = world.accept(0);
    let heard = world.hear(refused);
    assert!(heard.ends_with("\r\n-ERR 'Connection throttling is active. Please try again later.'\r\n"), "{heard}");
    world.pass(1000);
    world.client(0, "");
}
