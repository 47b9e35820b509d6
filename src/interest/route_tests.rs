//! Routes in the index, and what is announced to them, against the naive definitions.

use super::remote::{Prune, Refusal, Sweep};
use super::tests::{Dice, any_subject};
use super::*;
use crate::wire::route;
use std::collections::{BTreeMap, BTreeSet};

/// Subject and queue group; of a route the origin comes first.
type Key = (String, String);

fn wanted<'a>(origin: &'a str, subject: &'a str, queue: &'a str, weight: u32) -> route::Interest<'a> {
    let [origin, subject, queue] = [origin, subject, queue].map(str::as_bytes);
    route::Interest { origin, account: b"$G", subject, queue, weight }
}

struct Peer {
    remote: Remote,
    wants: BTreeMap<(String, Key), u32>,
}

struct Listener {
    announcer: Announcer,
    heard: BTreeMap<Key, u32>,
}

struct World {
    interest: Interest,
    caches: [Cache; 2],
    peers: Vec<Peer>,
    sweeps: Vec<Sweep>,
    subs: Vec<(Key, Target, NodeId)>,
    listeners: Vec<Listener>,
    dice: Dice,
    next_slot: u32,
}

const TOKENS: [&str; 5] = ["a", "b", "*", ">", "foo"];

impl World {
    fn new(seed: u64) -> Self {
        Self {
            interest: Interest::new(seed),
            caches: [Cache::new(0), Cache::new(1)],
            peers: Vec::new(),
            sweeps: Vec::new(),
            subs: Vec::new(),
            listeners: Vec::new(),
            dice: Dice(seed * 0x9e37_79b9 + 1),
            next_slot: 0,
        }
    }

    fn any_key(&mut self) -> Option<Key> {
        let subject = any_subject(&mut self.dice, &TOKENS);
        let queue = self.dice.pick(&["", "", "q", "r", "a-queue-group-with-a-long-name"]).to_owned();
        subject::is_valid_subscription(subject.as_bytes()).then_some((subject, queue))
    }

    fn step(&mut self) {
        match self.dice.below(12) {
            0..3 => self.subscribe(),
            3 | 4 if !self.subs.is_empty() => {
                let ((_, queue), target, node) = self.subs.swap_remove(self.dice.below(self.subs.len()));
                self.interest.remove(GLOBAL_ACCOUNT, node, queue.as_bytes(), target);
            }
            5..9 if !self.peers.is_empty() => self.change_remote(),
            9 if self.peers.len() < 5 => {
                let route = self.interest.open_route(self.dice.below(2) as u8).unwrap();
                let keeps_origins = self.dice.below(3) > 0;
                self.peers.push(Peer { remote: Remote::new(route, keeps_origins, 1000), wants: BTreeMap::new() });
            }
            10 if self.dice.below(4) == 0 && !self.peers.is_empty() => {
                let peer = self.peers.swap_remove(self.dice.below(self.peers.len()));
                self.sweeps.push(peer.remote.close(&self.interest));
            }
            _ => {
                let Self { interest, sweeps, .. } = self;
                sweeps.retain_mut(|sweep| sweep.step(interest, 1, 3));
            }
        }
    }

    fn subscribe(&mut self) {
        let Some((subject, queue)) = self.any_key() else { return };
        self.next_slot += 1;
        let target = Target::new(self.dice.below(2) as u8, self.next_slot, self.next_slot % 7);
        let node = self.interest.insert(GLOBAL_ACCOUNT, subject.as_bytes(), queue.as_bytes(), target);
        self.subs.push(((subject, queue), target, node));
    }

    fn change_remote(&mut self) {
        let Some((subject, queue)) = self.any_key() else { return };
        let at = self.dice.below(self.peers.len());
        let origin = self.dice.pick(&["", "", "LC1", "_"]);
        let weight = if queue.is_empty() { 0 } else { self.dice.below(4) as u32 };
        let adds = self.dice.below(3) > 0;
        let Peer { remote, wants } = &mut self.peers[at];
        let interest = wanted(origin, &subject, &queue, weight);
        let kept = if remote.keeps_origins_apart() { origin } else { "" };
        let key = (kept.to_owned(), (subject.clone(), queue.clone()));
        if adds {
            assert_eq!(remote.subscribe(&self.interest, GLOBAL_ACCOUNT, &interest), Ok(()));
            wants.insert(key, weight);
        } else {
            let found = remote.unsubscribe(&self.interest, GLOBAL_ACCOUNT, &interest);
            assert_eq!(found, wants.remove(&key).is_some());
        }
        assert_eq!(remote.count(), wants.len());
    }

