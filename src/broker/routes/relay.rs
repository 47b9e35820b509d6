//! Messages of other servers' clients: for whoever wants them here.

use super::deliver::Sending;
use crate::broker::Broker;
use crate::broker::answers::is_answer;
use crate::broker::client::Publisher;
use crate::broker::mail::{Entry, Recipients};
use crate::broker::publish::{Chosen, share};
use crate::interest::{AccountId, Shape, View};
use crate::wire::Message;
use crate::wire::route::{self, FORWARDED, write};

impl Broker {
    /// Delivers a message that came on a route.
    #[inline]
    pub(super) fn relay(&mut self, key: u32, got: &route::Message) {
        // What other accounts have to do with it is the business of the server of whoever published it.
        let Some(account) = self.account_of_message(key, got.account).map(|id| View::Alone.of(id)) else { return };
        let client = &mut self.local.clients[key as usize];
        client.traffic.in_messages += 1;
        client.traffic.in_bytes += got.body.len() as u64;
        client.active_at = self.local.now;
        let (worker, cid, hint) = (self.local.worker, client.cid, client.match_hint);
        let is_last = got.origin == FORWARDED;
        let from = if is_last { Publisher::last_route(worker, cid) } else { Publisher::route(worker, cid) };
        let message = |tail| Message {
            subject: got.subject,
            tail,
            reply_bytes: got.reply.len() as u32,
            header_bytes: got.header_bytes,
            total_bytes: got.body.len() as u32,
        };
        let place = match got.tail {
            Some(tail) => self.relay_as(from, account, &message(tail), got, hint),
            None => {
                let mut tail = std::mem::take(&mut self.scratch);
                write::message_tail(got, &mut tail);
                let place = self.relay_as(from, account, &message(&tail), got, hint);
                self.scratch = tail;
                place
            }
        };
        self.local.clients[key as usize].match_hint = place;
    }

    #[inline]
    fn relay_as(
        &mut self,
        from: Publisher,
        account: AccountId,
        message: &Message,
        got: &route::Message,
        hint: u32,
    ) -> u32 {
        if is_answer(message.subject) {
            self.take_answer(from, account, message);
        }
        let place = self.cache.place(&self.shared.interest, account, message.subject, hint);
        self.local.charge(self.cache.take_cost());
        match self.cache.matched(place).shape {
            Shape::One(only) if from.may_be_forwarded() && got.queues.is_empty() => {
                self.local.deliver(only, from, message, None);
            }
            Shape::Nobody | Shape::Route(_) => {}
            _ => self.relay_to_many(from, account, message, got.queues, place),
        }
        place
    }

    #[inline(never)]
    fn relay_to_many(
        &mut self,
        from: Publisher,
        account: AccountId,
        message: &Message,
        queues: route::Queues,
        place: u32,
    ) {
        let Self { cache, local, random, .. } = self;
        let matched = cache.matched(place);
        let shared = share(message, matched);
        let shared = shared.as_ref();
        if from.may_be_forwarded() {
            for &target in &matched.plain {
                if !local.deliver(target, from, message, shared) {
                    local.charge(crate::broker::publish::REFUSAL_BYTES);
                }
            }
            for &worker in matched.remotes() {
                let to = Recipients::Plain;
                local.forward(worker, &Entry { publisher: from, account, message: *message, shared, to });
            }
        }
        for name in queues.iter() {
            let Some(group) = matched.groups().find(|group| group.name == name) else { continue };
            let to = Recipients::Elsewhere(group.name);
            let entry = Entry { publisher: from, account, message: *message, shared, to };
            if matches!(local.choose(random, &group, &entry, true), Chosen::Nobody) {
                local.send_elsewhere(&group, matched.routes(), &Sending { from, account, message, shared });
            }
        }
    }

    /// The account that a peer means. Messages for one that nobody here has are for nobody.
    #[inline]
    fn account_of_message(&mut self, key: u32, name: &[u8]) -> Option<AccountId> {
        let route = self.local.clients[key as usize].route.as_mut()?;
        match &route.last_account {
            Some((known, account)) if **known == *name => Some(*account),
            _ => {
                let account = self.shared.interest.find_account(std::str::from_utf8(name).ok()?)?;
                route.last_account = Some((name.into(), account));
                Some(account)
            }
        }
    }
}
