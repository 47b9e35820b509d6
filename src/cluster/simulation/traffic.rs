//! Clients of the servers of a simulation: they subscribe, in queue groups too, and publish; each server keeps and announces
//! interest and passes messages on as a server does. What everybody gets is checked against the naive definition.

use super::super::{Capabilities, Conn, Random};
use crate::interest::remote::Sweep;
use crate::interest::{Announcer, Cache, GLOBAL_ACCOUNT, Interest, NodeId, Progress, Remote, Target};
use crate::wire::message::Message;
use crate::wire::route::{self, FORWARDED, Op, write};
use crate::wire::subject;
use std::collections::{BTreeMap, BTreeSet};

/// Places that an announcer looks at in one go: few, so that much happens between two.
const PLACES: usize = 3;
const SUBSCRIPTIONS_MAX: usize = 40;
const PATTERNS: [&str; 7] = ["a", "b", "a.b", "a.*", "*.b", ">", "c.d.e"];
const QUEUES: [&str; 5] = ["", "", "", "q", "r"];
pub const SUBJECTS: [&str; 5] = ["a", "b", "a.b", "a.c", "c.d.e"];

/// One client's subscription.
struct Sub {
    /// Unlike any other's in the whole simulation.
    name: u64,
    pattern: &'static str,
    queue: &'static str,
    target: Target,
    node: NodeId,
}

/// What one server knows of one peer's interest, and has told it.
struct Peer {
    remote: Remote,
    announcer: Announcer,
    progress: Progress,
}

/// A server's clients and interest.
pub struct Traffic {
    /// The server's id.
    id: String,
    interest: Interest,
    cache: Cache,
    subs: Vec<Sub>,
    peers: BTreeMap<Conn, Peer>,
    sweeps: Vec<Sweep>,
    published: u64,
    slots: u32,
}

/// What the subscriptions of all servers got.
#[derive(Default)]
pub struct Ledger {
    names: u64,
    /// The last message of each publisher that each plain subscription got.
    last: BTreeMap<(u64, String), u64>,
    /// Queue groups that got a message.
    groups: BTreeSet<(String, u64, &'static str)>,
    /// Everything since it was emptied last: subscription, publisher, message.
    recent: BTreeSet<(u64, String, u64)>,
    pub deliveries: u64,
}

/// Bytes to be sent to a peer.
pub type Outgoing = Vec<(Conn, Vec<u8>)>;

impl Traffic {
    pub fn new(id: &str, seed: u64) -> Self {
        Self {
            id: id.to_owned(),
            interest: Interest::new(seed),
            cache: Cache::new(0),
            subs: Vec::new(),
            peers: BTreeMap::new(),
            sweeps: Vec::new(),
            published: 0,
            slots: 0,
        }
    }

    pub fn registered(&mut self, conn: Conn, capabilities: Capabilities, out: &mut Outgoing) {
        let route = self.interest.open_route(0).expect("there are few routes");
        let remote = Remote::new(route, capabilities.origin_in_unsubscribe, 10_000);
        let announcer = self.interest.start_announcing(GLOBAL_ACCOUNT);
        self.peers.insert(conn, Peer { remote, announcer, progress: Progress::More });
        self.announce(conn, out);
    }

    pub fn lost(&mut self, conn: Conn) {
        let Peer { remote, announcer, .. } = self.peers.remove(&conn).expect("it was registered");
        self.interest.stop_announcing(GLOBAL_ACCOUNT, announcer);
        self.sweeps.push(remote.close(&self.interest));
    }

    /// Tells a peer some of what is new.
    fn announce(&mut self, conn: Conn, out: &mut Outgoing) {
        let Some(Peer { announcer, progress, .. }) = self.peers.get_mut(&conn) else { return };
        let mut lines = Vec::new();
        *progress = self.interest.announce(GLOBAL_ACCOUNT, announcer, PLACES, |wanted| {
            let interest = route::Interest {
                origin: b"",
                account: b"$G",
                subject: wanted.subject,
                queue: wanted.queue,
                weight: wanted.weight,
            };
            match wanted.weight {
                0 => write::unsubscribe(&interest, true, &mut lines),
                _ => write::subscribe(&interest, &mut lines),
            }
        });
        assert_ne!(*progress, Progress::Behind);
        if !lines.is_empty() {
            out.push((conn, lines));
        }
    }

