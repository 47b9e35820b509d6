//! A reader that is behind but alive slows its publishers down instead of losing messages.
//!
//! Past a number of pending bytes a receiver *holds* whoever publishes to it: nothing more is read from that
//! connection until the receiver has caught up to half. It may do so only while it makes progress: the rate below which
//! it is left to its own limit is about the one at which the official server stops waiting (one read of 64 KiB per
//! 10 ms), so a frozen or trickling reader costs its publishers one short pause and then nothing.

use super::Action;
use super::client::{NEVER, Publisher, Stall};
use super::deliver::Local;
use super::mail::Mail;
use crate::config::Options;

/// Pending bytes at which a receiver holds its publishers, where `max_pending` is not small.
const STALL_BYTES: usize = 8 * 1024 * 1024;

/// How often a receiver that holds publishers is looked at.
const LOOK_MS: u64 = 100;

/// Bytes it must have taken in that time to go on holding them.
const PROGRESS_BYTES: u64 = 640 * 1024;

/// Looks until it must have caught up, enough for `max_pending` at that rate by default: a reader that is given more all
/// the time, by its own doing maybe, may take much and never catch up.
const LOOKS_MAX: u8 = 100;

/// Pending bytes past which deliveries to a receiver are no longer simply queued.
///
/// With a small memory budget it is a sixteenth of that: a few readers that are behind should not use it up.
pub fn threshold(options: &Options, budget: usize) -> usize {
    let most = options.max_pending / 4 * 3;
    if options.no_fast_producer_stall { most } else { most.min(STALL_BYTES).min(budget / 16) }
}

impl Local {
    /// A delivery to a receiver that is past the threshold: whether to queue it. Holds the publisher back if the
    /// receiver is worth waiting for.
    #[inline(never)]
    pub(super) fn admit(&mut self, receiver: u32, from: Publisher) -> bool {
        if self.options.no_fast_producer_stall {
            return false;
        }
        // Behind a route are many publishers; one slow reader here must not hold all of them.
        if !from.is_client() {
            return true;
        }
        let client = &mut self.clients[receiver as usize];
        let written = client.written;
        let stall = client.stall.get_or_insert_with(|| {
            Box::new(Stall { waiting: Vec::new(), written_mark: written, looks_left: LOOKS_MAX, given_up: false })
        });
        if stall.given_up {
            if written - stall.written_mark < PROGRESS_BYTES || stall.looks_left == 0 {
                return true;
            }
            stall.given_up = false;
        }
        // A publisher meets the same receiver again and again within one read.
        if stall.waiting.last() != Some(&from) {
            if stall.waiting.is_empty() {
                stall.written_mark = written;
                client.due.stall = self.now + LOOK_MS;
            }
            stall.waiting.push(from);
            self.tell(from, Mail::Hold);
            self.rearm(receiver);
        }
        true
    }

    /// A receiver with a stall wrote something.
    pub(super) fn progress(&mut self, receiver: u32) {
        let client = &self.clients[receiver as usize];
        if client.out.bytes() <= self.stall_bytes / 2 {
            self.let_go(receiver);
        }
    }

    /// Nobody waits for this receiver any longer.
    pub(super) fn let_go(&mut self, receiver: u32) {
        let client = &mut self.clients[receiver as usize];
        client.due.stall = NEVER;
        if let Some(stall) = client.stall.take() {
            stall.waiting.into_iter().for_each(|publisher| self.tell(publisher, Mail::Release));
        }
    }

    /// Looks whether a receiver still deserves that others wait for it.
    pub(super) fn look_at_stall(&mut self, receiver: u32) {
        let client = &mut self.clients[receiver as usize];
        client.due.stall = NEVER;
        let Some(stall) = &mut client.stall else { return };
        stall.looks_left = stall.looks_left.saturating_sub(1);
        if client.written - stall.written_mark >= PROGRESS_BYTES && stall.looks_left > 0 {
            client.due.stall = self.now + LOOK_MS;
        } else {
            stall.given_up = true;
            let waiting = std::mem::take(&mut stall.waiting);
            waiting.into_iter().for_each(|publisher| self.tell(publisher, Mail::Release));
        }
        let client = &mut self.clients[receiver as usize];
        if let Some(stall) = &mut client.stall {
            stall.written_mark = client.written;
        }
    }

    fn tell(&mut self, publisher: Publisher, mail: fn(Publisher) -> Mail) {
        let mail = mail(publisher);
        if publisher.worker != self.worker {
            if matches!(mail, Mail::Hold(_)) {
                // It is posted before more is delivered: a publisher of another worker is to hear of it soon.
                self.charge(super::TURN_OUTPUT_MAX + 1);
            }
            return self.mail.push((publisher.worker, mail));
        }
        match mail {
            Mail::Release(_) => self.release(publisher),
            _ => self.hold(publisher),
        }
    }

    /// One more receiver holds this connection of ours.
    pub(super) fn hold(&mut self, publisher: Publisher) {
        if let Some(client) = self.clients.get_mut(publisher.key as usize).filter(|client| client.cid == publisher.cid)
        {
            client.held_by += 1;
            client.stalls = client.stalls.saturating_add(1);
            self.counts.stalls += 1;
            self.disturbances += 1;
        }
    }

    /// One receiver less holds this connection of ours.
    pub(super) fn release(&mut self, publisher: Publisher) {
        if self.clients.get(publisher.key as usize).is_some_and(|client| client.cid == publisher.cid) {
            self.go_on(publisher.key);
        }
    }

    /// One reason less not to read from a connection.
    pub(super) fn go_on(&mut self, key: u32) {
        let client = &mut self.clients[key as usize];
        client.held_by -= 1;
        if client.held_by == 0 {
            self.actions.push(Action::Resume(key));
        }
    }
}
