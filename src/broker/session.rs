//! What a client says: from bytes to operations to effects.

use super::answers::is_answer;
use super::auth::permissions::MaySubscribe;
use super::client::{Backlog, Partial, State};
use super::reason::Reason;
use super::subs::NewSub;
use super::{Broker, Occasion, Publisher};
use crate::interest::{AccountId, Linked, Shape, View};
use crate::log::{Level, Plain, Quoted};
use crate::wire::{Bad, Limits, Message, Op, Outcome, ProtocolError, Publish, message, parse, plain_publish, subject};
use std::sync::Arc;

/// The first buffer of an operation that did not come whole.
const PARTIAL_MIN: usize = 512;

/// A queue name that clients may not use.
const RESERVED_QUEUE: &[u8] = b"_sys_";

/// What came of the first operation of some input.
pub(super) enum Step {
    /// It is done; it had so many bytes.
    Done(usize),
    /// It is not whole; of so many bytes, if that is known, else 0.
    More(usize),
    /// The connection is being closed over it.
    Bad,
}

impl Broker {
    /// Room for the next bytes of an operation whose length is known but whose end has not come: the owner may read
    /// into it first, and says how much it read in [`filled`](Self::filled).
    pub fn room(&mut self, key: u32) -> &mut [u8] {
        let partial = &mut self.local.clients[key as usize].partial;
        if partial.need == 0 {
            return &mut [];
        }
        partial.grow();
        let Partial { buffer, have, need } = partial;
        let end = buffer.len().min(*need);
        &mut buffer[*have..end]
    }

    /// That many bytes were read into the [`room`](Self::room).
    pub fn filled(&mut self, key: u32, bytes: usize) {
        self.local.clients[key as usize].partial.have += bytes;
    }

    /// Takes the bytes that came on a connection, behind those in its room. What cannot be worked on before output is
    /// flushed, or before its receivers have caught up, is kept: see [`has_backlog`](Self::has_backlog).
    pub fn receive(&mut self, key: u32, input: &[u8]) {
        let done = self.work_on(key, input);
        if done < input.len() {
            let mut bytes = self.spares.take();
            bytes.extend_from_slice(&input[done..]);
            self.local.clients[key as usize].backlog = Some(Box::new(Backlog { bytes, done: 0 }));
        }
        self.local.recount_input(key);
    }

    /// True if bytes that were read are still to be worked on; nothing more is to be read before that.
    pub fn has_backlog(&self, key: u32) -> bool {
        self.local.clients[key as usize].backlog.is_some()
    }

    /// Goes on with the backlog of a connection.
    pub fn work_off(&mut self, key: u32) {
        let Some(mut backlog) = self.local.clients[key as usize].backlog.take() else { return };
        backlog.done += self.work_on(key, &backlog.bytes[backlog.done..]);
        if backlog.done < backlog.bytes.len() {
            self.local.clients[key as usize].backlog = Some(backlog);
        } else {
            self.spares.give(backlog.bytes);
        }
        self.local.recount_input(key);
    }

    /// Works on input; returns how much of it is done with.
    fn work_on(&mut self, key: u32, input: &[u8]) -> usize {
        if self.local.clients[key as usize].is_route() {
            return self.work_on_route(key, input);
        }
        let mut used = 0;
        if self.local.clients[key as usize].partial.have > 0 {
            used = self.complete(key, input, Self::client_step);
        }
        let mut limits = self.limits_of(key);
        while used < input.len() {
            let client = &self.local.clients[key as usize];
            if !client.is_open() {
                return input.len();
            }
            if client.held_by > 0 || self.should_flush() {
                return used;
            }
            used += self.publish_run(key, &input[used..], &limits);
            let rest = &input[used..];
            let client = &self.local.clients[key as usize];
            if rest.is_empty() || client.held_by > 0 || !client.is_open() || self.should_flush() {
                continue;
            }
            if client.is_unknown() && !self.admit_first(key, rest[0]) {
                continue;
            }
            match parse(rest, &limits) {
                Outcome::Done(op, bytes) => {
                    used += bytes;
                    self.operate(key, op);
                    limits = self.limits_of(key);
                }
                Outcome::More(need) => {
                    self.keep(key, rest, need);
                    return input.len();
                }
                Outcome::Bad(bad) => {
                    self.refuse(key, &bad, rest);
                    return input.len();
                }
            }
        }
        used
    }

