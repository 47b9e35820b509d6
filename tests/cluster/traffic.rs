//! Much at once between two servers whose clients are spread over several workers.

use std::collections::BTreeMap;
use std::thread;

use super::client::{Client, unique};
use super::node::Kind::{self, Midge, Official};
use super::node::{Node, has_official, wait_mesh};

/// Requests of one client.
const REQUESTS: usize = 300;

/// Messages of one publisher.
const MESSAGES: usize = 3000;

fn start(kinds: [Kind; 2]) -> [Node; 2] {
    let flags = |kind| if kind == Midge { &["--workers", "3"][..] } else { &[] };
    let first = Node::start_with(kinds[0], "first", &[], flags(kinds[0]));
    let second = Node::start_with(kinds[1], "second", &[first.routes], flags(kinds[1]));
    wait_mesh(&[&first, &second]);
    [first, second]
}

/// Each request has an inbox of its own, which nobody knew before.
fn check_requests([one, other]: &[Node; 2]) {
    let subject = format!("service.{}", unique());
    let mut responder = other.client();
    responder.subscribe(&subject);
    let mut requesters: Vec<Client> = (0..6).map(|_| one.client()).collect();
    responder.known_to(&mut requesters[0]);
    let all = requesters.len() * REQUESTS;
    let answers = thread::spawn(move || {
        for _ in 0..all {
            let asked = responder.message();
            responder.publish(&asked.reply, &asked.payload);
        }
        responder.expect_nothing();
    });
    thread::scope(|scope| {
        for requester in &mut requesters {
            let subject = &subject;
            scope.spawn(move || {
                for number in 0..REQUESTS {
                    let inbox = format!("_INBOX.{}", unique());
                    let lines =
                        format!("SUB {inbox} {inbox}\r\nUNSUB {inbox} 1\r\nPUB {subject} {inbox} 4\r\n{number:04}\r\n");
                    requester.send(lines);
                    requester.expect(&inbox, &format!("{number:04}"));
                }
                requester.expect_nothing();
            });
        }
    });
    answers.join().expect("each request came once");
}

/// Publishers on one server, subscribers on both.
fn check_order([one, other]: &[Node; 2]) {
    const PUBLISHERS: usize = 4;
    let name = format!("order{}", unique());
    let plain = format!("{name}.*");
    let group = format!("{name}.* group");
    let mut plain_ones: Vec<Client> = [one, other, other, other].map(Node::client).into();
    let mut members: Vec<Client> = [one, other, other].map(Node::client).into();
    let mut asker = one.client();
    plain_ones.iter_mut().for_each(|client| client.subscribe(&plain));
    members.iter_mut().for_each(|client| client.subscribe(&group));
    for client in plain_ones.iter_mut().chain(&mut members) {
        client.subscribe("end");
        client.known_to(&mut asker);
    }
    thread::scope(|scope| {
        for at in 0..PUBLISHERS {
            let (mut publisher, subject) = (one.client(), format!("{name}.{at}"));
            scope.spawn(move || {
                for number in 0..MESSAGES {
                    publisher.publish(&subject, &number.to_string());
                }
                publisher.publish("end", "");
                publisher.flush();
            });
        }
        for client in &mut plain_ones {
            scope.spawn(move || {
                let got = until_ends(client, PUBLISHERS);
                let all: Vec<usize> = (0..MESSAGES).collect();
                assert!(got.len() == PUBLISHERS && got.values().all(|numbers| *numbers == all), "all, in order, once");
            });
        }
    });
    let mut sum: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for member in &mut members {
        for (subject, numbers) in until_ends(member, PUBLISHERS) {
            assert!(numbers.is_sorted(), "in order");
            sum.entry(subject).or_default().extend(numbers);
        }
    }
    for numbers in sum.values_mut() {
        numbers.sort_unstable();
        assert!(*numbers == (0..MESSAGES).collect::<Vec<_>>(), "each message for one member");
    }
}

/// What came by subject, up to the last word of each publisher.
fn until_ends(client: &mut Client, publishers: usize) -> BTreeMap<String, Vec<usize>> {
    let mut got: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut ends = 0;
    while ends < publishers {
        let message = client.message();
        match &message.subject[..] {
            "end" => ends += 1,
            _ => got.entry(message.subject).or_default().push(message.payload.parse().expect("a number")),
        }
    }
    got
}

#[test]
fn replies_find_inboxes_that_were_made_just_before_and_order_is_kept() {
    let nodes = start([Midge, Midge]);
    for _ in 0..3 {
        check_requests(&nodes);
        check_order(&nodes);
    }
}

#[test]
fn official_servers_reply_to_inboxes_that_were_made_just_before_and_order_is_kept() {
    if !has_official() {
        return;
    }
    for kinds in [[Midge, Official], [Official, Midge]] {
        let nodes = start(kinds);
        check_requests(&nodes);
        check_order(&nodes);
        nodes.iter().for_each(Node::expect_no_complaints);
    }
}