    /// A turn of the server: a client does something, or nobody does; then what is left is worked on.
    pub fn turn(&mut self, dice: &mut Random, ledger: &mut Ledger, out: &mut Outgoing) {
        match dice.below(10) {
            0 | 1 if self.subs.len() < SUBSCRIPTIONS_MAX => self.subscribe(dice, ledger),
            2 | 3 if !self.subs.is_empty() => self.unsubscribe(dice),
            4..8 => {
                let subject = SUBJECTS[dice.below(SUBJECTS.len() as u64) as usize];
                self.publish(subject, dice, ledger, out);
            }
            _ => self.rest(out),
        }
    }

    /// Announces and sweeps.
    pub fn rest(&mut self, out: &mut Outgoing) {
        let conns: Vec<Conn> = self.peers.keys().copied().collect();
        conns.into_iter().for_each(|conn| self.announce(conn, out));
        let Self { sweeps, interest, .. } = self;
        sweeps.retain_mut(|sweep| sweep.step(interest, 1, PLACES));
    }

    fn subscribe(&mut self, dice: &mut Random, ledger: &mut Ledger) {
        ledger.names += 1;
        self.slots += 1;
        let pattern = PATTERNS[dice.below(PATTERNS.len() as u64) as usize];
        let queue = QUEUES[dice.below(QUEUES.len() as u64) as usize];
        let target = Target::new(0, self.slots, 0);
        let node = self.interest.insert(GLOBAL_ACCOUNT, pattern.as_bytes(), queue.as_bytes(), target);
        self.subs.push(Sub { name: ledger.names, pattern, queue, target, node });
    }

    /// A subscription that is not checked against anything.
    pub fn subscribe_to(&mut self, subject: &str) {
        self.slots += 1;
        self.interest.insert(GLOBAL_ACCOUNT, subject.as_bytes(), b"", Target::new(0, self.slots, 0));
    }

    /// Announces more, and says whether that was all.
    pub fn is_idle_after(&mut self, out: &mut Outgoing) -> bool {
        self.rest(out);
        self.is_idle()
    }

    /// Subscriptions in the index, those of peers included.
    pub fn entries(&self) -> usize {
        self.interest.count(GLOBAL_ACCOUNT)
    }

    fn unsubscribe(&mut self, dice: &mut Random) {
        let Sub { queue, target, node, .. } = self.subs.swap_remove(dice.below(self.subs.len() as u64) as usize);
        self.interest.remove(GLOBAL_ACCOUNT, node, queue.as_bytes(), target);
    }

    /// A client publishes the server's next message.
    pub fn publish(&mut self, subject: &str, dice: &mut Random, ledger: &mut Ledger, out: &mut Outgoing) -> u64 {
        self.published += 1;
        let (id, number) = (self.id.clone(), self.published);
        let body = format!("{id} {number}");
        let tail = format!("{}\r\n{body}\r\n", body.len());
        let message = Message {
            subject: subject.as_bytes(),
            tail: tail.as_bytes(),
            reply_bytes: 0,
            header_bytes: 0,
            total_bytes: body.len() as u32,
        };
        let place = self.cache.place(&self.interest, GLOBAL_ACCOUNT, message.subject, 0);
        let matched = self.cache.matched(place);
        let mut local: Vec<Target> = matched.plain.clone();
        let mut routes: BTreeMap<Target, Vec<Vec<u8>>> =
            matched.routes().iter().map(|&route| (route, vec![])).collect();
        for group in matched.groups() {
            let Some(chosen) = group.from(dice.below(group.weight.into()) as u32).next() else { continue };
            match chosen.is_route() {
                true => routes.entry(chosen.only_route()).or_default().push(group.name.to_vec()),
                false => local.push(chosen),
            }
        }
        local.into_iter().for_each(|target| self.deliver(target, subject, &id, number, ledger));
        for (route, queues) in routes {
            self.send(route, b"", &message, &queues, out);
        }
        number
    }

    /// What was announced stands before the message.
    fn send(&mut self, route: Target, origin: &[u8], message: &Message, queues: &[Vec<u8>], out: &mut Outgoing) {
        let (&conn, _) = self.peers.iter().find(|(_, peer)| peer.remote.route() == route).expect("it is a live route");
        self.announce(conn, out);
        let queues = queues.join(&b' ');
        let mut bytes = Vec::new();
        let to = write::Address { origin, account: b"$G", queues: &queues };
        let skip = write::message_head(&to, message, &mut bytes);
        bytes.extend_from_slice(&message.tail[skip..]);
        out.push((conn, bytes));
    }