    /// Works on the PUBs that the input starts with, as long as they are plain ones and nothing about the connection can
    /// change. Returns how many bytes they were.
    #[inline(always)]
    fn publish_run(&mut self, key: u32, input: &[u8], limits: &Limits) -> usize {
        let client = &self.local.clients[key as usize];
        if client.verbose || client.pedantic || self.local.trace || !client.is_open() {
            return 0;
        }
        let from = Publisher { worker: self.local.worker, key, cid: client.cid };
        let account = client.account;
        let permission_set = client.permission_set();
        let mut hint = client.match_hint;
        let disturbances = self.local.disturbances;
        let (mut used, mut messages, mut bytes) = (0, 0, 0);
        while let Some(publish) = plain_publish(&input[used..], limits) {
            let is_special = |first: Option<&u8>| matches!(first, Some(b'_' | b'$'));
            if is_special(publish.subject.first())
                || (publish.reply_bytes > 0 && is_special(publish.tail.first()) && is_reserved_reply(publish.tail))
            {
                break;
            }
            let message = Message {
                subject: publish.subject,
                tail: publish.tail,
                reply_bytes: publish.reply_bytes as u32,
                header_bytes: publish.header_bytes as u32,
                total_bytes: publish.size as u32,
            };
            hint = self.cache.place(&self.shared.interest, account, message.subject, hint);
            // What clients may do is a matter of the subject that this one is mapped to.
            if matches!(self.cache.matched(hint).shape, Shape::Mapped) {
                break;
            }
            if permission_set != 0 && !self.is_permitted(key, message.subject, hint, permission_set) {
                break;
            }
            used += publish.used;
            messages += 1;
            bytes += publish.size as u64;
            if self.is_fan_out(hint) {
                let (run_used, run_messages, run_bytes) =
                    self.fan_out(from, account, &message, &input[used..], limits, hint);
                used += run_used;
                messages += run_messages;
                bytes += run_bytes;
            } else {
                self.publish_to(from, account, &message, hint);
            }
            if self.should_flush() || self.cache.is_costly() || self.local.disturbances != disturbances {
                break;
            }
        }
        self.local.charge(self.cache.take_cost());
        if messages > 0 {
            let now = self.local.now;
            let client = &mut self.local.clients[key as usize];
            client.match_hint = hint;
            client.traffic.in_messages += messages;
            client.traffic.in_bytes += bytes;
            client.active_at = now;
        }
        used
    }

    /// Whether a connection with permissions may publish to the subject that the cache has at `place`, by its patterns alone.
    #[inline(always)]
    fn is_permitted(&mut self, key: u32, subject: &[u8], place: u32, permission_set: u64) -> bool {
        self.cache.is_permitted(place, permission_set) || self.permit(key, subject, place)
    }

    #[inline(never)]
    fn permit(&mut self, key: u32, subject: &[u8], place: u32) -> bool {
        let access = self.local.clients[key as usize].access.as_ref();
        let Some(permissions) = access.and_then(|access| access.permissions()) else { return true };
        let is_permitted = permissions.may_publish(subject);
        if is_permitted {
            self.cache.permit(place, permissions.id);
        }
        is_permitted
    }

    /// Keeps the first bytes of an operation.
    pub(super) fn keep(&mut self, key: u32, bytes: &[u8], need: usize) {
        let partial = &mut self.local.clients[key as usize].partial;
        partial.buffer = self.spares.take();
        partial.need = need;
        partial.add(bytes);
    }

    /// Does the first operation of a client's input.
    fn client_step(&mut self, key: u32, input: &[u8]) -> Step {
        match parse(input, &self.limits_of(key)) {
            Outcome::Done(op, bytes) => {
                self.operate(key, op);
                Step::Done(bytes)
            }
            Outcome::More(need) => Step::More(need),
            Outcome::Bad(bad) => {
                self.refuse(key, &bad, input);
                Step::Bad
            }
        }
    }

