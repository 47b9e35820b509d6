//! Several servers with routes between them, in one thread and from a seed: routes are pipes that can be cut, clients
//! subscribe and publish at random, and what each of them gets is compared with what a list of all subscriptions says.
//!
//! `MIDGE_CASES=n` plays so many seeds, `MIDGE_SEED=n` that one.

use super::dice::Dice;
use super::world::World;
use crate::broker::routes::Joining;
use crate::broker::{Broker, Reason};
use crate::cluster::{Own, Settings};
use crate::config::Options;
use crate::interest::GLOBAL_ACCOUNT;
use crate::log::Log;
use crate::wire::route::RouteUrl;
use crate::wire::subject;
use std::collections::{BTreeMap, BTreeSet};

const FIRST_PORT: u16 = 7000;
const PATTERNS: [&str; 7] = ["a", "b", "a.b", "a.*", "*.b", ">", "c.d.e"];
const SUBJECTS: [&str; 5] = ["a", "b", "a.b", "a.c", "c.d.e"];
const QUEUES: [&str; 5] = ["", "", "", "q", "r"];

/// A client of one of the servers, with what it subscribed to by sid.
struct Client {
    server: usize,
    peer: usize,
    subs: BTreeMap<usize, (&'static str, &'static str)>,
    published: usize,
}

/// The two ends of a route: server and connection there.
struct Link([(usize, usize); 2]);

struct Mesh {
    worlds: Vec<World>,
    clients: Vec<Client>,
    links: Vec<Link>,
    /// Servers that cannot reach each other.
    cut: BTreeSet<(usize, usize)>,
    next_sid: usize,
    /// The last message of each publisher that each plain subscription got.
    last: BTreeMap<(usize, usize), usize>,
    /// Which queue group got which message.
    taken: BTreeSet<(&'static str, usize, usize)>,
    /// Subscription, publisher and message, since it was emptied.
    recent: BTreeSet<(usize, usize, usize)>,
    deliveries: usize,
}

impl Mesh {
    /// Every server knows the first one only.
    fn new(seed: u64, servers: usize, dice: &mut Dice) -> Self {
        let mut mesh = Self {
            worlds: Vec::new(),
            clients: Vec::new(),
            links: Vec::new(),
            cut: BTreeSet::new(),
            next_sid: 1,
            last: BTreeMap::new(),
            taken: BTreeSet::new(),
            recent: BTreeSet::new(),
            deliveries: 0,
        };
        for server in 0..servers {
            let workers = 1 + dice.below(2);
            let mut world = World::new(workers, Options::default(), Log::quiet(), seed + 100 * server as u64);
            world.order(0, |broker| broker.join_cluster(&joining(server), seed + server as u64));
            for worker in 0..workers {
                for _ in 0..2 {
                    let peer = world.client(worker, ",\"echo\":true,\"headers\":true");
                    mesh.clients.push(Client { server, peer, subs: BTreeMap::new(), published: 0 });
                }
            }
            mesh.worlds.push(world);
        }
        mesh
    }

    fn is_cut(&self, one: usize, other: usize) -> bool {
        self.cut.contains(&(one.min(other), one.max(other)))
    }

    /// Follows dials, and moves bytes between the servers until there are none; at most `rounds` times.
    fn run(&mut self, rounds: usize) {
        for _ in 0..rounds {
            self.worlds.iter_mut().for_each(World::settle);
            if !(self.dial() | self.carry()) {
                break;
            }
        }
        self.listen();
    }

    fn dial(&mut self) -> bool {
        let mut did_anything = false;
        for from in 0..self.worlds.len() {
            for (dial, port) in std::mem::take(&mut self.worlds[from].dials) {
                did_anything = true;
                let to = usize::from(port - FIRST_PORT);
                if self.is_cut(from, to) {
                    self.worlds[from].order(0, |broker| broker.dial_failed(dial, "refused"));
                    continue;
                }
                let address = "127.0.0.1:9".parse().unwrap();
                let key = self.worlds[to].brokers[0].accept_route(address);
                let far = self.worlds[to].adopt(0, key);
                let key = self.worlds[from].brokers[0].route_dialled(dial, address);
                let near = self.worlds[from].adopt(0, key);
                self.links.push(Link([(from, near), (to, far)]));
            }
        }
        did_anything
    }

