//! The end of connections. Only here does a connection leave the open state; the owner drops the socket when told.

use super::auth::Stage;
use super::client::{NEVER, Partial, State};
use super::deliver::Local;
use super::reason::Reason;
use super::{Action, Broker};
use crate::log::Level;
use crate::wire::ProtocolError;
use std::sync::atomic::Ordering;

/// How long a peer has to read what we last said before its connection goes.
pub const LINGER_MS: u64 = 100;

/// A closing connection must take some of what waits for it in this time.
const FLUSH_MS: u64 = 1000;

/// And all of it in so many times that.
const FLUSHES_MAX: u8 = 10;

impl Local {
    /// Ends a connection: its interest goes at once, what waits is sent where the reason allows it, with `error` last.
    pub(super) fn close(&mut self, key: u32, reason: Reason, error: Option<ProtocolError>) {
        if !self.clients[key as usize].is_open() {
            return;
        }
        if let Some(error) = error {
            self.complain(key, error);
            if !self.clients[key as usize].is_open() {
                return;
            }
        }
        let client = &self.clients[key as usize];
        if client.is_route() {
            self.shared.log.info(format_args!("{client} - Router connection closed: {}", reason.text()));
        } else if self.shared.log.debug_on() {
            self.shared.log.debug(format_args!("{client} - Client connection closed: {}", reason.text()));
        }
        self.counts.close(reason);
        if !client.is_route() {
            self.keep_record(key, reason);
            self.note_departure(key, reason);
        }
        let client = &mut self.clients[key as usize];
        client.state = State::Flushing(reason, FLUSHES_MAX);
        client.write_mark = client.written;
        client.due.write = NEVER;
        client.due.auth = NEVER;
        if let Some(access) = &mut client.access
            && matches!(access.stage, Stage::Checking(_))
        {
            access.stage = Stage::Refused;
        }
        client.partial = Partial::default();
        client.backlog = None;
        self.recount(key);
        self.disturbances += 1;
        let client = &mut self.clients[key as usize];
        if client.is_route() {
            self.routes.note_end(key, client, reason);
        } else {
            self.shared.connections.fetch_sub(1, Ordering::Relaxed);
            self.leave_address(key);
            self.leave_account(key);
            self.unsubscribe_all(key);
        }
        self.let_go(key);
        if reason.flushes() {
            self.clients[key as usize].due.close = self.now + FLUSH_MS;
            self.mark_dirty(key);
            self.rearm(key);
        } else {
            self.drop_now(key);
        }
    }

    /// The time of a closing connection is over: it gets more only if it is still sending what waits, and gets on.
    pub(super) fn close_overdue(&mut self, key: u32) {
        let client = &mut self.clients[key as usize];
        match client.state {
            State::Flushing(reason, looks) if looks > 1 && client.written > client.write_mark => {
                client.state = State::Flushing(reason, looks - 1);
                client.write_mark = client.written;
                client.due.close = self.now + FLUSH_MS;
            }
            _ => self.drop_now(key),
        }
    }

    /// Tells the owner to drop the socket.
    pub(super) fn drop_now(&mut self, key: u32) {
        let client = &mut self.clients[key as usize];
        if client.state != State::Gone {
            self.counts.discard(client);
            client.state = State::Gone;
            self.pool.clear(&mut client.out);
            self.actions.push(Action::Drop(key));
        }
    }

    pub(super) fn refuse_connection(&mut self, key: u32) {
        let client = &self.clients[key as usize];
        self.shared.log.about(Level::Error, client, format_args!("maximum connections exceeded"));
        self.close(key, Reason::MaximumConnectionsExceeded, Some(ProtocolError::Connections));
    }

    pub(super) fn refuse_for_memory(&mut self, key: u32) {
        let client = &self.clients[key as usize];
        self.shared.log.about(Level::Error, client, format_args!("maximum memory exceeded, connection refused"));
        self.close(key, Reason::MemoryShort, Some(ProtocolError::ConnectionMemory));
    }

    /// Takes one subscription of a connection away.
    pub(super) fn unsubscribe(&mut self, key: u32, slot: u32) {
        if self.trace {
            self.trace_end(key, self.subs.sid(slot));
        }
        let client = &mut self.clients[key as usize];
        let (interest, account) = (&self.shared.interest, client.account);
        self.subs.remove(&mut client.sids, slot, |sub, target| {
            interest.remove(account, sub.node, sub.queue(), target);
        });
    }
}

impl Broker {
    /// The peer shut its side down.
    pub fn end_of_input(&mut self, key: u32) {
        match self.local.clients[key as usize].state {
            State::Open => self.local.close(key, Reason::ClientClosed, None),
            // It has read the end: nothing to wait for.
            State::Lingering => self.local.drop_now(key),
            State::Flushing(..) | State::Gone => {}
        }
    }

    /// Reading or writing failed.
    pub fn broken(&mut self, key: u32, reason: Reason) {
        match self.local.clients[key as usize].state {
            State::Open => self.local.close(key, reason, None),
            _ => self.local.drop_now(key),
        }
    }

    /// Closes all connections; what waits is to be flushed once.
    pub fn shut_down(&mut self) {
        self.leave_cluster();
        for key in self.keys() {
            self.local.close(key, Reason::ServerShutdown, None);
        }
    }
}
