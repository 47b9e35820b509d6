//! Lame duck mode: nobody new, full service for a while, then one goes after the other.

use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use midge::log::Log;

use super::bystanders::Bystanders;
use super::peer::{DEADLINE, Peer};
use super::support::process::Process;
use super::support::{Midge, Settings};
use super::with_each_worker_count;

const ENTERING: &str = "Entering lame duck mode, stop accepting new clients";

/// How often a connection is tried.
const LOOK: Duration = Duration::from_millis(5);

#[test]
fn clients_are_told_served_and_then_sent_away_one_by_one() {
    const GRACE: Duration = Duration::from_millis(1000);
    const CLIENTS: usize = 8;
    with_each_worker_count(|workers| {
        let settings = Settings::parse("lame_duck_grace_period=1000ms lame_duck_duration=2600ms").unwrap();
        let (log, captured) = Log::capture();
        let midge = Midge::start_logged(workers, &settings, log).unwrap();
        let address = midge.address();
        let mut bystanders = Bystanders::connect(address);
        let mut old = [Peer::connect(address), Peer::connect(address), Peer::open(address)];
        let mut new =
            [Peer::connect_for_news(address), Peer::connect_for_news(address), Peer::connect_for_news(address)];
        let start = Instant::now();
        let ending = midge.into_lame_duck();
        for peer in &mut new {
            let info = peer.info();
            assert!(info.contains("\"ldm\":true") && !info.contains("connect_info"), "{info}");
        }
        wait_refused(address);
        // What is said after the word about the end is answered, and that word comes first.
        for peer in new.iter_mut().chain(&mut old) {
            peer.round_trip();
        }
        while start.elapsed() < GRACE / 2 {
            bystanders.exchange();
        }
        let ends: Vec<_> = old.into_iter().chain(new).chain(bystanders.into_peers()).map(end).collect();
        let mut ends: Vec<Instant> = ends.into_iter().map(|end| end.join().unwrap()).collect();
        ends.sort_unstable();
        ending.join().unwrap();
        // 1600 ms for eight: pauses of at least 100 ms.
        assert_eq!(ends.len(), CLIENTS);
        for (number, end) in ends.iter().enumerate() {
            let soonest = GRACE + Duration::from_millis(100) * number as u32;
            assert!(*end >= start + soonest, "the {number}th end came {:?} after the start", *end - start);
        }
        let lines = captured.lines().join("\n");
        let told = [ENTERING, "Closing existing clients", "Client connection closed: Server Shutdown"];
        let places: Vec<usize> = told.iter().map(|text| lines.find(text).expect("a line of the end")).collect();
        assert!(places.is_sorted(), "{lines}");
        assert_eq!(lines.matches("closed: Server Shutdown").count(), CLIENTS, "{lines}");
    });
}

#[test]
fn no_pause_is_spent_on_workers_without_clients() {
    let settings = Settings::parse("lame_duck_grace_period=10ms lame_duck_duration=20s").unwrap();
    let midge = Midge::start(3, &settings).unwrap();
    let peers: Vec<Peer> = (0..9).map(|_| Peer::connect(midge.address())).collect();
    // The workers are given connections in turn: those of one worker stay.
    let stay: Vec<Peer> = peers.into_iter().skip(1).step_by(3).collect();
    midge.wait_connections(stay.len());
    let start = Instant::now();
    let ending = midge.into_lame_duck();
    let ends: Vec<_> = stay.into_iter().map(end).collect();
    let last = ends.into_iter().map(|end| end.join().unwrap()).max().unwrap();
    ending.join().unwrap();
    // Two pauses of half a second to a second, not those of the workers between them, which would be seven.
    assert!(last - start < Duration::from_millis(3000), "{:?}", last - start);
    assert!(last - start >= Duration::from_millis(1000), "{:?}", last - start);
}

