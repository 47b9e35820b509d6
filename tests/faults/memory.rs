//! The byte budget of the process: what is not there is refused, and who holds most goes, before the system kills.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

use super::bystanders::Bystanders;
use super::peer::Peer;
use super::scratch::Scratch;
use super::support::process::Process;
use super::{MIB, with_each_worker_count};

/// What the process may use.
const BUDGET: usize = 64 * MIB;

/// How much more may be in use for a moment: what workers take in between two looks at the budget, subscriptions that are
/// being removed, what the allocator cannot give back, and what was not counted exactly.
const BESIDE: usize = 24 * MIB;

fn start(workers: usize, more: &str) -> (Process, Scratch) {
    let folder = Scratch::new();
    let path = folder.path("c.conf");
    fs::write(&path, format!("max_memory: {BUDGET}\nhttp: \"127.0.0.1:-1\"\n{more}")).unwrap();
    (Process::start(&["-c", &path, "--workers", &workers.to_string()]), folder)
}

/// A monitoring document, by a request without any of HTTP that is not needed.
fn monitored(server: &Process, path: &str) -> String {
    let log = server.log();
    let (_, address) = log.split_once("Starting http monitor on ").expect("it is monitored");
    let address: SocketAddr = address.lines().next().unwrap().parse().unwrap();
    let mut peer = Peer::dial(address);
    peer.send(format!("GET {path} HTTP/1.0\r\n\r\n"));
    String::from_utf8(peer.rest()).unwrap()
}

