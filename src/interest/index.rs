//! The index of one account: a table of literal subjects, and a trie of those with wildcards.
//!
//! Most subscriptions name one subject. Keeping these in a flat table makes finding them one probe and a subscription
//! about half the memory of a path of trie nodes.

use super::SubjectHash;
use super::targets::{Entry, Target, Targets};
use super::wild::Wild;
use crate::memory::copy::same;
use crate::memory::{Table, Text};
use crate::wire::subject;
use slab::Slab;

/// A place in an index: valid while a subscription is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeId(u32);

/// Set in the id of a trie node.
const WILD: u32 = 1 << 31;

/// Slabs smaller than this are not shrunk.
const SHRINK_MIN: usize = 1024;

/// Subscriptions that are and were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many there are.
    pub count: usize,
    /// How many came.
    pub inserts: u64,
    /// How many went.
    pub removes: u64,
}

/// Whether interest in a subject stays.
pub type Stays<'a> = &'a dyn Fn(&[u8]) -> bool;

/// A walk over all places of an index, in parts, while it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// Literal subjects from this one on are to come, then the patterns.
    Literals(u32),
    /// Patterns from this one on are to come.
    Patterns(u32),
    /// It is over.
    Done,
}

impl Walk {
    /// A walk that has not begun.
    pub const START: Self = Self::Literals(0);

    /// The next place, which may be free.
    fn next(&mut self, index: &Index) -> Option<NodeId> {
        if let Self::Literals(at) = *self {
            if (at as usize) < index.literals.capacity() {
                *self = Self::Literals(at + 1);
                return Some(NodeId(at));
            }
            *self = Self::Patterns(0);
        }
        if let Self::Patterns(at) = *self {
            if (at as usize) < index.wild.capacity() {
                *self = Self::Patterns(at + 1);
                return Some(NodeId(at | WILD));
            }
            *self = Self::Done;
        }
        None
    }
}

#[derive(Debug)]
struct Literal {
    subject: Text<22>,
    entry: Entry,
}

/// The subscriptions of one account.
#[derive(Debug)]
pub struct Index {
    literals: Slab<Literal>,
    by_subject: Table,
    wild: Wild,
    tally: Tally,
    /// Literals removed since the slab was shrunk last.
    removed: usize,
    hash: SubjectHash,
}

impl Index {
    /// An empty one.
    pub fn new(hash: SubjectHash) -> Self {
        Self {
            literals: Slab::new(),
            by_subject: Table::default(),
            wild: Wild::new(hash.clone()),
            tally: Tally::default(),
            removed: 0,
            hash,
        }
    }

    /// Subscriptions.
    pub fn count(&self) -> usize {
        self.tally.count
    }

