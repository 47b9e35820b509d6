//! Counters by which a worker sees whether a match result it keeps may have changed.
//!
//! A change of a literal subscription bumps the counter its subject's hash falls on, one of a pattern the counter of its
//! first token, and one of a pattern that starts with a wildcard the counter for everything. Two subjects on one counter
//! cost a needless look into the index, never a wrong result. 32-bit counters suffice: a result would have to be
//! kept over exactly 2^32 changes to be taken for fresh.

use std::sync::atomic::{AtomicU32, Ordering};

const LITERALS: usize = 4096;
const TOKENS: usize = 256;

/// The counters of all accounts.
#[derive(Debug)]
pub struct Changes {
    any: AtomicU32,
    everything: AtomicU32,
    literals: Box<[AtomicU32]>,
    tokens: Box<[AtomicU32]>,
}

/// What the counters were for one subject.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamp {
    any: u32,
    everything: u32,
    literal: u32,
    token: u32,
}

impl Default for Changes {
    fn default() -> Self {
        let zeros = |count| (0..count).map(|_| AtomicU32::new(0)).collect();
        Self { any: AtomicU32::new(0), everything: AtomicU32::new(0), literals: zeros(LITERALS), tokens: zeros(TOKENS) }
    }
}

impl Changes {
    /// A literal subject's subscriptions changed.
    pub fn literal(&self, hash: u64) {
        self.bump(&self.literals[hash as usize % LITERALS]);
    }

    /// Those of a pattern whose first token has this hash.
    pub fn below(&self, hash: u64) {
        self.bump(&self.tokens[hash as usize % TOKENS]);
    }

    /// Those of a pattern that any subject may match.
    pub fn everything(&self) {
        self.bump(&self.everything);
    }

    fn bump(&self, counter: &AtomicU32) {
        counter.fetch_add(1, Ordering::Release);
        self.any.fetch_add(1, Ordering::Release);
    }

    /// The counters for a subject and its first token. To be read before the index is.
    pub fn stamp(&self, subject_hash: u64, token_hash: u64) -> Stamp {
        Stamp {
            any: self.any.load(Ordering::Acquire),
            everything: self.everything.load(Ordering::Acquire),
            literal: self.literals[subject_hash as usize % LITERALS].load(Ordering::Acquire),
            token: self.tokens[token_hash as usize % TOKENS].load(Ordering::Acquire),
        }
    }

    /// True if nothing at all changed since the stamp.
    #[inline]
    pub fn is_quiet(&self, stamp: &Stamp) -> bool {
        self.any.load(Ordering::Acquire) == stamp.any
    }
}

impl Stamp {
    /// True if nothing that concerns the subject changed between the two.
    pub fn concerns_nothing_since(&self, before: &Stamp) -> bool {
        Stamp { any: 0, ..*self } == Stamp { any: 0, ..*before }
    }
}
