//! One worker's match results.
//!
//! A two-way table that replaces the older of two results. It starts small and doubles while results it would still have
//! needed are pushed out, up to a bound; its results keep their memory when they are replaced, so that a steady flow
//! over many subjects does not allocate.

use super::changes::Stamp;
use super::{AccountId, Interest, Matched};
use crate::memory::copy::same;
use crate::wire::subject;

/// Results at the start.
const SLOTS_MIN: usize = 64;
/// Results at most.
pub(super) const SLOTS_MAX: usize = 16 * 1024;
/// Targets in all results together; past that the cache starts anew.
const TARGETS_MAX: usize = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct Slot {
    used: bool,
    account: AccountId,
    hash: u64,
    token_hash: u64,
    pub(super) stamp: Stamp,
    subject: Vec<u8>,
    matched: Matched,
}

impl Slot {
    #[inline]
    fn is(&self, account: AccountId, subject: &[u8]) -> bool {
        self.used && self.account == account && same(&self.subject, subject)
    }
}

/// Match results by account and subject.
#[derive(Debug)]
pub struct Cache {
    worker: u8,
    pub(super) slots: Vec<Slot>,
    evictions: usize,
    targets: usize,
}

impl Cache {
    /// An empty cache of the given worker.
    pub fn new(worker: u8) -> Self {
        Self { worker, slots: Vec::new(), evictions: 0, targets: 0 }
    }

    /// The result at a place that [`place`](Self::place) gave, until the next call of it.
    #[inline]
    pub fn matched(&self, place: u32) -> &Matched {
        &self.slots[place as usize].matched
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
        if self.slots.is_empty() || self.evictions > self.slots.len() {
            self.grow();
        }
        let first = Self::home(hash, account, self.slots.len());
        let second = first | 1;
        if !self.slots[first].is(account, subject) {
            self.slots.swap(first, second);
            if !self.slots[first].is(account, subject) {
                return self.fill(first, interest, account, subject, hash);
            }
        }
        let slot = &mut self.slots[first];
        if !interest.changes.is_quiet(&slot.stamp) {
            let stamp = interest.changes.stamp(hash, slot.token_hash);
            if !stamp.concerns_nothing_since(&slot.stamp) {
                return self.fill(first, interest, account, subject, hash);
            }
            slot.stamp = stamp;
        }
        first as u32
    }

    fn home(hash: u64, account: AccountId, slots: usize) -> usize {
        // The accounts of one subject are spread; the low bits of the hash are left to the index.
        ((hash >> 20) as usize ^ (account as usize).wrapping_mul(0x9e37)) & (slots - 1) & !1
    }

    fn fill(&mut self, at: usize, interest: &Interest, account: AccountId, subject: &[u8], hash: u64) -> u32 {
        let slot = &mut self.slots[at];
        self.evictions += usize::from(slot.used && !slot.is(account, subject));
        self.targets -= slot.matched.len();
        slot.used = true;
        slot.account = account;
        slot.hash = hash;
        slot.token_hash = interest.hash.of(subject::first_token(subject));
        slot.subject.clear();
        slot.subject.extend_from_slice(subject);
        slot.stamp = interest.changes.stamp(hash, slot.token_hash);
        interest.find(account, subject, self.worker, &mut slot.matched);
        self.targets += slot.matched.len();
        if self.targets > TARGETS_MAX {
            let kept = std::mem::take(&mut self.slots[at]);
            self.trim();
            self.grow();
            let at = Self::home(hash, account, self.slots.len());
            self.targets = kept.matched.len();
            self.slots[at] = kept;
            return at as u32;
        }
        at as u32
    }

    fn grow(&mut self) {
        self.evictions = 0;
        let count = (self.slots.len() * 2).clamp(SLOTS_MIN, SLOTS_MAX);
        if count == self.slots.len() {
            return;
        }
        let mut slots: Vec<Slot> = Vec::new();
        slots.resize_with(count, Slot::default);
        for slot in std::mem::replace(&mut self.slots, slots) {
            let at = Self::home(slot.hash, slot.account, count);
            let at = at | usize::from(self.slots[at].used);
            if slot.used {
                self.slots[at] = slot;
            }
        }
        self.targets = self.slots.iter().map(|slot| slot.matched.len()).sum();
    }

    /// Forgets everything and gives the memory back.
    pub fn trim(&mut self) {
        *self = Self::new(self.worker);
    }
}
