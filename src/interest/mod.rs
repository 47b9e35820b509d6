//! Who wants what: accounts, each with an index of its subscriptions, and each worker's cache of match results.
//!
//! The index is shared by all workers behind a read-write lock and names its subscriptions by [`Target`]s: which worker,
//! which of its subscriptions. A change bumps a few counters ([`Changes`]); a worker compares them with what it saw when
//! it cached a result, so one client's fresh inboxes do not disturb the results for other subjects.

mod accounts;
pub mod cache;
pub mod changes;
pub mod index;
pub mod matched;
pub mod targets;
mod wild;

pub use cache::Cache;
pub use changes::Changes;
pub use index::{Index, NodeId, Tally};
pub use matched::{Group, Matched, Shape};
pub use targets::Target;

use crate::wire::subject;
use accounts::Accounts;
use foldhash::fast::FixedState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError, RwLock};

/// An account's number.
pub type AccountId = u32;

/// The account of clients that name none.
pub const GLOBAL_ACCOUNT: AccountId = 0;

/// What a trie node and a target found cost, in bytes of output that take about as long.
const NODE_COST: usize = 32;
const TARGET_COST: usize = 8;

/// One separate subject space.
#[derive(Debug)]
pub struct Account {
    /// Its name, as clients are told it.
    pub name: Arc<str>,
    /// Its clients, of all workers.
    pub connections: AtomicUsize,
    index: RwLock<Index>,
}

/// The interest of all accounts.
#[derive(Debug)]
pub struct Interest {
    accounts: Accounts,
    changes: Changes,
    hash: SubjectHash,
}

impl Interest {
    /// Only `$G`. The seed makes hash values unguessable for peers.
    pub fn new(seed: u64) -> Self {
        let hash = SubjectHash::new(seed);
        Self { accounts: Accounts::new(hash.clone()), changes: Changes::default(), hash }
    }

    /// The hash of subjects, seeded.
    pub fn subject_hash(&self) -> SubjectHash {
        self.hash.clone()
    }

    /// The account with this number.
    pub fn account(&self, id: AccountId) -> &Account {
        self.accounts.get(id)
    }

    /// The number of the account with this name, which is made if it is not there. None if there are too many.
    pub fn account_number(&self, name: &str) -> Option<AccountId> {
        self.accounts.number(name)
    }

    /// Adds a subscription. `queue` is empty for a plain one. The subject must be valid for SUB.
    pub fn insert(&self, account: AccountId, pattern: &[u8], queue: &[u8], target: Target) -> NodeId {
        let mut index = self.account(account).index.write().unwrap_or_else(PoisonError::into_inner);
        let node = index.insert(pattern, queue, target);
        self.note(pattern);
        node
    }

    /// Takes away what [`insert`](Self::insert) with the same queue and target put at `node`.
    pub fn remove(&self, account: AccountId, node: NodeId, queue: &[u8], target: Target) {
        let mut index = self.account(account).index.write().unwrap_or_else(PoisonError::into_inner);
        let pattern = index.subject(node);
        index.remove(node, queue, target);
        self.note(&pattern);
    }

    /// The pattern of a subscription that is at `node`.
    pub fn pattern(&self, account: AccountId, node: NodeId) -> Vec<u8> {
        self.account(account).index.read().unwrap_or_else(PoisonError::into_inner).subject(node)
    }

    /// All that a message published to `subject` is for, as seen by `worker`. `hash` is the subject's. Returns what the
    /// search cost, in bytes of output that take about as long.
    pub fn find(&self, account: AccountId, subject: &[u8], hash: u64, worker: u8, out: &mut Matched) -> usize {
        let index = self.account(account).index.read().unwrap_or_else(PoisonError::into_inner);
        let mut nodes = 0;
        let targets = out.fill(worker, |visit| nodes = index.find(subject, hash, visit));
        nodes * NODE_COST + targets * TARGET_COST
    }

    /// Subscriptions of an account.
    pub fn count(&self, account: AccountId) -> usize {
        self.account(account).index.read().unwrap_or_else(PoisonError::into_inner).count()
    }

    /// The subject or pattern of a subscription that is there.
    pub fn subject(&self, account: AccountId, node: NodeId) -> Vec<u8> {
        self.account(account).index.read().unwrap_or_else(PoisonError::into_inner).subject(node)
    }

    /// How the subscriptions of an account came and went.
    pub fn tally(&self, account: AccountId) -> Tally {
        self.account(account).index.read().unwrap_or_else(PoisonError::into_inner).tally()
    }

    /// Every account there is now, in the order of their numbers.
    pub fn accounts(&self) -> impl Iterator<Item = (AccountId, &Account)> {
        self.accounts.iter()
    }

    /// Called with the index still locked, so that who sees the counters sees the index too.
    fn note(&self, pattern: &[u8]) {
        if !subject::has_wildcard(pattern) {
            self.changes.literal(self.hash.of(pattern));
        } else {
            match subject::first_token(pattern) {
                b"*" | b">" => self.changes.everything(),
                token => self.changes.below(self.hash.of(token)),
            }
        }
    }
}

/// The one hash of subjects and tokens.
#[derive(Debug, Clone)]
pub struct SubjectHash(FixedState);

impl SubjectHash {
    /// A hash that another seed does not predict.
    pub fn new(seed: u64) -> Self {
        Self(FixedState::with_seed(seed))
    }

    /// The hash of a subject or token.
    #[inline]
    pub fn of(&self, bytes: &[u8]) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write(bytes);
        hasher.finish()
    }

    /// The hash of a token below a certain node.
    fn of_child(&self, parent: u32, token: &[u8]) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write_u32(parent);
        hasher.write(token);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests;
