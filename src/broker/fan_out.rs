//! Several messages in a row to one subject with many subscribers.
//!
//! Going through the subscribers for each message touches all of them again and again, and with hundreds of them none
//! is in the cache any more when its turn comes. So a run of such messages is gathered first and then given to one
//! subscriber after the other. Nobody can tell: each connection still gets the messages in their order, because a
//! connection with two of the subscriptions is served message by message.
//!
//! Subscribers that also chose the same sid get the same bytes, so these are written once and shared: it costs
//! neither copies nor memory, and the system reads them from a cache.

use super::client::Publisher;
use super::deliver::{Local, Queued};
use super::{Broker, TURN_OUTPUT_MAX};
use crate::interest::{AccountId, Shape, Target};
use crate::memory::Text;
use crate::wire::{Limits, Message, PlainPublish, plain_publish};
use std::iter;
use std::sync::Arc;

/// Subscribers from which on a run is worth gathering.
const TARGETS_MIN: usize = 4;

/// Bytes of tails in one run: they should stay in the innermost caches.
const RUN_BYTES: usize = 16 * 1024;

/// Bytes of output from which on sharing is cheaper than copying.
const SHARE_MIN: usize = 2 * 1024;

/// A message larger than this is shared by its receivers instead.
const TAIL_MAX: usize = 1024;

/// One message of a run: where its tail is in the input, and what it says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tail {
    start: usize,
    end: usize,
    size: u32,
}

impl Broker {
    /// True if the subject at `place` has several plain subscriptions and nothing else.
    #[inline(always)]
    pub(super) fn is_fan_out(&self, place: u32) -> bool {
        let matched = self.cache.matched(place);
        matched.shape == Shape::Several && matched.plain.len() >= TARGETS_MIN
    }

    /// Delivers `first`, and with it what follows in `input` as long as it is the same but for the payload. Returns the
    /// bytes, messages and payload bytes it took of `input`.
    #[inline(never)]
    pub(super) fn fan_out(
        &mut self,
        from: Publisher,
        account: AccountId,
        first: &Message,
        input: &[u8],
        limits: &Limits,
        place: u32,
    ) -> (usize, u64, u64) {
        let mut run = std::mem::take(&mut self.run);
        run.clear();
        let targets = self.cache.matched(place).plain.len();
        let (used, bytes) = gather(first, input, limits, TURN_OUTPUT_MAX / targets, &mut run);
        let plain = &self.cache.matched(place).plain;
        if !run.is_empty() && self.local.can_take_run(plain, from) {
            let run =
                Run { subject: first.subject, first, input, others: &run, bytes: bytes + u64::from(first.total_bytes) };
            self.local.deliver_run(plain, &run);
        } else {
            self.publish_to(from, account, first, place);
            for tail in &run {
                let message = Message { tail: &input[tail.start..tail.end], total_bytes: tail.size, ..*first };
                self.publish_to(from, account, &message, place);
            }
        }
        let messages = run.len() as u64;
        self.run = run;
        (used, messages, bytes)
    }
}

/// Messages that differ in their tails only.
struct Run<'a> {
    subject: &'a [u8],
    first: &'a Message<'a>,
    input: &'a [u8],
    others: &'a [Tail],
    /// Bytes of all payloads.
    bytes: u64,
}

impl Run<'_> {
    fn len(&self) -> usize {
        1 + self.others.len()
    }

    fn tails(&self) -> impl Iterator<Item = &[u8]> {
        iter::once(self.first.tail).chain(self.others.iter().map(|tail| &self.input[tail.start..tail.end]))
    }

    /// All of it as the subscriber with this sid gets it.
    fn encode(&self, sid: &[u8]) -> Arc<[u8]> {
        let each = b"MSG   ".len() + self.subject.len() + sid.len();
        let mut out = Vec::with_capacity(self.tails().map(|tail| each + tail.len()).sum());
        for tail in self.tails() {
            for part in [b"MSG ", self.subject, b" ", sid, b" ", tail] {
                out.extend_from_slice(part);
            }
        }
        out.into()
    }
}