    /// How they came and went.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Literal subjects there is room for.
    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.literals.capacity()
    }

    /// Adds a subscription; `queue` is empty for a plain one.
    pub fn insert(&mut self, pattern: &[u8], queue: &[u8], target: Target) -> NodeId {
        self.tally.count += 1;
        self.tally.inserts += 1;
        if subject::has_wildcard(pattern) {
            return NodeId(self.wild.insert(pattern, queue, target) | WILD);
        }
        let Self { literals, by_subject, hash, .. } = self;
        let key = hash.of(pattern);
        let at = match by_subject.find(key, |at| literals[at as usize].subject.bytes() == pattern) {
            Some(at) => at,
            None => {
                let at = literals.insert(Literal { subject: Text::new(pattern), entry: Entry::default() }) as u32;
                by_subject.insert(key, at);
                at
            }
        };
        literals[at as usize].entry.insert(queue, target);
        NodeId(at)
    }

    /// Takes a subscription away, and its place if it was the last there.
    pub fn remove(&mut self, node: NodeId, queue: &[u8], target: Target) {
        let found = match node.0 & WILD {
            0 => self.remove_literal(node.0, queue, target),
            _ => self.wild.remove(node.0 & !WILD, queue, target),
        };
        debug_assert!(found, "a subscription is removed once");
        self.removed(usize::from(found));
    }

    /// Counts what was removed, and gives memory back when nothing is left.
    fn removed(&mut self, count: usize) {
        self.tally.count -= count;
        self.tally.removes += count as u64;
        if self.tally.count == 0 && count > 0 {
            *self = Self { tally: self.tally, ..Self::new(self.hash.clone()) };
        }
    }

    fn remove_literal(&mut self, at: u32, queue: &[u8], target: Target) -> bool {
        let found = self.literals[at as usize].entry.remove(queue, target);
        self.drop_literal_if_empty(at);
        found
    }

    fn drop_literal_if_empty(&mut self, at: u32) {
        let Self { literals, by_subject, hash, removed, .. } = self;
        let literal = &literals[at as usize];
        if literal.entry.is_empty() {
            by_subject.remove(hash.of(literal.subject.bytes()), at);
            literals.remove(at as usize);
            *removed += 1;
            // Shrinking walks over all slots and may find the last ones in use, so it has to be earned by removals.
            let slots = literals.capacity();
            if slots > SHRINK_MIN && literals.len() < slots / 8 && *removed > slots / 8 {
                literals.shrink_to_fit();
                *removed = 0;
            }
        }
    }

    /// The place of a subject or pattern, if there is one.
    fn place(&self, pattern: &[u8]) -> Option<NodeId> {
        if subject::has_wildcard(pattern) {
            return self.wild.node(pattern).map(|at| NodeId(at | WILD));
        }
        let is_it = |at: u32| self.literals[at as usize].subject.bytes() == pattern;
        self.by_subject.find(self.hash.of(pattern), is_it).map(NodeId)
    }

    /// What is at a place, if it is one.
    fn entry(&self, node: NodeId) -> Option<&Entry> {
        match node.0 & WILD {
            0 => self.literals.get(node.0 as usize).map(|literal| &literal.entry),
            _ => self.wild.entry(node.0 & !WILD),
        }
    }

    /// Subscriptions of clients at a place, in a queue group or in none.
    pub fn locals(&self, node: NodeId, queue: &[u8]) -> usize {
        self.entry(node).and_then(|entry| entry.targets(queue)).map_or(0, Targets::locals)
    }

    /// The weight with which a route wants something.
    pub fn route_weight(&self, pattern: &[u8], queue: &[u8], target: Target) -> Option<u32> {
        let targets = self.entry(self.place(pattern)?)?.targets(queue)?;
        targets.same_route(target).map(Target::weight)
    }

    /// Sets what a route wants: false if it wanted just that already.
    pub fn set_route(&mut self, pattern: &[u8], queue: &[u8], target: Target) -> bool {
        let place = self.place(pattern);
        let targets = place.and_then(|place| self.entry(place)).and_then(|entry| entry.targets(queue));
        let before = targets.and_then(|targets| targets.same_route(target));
        if before == Some(target) {
            return false;
        }
        self.insert(pattern, queue, target);
        if let (Some(place), Some(before)) = (place, before) {
            self.remove(place, queue, before);
        }
        true
    }

    /// Takes away what a route wants with any weight: false if it did not want it.
    pub fn unset_route(&mut self, pattern: &[u8], queue: &[u8], target: Target) -> bool {
        let Some(place) = self.place(pattern) else { return false };
        let targets = self.entry(place).and_then(|entry| entry.targets(queue));
        let Some(before) = targets.and_then(|targets| targets.same_route(target)) else { return false };
        self.remove(place, queue, before);
        true
    }

    /// Takes away what a route wants at the next places of a walk, but for subjects that stay; returns how much that was.
    pub fn sweep(&mut self, route: Target, walk: &mut Walk, places: usize, stays: Option<Stays>) -> usize {
        let mut swept = 0;
        for _ in 0..places {
            let Some(node) = walk.next(self) else { break };
            if let Some(stays) = stays
                && self.entry(node).is_some()
                && stays(&self.subject(node))
            {
                continue;
            }
            swept += match node.0 & WILD {
                0 => match self.literals.get_mut(node.0 as usize) {
                    Some(literal) => {
                        let removed = literal.entry.remove_route(route);
                        self.drop_literal_if_empty(node.0);
                        removed
                    }
                    None => 0,
                },
                _ => self.wild.remove_route(node.0 & !WILD, route),
            };
        }
        self.removed(swept);
        swept
    }

    /// Visits what clients want at the next places of a walk: subject, queue group or nothing, and how many members.
    pub fn walk_locals(&self, walk: &mut Walk, places: usize, mut visit: impl FnMut(&[u8], &[u8], usize)) {
        for _ in 0..places {
            let Some(node) = walk.next(self) else { break };
            let Some(entry) = self.entry(node) else { continue };
            let queues = entry.queues.iter().flat_map(|queues| queues.iter());
            let all = std::iter::once((&b""[..], &entry.plain)).chain(queues);
            let mut wanted =
                all.map(|(queue, targets)| (queue, targets.locals())).filter(|&(_, count)| count > 0).peekable();
            if wanted.peek().is_some() {
                let subject = self.subject(node);
                wanted.for_each(|(queue, count)| visit(&subject, queue, count));
            }
        }
    }

    /// Visits what the peer of a route wants at the next places of a walk: subject, and queue group or nothing.
    pub fn walk_route(&self, route: Target, walk: &mut Walk, places: usize, mut visit: impl FnMut(&[u8], &[u8])) {
        for _ in 0..places {
            let Some(node) = walk.next(self) else { break };
            let Some(entry) = self.entry(node) else { continue };
            let queues = entry.queues.iter().flat_map(|queues| queues.iter());
            let all = std::iter::once((&b""[..], &entry.plain)).chain(queues);
            let wanted = all.filter(|(_, targets)| targets.has_route(route)).map(|(queue, _)| queue);
            wanted.for_each(|queue| visit(&self.subject(node), queue));
        }
    }

    /// The subject or pattern of a place.
    pub fn subject(&self, node: NodeId) -> Vec<u8> {
        match node.0 & WILD {
            0 => self.literals[node.0 as usize].subject.bytes().to_vec(),
            _ => self.wild.pattern(node.0 & !WILD),
        }
    }

    /// Visits every place that a message published to `subject` is for. `key` is the subject's hash. Returns how many
    /// places of the trie it looked at.
    pub fn find<'a>(&'a self, subject: &[u8], key: u64, visit: &mut dyn FnMut(&'a Entry)) -> usize {
        if let Some(at) = self.by_subject.find(key, |at| same(self.literals[at as usize].subject.bytes(), subject)) {
            visit(&self.literals[at as usize].entry);
        }
        if self.wild.is_empty() || !subject::is_well_formed(subject) {
            return 0;
        }
        self.wild.find(subject, visit)
    }
}
