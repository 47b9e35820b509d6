//! The subscriptions at one place of the index.

use std::collections::{BTreeMap, BTreeSet};

/// One subscription: the worker that has it, its slot there, and the slot's generation, so that a message under way to a
/// subscription that has ended is not given to the next one in its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The slot in the worker's table of subscriptions.
    pub slot: u32,
    /// Generation above, worker in the lowest 8 bits.
    tag: u32,
}

/// Generations count up to this, then start again.
pub const GENERATION_MAX: u32 = (1 << 24) - 1;

impl Target {
    /// The subscription in `slot` of `worker`, in its `generation`'s use.
    pub fn new(worker: u8, slot: u32, generation: u32) -> Self {
        debug_assert!(generation <= GENERATION_MAX);
        Self { slot, tag: generation << 8 | u32::from(worker) }
    }

    /// The worker that has the subscription.
    #[inline]
    pub fn worker(self) -> u8 {
        self.tag as u8
    }

    /// The slot's generation.
    #[inline]
    pub fn generation(self) -> u32 {
        self.tag >> 8
    }

    /// As eight bytes, for a message between workers.
    pub fn to_bytes(self) -> [u8; 8] {
        (u64::from(self.tag) << 32 | u64::from(self.slot)).to_le_bytes()
    }

    /// What [`to_bytes`](Self::to_bytes) gave.
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        let both = u64::from_le_bytes(bytes);
        Self { slot: both as u32, tag: (both >> 32) as u32 }
    }
}

/// Past this many targets a sorted tree takes over, so that removing one of a million stays cheap.
const FEW_MAX: usize = 64;

/// A set of targets; most sets have one.
#[derive(Debug, Default)]
#[allow(clippy::box_collection)] // halves the size of the sets with one target, which are nearly all
pub enum Targets {
    /// None at all.
    #[default]
    Empty,
    /// Just one.
    One(Target),
    /// Up to `FEW_MAX`, in no order.
    Few(Box<Vec<Target>>),
    /// Any number.
    Many(Box<BTreeSet<Target>>),
}

impl Targets {
    /// Adds one that is not there yet.
    pub fn insert(&mut self, target: Target) {
        match self {
            Self::Empty => *self = Self::One(target),
            Self::One(first) => *self = Self::Few(Box::new(vec![*first, target])),
            Self::Few(few) if few.len() < FEW_MAX => few.push(target),
            Self::Few(few) => {
                let mut many: BTreeSet<_> = few.iter().copied().collect();
                many.insert(target);
                *self = Self::Many(Box::new(many));
            }
            Self::Many(many) => _ = many.insert(target),
        }
    }

    /// Takes one away; false if it was not there.
    pub fn remove(&mut self, target: Target) -> bool {
        match self {
            Self::Empty => false,
            Self::One(only) => {
                let found = *only == target;
                if found {
                    *self = Self::Empty;
                }
                found
            }
            Self::Few(few) => {
                let Some(at) = few.iter().position(|&other| other == target) else { return false };
                few.swap_remove(at);
                if let [last] = few[..] {
                    *self = Self::One(last);
                }
                true
            }
            Self::Many(many) => {
                let found = many.remove(&target);
                if many.len() <= FEW_MAX / 2 {
                    *self = Self::Few(Box::new(many.iter().copied().collect()));
                }
                found
            }
        }
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Appends all to `out`.
    pub fn each(&self, mut visit: impl FnMut(Target)) {
        match self {
            Self::Empty => {}
            Self::One(only) => visit(*only),
            Self::Few(few) => few.iter().copied().for_each(visit),
            Self::Many(many) => many.iter().copied().for_each(&mut visit),
        }
    }
}

/// All subscriptions to one subject or pattern.
#[derive(Debug, Default)]
pub struct Entry {
    /// Those without a queue group.
    pub plain: Targets,
    /// Members by queue group.
    pub queues: Option<Box<BTreeMap<Box<[u8]>, Targets>>>,
}

impl Entry {
    /// Adds a target, to a queue group unless `queue` is empty.
    pub fn insert(&mut self, queue: &[u8], target: Target) {
        if queue.is_empty() {
            return self.plain.insert(target);
        }
        let queues = self.queues.get_or_insert_default();
        match queues.get_mut(queue) {
            Some(members) => members.insert(target),
            None => _ = queues.insert(queue.into(), Targets::One(target)),
        }
    }

    /// Takes a target away; false if it was not there.
    pub fn remove(&mut self, queue: &[u8], target: Target) -> bool {
        if queue.is_empty() {
            return self.plain.remove(target);
        }
        let Some(queues) = &mut self.queues else { return false };
        let Some(members) = queues.get_mut(queue) else { return false };
        let found = members.remove(target);
        if members.is_empty() {
            queues.remove(queue);
            if queues.is_empty() {
                self.queues = None;
            }
        }
        found
    }

    /// True if nothing is left.
    pub fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.queues.is_none()
    }
}
