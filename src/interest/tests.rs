//! The index and the cache against the naive definition of matching.

use super::*;
use std::collections::BTreeMap;

/// A small generator, seeded so that a failure can be replayed.
pub(super) struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    pub fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

pub(super) fn any_subject(dice: &mut Dice, tokens: &[&str]) -> String {
    let count = 1 + dice.below(4);
    (0..count).map(|_| dice.pick(tokens)).collect::<Vec<_>>().join(".")
}

fn sorted(mut targets: Vec<Target>) -> Vec<Target> {
    targets.sort();
    targets
}

#[derive(Clone)]
struct Sub {
    pattern: String,
    queue: String,
    target: Target,
    node: NodeId,
}

fn assert_matches(subs: &[Sub], matched: &Matched, subject: &str, worker: u8) {
    let hits = || subs.iter().filter(|sub| subject::matches(sub.pattern.as_bytes(), subject.as_bytes()));
    let plain = |mine: bool| hits().filter(move |sub| sub.queue.is_empty() && (sub.target.worker() == worker) == mine);
    assert_eq!(sorted(matched.plain.clone()), sorted(plain(true).map(|sub| sub.target).collect()), "{subject}");
    let mut remotes: Vec<u8> = plain(false).map(|sub| sub.target.worker()).collect();
    remotes.sort();
    remotes.dedup();
    let mut got = matched.remotes().to_vec();
    got.sort();
    assert_eq!(got, remotes, "{subject}");
    let mut groups: BTreeMap<&[u8], Vec<Target>> = BTreeMap::new();
    hits().filter(|sub| !sub.queue.is_empty()).for_each(|sub| {
        groups.entry(sub.queue.as_bytes()).or_default().push(sub.target);
    });
    let got: BTreeMap<&[u8], Vec<Target>> =
        matched.groups().map(|group| (group.name, sorted(group.members.to_vec()))).collect();
    assert_eq!(got, groups.into_iter().map(|(name, members)| (name, sorted(members))).collect(), "{subject}");
    let shape = match (&matched.plain[..], plain(false).count() + hits().filter(|sub| !sub.queue.is_empty()).count()) {
        ([], 0) => Shape::Nobody,
        ([only], 0) => Shape::One(*only),
        (_, 0) => Shape::Several,
        _ => Shape::Mixed,
    };
    assert_eq!(matched.shape, shape, "{subject}");
}

#[test]
fn finds_what_the_naive_definition_finds_under_churn() {
    for seed in 1..60u64 {
        let mut dice = Dice(seed * 0x9e37_79b9);
        let interest = Interest::new(seed);
        let mut caches = [Cache::new(0), Cache::new(1)];
        let mut subs: Vec<Sub> = Vec::new();
        let mut slot = 0;
        for step in 0..400 {
            if dice.below(3) > 0 || subs.is_empty() {
                let pattern = any_subject(&mut dice, &["a", "b", "*", ">", "c*", "", "foo"]);
                if subject::is_valid_subscription(pattern.as_bytes()) {
                    slot += 1;
                    let target = Target::new(dice.below(2) as u8, slot, dice.below(100) as u32);
                    let queue = dice.pick(&["", "", "", "q", "r"]).to_owned();
                    let node = interest.insert(GLOBAL_ACCOUNT, pattern.as_bytes(), queue.as_bytes(), target);
                    subs.push(Sub { pattern, queue, target, node });
                }
            } else {
                let sub = subs.swap_remove(dice.below(subs.len()));
                interest.remove(GLOBAL_ACCOUNT, sub.node, sub.queue.as_bytes(), sub.target);
            }
            let subject = any_subject(&mut dice, &["a", "b", "*", ">", "c*", "", "foo"]);
            for (worker, cache) in caches.iter_mut().enumerate() {
                let place = cache.place(&interest, GLOBAL_ACCOUNT, subject.as_bytes(), dice.below(64) as u32);
                assert_matches(&subs, cache.matched(place), &subject, worker as u8);
            }
            assert_eq!(interest.count(GLOBAL_ACCOUNT), subs.len(), "seed {seed} step {step}");
        }
        for sub in subs.drain(..) {
            interest.remove(GLOBAL_ACCOUNT, sub.node, sub.queue.as_bytes(), sub.target);
        }
        assert_eq!(interest.count(GLOBAL_ACCOUNT), 0);
    }
}

#[test]
fn many_targets_of_one_subject_come_and_go() {
    let interest = Interest::new(1);
    let mut subs = Vec::new();
    for slot in 0..1000 {
        let (pattern, queue) = if slot % 3 == 0 { ("a.*", "q") } else { ("a.b", "") };
        let target = Target::new(0, slot, 0);
        let node = interest.insert(GLOBAL_ACCOUNT, pattern.as_bytes(), queue.as_bytes(), target);
        subs.push(Sub { pattern: pattern.into(), queue: queue.into(), target, node });
    }
    let mut dice = Dice(7);
    let mut matched = Matched::default();
    while !subs.is_empty() {
        for _ in 0..17.min(subs.len()) {
            let sub = subs.swap_remove(dice.below(subs.len()));
            interest.remove(GLOBAL_ACCOUNT, sub.node, sub.queue.as_bytes(), sub.target);
        }
        interest.find(GLOBAL_ACCOUNT, b"a.b", interest.hash.of(b"a.b"), 0, &mut matched);
        assert_matches(&subs, &matched, "a.b", 0);
    }
}

