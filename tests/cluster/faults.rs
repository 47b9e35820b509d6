//! What goes wrong with a peer, or with the way to it, hurts nobody else; and when it is over, everything is as if it had
//! never been.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::client::{Client, Message, unique};
use super::node::Kind::Midge;
use super::node::{Folder, Node, wait_mesh};
use super::peer::RoutePeer;
use super::proxy::{Flow, Proxy};

/// One mebibyte, in bytes.
const MIB: usize = 1024 * 1024;

/// The longest that a bystander may have to wait on a loaded machine.
const BEARABLE: Duration = Duration::from_secs(2);

/// Options of servers that soon notice when nobody answers.
const WATCHFUL: &str = "cluster { ping_interval: \"500ms\", ping_max: 2, write_deadline: \"2s\" }\n";

/// A message of one client to another, again and again. Panics when it is dropped if one took too long.
#[derive(Debug)]
struct Bystanders {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<Duration>>,
}

impl Bystanders {
    /// From a client of one server to one of another, or of the same.
    fn between(from: &Node, to: &Node) -> Bystanders {
        let (mut from, mut to) = (from.client(), to.client());
        let subject = format!("bystanders.{}", unique());
        to.subscribe(&subject);
        to.known_to(&mut from);
        let end = Arc::new(AtomicBool::new(false));
        let ending = Arc::clone(&end);
        let thread = thread::spawn(move || {
            let mut longest = Duration::ZERO;
            let mut number = 0;
            while !ending.load(Ordering::Relaxed) {
                let start = Instant::now();
                number += 1;
                from.publish(&subject, &number.to_string());
                to.expect(&subject, &number.to_string());
                longest = longest.max(start.elapsed());
                thread::sleep(Duration::from_millis(5));
            }
            longest
        });
        Bystanders { end, thread: Some(thread) }
    }

    /// They were not disturbed up to now.
    fn finish(mut self) {
        self.end.store(true, Ordering::Relaxed);
        let longest = self.thread.take().map(|thread| thread.join().expect("no message was lost"));
        println!("bystanders waited {longest:?} at most");
        assert!(longest < Some(BEARABLE), "{longest:?}");
    }
}

/// A server whose only way to the other one is this link: nobody listens where it says that it can be dialled.
fn behind(proxy: &Proxy, flags: &[&str]) -> Node {
    let nowhere = super::membership::free_address().to_string();
    Node::start_with(Midge, "b", &[proxy.address], &[flags, &["--cluster_advertise", &nowhere]].concat())
}

/// What the subscriber of `numbers.*` has got: each once at most, and in order.
fn check_order(messages: &[Message]) -> usize {
    let mut last: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for message in messages {
        let number: u64 = message.payload.parse().expect("a number");
        if let Some(before) = last.insert((&message.sid, &message.subject), number) {
            assert!(before < number, "{} {number} after {before}", message.subject);
        }
    }
    messages.len()
}

#[test]
fn a_killed_server_is_forgotten_at_once_and_comes_back_with_what_is_wanted_then() {
    let a = Node::midge("a", &[]);
    let b = Node::midge("b", &[a.routes]);
    let c = Node::midge("c", &[a.routes]);
    wait_mesh(&[&a, &b, &c]);
    let (mut asker, mut wanting, mut staying) = (a.client(), b.client(), c.client());
    wanting.subscribe("old");
    wanting.subscribe("kept group");
    staying.subscribe("kept group");
    wanting.known_to(&mut asker);
    staying.known_to(&mut asker);
    let bystanders = Bystanders::between(&a, &c);
    let b = b.restart();
    asker.wait_unwanted("old");
    wait_mesh(&[&a, &b, &c]);
    let mut wanting = b.client();
    wanting.subscribe("new");
    wanting.known_to(&mut asker);
    assert!(asker.is_wanted("new") && !asker.is_wanted("old"));
    // All for the member that is left.
    staying.drain();
    for number in 0..100 {
        asker.publish("kept", &number.to_string());
    }
    for number in 0..100 {
        staying.expect("kept", &number.to_string());
    }
    bystanders.finish();
}