    /// What a subject finds is what the naive definition finds.
    fn check_match(&mut self) {
        let subject = any_subject(&mut self.dice, &TOKENS);
        let hits = |pattern: &str| subject::matches(pattern.as_bytes(), subject.as_bytes());
        let mut routes = BTreeSet::new();
        let mut groups: BTreeMap<&[u8], Vec<(Target, u32)>> = BTreeMap::new();
        for ((pattern, queue), target, _) in &self.subs {
            if hits(pattern) && !queue.is_empty() {
                groups.entry(queue.as_bytes()).or_default().push((*target, 1));
            }
        }
        for Peer { remote, wants } in &self.peers {
            for ((_, (pattern, queue)), &weight) in wants {
                match hits(pattern) {
                    true if queue.is_empty() => _ = routes.insert(remote.route()),
                    true if weight > 0 => groups.entry(queue.as_bytes()).or_default().push((remote.route(), weight)),
                    _ => {}
                }
            }
        }
        groups.values_mut().for_each(|members| members.sort());
        for (worker, cache) in self.caches.iter_mut().enumerate() {
            let place = cache.place(&self.interest, GLOBAL_ACCOUNT, subject.as_bytes(), 0);
            let matched = cache.matched(place);
            let mut plain: Vec<Target> = matched.plain.clone();
            plain.sort();
            let is_mine = |target: &Target| target.worker() == worker as u8;
            let want = self.subs.iter().filter(|((pattern, queue), ..)| queue.is_empty() && hits(pattern));
            let mut want: Vec<Target> = want.map(|(_, target, _)| *target).filter(is_mine).collect();
            want.sort();
            assert_eq!(plain, want, "{subject}");
            assert_eq!(matched.routes().to_vec(), routes.iter().copied().collect::<Vec<_>>(), "{subject}");
            let got = matched.groups().map(|group| {
                let mut members: Vec<_> = group
                    .members
                    .iter()
                    .map(|member| (if member.is_route() { member.only_route() } else { *member }, member.weight()))
                    .collect();
                members.sort();
                (group.name, members)
            });
            assert_eq!(got.collect::<BTreeMap<_, _>>(), groups, "{subject}");
            for group in matched.groups() {
                check_choice(&group);
            }
        }
    }

    /// What was announced is what clients want.
    fn check_announced(&mut self) {
        let mut want: BTreeMap<Key, u32> = BTreeMap::new();
        for (key, ..) in &self.subs {
            let weight = want.entry(key.clone()).or_default();
            *weight = if key.1.is_empty() { 1 } else { *weight + 1 };
        }
        if self.listeners.len() < 4 && self.dice.below(20) == 0 {
            let announcer = self.interest.start_announcing(GLOBAL_ACCOUNT);
            self.listeners.push(Listener { announcer, heard: BTreeMap::new() });
        }
        for at in (0..self.listeners.len()).rev() {
            match self.dice.below(40) {
                0..10 => {
                    let Listener { announcer, heard } = &mut self.listeners[at];
                    let before = heard.clone();
                    let progress = self.interest.announce(GLOBAL_ACCOUNT, announcer, 2, |wanted| {
                        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                        let key = (text(wanted.subject), text(wanted.queue));
                        match wanted.weight {
                            0 => _ = heard.remove(&key),
                            weight => _ = heard.insert(key, weight),
                        }
                    });
                    match progress {
                        Progress::Done => assert_eq!(*heard, want),
                        Progress::More => {
                            for (key, weight) in heard.iter() {
                                assert_eq!(want.get(key), Some(weight), "{key:?} is not so");
                            }
                            let lost = before.keys().find(|key| want.contains_key(*key) && !heard.contains_key(*key));
                            assert_eq!(lost, None, "it was told and is wanted");
                        }
                        Progress::Behind => panic!("nothing is thrown away"),
                    }
                }
                10 => {
                    let Listener { announcer, .. } = self.listeners.swap_remove(at);
                    self.interest.stop_announcing(GLOBAL_ACCOUNT, announcer);
                }
                _ => {}
            }
        }
    }
}

