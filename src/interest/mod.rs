//! Who wants what: accounts, each with an index of its subscriptions, and each worker's cache of match results.
//!
//! The index is shared by all workers behind a read-write lock and names its subscriptions by [`Target`]s: which worker,
//! which of its subscriptions. A change bumps a few counters ([`Changes`]); a worker compares them with what it saw when
//! it cached a result, so one client's fresh inboxes do not disturb the results for other subjects.
//!
//! # Routes
//!
//! What peers want is in the same index: a [`Target`] can stand for a route, together with the origin (the cluster of leaf
//! nodes that wants it, if it is not for clients) and the weight of a queue group. So one search finds everyone, and a
//! remote subscription costs no more than its place in the index: about 85 bytes, and the subject if it is long.
//!
//! A [`Matched`] has each route once, however many of its peer's subscriptions match, and in a queue group each route with
//! its weight. What is done with it:
//!
//! - a client's message goes to all local plain subscriptions, and once to each route that has plain interest or from
//!   which a queue group's member was chosen. The names of those groups go along, and there one of the peer's own clients is
//!   chosen for each; a message without names is for plain subscriptions only;
//! - of a queue group one member of all servers is chosen by weight, with no preference for local ones. Leaf
//!   nodes behind routes are the last choice ([`Group::from`]);
//! - a message from a route is for local subscriptions only, but for a named group that has none here any more: then it goes to
//!   another route that has the group, marked as [`FORWARDED`](crate::wire::route::FORWARDED): for a member of the group alone,
//!   since plain subscriptions there have it from the publisher's server, and no further, so that it does not go to and
//!   fro. A server of another kind does not know the mark and would deliver it to plain subscriptions a second time; it is
//!   passed over if it has such;
//! - whether there is anybody for a request is what the publisher's server finds.
//!
//! **A route that goes** is struck from [`Routes`], which every search asks: that is at once. Its targets stay in the
//! indexes for a while, until they have been swept out in parts ([`remote::Sweep`]).
//!
//! **What we announce** is what the index says of our own clients, read through an [`Announcer`] for each route and account.
//! A worker that owns routes looks at [`Interest::changes_to_announce`] before it queues anything for them, a message from its own
//! client or from another worker's mail: if the number is another than before, it has its announcers speak first. The index
//! is changed before the mail of the worker that changed it is posted. So on each route a subscription stands before any later
//! message of the same client, such as the request whose reply it waits for. Nothing needs to be sent between workers
//! but a word that wakes those with routes.

mod accounts;
pub mod announce;
pub mod cache;
pub mod changes;
pub mod index;
pub mod links;
pub mod matched;
pub mod remote;
pub mod routes;
pub mod targets;
mod wild;

pub use announce::{Announcer, Progress, Wanted};
pub use cache::Cache;
pub use changes::Changes;
pub use index::{Index, NodeId, Stays, Tally, Walk};
pub use links::{Linked, View};
pub use matched::{Group, Matched, Shape};
pub use remote::Remote;
pub use routes::Routes;
pub use targets::Target;

use crate::wire::subject;
use accounts::Accounts;
use announce::Log;
use foldhash::fast::FixedState;
use links::Links;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

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
    /// What is to be announced of it. Always locked after the index.
    log: Mutex<Log>,
    /// Its mappings and imports, if it has any.
    links: RwLock<Option<Arc<Links>>>,
    /// It is among those with something to announce.
    is_listed: AtomicBool,
}

impl Account {
    fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The interest of all accounts.
#[derive(Debug)]
pub struct Interest {
    accounts: Accounts,
    changes: Changes,
    routes: Routes,
    /// Counts changes that were put into a log.
    logged: AtomicU32,
    /// The server answers requests itself.
    answers: AtomicBool,
    /// Some accounts have mappings or imports.
    is_linked: AtomicBool,
    /// Accounts in whose log there is something new.
    changed: Mutex<Vec<AccountId>>,
    hash: SubjectHash,
}

impl Interest {
    /// Only `$G`. The seed makes hash values unguessable for peers.
    pub fn new(seed: u64) -> Self {
        let hash = SubjectHash::new(seed);
        Self {
            accounts: Accounts::new(hash.clone()),
            changes: Changes::default(),
            routes: Routes::default(),
            logged: AtomicU32::new(0),
            answers: AtomicBool::new(false),
            is_linked: AtomicBool::new(false),
            changed: Mutex::default(),
            hash,
        }
    }

