//! What the reactor is to its brokers, in one thread and without sockets: every step that a worker does by itself is a
//! call here, so that a test can put them in any order that several workers could have.

use crate::broker::auth::Check;
use crate::broker::mail::Recipients;
use crate::broker::system::Request;
use crate::broker::{Action, Broker, Closed, Flushed, Identity, Mail, Reason, Shared};
use crate::config::Options;
use crate::interest::GLOBAL_ACCOUNT;
use crate::log::Log;
use crate::memory::Budget;
use std::collections::{BTreeMap, VecDeque};
use std::io::IoSlice;
use std::sync::Arc;

/// One end of a connection, with what a socket would keep for it.
#[derive(Debug, Default)]
pub struct Peer {
    /// Its worker.
    pub worker: usize,
    /// The broker's key for it.
    pub key: u32,
    /// The connection's number.
    pub cid: u64,
    /// Sent by the client, not yet read.
    pub input: VecDeque<u8>,
    /// The client ended its side.
    pub ended: bool,
    /// Bytes that the socket takes before it blocks.
    pub space: usize,
    /// The next write fails.
    pub reset: bool,
    /// It did not take all that was to be written.
    pub blocked: bool,
    /// The worker has it on its list of connections to read from.
    pub ready: bool,
    /// Bytes read from it.
    pub read: usize,
    /// All that was queued to it.
    pub queued: Vec<u8>,
    /// Bytes of that which have reached the client.
    pub heard: usize,
    /// What the client has looked at of that.
    pub looked: usize,
    /// Its worker has ended its side of the connection.
    pub half_closed: bool,
    /// The socket is dropped.
    pub dropped: bool,
}

/// One message of a batch, as the mailbox sees it.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// The message's subject.
    pub subject: Vec<u8>,
    /// Its tail.
    pub tail: Vec<u8>,
    /// The queue group it is for, if it is for one.
    pub group: Option<Vec<u8>>,
}

/// Something that happened, for a model to follow.
#[derive(Debug)]
pub enum Event {
    /// A connection was accepted.
    Accepted { peer: usize },
    /// All bytes of a connection's input up to this one were worked on.
    Worked { peer: usize, upto: usize },
    /// A worker gave a letter away.
    Posted { from: usize, to: usize, parcels: Vec<Parcel> },
    /// All that a worker had to give away was posted.
    PostedAll { from: usize },
    /// A worker delivered some messages of a letter.
    Taken { worker: usize, parcels: Vec<Parcel> },
    /// A connection's timer went off.
    Fired,
    /// A worker was told something about the server.
    Ordered,
    /// A connection ended, other than by what its client said.
    Ended { peer: usize },
}

/// What happened, and what it caused to be queued to whom.
#[derive(Debug)]
pub struct Turn {
    pub event: Event,
    pub queued: Vec<(usize, Vec<u8>)>,
}

/// Several workers' brokers and their connections.
pub struct World {
    pub shared: Arc<Shared>,
    /// Those the brokers began with.
    pub options: Arc<Options>,
    pub brokers: Vec<Broker>,
    /// Every connection there ever was.
    pub peers: Vec<Peer>,
    /// The connections of each worker by key.
    keys: Vec<BTreeMap<u32, usize>>,
    mailboxes: Vec<VecDeque<Mail>>,
    timers: BTreeMap<(usize, u32), u64>,
    /// Passwords that the brokers want checked.
    pub checks: Vec<(usize, Box<Check>)>,
    /// Documents that they want.
    pub requests: Vec<(usize, Box<Request>)>,
    /// Connections to other servers that the brokers want, and the ports there.
    pub dials: Vec<(u64, u16)>,
    pub now: u64,
    /// What happened since the last look.
    pub turns: Vec<Turn>,
}

/// A socket that takes everything.
pub const ENDLESS: usize = usize::MAX / 2;

impl World {
    /// That many workers with these options.
    pub fn new(workers: usize, options: Options, log: Log, seed: u64) -> Self {
        let identity = Identity { id: "NID".into(), name: "name".into(), host: "::1".into(), port: 4222 };
        let shared = Shared::new(identity, log, seed).with_closed(Closed::new(100));
        let shared = Arc::new(shared.with_budget(Budget::new(usize::MAX, workers)));
        let options = Arc::new(options);
        let seed = |worker| seed + worker as u64;
        let broker = |worker| Broker::new(shared.clone(), options.clone(), worker as u8, workers, seed(worker));
        let mut world = Self {
            brokers: (0..workers).map(broker).collect(),
            peers: Vec::new(),
            keys: vec![BTreeMap::new(); workers],
            mailboxes: (0..workers).map(|_| VecDeque::new()).collect(),
            timers: BTreeMap::new(),
            checks: Vec::new(),
            requests: Vec::new(),
            dials: Vec::new(),
            now: 0,
            turns: Vec::new(),
            options,
            shared,
        };
        world.set_now(1000);
        world
    }

