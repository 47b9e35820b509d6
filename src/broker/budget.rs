//! The byte budget of the process, as far as one worker is concerned.
//!
//! What it holds is counted where memory is taken: pooled blocks and shared payloads by the pool, subscriptions by their
//! table, the rest for each connection when it has been read from. The sum is reported when output is flushed; nothing is
//! counted for a message. Short of memory, no new connection and no new subscription is taken. When the budget is exceeded,
//! free memory is given back, and if that is not enough, the connection that holds most is closed: the one with most
//! waiting output or unfinished input, or where that is little for everyone, the one that costs most in all.
//!
//! That one may be another worker's. So a worker says what its largest is, has the others do so too, and after a moment
//! closes only what is as large as anything they have.

use super::client::{Backlog, Client, Label};
use super::deliver::Local;
use super::mail::Mail;
use super::reason::Reason;
use super::{Broker, TURN_OUTPUT_MAX};
use crate::memory::{BLOCK_BYTES, Pressure};

/// What a subscription costs beside its own record: its place in the index, and in two tables.
const SUB_BESIDE_BYTES: usize = 80;

/// The same with the record, for saying which connection costs most.
const SUB_BYTES: usize = 144;

/// What a connection costs beside its own record: its socket, timer and places in lists, and the allocator's share.
const CLIENT_BESIDE_BYTES: usize = 160;

/// What a subscription of another server costs.
const INTEREST_BYTES: usize = 100;

/// What a granted reply costs.
const GRANT_BYTES: usize = 100;

/// Waiting output and unfinished input below which a connection is not closed for having most of it.
const OFFENCE_MIN: usize = 64 * 1024;

/// Added to those figures, so that they count for more than what connections cost in all.
const OFFENCE: usize = usize::MAX / 2;

/// How long the other workers have to say what their largest connections are, in milliseconds. They do at the end of their
/// turn, and nothing is read meanwhile; one that is stuck is not waited for any longer.
const LOOK_MS: u64 = 100;

/// Parts of leaving subscriptions removed in one go where memory is short: some ten milliseconds.
const PARTS_LEAVING: usize = 8;

/// Connections closed in one go.
const PART: usize = 256;

/// What one worker knows of it.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    /// Bytes counted for all connections, but for their output and subscriptions.
    clients: usize,
    /// How things were at the last look.
    pressure: Pressure,
    /// Subscriptions were being removed at the last look.
    is_leaving: bool,
    /// When the other workers were asked, while it is waited for them.
    asked_at: Option<u64>,
}

impl Client {
    /// What it costs but for its output and subscriptions.
    fn own_bytes(&self) -> usize {
        let label = self.label.as_ref().map_or(0, |label| {
            size_of::<Label>() + label.name.capacity() + label.lang.capacity() + label.version.capacity()
        });
        let access = self.access.as_ref().map_or(0, |access| {
            size_of_val(&**access) + access.grants.as_ref().map_or(0, |grants| grants.len() * GRANT_BYTES)
        });
        let interest = self.neighbour().map_or(0, |neighbour| neighbour.remote.count() * INTEREST_BYTES);
        size_of::<Self>() + CLIENT_BESIDE_BYTES + interest + label + access + self.input_bytes() + self.beside as usize
    }

    /// Memory of input that is not worked on.
    fn input_bytes(&self) -> usize {
        let backlog = |backlog: &Box<Backlog>| size_of::<Backlog>() + backlog.bytes.capacity();
        self.partial.buffer.capacity() + self.backlog.as_ref().map_or(0, backlog)
    }

    /// How much speaks for closing it when there is too little memory.
    fn offence(&self) -> usize {
        let output = match self.out.bytes() {
            0 => 0,
            bytes => bytes.max(BLOCK_BYTES),
        };
        let waiting = output + self.input_bytes();
        match waiting {
            OFFENCE_MIN.. => OFFENCE.saturating_add(waiting),
            // A route has others behind it.
            _ if self.is_route() => 0,
            _ => self.held as usize + output + self.sids.len() * SUB_BYTES,
        }
    }
}

