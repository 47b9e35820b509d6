//! What a peer says: from bytes to operations to effects.

use super::Membership;
use super::announce::TOO_MUCH;
use crate::broker::Broker;
use crate::broker::client::State;
use crate::broker::reason::Reason;
use crate::broker::session::Step;
use crate::cluster::{self, Cluster, Conn};
use crate::interest::remote::Refusal;
use crate::log::{Level, Plain, Quoted};
use crate::wire::route::{self, Interest, Limits, Op, parse, write};
use crate::wire::{Bad, Outcome, ProtocolError};

/// How many times longer than a client's the lines of a route may be.
const CONTROL_LINES: usize = 16;

/// Bytes that a message of a route may have. Its publisher's server has another limit than this one, perhaps.
const PAYLOAD_MAX: usize = 64 << 20;

/// Bytes of an account's name that a peer may use.
const ACCOUNT_BYTES_MAX: usize = 256;

impl Broker {
    /// Works on the input of a route; returns how much of it is done with.
    pub(in crate::broker) fn work_on_route(&mut self, key: u32, input: &[u8]) -> usize {
        let mut used = 0;
        if self.local.clients[key as usize].partial.have > 0 {
            used = self.complete(key, input, Self::route_step);
        }
        while used < input.len() {
            let client = &self.local.clients[key as usize];
            if !client.is_open() {
                return input.len();
            }
            if client.held_by > 0 || self.should_flush() {
                return used;
            }
            match self.route_step(key, &input[used..]) {
                Step::Done(bytes) => used += bytes,
                Step::More(need) => {
                    self.keep(key, &input[used..], need);
                    return input.len();
                }
                Step::Bad => return input.len(),
            }
        }
        used
    }

    /// Does the first operation of the input.
    fn route_step(&mut self, key: u32, input: &[u8]) -> Step {
        let neighbour = self.local.clients[key as usize].neighbour();
        let limits = Limits {
            control_line_max: self.limits.control_line_max * CONTROL_LINES,
            payload_max: PAYLOAD_MAX.max(self.limits.payload_max),
            origin_in_unsubscribe: neighbour.is_none_or(|peer| peer.peer.capabilities.origin_in_unsubscribe),
        };
        match parse(input, &limits) {
            Outcome::Done(Op::Message(message), bytes) if neighbour.is_some() => {
                if self.local.traces() {
                    self.local.trace_route_in(key, &Op::Message(message));
                }
                self.relay(key, &message);
                Step::Done(bytes)
            }
            Outcome::Done(op, bytes) => {
                self.local.trace_route_in(key, &op);
                self.route_op(key, &op);
                Step::Done(bytes)
            }
            Outcome::More(need) => Step::More(need),
            Outcome::Bad(bad) => {
                self.refuse_route(key, &bad, input);
                Step::Bad
            }
        }
    }

    #[inline(never)]
    fn route_op(&mut self, key: u32, op: &Op) {
        let now = self.local.now;
        let client = &mut self.local.clients[key as usize];
        client.active_at = now;
        let (conn, is_registered) = (client.cid, client.neighbour().is_some());
        match op {
            Op::Subscribe(wanted) if is_registered => self.peer_wants(key, wanted),
            Op::Unsubscribe(wanted) if is_registered => self.peer_wants_no_more(key, wanted),
            Op::Ping if is_registered || !self.expects_connect(conn) => {
                self.local.trace_out(key, "PONG");
                self.local.send(key, [write::PONG]);
            }
            Op::Okay | Op::AccountInterest => {}
            Op::Connect(document) => self.tell_cluster(|cluster| cluster.connect(conn, document, now)),
            Op::Info(document) => self.tell_cluster(|cluster| cluster.info(conn, document, now)),
            Op::Pong => {
                let (now_us, pinged_us) =
                    (self.local.now_us, std::mem::take(&mut self.local.clients[key as usize].pinged_us));
                if pinged_us > 0 {
                    self.local.clients[key as usize].note_round_trip(pinged_us, now_us);
                }
                self.tell_cluster(|cluster| cluster.pong(conn, now));
            }
            Op::Error(text) => self.tell_cluster(|cluster| cluster.error(conn, text, now)),
            Op::Message(_) | Op::Subscribe(_) | Op::Unsubscribe(_) | Op::Ping => {
                self.tell_cluster(|cluster| cluster.intrude(conn, now));
            }
        }
    }

    fn expects_connect(&self, conn: Conn) -> bool {
        self.membership.get().is_some_and(|membership| membership.cluster.expects_connect(conn))
    }

    fn tell_cluster(&mut self, tell: impl FnOnce(&mut Cluster)) {
        if let Some(Membership { cluster, .. }) = self.membership.get_mut() {
            tell(cluster);
            self.follow_cluster();
        }
    }

    /// RS+ or LS+.
    fn peer_wants(&mut self, key: u32, wanted: &Interest) {
        let export = self.membership.get().and_then(|membership| membership.export.as_ref());
        if export.is_some_and(|lists| !lists.permit(wanted.subject)) {
            if self.shared.log.debug_on() {
                let (client, subject) = (&self.local.clients[key as usize], Quoted(wanted.subject));
                let text = format_args!("{client} - Can not export {subject}, ignoring remote subscription request");
                self.shared.log.debug(text);
            }
            return;
        }
        let interest = &self.shared.interest;
        let name = std::str::from_utf8(wanted.account).ok().filter(|name| name.len() <= ACCOUNT_BYTES_MAX);
        // It may be an account that a reload brings here later; then the interest must be there.
        let account = name.and_then(|name| interest.account_number(name));
        let client = &mut self.local.clients[key as usize];
        let Some(neighbour) = client.neighbour_mut() else { return };
        let outcome = match account {
            Some(account) => neighbour.remote.subscribe(interest, account, wanted),
            None => Err(Refusal::TooMuch),
        };
        match outcome {
            Ok(()) => self.local.charge(super::SUBSCRIPTION_COST),
            Err(Refusal::Subject) => {
                let client = &self.local.clients[key as usize];
                let subject = Quoted(wanted.subject);
                self.shared.log.about(Level::Error, client, format_args!("Invalid subject in interest: {subject}"));
            }
            Err(Refusal::TooMuch) => {
                let client = &self.local.clients[key as usize];
                self.shared.log.about(Level::Error, client, format_args!("Route wants too many subjects or accounts"));
                self.local.close(key, TOO_MUCH, None);
            }
        }
    }