    /// Turns the clock.
    pub fn set_now(&mut self, now: u64) {
        self.now = now;
        self.brokers.iter_mut().for_each(|broker| broker.set_now(now));
    }

    /// A new connection.
    pub fn accept(&mut self, worker: usize) -> usize {
        let key = self.brokers[worker].accept("[::1]:9".parse().unwrap());
        self.adopt(worker, key)
    }

    /// A new connection that the broker knows already.
    pub fn adopt(&mut self, worker: usize, key: u32) -> usize {
        let cid = self.brokers[worker].client(key).unwrap().cid;
        let number = self.peers.len();
        self.peers.push(Peer { worker, key, cid, space: ENDLESS, ..Peer::default() });
        assert_eq!(self.keys[worker].insert(key, number), None, "a key in use was given out");
        self.note(worker, Event::Accepted { peer: number });
        self.act(worker);
        number
    }

    /// The client sends.
    pub fn send(&mut self, peer: usize, bytes: &[u8]) {
        self.peers[peer].input.extend(bytes);
        self.peers[peer].ready = true;
    }

    /// The client ends its side.
    pub fn end(&mut self, peer: usize) {
        self.peers[peer].ended = true;
        self.peers[peer].ready = true;
    }

    /// A worker does what the server wants of all.
    pub fn order<T>(&mut self, worker: usize, order: impl FnOnce(&mut Broker) -> T) -> T {
        let answer = order(&mut self.brokers[worker]);
        self.note(worker, Event::Ordered);
        self.act(worker);
        answer
    }

    /// The connection breaks.
    pub fn break_off(&mut self, peer: usize, reason: Reason) {
        let Peer { worker, key, dropped: false, .. } = self.peers[peer] else { return };
        self.brokers[worker].broken(key, reason);
        self.note(worker, Event::Ended { peer });
        self.act(worker);
    }

    /// A worker reads at most that many bytes from a connection on its list; of the letters that are there it takes
    /// as many before it works on what it read.
    pub fn read(&mut self, peer: usize, bytes_max: usize, letters: usize) {
        let Peer { worker, key, dropped: false, .. } = self.peers[peer] else { return };
        self.peers[peer].ready = false;
        let broker = &mut self.brokers[worker];
        if !broker.wants_input(key) {
            return;
        }
        if broker.has_backlog(key) {
            broker.work_off(key);
            return self.after_input(peer);
        }
        let bytes = bytes_max.min(self.peers[peer].input.len());
        if bytes == 0 {
            if self.peers[peer].ended {
                broker.end_of_input(key);
                self.note(worker, Event::Ended { peer });
                self.act(worker);
            }
            return;
        }
        let taken: Vec<u8> = self.peers[peer].input.drain(..bytes).collect();
        self.peers[peer].read += bytes;
        let room = broker.room(key);
        let in_room = room.len().min(bytes);
        room[..in_room].copy_from_slice(&taken[..in_room]);
        self.take_letters(worker, letters);
        if self.peers[peer].dropped {
            return;
        }
        let broker = &mut self.brokers[worker];
        broker.filled(key, in_room);
        broker.receive(key, &taken[in_room..]);
        self.after_input(peer);
    }

    fn after_input(&mut self, peer: usize) {
        let Peer { worker, key, read, .. } = self.peers[peer];
        let backlog = self.brokers[worker].client(key).and_then(|client| client.backlog.as_ref());
        let upto = read - backlog.map_or(0, |backlog| backlog.bytes.len() - backlog.done);
        self.note(worker, Event::Worked { peer, upto });
        if self.brokers[worker].should_flush() {
            self.flush(worker);
        }
        self.act(worker);
        let Peer { dropped, ended, ref input, .. } = self.peers[peer];
        if !dropped {
            let more = !input.is_empty() || ended || self.brokers[worker].has_backlog(key);
            self.peers[peer].ready |= more;
        }
    }

    /// A worker takes that many letters.
    pub fn take_letters(&mut self, worker: usize, count: usize) {
        for _ in 0..count {
            let Some(mail) = self.mailboxes[worker].pop_front() else { break };
            let mut waiting = parcels(&mail);
            self.brokers[worker].receive_mail(mail);
            loop {
                let left = self.brokers[worker].batch_in_hand.as_ref().map_or(0, |(batch, done)| {
                    std::iter::successors(batch.entry(*done), |(_, next)| batch.entry(*next)).count()
                });
                let parcels = waiting.drain(..waiting.len() - left).collect();
                self.note(worker, Event::Taken { worker, parcels });
                if !self.brokers[worker].should_flush() {
                    break;
                }
                self.flush(worker);
                self.brokers[worker].work_off_mail();
            }
            self.act(worker);
        }
    }