impl Local {
    /// Counts again what a connection costs.
    pub(super) fn recount(&mut self, key: u32) {
        let client = &mut self.clients[key as usize];
        let now = client.own_bytes();
        let before = std::mem::replace(&mut client.held, u32::try_from(now).unwrap_or(u32::MAX)) as usize;
        self.holdings.clients = (self.holdings.clients + now).saturating_sub(before);
        // What grows ends the turn, so that the budget is looked at in time.
        self.charge(now.saturating_sub(before));
    }

    /// Counts again what a connection costs if it holds input that is not worked on, or did at the last count.
    #[inline]
    pub(super) fn recount_input(&mut self, key: u32) {
        let client = &self.clients[key as usize];
        // What a route's peer wants is part of its input.
        let holds_input = client.partial.buffer.capacity() > 0 || client.backlog.is_some() || client.is_route();
        if holds_input || client.held_input {
            self.clients[key as usize].held_input = holds_input;
            self.recount(key);
        }
    }

    /// A connection is forgotten.
    pub(super) fn uncount(&mut self, client: &Client) {
        self.holdings.clients = self.holdings.clients.saturating_sub(client.held as usize);
    }

    /// True if there is no memory for more connections and subscriptions.
    pub(super) fn is_short(&self) -> bool {
        // What was known at the last look may be over.
        self.holdings.pressure != Pressure::Low && self.shared.budget.pressure() != Pressure::Low
    }

    /// Output and other work after which it is written: with a small budget less than what fits a cache.
    pub(super) fn turn_max(&self) -> usize {
        TURN_OUTPUT_MAX.min(self.shared.budget.most() / 16 / usize::from(self.workers().max(1)))
    }

    /// Notes that a subscription was made, with so many bytes of subject.
    pub(super) fn count_sub(&mut self, subject_bytes: usize) {
        self.charge(SUB_BYTES + subject_bytes);
    }
}

impl Broker {
    /// Counts what a connection's socket holds for it, in bytes.
    #[inline]
    pub fn count_beside(&mut self, key: u32, bytes: usize) {
        if let Some(client) = self.local.clients.get_mut(key as usize)
            && client.beside as usize != bytes
        {
            client.beside = u32::try_from(bytes).unwrap_or(u32::MAX);
            self.local.recount(key);
        }
    }

    /// Reports what this worker holds, with so many bytes that its owner holds for all connections together, and makes room
    /// if all workers hold too much. To be called when output was flushed. True if so much was given back that the allocator
    /// should give it to the system.
    pub fn look_at_memory(&mut self, beside: usize) -> bool {
        let mut pressure = self.report_memory(beside);
        if self.overdraws() {
            // What is leaving is not counted any more, but there.
            (0..PARTS_LEAVING).for_each(|_| self.local.remove_part());
        }
        if pressure == Pressure::Over {
            self.trim();
            pressure = self.report_memory(beside);
        }
        // Before the last part of the budget is used, what the allocator only keeps goes back to the system.
        let is_new = self.note_pressure(pressure);
        let is_leaving = !self.local.leaving.is_empty();
        let has_left = std::mem::replace(&mut self.local.holdings.is_leaving, is_leaving) && !is_leaving;
        if pressure == Pressure::Over {
            return self.make_room(beside) || has_left || is_new;
        }
        self.local.holdings.asked_at = None;
        self.shared.budget.report_largest(self.local.worker, 0);
        is_new || (has_left && self.shared.budget.used() > self.shared.budget.most() / 2)
    }

    /// True if the budget is exceeded when subscriptions that are being removed are counted too.
    fn overdraws(&self) -> bool {
        let budget = &self.shared.budget;
        !self.local.leaving.is_empty() && budget.used() + self.leaving_bytes() > budget.most()
    }

    /// Bytes of subscriptions that are being removed.
    fn leaving_bytes(&self) -> usize {
        self.local.leaving.iter().map(|leaving| leaving.count() * SUB_BYTES).sum()
    }

    /// True while there is little memory left: then the owner says from time to time how much the system sees in use.
    pub fn is_memory_short(&self) -> bool {
        self.shared.budget.is_short()
    }