    /// Goes on with an operation that began in earlier input, which `step` does once it is whole. Returns how much of this
    /// one it took.
    pub(super) fn complete(&mut self, key: u32, input: &[u8], step: fn(&mut Self, u32, &[u8]) -> Step) -> usize {
        let mut used = 0;
        loop {
            let client = &mut self.local.clients[key as usize];
            if !client.is_open() {
                return input.len();
            }
            let mut partial = std::mem::take(&mut client.partial);
            let rest = &input[used..];
            // No more than belongs to this operation, or to its line while the rest is not known.
            let take = match partial.need {
                0 => memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1),
                need => rest.len().min(need - partial.have),
            };
            partial.add(&rest[..take]);
            used += take;
            // The payload's CR is looked at before its LF is there: a wrong byte is an error at once.
            if partial.have + 1 < partial.need {
                self.local.clients[key as usize].partial = partial;
                return used;
            }
            match step(self, key, &partial.buffer[..partial.have]) {
                Step::Done(bytes) => {
                    debug_assert_eq!(bytes, partial.have);
                    self.spares.give(partial.buffer);
                    return used;
                }
                Step::More(need) => {
                    partial.need = need;
                    self.local.clients[key as usize].partial = partial;
                    if used == input.len() {
                        return used;
                    }
                }
                Step::Bad => return input.len(),
            }
        }
    }

    fn operate(&mut self, key: u32, op: Op) {
        if self.local.traces() {
            self.local.trace_in(key, &op);
        }
        match op {
            Op::Publish(publish) => self.publish_op(key, &publish),
            other => self.other_op(key, other),
        }
    }

    #[inline(never)]
    fn other_op(&mut self, key: u32, op: Op) {
        let now = self.local.now;
        match op {
            Op::Subscribe { subject, queue, sid } => self.subscribe(key, subject, queue, sid),
            Op::Unsubscribe { sid, max } => self.unsubscribe(key, sid, max),
            Op::Ping => self.ping(key),
            Op::Pong => self.pong(key),
            Op::Connect(document) => self.connect(key, document),
            Op::Info(document) => self.info(key, document),
            Op::Publish(_) | Op::Okay => {}
            Op::Error(text) => {
                let client = &self.local.clients[key as usize];
                self.shared.log.about(Level::Error, client, format_args!("Client Error {}", Quoted(text)));
                self.local.close(key, Reason::ParseError, None);
            }
        }
        if !matches!(op, Op::Pong) {
            self.local.clients[key as usize].active_at = now;
        }
    }

    fn publish_op(&mut self, key: u32, publish: &Publish) {
        let now = self.local.now;
        let client = &mut self.local.clients[key as usize];
        client.traffic.in_messages += 1;
        client.traffic.in_bytes += publish.body.len() as u64;
        client.active_at = now;
        let from = Publisher { worker: self.local.worker, key, cid: client.cid };
        let (account, hint) = (client.account, client.match_hint);
        match self.mapped(account, publish.subject, hint) {
            None => self.publish_if_allowed(from, account, publish, hint),
            Some(linked) => {
                // What is lost has no subject any more, and so finds nobody.
                let subject = linked.choose(self.random.below(100) as u8).unwrap_or_default();
                self.publish_if_allowed(from, View::Mapped.of(account), &Publish { subject, ..*publish }, hint);
            }
        }
    }

    /// What a subject of an account is mapped to, if it is.
    fn mapped(&mut self, account: AccountId, subject: &[u8], hint: u32) -> Option<Arc<Linked>> {
        if !self.auth.maps {
            return None;
        }
        let place = self.cache.place(&self.shared.interest, account, subject, hint);
        let matched = self.cache.matched(place);
        matched.linked().filter(|_| matched.shape == Shape::Mapped).cloned()
    }

    fn publish_if_allowed(&mut self, from: Publisher, account: AccountId, publish: &Publish, hint: u32) {
        if !self.may_publish(from.key, publish) {
            return;
        }
        match publish.tail {
            Some(tail) => self.publish_or_answer(from, account, &message::from_publish(publish, tail), hint),
            None => {
                let mut tail = std::mem::take(&mut self.scratch);
                message::rewrite_tail(publish, &mut tail);
                self.publish_or_answer(from, account, &message::from_publish(publish, &tail), hint);
                self.scratch = tail;
            }
        }
    }

    fn publish_or_answer(&mut self, from: Publisher, account: AccountId, message: &Message, hint: u32) {
        if is_answer(message.subject) && self.take_answer(from, account, message) {
            // Whoever else listens hears it too, and nobody is told if there is nobody.
            self.publish_in(from, account, message, None);
        } else {
            self.publish(from, account, message, hint);
        }
    }

    /// The checks of subject and reply, and the `+OK`.
    fn may_publish(&mut self, key: u32, publish: &Publish) -> bool {
        let client = &self.local.clients[key as usize];
        let (verbose, pedantic) = (client.verbose, client.pedantic);
        let Publish { subject, reply, .. } = *publish;
        if pedantic && !subject::is_valid_publish(subject) {
            self.local.complain(key, ProtocolError::PublishSubject);
        }
        if is_reserved_subject(subject) || !self.local.may_publish(key, subject) {
            let client = &self.local.clients[key as usize];
            self.shared.log.about(
                Level::Error,
                client,
                format_args!("Publish Violation - Subject {}", Quoted(subject)),
            );
            self.local.complain(key, ProtocolError::PublishPermission(subject));
            return false;
        }
        if is_reserved_reply(reply) {
            let client = &self.local.clients[key as usize];
            self.shared.log.about(Level::Error, client, format_args!("Publish Violation - Reply {}", Quoted(reply)));
            self.local.complain(key, ProtocolError::ReplyPermission(reply));
            return false;
        }
        if verbose {
            self.okay(key);
        }
        self.local.clients[key as usize].is_open()
    }

    fn okay(&mut self, key: u32) {
        self.local.trace_out(key, "OK");
        self.local.send(key, [b"+OK\r\n"]);
    }

    pub(super) fn okay_if_verbose(&mut self, key: u32) {
        if self.local.clients[key as usize].verbose {
            self.okay(key);
        }
    }

    /// What the client's operations may be like. Not inlined, because there is no room for it among what the loop over
    /// messages keeps at hand.
    #[inline(never)]
    fn limits_of(&self, key: u32) -> Limits {
        let client = &self.local.clients[key as usize];
        let payload_max = client.payload_max(self.limits.payload_max);
        Limits { headers: client.headers, payload_max, ..self.limits }
    }

    fn subscribe(&mut self, key: u32, subject: &[u8], queue: &[u8], sid: &[u8]) {
        let may_subscribe = self.local.may_subscribe(key, subject, queue);
        let options = &self.local.options;
        let client = &self.local.clients[key as usize];
        let log = &self.shared.log;
        if queue == RESERVED_QUEUE || may_subscribe == MaySubscribe::No {
            let (subject_quoted, sid) = (Quoted(subject), Plain(sid));
            let queue_shown = if queue.is_empty() { String::new() } else { format!(", Queue: {}", Quoted(queue)) };
            let text = format_args!("Subscription Violation - Subject {subject_quoted}{queue_shown}, SID {sid}");
            log.about(Level::Error, client, text);
            return self.local.complain(key, ProtocolError::SubscriptionPermission(subject, queue));
        }
        if options.max_sub_tokens > 0 && subject::tokens(subject).count() > options.max_sub_tokens {
            let error = ProtocolError::Tokens(subject);
            log.about(Level::Error, client, format_args!("{}", error.text()));
            return self.local.complain(key, error);
        }
        if client.has_all_subscriptions(options.max_subscriptions) {
            log.about(Level::Error, client, format_args!("maximum subscriptions exceeded"));
            return self.local.complain(key, ProtocolError::Subscriptions);
        }
        if self.local.is_short() {
            log.about(Level::Error, client, format_args!("maximum memory exceeded, subscription refused"));
            self.local.counts.refused_subs += 1;
            return self.local.complain(key, ProtocolError::SubscriptionMemory);
        }
        if self.local.subs.find(&client.sids, sid).is_none() {
            if !subject::is_valid_subscription(subject) {
                return self.local.complain(key, ProtocolError::Subject);
            }
            let is_filtered = may_subscribe == MaySubscribe::InPart;
            let client = &mut self.local.clients[key as usize];
            let (interest, account) = (&self.shared.interest, client.account);
            if let Some(access) = client.access.as_mut().filter(|_| is_filtered) {
                access.is_filtered = true;
            }
            let register = |target| interest.insert(account, subject, queue, target);
            let made = NewSub { client: key, sid, queue, subject_bytes: subject.len(), is_filtered };
            self.local.subs.insert(made, &mut client.sids, register);
            self.local.count_sub(subject.len());
            if is_filtered {
                self.local.watch(key);
            }
        }
        self.okay_if_verbose(key);
    }

    fn unsubscribe(&mut self, key: u32, sid: &[u8], max: u32) {
        // First, as the official server does it; and if that ends the connection, there is no such subscription any more.
        self.okay_if_verbose(key);
        let client = &self.local.clients[key as usize];
        let Some(slot) = self.local.subs.find(&client.sids, sid) else { return };
        let sub = self.local.subs.at(slot);
        if max > sub.delivered {
            sub.max = max;
        } else {
            self.local.unsubscribe(key, slot);
        }
    }

    fn ping(&mut self, key: u32) {
        self.local.trace_out(key, "PONG");
        self.local.send(key, [b"PONG\r\n"]);
        let now_us = self.local.now_us;
        let client = &mut self.local.clients[key as usize];
        // The first one follows the INFO that greeted it: a round trip from then to now.
        if client.round_trip_us == 0 {
            client.note_round_trip(client.opened_us, now_us);
        }
        if client.is_open() && client.connected && !std::mem::replace(&mut client.informed, client.connected) {
            if client.protocol == 0 {
                return;
            }
            self.send_info(key, Occasion::Answer);
        }
    }

    fn pong(&mut self, key: u32) {
        let now_us = self.local.now_us;
        let client = &mut self.local.clients[key as usize];
        if std::mem::take(&mut client.pings_out) > 0 {
            client.note_round_trip(client.pinged_us, now_us);
        }
    }

    fn info(&mut self, key: u32, document: &[u8]) {
        let text = String::from_utf8_lossy(document);
        if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_err() {
            let client = &self.local.clients[key as usize];
            self.shared.log.about(Level::Error, client, format_args!("INFO: bad JSON"));
            self.local.close(key, Reason::ProtocolViolation, None);
        }
    }

    /// Ends a connection over what it sent; `input` starts with the operation that is wrong.
    #[inline(never)]
    fn refuse(&mut self, key: u32, bad: &Bad, input: &[u8]) {
        let client = &self.local.clients[key as usize];
        let log = &self.shared.log;
        let (reason, error) = match bad {
            Bad::UnknownOperation => {
                let start = Quoted(&input[..input.len().min(32)]);
                log.about(Level::Error, client, format_args!("Client parser ERROR, state=0, i=0: proto='{start}...'"));
                (Reason::ProtocolViolation, Some(ProtocolError::UnknownOperation))
            }
            Bad::ControlLine => {
                log.about(Level::Error, client, format_args!("maximum control line exceeded"));
                (Reason::MaximumControlLineExceeded, Some(ProtocolError::ControlLine))
            }
            Bad::Payload { size } => {
                let limit = client.payload_max(self.limits.payload_max);
                log.about(Level::Error, client, format_args!("maximum payload exceeded: {size} vs {limit}"));
                (Reason::MaximumMessagePayloadExceeded, Some(ProtocolError::Payload))
            }
            Bad::Arguments { what, line } => {
                log.about(Level::Error, client, format_args!("{what}: {}", Quoted(line)));
                (Reason::ProtocolViolation, None)
            }
            Bad::HeadersNotSupported => {
                log.about(Level::Error, client, format_args!("message headers not supported"));
                (Reason::ProtocolViolation, None)
            }
        };
        self.local.close(key, reason, error);
    }

    /// True if the owner should read from the connection.
    pub fn wants_input(&self, key: u32) -> bool {
        let client = &self.local.clients[key as usize];
        match client.state {
            State::Open => client.held_by == 0,
            State::Flushing(..) | State::Lingering => true,
            State::Gone => false,
        }
    }
}

