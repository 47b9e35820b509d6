//! Readers that are slow or do not read at all.

use std::net::SocketAddr;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::bystanders::Bystanders;
use super::peer::Peer;
use super::support::process::Process;
use super::support::{Midge, Settings};
use super::{MIB, with_each_worker_count};

/// Payload of one message of a flood.
const PAYLOAD_BYTES: usize = 16 * 1024;

/// What may be in use beside what waits for the frozen reader: the program itself, what waits for readers that are only
/// a little behind, and what is under way between workers.
const MEMORY_BESIDE: usize = 80 * MIB;

/// The default of `max_pending`.
const PENDING_MAX: usize = 64 * MIB;

#[test]
fn a_frozen_reader_is_cut_and_others_lose_nothing() {
    with_each_worker_count(|workers| {
        let server = Process::with_workers(workers);
        let address = server.address();
        let bystanders = Bystanders::connect(address).keep_busy();
        let alone = flood(address, 8000);
        let mut frozen = Peer::connect_narrow(address);
        frozen.subscribe("flood");
        let beside_frozen = flood(address, 16_000);
        server.wait_log("Slow Consumer Detected: MaxPending of 67108864 Exceeded");
        // It got a part, and then the end without a word.
        let got = frozen.rest();
        assert!(got.len() < PENDING_MAX, "{} bytes", got.len());
        bystanders.stop();
        let peak = server.memory_peak();
        assert!(peak < PENDING_MAX + MEMORY_BESIDE, "{} MiB in use", peak / MIB);
        // Twice the messages, and one pause of a tenth of a second; the rest is for a machine with other things to do.
        let most = alone * 6 + Duration::from_secs(2);
        assert!(beside_frozen < most, "{beside_frozen:?} beside a frozen reader, half of it alone in {alone:?}");
        server.wait_down("memory", 32 * MIB, Process::memory);
    });
}

#[test]
fn a_frozen_reader_does_not_outlive_the_write_deadline() {
    with_each_worker_count(|workers| {
        let settings = Settings::parse("write_deadline=300ms").unwrap();
        let server = Midge::start(workers, &settings).unwrap();
        let mut frozen = Peer::connect_narrow(server.address());
        frozen.subscribe("flood");
        // More than the system takes, less than may wait.
        let start = Instant::now();
        flood(server.address(), 1000);
        server.wait_connections(0);
        let got = frozen.rest();
        assert!(start.elapsed() >= Duration::from_millis(300));
        assert!(got.len() < 1000 * PAYLOAD_BYTES, "all {} bytes", got.len());
        Bystanders::connect(server.address()).exchange();
    });
}

#[test]
fn a_slow_reader_holds_its_publisher_back_and_loses_nothing() {
    const MESSAGES: usize = 4000;
    with_each_worker_count(|workers| {
        let settings = Settings::parse("max_pending=16777216").unwrap();
        let server = Midge::start(workers, &settings).unwrap();
        let address = server.address();
        let mut slow = Peer::connect_narrow(address);
        slow.subscribe("flood");
        let reading = thread::spawn(move || {
            let mut slow = slow.buffered(64 * 1024);
            for number in 0..MESSAGES {
                slow.expect_message("flood", &payload(number));
                if number % 4 == 3 {
                    // This is the slowness itself: some 30 MB in a second.
                    thread::sleep(Duration::from_millis(2));
                }
            }
            slow
        });
        let bystanders = Bystanders::connect(address).keep_busy();
        publish_flood(address, MESSAGES);
        reading.join().expect("the slow reader gets every message").round_trip();
        bystanders.stop();
    });
}

#[test]
fn a_publisher_is_free_again_when_the_reader_that_held_it_is_gone() {
    with_each_worker_count(|workers| {
        let server = Process::with_workers(workers);
        let address = server.address();
        for end in ["reset", "close", "UNSUB", "error"] {
            println!("{end}");
            let mut slow = Peer::connect_narrow(address);
            slow.subscribe("flood");
            let flooding = thread::spawn(move || flood(address, 6000));
            // It reads at a rate that is worth waiting for, and more than could come without waiting.
            let mut piece = vec![0; 64 * 1024];
            let mut had = 0;
            while had < 24 * MIB {
                had += slow.read(&mut piece).expect("the flood");
                thread::sleep(Duration::from_micros(500));
            }
            assert!(!flooding.is_finished(), "the flood was not held back");
            match end {
                "reset" => slow.reset(),
                "close" => drop(slow),
                "UNSUB" => slow.read_on_after("UNSUB 1\r\nPING\r\n", b"PONG\r\n"),
                _ => slow.read_on_after("oops\r\n", b"-ERR 'Unknown Protocol Operation'\r\n"),
            }
            flooding.join().expect("the flood goes on");
        }
    });
}

/// What another worker had for it ended the connection between reading its bytes and working on them.
#[test]
fn a_reader_that_is_cut_while_it_is_being_read_from_hurts_nobody() {
    with_each_worker_count(|workers| {
        let settings = Settings::parse("max_pending=1048576").unwrap();
        let server = Midge::start(workers, &settings).unwrap();
        let bystanders = Bystanders::connect(server.address()).keep_busy();
        for _ in 0..40 {
            let mut frozen = Peer::connect_narrow(server.address());
            frozen.subscribe("flood");
            let mut writer = frozen.writer();
            let talking = thread::spawn(move || {
                let talk = "PUB to.nobody 5000\r\n".to_string() + &"x".repeat(5000) + "\r\n";
                while std::io::Write::write_all(&mut writer, talk.as_bytes()).is_ok() {}
            });
            publish_flood(server.address(), 600);
            talking.join().expect("its connection ends");
        }
        bystanders.stop();
    });
}

#[test]
fn a_peer_that_never_takes_its_answers_is_bounded() {
    with_each_worker_count(|workers| {
        let server = Process::with_workers(workers);
        let bystanders = Bystanders::connect(server.address()).keep_busy();
        let greedy = Peer::connect_narrow(server.address());
        let mut writer = greedy.writer();
        let pings = "PING\r\n".repeat(100_000);
        // The answers to its own PINGs pile up: at some point it is cut or nothing more is read from it.
        writer.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        for _ in 0..200 {
            if std::io::Write::write_all(&mut writer, pings.as_bytes()).is_err() {
                break;
            }
        }
        bystanders.stop();
        let peak = server.memory_peak();
        assert!(peak < PENDING_MAX + MEMORY_BESIDE, "{} MiB in use", peak / MIB);
    });
}

/// Sends so many messages on `flood` to a subscriber that must get every one in order. Returns how long that took.
fn flood(address: SocketAddr, messages: usize) -> Duration {
    let mut subscriber = Peer::connect(address);
    subscriber.subscribe("flood");
    let start = Instant::now();
    let reading: JoinHandle<()> = thread::spawn(move || {
        let mut subscriber = subscriber.buffered(64 * 1024);
        for number in 0..messages {
            subscriber.expect_message("flood", &payload(number));
        }
    });
    publish_flood(address, messages);
    reading.join().expect("a reading subscriber gets every message");
    start.elapsed()
}

/// Publishes the messages as fast as the server takes them, and returns when it has.
fn publish_flood(address: SocketAddr, messages: usize) {
    let mut publisher = Peer::connect(address);
    for number in 0..messages {
        publisher.publish("flood", &payload(number));
    }
    publisher.round_trip();
}

/// The payload of the message with this number.
fn payload(number: usize) -> Vec<u8> {
    let mut payload = vec![number as u8; PAYLOAD_BYTES];
    payload[..8].copy_from_slice(&number.to_be_bytes());
    payload
}
