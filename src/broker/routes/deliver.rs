//! Messages of this server's clients on their way to other servers.

use super::Neighbour;
use crate::broker::client::Publisher;
use crate::broker::deliver::Local;
use crate::broker::mail::{Entry, Recipients};
use crate::interest::{AccountId, Group, Target};
use crate::wire::Message;
use crate::wire::route::{FORWARDED, write};
use std::sync::Arc;

/// What is to be done with a message beside where it goes.
#[derive(Clone, Copy)]
pub(in crate::broker) struct Sending<'a> {
    /// Who published it.
    pub from: Publisher,
    /// The account it was published in.
    pub account: AccountId,
    /// The message.
    pub message: &'a Message<'a>,
    /// Its tail where several have it.
    pub shared: Option<&'a Arc<[u8]>>,
}

impl Local {
    /// Sends a message to a route, whosever it is. True if it was not refused here.
    #[inline]
    pub(in crate::broker) fn send_to_route(&mut self, route: Target, sending: &Sending, queues: &[u8]) -> bool {
        if route.worker() == self.worker {
            return self.deliver_to_route(route, sending, b"", queues);
        }
        let &Sending { from, account, message, shared } = sending;
        let to = Recipients::Route(route, queues);
        self.forward(route.worker(), &Entry { publisher: from, account, message: *message, shared, to });
        true
    }

    /// Queues a message to a route of this worker. False if it is gone or too far behind.
    pub(in crate::broker) fn deliver_to_route(
        &mut self,
        route: Target,
        sending: &Sending,
        origin: &[u8],
        queues: &[u8],
    ) -> bool {
        // A reply may come at once, and is to find who waits for it.
        self.announce_changes();
        let Some(key) = self.routes.key(route) else { return false };
        let Self { clients, shared, pool, .. } = self;
        let client = &mut clients[key as usize];
        if !client.is_open() {
            return false;
        }
        let before = client.out.bytes();
        if before >= client.look_from {
            if !self.admit_to_route(key, sending) {
                return false;
            }
        } else if origin.is_empty() && queues.is_empty() && sending.shared.is_none() && client.headers && !self.trace {
            let message = sending.message;
            let op: &[u8] = if message.header_bytes > 0 { b"HMSG " } else { b"RMSG " };
            let account = shared.interest.account(sending.account).name.as_bytes();
            pool.append_message(&mut client.out, op, account, message.subject, message.tail);
            client.traffic.out_messages += 1;
            client.traffic.out_bytes += u64::from(message.total_bytes);
            self.turn_output += client.out.bytes() - before;
            self.mark_dirty(key);
            return true;
        }
        self.queue_to_route(key, sending, origin, queues);
        true
    }

    /// The same for all but the simplest.
    #[inline(never)]
    fn queue_to_route(&mut self, key: u32, sending: &Sending, origin: &[u8], queues: &[u8]) {
        let mut head = std::mem::take(&mut self.routes.scratch);
        head.clear();
        let Self { clients, shared, pool, .. } = self;
        let client = &mut clients[key as usize];
        let mut without_headers = Vec::new();
        let mut message = *sending.message;
        let mut tail_shared = sending.shared;
        if message.header_bytes > 0 && !client.headers {
            message.tail_without_headers(&mut without_headers);
            message.total_bytes -= message.header_bytes;
            message = Message { tail: &without_headers, header_bytes: 0, ..message };
            tail_shared = None;
        }
        let account = shared.interest.account(sending.account).name.as_bytes();
        let skip = write::message_head(&write::Address { origin, account, queues }, &message, &mut head);
        let before = client.out.bytes();
        match tail_shared.filter(|_| skip == 0) {
            Some(tail) => {
                pool.append(&mut client.out, [&head]);
                pool.append_shared(&mut client.out, tail);
            }
            None => pool.append(&mut client.out, [&head, &message.tail[skip..]]),
        }
        client.traffic.out_messages += 1;
        client.traffic.out_bytes += u64::from(message.total_bytes);
        self.turn_output += client.out.bytes() - before;
        self.mark_dirty(key);
        if self.trace {
            head.extend_from_slice(&message.tail[skip..message.tail.len() - message.total_bytes as usize - 2]);
            self.trace_line_out(key, &head);
            self.trace_payload(&self.clients[key as usize], "->>", message.body(), message.header_bytes as usize);
        }
        self.routes.scratch = head;
    }

    /// Whether a message may be queued to a route that is behind.
    #[inline(never)]
    fn admit_to_route(&mut self, key: u32, sending: &Sending) -> bool {
        let pending = self.clients[key as usize].out.bytes();
        if pending + sending.message.tail.len() <= self.pending_max && self.admit(key, sending.from) {
            return true;
        }
        self.counts.refused += 1;
        let client = &mut self.clients[key as usize];
        let Some(Neighbour { dropped, .. }) = client.neighbour_mut() else { return false };
        *dropped += 1;
        let dropped = *dropped;
        if dropped.is_power_of_two() {
            let client = &self.clients[key as usize];
            self.shared.log.warn(format_args!(
                "{client} - Route is behind with {pending} bytes pending, {dropped} messages not sent so far"
            ));
        }
        false
    }

    /// A message for a queue group whose chosen member has gone, and that has no other one here: to another server that
    /// has one. There it is for the group alone, since whoever else wants it has it from the publisher's server. Servers of
    /// another kind have no way to be told so, and are passed over if they want it anyway.
    pub(in crate::broker) fn send_elsewhere(&mut self, group: &Group, routes: &[Target], sending: &Sending) -> bool {
        if !sending.from.may_be_forwarded() {
            return false;
        }
        for member in group.members.iter().filter(|member| member.is_route()) {
            let route = member.only_route();
            let Some(client) = self.routes.key(route).map(|key| &self.clients[key as usize]) else { continue };
            let Some(neighbour) = client.neighbour() else { continue };
            if client.cid == sending.from.cid {
                continue;
            }
            let origin = if neighbour.peer.capabilities.forwarded { FORWARDED } else { b"" };
            if (!origin.is_empty() || !routes.contains(&route))
                && self.deliver_to_route(route, sending, origin, group.name)
            {
                return true;
            }
        }
        false
    }
}
