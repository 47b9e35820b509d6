//! How fast servers find each other, and what that takes. Each figure is the best of a few, so that what else runs on a
//! machine does not count.

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::client::Client;
use super::node::{Node, wait_mesh};
use super::peer::RoutePeer;

/// Times that something is measured at most.
const TRIES: usize = 5;

/// Measures until it is good enough.
fn expect_below(limit: Duration, what: &str, mut measure: impl FnMut() -> Duration) {
    let mut best = Duration::MAX;
    for _ in 0..TRIES {
        best = best.min(measure());
        println!("{what}: {best:?}");
        if best < limit {
            return;
        }
    }
    panic!("{what}: {best:?}, not {limit:?}");
}

#[test]
fn a_server_knows_what_is_wanted_within_50_ms_of_its_start() {
    let a = Node::midge("a", &[]);
    let mut wanting = a.client();
    wanting.subscribe("here");
    expect_below(Duration::from_millis(50), "from the start to what is wanted", || {
        let start = Instant::now();
        let b = Node::midge("b", &[a.routes]);
        b.client().wait_wanted("here");
        let took = start.elapsed();
        drop(b);
        wait_alone(&a);
        took
    });
}

/// Waits until a server has no peers.
fn wait_alone(node: &Node) {
    let mut client = node.client();
    client.wait_info("alone", |info| super::client::urls(info).len() < 2);
}

#[test]
fn eight_servers_are_a_full_mesh_within_two_seconds() {
    expect_below(Duration::from_secs(2), "a mesh of eight", || {
        let start = Instant::now();
        let first = Node::midge("n0", &[]);
        let others: Vec<Node> = (1..8).map(|at| Node::midge(&format!("n{at}"), &[first.routes])).collect();
        wait_mesh(&[&first].into_iter().chain(&others).collect::<Vec<_>>());
        start.elapsed()
    });
}

/// Subjects that are wanted.
const SUBJECTS: usize = 100_000;

/// A client that wants all of them.
fn wanting(node: &Node) -> Client {
    let mut client = node.client();
    let mut lines = String::new();
    for number in 0..SUBJECTS {
        write!(lines, "SUB many.{}.{number} {number}\r\n", number % 100).expect("memory");
    }
    client.send(lines);
    client.flush();
    client
}

#[test]
fn a_new_peer_knows_100_000_subjects_within_a_second() {
    let a = Node::midge("a", &[]);
    let _wanting = wanting(&a);
    expect_below(Duration::from_secs(1), "100,000 subjects", || {
        let start = Instant::now();
        let b = Node::midge("b", &[a.routes]);
        let mut asker = b.client();
        // The order in which they come is nobody's business.
        for number in (0..SUBJECTS).step_by(SUBJECTS / 50) {
            asker.wait_wanted(&format!("many.{}.{number}", number % 100));
        }
        while !all_are_wanted(&mut asker) {}
        let took = start.elapsed();
        drop(b);
        wait_alone(&a);
        took
    });
}

/// True if no request is refused.
fn all_are_wanted(asker: &mut Client) -> bool {
    let mut lines = String::from("SUB refused refused\r\n");
    for number in 0..SUBJECTS {
        write!(lines, "PUB many.{}.{number} refused 0\r\n\r\n", number % 100).expect("memory");
    }
    asker.send(lines + "UNSUB refused\r\n");
    asker.drain().is_empty()
}

#[test]
fn what_another_server_wants_takes_150_bytes_at_most() {
    let a = Node::midge("a", &[]);
    // What is there once, whatever comes.
    drop(RoutePeer::join(a.routes));
    let before = a.process.memory();
    let mut peer = RoutePeer::join(a.routes);
    let mut lines = String::new();
    for number in 0..SUBJECTS {
        write!(lines, "RS+ $G many.{}.{number}\r\n", number % 100).expect("memory");
    }
    peer.send(lines);
    peer.flush();
    let each = (a.process.memory() - before) / SUBJECTS;
    println!("{each} bytes");
    assert!(each <= 150, "{each}");
}