/// Every point below the weight leads to each member once, and to the better ones first and as often as their weight says.
fn check_choice(group: &Group) {
    let mut members = group.members.to_vec();
    members.sort();
    let mut first: BTreeMap<Target, u32> = BTreeMap::new();
    for point in 0..group.weight {
        let order: Vec<Target> = group.from(point).collect();
        *first.entry(order[0]).or_default() += 1;
        assert!(order.is_sorted_by_key(|member| member.is_leaf()), "leaf nodes are the last choice");
        let mut all = order;
        all.sort();
        assert_eq!(all, members);
    }
    let has_better = members.iter().any(|member| !member.is_leaf());
    let mut want: BTreeMap<Target, u32> = BTreeMap::new();
    // A route may want the same with the same weight by several subjects.
    for member in members.into_iter().filter(|member| !has_better || !member.is_leaf()) {
        *want.entry(member).or_default() += member.weight();
    }
    assert_eq!(first, want);
}

#[test]
fn routes_are_found_and_told_as_the_naive_definition_has_it() {
    for seed in 1..80 {
        let mut world = World::new(seed);
        for _ in 0..500 {
            world.step();
            world.check_match();
            world.check_announced();
        }
        for peer in std::mem::take(&mut world.peers) {
            world.sweeps.push(peer.remote.close(&world.interest));
        }
        world.check_match();
        for mut sweep in std::mem::take(&mut world.sweeps) {
            while sweep.step(&world.interest, 1, 5) {}
        }
        assert_eq!(world.interest.count(GLOBAL_ACCOUNT), world.subs.len(), "seed {seed}: all is swept out");
    }
}

#[test]
fn a_route_that_goes_is_not_found_at_once_however_much_it_wanted() {
    let interest = Interest::new(1);
    let mut cache = Cache::new(0);
    let mut remote = Remote::new(interest.open_route(0).unwrap(), true, 1 << 20);
    for number in 0..20_000 {
        let subject = format!("subject.{number}");
        remote.subscribe(&interest, GLOBAL_ACCOUNT, &wanted("", &subject, "", 0)).unwrap();
    }
    let found = |cache: &mut Cache| {
        let place = cache.place(&interest, GLOBAL_ACCOUNT, b"subject.7", 0);
        cache.matched(place).shape
    };
    assert_eq!(found(&mut cache), Shape::Route(remote.route()));
    let mut sweep = remote.close(&interest);
    assert_eq!(found(&mut cache), Shape::Nobody);
    assert_eq!(interest.count(GLOBAL_ACCOUNT), 20_000);
    let mut parts = 1;
    while sweep.step(&interest, 1, 4096) {
        parts += 1;
    }
    assert!(parts > 3);
    assert_eq!(interest.count(GLOBAL_ACCOUNT), 0);
}

#[test]
fn what_a_peer_may_want_is_bounded() {
    let interest = Interest::new(1);
    let mut remote = Remote::new(interest.open_route(0).unwrap(), true, 2);
    let mut subscribe = |wanted: route::Interest| remote.subscribe(&interest, GLOBAL_ACCOUNT, &wanted);
    assert_eq!(subscribe(wanted("", "a..b", "", 0)), Err(Refusal::Subject));
    assert_eq!(subscribe(wanted("", "a.>.b", "", 0)), Err(Refusal::Subject));
    assert_eq!(subscribe(wanted("", "a", "", 0)), Ok(()));
    assert_eq!(subscribe(wanted("", "a", "q", 3)), Ok(()));
    assert_eq!(subscribe(wanted("", "b", "", 0)), Err(Refusal::TooMuch));
    assert_eq!(subscribe(wanted("", "a", "", 0)), Ok(()), "it is there");
    assert_eq!(subscribe(wanted("", "a", "q", 5)), Ok(()), "only the weight is another");
    assert_eq!((remote.count(), interest.count(GLOBAL_ACCOUNT)), (2, 2));
    let mut remote = Remote::new(interest.open_route(0).unwrap(), true, 100_000);
    let mut refused = 0;
    for number in 0..5000 {
        let origin = format!("LC{number}");
        let outcome = remote.subscribe(&interest, GLOBAL_ACCOUNT, &wanted(&origin, "a", "", 0));
        refused += usize::from(outcome == Err(Refusal::TooMuch));
    }
    assert_eq!(5000 - refused, targets::ORIGIN_MAX as usize);
}