#[test]
fn a_frozen_server_is_found_by_its_silence_and_comes_back_when_it_thaws() {
    let folder = Folder::new();
    let file = folder.write("watchful.conf", WATCHFUL);
    let a = Node::start_with(Midge, "a", &[], &["-c", &file]);
    let b = Node::start_with(Midge, "b", &[a.routes], &["-c", &file]);
    let c = Node::start_with(Midge, "c", &[a.routes], &["-c", &file]);
    wait_mesh(&[&a, &b, &c]);
    let (mut asker, mut wanting) = (a.client(), b.client());
    wanting.subscribe("cold.>");
    wanting.known_to(&mut asker);
    let bystanders = Bystanders::between(&a, &c);
    b.process.signal("STOP");
    asker.wait_unwanted("cold.start");
    a.process.wait_log("Stale Connection");
    // What changes meanwhile is known when it is back.
    let mut late = c.client();
    late.subscribe("late");
    b.process.signal("CONT");
    wait_mesh(&[&a, &b, &c]);
    asker.wait_wanted("cold.end");
    let messages = wanting.drain();
    assert!(messages.iter().all(|message| message.subject.starts_with("cold.")), "{messages:?}");
    wanting.wait_wanted("late");
    asker.publish("cold.once", "1");
    wanting.known_to(&mut asker);
    let once = wanting.drain().into_iter().filter(|message| message.subject == "cold.once").count();
    assert_eq!(once, 1);
    bystanders.finish();
}

#[test]
fn messages_come_once_and_in_order_however_often_the_way_is_cut() {
    let a = Node::midge("a", &[]);
    let proxy = Proxy::to(a.routes);
    let b = behind(&proxy, &[]);
    let mut subscriber = b.client();
    subscriber.subscribe("numbers.*");
    subscriber.subscribe("numbers.two");
    subscriber.subscribe("numbers.* group");
    let end = Arc::new(AtomicBool::new(false));
    let publishers: Vec<JoinHandle<()>> = ["numbers.one", "numbers.two"]
        .map(|subject| {
            let (mut publisher, end) = (a.client(), Arc::clone(&end));
            thread::spawn(move || {
                let mut number = 0;
                while !end.load(Ordering::Relaxed) {
                    number += 1;
                    publisher.publish(subject, &number.to_string());
                    if number % 100 == 0 {
                        publisher.flush();
                    }
                }
                publisher.flush();
            })
        })
        .into();
    let mut asker = a.client();
    for _ in 0..5 {
        subscriber.known_to(&mut asker);
        proxy.cut();
    }
    subscriber.known_to(&mut asker);
    end.store(true, Ordering::Relaxed);
    publishers.into_iter().for_each(|publisher| publisher.join().expect("it could publish"));
    subscriber.known_to(&mut asker);
    let got = check_order(&subscriber.drain());
    println!("{got} messages");
    assert!(got > 0);
}

#[test]
fn what_is_wanted_is_exact_again_when_a_partition_heals() {
    let folder = Folder::new();
    let file = folder.write("watchful.conf", WATCHFUL);
    let a = Node::start_with(Midge, "a", &[], &["-c", &file]);
    let proxy = Proxy::to(a.routes);
    let b = behind(&proxy, &["-c", &file]);
    wait_mesh(&[&a, &b]);
    let (mut of_a, mut of_b) = (a.client(), b.client());
    for client in [&mut of_a, &mut of_b] {
        client.subscribe("both.stays");
    }
    of_a.subscribe("a.goes");
    of_b.subscribe("b.goes");
    of_a.known_to(&mut of_b);
    of_b.known_to(&mut of_a);
    proxy.set(Flow::Held, Flow::Held);
    of_a.wait_unwanted("b.goes");
    of_b.wait_unwanted("a.goes");
    of_a.unsubscribe("a.goes");
    of_b.unsubscribe("b.goes");
    of_a.subscribe("a.comes");
    of_b.subscribe("b.comes");
    of_a.publish("b.comes", "lost");
    of_b.publish("a.comes", "lost");
    // Each side still serves its own.
    let bystanders = [Bystanders::between(&a, &a), Bystanders::between(&b, &b)];
    proxy.set(Flow::Open, Flow::Open);
    of_a.wait_wanted("b.comes");
    of_b.wait_wanted("a.comes");
    of_a.known_to(&mut of_b);
    of_b.known_to(&mut of_a);
    assert!(!of_a.is_wanted("b.goes") && !of_b.is_wanted("a.goes"));
    of_a.drain();
    of_b.drain();
    of_a.publish("both.stays", "1");
    of_a.expect("both.stays", "1");
    of_b.expect("both.stays", "1");
    of_a.expect_nothing();
    of_b.expect_nothing();
    bystanders.into_iter().for_each(Bystanders::finish);
}

