//! From a published message to everyone who wants it.

use super::Broker;
use super::client::Publisher;
use super::mail::{Batch, Entry, Mail, Recipients};
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
            Shape::Several | Shape::Mixed => self.publish_to_many(from, account, message, place),
            Shape::Linked | Shape::Mapped => self.publish_linked(from, account, message, place),
        };
        if !delivered && message.reply_bytes > 0 {
            self.no_responders(from, account, message);
        }
    }

    /// True if anyone got it.
    #[inline(never)]
    pub(super) fn publish_to_many(
        &mut self,
        from: Publisher,
        account: AccountId,
        message: &Message,
        place: u32,
    ) -> bool {
        let Self { cache, local, random, .. } = self;
        let matched = cache.matched(place);
        let shared = share(message, matched);
        let mut delivered = local.deliver_to_plain(from, account, message, matched, shared.as_ref());
        if matched.shape == Shape::Mixed {
            let entry = |to| Entry { publisher: from, account, message: *message, shared: shared.as_ref(), to };
            for group in matched.groups() {
                delivered |=
                    local.choose(random, &group, &entry(Recipients::Member(group.members[0], group.name)), true);
            }
        }
        delivered
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
                Recipients::Asker => _ = self.answer(entry.publisher, entry.account, &entry.message),
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
    /// publisher's own worker: so no message goes to and fro for ever.
    fn deliver_to_member(&mut self, entry: &Entry, target: Target, name: &[u8]) {
        let is_gone = self.local.subs.get(target).is_none();
        let anywhere = is_gone || entry.publisher.worker == self.local.worker;
        if self.local.deliver(target, entry.publisher, &entry.message, entry.shared) {
            return;
        }
        let place = self.place_of(entry);
        let matched = self.cache.matched(place);
        if let Some(group) = matched.groups().find(|group| group.name == name) {
            self.local.choose(&mut self.random, &group, entry, anywhere);
        }
    }

    fn place_of(&mut self, entry: &Entry) -> u32 {
        let Entry { account, message, .. } = entry;
        let interest = &self.shared.interest;
        self.mail_hint = self.cache.place(interest, *account, message.subject, self.mail_hint);
        // The account may have got links since this was sent.
        if matches!(self.cache.matched(self.mail_hint).shape, Shape::Linked | Shape::Mapped) {
            self.mail_hint = self.cache.place(interest, View::Alone.of(*account), message.subject, self.mail_hint);
        }
        self.local.charge(self.cache.take_cost());
        self.mail_hint
    }
}

impl super::Local {
    /// Gives a message to plain subscriptions and to the workers that have others. True if anyone got it.
    #[inline(always)]
    pub(super) fn deliver_to_plain(
        &mut self,
        from: Publisher,
        account: AccountId,
        message: &Message,
        matched: &Matched,
        shared: Option<&Arc<[u8]>>,
    ) -> bool {
        let mut delivered = false;
        for &target in &matched.plain {
            match self.deliver(target, from, message, shared) {
                true => delivered = true,
                false => self.charge(REFUSAL_BYTES),
            }
        }
        for &worker in matched.remotes() {
            let to = Recipients::Plain;
            self.forward(worker, &Entry { publisher: from, account, message: *message, shared, to });
            delivered = true;
        }
        delivered
    }

    /// Gives a message to one member of a queue group: from a random one on, the first that takes it. The member may be
    /// another worker's if it may be `anywhere`.
    fn choose(&mut self, random: &mut super::Random, group: &Group, entry: &Entry, anywhere: bool) -> bool {
        let count = group.members.len();
        let start = random.below(count);
        for at in (start..count).chain(0..start) {
            let target = group.members[at];
            if target.worker() != self.worker {
                if !anywhere {
                    continue;
                }
                self.forward(target.worker(), &Entry { to: Recipients::Member(target, group.name), ..*entry });
                return true;
            }
            if self.deliver(target, entry.publisher, &entry.message, entry.shared) {
                return true;
            }
            self.charge(REFUSAL_BYTES);
        }
        false
    }
}

/// The tail as something several receivers can hold together, if that is worth a copy.
pub(super) fn share(message: &Message, matched: &Matched) -> Option<Arc<[u8]>> {
    let has_several = matched.held() > 1 || !matched.remotes().is_empty();
    (message.tail.len() >= SHARE_MIN && has_several).then(|| Arc::from(message.tail))
}
