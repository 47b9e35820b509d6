//! The subscriptions of one worker's connections.

use crate::interest::targets::GENERATION_MAX;
use crate::interest::{NodeId, SubjectHash, Target};
use crate::memory::{Table, Text};
use slab::Slab;

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

/// A connection's subscriptions by sid: slots of the worker's table.
pub type Sids = Table;

/// All subscriptions of one worker.
#[derive(Debug)]
pub struct Subs {
    worker: u8,
    slots: Slab<Sub>,
    next_generation: u32,
    hash: SubjectHash,
}

impl Subs {
    /// None, for the given worker.
    pub fn new(worker: u8, hash: SubjectHash) -> Self {
        Self { worker, slots: Slab::new(), next_generation: 0, hash }
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

    /// The subscription in a slot, if there is one.
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

    /// The slot of the connection's subscription with this sid.
    pub fn find(&self, sids: &Sids, sid: &[u8]) -> Option<u32> {
        sids.find(self.hash.of(sid), |slot| self.slots[slot as usize].sid.bytes() == sid)
    }

    /// Makes a subscription. `register` puts it into the index.
    pub fn insert(
        &mut self,
        client: u32,
        sids: &mut Sids,
        sid: &[u8],
        queue: &[u8],
        is_filtered: bool,
        register: impl FnOnce(Target) -> NodeId,
    ) {
        let generation = self.next_generation;
        self.next_generation = if generation == GENERATION_MAX { 0 } else { generation + 1 };
        let slot = self.slots.vacant_key() as u32;
        let node = register(Target::new(self.worker, slot, generation));
        let queue = (!queue.is_empty()).then(|| Box::new(Text::new(queue)));
        let sid_kept = Text::new(sid);
        self.slots.insert(Sub { client, generation, delivered: 0, max: 0, node, is_filtered, sid: sid_kept, queue });
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
        unregister(&sub, Target::new(self.worker, slot, sub.generation));
        if self.slots.is_empty() {
            self.slots = Slab::new();
        }
    }
}
