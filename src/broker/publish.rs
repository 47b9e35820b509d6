//! From a published message to everyone who wants it.

use super::Broker;
use super::client::Publisher;
use super::mail::{Batch, Entry, Mail, Recipients};
use super::routes::{ROUTE_WORKER, Sending};
use crate::interest::{AccountId, Group, Matched, Shape, Target, View};
use crate::wire::{Message, message};
use std::sync::Arc;

/// A tail this large is shared by its receivers instead of being copied to each, if it has several.
const SHARE_MIN: usize = 4 * 1024;

/// What a subscription that does not take a message counts as, in bytes of output: about the time it costs.
pub(super) const REFUSAL_BYTES: usize = 64;

impl Broker {
    /// Delivers a message of a connection of this worker. `hint` is where the cache had its last subject; returns
    /// where it has this one.
    #[inline(always)]
    pub(super) fn publish(&mut self, from: Publisher, account: AccountId, message: &Message, hint: u32) -> u32 {
        let place = self.cache.place(&self.shared.interest, account, message.subject, hint);
        self.local.charge(self.cache.take_cost());
        self.publish_to(from, account, message, place);
        place
    }

    /// Delivers a message to those the cache has at `place`.
    #[inline(always)]
    pub(super) fn publish_to(&mut self, from: Publisher, account: AccountId, message: &Message, place: u32) {
        let delivered = match self.cache.matched(place).shape {
            Shape::Nobody => false,
            Shape::One(only) => self.local.deliver(only, from, message, None),
            Shape::Route(route) => {
                self.local.send_to_route(route, &Sending { from, account, message, shared: None }, b"")
            }
            Shape::Several | Shape::Mixed => self.publish_to_many(from, account, message, place),
            Shape::Linked | Shape::Mapped => self.publish_linked(from, account, message, place),
        };
        if !delivered && message.reply_bytes > 0 {
            self.no_responders(from, account, message);
        }
    }

    /// True if anyone got it.
    #[inline(never)]
    fn publish_to_many(&mut self, from: Publisher, account: AccountId, message: &Message, place: u32) -> bool {
        let Self { cache, local, random, .. } = self;
        local.publish_matched(random, from, account, message, cache.matched(place))
    }

    /// Tells a requester that nobody got its request, if it wants to know and subscribed to the reply itself.
    #[inline(never)]
    fn no_responders(&mut self, from: Publisher, account: AccountId, message: &Message) {
        if !self.local.clients[from.key as usize].no_responders {
            return;
        }
        let mut matched = Matched::default();
        let interest = &self.shared.interest;
        let hash = interest.subject_hash().of(message.reply());
        let account = View::Alone.of(account);
        let cost = interest.find(account, message.reply(), hash, self.local.worker, &mut matched);
        self.local.charge(cost);
        for target in matched.plain {
            if let Some(sub) = self.local.subs.get_mut(target)
                && sub.client == from.key
            {
                let notice = message::no_responders(message.reply(), sub.sid.bytes(), message.subject);
                return self.local.send(from.key, [&notice]);
            }
        }
    }

    /// A letter from another worker's broker. If it causes more output than should be queued at once, the rest of it
    /// waits for [`work_off_mail`](Self::work_off_mail), which is to be called before the next letter is given.
    pub fn receive_mail(&mut self, mail: Mail) {
        match mail {
            Mail::Messages(batch) => self.deliver_batch(batch, 0),
            Mail::Hold(publisher) => self.local.hold(publisher),
            Mail::Release(publisher) => self.local.release(publisher),
            // The owner has interest announced before it writes, in any case.
            Mail::Announce => {}
            Mail::News(news) => self.take_news(news),
            // Memory is looked at whenever output was flushed, and so after letters.
            Mail::Look => {}
        }
    }

    /// Goes on with the last letter.
    pub fn work_off_mail(&mut self) {
        if let Some((batch, done)) = self.batch_in_hand.take() {
            self.deliver_batch(batch, done);
        }
    }