#[test]
fn removal_leaves_no_node_behind() {
    let interest = Interest::new(3);
    let target = Target::new(0, 1, 0);
    let keep = interest.insert(GLOBAL_ACCOUNT, b"keep.>", b"", target);
    for round in 0..10_000 {
        for pattern in [format!("_INBOX.{round}"), format!("_INBOX.{round}.*"), format!("*.{round}.a.>")] {
            let node = interest.insert(GLOBAL_ACCOUNT, pattern.as_bytes(), b"", target);
            interest.remove(GLOBAL_ACCOUNT, node, b"", target);
        }
    }
    let index = interest.account(GLOBAL_ACCOUNT).index.read().unwrap();
    assert_eq!(index.subject(keep), b"keep.>");
    assert!(format!("{index:?}").len() < 2000, "{index:?}");
}

#[test]
fn inbox_churn_does_not_disturb_other_results() {
    let interest = Interest::new(5);
    let mut cache = Cache::new(0);
    interest.insert(GLOBAL_ACCOUNT, b"steady", b"", Target::new(0, 1, 0));
    let place = cache.place(&interest, GLOBAL_ACCOUNT, b"steady", 0);
    let stamp = |cache: &Cache, place: u32| cache.slots[place as usize].stamp;
    let before = stamp(&cache, place);
    let mut disturbed = 0;
    for round in 0..1000 {
        interest.insert(GLOBAL_ACCOUNT, format!("_INBOX.{round}").as_bytes(), b"", Target::new(0, 2, 0));
        interest.insert(GLOBAL_ACCOUNT, format!("_INBOX.{round}.*").as_bytes(), b"", Target::new(0, 3, 0));
        cache.place(&interest, GLOBAL_ACCOUNT, b"steady", place);
        disturbed += usize::from(!stamp(&cache, place).concerns_nothing_since(&before));
    }
    // With 4096 counters 1000 inboxes may fall on the one of `steady`, but not from the start.
    assert!(disturbed < 1000, "every change was taken for one of the subject's own");
}

#[test]
fn the_cache_is_bounded() {
    let interest = Interest::new(5);
    let mut cache = Cache::new(0);
    for round in 0..100_000 {
        cache.place(&interest, GLOBAL_ACCOUNT, format!("subject.{round}").as_bytes(), 0);
    }
    assert_eq!(cache.slots.len(), cache::SLOTS_MAX + 1);
    cache.trim();
    assert!(cache.slots.is_empty());
}

#[test]
fn subjects_published_once_push_no_result_out() {
    let interest = Interest::new(5);
    let mut cache = Cache::new(0);
    for round in 0..100_000 {
        cache.place(&interest, GLOBAL_ACCOUNT, format!("first.{round}").as_bytes(), 0);
    }
    let places = |cache: &mut Cache| -> Vec<u32> {
        let place = |i: usize| cache.place(&interest, GLOBAL_ACCOUNT, format!("steady.{i}").as_bytes(), 0);
        (0..100).map(place).collect()
    };
    places(&mut cache);
    let before = places(&mut cache);
    assert!(before.iter().all(|&place| place < cache::SLOTS_MAX as u32), "what missed twice has its place");
    for round in 0..100_000 {
        cache.place(&interest, GLOBAL_ACCOUNT, format!("later.{round}").as_bytes(), 0);
    }
    assert_eq!(places(&mut cache), before);
}

/// The search went down by recursion, once for each `*`.
#[test]
fn a_pattern_of_any_length_is_found() {
    let interest = Interest::new(1);
    let target = Target::new(0, 1, 0);
    let subject = vec!["a"; 100_000].join(".");
    for pattern in [vec!["*"; 100_000].join("."), ["a", "*"].repeat(50_000).join("."), subject.clone()] {
        interest.insert(GLOBAL_ACCOUNT, pattern.as_bytes(), b"", target);
    }
    let mut matched = Matched::default();
    interest.find(GLOBAL_ACCOUNT, subject.as_bytes(), interest.hash.of(subject.as_bytes()), 0, &mut matched);
    assert_eq!(matched.plain, [target; 3]);
}

/// Each removal at the end shrank the table anew, and walked over all of it.
#[test]
fn a_table_that_empties_is_shrunk_a_few_times_only() {
    let interest = Interest::new(1);
    let target = Target::new(0, 1, 0);
    let insert = |number: usize| interest.insert(GLOBAL_ACCOUNT, format!("a.{number}").as_bytes(), b"", target);
    let mut nodes: Vec<NodeId> = (0..20_000).map(insert).collect();
    let last = nodes.split_off(nodes.len() / 8 * 7);
    let mut capacities = Vec::new();
    for node in nodes.into_iter().chain(last.into_iter().rev()) {
        interest.remove(GLOBAL_ACCOUNT, node, b"", target);
        capacities.push(interest.account(GLOBAL_ACCOUNT).index.read().unwrap().capacity());
    }
    capacities.dedup();
    assert!((2..20).contains(&capacities.len()), "{capacities:?}");
}