    /// So many bytes of the process are in memory.
    pub fn note_resident(&self, bytes: usize) {
        self.shared.budget.note_resident(bytes);
    }

    fn report_memory(&self, beside: usize) -> Pressure {
        let budget = &self.shared.budget;
        budget.report(self.local.worker, self.held() + beside);
        budget.pressure()
    }

    /// Bytes that this worker holds.
    pub(super) fn held(&self) -> usize {
        let Local { pool, buffers, subs, holdings, .. } = &self.local;
        let subs = subs.bytes(SUB_BESIDE_BYTES).saturating_sub(self.leaving_bytes());
        pool.held() + buffers.bytes() + self.spares.bytes() + subs + holdings.clients + self.cache.bytes()
    }

    /// Says when there is no room for more, and when there is again. True if there was room until now.
    fn note_pressure(&mut self, pressure: Pressure) -> bool {
        let before = std::mem::replace(&mut self.local.holdings.pressure, pressure);
        let (budget, log) = (&self.shared.budget, &self.shared.log);
        if pressure != Pressure::Low {
            if before == Pressure::Low && budget.note_short(true) {
                let (used, most) = (budget.used(), budget.most());
                let text = "no new connections and subscriptions are taken";
                log.warn(format_args!("Memory is short: {used} of {most} bytes are in use, {text}"));
                return true;
            }
        } else if budget.is_short() {
            let (used, most) = (budget.used(), budget.most());
            // Not at the edge, where it would be short again at once.
            if used < most / 4 * 3 && budget.note_short(false) {
                log.info(format_args!("Memory is no longer short: {used} of {most} bytes are in use"));
            }
        }
        false
    }

    /// Closes whoever holds most, if that is one of ours. True if someone was closed.
    fn make_room(&mut self, beside: usize) -> bool {
        let budget = &self.shared.budget;
        let open = self.local.clients.iter().filter(|(_, client)| client.is_open());
        let mut holders: Vec<(usize, u32)> = open.map(|(key, client)| (client.offence(), key as u32)).collect();
        holders.retain(|(offence, _)| *offence > 0);
        holders.sort_unstable_by(|one, other| other.cmp(one));
        let Some(&(largest, _)) = holders.first() else {
            self.local.holdings.asked_at = None;
            budget.report_largest(self.local.worker, 0);
            return false;
        };
        budget.report_largest(self.local.worker, largest);
        if self.local.workers() > 1 {
            let now = self.local.now;
            let Some(asked_at) = self.local.holdings.asked_at else {
                self.local.holdings.asked_at = Some(now);
                budget.ask_others(self.local.worker);
                self.local.tell_others(|| Mail::Look);
                return false;
            };
            if budget.largest_elsewhere(self.local.worker).is_none() && now < asked_at + LOOK_MS {
                return false;
            }
        }
        self.local.holdings.asked_at = None;
        let elsewhere = budget.largest_elsewhere(self.local.worker).unwrap_or_default();
        let mut closed = false;
        for (offence, key) in holders.into_iter().take(PART) {
            // Where nobody is closed it stays known, for the others to compare with.
            self.shared.budget.report_largest(self.local.worker, offence);
            if offence < elsewhere || self.report_memory(beside) != Pressure::Over {
                break;
            }
            self.close_largest(key, offence);
            self.local.trim();
            closed = true;
        }
        closed
    }

    fn close_largest(&mut self, key: u32, offence: usize) {
        let client = &self.local.clients[key as usize];
        let most = self.shared.budget.most();
        let bytes = if offence >= OFFENCE { offence - OFFENCE } else { offence };
        self.shared.log.warn(format_args!(
            "{client} - Memory budget of {most} bytes exceeded: closing the connection that holds most, {bytes} bytes"
        ));
        self.local.close(key, Reason::MaximumMemoryExceeded, None);
    }

    /// True while it is waited for what other workers say: nothing should be read before that.
    pub fn waits_for_others(&self) -> bool {
        self.local.holdings.asked_at.is_some()
    }
}
