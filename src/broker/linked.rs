//! Messages that are more than their account's business: for subscriptions of accounts that import them, for services of
//! other accounts, and the answers of those.

use super::Broker;
use super::answers::{Waiting, is_answer};
use super::client::Publisher;
use super::mail::{Entry, Recipients};
use super::publish::REFUSAL_BYTES;
use crate::interest::links::{Leg, LinkedGroup, Service, base};
use crate::interest::{AccountId, Linked, Shape, Target, View};
use crate::wire::Message;
use crate::wire::message;
use std::sync::Arc;

/// A request on its way through the services of several accounts.
#[derive(Clone, Copy)]
pub(super) struct Journey {
    /// Where it began.
    from: AccountId,
    /// It goes no further than so many services: a chain without cycles is never that long.
    left: u8,
}

/// Services that one request may go through.
const SERVICES_MAX: u8 = 32;

impl Broker {
    /// Delivers a message of which the cache has at `place` what becomes of it. True if anyone got it.
    #[inline(never)]
    pub(super) fn publish_linked(
        &mut self,
        from: Publisher,
        account: AccountId,
        message: &Message,
        place: u32,
    ) -> bool {
        let Some(linked) = self.cache.matched(place).linked().map(Arc::clone) else { return false };
        if linked.legs.is_empty() {
            // Mapped, and not by the session of the client that published it.
            return match linked.choose(self.random.below(100) as u8) {
                Some(subject) => {
                    self.publish_in(from, View::Mapped.of(account), &Message { subject, ..*message }, None)
                }
                None => false,
            };
        }
        self.publish_legs(from, account, message, &linked, None)
    }

    /// Delivers a message in an account that it comes to by the server's doing. True if anyone got it.
    pub(super) fn publish_in(
        &mut self,
        from: Publisher,
        account: AccountId,
        message: &Message,
        journey: Option<Journey>,
    ) -> bool {
        let place = self.cache.place(&self.shared.interest, account, message.subject, u32::MAX);
        self.local.charge(self.cache.take_cost());
        let Self { cache, local, random, .. } = self;
        let matched = cache.matched(place);
        match (matched.shape, matched.linked()) {
            (Shape::Linked, Some(linked)) => {
                let linked = Arc::clone(linked);
                self.publish_legs(from, account, message, &linked, journey)
            }
            _ => local.publish_matched(random, from, account, message, matched),
        }
    }

    fn publish_legs(
        &mut self,
        from: Publisher,
        account: AccountId,
        message: &Message,
        linked: &Linked,
        journey: Option<Journey>,
    ) -> bool {
        let mut delivered = false;
        for leg in &linked.legs {
            let (account, message) = (View::Alone.of(leg.account), Message { subject: &leg.subject, ..*message });
            let Self { local, random, .. } = self;
            delivered |= local.publish_matched(random, from, account, &message, &leg.matched);
        }
        for group in &linked.groups {
            delivered |= self.choose_in_legs(from, message, group, &linked.legs);
        }
        for (service, subject) in &linked.services {
            let message = Message { subject, ..*message };
            delivered |= self.request(from, base(account), &message, service, journey);
        }
        if linked.asks_server {
            delivered |= self.ask_server(from, base(account), message);
        }
        delivered
    }

    /// Gives a message to one member of a queue group that is in several accounts.
    fn choose_in_legs(&mut self, from: Publisher, message: &Message, group: &LinkedGroup, legs: &[Leg]) -> bool {
        let (before, behind) = group.members.split_at(self.random.below(group.members.len()));
        for &(number, target) in behind.iter().chain(before) {
            let Some(leg) = legs.get(number) else { continue };
            let message = Message { subject: &leg.subject, ..*message };
            if self.give_member(from, leg.account, &message, target, &group.name) {
                return true;
            }
            self.local.charge(REFUSAL_BYTES);
        }
        false
    }

