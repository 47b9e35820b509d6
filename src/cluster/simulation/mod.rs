//! Several servers in one thread, over a network that is made up: messages take their time, connections are cut and freeze,
//! servers die with or without a word and come back with another id. In the meantime their clients subscribe and publish: see
//! `traffic`. All of it follows from a seed, which a failure prints.
//!
//! `SIMULATION_SEED=n` plays one seed; `SIMULATION_SEEDS=n` plays so many.

mod traffic;

use super::tests::{own, settings};
use super::*;
use crate::wire::route::{Limits, Op, Outcome, parse, write};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr};
use traffic::{Ledger, Outgoing, SUBJECTS, Traffic};

const PORT: u16 = 6222;
/// How long the network is bad.
const TROUBLE_MS: u64 = 60_000;
/// And how long everything may take to be well again: the long pause between dials, and dead connections to be found.
const HEALING_MS: u64 = 90_000;
/// Nobody may dial any more then.
const QUIET_MS: u64 = 20_000;

fn ip(node: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, (node / 200) as u8, (node % 200) as u8 + 1))
}

fn node_of(host: &str) -> Option<usize> {
    let [10, 0, high, low] = host.parse::<Ipv4Addr>().ok()?.octets() else { return None };
    (usize::from(high) * 200 + usize::from(low)).checked_sub(1)
}

/// One server, running or not.
struct Node {
    cluster: Option<Cluster>,
    settings: Settings,
    /// Which of its lives this is.
    life: u64,
    /// Open connections: the link and the end of it.
    conns: BTreeMap<Conn, (usize, usize)>,
    registered: BTreeMap<Conn, String>,
    urls: Vec<String>,
    timer: u64,
    traffic: Traffic,
}

/// One TCP connection.
struct Link {
    /// Node, its life, and the connection's name there.
    ends: [(usize, u64, Conn); 2],
    /// What is on its way to each end, and when it arrives; None is the end of the stream.
    queues: [VecDeque<(u64, Option<Vec<u8>>)>; 2],
    /// What has arrived but is no whole operation.
    partial: [Vec<u8>; 2],
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrive {
        link: usize,
        end: usize,
    },
    Connect {
        from: usize,
        life: u64,
        dial: DialId,
        to: Option<usize>,
    },
    Dialled {
        link: usize,
        dial: DialId,
    },
    DialFailed {
        node: usize,
        life: u64,
        dial: DialId,
    },
    Timer {
        node: usize,
    },
    /// A turn of a server's clients.
    Turn {
        node: usize,
        life: u64,
    },
    Trouble,
}

struct World {
    nodes: Vec<Node>,
    links: Vec<Link>,
    cut: BTreeSet<(usize, usize)>,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    now: u64,
    count: u64,
    next_conn: Conn,
    dice: Random,
    delay_max: u64,
    /// Bytes that were sent.
    sent: u64,
    ledger: Ledger,
    /// The longest time between two turns of a server's clients, if they do anything.
    turn_max: Option<u64>,
}

impl World {
    fn new(seed: u64, nodes: usize) -> Self {
        let mut dice = Random::new(seed);
        let shape = dice.below(5);
        let names = dice.below(3);
        let (retries, ping) = (dice.below(3) as u32, 1000 + dice.below(4000));
        let delay_max = [2, 20, 150][dice.below(3) as usize];
        let backoff = dice.below(4) == 0;
        let mut all = Vec::new();
        for node in 0..nodes {
            let to: Vec<usize> = match shape {
                // All know the first one, as after the second command line of a tutorial.
                0 => vec![0],
                1 => vec![node.saturating_sub(1)],
                2 => (0..nodes).collect(),
                3 => (0..nodes).filter(|&other| other != node).collect(),
                _ => vec![(node + 1) % nodes],
            };
            let mut settings = settings();
            settings.name = match names {
                0 => Some("C1".to_owned()),
                1 => None,
                _ => (node == nodes / 2).then(|| "C1".to_owned()),
            };
            settings.generated_name = format!("G{:x}", dice.below(1 << 32));
            settings.routes = to.iter().map(|&to| RouteUrl::new(&ip(to).to_string(), PORT)).collect();
            settings.connect_retries = retries;
            settings.connect_backoff = backoff;
            settings.ping_interval_ms = ping;
            all.push(Node {
                cluster: None,
                settings,
                life: 0,
                conns: BTreeMap::new(),
                registered: BTreeMap::new(),
                urls: Vec::new(),
                timer: u64::MAX,
                traffic: Traffic::new("", 0),
            });
        }
        Self {
            nodes: all,
            links: Vec::new(),
            cut: BTreeSet::new(),
            events: BinaryHeap::new(),
            now: 1000,
            count: 0,
            next_conn: 0,
            dice,
            delay_max,
            sent: 0,
            ledger: Ledger::default(),
            turn_max: None,
        }
    }