    /// A worker posts its mail, then writes to everyone it has something for.
    pub fn flush(&mut self, worker: usize) {
        self.order(worker, Broker::prepare_to_flush);
        self.post_mail(worker);
        self.turns.push(Turn { event: Event::PostedAll { from: worker }, queued: Vec::new() });
        while let Some(key) = self.brokers[worker].local().next_dirty() {
            if let Some(&peer) = self.keys[worker].get(&key)
                && !self.peers[peer].blocked
            {
                self.write(peer);
            }
        }
        self.brokers[worker].look_at_memory(0);
        self.act(worker);
        self.post_mail(worker);
    }

    fn post_mail(&mut self, worker: usize) {
        let posted: Vec<(u8, Mail)> = self.brokers[worker].local().take_mail().collect();
        for (to, mail) in posted {
            let event = Event::Posted { from: worker, to: to.into(), parcels: parcels(&mail) };
            self.turns.push(Turn { event, queued: Vec::new() });
            self.mailboxes[usize::from(to)].push_back(mail);
        }
    }

    /// The socket of a connection takes more, after all that its worker did before is done with.
    pub fn make_room(&mut self, peer: usize, space: usize) {
        self.peers[peer].space = space;
        self.flush(self.peers[peer].worker);
        if std::mem::take(&mut self.peers[peer].blocked) && !self.peers[peer].dropped {
            // What follows from it is done later in the turn, maybe after a new connection was accepted.
            self.write(peer);
        }
    }

    fn write(&mut self, number: usize) {
        let peer = &mut self.peers[number];
        let local = self.brokers[peer.worker].local();
        loop {
            let mut slices = [IoSlice::new(&[]); 64];
            let count = local.output(peer.key, &mut slices);
            if count == 0 {
                break;
            }
            if peer.reset {
                return self.fail_to_write(number);
            }
            if peer.space == 0 {
                peer.blocked = true;
                return local.blocked(peer.key);
            }
            let mut bytes = joined(&slices[..count]);
            bytes.truncate(peer.space);
            let expected = &peer.queued[peer.heard..];
            let same = expected.iter().zip(&bytes).take_while(|(expected, byte)| expected == byte).count();
            assert!(
                same == bytes.len(),
                "client {number} was written what was not queued, from byte {}: {}, not {}",
                peer.heard + same,
                excerpt(&bytes[same..]),
                excerpt(&expected[same..])
            );
            assert!(!peer.half_closed, "nothing is written behind the end");
            peer.heard += bytes.len();
            peer.space -= bytes.len();
            local.wrote(peer.key, bytes.len());
        }
        self.after_write(number);
    }

    fn fail_to_write(&mut self, number: usize) {
        let Peer { worker, key, .. } = self.peers[number];
        self.brokers[worker].broken(key, Reason::WriteError);
        self.note(worker, Event::Ended { peer: number });
        self.after_write(number);
    }

    fn after_write(&mut self, number: usize) {
        let Peer { worker, key, .. } = self.peers[number];
        match self.brokers[worker].local().flushed(key) {
            Flushed::Stay => {}
            Flushed::HalfClose => self.peers[number].half_closed = true,
            Flushed::Drop => self.drop_socket(number),
        }
    }

    fn act(&mut self, worker: usize) {
        for action in self.brokers[worker].local().take_actions() {
            match action {
                Action::Arm(key, at) => _ = self.timers.insert((worker, key), at),
                Action::Resume(key) => {
                    // It may have gone in the same turn; a look at one that has its key now does no harm.
                    if let Some(&peer) = self.keys[worker].get(&key) {
                        self.peers[peer].ready = true;
                    }
                }
                Action::Drop(key) => self.drop_socket(self.keys[worker][&key]),
                Action::Check(check) => self.checks.push((worker, check)),
                Action::Ask(request) => self.requests.push((worker, request)),
                Action::Dial { dial, port, .. } => self.dials.push((dial, port)),
            }
        }
    }

    fn drop_socket(&mut self, peer: usize) {
        let Peer { worker, key, .. } = self.peers[peer];
        self.peers[peer].dropped = true;
        self.keys[worker].remove(&key);
        self.timers.remove(&(worker, key));
        self.brokers[worker].forget(key);
    }

    /// The first password that waits is checked; false if none does.
    pub fn check(&mut self) -> bool {
        if self.checks.is_empty() {
            return false;
        }
        let (worker, check) = self.checks.remove(0);
        self.order(worker, |broker| broker.checked(check.key, check.cid, check.run()));
        true
    }

