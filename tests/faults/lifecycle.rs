//! The end of a server, and peers that fall silent.

use std::thread;
use std::time::{Duration, Instant};

use super::bystanders::Bystanders;
use super::peer::Peer;
use super::support::process::Process;
use super::support::{Midge, Settings};
use super::{MIB, with_each_worker_count};

#[test]
fn clients_read_all_that_was_sent_before_the_server_ends() {
    const MESSAGES: usize = 2000;
    for (signal, name) in [("INT", "interrupt"), ("TERM", "terminated")] {
        with_each_worker_count(|workers| {
            let mut server = Process::with_workers(workers);
            let mut subscribers: Vec<Peer> = (0..4).map(|_| Peer::connect(server.address())).collect();
            for subscriber in &mut subscribers {
                subscriber.subscribe("last");
            }
            let mut publisher = Peer::connect(server.address());
            for number in 0..MESSAGES {
                publisher.publish("last", number.to_string().as_bytes());
            }
            publisher.round_trip();
            server.signal(signal);
            // Nothing is said about it, and it is no reset.
            assert_eq!(publisher.rest_in_order(), b"");
            for mut subscriber in subscribers {
                for number in 0..MESSAGES {
                    subscriber.expect_message("last", number.to_string().as_bytes());
                }
                assert_eq!(subscriber.rest_in_order(), b"");
            }
            assert_eq!(server.wait_end().code(), Some(0));
            let log = server.log();
            let told = [&format!("Trapped \"{name}\" signal"), "Initiating Shutdown...", "Server Exiting.."];
            let places: Vec<usize> = told.iter().map(|text| log.find(*text).expect("a line of the end")).collect();
            assert!(places.is_sorted(), "{log}");
        });
    }
}

#[test]
fn the_end_does_not_wait_for_frozen_readers() {
    with_each_worker_count(|workers| {
        let mut server = Process::with_workers(workers);
        let mut frozen = Peer::connect_narrow(server.address());
        frozen.subscribe("flood");
        let half = Peer::open(server.address());
        let mut publisher = Peer::connect(server.address());
        for _ in 0..30 {
            publisher.publish("flood", &vec![b'x'; MIB]);
        }
        publisher.round_trip();
        let start = Instant::now();
        server.signal("TERM");
        assert_eq!(server.wait_end().code(), Some(0));
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
        drop(half);
    });
}

#[test]
fn signals_that_do_not_end_it_do_no_harm() {
    let server = Process::with_workers(2);
    let mut bystanders = Bystanders::connect(server.address());
    for signal in ["PIPE", "ALRM", "USR1", "HUP"] {
        server.signal(signal);
        bystanders.exchange();
    }
    server.wait_log("Trapped \"hangup\" signal");
    bystanders.exchange();
}

#[test]
fn a_silent_peer_is_stale_and_those_that_answer_stay() {
    with_each_worker_count(|workers| {
        let settings = Settings::parse("ping_interval=200ms ping_max=2").unwrap();
        let server = Midge::start(workers, &settings).unwrap();
        let mut silent = Peer::connect(server.address());
        // Half an operation is no sign of life, however often it grows.
        let mut trickle = Peer::connect(server.address());
        trickle.send("PUB trickle 1000\r\n");
        let mut writer = trickle.writer();
        let trickling = thread::spawn(move || {
            while std::io::Write::write_all(&mut writer, b"x").is_ok() {
                thread::sleep(Duration::from_millis(50));
            }
        });
        let bystanders = Bystanders::connect(server.address()).keep_busy();
        let end = "PING\r\nPING\r\n-ERR 'Stale Connection'\r\n";
        assert_eq!(String::from_utf8_lossy(&silent.rest_in_order()), end);
        assert_eq!(String::from_utf8_lossy(&trickle.rest()), end);
        trickling.join().expect("it is cut off");
        bystanders.stop();
    });
}

#[test]
fn readers_that_are_behind_still_get_all_when_the_server_ends() {
    const MESSAGES: usize = 600;
    with_each_worker_count(|workers| {
        let mut server = Process::with_workers(workers);
        let mut slow = Peer::connect_narrow(server.address());
        slow.subscribe("last");
        let mut publisher = Peer::connect(server.address());
        let payload = vec![b'x'; 16 * 1024];
        for _ in 0..MESSAGES {
            publisher.publish("last", &payload);
        }
        publisher.round_trip();
        // More waits for it now than the system takes from the server at once.
        server.signal("TERM");
        server.wait_log("Initiating Shutdown...");
        let mut slow = slow.buffered(64 * 1024);
        for _ in 0..MESSAGES {
            slow.expect_message("last", &payload);
        }
        assert_eq!(slow.rest_in_order(), b"");
        assert_eq!(server.wait_end().code(), Some(0));
    });
}