#[test]
fn weights_have_a_largest() {
    let target = Target::route(3, 9, 7, u32::MAX);
    assert_eq!((target.weight(), target.worker(), target.generation()), (targets::WEIGHT_MAX, 3, 9));
    assert!(target.is_route() && target.is_leaf() && !Target::route(3, 9, 0, u32::MAX).is_leaf());
    assert_eq!(Target::from_bytes(target.to_bytes()), target);
}

#[test]
fn the_log_is_kept_while_somebody_reads_it_and_bounded() {
    let interest = Interest::new(1);
    let log_bytes = || interest.account(GLOBAL_ACCOUNT).log().bytes();
    let subject = "x".repeat(1000);
    let flip = || {
        let target = Target::new(0, 1, 0);
        let node = interest.insert(GLOBAL_ACCOUNT, subject.as_bytes(), b"", target);
        interest.remove(GLOBAL_ACCOUNT, node, b"", target);
    };
    flip();
    assert_eq!((log_bytes(), interest.changes_to_announce()), (0, 0), "nobody reads it");
    let [mut first, mut second] = [(); 2].map(|()| interest.start_announcing(GLOBAL_ACCOUNT));
    flip();
    assert_eq!(interest.changes_to_announce(), 2);
    let told = |announcer: &mut Announcer| {
        let mut told = Vec::new();
        let progress = interest.announce(GLOBAL_ACCOUNT, announcer, 100, |wanted| told.push(wanted.weight));
        (progress, told)
    };
    assert_eq!(told(&mut second), (Progress::Done, vec![0]));
    flip();
    assert_eq!(told(&mut first), (Progress::Done, vec![0]), "only the last state is told");
    assert!(log_bytes() > 0, "the second one has not read it");
    assert_eq!(told(&mut second), (Progress::Done, vec![0]));
    assert_eq!(log_bytes(), 0);
    for _ in 0..10_000 {
        flip();
        assert_eq!(told(&mut second).0, Progress::Done);
        assert!(log_bytes() <= announce::LOG_BYTES_MAX);
    }
    assert_eq!(told(&mut first).0, Progress::Behind);
    interest.stop_announcing(GLOBAL_ACCOUNT, first);
    flip();
    assert_eq!(told(&mut second), (Progress::Done, vec![0]));
    interest.stop_announcing(GLOBAL_ACCOUNT, second);
    assert_eq!(log_bytes(), 0);
}

#[test]
fn what_a_peer_may_want_no_longer_is_taken_away_and_only_that() {
    let interest = Interest::new(1);
    let mut cache = Cache::new(0);
    let [mut one, mut other] = [(); 2].map(|()| Remote::new(interest.open_route(0).unwrap(), true, 100_000));
    let local = Target::new(0, 1, 0);
    interest.insert(GLOBAL_ACCOUNT, b"no.1", b"", local);
    for remote in [&mut one, &mut other] {
        for number in 0..500 {
            for subject in [format!("yes.{number}"), format!("no.{number}"), format!("no.{number}.*")] {
                for (origin, queue) in [("", ""), ("", "q"), ("LC", "")] {
                    remote.subscribe(&interest, GLOBAL_ACCOUNT, &wanted(origin, &subject, queue, 1)).unwrap();
                }
            }
        }
    }
    let mut count = |subject: &str| {
        let place = cache.place(&interest, GLOBAL_ACCOUNT, subject.as_bytes(), 0);
        cache.matched(place).routes().len()
    };
    let before = ["yes.1", "no.1", "no.1.x"].map(&mut count);
    let mut prune = Prune::START;
    let stays = |subject: &[u8]| subject.starts_with(b"yes");
    let mut steps = 1;
    while prune.step(&interest, &mut one, interest.account_count(), 100, &stays) {
        steps += 1;
    }
    assert!(steps > 10, "{steps}");
    assert_eq!((one.count(), other.count()), (1500, 4500));
    assert_eq!(interest.count(GLOBAL_ACCOUNT), 1500 + 4500 + 1);
    let after = ["yes.1", "no.1", "no.1.x"].map(&mut count);
    assert_eq!(after, [before[0], before[1] / 2, before[2] / 2]);
    // It may come again, and go like any other.
    let again = wanted("", "no.1", "", 1);
    one.subscribe(&interest, GLOBAL_ACCOUNT, &again).unwrap();
    assert!(one.unsubscribe(&interest, GLOBAL_ACCOUNT, &again));
    assert!(!one.unsubscribe(&interest, GLOBAL_ACCOUNT, &again));
}