    /// RS- or LS-.
    fn peer_wants_no_more(&mut self, key: u32, wanted: &Interest) {
        let interest = &self.shared.interest;
        let account = std::str::from_utf8(wanted.account).ok().and_then(|name| interest.find_account(name));
        let neighbour = self.local.clients[key as usize].neighbour_mut();
        if let (Some(account), Some(neighbour)) = (account, neighbour) {
            neighbour.remote.unsubscribe(interest, account, wanted);
            self.local.charge(super::SUBSCRIPTION_COST);
        }
    }

    /// Ends a route over what it sent; `input` starts with the operation that is wrong.
    #[inline(never)]
    fn refuse_route(&mut self, key: u32, bad: &Bad, input: &[u8]) {
        let client = &self.local.clients[key as usize];
        let conn = client.cid;
        if self.expects_connect(conn) {
            let now = self.local.now;
            return self.tell_cluster(|cluster| cluster.intrude(conn, now));
        }
        let log = &self.shared.log;
        let violation = Reason::Route(cluster::Reason::ProtocolViolation);
        let (reason, error) = match bad {
            Bad::UnknownOperation | Bad::HeadersNotSupported => {
                let start = Quoted(&input[..input.len().min(32)]);
                log.about(Level::Error, client, format_args!("Router parser ERROR, state=0, i=0: proto='{start}...'"));
                (violation, Some(ProtocolError::UnknownOperation))
            }
            Bad::ControlLine => {
                log.about(Level::Error, client, format_args!("maximum control line exceeded"));
                (Reason::MaximumControlLineExceeded, Some(ProtocolError::ControlLine))
            }
            Bad::Payload { size } => {
                log.about(Level::Error, client, format_args!("maximum payload exceeded: {size} vs {PAYLOAD_MAX}"));
                (Reason::MaximumMessagePayloadExceeded, Some(ProtocolError::Payload))
            }
            Bad::Arguments { what, line } => {
                log.about(Level::Error, client, format_args!("{what}: {}", Quoted(line)));
                (violation, None)
            }
        };
        self.local.close(key, reason, error);
    }
}

impl crate::broker::Local {
    /// A line of the server's own that goes out on a route.
    pub(super) fn trace_line_out(&self, key: u32, lines: &[u8]) {
        if !self.traces() || !matches!(self.clients[key as usize].state, State::Open) {
            return;
        }
        let client = &self.clients[key as usize];
        for line in lines.split(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let name = line.split(|&byte| byte == b' ').next().unwrap_or_default();
            match name {
                b"" | b"INFO" => {}
                b"CONNECT" => {
                    let document = crate::wire::redact::redacted(&line[name.len()..]);
                    self.shared
                        .log
                        .trace(format_args!("{client} - ->> [CONNECT {}]", Plain(document.trim().as_bytes())));
                }
                _ => self.shared.log.trace(format_args!("{client} - ->> [{}]", Plain(line))),
            }
        }
    }

    /// An operation that came on a route.
    pub(super) fn trace_route_in(&self, key: u32, op: &Op) {
        if !self.traces() {
            return;
        }
        let client = &self.clients[key as usize];
        let mut line = Vec::new();
        match op {
            Op::Subscribe(wanted) => write::subscribe(wanted, &mut line),
            Op::Unsubscribe(wanted) => write::unsubscribe(wanted, true, &mut line),
            Op::Message(message) => trace_message(message, &mut line),
            Op::Ping => line.extend_from_slice(b"PING"),
            Op::Pong => line.extend_from_slice(b"PONG"),
            Op::Connect(document) => {
                line.extend_from_slice(b"CONNECT ");
                line.extend_from_slice(crate::wire::redact::redacted(document).as_bytes());
            }
            Op::Info(_) | Op::Okay | Op::Error(_) | Op::AccountInterest => return,
        }
        let shown = line.strip_suffix(b"\r\n").unwrap_or(&line);
        self.shared.log.trace(format_args!("{client} - <<- [{}]", Plain(shown)));
        if let Op::Message(message) = op {
            self.trace_payload(client, "<<-", message.body, message.header_bytes as usize);
        }
    }
}

/// The line of a message, without its end.
fn trace_message(message: &route::Message, out: &mut Vec<u8>) {
    let name: &[u8] = match message.header_bytes {
        _ if !message.origin.is_empty() => b"LMSG",
        0 => b"RMSG",
        _ => b"HMSG",
    };
    let mut words = vec![name];
    words.extend([message.origin, message.account, message.subject].iter().filter(|word| !word.is_empty()));
    if !message.queues.is_empty() {
        words.push(if message.reply.is_empty() { b"|" } else { b"+" });
    }
    words.extend((!message.reply.is_empty()).then_some(message.reply));
    words.extend(message.queues.iter());
    let (header, total) = (message.header_bytes.to_string(), message.body.len().to_string());
    words.extend((message.header_bytes > 0).then_some(header.as_bytes()));
    words.push(total.as_bytes());
    out.extend_from_slice(&words.join(&b' '));
}
