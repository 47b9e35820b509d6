//! The connections of one worker and what is queued to them.

use super::budget::Holdings;
use super::client::{CLEAN, Client, LAST, Publisher, State};
use super::counts::Counts;
use super::leaving::Leaving;
use super::mail::{Batch, Entry, Mail};
use super::reason::Reason;
use super::routes::{News, Table};
use super::subs::{Sub, Subs};
use super::system::events::Departure;
use super::{Action, Flushed, Shared};
use crate::config::Options;
use crate::interest::{AccountId, Target};
use crate::log::Plain;
use crate::memory::{Pool, Spares};
use crate::wire::{Message, ProtocolError};
use slab::Slab;
use std::io::IoSlice;
use std::sync::Arc;

/// What queueing a message did.
pub(super) struct Queued {
    /// Bytes it added.
    pub bytes: usize,
    /// Bytes that wait now.
    pub pending: usize,
    /// The subscription has got all that it asked for.
    pub is_last: bool,
}

impl Client {
    #[inline(always)]
    fn queue(&mut self, pool: &mut Pool, sub: &mut Sub, message: &Message, shared: Option<&Arc<[u8]>>) -> Queued {
        sub.delivered = sub.delivered.saturating_add(1);
        self.traffic.out_messages += 1;
        self.traffic.out_bytes += u64::from(message.total_bytes);
        let before = self.out.bytes();
        let sid = sub.sid.bytes();
        let op: &[u8] = match message.header_bytes {
            0 => b"MSG ",
            _ if self.headers => b"HMSG ",
            _ => {
                self.queue_without_headers(pool, sid, message);
                b""
            }
        };
        match shared {
            _ if op.is_empty() => {}
            None => pool.append_message(&mut self.out, op, message.subject, sid, message.tail),
            Some(shared) => {
                pool.append(&mut self.out, [op, message.subject, b" ", sid, b" "]);
                pool.append_shared(&mut self.out, shared);
            }
        }
        let pending = self.out.bytes();
        Queued { bytes: pending - before, pending, is_last: sub.max != 0 && sub.delivered >= sub.max }
    }

    /// For a client that takes no headers.
    #[inline(never)]
    fn queue_without_headers(&mut self, pool: &mut Pool, sid: &[u8], message: &Message) {
        let mut tail = Vec::with_capacity(message.tail.len());
        message.tail_without_headers(&mut tail);
        self.traffic.out_bytes -= u64::from(message.header_bytes);
        pool.append_message(&mut self.out, b"MSG ", message.subject, sid, &tail);
    }
}

/// A batch of mail this large is sent before the turn ends.
const BATCH_BYTES: usize = 64 * 1024;

/// The connections of one worker, and everything a delivery touches.
#[derive(Debug)]
pub struct Local {
    pub(super) shared: Arc<Shared>,
    /// The options in force.
    pub(super) options: Arc<Options>,
    pub(super) worker: u8,
    pub(super) now: u64,
    /// The same time in microseconds.
    pub(super) now_us: u64,
    pub(super) clients: Slab<Client>,
    pub(super) subs: Subs,
    pub(super) pool: Pool,
    /// First in the list of connections with output to flush.
    dirty: u32,
    /// What deliveries need to know of this worker's routes.
    pub(super) routes: Table,
    /// What clients are told of the cluster; none without one.
    pub(super) news: Option<Arc<News>>,
    /// Routes that were chosen for a message, and the place of the queue group in its result.
    pub(super) picks: Vec<(Target, usize)>,
    /// Names of queue groups, while they are put together.
    pub(super) names: Vec<u8>,
    pub(super) actions: Vec<Action>,
    /// Mail that is ready, by receiving worker.
    pub(super) mail: Vec<(u8, Mail)>,
    /// Messages being packed, by receiving worker.
    batches: Vec<Batch>,
    pub(super) buffers: Spares,
    /// Bytes queued since the last flush, and other work in that measure.
    pub(super) turn_output: usize,
    /// How many of them are written in one go.
    pub(super) turn_max: usize,
    /// What this worker holds.
    pub(super) holdings: Holdings,
    /// Past these many pending bytes a receiver slows its publishers down.
    pub(super) stall_bytes: usize,
    pub(super) pending_max: usize,
    pub(super) trace: bool,
    pub(super) counts: Counts,
    /// Connections whose subscriptions are being removed.
    pub(super) leaving: Vec<Leaving>,
    /// Counts connections of this worker that began to close or were held back: what ends a run of publishes.
    pub(super) disturbances: u64,
    /// Counts fan-outs, to mark the connections that were met in one.
    pub(super) fan_outs: u32,
    /// The account of those who look after the server, if there is one.
    pub(super) system: Option<AccountId>,
    /// Clients that have gone, for them to hear of.
    pub(super) departures: Vec<Departure>,
}