    fn deliver(&self, target: Target, subject: &str, publisher: &str, number: u64, ledger: &mut Ledger) {
        let sub = self.subs.iter().find(|sub| sub.target == target).expect("the subscription is there");
        assert!(subject::matches(sub.pattern.as_bytes(), subject.as_bytes()), "{subject} is not for {}", sub.pattern);
        ledger.deliveries += 1;
        ledger.recent.insert((sub.name, publisher.to_owned(), number));
        if sub.queue.is_empty() {
            let last = ledger.last.insert((sub.name, publisher.to_owned()), number);
            assert!(last < Some(number), "{number} of {publisher} came after {last:?}");
        } else {
            let is_first = ledger.groups.insert((publisher.to_owned(), number, sub.queue));
            assert!(is_first, "{} got {number} of {publisher} twice", sub.queue);
        }
    }

    /// An operation of a registered peer.
    pub fn receive(&mut self, conn: Conn, op: &Op, dice: &mut Random, ledger: &mut Ledger, out: &mut Outgoing) {
        let Self { interest, peers, .. } = self;
        match op {
            Op::Subscribe(wanted) => {
                let peer = peers.get_mut(&conn).expect("it is registered");
                peer.remote.subscribe(interest, GLOBAL_ACCOUNT, wanted).expect("it wants little");
            }
            Op::Unsubscribe(wanted) => {
                let peer = peers.get_mut(&conn).expect("it is registered");
                peer.remote.unsubscribe(interest, GLOBAL_ACCOUNT, wanted);
            }
            Op::Message(message) => self.relay(conn, message, dice, ledger, out),
            other => panic!("{other:?}"),
        }
    }

    fn relay(&mut self, from: Conn, got: &route::Message, dice: &mut Random, ledger: &mut Ledger, out: &mut Outgoing) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it is text");
        let (subject, body) = (text(got.subject), text(got.body));
        let (publisher, number) = body.split_once(' ').expect("who and how many");
        let number = number.parse().expect("a number");
        let place = self.cache.place(&self.interest, GLOBAL_ACCOUNT, got.subject, 0);
        let matched = self.cache.matched(place);
        let is_forwarded = got.origin == FORWARDED;
        let mut local: Vec<Target> = if is_forwarded { Vec::new() } else { matched.plain.clone() };
        let mut forward = Vec::new();
        for name in got.queues.iter() {
            let Some(group) = matched.groups().find(|group| group.name == name) else { continue };
            let mut order = group.from(dice.below(group.weight.into()) as u32);
            let own = self.peers[&from].remote.route();
            if let Some(member) = order.find(|member| !member.is_route()) {
                local.push(member);
            } else if !is_forwarded {
                let other = group.members.iter().map(|member| member.only_route()).find(|route| *route != own);
                forward.extend(other.map(|route| (route, vec![name.to_vec()])));
            }
        }
        local.into_iter().for_each(|target| self.deliver(target, &subject, publisher, number, ledger));
        let mut tail = Vec::new();
        write::message_tail(got, &mut tail);
        let message = Message {
            subject: got.subject,
            tail: &tail,
            reply_bytes: 0,
            header_bytes: 0,
            total_bytes: got.body.len() as u32,
        };
        forward.into_iter().for_each(|(route, queues)| self.send(route, FORWARDED, &message, &queues, out));
    }

    /// Subjects and queue groups its clients want.
    fn wants(&self) -> BTreeSet<(&'static str, &'static str)> {
        self.subs.iter().map(|sub| (sub.pattern, sub.queue)).collect()
    }

    pub fn is_idle(&self) -> bool {
        self.sweeps.is_empty() && self.peers.values().all(|peer| peer.progress == Progress::Done)
    }

    /// What it knows of a peer is what that one's clients want.
    pub fn check_interest(&self, conn: Conn, peer: &Self) {
        assert!(self.is_idle());
        assert_eq!(self.peers[&conn].remote.count(), peer.wants().len(), "{} of {}", self.id, peer.id);
        let others: usize = self.peers.values().map(|peer| peer.remote.count()).sum();
        assert_eq!(self.interest.count(GLOBAL_ACCOUNT), self.subs.len() + others, "in the index of {}", self.id);
    }
}

impl Ledger {
    pub fn forget_recent(&mut self) {
        self.recent.clear();
    }

    /// A message that was published while all was well reached everyone it was for.
    pub fn check(&self, publisher: &str, number: u64, subject: &str, servers: &[&Traffic]) {
        let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
        for sub in servers.iter().flat_map(|server| &server.subs) {
            if !subject::matches(sub.pattern.as_bytes(), subject.as_bytes()) {
                continue;
            }
            let got = self.recent.contains(&(sub.name, publisher.to_owned(), number));
            if sub.queue.is_empty() {
                assert!(got, "{subject} of {publisher} did not reach {}", sub.pattern);
            } else {
                *groups.entry(sub.queue).or_default() += usize::from(got);
            }
        }
        assert!(groups.values().all(|&got| got == 1), "{subject} of {publisher}: {groups:?}");
    }
}