    fn carry(&mut self) -> bool {
        let mut did_anything = false;
        let mut links = std::mem::take(&mut self.links);
        links.retain(|Link([near, far])| {
            for ((from, sender), (to, receiver)) in [(*near, *far), (*far, *near)] {
                let peer = &mut self.worlds[from].peers[sender];
                let bytes = peer.queued[peer.looked..peer.heard].to_vec();
                peer.looked = peer.heard;
                let is_over = peer.dropped || peer.half_closed;
                if !bytes.is_empty() {
                    self.worlds[to].send(receiver, &bytes);
                    did_anything = true;
                }
                if is_over && !self.worlds[to].peers[receiver].ended {
                    self.worlds[to].end(receiver);
                    did_anything = true;
                }
            }
            let is_gone = |(server, peer): (usize, usize)| self.worlds[server].peers[peer].dropped;
            !(is_gone(*near) && is_gone(*far))
        });
        self.links = links;
        did_anything
    }

    /// Breaks all routes between two servers, which cannot reach each other from now on.
    fn separate(&mut self, one: usize, other: usize) {
        self.cut.insert((one.min(other), one.max(other)));
        for Link(ends) in &self.links {
            let servers = [ends[0].0, ends[1].0];
            if servers == [one, other] || servers == [other, one] {
                for (server, peer) in *ends {
                    self.worlds[server].break_off(peer, Reason::ReadError);
                }
            }
        }
    }

    fn pass(&mut self, ms: u64) {
        self.worlds.iter_mut().for_each(|world| world.pass(ms));
    }

    fn subscribe(&mut self, client: usize, dice: &mut Dice) {
        let (pattern, queue) = (dice.pick(&PATTERNS), dice.pick(&QUEUES));
        let sid = self.next_sid;
        self.next_sid += 1;
        self.say(client, &format!("SUB {pattern} {queue} {sid}\r\n"));
        self.clients[client].subs.insert(sid, (pattern, queue));
    }

    fn unsubscribe(&mut self, client: usize, dice: &mut Dice) {
        let sids: Vec<usize> = self.clients[client].subs.keys().copied().collect();
        if !sids.is_empty() {
            let sid = dice.pick(&sids);
            self.say(client, &format!("UNSUB {sid}\r\n"));
            // What is on its way to the client was for a subscription that it still had.
            let Client { server, .. } = self.clients[client];
            self.worlds[server].settle();
            self.listen();
            self.clients[client].subs.remove(&sid);
        }
    }

    /// Publishes the client's next message; its payload says whose and which.
    fn publish(&mut self, client: usize, subject: &str) -> usize {
        let number = self.clients[client].published;
        self.clients[client].published += 1;
        let payload = format!("{client}-{number}");
        match number % 3 {
            0 => self.say(client, &format!("PUB {subject} {}\r\n{payload}\r\n", payload.len())),
            1 => self.say(client, &format!("pub\t{subject}  re.ply {}\r\n{payload}\r\n", payload.len())),
            _ => {
                let head = "NATS/1.0\r\n\r\n";
                let total = head.len() + payload.len();
                self.say(client, &format!("HPUB {subject} {} {total}\r\n{head}{payload}\r\n", head.len()));
            }
        }
        number
    }

    fn say(&mut self, client: usize, text: &str) {
        let Client { server, peer, .. } = self.clients[client];
        self.worlds[server].send(peer, text.as_bytes());
    }

    /// Looks at all that clients were sent since the last look.
    fn listen(&mut self) {
        for at in 0..self.clients.len() {
            let Client { server, peer, .. } = self.clients[at];
            let text = self.worlds[server].hear(peer);
            let mut rest = &text[..];
            while let Some((line, behind)) = rest.split_once("\r\n") {
                rest = behind;
                let words: Vec<&str> = line.split(' ').collect();
                if !matches!(words[0], "MSG" | "HMSG") {
                    assert!(matches!(words[0], "INFO" | "PONG" | "PING"), "{line}");
                    continue;
                }
                let total: usize = words[words.len() - 1].parse().unwrap();
                let body = &rest[..total];
                rest = rest[total..].strip_prefix("\r\n").unwrap();
                let payload = body.strip_prefix("NATS/1.0\r\n\r\n").unwrap_or(body);
                let (publisher, number) = payload.split_once('-').unwrap();
                self.note(at, words[1], words[2], publisher.parse().unwrap(), number.parse().unwrap());
            }
        }
    }

    fn note(&mut self, client: usize, subject: &str, sid: &str, publisher: usize, number: usize) {
        let sid: usize = sid.parse().unwrap();
        let &(pattern, queue) = self.clients[client].subs.get(&sid).expect("it has such a subscription");
        assert!(subject::matches(pattern.as_bytes(), subject.as_bytes()), "{subject} is not for {pattern}");
        self.deliveries += 1;
        self.recent.insert((sid, publisher, number));
        if queue.is_empty() {
            let before = self.last.insert((sid, publisher), number);
            assert!(before < Some(number), "{publisher}-{number} came after {before:?}");
        } else {
            assert!(self.taken.insert((queue, publisher, number)), "{queue} got {publisher}-{number} twice");
        }
    }