    fn at(&mut self, time: u64, event: Event) {
        self.count += 1;
        self.events.push(Reverse((time, self.count, event)));
    }

    fn delay(&mut self) -> u64 {
        1 + self.dice.below(self.delay_max)
    }

    fn is_cut(&self, a: usize, b: usize) -> bool {
        self.cut.contains(&(a.min(b), a.max(b)))
    }

    fn start(&mut self, node: usize) {
        let it = &mut self.nodes[node];
        it.life += 1;
        let id = format!("N{node}_{}", it.life);
        it.traffic = Traffic::new(&id, 1 + self.count);
        let mut own = own(&id, &format!("name{node}"));
        own.host = ip(node).to_string();
        own.client_urls = vec![format!("{}:4222", ip(node))];
        let mut cluster = Cluster::new(own, it.settings.clone(), self.dice.below(1 << 30));
        cluster.start(self.now);
        (it.cluster, it.timer) = (Some(cluster), u64::MAX);
        it.urls.clear();
        let life = it.life;
        self.act(node);
        if self.turn_max.is_some() {
            self.at(self.now + 1, Event::Turn { node, life });
        }
    }

    /// The server dies. Others learn that at once, or not before they send something and it runs again.
    fn kill(&mut self, node: usize, with_a_word: bool) {
        self.nodes[node].cluster = None;
        self.nodes[node].registered.clear();
        for (link, end) in std::mem::take(&mut self.nodes[node].conns).into_values() {
            if with_a_word {
                self.send(link, 1 - end, None);
            }
        }
    }

    fn send(&mut self, link: usize, to: usize, bytes: Option<Vec<u8>>) {
        let delay = self.delay();
        self.sent += bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        let queue = &mut self.links[link].queues[to];
        let time = (self.now + delay).max(queue.back().map_or(0, |(time, _)| *time));
        queue.push_back((time, bytes));
        self.at(time, Event::Arrive { link, end: to });
    }

