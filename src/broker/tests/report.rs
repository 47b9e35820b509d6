//! What monitoring is told.

use super::world::World;
use crate::broker::report::{Inquiry, Piece, Question, Row, SubRows, Totals};
use crate::config::Options;
use crate::log::Log;

fn world() -> World {
    World::new(1, Options::default(), Log::quiet(), 1)
}

/// All pieces of an answer.
fn ask(world: &World, question: Question) -> Vec<Piece> {
    let mut inquiry = Inquiry::new(question);
    let mut pieces = Vec::new();
    loop {
        let (piece, is_last) = inquiry.step(&world.brokers[0]);
        pieces.push(piece);
        assert!(pieces.len() < 1000, "it has an end");
        if is_last {
            return pieces;
        }
    }
}

fn totals(world: &World) -> Totals {
    let Some(Piece::Totals(totals)) = ask(world, Question::Totals).pop() else { panic!("totals") };
    *totals
}

fn rows(world: &World, cid: Option<u64>) -> Vec<Row> {
    let pieces = ask(world, Question::Connections { cid, account: None });
    let rows = |piece| match piece {
        Piece::Connections(rows) => rows,
        other => panic!("{other:?}"),
    };
    pieces.into_iter().flat_map(rows).collect()
}

fn subscriptions(world: &World, test: Option<&str>, skip: usize, take: usize) -> (usize, Vec<SubRows>) {
    let test = test.map(|test| test.as_bytes().to_vec());
    let (mut total, mut all) = (0, Vec::new());
    for piece in ask(world, Question::Subscriptions { account: None, test, skip, take }) {
        let Piece::Subscriptions(found, rows) = piece else { panic!("{piece:?}") };
        assert!(rows.len() <= 512, "{} in one piece", rows.len());
        total += found;
        all.push(rows);
    }
    (total, all)
}

#[test]
fn traffic_is_kept_when_its_connection_has_gone() {
    let mut world = world();
    let reader = world.client(0, "");
    world.say(reader, "SUB a 1\r\n");
    let publisher = world.client(0, "");
    world.say(publisher, "PUB a 3\r\nabc\r\nPUB b 2\r\nab\r\n");
    let sums = |world: &World| {
        let totals = totals(world);
        let traffic = totals.traffic[0];
        let flow = (traffic.in_messages, traffic.in_bytes, traffic.out_messages, traffic.out_bytes);
        (flow, totals.connections.first().copied().unwrap_or_default())
    };
    assert_eq!(sums(&world), ((2, 5, 1, 3), 2));
    world.end(publisher);
    world.settle();
    assert_eq!(sums(&world), ((2, 5, 1, 3), 1));
    world.end(reader);
    world.settle();
    assert_eq!(sums(&world), ((2, 5, 1, 3), 0));
    assert_eq!(totals(&world).counts.cuts["Client Closed"].connections, 2);
}

#[test]
fn many_connections_are_reported_in_pieces_each_once() {
    let mut world = world();
    let peers: Vec<usize> = (0..1500).map(|_| world.accept(0)).collect();
    for peer in peers.iter().step_by(3) {
        world.end(*peer);
    }
    world.settle();
    let mut cids: Vec<u64> = rows(&world, None).iter().map(|row| row.cid).collect();
    cids.sort_unstable();
    let expected: Vec<u64> = (1..=1500).filter(|cid| cid % 3 != 1).collect();
    assert_eq!(cids, expected);
    assert_eq!(rows(&world, Some(5)).len(), 1);
    assert!(rows(&world, Some(4)).is_empty() && rows(&world, Some(7777)).is_empty());
}

#[test]
fn many_subscriptions_of_one_connection_are_reported_in_pieces_each_once() {
    let mut world = world();
    let peer = world.client(0, "");
    let subs: String = (0..2000).map(|sub| format!("SUB s.{sub} q{sub} {sub}\r\n")).collect();
    world.say(peer, &subs);
    let other = world.client(0, "");
    world.say(other, "SUB other 1\r\n");
    let connections: Vec<(u32, u64)> = rows(&world, None).iter().map(|row| (row.key, row.cid)).collect();
    let stranger = (connections[0].0, 7777);
    for order in [vec![connections[0], stranger, connections[1]], vec![connections[1], connections[0], stranger]] {
        let question = Question::Details { connections: order, subs: true };
        let pieces = ask(&world, question);
        assert!(pieces.len() >= 4, "{}", pieces.len());
        let (mut labels, mut sids) = (0, Vec::new());
        for piece in pieces {
            let Piece::Details(details) = piece else { panic!("{piece:?}") };
            assert!(details.iter().map(|detail| detail.subs.len()).sum::<usize>() <= 513);
            for detail in details {
                labels += usize::from(detail.label.is_some());
                for sub in detail.subs.iter() {
                    let expected = match sub.subject {
                        b"other" => "other  1".to_owned(),
                        subject => {
                            let number = String::from_utf8_lossy(&subject[2..]).into_owned();
                            format!("s.{number} q{number} {number}")
                        }
                    };
                    let shown = [sub.subject, b" ", sub.queue, b" ", sub.sid].concat();
                    assert_eq!(String::from_utf8(shown).unwrap(), expected);
                    sids.push((sub.cid, expected));
                }
            }
        }
        sids.sort();
        sids.dedup();
        assert_eq!(sids.len(), 2001);
        assert!(labels <= 2);
    }
    let question = Question::Details { connections, subs: false };
    let Some(Piece::Details(details)) = ask(&world, question).pop() else { panic!("details") };
    assert!(details.len() == 2 && details.iter().all(|detail| detail.subs.is_empty()));
}