#[test]
fn clients_that_are_left_at_the_end_of_the_time_do_not_hold_it_up() {
    with_each_worker_count(|workers| {
        let settings = Settings::parse("lame_duck_grace_period=10ms lame_duck_duration=60ms").unwrap();
        let midge = Midge::start(workers, &settings).unwrap();
        let mut peers: Vec<Peer> = (0..200).map(|_| Peer::connect(midge.address())).collect();
        let ending = midge.into_lame_duck();
        for peer in &mut peers {
            assert_ends_silently(peer);
        }
        ending.join().unwrap();
    });
}

#[test]
fn without_clients_the_server_ends_at_once() {
    with_each_worker_count(|workers| {
        let mut server = Process::with_workers(workers);
        drop(Peer::connect(server.address()));
        let start = Instant::now();
        server.signal("USR2");
        assert_eq!(server.wait_end().code(), Some(0));
        assert!(start.elapsed() < Duration::from_secs(8), "well before the grace period is over");
        let log = server.log();
        let told = ["Trapped \"user defined signal 2\" signal", ENTERING, "Initiating Shutdown...", "Server Exiting.."];
        let places: Vec<usize> = told.iter().map(|text| log.find(text).expect("a line of the end")).collect();
        assert!(places.is_sorted(), "{log}");
        assert!(!log.contains("Closing existing clients"), "{log}");
    });
}

#[test]
fn the_server_ends_when_its_last_client_has_left() {
    with_each_worker_count(|workers| {
        let mut server = Process::with_workers(workers);
        let mut peer = Peer::connect_for_news(server.address());
        let start = Instant::now();
        server.signal("USR2");
        assert!(peer.info().contains("\"ldm\":true"));
        wait_refused(server.address());
        // Neither again nor faster.
        for (signal, name) in
            [("USR2", "user defined signal 2"), ("TERM", "terminated"), ("USR2", "user defined signal 2")]
        {
            let line = format!("Trapped \"{name}\" signal");
            let before = server.log().matches(&line).count();
            server.signal(signal);
            server.wait_log_times(&line, before + 1);
        }
        peer.round_trip();
        assert_eq!(server.log().matches(ENTERING).count(), 1);
        drop(peer);
        assert_eq!(server.wait_end().code(), Some(0));
        assert!(start.elapsed() < Duration::from_secs(8), "well before the grace period is over");
        assert!(!server.log().contains("Closing existing clients"), "{}", server.log());
    });
}

#[test]
fn an_interrupt_ends_it_at_once() {
    with_each_worker_count(|workers| {
        let mut server = Process::with_workers(workers);
        let mut bystanders = Bystanders::connect(server.address());
        let mut peer = Peer::connect(server.address());
        let start = Instant::now();
        server.signal("USR2");
        server.wait_log(ENTERING);
        for _ in 0..50 {
            bystanders.exchange();
        }
        server.signal("INT");
        assert_ends_silently(&mut peer);
        assert_eq!(server.wait_end().code(), Some(0));
        assert!(start.elapsed() < Duration::from_secs(8), "well before the grace period is over");
        assert!(server.log().ends_with("Server Exiting..\n"), "{}", server.log());
    });
}

/// When a connection ends.
fn end(mut peer: Peer) -> thread::JoinHandle<Instant> {
    thread::spawn(move || {
        assert_ends_silently(&mut peer);
        Instant::now()
    })
}

/// The connection ends in order and without a word; PINGs do not count.
fn assert_ends_silently(peer: &mut Peer) {
    let rest = String::from_utf8_lossy(&peer.rest_in_order()).replace("PING\r\n", "");
    assert_eq!(rest, "");
}

/// Waits until the system refuses connections.
fn wait_refused(address: SocketAddr) {
    let deadline = Instant::now() + DEADLINE;
    while TcpStream::connect(address).is_ok() {
        assert!(Instant::now() < deadline, "connections are still taken");
        thread::sleep(LOOK);
    }
}