impl Local {
    pub(super) fn new(shared: Arc<Shared>, options: Arc<Options>, worker: u8, workers: usize) -> Self {
        let mut local = Self {
            worker,
            now: 0,
            now_us: 0,
            clients: Slab::new(),
            subs: Subs::new(worker, shared.interest.subject_hash()),
            pool: Pool::default(),
            dirty: LAST,
            routes: Table::default(),
            news: None,
            picks: Vec::new(),
            names: Vec::new(),
            actions: Vec::new(),
            mail: Vec::new(),
            batches: (0..workers).map(|_| Batch::default()).collect(),
            buffers: Spares::new(8, 2 * BATCH_BYTES),
            turn_output: 0,
            turn_max: 0,
            holdings: Holdings::default(),
            stall_bytes: super::stall::threshold(&options, shared.budget.most()),
            pending_max: options.max_pending,
            trace: shared.log.trace_on(),
            counts: Counts::default(),
            leaving: Vec::new(),
            disturbances: 0,
            fan_outs: 0,
            system: None,
            departures: Vec::new(),
            shared,
            options,
        };
        local.turn_max = local.turn_max();
        local
    }

    /// Queues a message to a subscription. False if it is gone or does not take it.
    #[inline(always)]
    pub(super) fn deliver(
        &mut self,
        target: Target,
        from: Publisher,
        message: &Message,
        shared: Option<&Arc<[u8]>>,
    ) -> bool {
        let Self { subs, clients, pool, .. } = self;
        let Some(sub) = subs.get_mut(target) else { return false };
        let key = sub.client;
        let client = &mut clients[key as usize];
        if !client.echo && from.key == key && from.worker == self.worker && from.cid == client.cid {
            return false;
        }
        if client.out.bytes() >= client.look_from {
            return self.deliver_behind(target, from, message, shared);
        }
        let pending = client.queue(pool, sub, message, shared);
        if self.trace {
            self.trace_delivery(key, target, message);
        }
        self.queued(target, key, pending);
        true
    }

    /// Queues a message to a connection that is behind or watched, if it may have it.
    #[inline(never)]
    fn deliver_behind(
        &mut self,
        target: Target,
        from: Publisher,
        message: &Message,
        shared: Option<&Arc<[u8]>>,
    ) -> bool {
        let Some(sub) = self.subs.get_mut(target) else { return false };
        let (key, is_filtered) = (sub.client, sub.is_filtered);
        if self.is_leaving(key) || (is_filtered && self.withholds(target, message.subject)) {
            return false;
        }
        if self.clients[key as usize].out.bytes() >= self.look_from() && !self.admit(key, from) {
            self.counts.refused += 1;
            return false;
        }
        let Self { subs, clients, pool, .. } = self;
        let Some(sub) = subs.get_mut(target) else { return false };
        let client = &mut clients[key as usize];
        let queued = client.queue(pool, sub, message, shared);
        if message.reply_bytes > 0 {
            self.grant(key, message.reply());
        }
        if self.trace {
            self.trace_delivery(key, target, message);
        }
        self.queued(target, key, queued);
        true
    }

    /// Whether the permissions of a subscription's client keep a message from it.
    fn withholds(&self, target: Target, subject: &[u8]) -> bool {
        let Some(sub) = self.subs.get(target) else { return true };
        let access = self.clients[sub.client as usize].access.as_ref();
        let permissions = access.and_then(|access| access.permissions());
        permissions.is_some_and(|permissions| permissions.withholds(subject, sub.queue()))
    }

    /// A client was delivered a message that asks for a reply: it may publish that, if its permissions are of that kind.
    fn grant(&mut self, key: u32, reply: &[u8]) {
        let now = self.now;
        let Some(access) = &mut self.clients[key as usize].access else { return };
        if access.grants.is_some()
            && !access.permissions().is_some_and(|permissions| permissions.may_publish(reply))
            && let Some(grants) = &mut access.grants
        {
            grants.grant(reply, now);
            self.recount(key);
        }
    }

