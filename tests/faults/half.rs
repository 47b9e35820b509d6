//! Peers that go away in the middle of something, or only half.

use super::bystanders::Bystanders;
use super::peer::Peer;
use super::support::process::Process;
use super::with_each_worker_count;

/// Connections of one kind of fault.
const CONNECTIONS: usize = 300;

#[test]
fn peers_that_reset_in_the_middle_of_a_payload_leave_nothing_behind() {
    with_each_worker_count(|workers| {
        let server = Process::with_workers(workers);
        let mut watcher = Peer::connect(server.address());
        watcher.subscribe("half.*");
        let bystanders = Bystanders::connect(server.address()).keep_busy();
        let files = server.files();
        for number in 0..CONNECTIONS {
            let mut peer = Peer::connect(server.address());
            peer.send(format!("PUB half.whole 2\r\nok\r\nPUB half.part {}\r\n", 100_000));
            peer.send(vec![b'x'; number * 300]);
            watcher.expect_message("half.whole", b"ok");
            peer.reset();
        }
        server.wait_down("descriptors", files, Process::files);
        // No part of a message was taken for a message.
        watcher.round_trip();
        bystanders.stop();
    });
}

#[test]
fn a_peer_that_ends_its_sending_half_still_gets_what_it_asked_for() {
    with_each_worker_count(|workers| {
        let server = Process::with_workers(workers);
        for number in 0..CONNECTIONS {
            let mut peer = Peer::connect(server.address());
            let payload = "x".repeat(number * 100);
            peer.send(format!("SUB mine 7\r\nPUB mine {}\r\n{payload}\r\nPING\r\n", payload.len()));
            peer.shut();
            peer.expect_message("mine", payload.as_bytes());
            peer.expect_line("PONG");
            assert_eq!(peer.rest_in_order(), b"");
        }
    });
}

#[test]
fn peers_that_vanish_before_connect_leave_nothing_behind() {
    with_each_worker_count(|workers| {
        let server = Process::with_workers(workers);
        let bystanders = Bystanders::connect(server.address()).keep_busy();
        let files = server.files();
        for _ in 0..CONNECTIONS {
            drop(Peer::dial(server.address()));
            Peer::dial(server.address()).reset();
            drop(Peer::open(server.address()));
            Peer::open(server.address()).reset();
            let mut half = Peer::open(server.address());
            half.shut();
            assert_eq!(half.rest_in_order(), b"");
        }
        server.wait_down("descriptors", files, Process::files);
        bystanders.stop();
    });
}

#[test]
fn subscribers_that_reset_while_they_are_sent_to_leave_nothing_behind() {
    with_each_worker_count(|workers| {
        let server = Process::with_workers(workers);
        let mut publisher = Peer::connect(server.address());
        let files = server.files();
        for _ in 0..CONNECTIONS {
            let mut plain = Peer::connect(server.address());
            plain.subscribe("gone");
            let mut member = Peer::connect(server.address());
            member.send("SUB gone workers 1\r\n");
            member.round_trip();
            publisher.publish("gone", &[b'x'; 20_000]);
            plain.reset();
            member.reset();
            publisher.publish("gone", &[b'x'; 20_000]);
            publisher.round_trip();
        }
        server.wait_down("descriptors", files, Process::files);
        // Nobody listens any more, and the server knows.
        publisher.expect_no_subscribers("gone");
    });
}