/// Finds the messages at the start of `input` that go the way of `first`; returns their bytes and payload bytes.
fn gather(first: &Message, input: &[u8], limits: &Limits, bytes_max: usize, run: &mut Vec<Tail>) -> (usize, u64) {
    let (mut used, mut bytes) = (0, 0);
    if first.reply_bytes > 0 || first.header_bytes > 0 || first.tail.len() > TAIL_MAX {
        return (0, 0);
    }
    while used < RUN_BYTES.min(bytes_max) {
        let Some(next) = plain_publish(&input[used..], limits) else { break };
        let PlainPublish { subject, tail, reply_bytes, header_bytes, size, used: length } = next;
        if subject != first.subject || reply_bytes > 0 || header_bytes > 0 || tail.len() > TAIL_MAX {
            break;
        }
        used += length;
        bytes += size as u64;
        run.push(Tail { start: used - tail.len(), end: used, size: size as u32 });
    }
    (used, bytes)
}

impl Local {
    /// True if each of the targets is another connection's, and all of them take a whole run without more ado.
    fn can_take_run(&mut self, targets: &[Target], from: Publisher) -> bool {
        self.fan_outs = self.fan_outs.wrapping_add(1).max(1);
        targets.iter().all(|&target| {
            let Some(sub) = self.subs.get_mut(target) else { return false };
            let client = &mut self.clients[sub.client as usize];
            let is_first = std::mem::replace(&mut client.fan_out_mark, self.fan_outs) != self.fan_outs;
            let is_simple = sub.max == 0 && (client.echo || sub.client != from.key);
            is_first && is_simple && client.out.bytes() < client.look_from && !self.trace
        })
    }

    /// Queues a run to targets that can take it.
    fn deliver_run(&mut self, targets: &[Target], run: &Run) {
        let is_long = run.bytes as usize + run.len() * run.subject.len() >= SHARE_MIN;
        let mut shared: Option<(Text<14>, Arc<[u8]>)> = None;
        for (at, &target) in targets.iter().enumerate() {
            if is_long && shared.as_ref().is_none_or(|(sid, _)| !self.has_sid(target, sid.bytes())) {
                let sid = self.subs.get(target).map(|sub| Text::<14>::new(sub.sid.bytes()));
                let next = targets.get(at + 1);
                let is_common = |sid: &Text<14>| next.is_some_and(|&next| self.has_sid(next, sid.bytes()));
                shared = sid.filter(is_common).map(|sid| {
                    let bytes = run.encode(sid.bytes());
                    (sid, bytes)
                });
            }
            self.queue_run(target, run, shared.as_ref().map(|(_, bytes)| bytes));
        }
    }

    fn has_sid(&self, target: Target, sid: &[u8]) -> bool {
        self.subs.get(target).is_some_and(|sub| sub.sid.bytes() == sid)
    }

    fn queue_run(&mut self, target: Target, run: &Run, shared: Option<&Arc<[u8]>>) {
        let Self { subs, clients, pool, .. } = self;
        let Some(sub) = subs.get_mut(target) else { return };
        let key = sub.client;
        let client = &mut clients[key as usize];
        let before = client.out.bytes();
        match shared {
            Some(bytes) => pool.append_shared(&mut client.out, bytes),
            None => run.tails().for_each(|tail| {
                pool.append_message(&mut client.out, b"MSG ", run.subject, sub.sid.bytes(), tail);
            }),
        }
        sub.delivered = sub.delivered.saturating_add(run.len() as u32);
        client.traffic.out_messages += run.len() as u64;
        client.traffic.out_bytes += run.bytes;
        let pending = client.out.bytes();
        self.queued(target, key, Queued { bytes: pending - before, pending, is_last: false });
    }
}