    /// What follows from a message queued to a subscription.
    #[inline(always)]
    pub(super) fn queued(&mut self, target: Target, key: u32, queued: Queued) {
        self.turn_output += queued.bytes;
        if self.clients[key as usize].dirty_next == CLEAN {
            self.mark_dirty(key);
        }
        if queued.is_last {
            self.limit_reached(key, target);
        }
        if queued.pending > self.pending_max {
            self.close_slow(key);
        }
    }

    /// A subscription has got all that it asked for.
    #[inline(never)]
    fn limit_reached(&mut self, key: u32, target: Target) {
        if self.shared.log.debug_on()
            && let Some(sub) = self.subs.get_mut(target)
        {
            let (client, max, sid) = (&self.clients[key as usize], sub.max, Plain(sub.sid.bytes()));
            let text = format_args!("{client} - Auto-unsubscribe limit of {max} reached for sid '{sid}'");
            self.shared.log.debug(text);
        }
        self.unsubscribe(key, target.slot);
    }

    /// Where [`Client::look_from`] is for a connection that takes messages.
    pub(super) fn look_from(&self) -> usize {
        self.stall_bytes + 1
    }

    /// Sets where deliveries to a connection need a second look, unless its subscriptions are being removed.
    pub(super) fn watch(&mut self, key: u32) {
        let look_from = self.look_from();
        let is_leaving = self.is_leaving(key);
        let client = &mut self.clients[key as usize];
        let is_watched = client.access.as_ref().is_some_and(|access| access.is_watched());
        client.look_from = if is_leaving || is_watched { 0 } else { look_from };
    }

    /// Counts work that queued nothing as if it had queued so many bytes, so that it ends the turn all the same.
    pub(super) fn charge(&mut self, bytes: usize) {
        self.turn_output = self.turn_output.saturating_add(bytes);
    }

    /// Queues bytes of the server's own to a connection.
    pub(super) fn send<const N: usize>(&mut self, key: u32, parts: [&[u8]; N]) {
        let client = &mut self.clients[key as usize];
        let before = client.out.bytes();
        self.pool.append(&mut client.out, parts);
        self.turn_output += client.out.bytes() - before;
        let pending = client.out.bytes();
        self.mark_dirty(key);
        if pending > self.pending_max {
            self.close_slow(key);
        }
    }

    /// Queues a `-ERR` to a connection that stays open.
    pub(super) fn complain(&mut self, key: u32, error: ProtocolError) {
        if self.trace {
            let client = &self.clients[key as usize];
            self.shared.log.trace(format_args!("{client} - ->> [-ERR {}]", error.text()));
        }
        self.send(key, [&error.line()]);
    }

    /// How many workers there are.
    pub(super) fn workers(&self) -> u8 {
        self.batches.len() as u8
    }

    /// Packs a message for another worker.
    pub(super) fn forward(&mut self, worker: u8, entry: &Entry) {
        let batch = &mut self.batches[worker as usize];
        let before = batch.bytes();
        if batch.is_empty() {
            *batch = Batch::new(self.buffers.take());
        }
        batch.push(entry);
        self.turn_output += batch.bytes() - before;
        if batch.bytes() > BATCH_BYTES {
            self.mail.push((worker, Mail::Messages(std::mem::take(batch))));
        }
    }

    /// The same for a worker whose number a peer may have made up. False if there is none.
    pub(super) fn forward_to_existing(&mut self, worker: u8, entry: &Entry) -> bool {
        let exists = usize::from(worker) < self.batches.len();
        if exists {
            self.forward(worker, entry);
        }
        exists
    }

    /// True if the connection with this key and number is open.
    pub(super) fn is_open(&self, (key, cid): (u32, u64)) -> bool {
        self.clients.get(key as usize).is_some_and(|client| client.cid == cid && client.is_open())
    }

    /// Sends a letter to every other worker.
    pub(super) fn tell_others(&mut self, mail: fn() -> Mail) {
        let others = (0..self.workers()).filter(|worker| *worker != self.worker);
        self.mail.extend(others.map(|worker| (worker, mail())));
    }