    /// Delivers what is behind the first `done` bytes of a batch.
    fn deliver_batch(&mut self, batch: Batch, mut done: usize) {
        while let Some((entry, next)) = batch.entry(done) {
            if self.should_flush() {
                self.batch_in_hand = Some((batch, done));
                return;
            }
            match entry.to {
                Recipients::Plain => self.deliver_plain(&entry),
                Recipients::Member(target, name) => self.deliver_to_member(&entry, target, name),
                Recipients::Route(route, names) => _ = self.local.deliver_to_route(route, &sending(&entry), b"", names),
                Recipients::Elsewhere(name) => self.deliver_elsewhere(&entry, name),
                Recipients::Asker => _ = self.take_answer(entry.publisher, entry.account, &entry.message),
            }
            done = next;
        }
        self.local.recycle(batch);
    }

    fn deliver_plain(&mut self, entry: &Entry) {
        let place = self.place_of(entry);
        let matched = self.cache.matched(place);
        for &target in &matched.plain {
            if !self.local.deliver(target, entry.publisher, &entry.message, entry.shared) {
                self.local.charge(REFUSAL_BYTES);
            }
        }
    }

    /// Another worker chose this member. If it has gone since, the group may have others anywhere; by then a later message
    /// may have overtaken this one. If it does not want the message, only those here are asked, unless this is the
    /// publisher's own worker: so no message goes to and fro for ever. The last resort is a member on another server.
    fn deliver_to_member(&mut self, entry: &Entry, target: Target, name: &[u8]) {
        let is_gone = self.local.subs.get(target).is_none();
        let anywhere = is_gone || entry.publisher.worker == self.local.worker;
        if self.local.deliver(target, entry.publisher, &entry.message, entry.shared) {
            return;
        }
        let place = self.place_of(entry);
        let matched = self.cache.matched(place);
        let Some(group) = matched.groups().find(|group| group.name == name) else { return };
        match self.local.choose(&mut self.random, &group, entry, anywhere) {
            Chosen::Taken => {}
            Chosen::Nobody | Chosen::Route(_) if self.local.worker == ROUTE_WORKER => {
                self.local.send_elsewhere(&group, matched.routes(), &sending(entry));
            }
            Chosen::Nobody | Chosen::Route(_) if group.has_routes => {
                self.local.forward(ROUTE_WORKER, &Entry { to: Recipients::Elsewhere(name), ..*entry });
            }
            Chosen::Nobody | Chosen::Route(_) => {}
        }
    }

    fn deliver_elsewhere(&mut self, entry: &Entry, name: &[u8]) {
        let place = self.place_of(entry);
        let matched = self.cache.matched(place);
        if let Some(group) = matched.groups().find(|group| group.name == name) {
            self.local.send_elsewhere(&group, matched.routes(), &sending(entry));
        }
    }

    fn place_of(&mut self, entry: &Entry) -> u32 {
        let Entry { account, message, .. } = entry;
        let interest = &self.shared.interest;
        self.mail_hint = self.cache.place(interest, *account, message.subject, self.mail_hint);
        // The account may have got links since this was sent.
        if self.cache.matched(self.mail_hint).linked().is_some() {
            self.mail_hint = self.cache.place(interest, View::Alone.of(*account), message.subject, self.mail_hint);
        }
        self.local.charge(self.cache.take_cost());
        self.mail_hint
    }
}

impl super::Local {
    /// Delivers a message to all that a result of the cache has. True if anyone got it.
    #[inline]
    pub(super) fn publish_matched(
        &mut self,
        random: &mut super::Random,
        from: Publisher,
        account: AccountId,
        message: &Message,
        matched: &Matched,
    ) -> bool {
        let shared = share(message, matched);
        let mut delivered = false;
        for &target in &matched.plain {
            match self.deliver(target, from, message, shared.as_ref()) {
                true => delivered = true,
                false => self.charge(REFUSAL_BYTES),
            }
        }
        if matches!(matched.shape, Shape::Mixed | Shape::Route(_)) {
            let entry =
                Entry { publisher: from, account, message: *message, shared: shared.as_ref(), to: Recipients::Plain };
            for &worker in matched.remotes() {
                self.forward(worker, &entry);
                delivered = true;
            }
            for (at, group) in matched.groups().enumerate() {
                match self.choose(random, &group, &entry, true) {
                    Chosen::Nobody => {}
                    Chosen::Taken => delivered = true,
                    Chosen::Route(route) => self.picks.push((route, at)),
                }
            }
            if !matched.routes().is_empty() || !self.picks.is_empty() {
                delivered |= self.publish_to_routes(matched, &Sending { from, account, message, shared: entry.shared });
            }
        }
        delivered
    }

