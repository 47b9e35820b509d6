//! The removal of all subscriptions of a connection.
//!
//! Some have so many that removing them at once would keep everyone else waiting. So it is done in parts, one a turn.
//! Meanwhile the connection gets no message and nothing is read from it; if it is gone, its key stays in use.

use super::client::State;
use super::deliver::Local;
use crate::interest::AccountId;

/// Subscriptions removed in one go: a few milliseconds.
const PART: usize = 4096;

/// A connection whose subscriptions are being removed.
#[derive(Debug)]
pub struct Leaving {
    key: u32,
    account: AccountId,
    /// The subscriptions that are left.
    slots: Vec<u32>,
}

impl Leaving {
    /// Subscriptions that are left.
    pub fn count(&self) -> usize {
        self.slots.len()
    }
}

impl Local {
    /// Takes all subscriptions of a connection away, or begins to.
    pub(super) fn unsubscribe_all(&mut self, key: u32) {
        let client = &mut self.clients[key as usize];
        let slots: Vec<u32> = std::mem::take(&mut client.sids).places().collect();
        let leaving = Leaving { key, account: client.account, slots };
        if leaving.slots.len() > PART {
            client.look_from = 0;
            client.held_by += 1;
            self.leaving.push(leaving);
        } else {
            self.remove_subs(key, leaving.account, leaving.slots);
        }
    }

    fn remove_subs(&mut self, key: u32, account: AccountId, slots: Vec<u32>) {
        for slot in slots {
            if self.trace {
                self.trace_end(key, self.subs.sid(slot));
            }
            let interest = &self.shared.interest;
            self.subs.remove_slot(slot, |sub, target| interest.remove(account, sub.node, sub.queue(), target));
        }
    }

    /// True while a connection's subscriptions are being removed.
    pub(super) fn is_leaving(&self, key: u32) -> bool {
        self.leaving.iter().any(|leaving| leaving.key == key)
    }

    /// Removes some more of one connection's subscriptions.
    pub(super) fn remove_part(&mut self) {
        let Some(Leaving { key, account, slots }) = self.leaving.last_mut() else { return };
        let (key, account) = (*key, *account);
        let part = slots.split_off(slots.len().saturating_sub(PART));
        let is_done = slots.is_empty();
        self.remove_subs(key, account, part);
        if !is_done {
            return;
        }
        self.leaving.pop();
        self.subs.shrink();
        self.watch(key);
        if self.clients[key as usize].state == State::Gone {
            self.remove_client(key);
        } else {
            self.go_on(key);
        }
    }
}
