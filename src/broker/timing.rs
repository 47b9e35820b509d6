//! What becomes due: pings, write deadlines, stalls, the end of closing connections.

use super::client::{NEVER, State};
use super::deliver::Local;
use super::reason::Reason;
use super::{Action, Broker};
use crate::config::WriteTimeout;
use crate::config::value::go_duration;
use crate::wire::ProtocolError;

/// The first PING comes this long after CONNECT at the latest, so that a round-trip time is known early.
const FIRST_PING_MS: u64 = 2000;

/// A PING is sent at least this often, however busy the connection is.
const ROUND_TRIP_MS: u64 = 60 * 60 * 1000;

impl Local {
    /// Asks for a timer if something is due before the one that is set.
    pub(super) fn rearm(&mut self, key: u32) {
        let client = &mut self.clients[key as usize];
        let next = client.due.next();
        if next < client.armed {
            client.armed = next;
            self.actions.push(Action::Arm(key, next));
        }
    }

    /// A connection did not take all that was to be written.
    pub fn blocked(&mut self, key: u32) {
        let client = &mut self.clients[key as usize];
        if !client.is_open() {
            return;
        }
        if client.due.write == NEVER || client.written >= client.write_mark {
            // A route that takes anything at all stays: all that the two servers know of each other hangs on it.
            let (patience, goal) = match client.is_route() {
                true => (self.options.cluster_write_deadline(), 1),
                false => (self.options.write_deadline, client.out.bytes() as u64),
            };
            client.write_mark = client.written + goal;
            client.due.write = self.now + patience.as_millis() as u64;
            self.rearm(key);
        }
    }

    fn write_overdue(&mut self, key: u32) {
        let client = &mut self.clients[key as usize];
        client.due.write = NEVER;
        let bytes = client.write_mark.saturating_sub(client.written);
        if client.out.is_empty() {
            return;
        }
        if bytes == 0 {
            return self.blocked(key);
        }
        let retries = !client.is_route() && self.options.write_timeout == WriteTimeout::Retry;
        self.shared.log.info(format_args!(
            "{client} - Slow Consumer {}: WriteDeadline of {} exceeded with {} chunks of {} total bytes.",
            if retries { "State" } else { "Detected" },
            go_duration(if client.is_route() {
                self.options.cluster_write_deadline()
            } else {
                self.options.write_deadline
            }),
            bytes.div_ceil(crate::memory::BLOCK_BYTES as u64),
            client.out.bytes(),
        ));
        self.counts.slow(&self.clients[key as usize]);
        if retries {
            return self.blocked(key);
        }
        self.close(key, Reason::SlowConsumerWriteDeadline, None);
    }

    /// The time for the first PING after CONNECT. `jitter` is below 1000.
    pub(super) fn expect_first_ping(&mut self, key: u32, jitter: u64) {
        let interval = self.ping_interval();
        let base = interval.min(FIRST_PING_MS);
        let client = &mut self.clients[key as usize];
        client.due.ping = self.now + base + base * jitter / 5000;
        client.pinged_us = 0;
        self.rearm(key);
    }

    fn ping_interval(&self) -> u64 {
        self.options.ping_interval.as_millis() as u64
    }

    fn ping_timer(&mut self, key: u32) {
        let interval = self.ping_interval();
        let now = self.now;
        let ping_max = self.options.ping_max;
        let client = &mut self.clients[key as usize];
        client.due.ping = now + interval;
        if !client.is_open() {
            client.due.ping = NEVER;
            return;
        }
        if client.security.is_awaited() {
            return;
        }
        // Before it is let in, a client takes anything but an answer for an error.
        if client.is_at_the_door() {
            return;
        }
        // What a held publisher sends, its PONG included, is not read.
        let active = client.held_by > 0 || now - client.active_at < interval;
        if client.pinged_us != 0 && active && now - client.pinged_us / 1000 < ROUND_TRIP_MS {
            return;
        }
        if self.shared.log.debug_on() {
            self.shared.log.debug(format_args!("{client} - Client Ping Timer"));
        }
        if client.pings_out + 1 > ping_max {
            if self.shared.log.debug_on() {
                self.shared.log.debug(format_args!("{client} - Stale Client Connection - Closing"));
            }
            self.counts.stale_connections += 1;
            return self.close(key, Reason::StaleConnection, Some(ProtocolError::Stale));
        }
        client.pings_out += 1;
        client.pinged_us = self.now_us.max(1);
        self.trace_out(key, "PING");
        self.send(key, [b"PING\r\n"]);
    }
}

impl Broker {
    /// The timer of a connection went off.
    pub fn fire(&mut self, key: u32) {
        let now = self.local.now;
        let Some(client) = self.local.clients.get_mut(key as usize) else { return };
        client.armed = NEVER;
        let due = client.due;
        if due.close <= now {
            self.local.close_overdue(key);
        }
        if due.stall <= now {
            self.local.look_at_stall(key);
        }
        if due.handshake <= now {
            self.handshake_due(key);
        }
        if due.write <= now {
            self.local.write_overdue(key);
        }
        if due.ping <= now {
            self.local.ping_timer(key);
        }
        if due.auth <= now {
            self.local.auth_due(key);
        }
        if self.local.clients[key as usize].state != State::Gone {
            self.local.rearm(key);
        }
    }
}
