//! Random work for one, two and three workers, compared with the naive broker.
//!
//! `MIDGE_CASES` sets how many cases are played, `MIDGE_SEED` the one to begin with: a failing case names its seed.

use super::dice::Dice;
use super::model::Model;
use super::operations::{Message, Op, Options};
use super::world::{ENDLESS, World};
use crate::broker::{Reason, TURN_OUTPUT_MAX};
use crate::interest::GLOBAL_ACCOUNT;
use crate::log::Log;
use std::time::Duration;

const CASES: u64 = 300;
const STEPS: usize = 400;
const PEERS_MAX: usize = 8;

#[test]
fn everyone_gets_what_the_naive_broker_gives() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let first = number("MIDGE_SEED");
    let cases = number("MIDGE_CASES").unwrap_or(if first.is_some() { 1 } else { CASES });
    let first = first.unwrap_or(1);
    let mut deliveries = 0;
    for seed in first..first + cases {
        let name = SeedName(seed);
        deliveries += Case::new(seed).play();
        drop(name);
    }
    assert!(deliveries as u64 > 100 * cases, "{deliveries} deliveries test nothing");
}

/// Says how to play a case again when it fails.
struct SeedName(u64);

impl Drop for SeedName {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to play this again: MIDGE_SEED={} cargo test --lib naive_broker", self.0);
        }
    }
}

struct Case {
    dice: Dice,
    world: World,
    model: Model,
    /// Which connections the client has not given up, and whether it may send headers.
    clients: Vec<(usize, bool)>,
    next_id: usize,
    /// Receivers that are a little behind hold their publishers back.
    stalls: bool,
}