    /// Does what a cluster asks for.
    fn act(&mut self, node: usize) {
        let mut closed = Vec::new();
        let mut did_something = false;
        loop {
            let Some(cluster) = &mut self.nodes[node].cluster else { return };
            let Some(action) = cluster.next_action() else {
                let Some(conn) = closed.pop() else { break };
                cluster.closed(conn, self.now);
                continue;
            };
            let life = self.nodes[node].life;
            did_something = true;
            match action {
                Action::Dial { dial, host, port, .. } => {
                    assert_eq!(port, PORT);
                    let time = self.now + self.delay();
                    self.at(time, Event::Connect { from: node, life, dial, to: node_of(&host) });
                }
                Action::Send(conn, bytes) => {
                    if let Some(&(link, end)) = self.nodes[node].conns.get(&conn) {
                        self.send(link, 1 - end, Some(bytes));
                    }
                }
                Action::Close(conn, _) => {
                    if let Some((link, end)) = self.nodes[node].conns.remove(&conn) {
                        self.send(link, 1 - end, None);
                    }
                    closed.push(conn);
                }
                Action::Registered(conn, peer) => {
                    assert!(self.nodes[node].conns.contains_key(&conn), "a closed connection was registered");
                    assert!(!self.nodes[node].registered.values().any(|id| *id == peer.id), "{} twice", peer.id);
                    self.nodes[node].registered.insert(conn, peer.id);
                    let mut out = Vec::new();
                    self.nodes[node].traffic.registered(conn, peer.capabilities, &mut out);
                    self.send_all(node, out);
                }
                Action::Lost(conn) => {
                    assert!(self.nodes[node].registered.remove(&conn).is_some(), "lost what was not there");
                    self.nodes[node].traffic.lost(conn);
                }
                Action::ClientUrls(urls) => self.nodes[node].urls = urls,
                Action::Verify(..) => panic!("nobody asked for credentials"),
                Action::Named(_) | Action::Changed(..) | Action::Note(..) => {}
            }
        }
        let it = &mut self.nodes[node];
        let due = it.cluster.as_ref().map_or(u64::MAX, Cluster::next_due);
        if due < it.timer {
            it.timer = due.max(self.now + 1);
            let time = it.timer;
            self.at(time, Event::Timer { node });
        }
        if !did_something {
            return;
        }
        let it = &self.nodes[node];
        let peers: BTreeMap<Conn, String> =
            it.cluster.iter().flat_map(|cluster| cluster.peers()).map(|(id, conn)| (conn, id.to_owned())).collect();
        assert_eq!(peers, it.registered, "what was told is not what is");
    }

    fn send_all(&mut self, node: usize, out: Outgoing) {
        for (conn, bytes) in out {
            if let Some(&(link, end)) = self.nodes[node].conns.get(&conn) {
                self.send(link, 1 - end, Some(bytes));
            }
        }
    }

