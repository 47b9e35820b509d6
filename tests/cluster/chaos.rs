//! Whatever happens to servers and their clients, in whatever order: afterwards what is wanted is exact, and each message comes
//! to whom it is for, once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use super::client::{Client, unique};
use super::membership::free_address;
use super::node::Kind::{self, Midge, Official};
use super::node::{Folder, Node, has_official, wait_mesh};
use super::random::Random;

/// What clients may want: subjects, and those of queue groups.
const WISHES: [&str; 7] = ["chaos.a", "chaos.b", "chaos.*", "*.c", "chaos.a one", "chaos.b two", "chaos.> one"];

/// What is published.
const SUBJECTS: [&str; 4] = ["chaos.a", "chaos.b", "chaos.c", "chaos.d"];

/// The longest that a server is frozen: long enough for others to give it up.
const FREEZE_MS: usize = 2500;

/// Has midge soon notice when another server does not answer. Old official servers cannot be told so.
const WATCHFUL: &str = "cluster { ping_interval: \"500ms\", ping_max: 2 }\n";

/// Some servers, each with one client.
struct System {
    nodes: Vec<Node>,
    clients: Vec<Client>,
    /// What each client wants, and how often.
    wants: Vec<BTreeMap<&'static str, String>>,
    random: Random,
    _folder: Folder,
}

/// Which addresses a server is told of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    OfAll,
    OfTheFirst,
}

impl System {
    fn start(kinds: &[Kind], told: Told) -> System {
        let folder = Folder::new();
        let file = folder.write("watchful.conf", WATCHFUL);
        let places: Vec<SocketAddr> = kinds.iter().map(|_| free_address()).collect();
        let start = |(at, &kind): (usize, &Kind)| {
            let known = if told == Told::OfAll { &places[..] } else { &places[..1] };
            let others: Vec<SocketAddr> = known.iter().copied().filter(|place| *place != places[at]).collect();
            let own = format!("nats://{}", places[at]);
            let workers = (at + 1).to_string();
            let flags = ["--cluster", &own, "-c", &file, "--workers", &workers];
            let flags = if kind == Midge { &flags[..] } else { &flags[..2] };
            Node::start_with(kind, &format!("n{at}"), &others, flags)
        };
        let nodes: Vec<Node> = kinds.iter().enumerate().map(start).collect();
        wait_mesh(&nodes.iter().collect::<Vec<_>>());
        let clients = nodes.iter().map(client).collect();
        let wants = vec![BTreeMap::new(); nodes.len()];
        System { nodes, clients, wants, random: Random::new(), _folder: folder }
    }

    /// A client changes its mind.
    fn change(&mut self, at: usize) {
        let wish = self.random.one_of(&WISHES);
        match self.wants[at].remove(wish) {
            Some(sid) => self.clients[at].unsubscribe(&sid),
            None => {
                let sid = unique().to_string();
                self.clients[at].send(format!("SUB {wish} {sid}\r\n"));
                self.clients[at].flush();
                self.wants[at].insert(wish, sid);
            }
        }
    }

    fn disturb(&mut self) {
        let at = self.random.below(self.nodes.len());
        let others: Vec<usize> = (0..self.nodes.len()).filter(|&other| other != at).collect();
        match self.random.below(4) {
            0 => {
                println!("{at} is killed");
                let node = self.nodes.remove(at).restart();
                self.clients[at] = client(&node);
                self.nodes.insert(at, node);
                self.wants[at].clear();
            }
            1 => {
                let pause = self.random.below(FREEZE_MS);
                println!("{at} is frozen for {pause} ms");
                self.nodes[at].process.signal("STOP");
                for &other in &others {
                    self.change(other);
                    self.clients[other].publish("chaos.a", "perhaps");
                }
                // This is the fault itself; nothing is waited for.
                thread::sleep(Duration::from_millis(pause as u64));
                others.iter().for_each(|&other| self.change(other));
                self.nodes[at].process.signal("CONT");
            }
            _ => println!("nothing happens"),
        }
        for _ in 0..5 {
            let at = self.random.below(self.nodes.len());
            self.change(at);
        }
    }

