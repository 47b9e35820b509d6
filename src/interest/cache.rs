//! One worker's match results.
//!
//! A two-way table, in front of it a table of fingerprints, so that a subject that is not there is known from one small
//! read. It starts small and doubles while it is crowded, up to a bound. A full set takes a new subject only if that
//! missed twice in a row: subjects that are published once, or far more of them than there is room for, do not push
//! results out, and cost no writes all over the memory. Results keep their memory when they are replaced, so that a
//! steady flow over many subjects does not allocate.

use super::changes::Stamp;
use super::{AccountId, Interest, Matched, Target};
use crate::memory::copy::same;
use crate::wire::subject;

/// Results at the start.
const SLOTS_MIN: usize = 64;
/// Results at most, both powers of two.
pub(super) const SLOTS_MAX: usize = 16 * 1024;
/// Targets in all results together; past that the cache starts anew.
const TARGETS_MAX: usize = 1 << 20;

/// What the subject of a result takes, about.
const SUBJECT_BYTES: usize = 48;

/// Cost of searches after which it is time to look whether others wait.
const COST_MAX: usize = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct Slot {
    used: bool,
    account: AccountId,
    hash: u64,
    token_hash: u64,
    pub(super) stamp: Stamp,
    subject: Vec<u8>,
    matched: Matched,
    /// The permission set that was last found to allow publishing to the subject; 0 if none was.
    permitted: u64,
}

impl Slot {
    #[inline]
    fn is(&self, account: AccountId, subject: &[u8]) -> bool {
        self.used && self.account == account && same(&self.subject, subject)
    }
}

/// Two slots.
#[derive(Debug, Default, Clone, Copy)]
struct Set {
    /// Fingerprints of what is in the two; 0 where nothing is.
    tags: [u32; 2],
    /// The fingerprint of the subject that was turned away last.
    turned_away: u32,
    /// Which of the two was of use last.
    newer: u32,
}

/// Match results by account and subject.
#[derive(Debug)]
pub struct Cache {
    worker: u8,
    sets: Vec<Set>,
    /// Two for each set, and one more for the result of a subject that was turned away.
    pub(super) slots: Vec<Slot>,
    /// Subjects that found their set full since the table grew.
    crowded: usize,
    targets: usize,
    /// What searches have cost since that was asked for last.
    cost: usize,
    /// Subjects looked up that were not the one before.
    looks: u64,
    /// Of those the ones that had to be searched for in the index.
    searches: u64,
}

/// How well a cache works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Results it holds.
    pub results: usize,
    /// Subjects looked up that were not the one before.
    pub looks: u64,
    /// Of those the ones that had to be searched for.
    pub searches: u64,
    /// Targets of the result that has most.
    pub targets_max: usize,
    /// Targets of all results.
    pub targets: usize,
}

impl Cache {
    /// An empty cache of the given worker.
    pub fn new(worker: u8) -> Self {
        Self { worker, sets: Vec::new(), slots: Vec::new(), crowded: 0, targets: 0, cost: 0, looks: 0, searches: 0 }
    }

    /// The result at a place that [`place`](Self::place) gave, until the next call of it.
    #[inline]
    pub fn matched(&self, place: u32) -> &Matched {
        &self.slots[place as usize].matched
    }

    /// True if this permission set is known to allow publishing to the subject at a place that [`place`](Self::place) gave.
    #[inline]
    pub fn is_permitted(&self, place: u32, permission_set: u64) -> bool {
        self.slots[place as usize].permitted == permission_set
    }

    /// This permission set allows publishing to the subject at a place.
    pub fn permit(&mut self, place: u32, permission_set: u64) {
        self.slots[place as usize].permitted = permission_set;
    }

    /// What the searches since the last call cost, in bytes of output that take about as long.
    pub fn take_cost(&mut self) -> usize {
        std::mem::take(&mut self.cost)
    }

    /// True if that is so much that others should have their turn.
    #[inline]
    pub fn is_costly(&self) -> bool {
        self.cost > COST_MAX
    }

    /// Where the fresh result for this subject is. `hint` is where the caller found its last one: a publisher that
    /// repeats its subject saves the hash.
    #[inline]
    pub fn place(&mut self, interest: &Interest, account: AccountId, subject: &[u8], hint: u32) -> u32 {
        if let Some(slot) = self.slots.get(hint as usize)
            && slot.is(account, subject)
            && interest.changes.is_quiet(&slot.stamp)
        {
            return hint;
        }
        self.look(interest, account, subject)
    }