    fn turn(&mut self, node: usize, life: u64) {
        let it = &mut self.nodes[node];
        if it.life != life || it.cluster.is_none() {
            return;
        }
        let mut out = Vec::new();
        let turn_max = match self.turn_max {
            Some(turn_max) => {
                it.traffic.turn(&mut self.dice, &mut self.ledger, &mut out);
                turn_max
            }
            // The clients are quiet; what is to be announced and removed goes on.
            None => {
                it.traffic.rest(&mut out);
                100
            }
        };
        let is_idle = self.turn_max.is_none() && it.traffic.is_idle();
        self.send_all(node, out);
        let next = self.now + 1 + self.dice.below(turn_max);
        if !is_idle || self.now < TROUBLE_MS + HEALING_MS {
            self.at(next, Event::Turn { node, life });
        }
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Timer { node } => {
                let it = &mut self.nodes[node];
                if it.timer > self.now {
                    return;
                }
                it.timer = u64::MAX;
                if let Some(cluster) = &mut it.cluster {
                    cluster.fire(self.now);
                }
                self.act(node);
            }
            Event::Connect { from, life, dial, to } => self.connect(from, life, dial, to),
            Event::Dialled { link, dial } => {
                let (node, life, conn) = self.links[link].ends[0];
                let (to, ..) = self.links[link].ends[1];
                if self.nodes[node].life != life || self.nodes[node].cluster.is_none() {
                    return self.send(link, 1, None);
                }
                self.nodes[node].conns.insert(conn, (link, 0));
                let now = self.now;
                self.nodes[node].cluster.as_mut().unwrap().dialled(dial, conn, ip(to), now);
                self.act(node);
            }
            Event::DialFailed { node, life, dial } => {
                let it = &mut self.nodes[node];
                if it.life == life
                    && let Some(cluster) = &mut it.cluster
                {
                    cluster.dial_failed(dial, "refused", self.now);
                    self.act(node);
                }
            }
            Event::Arrive { link, end } => self.arrive(link, end),
            Event::Turn { node, life } => self.turn(node, life),
            Event::Trouble => self.trouble(),
        }
    }

    fn connect(&mut self, from: usize, life: u64, dial: DialId, to: Option<usize>) {
        let failed = Event::DialFailed { node: from, life, dial };
        let Some(to) = to.filter(|&to| to < self.nodes.len() && !self.is_cut(from, to)) else {
            return self.at(self.now + 1000, failed);
        };
        let delay = self.delay();
        if self.nodes[to].cluster.is_none() {
            return self.at(self.now + delay, failed);
        }
        let [near, far] = [self.next_conn, self.next_conn + 1];
        self.next_conn += 2;
        let link = self.links.len();
        self.links.push(Link {
            ends: [(from, life, near), (to, self.nodes[to].life, far)],
            queues: Default::default(),
            partial: Default::default(),
        });
        self.at(self.now + delay, Event::Dialled { link, dial });
        // What the other side says at once must not arrive before the dial is known to have succeeded.
        self.links[link].queues[0].push_back((self.now + delay, Some(Vec::new())));
        self.nodes[to].conns.insert(far, (link, 1));
        let now = self.now;
        self.nodes[to].cluster.as_mut().unwrap().accepted(far, ip(from), now);
        self.act(to);
    }

    fn arrive(&mut self, link: usize, end: usize) {
        let [(a, ..), (b, ..)] = self.links[link].ends;
        let Some((time, _)) = self.links[link].queues[end].front() else { return };
        if *time > self.now {
            return;
        }
        if self.is_cut(a, b) {
            // It is sent again until it gets through.
            let time = self.now + 200;
            self.links[link].queues[end][0].0 = time;
            return self.at(time, Event::Arrive { link, end });
        }
        let Some((_, item)) = self.links[link].queues[end].pop_front() else { return };
        if let Some((time, _)) = self.links[link].queues[end].front() {
            let time = (*time).max(self.now);
            self.at(time, Event::Arrive { link, end });
        }
        let (node, life, conn) = self.links[link].ends[end];
        let it = &mut self.nodes[node];
        if it.life != life && it.cluster.is_some() && item.is_some() {
            // The host runs again and knows nothing of the connection.
            return self.send(link, 1 - end, None);
        }
        if it.life != life || !it.conns.contains_key(&conn) {
            return;
        }
        match item {
            Some(bytes) => {
                self.links[link].partial[end].extend_from_slice(&bytes);
                self.read(node, conn, link, end);
            }
            None => {
                it.conns.remove(&conn);
                if let Some(cluster) = &mut it.cluster {
                    cluster.closed(conn, self.now);
                }
                self.act(node);
            }
        }
    }

    fn read(&mut self, node: usize, conn: Conn, link: usize, end: usize) {
        let limits = Limits { control_line_max: 65_536, payload_max: 1 << 20, origin_in_unsubscribe: true };
        let input = std::mem::take(&mut self.links[link].partial[end]);
        let mut rest = &input[..];
        let now = self.now;
        while self.nodes[node].conns.contains_key(&conn) {
            let (op, used) = match parse(rest, &limits) {
                Outcome::Done(op, used) => (op, used),
                Outcome::More(_) => break,
                Outcome::Bad(bad) => panic!("{bad:?}"),
            };
            rest = &rest[used..];
            let Some(cluster) = &mut self.nodes[node].cluster else { break };
            match op {
                Op::Connect(document) => cluster.connect(conn, document, now),
                Op::Info(document) => cluster.info(conn, document, now),
                Op::Pong => cluster.pong(conn, now),
                Op::Error(text) => cluster.error(conn, text, now),
                Op::Ping => self.send(link, 1 - end, Some(write::PONG.to_vec())),
                other => {
                    assert!(cluster.is_registered(conn), "{other:?} came early");
                    let mut out = Vec::new();
                    self.nodes[node].traffic.receive(conn, &other, &mut self.dice, &mut self.ledger, &mut out);
                    self.send_all(node, out);
                }
            }
            self.act(node);
        }
        self.links[link].partial[end] = rest.to_vec();
    }

    /// Something goes wrong, or right again.
    fn trouble(&mut self) {
        let nodes = self.nodes.len() as u64;
        let [a, b] = [self.dice.below(nodes) as usize, self.dice.below(nodes) as usize];
        match self.dice.below(8) {
            0 | 1 if a != b => _ = self.cut.insert((a.min(b), a.max(b))),
            2 => {
                (0..nodes as usize).filter(|&other| other != a).for_each(|b| _ = self.cut.insert((a.min(b), a.max(b))))
            }
            3 | 4 => self.cut.clear(),
            5 if self.nodes[a].cluster.is_some() => {
                let with_a_word = self.dice.below(2) == 0;
                self.kill(a, with_a_word);
            }
            6 | 7 if self.nodes[a].cluster.is_none() => self.start(a),
            _ => {
                // One connection is reset, at both ends.
                if let Some(&(link, end)) = self.nodes[a].conns.values().next() {
                    self.send(link, end, None);
                    self.send(link, 1 - end, None);
                }
            }
        }
        let next = self.now + self.dice.below(4000);
        if next < TROUBLE_MS {
            self.at(next, Event::Trouble);
        }
    }

    fn run_until(&mut self, end: u64) {
        while let Some(Reverse((time, _, event))) = self.events.pop() {
            if time > end {
                self.events.push(Reverse((time, 0, event)));
                break;
            }
            self.now = time;
            self.step(event);
        }
        self.now = end;
    }

    /// Everyone is connected with everyone, once, and says so.
    fn check(&self) {
        let ids: Vec<String> = self.nodes.iter().enumerate().map(|(at, it)| format!("N{at}_{}", it.life)).collect();
        for (at, node) in self.nodes.iter().enumerate() {
            let cluster = node.cluster.as_ref().unwrap();
            let peers: Vec<&str> = cluster.peers().map(|(id, _)| id).collect();
            let mut others: Vec<&str> = ids.iter().map(String::as_str).filter(|id| *id != ids[at]).collect();
            others.sort();
            assert_eq!(peers, others, "peers of {}", ids[at]);
            for (id, conn) in cluster.peers() {
                let (link, end) = node.conns[&conn];
                let (other, _, far) = self.links[link].ends[1 - end];
                assert_eq!(ids[other], id);
                assert_eq!(self.nodes[other].registered.get(&far).map(String::as_str), Some(&ids[at][..]));
            }
            let mut urls = node.urls.clone();
            urls.sort();
            let mut want: Vec<String> =
                (0..self.nodes.len()).filter(|&other| other != at).map(|other| format!("{}:4222", ip(other))).collect();
            want.sort();
            assert_eq!(urls, want, "client addresses known to {}", ids[at]);
            assert_eq!(cluster.name(), self.nodes[0].cluster.as_ref().unwrap().name(), "name of {}", ids[at]);
            assert_eq!((cluster.strangers(), node.conns.len()), (0, others.len()), "connections of {}", ids[at]);
            assert!(cluster.has_synced());
        }
    }

    /// Everyone knows what the others want, and a message on each subject reaches everyone it is for.
    fn check_traffic(&mut self) {
        for node in &self.nodes {
            for &conn in node.registered.keys() {
                let (link, end) = node.conns[&conn];
                node.traffic.check_interest(conn, &self.nodes[self.links[link].ends[1 - end].0].traffic);
            }
        }
        self.ledger.forget_recent();
        let mut published = Vec::new();
        for node in 0..self.nodes.len() {
            for subject in SUBJECTS {
                let mut out = Vec::new();
                let it = &mut self.nodes[node];
                let number = it.traffic.publish(subject, &mut self.dice, &mut self.ledger, &mut out);
                published.push((format!("N{node}_{}", it.life), number, subject));
                self.send_all(node, out);
            }
        }
        self.run_until(self.now + 2000);
        let servers: Vec<&Traffic> = self.nodes.iter().map(|node| &node.traffic).collect();
        for (publisher, number, subject) in published {
            self.ledger.check(&publisher, number, subject, &servers);
        }
    }

    fn connections_ever(&self) -> Conn {
        self.next_conn
    }
}