/// Subjects that only servers may publish to.
fn is_reserved_subject(subject: &[u8]) -> bool {
    is_below(subject, b"_GR_.") || subject.starts_with(b"$NRG.")
}

/// Reply subjects that only servers may use; `reply` may go on behind the subject.
fn is_reserved_reply(reply: &[u8]) -> bool {
    reply.starts_with(b"_R_.") || is_below(reply, b"$JS.ACK.") || is_below(reply, b"_GR_.")
}

/// True if the subject has the prefix and something behind it.
fn is_below(subject: &[u8], prefix: &[u8]) -> bool {
    subject.strip_prefix(prefix).is_some_and(|rest| rest.first().is_some_and(|&byte| byte != b' '))
}

impl Partial {
    /// Appends bytes.
    fn add(&mut self, bytes: &[u8]) {
        let end = self.have + bytes.len();
        while self.buffer.len() < end {
            self.widen(end);
        }
        self.buffer[self.have..end].copy_from_slice(bytes);
        self.have = end;
    }

    /// Makes room for more of an operation of known length: never more than has come already, so that a peer pays for
    /// the memory it takes with the bytes it sends.
    fn grow(&mut self) {
        if self.buffer.len() == self.have && self.have < self.need {
            self.widen(self.have + 1);
        }
    }

    fn widen(&mut self, at_least: usize) {
        let mut len = (self.have * 2).max(at_least).max(PARTIAL_MIN);
        if self.need > 0 {
            len = len.min(self.need).max(at_least);
        }
        self.buffer.reserve_exact(len - self.buffer.len());
        self.buffer.resize(len, 0);
    }
}