    /// Everything is as it should be.
    fn check(&mut self, round: usize) {
        wait_mesh(&self.nodes.iter().collect::<Vec<_>>());
        let count = self.clients.len();
        for from in 0..count {
            for to in (0..count).filter(|&to| to != from) {
                let [one, other] = self.clients.get_disjoint_mut([from, to]).expect("two clients");
                one.known_to(other);
            }
        }
        for subject in SUBJECTS {
            let is_wanted = self.wants.iter().flat_map(BTreeMap::keys).any(|wish| matches(wish, subject));
            for at in 0..count {
                assert_eq!(self.clients[at].is_wanted(subject), is_wanted, "{subject} at {at}: {:?}", self.wants);
            }
        }
        for publisher in 0..count {
            self.barrier(publisher);
        }
        self.clients.iter_mut().for_each(|client| drop(client.drain()));
        for publisher in 0..count {
            for subject in SUBJECTS {
                self.clients[publisher].publish(subject, &format!("{round} {publisher}"));
            }
            self.barrier(publisher);
            self.check_deliveries(&format!("{round} {publisher}"));
        }
    }

    /// Waits until all that a client published is where it goes.
    fn barrier(&mut self, publisher: usize) {
        let end = format!("end.{}", unique());
        self.clients[publisher].publish(&end, "");
        self.clients.iter_mut().for_each(|client| drop(client.take(&end)));
    }

    fn check_deliveries(&mut self, payload: &str) {
        let mut got: BTreeMap<(usize, String, String), usize> = BTreeMap::new();
        for (at, client) in self.clients.iter_mut().enumerate() {
            for message in client.drain() {
                assert_eq!(message.payload, payload, "{message:?}");
                *got.entry((at, message.sid, message.subject)).or_default() += 1;
            }
        }
        assert!(got.values().all(|&times| times == 1), "{got:?}");
        for subject in SUBJECTS {
            let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
            for (at, wants) in self.wants.iter().enumerate() {
                for (wish, sid) in wants.iter().filter(|(wish, _)| matches(wish, subject)) {
                    let came = got.remove(&(at, sid.clone(), subject.to_owned())).is_some();
                    match wish.split_once(' ') {
                        Some((_, group)) => *groups.entry(group).or_default() += usize::from(came),
                        None => assert!(came, "{subject} to {at}, {payload}: {:?}", self.wants),
                    }
                }
            }
            let is_one = groups.values().all(|&members| members == 1);
            assert!(is_one, "{subject}, {payload}: {groups:?} {:?}", self.wants);
        }
        assert!(got.is_empty(), "nobody wanted {got:?}");
    }
}

/// A client that takes part in each barrier.
fn client(node: &Node) -> Client {
    let mut client = node.client();
    client.subscribe("end.*");
    client
}

/// True if a wish is about the subject.
fn matches(wish: &str, subject: &str) -> bool {
    let pattern = wish.split(' ').next().unwrap_or_default();
    pattern == "chaos.>" || pattern.split('.').zip(subject.split('.')).all(|(one, other)| one == "*" || one == other)
}

fn play(kinds: &[Kind], told: Told, rounds: usize) {
    let mut system = System::start(kinds, told);
    system.check(0);
    for round in 1..=rounds {
        system.disturb();
        system.check(round);
    }
}

#[test]
fn what_is_wanted_is_exact_after_whatever_happened() {
    play(&[Midge; 4], Told::OfAll, 12);
}

#[test]
fn what_is_wanted_is_exact_after_whatever_happened_to_servers_that_knew_one_address() {
    play(&[Midge; 4], Told::OfTheFirst, 12);
}

#[test]
fn what_is_wanted_is_exact_after_whatever_happened_among_official_servers() {
    if !has_official() {
        return;
    }
    play(&[Midge, Official, Midge, Official], Told::OfAll, 8);
}