/// The number behind this name in a document.
fn figure(document: &str, name: &str) -> usize {
    let (_, rest) = document.split_once(name).unwrap_or_else(|| panic!("{name} in {document}"));
    let digits: String = rest.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

/// Subscribes until the connection ends or so many subscriptions were sent; reads nothing of what it is told.
fn subscribe_without_end(address: SocketAddr, name: usize, count: usize) -> JoinHandle<()> {
    let peer = Peer::connect(address);
    thread::spawn(move || {
        let mut writer = peer.writer();
        for first in (0..count).step_by(1000) {
            let subs: String =
                (first..first + 1000).map(|sid| format!("SUB greedy.{name}.of.many.{sid} {sid}\r\n")).collect();
            if writer.write_all(subs.as_bytes()).is_err() {
                break;
            }
        }
    })
}

fn publish_to_frozen(address: SocketAddr, number: usize) {
    let mut publisher = Peer::connect(address);
    let payload = vec![number as u8; 16 * 1024];
    // As much as a client may have waiting by default, and so as much as the whole budget.
    for _ in 0..64 * 64 {
        publisher.publish(&format!("frozen.{number}"), &payload);
    }
    publisher.round_trip();
}

#[test]
fn frozen_readers_and_a_flood_of_subscriptions_stay_within_the_budget() {
    // With several workers a publisher may be cut as well: each knows its own clients only.
    let (server, _folder) = start(1, "");
    let address = server.address();
    let bystanders = Bystanders::connect(address).keep_busy();
    let floods: Vec<_> = (0..3).map(|name| subscribe_without_end(address, name, 400_000)).collect();
    let frozen: Vec<Peer> = (0..4)
        .map(|number| {
            let mut peer = Peer::connect_narrow(address);
            peer.subscribe(&format!("frozen.{number}"));
            peer
        })
        .collect();
    let publishers: Vec<_> =
        (0..frozen.len()).map(|number| thread::spawn(move || publish_to_frozen(address, number))).collect();
    publishers.into_iter().for_each(|publisher| publisher.join().expect("a publisher is not at fault"));
    floods.into_iter().for_each(|flood| flood.join().unwrap());
    bystanders.stop();
    let peak = server.memory_peak();
    println!("{} MiB at most", peak / MIB);
    assert!(peak < BUDGET + BESIDE, "{} MiB were in use:\n{}", peak / MIB, server.log());
    let varz = monitored(&server, "/varz");
    let closed = figure(&varz, "\"closed_connections\"");
    assert!(closed > 0 && figure(&varz, "\"max\"") == BUDGET, "{varz}");
    let metrics = monitored(&server, "/metrics");
    let counted = figure(&metrics, "midge_closed_connections_total{reason=\"Maximum Memory Exceeded\"}");
    assert_eq!(counted, closed);
    server.wait_log("Memory budget of 67108864 bytes exceeded: closing the connection that holds most");
}

#[test]
fn a_flood_of_subscriptions_is_refused_and_nobody_is_cut() {
    with_each_worker_count(|workers| {
        let (server, _folder) = start(workers, "");
        let address = server.address();
        let bystanders = Bystanders::connect(address).keep_busy();
        let mut greedy = Peer::connect(address).buffered(64 * 1024);
        let mut refused = 0;
        // It reads what it is told, so nothing but its subscriptions costs memory.
        for first in (0..1_000_000).step_by(1000) {
            let subs: String = (first..first + 1000).map(|sid| format!("SUB greedy.{sid} {sid}\r\n")).collect();
            greedy.send(subs + "PING\r\n");
            loop {
                match &*greedy.answer() {
                    "PONG" => break,
                    line => assert_eq!(line, "-ERR 'maximum subscriptions exceeded: the server is short of memory'"),
                }
                refused += 1;
            }
        }
        assert!((100_000..900_000).contains(&refused), "{refused} of a million refused");
        let mut newcomer = Peer::open(address);
        assert_eq!(newcomer.rest(), b"-ERR 'maximum connections exceeded: the server is short of memory'\r\n");
        bystanders.stop();
        let memory = server.memory();
        println!("{} MiB with {} subscriptions", memory / MIB, 1_000_000 - refused);
        assert!(memory < BUDGET + BESIDE, "{} MiB in use", memory / MIB);
        let varz = monitored(&server, "/varz");
        assert_eq!(figure(&varz, "\"refused_subscriptions\""), refused);
        assert_eq!(figure(&varz, "\"refused_connections\""), 1);
        assert_eq!(figure(&varz, "\"closed_connections\""), 0);
        server.wait_log("Memory is short: ");
        drop(greedy);
        server.wait_log("Memory is no longer short: ");
        Peer::connect(address);
    });
}

/// Many who send the first bytes of large messages hold little each, but much together.
#[test]
fn unfinished_messages_of_many_stay_within_the_budget() {
    with_each_worker_count(|workers| {
        let (server, _folder) = start(workers, "");
        let address = server.address();
        let bystanders = Bystanders::connect(address).keep_busy();
        let begun: Vec<Peer> = (0..150)
            .map(|_| {
                let mut peer = Peer::open(address);
                // It may have been refused, and what it sends not be taken.
                peer.send_anyhow(format!("CONNECT {{}}\r\nPUB x 1000000\r\n{}", "x".repeat(900_000)).as_bytes());
                peer
            })
            .collect();
        bystanders.stop();
        let peak = server.memory_peak();
        println!("{} MiB at most", peak / MIB);
        assert!(peak < BUDGET + BESIDE, "{} MiB were in use", peak / MIB);
        drop(begun);
    });
}

#[test]
fn clients_of_one_address_are_limited_at_the_door() {
    let limits = "max_connections_per_address: 3\n";
    let (server, folder) = start(2, limits);
    let mut clients: Vec<Peer> = (0..3).map(|_| Peer::connect(server.address())).collect();
    let mut refused = Peer::open(server.address());
    assert_eq!(refused.rest(), b"-ERR 'maximum connections exceeded for this address'\r\n");
    server.wait_log("maximum connections of its address exceeded");
    drop(clients.pop());
    // It is seen to be gone before the next one comes in: both are read in the order of their coming.
    server.wait_down("connections", 2, |server| figure(&monitored(server, "/varz"), "\"connections\""));
    clients.push(Peer::connect(server.address()));
    fs::write(folder.path("c.conf"), format!("max_memory: {BUDGET}\nhttp: \"127.0.0.1:-1\"\n")).unwrap();
    server.signal("HUP");
    server.wait_log("Reloaded: max_connections_per_address = 0");
    server.wait_log("Reloaded server configuration");
    clients.push(Peer::connect(server.address()));
    clients.iter_mut().for_each(Peer::round_trip);
}
