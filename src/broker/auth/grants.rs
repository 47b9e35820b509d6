//! Replies that a connection may publish because a message asked for them.

use crate::config::authorization::Responses;
use crate::interest::SubjectHash;
use crate::memory::{Table, Text};
use slab::Slab;

/// Grants at a time. When there are as many, the oldest ends for a new one.
pub const GRANTS_MAX: usize = 64 * 1024;

const NONE: u32 = u32::MAX;

/// The grants of one connection, in a list from the oldest to the newest.
#[derive(Debug)]
pub struct Grants {
    slots: Slab<Grant>,
    by_reply: Table,
    oldest: u32,
    newest: u32,
    /// Replies to one message.
    max: u32,
    /// Milliseconds for them.
    ttl: u64,
    hash: SubjectHash,
}

#[derive(Debug)]
struct Grant {
    reply: Text<46>,
    left: u32,
    /// The first millisecond at which it is over.
    ends: u64,
    older: u32,
    newer: u32,
}

impl Grants {
    /// None yet, under these rules.
    pub fn new(rules: Responses, hash: SubjectHash) -> Self {
        let ttl = rules.ttl.map(|ttl| u64::try_from(ttl.as_millis().max(1)).unwrap_or(u64::MAX));
        Self {
            slots: Slab::new(),
            by_reply: Table::default(),
            oldest: NONE,
            newest: NONE,
            max: rules.max.unwrap_or(u32::MAX),
            ttl: ttl.unwrap_or(u64::MAX),
            hash,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// A message was delivered that asks for a reply: from `now` on, in milliseconds. If one asked for the same before, its
    /// grant begins anew.
    pub fn grant(&mut self, reply: &[u8], now: u64) {
        while let Some(grant) = self.slots.get(self.oldest as usize)
            && (grant.ends <= now || self.slots.len() >= GRANTS_MAX)
        {
            self.end(self.oldest);
        }
        if let Some(slot) = self.find(reply) {
            self.end(slot);
        }
        let grant = Grant {
            reply: Text::new(reply),
            left: self.max,
            ends: now.saturating_add(self.ttl),
            older: self.newest,
            newer: NONE,
        };
        let slot = self.slots.insert(grant) as u32;
        self.by_reply.insert(self.hash.of(reply), slot);
        match self.slots.get_mut(self.newest as usize) {
            Some(before) => before.newer = slot,
            None => self.oldest = slot,
        }
        self.newest = slot;
    }

    /// A reply is published: whether it may be.
    pub fn take(&mut self, reply: &[u8], now: u64) -> bool {
        let Some(slot) = self.find(reply) else { return false };
        let grant = &mut self.slots[slot as usize];
        let is_valid = grant.ends > now;
        if self.max < u32::MAX {
            grant.left -= 1;
        }
        if !is_valid || grant.left == 0 {
            self.end(slot);
        }
        is_valid
    }

    fn find(&self, reply: &[u8]) -> Option<u32> {
        self.by_reply.find(self.hash.of(reply), |slot| self.slots[slot as usize].reply.bytes() == reply)
    }

    fn end(&mut self, slot: u32) {
        let Grant { reply, older, newer, .. } = self.slots.remove(slot as usize);
        self.by_reply.remove(self.hash.of(reply.bytes()), slot);
        match self.slots.get_mut(older as usize) {
            Some(older) => older.newer = newer,
            None => self.oldest = newer,
        }
        match self.slots.get_mut(newer as usize) {
            Some(newer) => newer.older = older,
            None => self.newest = older,
        }
        if self.slots.is_empty() {
            self.slots = Slab::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn grants(max: Option<u32>, ttl_ms: Option<u64>) -> Grants {
        Grants::new(Responses { max, ttl: ttl_ms.map(Duration::from_millis) }, SubjectHash::new(7))
    }

    #[test]
    fn a_grant_is_for_so_many_replies_and_so_much_time() {
        let mut two = grants(Some(2), Some(100));
        assert!(!two.take(b"r", 0));
        two.grant(b"r", 0);
        two.grant(b"s", 50);
        assert_eq!([99, 99, 99].map(|now| two.take(b"r", now)), [true, true, false]);
        assert_eq!([149, 150, 150].map(|now| two.take(b"s", now)), [true, false, false]);
        assert!(two.is_empty());
    }

    #[test]
    fn asking_again_begins_anew_and_uses_nothing_up() {
        let mut two = grants(Some(2), Some(100));
        two.grant(b"r", 0);
        assert!(two.take(b"r", 90));
        two.grant(b"r", 90);
        two.grant(b"r", 91);
        assert_eq!([190, 190, 190].map(|now| two.take(b"r", now)), [true, true, false]);
        two.grant(b"r", 190);
        assert!(two.take(b"r", 190));
    }

    #[test]
    fn there_need_be_no_limit() {
        let mut any = grants(None, None);
        any.grant(b"r", 0);
        assert!((0..1000).all(|now| any.take(b"r", now << 40)));
    }

    #[test]
    fn the_oldest_make_room() {
        let mut some = grants(Some(1), Some(100));
        for at in 0..1000u32 {
            some.grant(&at.to_le_bytes(), at.into());
        }
        assert_eq!(some.len(), 100, "those whose time is over are gone");
        let mut many = grants(None, None);
        for at in 0..2 * GRANTS_MAX as u32 {
            many.grant(&at.to_le_bytes(), 0);
        }
        assert_eq!(many.len(), GRANTS_MAX);
        assert!(!many.take(&(GRANTS_MAX as u32 - 1).to_le_bytes(), 0));
        assert!(many.take(&(GRANTS_MAX as u32).to_le_bytes(), 0));
    }

    #[test]
    fn agrees_with_a_list_under_churn() {
        let mut grants = grants(Some(3), Some(50));
        let mut naive: Vec<(u8, u32, u64)> = Vec::new();
        let mut dice = 7u64;
        for now in 0..20_000u64 {
            dice = dice.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let reply = (dice >> 40) as u8 % 30;
            if dice >> 60 < 4 {
                grants.grant(&[reply], now);
                naive.retain(|grant| grant.0 != reply);
                naive.push((reply, 3, now + 50));
            } else {
                let found = naive.iter_mut().find(|grant| grant.0 == reply && grant.2 > now && grant.1 > 0);
                let expected = found.map(|grant| grant.1 -= 1).is_some();
                assert_eq!(grants.take(&[reply], now), expected, "{reply} at {now}");
            }
        }
    }
}