fn play(seed: u64) -> u64 {
    let nodes = 2 + (seed % 6) as usize;
    let mut world = World::new(seed, nodes);
    // Some with few and some with many messages in the time that one takes.
    world.turn_max = Some([400, 4000][(seed / 6 % 2) as usize]);
    for node in 0..nodes {
        world.start(node);
    }
    world.at(5000, Event::Trouble);
    world.run_until(TROUBLE_MS);
    world.cut.clear();
    for node in 0..nodes {
        if world.nodes[node].cluster.is_none() {
            world.start(node);
        }
    }
    // Long enough before the end for the last turn of each to be over.
    world.run_until(TROUBLE_MS + HEALING_MS - 6000);
    world.turn_max = None;
    world.run_until(TROUBLE_MS + HEALING_MS);
    world.check();
    world.check_traffic();
    let before = world.connections_ever();
    world.run_until(TROUBLE_MS + HEALING_MS + QUIET_MS);
    world.check();
    assert_eq!(world.connections_ever(), before, "somebody still dials");
    world.ledger.deliveries
}

#[test]
fn servers_find_each_other_and_lose_nothing_they_should_not_whatever_the_network_did() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIMULATION_SEEDS").unwrap_or(2000),
    };
    let mut deliveries = 0;
    for seed in seeds.clone() {
        match std::panic::catch_unwind(|| play(seed)) {
            Ok(delivered) => deliveries += delivered,
            Err(panic) => {
                eprintln!("SIMULATION_SEED={seed} plays this again");
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!("{} seeds, {deliveries} deliveries", seeds.count());
    assert!(deliveries > 0, "nobody got anything");
}

/// From one seed address to a full mesh, with nothing wrong.
#[test]
fn servers_that_know_one_of_them_form_a_mesh_in_a_second() {
    for nodes in [2, 8, 30] {
        let mut world = World::new(0, nodes);
        for node in 0..nodes {
            world.nodes[node].settings.name = Some("C1".to_owned());
            world.nodes[node].settings.routes = vec![RouteUrl::new(&ip(0).to_string(), PORT)];
            world.start(node);
        }
        let start = world.now;
        world.delay_max = 2;
        world.run_until(start + 1000);
        world.check();
    }
}

/// How the traffic of a cluster grows with its servers: prints a table. `cargo test --release growth -- --ignored --nocapture`
#[test]
#[ignore = "states figures, and takes a while"]
fn growth() {
    println!("servers  mesh after  connections  handshakes and gossip  for each subscription  entries in an index");
    for nodes in [2, 8, 50, 200] {
        let mut world = World::new(0, nodes);
        world.delay_max = 2;
        for node in 0..nodes {
            world.nodes[node].settings.name = Some("C1".to_owned());
            world.nodes[node].settings.routes = vec![RouteUrl::new(&ip(0).to_string(), PORT)];
            world.start(node);
        }
        let start = world.now;
        while world.nodes.iter().any(|node| node.registered.len() + 1 < nodes) {
            assert!(world.now < start + 10_000, "it takes too long");
            world.run_until(world.now + 5);
        }
        let mesh_ms = world.now - start;
        world.run_until(start + 10_000);
        let connections: usize = world.nodes.iter().map(|node| node.registered.len()).sum();
        let before = world.sent;
        for number in 0..10 {
            for node in 0..nodes {
                let mut out = Vec::new();
                let it = &mut world.nodes[node];
                it.traffic.subscribe_to(&format!("a.subject.of.{node}.{number}"));
                while !it.traffic.is_idle_after(&mut out) {}
                world.send_all(node, out);
            }
        }
        // Nobody pings so soon after the last time.
        let interest = world.sent;
        world.run_until(world.now + 500);
        let entries = world.nodes[0].traffic.entries();
        println!(
            "{nodes:7}  {mesh_ms:7} ms  {:11}  {:15} bytes  {:15} bytes  {entries:19}",
            connections / 2,
            before,
            (interest - before) / (10 * nodes as u64),
        );
        assert_eq!(entries, 10 * nodes);
    }
}
