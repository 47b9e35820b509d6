//! From a published message to everyone who wants it.

use super::Broker;
use super::client::Publisher;
use super::mail::{Batch, Entry, Mail, Recipients};
use crate::interest::{AccountId, Group, Matched, Shape};
use crate::wire::{Message, message};
use std::sync::Arc;

/// A tail this large is shared by its receivers instead of being copied to each, if it has several.
const SHARE_MIN: usize = 4 * 1024;

impl Broker {
    /// Delivers a message of a connection of this worker. `hint` is where the cache had its last subject; returns
    /// where it has this one.
    #[inline(always)]
    pub(super) fn publish(&mut self, from: Publisher, account: AccountId, message: &Message, hint: u32) -> u32 {
        let place = self.cache.place(&self.shared.interest, account, message.subject, hint);
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
        };
        if !delivered && message.reply_bytes > 0 {
            self.no_responders(from, account, message);
        }
    }

    /// True if anyone got it.
    #[inline(never)]
    fn publish_to_many(&mut self, from: Publisher, account: AccountId, message: &Message, place: u32) -> bool {
        let Self { cache, local, random, .. } = self;
        let matched = cache.matched(place);
        let shared = share(message, matched);
        let mut delivered = false;
        for &target in &matched.plain {
            delivered |= local.deliver(target, from, message, shared.as_ref());
        }
        if matched.shape == Shape::Mixed {
            let entry = |to| Entry { publisher: from, account, message: *message, shared: shared.as_ref(), to };
            for &worker in matched.remotes() {
                local.forward(worker, &entry(Recipients::Plain));
                delivered = true;
            }
            for group in matched.groups() {
                delivered |= local.choose(random, &group, &entry(Recipients::Member(group.members[0], group.name)));
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
        interest.find(account, message.reply(), hash, self.local.worker, &mut matched);
        for target in matched.plain {
            if let Some(sub) = self.local.subs.get_mut(target)
                && sub.client == from.key
            {
                let notice = message::no_responders(message.reply(), sub.sid.bytes(), message.subject);
                return self.local.send(from.key, [&notice]);
            }
        }
    }

    /// A letter from another worker's broker.
    pub fn receive_mail(&mut self, mail: Mail) {
        match mail {
            Mail::Messages(batch) => self.receive_batch(batch),
            Mail::Hold(publisher) => self.local.hold(publisher),
            Mail::Release(publisher) => self.local.release(publisher),
        }
    }

    fn receive_batch(&mut self, batch: Batch) {
        for entry in batch.entries() {
            let Entry { publisher, account, message, .. } = entry;
            if let Recipients::Member(target, _) = entry.to
                && self.local.deliver(target, publisher, &message, entry.shared)
            {
                continue;
            }
            let interest = &self.shared.interest;
            self.mail_hint = self.cache.place(interest, account, message.subject, self.mail_hint);
            let matched = self.cache.matched(self.mail_hint);
            match entry.to {
                Recipients::Plain => {
                    for &target in &matched.plain {
                        self.local.deliver(target, publisher, &message, entry.shared);
                    }
                }
                // The chosen member has gone since; the group may have others.
                Recipients::Member(_, name) => {
                    if let Some(group) = matched.groups().find(|group| group.name == name) {
                        self.local.choose(&mut self.random, &group, &entry);
                    }
                }
            }
        }
        self.local.recycle(batch);
    }
}

impl super::Local {
    /// Gives a message to one member of a queue group: from a random one on, the first that takes it.
    fn choose(&mut self, random: &mut super::Random, group: &Group, entry: &Entry) -> bool {
        let count = group.members.len();
        let start = random.below(count);
        for at in (start..count).chain(0..start) {
            let target = group.members[at];
            if target.worker() != self.worker {
                self.forward(target.worker(), &Entry { to: Recipients::Member(target, group.name), ..*entry });
                return true;
            }
            if self.deliver(target, entry.publisher, &entry.message, entry.shared) {
                return true;
            }
        }
        false
    }
}

/// The tail as something several receivers can hold together, if that is worth a copy.
fn share(message: &Message, matched: &Matched) -> Option<Arc<[u8]>> {
    (message.tail.len() >= SHARE_MIN && matched.held() > 1).then(|| Arc::from(message.tail))
}
