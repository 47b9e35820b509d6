//! Other users and permissions while clients are connected: each client is looked at once more.
//!
//! With many clients or subscriptions that is done in parts, one a turn.

use super::access::Stage;
use super::grants::Grants;
use super::permissions::MaySubscribe;
use super::{Name, User};
use crate::broker::Broker;
use crate::broker::reason::Reason;
use crate::interest::GLOBAL_ACCOUNT;
use crate::log::{Level, Quoted};
use crate::wire::ProtocolError;
use std::sync::Arc;

/// Clients or subscriptions looked at in one go: about a millisecond.
const PART: usize = 1024;

/// What is still to be looked at.
#[derive(Debug)]
pub struct Recheck {
    /// Clients, by key and number, because keys are used again.
    clients: Vec<(u32, u64)>,
    /// Slots of subscriptions of the client that was looked at last.
    subs: Vec<u32>,
}

/// What becomes of a client.
enum Fate {
    /// Nothing that it would notice.
    Stay,
    /// It is this user now.
    Become(Arc<User>),
    /// Nobody is asked any more.
    Free,
    /// It has to say who it is.
    Ask,
    /// It goes without a word: who it is, is nobody here any more.
    Leave,
    /// It goes and is told that it is not allowed.
    Violation,
}

impl Broker {
    /// Has every client looked at. The first part of that is done at once.
    pub(in crate::broker) fn recheck_all(&mut self) {
        let clients = self.local.clients.iter().filter(|(_, client)| !client.is_route());
        let clients = clients.map(|(key, client)| (key as u32, client.cid)).collect();
        self.recheck = Some(Recheck { clients, subs: Vec::new() });
        self.recheck_part();
    }

    /// Looks at some.
    pub(in crate::broker) fn recheck_part(&mut self) {
        let Some(mut recheck) = self.recheck.take() else { return };
        for _ in 0..PART {
            let Some(&(key, cid)) = recheck.clients.last() else { return };
            let is_there = self.client(key).is_some_and(|client| client.cid == cid && client.is_open());
            if !is_there {
                recheck.subs.clear();
                recheck.clients.pop();
            } else if let Some(slot) = recheck.subs.pop() {
                self.recheck_sub(key, slot);
                if recheck.subs.is_empty() {
                    recheck.clients.pop();
                }
            } else {
                if self.recheck_client(key) {
                    recheck.subs = self.local.clients[key as usize].sids.places().collect();
                }
                if recheck.subs.is_empty() {
                    recheck.clients.pop();
                }
            }
        }
        self.recheck = Some(recheck);
    }

    /// True if the client's subscriptions are to be looked at.
    fn recheck_client(&mut self, key: u32) -> bool {
        match self.fate(key) {
            Fate::Stay => return false,
            Fate::Become(user) => return self.become_user(key, &user),
            Fate::Free => {
                self.local.leave_account(key);
                self.local.clients[key as usize].access = None;
                self.local.watch(key);
                return true;
            }
            Fate::Ask => self.ask(key),
            Fate::Leave => self.local.close(key, Reason::ClientClosed, None),
            Fate::Violation => {
                let client = &self.local.clients[key as usize];
                let claim = match client.user_name() {
                    Some(Name::User(name)) => format!(" - User {}", Quoted(name.as_bytes())),
                    Some(name @ Name::Nkey(_)) => format!(" - Nkey {}", Quoted(name.word().as_bytes())),
                    Some(Name::Token | Name::Anyone) | None => String::new(),
                };
                self.shared.log.about(Level::Error, client, format_args!("authentication error{claim}"));
                self.local.close(key, Reason::AuthenticationFailure, Some(ProtocolError::Authorization));
            }
        }
        false
    }