impl Case {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let workers = 1 + dice.below(3);
        let mut options = crate::config::Options { write_deadline: Duration::from_secs(3600), ..Default::default() };
        options.max_subscriptions = dice.pick(&[0, 0, 5]);
        options.max_sub_tokens = dice.pick(&[0, 0, 4]);
        options.max_payload = 100_000;
        let model = Model::new(options.max_subscriptions, options.max_sub_tokens);
        let mut world = World::new(workers, options, Log::quiet(), seed);
        let stalls = dice.once_in(3);
        if stalls {
            world.brokers.iter_mut().for_each(|broker| broker.local.stall_bytes = 2000);
        }
        Self { dice, world, model, clients: Vec::new(), next_id: 0, stalls }
    }

    /// Plays the case; returns how many messages were delivered.
    fn play(mut self) -> usize {
        for _ in 0..STEPS {
            self.step();
            self.follow();
        }
        self.finish();
        self.model.deliveries
    }

    fn follow(&mut self) {
        self.world.turns.drain(..).for_each(|turn| self.model.follow(turn));
    }

    fn step(&mut self) {
        let worker = self.dice.below(self.world.brokers.len());
        match self.dice.weighted(&[30, 60, 15, 15, 12, 4, 1, 1, 1]) {
            0 => self.say(),
            1 => self.read(),
            2 => self.world.flush(worker),
            3 => self.world.take_letters(worker, 1 + self.dice.below(3)),
            4 => self.make_room(),
            5 if self.clients.len() < PEERS_MAX => self.accept(worker),
            5 => self.part(),
            6 => self.world.pass([1, 5, 50, 500][self.dice.below(4)]),
            7 => self.world.brokers[worker].trim(),
            // As if much had been queued: the rest of the input has to wait for a flush.
            _ => self.world.brokers[worker].local.turn_output += TURN_OUTPUT_MAX,
        }
    }

    fn accept(&mut self, worker: usize) {
        let peer = self.world.accept(worker);
        let mut info = self.world.shared.info(&self.world.options, self.world.peers[peer].cid, "::1");
        let first = info.line();
        (info.connect_info, info.remote_account) = (true, Some("$G"));
        self.model.expect_peer(worker, first, info.line());
        self.clients.push((peer, false));
        if !self.dice.once_in(6) {
            let mut options = Options::any(&mut self.dice);
            options.verbose = options.verbose.or(Some(false));
            options.pedantic = options.pedantic.or(Some(false));
            self.speak(self.clients.len() - 1, Op::Connect(options));
        }
    }

    /// A client sends some operations.
    fn say(&mut self) {
        if self.clients.is_empty() {
            return;
        }
        let at = self.dice.below(self.clients.len());
        for _ in 0..1 + self.dice.below(6) {
            let id = self.new_id();
            let op = Op::any(&mut self.dice, id, self.clients[at].1);
            let subject = match &op {
                Op::Publish(message) => message.subject.clone(),
                _ => String::new(),
            };
            self.speak(at, op);
            let again = if subject.is_empty() || !self.dice.once_in(4) { 0 } else { self.dice.below(12) };
            for _ in 0..again {
                let id = self.new_id();
                let message = Message::any(&mut self.dice, id, false);
                self.speak(at, Op::Publish(Message { subject: subject.clone(), ..message }));
            }
        }
    }

    fn new_id(&mut self) -> usize {
        self.next_id += 1;
        self.next_id
    }

    fn speak(&mut self, at: usize, op: Op) {
        let (peer, headers) = &mut self.clients[at];
        if let Op::Connect(options) = &op {
            *headers = options.headers.unwrap_or(*headers);
        }
        let peer = *peer;
        let bytes = op.bytes(&mut self.dice);
        self.world.send(peer, &bytes);
        let end = self.world.peers[peer].read + self.world.peers[peer].input.len();
        self.model.say(peer, end, op);
    }

    /// A worker reads some of what a client sent.
    fn read(&mut self) {
        let ready = |(at, peer): (usize, &super::world::Peer)| (peer.ready && !peer.dropped).then_some(at);
        let ready: Vec<usize> = self.world.peers.iter().enumerate().filter_map(ready).collect();
        if ready.is_empty() {
            return;
        }
        let peer = self.dice.pick(&ready);
        let bytes = [1, 1 + self.dice.below(30), 1 + self.dice.below(1000), ENDLESS][self.dice.weighted(&[1, 3, 3, 6])];
        let letters = self.dice.pick(&[0, 1, ENDLESS]);
        self.world.read(peer, bytes, letters);
    }

    /// A client takes some of what was sent to it, or will take no more than that.
    fn make_room(&mut self) {
        if !self.clients.is_empty() {
            let (peer, _) = self.dice.pick(&self.clients);
            let bytes = [0, self.dice.below(50), self.dice.below(5000), ENDLESS][self.dice.weighted(&[1, 3, 3, 3])];
            self.world.make_room(peer, bytes);
        }
    }

    /// A client goes, in one way or another.
    fn part(&mut self) {
        let (peer, _) = self.clients.swap_remove(self.dice.below(self.clients.len()));
        match self.dice.below(4) {
            3 => self.world.peers[peer].reset = true,
            0 => self.world.break_off(peer, Reason::ReadError),
            1 => self.world.break_off(peer, Reason::WriteError),
            _ => self.world.end(peer),
        }
    }

    /// Lets everything come to rest, and looks what is left.
    fn finish(&mut self) {
        for _ in 0..10 {
            for peer in 0..self.world.peers.len() {
                self.world.make_room(peer, ENDLESS);
            }
            self.world.settle();
            self.follow();
        }
        self.model.finish();
        for (number, peer) in self.world.peers.iter().enumerate() {
            let client = self.world.brokers[peer.worker].client(peer.key).filter(|client| client.cid == peer.cid);
            let (open, published, delivered) = self.model.state(number);
            assert_eq!(client.is_some_and(|client| client.is_open()), open, "client {number}");
            if let Some(client) = client {
                assert_eq!(peer.heard, peer.queued.len(), "client {number} has heard all");
                let traffic = client.traffic;
                assert_eq!((traffic.in_messages, traffic.in_bytes), published, "client {number}");
                assert_eq!((traffic.out_messages, traffic.out_bytes), delivered, "client {number}");
                assert!(client.held_by == 0 || !client.is_open(), "client {number} waits for nobody");
            }
        }
        assert_eq!(self.world.shared.interest.count(GLOBAL_ACCOUNT), self.model.subscriptions());
        assert!(self.stalls || self.world.brokers.iter().all(|broker| broker.local.counts.stalls == 0));
        for peer in 0..self.world.peers.len() {
            self.world.break_off(peer, Reason::ReadError);
        }
        self.world.assert_empty();
    }
}
