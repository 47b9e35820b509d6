//! The index of one account: a table of literal subjects, and a trie of those with wildcards.
//!
//! Most subscriptions name one subject. Keeping these in a flat table makes finding them one probe and a subscription
//! about half the memory of a path of trie nodes.

use super::SubjectHash;
use super::targets::{Entry, Target};
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
        self.tally.count -= usize::from(found);
        self.tally.removes += u64::from(found);
        if self.tally.count == 0 {
            *self = Self { tally: self.tally, ..Self::new(self.hash.clone()) };
        }
    }

    fn remove_literal(&mut self, at: u32, queue: &[u8], target: Target) -> bool {
        let Self { literals, by_subject, hash, removed, .. } = self;
        let literal = &mut literals[at as usize];
        let found = literal.entry.remove(queue, target);
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
        found
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