    /// The clock goes on, and timers whose time has come go off.
    pub fn pass(&mut self, ms: u64) {
        self.set_now(self.now + ms);
        while let Some((&(worker, key), _)) = self.timers.iter().find(|(_, at)| **at <= self.now) {
            self.timers.remove(&(worker, key));
            self.brokers[worker].fire(key);
            self.note(worker, Event::Fired);
            self.act(worker);
        }
    }

    /// When the next timer goes off.
    pub fn next_timer(&self) -> Option<u64> {
        self.timers.values().min().copied()
    }

    /// Works on until nothing moves any more without the clock.
    pub fn settle(&mut self) {
        for _ in 0..100_000 {
            for worker in 0..self.brokers.len() {
                self.take_letters(worker, usize::MAX);
                self.order(worker, Broker::do_chores);
                self.order(worker, Broker::attend_cluster);
                self.flush(worker);
            }
            let ready = self.peers.iter().position(|peer| peer.ready && !peer.dropped);
            // It is not waited for whatever only the clock brings, but for this.
            if self.brokers.iter().any(Broker::waits_for_others) {
                self.set_now(self.now + 1);
            }
            match ready {
                Some(peer) => self.read(peer, usize::MAX, usize::MAX),
                None if self.is_quiet() => return,
                None => {}
            }
        }
        panic!("there is no end to it");
    }

    fn is_quiet(&self) -> bool {
        self.mailboxes.iter().all(VecDeque::is_empty) && !self.brokers.iter().any(Broker::has_chores)
    }

    /// A client says something and all that follows from it is done.
    pub fn say(&mut self, peer: usize, text: &str) {
        self.send(peer, text.as_bytes());
        self.settle();
    }

    /// What a client has been sent since the last call.
    pub fn hear(&mut self, peer: usize) -> String {
        self.settle();
        let Peer { queued, heard, looked, .. } = &mut self.peers[peer];
        let text = String::from_utf8_lossy(&queued[*looked..*heard]).into_owned();
        *looked = *heard;
        text
    }

    /// A client that has said CONNECT with these options and heard the answer.
    pub fn client(&mut self, worker: usize, options: &str) -> usize {
        let peer = self.accept(worker);
        self.say(peer, &format!("CONNECT {{\"verbose\":false,\"pedantic\":false{options}}}\r\nPING\r\n"));
        assert!(self.hear(peer).contains("\r\nPONG\r\n"));
        peer
    }

    /// All connections are gone, and with them everything that was kept for them.
    pub fn assert_empty(&mut self) {
        assert!(self.peers.iter().all(|peer| peer.dropped));
        assert_eq!((self.shared.connections(), self.shared.interest.count(GLOBAL_ACCOUNT)), (0, 0));
        for broker in &mut self.brokers {
            assert_eq!(broker.count(), 0);
            broker.trim();
            assert_eq!(broker.local.pool.bytes(), 0, "blocks are held by nobody");
            assert_eq!(broker.held(), 0, "nothing is counted for nobody");
        }
    }

    /// Writes down what happened, and what it caused.
    fn note(&mut self, worker: usize, event: Event) {
        let mut queued = Vec::new();
        for (&key, &number) in &self.keys[worker] {
            let peer = &mut self.peers[number];
            let client = self.brokers[worker].client(key).expect("a connection stays until its socket is dropped");
            assert_eq!(client.cid, peer.cid);
            let total = client.written as usize + client.out.bytes();
            let new = total.saturating_sub(peer.queued.len());
            if new > 0 {
                let mut slices = vec![IoSlice::new(&[]); 16 * 1024];
                let count = self.brokers[worker].local().output(key, &mut slices);
                let waiting = joined(&slices[..count]);
                peer.queued.extend_from_slice(&waiting[waiting.len() - new..]);
                queued.push((number, peer.queued[total - new..].to_vec()));
            }
        }
        self.turns.push(Turn { event, queued });
    }
}

fn joined(slices: &[IoSlice]) -> Vec<u8> {
    slices.iter().flat_map(|slice| slice.iter().copied()).collect()
}

fn excerpt(bytes: &[u8]) -> impl std::fmt::Display {
    bytes[..bytes.len().min(200)].escape_ascii()
}

fn parcels(mail: &Mail) -> Vec<Parcel> {
    let Mail::Messages(batch) = mail else { return Vec::new() };
    let parcel = |entry: crate::broker::mail::Entry| Parcel {
        subject: entry.message.subject.to_vec(),
        tail: entry.message.tail.to_vec(),
        group: match entry.to {
            Recipients::Plain | Recipients::Route(..) | Recipients::Asker => None,
            Recipients::Member(_, name) | Recipients::Elsewhere(name) => Some(name.to_vec()),
        },
    };
    batch.entries().map(parcel).collect()
}