#[test]
fn a_server_that_is_cut_off_from_all_others_finds_all_of_them_again() {
    let folder = Folder::new();
    let file = folder.write("watchful.conf", WATCHFUL);
    // Each says that it is behind its link, or others would tell of the way past it.
    let places: [SocketAddr; 3] = std::array::from_fn(|_| super::membership::free_address());
    let [to_a, to_b, to_c] = places.map(Proxy::to);
    let start = |name: &str, place: SocketAddr, link: &Proxy, seeds: &[SocketAddr]| {
        let (listen, advertised) = (format!("nats://{place}"), link.address.to_string());
        let flags = ["-c", &file, "--cluster", &listen, "--cluster_advertise", &advertised];
        Node::start_with(Midge, name, seeds, &flags)
    };
    let a = start("a", places[0], &to_a, &[]);
    let b = start("b", places[1], &to_b, &[places[0]]);
    let c = start("c", places[2], &to_c, &[to_a.address, to_b.address]);
    wait_mesh(&[&a, &b, &c]);
    let proxies = [&to_a, &to_b, &to_c];
    let (mut of_a, mut of_b, mut of_c) = (a.client(), b.client(), c.client());
    of_c.subscribe("c.is.here");
    of_c.known_to(&mut of_a);
    of_c.known_to(&mut of_b);
    let bystanders = Bystanders::between(&a, &b);
    for round in 0..2 {
        proxies.iter().for_each(|proxy| proxy.set(Flow::Held, Flow::Held));
        of_a.wait_unwanted("c.is.here");
        of_b.wait_unwanted("c.is.here");
        proxies.iter().for_each(|proxy| proxy.set(Flow::Open, Flow::Open));
        wait_mesh(&[&a, &b, &c]);
        of_a.wait_wanted("c.is.here");
        of_b.wait_wanted("c.is.here");
        of_c.known_to(&mut of_b);
        of_c.drain();
        of_b.publish("c.is.here", &round.to_string());
        of_c.expect("c.is.here", &round.to_string());
        of_c.expect_nothing();
    }
    bystanders.finish();
}

#[test]
fn a_link_that_works_in_one_direction_only_is_no_link() {
    let folder = Folder::new();
    let file = folder.write("watchful.conf", WATCHFUL);
    let a = Node::start_with(Midge, "a", &[], &["-c", &file]);
    let proxy = Proxy::to(a.routes);
    let b = behind(&proxy, &["-c", &file]);
    let (mut of_a, mut of_b) = (a.client(), b.client());
    of_a.subscribe("a.wants");
    of_b.subscribe("b.wants");
    for (there, back) in [(Flow::Held, Flow::Open), (Flow::Open, Flow::Held)] {
        of_a.known_to(&mut of_b);
        of_b.known_to(&mut of_a);
        proxy.set(there, back);
        // Both find out, since a PING or its PONG is missing at either.
        of_a.wait_unwanted("b.wants");
        of_b.wait_unwanted("a.wants");
        proxy.set(Flow::Open, Flow::Open);
        of_a.wait_wanted("b.wants");
        of_b.wait_wanted("a.wants");
    }
}

