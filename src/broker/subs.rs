//! The subscriptions of one worker's connections.

use crate::interest::targets::GENERATION_MAX;
use crate::interest::{NodeId, SubjectHash, Target};
use crate::memory::{Table, Text};
use slab::Slab;

/// Bytes of a subject that need no memory of their own, and what longer ones cost beside their own bytes.
const SHORT_BYTES: usize = 22;
const LONG_BESIDE_BYTES: usize = 40;

/// One subscription.
#[derive(Debug)]
pub struct Sub {
    /// The connection that made it.
    pub client: u32,
    generation: u32,
    /// Messages queued to the client since SUB, counted up to the largest limit that can be asked for.
    pub delivered: u32,
    /// Messages after which it ends; 0 for no end.
    pub max: u32,
    /// Its place in the account's index.
    pub node: NodeId,
    /// Some messages are withheld from it.
    pub is_filtered: bool,
    /// Memory of its subject, as far as it can be counted here.
    subject_bytes: u16,
    /// The client's name for it: nearly always a short number.
    pub sid: Text<14>,
    queue: Option<Box<Text<22>>>,
}

impl Sub {
    /// The queue group, empty for a plain subscription.
    pub fn queue(&self) -> &[u8] {
        self.queue.as_ref().map_or(&[], |queue| queue.bytes())
    }
}

/// What a new subscription is like.
#[derive(Debug, Clone, Copy)]
pub struct NewSub<'a> {
    /// The connection that makes it.
    pub client: u32,
    /// The client's name for it.
    pub sid: &'a [u8],
    /// The queue group, empty for a plain subscription.
    pub queue: &'a [u8],
    /// Bytes of its subject.
    pub subject_bytes: usize,
    /// Some messages are to be withheld from it.
    pub is_filtered: bool,
}

/// A connection's subscriptions by sid: slots of the worker's table.
pub type Sids = Table;

/// All subscriptions of one worker.
#[derive(Debug)]
pub struct Subs {
    worker: u8,
    slots: Slab<Sub>,
    next_generation: u32,
    hash: SubjectHash,
    /// Memory of all subjects.
    subject_bytes: usize,
    /// Slots that were ever used: those behind them cost no memory yet.
    touched: usize,
}

impl Subs {
    /// None, for the given worker.
    pub fn new(worker: u8, hash: SubjectHash) -> Self {
        Self { worker, slots: Slab::new(), next_generation: 0, hash, subject_bytes: 0, touched: 0 }
    }

    /// The subscription a target stands for, if it is still there.
    #[inline]
    pub fn get(&self, target: Target) -> Option<&Sub> {
        self.slots.get(target.slot as usize).filter(|sub| sub.generation == target.generation())
    }

    /// The same, to change it.
    #[inline]
    pub fn get_mut(&mut self, target: Target) -> Option<&mut Sub> {
        self.slots.get_mut(target.slot as usize).filter(|sub| sub.generation == target.generation())
    }

    /// Slots there are, used or free.
    pub fn slots(&self) -> usize {
        self.slots.capacity()
    }

    /// The subscription in a slot, if it is used.
    pub fn get_slot(&self, slot: u32) -> Option<&Sub> {
        self.slots.get(slot as usize)
    }

    /// The subscription in a slot that is known to be used.
    pub fn at(&mut self, slot: u32) -> &mut Sub {
        &mut self.slots[slot as usize]
    }

    /// The client's name for the subscription in a slot that is known to be used.
    pub fn sid(&self, slot: u32) -> &[u8] {
        self.slots[slot as usize].sid.bytes()
    }

    /// Memory of all of them in bytes, if each costs so much beside its record and subject.
    pub fn bytes(&self, beside: usize) -> usize {
        // A slot has a word more, where free ones are linked.
        let slots = self.touched * (size_of::<Sub>() + size_of::<usize>());
        slots + self.slots.len() * beside + self.subject_bytes
    }

    /// Gives the memory of slots back that are free behind the last one in use, if they are many.
    pub fn shrink(&mut self) {
        if self.touched / 4 > self.slots.len() {
            self.slots.shrink_to_fit();
            self.touched = self.touched.min(self.slots.capacity());
        }
    }

    /// The slot of the connection's subscription with this sid.
    pub fn find(&self, sids: &Sids, sid: &[u8]) -> Option<u32> {
        sids.find(self.hash.of(sid), |slot| self.slots[slot as usize].sid.bytes() == sid)
    }

    /// Makes a subscription. `register` puts it into the index.
    pub fn insert(&mut self, new: NewSub, sids: &mut Sids, register: impl FnOnce(Target) -> NodeId) {
        let NewSub { client, sid, queue, subject_bytes, is_filtered } = new;
        // A short one is in the record of its place.
        let subject_bytes = if subject_bytes > SHORT_BYTES { subject_bytes + LONG_BESIDE_BYTES } else { 0 };
        let subject_bytes = u16::try_from(subject_bytes).unwrap_or(u16::MAX);
        self.subject_bytes += usize::from(subject_bytes);
        let generation = self.next_generation;
        self.next_generation = if generation == GENERATION_MAX { 0 } else { generation + 1 };
        let slot = self.slots.vacant_key() as u32;
        let node = register(Target::new(self.worker, slot, generation));
        let queue = (!queue.is_empty()).then(|| Box::new(Text::new(queue)));
        let (delivered, max, sid_kept) = (0, 0, Text::new(sid));
        let sub = Sub { client, generation, delivered, max, node, is_filtered, subject_bytes, sid: sid_kept, queue };
        self.touched = self.touched.max(self.slots.insert(sub) + 1);
        sids.insert(self.hash.of(sid), slot);
    }

    /// Takes a subscription away from the table and its connection; `unregister` takes it from the index.
    pub fn remove(&mut self, sids: &mut Sids, slot: u32, unregister: impl FnOnce(&Sub, Target)) {
        sids.remove(self.hash.of(self.slots[slot as usize].sid.bytes()), slot);
        self.remove_slot(slot, unregister);
    }

    /// The same for a subscription that its connection has forgotten.
    pub fn remove_slot(&mut self, slot: u32, unregister: impl FnOnce(&Sub, Target)) {
        let sub = self.slots.remove(slot as usize);
        self.subject_bytes -= usize::from(sub.subject_bytes);
        unregister(&sub, Target::new(self.worker, slot, sub.generation));
        if self.slots.is_empty() {
            self.slots = Slab::new();
            self.touched = 0;
        }
    }
}