    fn give_member(
        &mut self,
        publisher: Publisher,
        account: AccountId,
        message: &Message,
        target: Target,
        name: &[u8],
    ) -> bool {
        if target.worker() == self.local.worker {
            return self.local.deliver(target, publisher, message, None);
        }
        let (account, to) = (View::Alone.of(account), Recipients::Member(target, name));
        self.local.forward(target.worker(), &Entry { publisher, account, message: *message, shared: None, to });
        true
    }

    /// Has a service of another account answer a message that already has the subject it has there. True if anyone got
    /// it.
    fn request(
        &mut self,
        from: Publisher,
        importer: AccountId,
        message: &Message,
        service: &Service,
        journey: Option<Journey>,
    ) -> bool {
        let Journey { from: origin, left } = journey.unwrap_or(Journey { from: importer, left: SERVICES_MAX });
        let Some(left) = left.checked_sub(1) else { return false };
        let reply = match message.reply() {
            b"" => Vec::new(),
            reply => {
                let (asker, since) = ((from.key, from.cid), self.local.now);
                let (exporter, kind) = (service.exporter, service.answers);
                self.announce_answers(exporter);
                let waiting = Waiting { exporter, importer, reply: reply.into(), kind, asker, since };
                self.answers.wait(waiting, |asker| self.local.is_open(asker))
            }
        };
        let info = self.request_info(from, origin, importer, service.is_shared);
        let mut tail = Vec::with_capacity(message.tail.len() + info.len() + 64);
        let header_bytes = message::write_request(message, &reply, &info, &mut tail);
        let total_bytes = message.total_bytes - message.header_bytes + header_bytes;
        let request = Message { tail: &tail, reply_bytes: reply.len() as u32, header_bytes, total_bytes, ..*message };
        let view = View::Served.of(service.exporter);
        let is_asked = self.publish_in(from, view, &request, Some(Journey { from: origin, left }));
        if !is_asked && !reply.is_empty() {
            self.answers.forget(&reply);
        }
        is_asked
    }

    /// Lets other servers know that answers of this account are waited for here.
    fn announce_answers(&mut self, exporter: AccountId) {
        if !self.answers.announced.contains(&exporter) {
            self.answers.announced.push(exporter);
            // Nobody has this subscription: whoever answers here is heard before it is looked for.
            let nobody = Target::new(self.local.worker, u32::MAX, 0);
            self.shared.interest.insert(exporter, &self.answers.pattern(), b"", nobody);
        }
    }

    /// A message was published that may be an answer to a request of another account. True if it is.
    #[inline(never)]
    pub(super) fn take_answer(&mut self, from: Publisher, account: AccountId, message: &Message) -> bool {
        let Some((worker, token)) = self.answers.parse(message.subject) else { return false };
        if worker != self.local.worker {
            let to = Recipients::Asker;
            let entry = Entry { publisher: from, account, message: *message, shared: None, to };
            return self.local.forward_to_existing(worker, &entry);
        }
        let (now, is_empty) = (self.local.now, message.total_bytes == 0);
        let Self { answers, local, .. } = self;
        let taken = answers.take(token, base(account), is_empty, now, |asker| local.is_open(asker));
        let Some((importer, reply)) = taken else {
            return false;
        };
        let message = Message { subject: &reply, ..*message };
        if is_answer(&reply) && self.take_answer(from, importer, &message) {
            return true;
        }
        self.publish_in(from, View::Served.of(importer), &message, None);
        true
    }

    /// What the header of a request tells the service: a line's value.
    fn request_info(&self, from: Publisher, origin: AccountId, importer: AccountId, is_shared: bool) -> Vec<u8> {
        let name = |account| &*self.shared.interest.account(account).name;
        let service = (origin != importer).then(|| name(importer));
        let client = self.local.client_of(from);
        let info = match client {
            Some(client) if is_shared => self.local.client_info(client, name(origin)).with_service(service),
            client => self.local.brief_info(client, name(origin)).with_service(service),
        };
        info.json()
    }
}