#[test]
fn a_slow_link_costs_others_nothing_and_takes_no_more_memory_than_it_may() {
    const MAX_PENDING: usize = 4 * MIB;
    let folder = Folder::new();
    let file = folder.write("small.conf", &format!("max_pending: {MAX_PENDING}\n"));
    let a = Node::start_with(Midge, "a", &[], &["-c", &file]);
    let proxy = Proxy::to(a.routes);
    let b = behind(&proxy, &[]);
    let c = Node::midge("c", &[a.routes]);
    let mut subscriber = b.client();
    subscriber.subscribe("numbers.*");
    subscriber.known_to(&mut a.client());
    let bystanders = Bystanders::between(&a, &c);
    let before = a.process.memory();
    proxy.set(Flow::Slow(200 * 1024), Flow::Slow(200 * 1024));
    let mut publisher = a.client();
    let filling = "0".repeat(8 * 1024);
    for number in 1..=6000 {
        publisher.publish("numbers.large", &format!("{filling}{number}"));
    }
    publisher.flush();
    let grown = a.process.memory_peak().saturating_sub(before);
    println!("{} KiB more", grown / 1024);
    assert!(grown < 3 * MAX_PENDING, "{grown}");
    a.process.wait_log("Route is behind with");
    proxy.set(Flow::Open, Flow::Open);
    // The marks may be too much while it is behind, like everything else.
    subscriber.known_to(&mut publisher);
    let messages = subscriber.drain();
    let got = check_order(&messages);
    println!("{got} of 6000 messages came");
    assert!(got > 0 && got < 6000);
    publisher.publish("numbers.last", "7000");
    subscriber.expect("numbers.last", "7000");
    bystanders.finish();
}

#[test]
fn garbage_on_the_port_of_routes_ends_that_connection_alone() {
    let a = Node::midge("a", &[]);
    let b = Node::midge("b", &[a.routes]);
    let bystanders = Bystanders::between(&a, &b);
    let long_line = [b"CONNECT {\"cluster\":\"".to_vec(), vec![b'x'; 200_000]].concat();
    let json = "CONNECT {\"cluster\":\"C1\"}\r\n".to_owned();
    let deep = format!("{json}INFO {}\r\n", "[".repeat(30_000));
    let pieces: [&[u8]; 10] = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"RS+ $G foo\r\n",
        b"INFO {\"server_id\":\"X\"}\r\n",
        b"CONNECT {\r\n",
        b"CONNECT {\"cluster\":\"C1\"}\r\nINFO {\"server_id\":\"\"}\r\n",
        b"CONNECT {\"cluster\":\"C1\"}\r\nRMSG $G bystanders 2\r\nhi\r\n",
        b"CONNECT {\"cluster\":\"C1\"}\r\nINFO nothing\r\n",
        deep.as_bytes(),
        &long_line,
    ];
    for piece in pieces {
        let mut stranger = RoutePeer::dial(a.routes);
        stranger.send_anyhow(piece);
        if piece[0] == 0x16 {
            // Not even the end of a line.
            stranger.send_anyhow(b"\r\n");
        }
        let said = stranger.rest();
        println!("{}: {said:?}", piece[..piece.len().min(40)].escape_ascii());
    }
    bystanders.finish();
    assert_eq!(a.client().urls().len(), 2);
}

#[test]
fn an_impossible_operation_ends_the_route_and_nothing_is_left_of_its_peer() {
    let a = Node::midge("a", &[]);
    let b = Node::midge("b", &[a.routes]);
    let bystanders = Bystanders::between(&a, &b);
    let mut asker = a.client();
    let operations = [
        "RS+ $G a b\r\n",
        "RS- $G a b c\r\n",
        "RMSG $G a b c d\r\n",
        "RMSG $G a -1\r\n",
        "RMSG $G a 99999999999999999999\r\n",
        "RMSG $G a 999999999\r\n",
        "HMSG $G a 9 3\r\nabc\r\n",
        "LMSG X $G a 3\r\nabc\r\n",
        "RMSG $G a 3\r\nabcdef\r\n",
        "MSG a 1 2\r\nhi\r\n",
        "XYZZY\r\n",
        "-ERR 'I am the one who is wrong'\r\n",
    ];
    for operation in operations {
        let mut peer = RoutePeer::join(a.routes);
        peer.send("RS+ $G impossible\r\nRS+ $G impossible group 3\r\n");
        peer.flush();
        assert!(asker.is_wanted("impossible"));
        peer.send_anyhow(operation.as_bytes());
        let said = peer.rest();
        println!("{operation:?}: {said:?}");
        asker.wait_unwanted("impossible");
    }
    // What cannot be subscribed to is no reason to end.
    let mut peer = RoutePeer::join(a.routes);
    peer.send("RS+ $G bad..subject\r\nRS- $G never.seen\r\nRS+ NOBODY some.thing\r\nRS+ $G possible\r\n");
    peer.flush();
    assert!(asker.is_wanted("possible"));
    bystanders.finish();
}