    /// The hash of subjects, seeded.
    pub fn subject_hash(&self) -> SubjectHash {
        self.hash.clone()
    }

    /// The account with this number.
    pub fn account(&self, id: AccountId) -> &Account {
        self.accounts.get(id)
    }

    /// How many accounts there are: those with lower numbers.
    pub fn account_count(&self) -> AccountId {
        self.accounts.count() as AccountId
    }

    /// The number of the account with this name, if there is one.
    pub fn find_account(&self, name: &str) -> Option<AccountId> {
        self.accounts.find(name)
    }

    /// The number of the account with this name, which is made if it is not there. None if there are too many.
    pub fn account_number(&self, name: &str) -> Option<AccountId> {
        let (id, is_new) = self.accounts.number(name)?;
        if is_new {
            // Nobody announces it yet, so its own changes would not tell anyone that it is there.
            self.list(id);
        }
        Some(id)
    }

    /// Adds a subscription. `queue` is empty for a plain one. The subject must be valid for SUB.
    pub fn insert(&self, account: AccountId, pattern: &[u8], queue: &[u8], target: Target) -> NodeId {
        let mut index = self.account(account).write();
        let node = index.insert(pattern, queue, target);
        self.note(pattern);
        self.log_change(account, &index, node, pattern, queue, 1);
        node
    }

    /// Takes away what [`insert`](Self::insert) with the same queue and target put at `node`.
    pub fn remove(&self, account: AccountId, node: NodeId, queue: &[u8], target: Target) {
        let mut index = self.account(account).write();
        let pattern = index.subject(node);
        index.remove(node, queue, target);
        self.note(&pattern);
        self.log_change(account, &index, node, &pattern, queue, 0);
    }

    /// Puts a change of what clients want into the log, if anybody reads that: of plain interest only if so many
    /// subscriptions are there now.
    fn log_change(&self, account: AccountId, index: &Index, node: NodeId, subject: &[u8], queue: &[u8], plain: usize) {
        let mut log = self.account(account).log();
        if !log.is_read() {
            return;
        }
        let locals = index.locals(node, queue);
        if queue.is_empty() && locals != plain {
            return;
        }
        log.push(&Wanted { subject, queue, weight: u32::try_from(locals).unwrap_or(u32::MAX) });
        self.list(account);
    }

    /// There is something to announce of an account.
    fn list(&self, account: AccountId) {
        if !self.account(account).is_listed.swap(true, Ordering::AcqRel) {
            self.changed.lock().unwrap_or_else(PoisonError::into_inner).push(account);
        }
        self.logged.fetch_add(1, Ordering::Release);
    }

    /// A number that is another one whenever announcers have something new to say.
    #[inline]
    pub fn changes_to_announce(&self) -> u32 {
        self.logged.load(Ordering::Acquire)
    }

    /// Appends the accounts of which there is something new to announce, each once. One worker asks, for all routes: a
    /// second one would not hear of what the first was told.
    pub fn take_accounts_to_announce(&self, out: &mut Vec<AccountId>) {
        let changed = std::mem::take(&mut *self.changed.lock().unwrap_or_else(PoisonError::into_inner));
        // Before their logs are read: what is logged from now on has them listed again.
        changed.iter().for_each(|&account| self.account(account).is_listed.store(false, Ordering::Release));
        out.extend(changed);
    }

    /// Begins to announce an account.
    pub fn start_announcing(&self, account: AccountId) -> Announcer {
        Announcer { reader: self.account(account).log().add_reader(), walk: Walk::START }
    }

    /// Says what is new, and looks at so many more places if it has not been at all of them yet.
    pub fn announce(
        &self,
        account: AccountId,
        announcer: &mut Announcer,
        places: usize,
        mut say: impl FnMut(&Wanted),
    ) -> Progress {
        let account = self.account(account);
        let index = account.read();
        if !account.log().read(announcer.reader, &mut say) {
            return Progress::Behind;
        }
        index.walk_locals(&mut announcer.walk, places, |subject, queue, count| {
            let members = u32::try_from(count).unwrap_or(u32::MAX);
            say(&Wanted { subject, queue, weight: if queue.is_empty() { 1 } else { members } });
        });
        if announcer.walk == Walk::Done { Progress::Done } else { Progress::More }
    }