    /// Closes batches that were begun and hands out the mail for other workers, in order. To be called before
    /// any output is written: a PONG promises that what came before it is on its way.
    pub fn take_mail(&mut self) -> std::vec::Drain<'_, (u8, Mail)> {
        for (worker, batch) in self.batches.iter_mut().enumerate() {
            if !batch.is_empty() {
                self.mail.push((worker as u8, Mail::Messages(std::mem::take(batch))));
            }
        }
        self.mail.drain(..)
    }

    /// Keeps the buffer of a batch that was delivered.
    pub(super) fn recycle(&mut self, batch: Batch) {
        self.buffers.give(batch.into_buffer());
    }

    /// What the owner is to do.
    pub fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// Puts a connection on the list of those with something to flush.
    pub(super) fn mark_dirty(&mut self, key: u32) {
        let client = &mut self.clients[key as usize];
        if client.dirty_next == CLEAN {
            client.dirty_next = self.dirty;
            client.dirty_previous = LAST;
            if let Some(after) = self.clients.get_mut(self.dirty as usize) {
                after.dirty_previous = key;
            }
            self.dirty = key;
        }
    }

    /// The next connection with output to write. When it was called until it gives nothing, a new count of queued bytes
    /// begins.
    pub fn next_dirty(&mut self) -> Option<u32> {
        let key = self.dirty;
        let Some(client) = self.clients.get_mut(key as usize) else {
            self.turn_output = 0;
            return None;
        };
        self.dirty = std::mem::replace(&mut client.dirty_next, CLEAN);
        if let Some(first) = self.clients.get_mut(self.dirty as usize) {
            first.dirty_previous = LAST;
        }
        Some(key)
    }

    /// True if bytes wait to be written to a connection.
    pub fn has_output(&self, key: u32) -> bool {
        !self.clients[key as usize].out.is_empty()
    }

    /// The first bytes to write to a connection; returns how many slices were set.
    pub fn output<'a>(&'a self, key: u32, slices: &mut [IoSlice<'a>]) -> usize {
        self.pool.slices(&self.clients[key as usize].out, slices)
    }

    /// That many bytes were written to a connection. Says whether it is now closing for good.
    pub fn wrote(&mut self, key: u32, bytes: usize) {
        let client = &mut self.clients[key as usize];
        self.pool.consume(&mut client.out, bytes);
        client.written += bytes as u64;
        if client.out.is_empty() {
            client.due.write = super::client::NEVER;
        }
        if client.stall.is_some() {
            self.progress(key);
        }
    }

    /// Everything that was queued to a connection is written.
    pub fn flushed(&mut self, key: u32) -> Flushed {
        let client = &mut self.clients[key as usize];
        match client.state {
            // Who is gone was said so once, as an action: a second time could hit the next connection with the key.
            State::Open | State::Lingering | State::Gone => Flushed::Stay,
            State::Flushing(reason, _) if reason.lingers() => {
                client.state = State::Lingering;
                client.due.close = self.now + super::closing::LINGER_MS;
                self.rearm(key);
                Flushed::HalfClose
            }
            State::Flushing(..) => Flushed::Drop,
        }
    }

    pub(super) fn forget(&mut self, key: u32) {
        let Client { dirty_next: after, dirty_previous: before, .. } = self.clients[key as usize];
        if after != CLEAN {
            match self.clients.get_mut(before as usize) {
                Some(before) => before.dirty_next = after,
                None => self.dirty = after,
            }
            if let Some(after) = self.clients.get_mut(after as usize) {
                after.dirty_previous = before;
            }
        }
        let client = &mut self.clients[key as usize];
        self.counts.discard(client);
        client.state = State::Gone;
        self.pool.clear(&mut client.out);
        if !self.is_leaving(key) {
            self.remove_client(key);
        }
    }

    pub(super) fn remove_client(&mut self, key: u32) {
        let client = self.clients.remove(key as usize);
        self.uncount(&client);
        self.counts.keep(&client);
        if self.clients.is_empty() {
            self.clients = Slab::new();
        }
    }

    pub(super) fn trim(&mut self) {
        self.pool.trim(0);
        self.buffers.trim();
    }

    fn close_slow(&mut self, key: u32) {
        let pending_max = self.pending_max;
        let client = &self.clients[key as usize];
        if client.is_open() && !client.is_route() {
            self.shared
                .log
                .info(format_args!("{client} - Slow Consumer Detected: MaxPending of {pending_max} Exceeded"));
            self.counts.slow(&self.clients[key as usize]);
            self.close(key, Reason::SlowConsumerPendingBytes, None);
        }
    }
}
