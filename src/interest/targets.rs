//! The subscriptions at one place of the index.

use crate::memory::Text;
use std::collections::{BTreeMap, BTreeSet};

/// One who wants something. A subscription of a client: the worker that has it, its slot there, and the slot's generation,
/// so that a message under way to a subscription that has ended is not given to the next one in its slot. Or a route:
/// the worker that has the connection, the connection's number, and of what its peer announced the origin and weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Generation or number above, worker in the lowest 8 bits. Routes come after all subscriptions, and what one route
    /// wants is together.
    tag: u32,
    /// The slot in the worker's table of subscriptions; of a route the origin above, the weight below.
    pub slot: u32,
}

/// Generations, and numbers of routes, count up to this, then start again.
pub const GENERATION_MAX: u32 = (1 << 23) - 1;

/// Set in the tag of a route.
const ROUTE: u32 = 1 << 31;

/// Bits of a weight.
const WEIGHT_BITS: u32 = 20;
/// The largest weight that is kept; larger ones count as this.
pub const WEIGHT_MAX: u32 = (1 << WEIGHT_BITS) - 1;
/// The largest number of an origin.
pub const ORIGIN_MAX: u32 = (1 << (32 - WEIGHT_BITS)) - 1;

impl Target {
    /// The subscription in `slot` of `worker`, in its `generation`'s use.
    pub fn new(worker: u8, slot: u32, generation: u32) -> Self {
        debug_assert!(generation <= GENERATION_MAX);
        Self { slot, tag: generation << 8 | u32::from(worker) }
    }

    /// What the peer of a route of `worker` wants for leaf nodes with this origin, 0 for its own clients. The weight is
    /// that of a queue group, 0 without one.
    pub fn route(worker: u8, number: u32, origin: u32, weight: u32) -> Self {
        debug_assert!(number <= GENERATION_MAX && origin <= ORIGIN_MAX);
        let slot = origin << WEIGHT_BITS | weight.min(WEIGHT_MAX);
        Self { slot, tag: ROUTE | number << 8 | u32::from(worker) }
    }

    /// The worker that has the subscription or route.
    #[inline]
    pub fn worker(self) -> u8 {
        self.tag as u8
    }

    /// The slot's generation, or the route's number.
    #[inline]
    pub fn generation(self) -> u32 {
        self.tag << 1 >> 9
    }

    /// True for a route.
    #[inline]
    pub fn is_route(self) -> bool {
        self.tag & ROUTE != 0
    }

    /// True if it is a route that wants it for leaf nodes.
    pub fn is_leaf(self) -> bool {
        self.is_route() && self.slot > WEIGHT_MAX
    }

    /// How many members of a queue group it stands for.
    #[inline]
    pub fn weight(self) -> u32 {
        if self.is_route() { self.slot & WEIGHT_MAX } else { 1 }
    }

    /// The same route whatever its peer wants.
    pub fn only_route(self) -> Self {
        Self { slot: 0, ..self }
    }