    /// Gives a message to one member of a queue group: from a random one on, the first that takes it. The member may be
    /// another worker's if it may be `anywhere`. If it is another server's, nothing is done but to say so; the messages of
    /// other servers are not for those.
    #[inline]
    pub(super) fn choose(
        &mut self,
        random: &mut super::Random,
        group: &Group,
        entry: &Entry,
        anywhere: bool,
    ) -> Chosen {
        if group.has_routes {
            return self.choose_among_servers(random, group, entry, anywhere);
        }
        let count = group.members.len();
        let start = random.below(count);
        for at in (start..count).chain(0..start) {
            if self.offer(group.members[at], group.name, entry, anywhere) {
                return Chosen::Taken;
            }
        }
        Chosen::Nobody
    }

    #[inline(never)]
    fn choose_among_servers(
        &mut self,
        random: &mut super::Random,
        group: &Group,
        entry: &Entry,
        anywhere: bool,
    ) -> Chosen {
        if !entry.publisher.is_client() {
            // Routes are not skipped in the order of all: who comes after one would be chosen more often than others.
            let ours = group.members.iter().copied().filter(|member| !member.is_route());
            let start = random.below(ours.clone().count().max(1));
            let mut order = ours.clone().skip(start).chain(ours.take(start));
            let is_taken = order.any(|target| self.offer(target, group.name, entry, anywhere));
            return if is_taken { Chosen::Taken } else { Chosen::Nobody };
        }
        for target in group.from(random.below(group.weight as usize) as u32) {
            if target.is_route() {
                return Chosen::Route(target.only_route());
            }
            if self.offer(target, group.name, entry, anywhere) {
                return Chosen::Taken;
            }
        }
        Chosen::Nobody
    }

    /// Gives a message to a member of a queue group, or sends it to the worker that has it. False if it does not take it, or
    /// is another worker's and the message may not go there.
    #[inline(always)]
    fn offer(&mut self, target: Target, name: &[u8], entry: &Entry, anywhere: bool) -> bool {
        if target.worker() != self.worker {
            if anywhere {
                self.forward(target.worker(), &Entry { to: Recipients::Member(target, name), ..*entry });
            }
            return anywhere;
        }
        let is_taken = self.deliver(target, entry.publisher, &entry.message, entry.shared);
        if !is_taken {
            self.charge(REFUSAL_BYTES);
        }
        is_taken
    }

    /// Sends a message to the routes that want it and to those that were picked for queue groups, once to each.
    #[inline(never)]
    fn publish_to_routes(&mut self, matched: &Matched, sending: &Sending) -> bool {
        let mut delivered = false;
        if self.picks.is_empty() {
            for &route in matched.routes() {
                delivered |= self.send_to_route(route, sending, b"");
            }
            return delivered;
        }
        let mut picks = std::mem::take(&mut self.picks);
        picks.sort_unstable();
        for &route in matched.routes() {
            if picks.binary_search_by_key(&route, |pick| pick.0).is_err() {
                delivered |= self.send_to_route(route, sending, b"");
            }
        }
        let mut names = std::mem::take(&mut self.names);
        for same in picks.chunk_by(|one, other| one.0 == other.0) {
            names.clear();
            for &(_, at) in same {
                if !names.is_empty() {
                    names.push(b' ');
                }
                names.extend_from_slice(matched.groups().nth(at).map_or(b"", |group| group.name));
            }
            delivered |= self.send_to_route(same[0].0, sending, &names);
        }
        self.names = names;
        picks.clear();
        self.picks = picks;
        delivered
    }
}

/// Who of a queue group gets a message.
pub(super) enum Chosen {
    /// Nobody takes it.
    Nobody,
    /// It is on its way.
    Taken,
    /// A client behind this route.
    Route(Target),
}

fn sending<'a>(entry: &'a Entry) -> Sending<'a> {
    Sending { from: entry.publisher, account: entry.account, message: &entry.message, shared: entry.shared }
}

/// The tail as something several receivers can hold together, if that is worth a copy.
#[inline]
pub(super) fn share(message: &Message, matched: &Matched) -> Option<Arc<[u8]>> {
    if message.tail.len() < SHARE_MIN {
        return None;
    }
    let has_several = matched.held() > 1 || !matched.remotes().is_empty();
    has_several.then(|| Arc::from(message.tail))
}