#[test]
fn subscriptions_are_paged_counted_and_tested() {
    let mut world = world();
    let peer = world.client(0, "");
    let subs: String = (0..3000).map(|sub| format!("SUB s.{sub} {sub}\r\n")).collect();
    world.say(peer, &subs);
    world.say(peer, "SUB s.* star\r\nSUB s.7 more\r\nUNSUB 8\r\n");
    let count = |rows: &[SubRows]| rows.iter().map(SubRows::len).sum::<usize>();
    assert_eq!(count(&subscriptions(&world, None, 0, usize::MAX).1), 3001);
    assert_eq!(subscriptions(&world, None, 0, 0).0, 3001);
    let (total, rows) = subscriptions(&world, Some("s.7"), 0, usize::MAX);
    let mut sids: Vec<&[u8]> = rows.iter().flat_map(SubRows::iter).map(|row| row.sid).collect();
    sids.sort_unstable();
    assert_eq!((total, sids), (3, vec![&b"7"[..], b"more", b"star"]));
    assert_eq!(count(&subscriptions(&world, Some("s.8"), 0, 9).1), 1);
    assert_eq!(subscriptions(&world, Some("t.8"), 0, 9).0, 0);
    let mut paged = Vec::new();
    for page in 0..8 {
        let (total, rows) = subscriptions(&world, None, page * 400, 400);
        assert_eq!(total, 3001);
        paged.extend(rows.iter().flat_map(SubRows::iter).map(|row| row.sid.to_vec()));
    }
    paged.sort();
    paged.dedup();
    assert_eq!(paged.len(), 3001);
}

#[test]
fn a_connection_that_ends_while_it_is_reported_is_left_out() {
    let mut world = world();
    let peer = world.client(0, "");
    let subs: String = (0..1000).map(|sub| format!("SUB s.{sub} {sub}\r\n")).collect();
    world.say(peer, &subs);
    let row = rows(&world, None).remove(0);
    let mut inquiry = Inquiry::new(Question::Details { connections: vec![(row.key, row.cid)], subs: true });
    assert!(!inquiry.step(&world.brokers[0]).1);
    world.end(peer);
    world.settle();
    // Another has its key and its slots now.
    let next = world.client(0, "");
    world.say(next, &subs);
    let (piece, is_last) = inquiry.step(&world.brokers[0]);
    assert!(is_last && matches!(&piece, Piece::Details(details) if details.is_empty()), "{piece:?}");
}

#[test]
fn a_record_has_the_figures_and_subscriptions_of_its_end() {
    let mut world = world();
    let peer = world.client(0, "");
    world.say(peer, "SUB a 1\r\nSUB b 2\r\nPUB a 3\r\nabc\r\n");
    world.set_now(5000);
    world.end(peer);
    world.settle();
    let records = world.shared.closed.take();
    let record = records.iter().next().unwrap();
    assert_eq!((record.reason, record.stop_us, record.row.subs), ("Client Closed", 5_000_000, 2));
    assert_eq!((record.row.traffic.in_messages, record.row.traffic.out_bytes), (1, 3));
    let mut subjects: Vec<&[u8]> = record.subs.iter().map(|sub| sub.subject).collect();
    subjects.sort_unstable();
    assert_eq!(subjects, [b"a", b"b"]);
}

#[test]
fn round_trips_are_measured_at_the_first_ping_and_at_each_pong() {
    let mut world = world();
    let peer = world.accept(0);
    let round_trip = |world: &World| rows(world, None)[0].round_trip_us;
    assert_eq!(round_trip(&world), 0);
    world.set_now(1005);
    world.say(peer, "CONNECT {}\r\n");
    world.say(peer, "PONG\r\n");
    assert_eq!(round_trip(&world), 0, "a PONG without a PING tells nothing");
    world.say(peer, "PING\r\n");
    assert_eq!(round_trip(&world), 5000);
    world.hear(peer);
    world.say(peer, "PING\r\n");
    world.pass(2500);
    assert!(world.hear(peer).ends_with("PING\r\n"));
    let pinged = world.brokers[0].client(world.peers[peer].key).unwrap().pinged_us;
    world.set_now(pinged / 1000 + 7);
    world.say(peer, "PONG\r\n");
    assert_eq!(u64::from(round_trip(&world)), (pinged / 1000 + 7) * 1000 - pinged);
}