    /// The first and the last target of the same route and origin.
    fn around(self) -> (Self, Self) {
        (Self { slot: self.slot & !WEIGHT_MAX, ..self }, Self { slot: self.slot | WEIGHT_MAX, ..self })
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

    /// What is there of the same route and origin, whatever its weight.
    pub fn same_route(&self, target: Target) -> Option<Target> {
        let (first, last) = target.around();
        let is_it = |other: &Target| (first..=last).contains(other);
        match self {
            Self::Empty => None,
            Self::One(only) => Some(*only).filter(is_it),
            Self::Few(few) => few.iter().copied().find(is_it),
            Self::Many(many) => many.range(first..=last).next().copied(),
        }
    }

    /// True if there is anything of one route.
    pub fn has_route(&self, route: Target) -> bool {
        let (first, last) = (route.only_route(), Target { slot: u32::MAX, ..route });
        let is_its = |target: &Target| (first..=last).contains(target);
        match self {
            Self::Empty => false,
            Self::One(only) => is_its(only),
            Self::Few(few) => few.iter().any(is_its),
            Self::Many(many) => many.range(first..=last).next().is_some(),
        }
    }

    /// Those that are no routes.
    pub fn locals(&self) -> usize {
        let first_route = Target { tag: ROUTE, slot: 0 };
        match self {
            Self::Empty => 0,
            Self::One(only) => usize::from(!only.is_route()),
            Self::Few(few) => few.iter().filter(|target| !target.is_route()).count(),
            Self::Many(many) => many.len() - many.range(first_route..).count(),
        }
    }

    /// Takes away all that one route wants; returns how many that were.
    pub fn remove_route(&mut self, route: Target) -> usize {
        let (first, last) = (route.only_route(), Target { slot: u32::MAX, ..route });
        let is_its = |target: &Target| (first..=last).contains(target);
        let found: Vec<Target> = match self {
            Self::Empty => Vec::new(),
            Self::One(only) => Some(*only).into_iter().filter(is_its).collect(),
            Self::Few(few) => few.iter().copied().filter(is_its).collect(),
            Self::Many(many) => many.range(first..=last).copied().collect(),
        };
        found.iter().for_each(|target| _ = self.remove(*target));
        found.len()
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

/// The queue groups at one place; nearly all have one.
#[derive(Debug)]
pub enum Queues {
    /// Just one.
    One(Text<22>, Targets),
    /// Several, or there were.
    Many(BTreeMap<Box<[u8]>, Targets>),
}

impl Queues {
    /// Name and members of each.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Targets)> {
        let (one, many) = match self {
            Self::One(name, members) => (Some((name.bytes(), members)), None),
            Self::Many(all) => (None, Some(all.iter().map(|(name, members)| (&name[..], members)))),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    fn get_mut(&mut self, queue: &[u8]) -> Option<&mut Targets> {
        match self {
            Self::One(name, members) => (name.bytes() == queue).then_some(members),
            Self::Many(all) => all.get_mut(queue),
        }
    }

    /// Drops the groups without members; true if none is left.
    fn drop_empty(&mut self) -> bool {
        match self {
            Self::One(_, members) => members.is_empty(),
            Self::Many(all) => {
                all.retain(|_, members| !members.is_empty());
                all.is_empty()
            }
        }
    }
}

/// All subscriptions to one subject or pattern.
#[derive(Debug, Default)]
pub struct Entry {
    /// Those without a queue group.
    pub plain: Targets,
    /// Members by queue group.
    pub queues: Option<Box<Queues>>,
}

impl Entry {
    /// The targets without a queue group, or those of one.
    pub fn targets(&self, queue: &[u8]) -> Option<&Targets> {
        if queue.is_empty() {
            return Some(&self.plain);
        }
        match &**self.queues.as_ref()? {
            Queues::One(name, members) => (name.bytes() == queue).then_some(members),
            Queues::Many(all) => all.get(queue),
        }
    }

    /// Adds a target, to a queue group unless `queue` is empty.
    pub fn insert(&mut self, queue: &[u8], target: Target) {
        if queue.is_empty() {
            return self.plain.insert(target);
        }
        let Some(queues) = &mut self.queues else {
            self.queues = Some(Box::new(Queues::One(Text::new(queue), Targets::One(target))));
            return;
        };
        if let Some(members) = queues.get_mut(queue) {
            return members.insert(target);
        }
        if let Queues::One(name, members) = &mut **queues {
            let first = (name.bytes().into(), std::mem::take(members));
            **queues = Queues::Many(BTreeMap::from([first]));
        }
        if let Queues::Many(all) = &mut **queues {
            all.insert(queue.into(), Targets::One(target));
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
            match &mut **queues {
                Queues::One(..) => self.queues = None,
                Queues::Many(all) => {
                    all.remove(queue);
                    if all.is_empty() {
                        self.queues = None;
                    }
                }
            }
        }
        found
    }

    /// Takes away all that one route wants; returns how many that were.
    pub fn remove_route(&mut self, route: Target) -> usize {
        let mut removed = self.plain.remove_route(route);
        let Some(queues) = &mut self.queues else { return removed };
        match &mut **queues {
            Queues::One(_, members) => removed += members.remove_route(route),
            Queues::Many(all) => {
                removed += all.values_mut().map(|members| members.remove_route(route)).sum::<usize>();
            }
        }
        if queues.drop_empty() {
            self.queues = None;
        }
        removed
    }

    /// True if nothing is left.
    pub fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.queues.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a remote subscription costs besides its place in two tables.
    #[test]
    fn entries_are_small() {
        assert_eq!((size_of::<Target>(), size_of::<Targets>(), size_of::<Entry>()), (8, 16, 24));
        assert!(size_of::<Queues>() <= 48);
    }
}