    fn fate(&mut self, key: u32) -> Fate {
        let auth = Arc::clone(&self.auth);
        let client = &mut self.local.clients[key as usize];
        let Some(access) = &mut client.access else {
            return match auth.fallback.clone() {
                _ if !auth.is_required() => Fate::Stay,
                // Whether it gave credentials that would do now is not known: nobody looked at them.
                None if client.connected => Fate::Violation,
                Some(user) if client.connected && user.account == client.account => Fate::Become(user),
                Some(_) if client.connected => Fate::Leave,
                _ => Fate::Ask,
            };
        };
        if let Stage::Checking(pending) = &mut access.stage {
            // The answer will be about the secret of before, and of use only if that is still the one.
            let now =
                pending.user.as_ref().and_then(|user| auth.user(&user.name).filter(|now| now.proof == user.proof));
            pending.user = now.cloned();
            return Fate::Stay;
        }
        let Some(user) = access.user.as_ref().filter(|_| matches!(access.stage, Stage::Granted)) else {
            return match auth.is_required() || matches!(access.stage, Stage::Refused) {
                true => Fate::Stay,
                false => Fate::Free,
            };
        };
        if !auth.is_required() {
            return if user.account == GLOBAL_ACCOUNT { Fate::Free } else { Fate::Leave };
        }
        let now = match access.is_proven {
            true => auth.user(&user.name),
            false => auth.fallback.as_ref(),
        };
        match now {
            Some(now) if now.account != user.account => Fate::Leave,
            Some(now) if access.is_proven && (now.proof != user.proof || !now.is_standard) => Fate::Violation,
            Some(now) => Fate::Become(Arc::clone(now)),
            None if access.is_proven && matches!(user.name, Name::User(_) | Name::Nkey(_)) => Fate::Leave,
            None => Fate::Violation,
        }
    }

    /// A client goes on under the rules of now. True if they are others than those of before.
    fn become_user(&mut self, key: u32, user: &Arc<User>) -> bool {
        if self.local.clients[key as usize].access.is_none() {
            self.ask(key);
            return self.let_in(key, user, false) && user.permissions.is_some();
        }
        let hash = self.shared.interest.subject_hash();
        let client = &mut self.local.clients[key as usize];
        let Some(access) = &mut client.access else { return false };
        let before = access.user.replace(Arc::clone(user)).and_then(|before| before.permissions.clone());
        if before.as_ref().map(Arc::as_ptr) == user.permissions.as_ref().map(Arc::as_ptr) {
            return false;
        }
        let (old, new) =
            (before.and_then(|before| before.responses), access.permissions().and_then(|new| new.responses));
        if old != new {
            access.grants = new.map(|rules| Box::new(Grants::new(rules, hash)));
        }
        self.local.watch(key);
        true
    }

    /// Looks whether a subscription may stay.
    fn recheck_sub(&mut self, key: u32, slot: u32) {
        let Some(sub) = self.local.subs.get_slot(slot).filter(|sub| sub.client == key) else { return };
        let (node, queue, sid) = (sub.node, sub.queue().to_vec(), sub.sid.bytes().to_vec());
        let client = &self.local.clients[key as usize];
        let subject = self.shared.interest.subject(client.account, node);
        match self.local.may_subscribe(key, &subject, &queue) {
            MaySubscribe::No => {
                let client = &self.local.clients[key as usize];
                let name = client.user_name().map(Name::word).unwrap_or_default();
                let (shown, shown_sid) = (Quoted(&subject), Quoted(&sid));
                self.shared.log.info(format_args!(
                    "{client} - Removed sub {shown} (sid {shown_sid}) for User {} - not authorized",
                    Quoted(name.as_bytes())
                ));
                self.local.unsubscribe(key, slot);
                self.local.complain(key, ProtocolError::SubscriptionRemoved(&subject, &queue, &sid));
            }
            may => {
                let is_filtered = may == MaySubscribe::InPart;
                self.local.subs.at(slot).is_filtered = is_filtered;
                let client = &mut self.local.clients[key as usize];
                if let Some(access) = client.access.as_mut().filter(|_| is_filtered) {
                    access.is_filtered = true;
                    self.local.watch(key);
                }
            }
        }
    }
}

impl Name {
    /// The name without what kind of name it is.
    pub(in crate::broker) fn word(&self) -> String {
        let shown = self.to_string();
        shown.split_once(':').map_or_else(String::new, |(_, word)| word.to_owned())
    }
}