    /// Ends it.
    pub fn stop_announcing(&self, account: AccountId, announcer: Announcer) {
        self.account(account).log().remove_reader(announcer.reader);
    }

    /// A new route of a worker; None if there are too many.
    pub fn open_route(&self, worker: u8) -> Option<Target> {
        self.routes.open(worker)
    }

    /// The route is gone: no search finds it any more.
    fn close_route(&self, route: Target) {
        self.routes.close(route);
        self.changes.everything();
    }

    /// True until the route is gone.
    #[inline]
    pub fn is_live(&self, route: Target) -> bool {
        self.routes.is_live(route)
    }

    /// Sets what a route wants. Returns how much more that is than before, 0 or 1; None if it would be and `may_add` is
    /// not set.
    fn set_route(
        &self,
        account: AccountId,
        pattern: &[u8],
        queue: &[u8],
        target: Target,
        may_add: bool,
    ) -> Option<usize> {
        let mut index = self.account(account).write();
        let before = index.count();
        if !may_add && index.route_weight(pattern, queue, target).is_none() {
            return None;
        }
        if index.set_route(pattern, queue, target) {
            self.note(pattern);
        }
        Some(index.count() - before)
    }

    /// Takes away what a route wants, with any weight. False if it was not there.
    fn unset_route(&self, account: AccountId, pattern: &[u8], queue: &[u8], target: Target) -> bool {
        let mut index = self.account(account).write();
        let found = index.unset_route(pattern, queue, target);
        if found {
            self.note(pattern);
        }
        found
    }

    /// Takes what a route that is gone wanted away from the next places of a walk.
    fn sweep(&self, account: AccountId, route: Target, walk: &mut Walk, places: usize) {
        self.account(account).write().sweep(route, walk, places, None);
    }

    /// Takes what a route may want no longer away from the next places of a walk; returns how much that was.
    fn prune(&self, account: AccountId, route: Target, walk: &mut Walk, places: usize, stays: Stays) -> usize {
        let pruned = self.account(account).write().sweep(route, walk, places, Some(stays));
        if pruned > 0 {
            self.changes.everything();
        }
        pruned
    }

    /// Visits what the peer of a route wants of an account at the next places of a walk.
    pub fn walk_route(
        &self,
        account: AccountId,
        route: Target,
        walk: &mut Walk,
        places: usize,
        visit: impl FnMut(&[u8], &[u8]),
    ) {
        self.account(account).read().walk_route(route, walk, places, visit);
    }

    /// All that a message published to `subject` is for, as seen by `worker`. `hash` is the subject's, and the account may
    /// come with a [`View`]. Returns what the search cost, in bytes of output that take about as long.
    pub fn find(&self, account: AccountId, subject: &[u8], hash: u64, worker: u8, out: &mut Matched) -> usize {
        if (self.is_linked.load(Ordering::Acquire) || subject.starts_with(b"$"))
            && View::from(account) != View::Alone
            && let Some(cost) = self.find_linked(account, subject, worker, out)
        {
            return cost;
        }
        let index = self.account(account).read();
        let mut nodes = 0;
        let targets = out.fill(worker, &self.routes, |visit| nodes = index.find(subject, hash, visit));
        nodes * NODE_COST + targets * TARGET_COST
    }

    /// Subscriptions of an account.
    pub fn count(&self, account: AccountId) -> usize {
        self.account(account).read().count()
    }

    /// The subject or pattern of a subscription that is there.
    pub fn subject(&self, account: AccountId, node: NodeId) -> Vec<u8> {
        self.account(account).read().subject(node)
    }

    /// How the subscriptions of an account came and went.
    pub fn tally(&self, account: AccountId) -> Tally {
        self.account(account).read().tally()
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
mod links_tests;
#[cfg(test)]
mod route_tests;
#[cfg(test)]
mod tests;