    #[inline(never)]
    fn look(&mut self, interest: &Interest, account: AccountId, subject: &[u8]) -> u32 {
        let hash = interest.hash.of(subject);
        self.looks += 1;
        if self.crowded >= self.slots.len() {
            self.grow();
        }
        let home = Self::home(hash, account, self.sets.len());
        let tag = Self::tag(hash);
        let set = &mut self.sets[home];
        for way in 0..2 {
            let at = 2 * home + way;
            if set.tags[way] == tag && self.slots[at].is(account, subject) {
                set.newer = way as u32;
                return self.freshen(at, interest, account, subject, hash);
            }
        }
        let older = usize::from(set.newer == 0);
        let way = match set.tags {
            [0, _] => 0,
            [_, 0] => 1,
            _ if set.turned_away == tag => older,
            _ => {
                set.turned_away = tag;
                self.crowded += 1;
                return self.pass(interest, account, subject, hash);
            }
        };
        set.tags[way] = tag;
        set.newer = way as u32;
        self.fill(2 * home + way, interest, account, subject, hash)
    }

    fn home(hash: u64, account: AccountId, sets: usize) -> usize {
        // The accounts of one subject are spread; the low bits of the hash are left to the index.
        ((hash >> 20) as usize ^ (account as usize).wrapping_mul(0x9e37)) & (sets - 1)
    }

    fn tag(hash: u64) -> u32 {
        (hash >> 32) as u32 | 1
    }

    /// Brings a result that was found up to date, if anything that concerns it has changed.
    fn freshen(&mut self, at: usize, interest: &Interest, account: AccountId, subject: &[u8], hash: u64) -> u32 {
        let slot = &mut self.slots[at];
        if !interest.changes.is_quiet(&slot.stamp) {
            let stamp = interest.changes.stamp(hash, slot.token_hash);
            let is_fresh = stamp.concerns_nothing_since(&slot.stamp)
                && slot.matched.linked().is_none_or(|linked| linked.is_fresh(&interest.changes));
            if !is_fresh {
                return self.fill(at, interest, account, subject, hash);
            }
            slot.stamp = stamp;
        }
        at as u32
    }

    /// Finds who wants a subject that is turned away. It is not said in the slot what it is about, so nobody finds it
    /// there again, and it does not count as kept.
    fn pass(&mut self, interest: &Interest, account: AccountId, subject: &[u8], hash: u64) -> u32 {
        let at = self.slots.len() - 1;
        self.slots[at].permitted = 0;
        self.searches += 1;
        self.cost += interest.find(account, subject, hash, self.worker, &mut self.slots[at].matched);
        at as u32
    }

    fn fill(&mut self, at: usize, interest: &Interest, account: AccountId, subject: &[u8], hash: u64) -> u32 {
        self.searches += 1;
        let slot = &mut self.slots[at];
        self.targets -= slot.matched.held();
        slot.used = true;
        slot.account = account;
        slot.hash = hash;
        slot.token_hash = interest.hash.of(subject::first_token(subject));
        slot.permitted = 0;
        slot.subject.clear();
        slot.subject.extend_from_slice(subject);
        slot.stamp = interest.changes.stamp(hash, slot.token_hash);
        self.cost += interest.find(account, subject, hash, self.worker, &mut slot.matched);
        self.targets += slot.matched.held();
        if self.targets > TARGETS_MAX {
            let kept = std::mem::take(&mut self.slots[at]);
            self.trim();
            self.grow();
            self.targets = kept.matched.held();
            return self.keep(kept);
        }
        at as u32
    }

    /// Makes the table twice as large.
    fn grow(&mut self) {
        self.crowded = 0;
        let count = (self.sets.len() * 4).clamp(SLOTS_MIN, SLOTS_MAX);
        if count == self.sets.len() * 2 {
            return;
        }
        self.sets = vec![Set::default(); count / 2];
        let mut slots = Vec::new();
        slots.resize_with(count + 1, Slot::default);
        for slot in std::mem::replace(&mut self.slots, slots) {
            if slot.used {
                self.keep(slot);
            }
        }
        self.targets = self.slots[..count].iter().map(|slot| slot.matched.held()).sum();
    }

    /// Puts a result into its set, in the place of another if need be.
    fn keep(&mut self, slot: Slot) -> u32 {
        let home = Self::home(slot.hash, slot.account, self.sets.len());
        let set = &mut self.sets[home];
        let way = usize::from(set.tags[0] != 0);
        set.tags[way] = Self::tag(slot.hash);
        self.slots[2 * home + way] = slot;
        (2 * home + way) as u32
    }

    /// Forgets everything and gives the memory back.
    pub fn trim(&mut self) {
        *self = Self { looks: self.looks, searches: self.searches, ..Self::new(self.worker) };
    }

    /// Memory it takes, in bytes: about, because results that were replaced keep theirs.
    pub fn bytes(&self) -> usize {
        let slot = size_of::<Slot>() + SUBJECT_BYTES;
        self.sets.len() * size_of::<Set>() + self.slots.len() * slot + self.targets * size_of::<Target>()
    }

    /// How well it works; looks at every result.
    pub fn figures(&self) -> Figures {
        let mut figures = Figures { looks: self.looks, searches: self.searches, ..Figures::default() };
        for slot in self.slots.iter().filter(|slot| slot.used) {
            let targets = slot.matched.held();
            figures.results += 1;
            figures.targets += targets;
            figures.targets_max = figures.targets_max.max(targets);
        }
        figures
    }
}