#[test]
fn a_peer_that_wants_a_million_subjects_disturbs_nobody_and_its_memory_comes_back() {
    const SUBJECTS: usize = 1_000_000;
    let a = Node::midge("a", &[]);
    let b = Node::midge("b", &[a.routes]);
    wait_mesh(&[&a, &b]);
    let bystanders = Bystanders::between(&b, &a);
    let before = a.process.memory();
    let mut peer = RoutePeer::join(a.routes);
    let mut lines = Vec::new();
    for number in 0..SUBJECTS {
        write!(lines, "RS+ $G million.{}.{number}\r\n", number % 1000).expect("memory");
    }
    peer.send(&lines);
    peer.flush();
    let each = (a.process.memory() - before) / SUBJECTS;
    println!("{each} bytes for each subject of another server");
    assert!(each < 400, "{each}");
    let mut asker = a.client();
    assert!(asker.is_wanted("million.7.999007") && !asker.is_wanted("million.7.1"));
    drop(peer);
    asker.wait_unwanted("million.7.999007");
    bystanders.finish();
    let most = before + SUBJECTS * 20;
    a.process.wait_down("memory after the million", most, |process| process.memory());
}

#[test]
fn what_comes_on_a_route_for_a_frozen_client_holds_up_nobody_else_on_it() {
    let folder = Folder::new();
    let file = folder.write("small.conf", "max_pending: 4MB, write_deadline: \"2s\"\n");
    let a = Node::start_with(Midge, "a", &[], &["-c", &file]);
    let mut frozen = Client::connect_narrow(a.process.address());
    frozen.subscribe("flood");
    let mut others = a.client();
    others.subscribe("others");
    let before = a.process.memory();
    let peer = RoutePeer::join(a.routes);
    let mut writer = peer.writer();
    let end = Arc::new(AtomicBool::new(false));
    let ending = Arc::clone(&end);
    let flood = thread::spawn(move || {
        let payload = "x".repeat(16 * 1024);
        let mut number = 0;
        while !ending.load(Ordering::Relaxed) {
            number += 1;
            let text = u64::to_string(&number);
            let large = format!("RMSG $G flood {}\r\n{payload}\r\n", payload.len());
            let small = format!("RMSG $G others {}\r\n{text}\r\n", text.len());
            writer.write_all([large, small].concat().as_bytes()).expect("the server reads");
        }
        writer.write_all(b"RMSG $G others 0\r\n\r\n").expect("the server reads");
    });
    let start = Instant::now();
    let mut longest = Duration::ZERO;
    let mut last = 0;
    loop {
        let asked = Instant::now();
        let message = others.message();
        longest = longest.max(asked.elapsed());
        if message.payload.is_empty() {
            break;
        }
        last += 1;
        assert_eq!(message.payload, last.to_string(), "each once and in order");
        if start.elapsed() > Duration::from_secs(4) {
            end.store(true, Ordering::Relaxed);
        }
    }
    flood.join().expect("the server reads");
    println!("{last} messages, {longest:?} without one at most");
    assert!(longest < BEARABLE, "{longest:?}");
    a.process.wait_log("Slow Consumer");
    let grown = a.process.memory_peak().saturating_sub(before);
    assert!(grown < 32 * MIB, "{grown}");
    drop(peer);
}