    /// True if every server has a route to every other, and knows what the others' clients want.
    fn is_whole(&self) -> bool {
        let wanted = |server: usize| {
            let own = self.clients.iter().filter(|client| client.server == server);
            own.flat_map(|client| client.subs.values()).collect::<BTreeSet<_>>().len()
        };
        let own = |server: usize| {
            self.clients.iter().filter(|client| client.server == server).map(|client| client.subs.len()).sum::<usize>()
        };
        (0..self.worlds.len()).all(|server| {
            let world = &self.worlds[server];
            let peers = world.brokers[0].membership().unwrap().cluster().peers().count();
            let others: usize = (0..self.worlds.len()).filter(|other| *other != server).map(wanted).sum();
            peers + 1 == self.worlds.len()
                && world.shared.interest.count(GLOBAL_ACCOUNT) == own(server) + others
                && !world.brokers.iter().any(Broker::has_chores)
        })
    }

    fn heal(&mut self) {
        self.cut.clear();
        for _ in 0..400 {
            self.run(1000);
            if self.is_whole() {
                return;
            }
            self.pass(500);
        }
        panic!("the servers do not come together");
    }

    /// Each server publishes to each subject, and everybody gets what the list says.
    fn check(&mut self) {
        self.recent.clear();
        for at in 0..self.clients.len() {
            for subject in SUBJECTS {
                let number = self.publish(at, subject);
                self.run(1000);
                let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
                for (sid, (pattern, queue)) in self.clients.iter().flat_map(|client| &client.subs) {
                    if !subject::matches(pattern.as_bytes(), subject.as_bytes()) {
                        continue;
                    }
                    let got = self.recent.contains(&(*sid, at, number));
                    match queue.is_empty() {
                        true => assert!(got, "{at}-{number} to {subject} did not reach {pattern}"),
                        false => *groups.entry(queue).or_default() += usize::from(got),
                    }
                }
                assert!(groups.values().all(|&got| got == 1), "{at}-{number} to {subject}: {groups:?}");
            }
        }
    }
}

fn joining(server: usize) -> Joining {
    let own = Own {
        id: format!("SERVER{server}"),
        name: format!("name{server}"),
        version: "2".into(),
        host: "127.0.0.1".into(),
        port: FIRST_PORT + server as u16,
        headers: true,
        max_payload: 1 << 20,
        client_urls: vec![format!("10.0.0.{server}:4222")],
        import: None,
        export: None,
    };
    let settings = Settings {
        name: Some("C1".into()),
        generated_name: String::new(),
        routes: vec![RouteUrl::new("127.0.0.1", FIRST_PORT)],
        advertise: None,
        no_advertise: false,
        connect_retries: 3,
        connect_backoff: false,
        error_reports: [1, 1],
        ping_interval_ms: 5_000,
        ping_max: 2,
        credentials: None,
        auth_timeout_ms: 2000,
        tls: false,
    };
    Joining { own, settings, handshake: None }
}

fn play(seed: u64) -> usize {
    let mut dice = Dice::new(seed);
    let servers = 2 + dice.below(3);
    let mut mesh = Mesh::new(seed, servers, &mut dice);
    mesh.heal();
    for _ in 0..200 {
        let client = dice.below(mesh.clients.len());
        match dice.below(20) {
            0..4 => mesh.subscribe(client, &mut dice),
            4..6 => mesh.unsubscribe(client, &mut dice),
            6 => mesh.pass(dice.below(3000) as u64),
            7 if dice.once_in(3) => {
                let (one, other) = (dice.below(servers), dice.below(servers));
                if one != other {
                    mesh.separate(one, other);
                }
            }
            8 if dice.once_in(2) => mesh.cut.clear(),
            9..12 => mesh.run(1 + dice.below(4)),
            _ => _ = mesh.publish(client, dice.pick(&SUBJECTS)),
        }
    }
    mesh.heal();
    mesh.check();
    mesh.deliveries
}

#[test]
fn servers_of_a_mesh_deliver_what_one_server_would() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    if let Some(seed) = number("MIDGE_SEED") {
        play(seed);
        return;
    }
    let mut deliveries = 0;
    for seed in 0..number("MIDGE_CASES").unwrap_or(60) {
        let played = std::panic::catch_unwind(|| play(seed));
        deliveries += played.unwrap_or_else(|_| panic!("MIDGE_SEED={seed}"));
    }
    assert!(deliveries > 1000, "{deliveries}");
}
