//! How a client says who it is, from its first byte to the answer.

use super::access::{Access, Outcome, Pending, Stage};
use super::check::{Check, Verdict};
use super::grants::Grants;
use super::permissions::MaySubscribe;
use super::{Decision, Mapping, Name, User};
use crate::broker::client::{Client, Label, NEVER};
use crate::broker::deliver::Local;
use crate::broker::reason::Reason;
use crate::broker::{Action, Broker};
use crate::config::tls::ClientCertificates;
use crate::log::{Level, Quoted};
use crate::wire::redact::REDACTED;
use crate::wire::{Connect, Credentials, ProtocolError};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Broker {
    /// A new connection, or one that is not used yet: its client has to say who it is, if clients have to.
    pub(in crate::broker) fn ask(&mut self, key: u32) {
        if !self.auth.is_required() {
            return;
        }
        let client = &mut self.local.clients[key as usize];
        let nonce = if self.auth.has_nkeys() { self.nonces.of(client.cid) } else { String::new() };
        client.access = Some(Box::new(Access::asked(nonce)));
        self.expect_connect(key);
    }

    /// From now on the time runs in which a client has to say who it is; while a handshake is to come it does not.
    pub(in crate::broker) fn expect_connect(&mut self, key: u32) {
        let timeout = u64::try_from(self.local.options.auth_timeout().as_millis()).unwrap_or(NEVER / 2);
        let client = &mut self.local.clients[key as usize];
        if client.is_unknown() && !client.security.is_awaited() {
            client.due.auth = self.local.now + timeout;
            self.local.rearm(key);
        }
    }

    /// The first byte of an operation of a client that has not said who it is. False if it may not go on: then it has been
    /// told so.
    #[inline(never)]
    pub(in crate::broker) fn admit_first(&mut self, key: u32, first: u8) -> bool {
        if first.eq_ignore_ascii_case(&b'c') {
            return true;
        }
        // Who has to show a certificate has to say CONNECT too.
        let fallback = self.auth.fallback_at_first_word().filter(|_| !self.maps_certificates());
        match fallback.cloned() {
            Some(user) => _ = self.let_in(key, &user, false),
            None => self.turn_away(key, ""),
        }
        self.local.clients[key as usize].is_open()
    }

    pub(in crate::broker) fn connect(&mut self, key: u32, document: &[u8]) {
        let client = &self.local.clients[key as usize];
        let again = client.connected;
        let mut options = client.options();
        let jitter = self.random.below(1000) as u64;
        self.local.expect_first_ping(key, jitter);
        if let Err(error) = options.decode(document) {
            let client = &self.local.clients[key as usize];
            self.shared.log.about(Level::Error, client, format_args!("CONNECT: {error}"));
            return self.local.close(key, Reason::ProtocolViolation, None);
        }
        options.headers &= !self.local.options.no_header_support;
        if again {
            self.local.unsubscribe_all(key);
        }
        let outcome = outcome(&options);
        let client = &mut self.local.clients[key as usize];
        client.connected = true;
        client.verbose = options.verbose;
        client.pedantic = options.pedantic;
        client.echo = options.echo;
        client.headers = options.headers;
        client.no_responders = options.no_responders;
        client.due.auth = NEVER;
        let Connect { name, lang, version, credentials, .. } = options;
        let says_something = [&name, &lang, &version].iter().any(|text| !text.is_empty());
        client.label = says_something.then(|| Box::new(Label { version, lang, name }));
        self.local.recount(key);
        match self.decide(key, &credentials) {
            Decision::Open => self.answer(key, outcome),
            Decision::Accept(user) => self.welcome(key, &user, true, outcome),
            Decision::Assume(user) => self.welcome(key, &user, false, outcome),
            Decision::Refuse => self.turn_away(key, &claim(&credentials)),
            Decision::Check(user, password, hash) => {
                let client = &mut self.local.clients[key as usize];
                let waits = Arc::new(());
                let (cid, address, wanted) = (client.cid, client.peer.ip(), Arc::downgrade(&waits));
                let is_trusted = self.failures.trusts(address, self.local.now);
                let claim = claim(&credentials);
                let Some(access) = &mut client.access else { return };
                access.stage = Stage::Checking(Box::new(Pending { user, claim, outcome, waits }));
                client.held_by += 1;
                self.local.disturbances += 1;
                let check = Check { key, cid, is_trusted, password, hash, wanted };
                self.local.actions.push(Action::Check(Box::new(check)));
            }
        }
    }

    /// Who a client is. One that was let in before and says nothing of itself now is who it was.
    fn decide(&self, key: u32, credentials: &Credentials) -> Decision {
        let client = &self.local.clients[key as usize];
        let Some(access) = &client.access else { return Decision::Open };
        match (&access.stage, &access.user) {
            (Stage::Granted, Some(user)) if credentials.are_absent() && access.is_proven => {
                Decision::Accept(Arc::clone(user))
            }
            _ => self.auth.decide(credentials, &access.nonce, self.mapping(client, credentials)),
        }
    }

    /// Whether a client is the user that its certificate names, whatever it says.
    fn maps_certificates(&self) -> bool {
        let tls = self.local.options.tls.as_ref();
        tls.is_some_and(|tls| tls.client_certificates == ClientCertificates::Mapped)
    }

    /// What a client's certificate has to do with who it is.
    fn mapping<'c>(&self, client: &'c Client, credentials: &Credentials) -> Mapping<'c> {
        if !self.maps_certificates() {
            return Mapping::None;
        }
        if !credentials.user.is_empty() {
            let user = Quoted(credentials.user.as_bytes());
            let text = format_args!("User {user} found in connect proto, but user required from cert");
            self.shared.log.about(Level::Warning, client, text);
        }
        Mapping::Certificate(client.security.certificate())
    }

    /// The answer to a [`Check`] of the connection `cid`, which may be gone.
    pub fn checked(&mut self, key: u32, cid: u64, verdict: Verdict) {
        let Some(client) = self.local.clients.get_mut(key as usize).filter(|client| client.cid == cid) else { return };
        if client.is_route() {
            return self.route_checked(key, verdict);
        }
        let Some(access) = client.access.as_mut().filter(|access| matches!(access.stage, Stage::Checking(_))) else {
            return;
        };
        let Stage::Checking(pending) = std::mem::replace(&mut access.stage, Stage::Refused) else { return };
        self.local.go_on(key);
        let jitter = self.random.below(1000) as u64;
        self.local.expect_first_ping(key, jitter);
        match (verdict, pending.user) {
            (Verdict::Right, Some(user)) => self.welcome(key, &user, true, pending.outcome),
            (Verdict::Unknown, _) => self.local.time_out(key),
            _ => self.turn_away(key, &pending.claim),
        }
    }

    /// Lets a client in and does what its CONNECT asks for.
    fn welcome(&mut self, key: u32, user: &Arc<User>, is_proven: bool, outcome: Outcome) {
        if self.let_in(key, user, is_proven) {
            self.answer(key, outcome);
        }
    }

    /// A client is this user from now on; it is proven if the client has shown that. False if the account has too many
    /// clients: then the connection is closed.
    pub(super) fn let_in(&mut self, key: u32, user: &Arc<User>, is_proven: bool) -> bool {
        let hash = self.shared.interest.subject_hash();
        self.local.leave_account(key);
        let client = &mut self.local.clients[key as usize];
        client.due.auth = NEVER;
        client.account = user.account;
        let Some(access) = &mut client.access else { return true };
        let before = self.shared.interest.account(user.account).connections.fetch_add(1, Ordering::Relaxed);
        access.is_counted = true;
        access.stage = Stage::Granted;
        access.is_proven = is_proven;
        if !access.user.as_ref().is_some_and(|known| Arc::ptr_eq(known, user)) {
            let responses = user.permissions.as_ref().and_then(|permissions| permissions.responses);
            access.grants = responses.map(|rules| Box::new(Grants::new(rules, hash)));
            access.is_filtered = false;
            access.user = Some(Arc::clone(user));
        }
        self.local.watch(key);
        let is_full = user.limits.connections.is_some_and(|most| before >= most);
        if is_full {
            let client = &self.local.clients[key as usize];
            let error = ProtocolError::AccountConnections;
            self.shared.log.about(Level::Error, client, format_args!("{}", error.text()));
            self.local.close(key, Reason::MaximumAccountConnectionsExceeded, Some(error));
        }
        !is_full
    }

    /// Does what a CONNECT asks for that was let through.
    fn answer(&mut self, key: u32, outcome: Outcome) {
        let client = &mut self.local.clients[key as usize];
        match outcome {
            Outcome::Refusal(error, reason) => {
                let text = match reason {
                    Reason::AuthenticationFailure => "authentication error".into(),
                    _ => error.text(),
                };
                self.shared.log.about(Level::Error, client, format_args!("{text}"));
                self.local.close(key, reason, Some(error));
            }
            Outcome::Protocol(protocol) => {
                client.protocol = protocol;
                self.okay_if_verbose(key);
                self.tell_of_arrival(key);
            }
        }
    }

    /// A client is not who it says it is. It is told so at once, or later if many from its address were not.
    fn turn_away(&mut self, key: u32, claim: &str) {
        let now = self.local.now;
        let client = &mut self.local.clients[key as usize];
        self.shared.log.about(Level::Error, client, format_args!("authentication error{claim}"));
        match self.failures.add(client.peer.ip(), now) {
            0 => self.local.close(key, Reason::AuthenticationFailure, Some(ProtocolError::Authorization)),
            delay => {
                if let Some(access) = &mut client.access {
                    access.stage = Stage::Refused;
                }
                client.held_by += 1;
                client.due.auth = now + delay;
                self.local.disturbances += 1;
                self.local.rearm(key);
            }
        }
    }
}

impl Local {
    /// A client is none of its account any more, as far as those are counted.
    pub(in crate::broker) fn leave_account(&mut self, key: u32) {
        let client = &mut self.clients[key as usize];
        if client.access.as_mut().is_some_and(|access| std::mem::take(&mut access.is_counted)) {
            self.shared.interest.account(client.account).connections.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// A client that has to say who it is has had its time, or one that was refused has waited for the answer.
    pub(in crate::broker) fn auth_due(&mut self, key: u32) {
        let client = &mut self.clients[key as usize];
        client.due.auth = NEVER;
        match client.access.as_ref().map(|access| &access.stage) {
            Some(Stage::Refused) => self.close(key, Reason::AuthenticationFailure, Some(ProtocolError::Authorization)),
            Some(Stage::Asked) => self.time_out(key),
            _ => {}
        }
    }

    fn time_out(&mut self, key: u32) {
        if self.shared.log.debug_on() {
            let client = &self.clients[key as usize];
            self.shared.log.debug(format_args!("{client} - Authentication Timeout"));
        }
        self.close(key, Reason::AuthenticationTimeout, Some(ProtocolError::AuthenticationTimeout));
    }

    /// Whether a connection may publish to a subject. A reply that it was asked for counts as published.
    pub(in crate::broker) fn may_publish(&mut self, key: u32, subject: &[u8]) -> bool {
        let now = self.now;
        let Some(access) = &mut self.clients[key as usize].access else { return true };
        let Some(permissions) = access.permissions() else { return true };
        permissions.may_publish(subject) || access.grants.as_mut().is_some_and(|grants| grants.take(subject, now))
    }

    /// Whether a connection may make a subscription.
    pub(in crate::broker) fn may_subscribe(&mut self, key: u32, subject: &[u8], queue: &[u8]) -> MaySubscribe {
        let permissions = self.clients[key as usize].access.as_ref().and_then(|access| access.permissions());
        permissions.map_or(MaySubscribe::Yes, |permissions| permissions.may_subscribe(subject, queue))
    }
}

/// What comes of a CONNECT that can be read.
fn outcome(options: &Connect) -> Outcome {
    if !options.account.is_empty() || options.new_account {
        return Outcome::Refusal(ProtocolError::Authorization, Reason::AuthenticationFailure);
    }
    let protocol = match options.protocol {
        protocol @ (0 | 1) => protocol as u8,
        _ => return Outcome::Refusal(ProtocolError::ClientProtocol, Reason::BadClientProtocolVersion),
    };
    if options.no_responders && !options.headers {
        return Outcome::Refusal(ProtocolError::NoRespondersWithoutHeaders, Reason::NoRespondersRequiresHeaders);
    }
    Outcome::Protocol(protocol)
}

/// Who a client that is refused said it is, for the log.
fn claim(credentials: &Credentials) -> String {
    let Credentials { user, token, nkey, .. } = credentials;
    if !nkey.is_empty() {
        format!(" - Nkey {}", Quoted(nkey.as_bytes()))
    } else if !token.is_empty() {
        format!(" - Token \"{REDACTED}\"")
    } else if !user.is_empty() {
        format!(" - User {}", Quoted(user.as_bytes()))
    } else {
        String::new()
    }
}

impl Client {
    /// True until the client has said who it is, if it has to.
    #[inline]
    pub(in crate::broker) fn is_unknown(&self) -> bool {
        self.access.as_ref().is_some_and(|access| matches!(access.stage, Stage::Asked))
    }

    /// True while its password is checked, or it waits to hear that it was refused.
    pub(in crate::broker) fn is_at_the_door(&self) -> bool {
        let stage = self.access.as_ref().map(|access| &access.stage);
        stage.is_some_and(|stage| matches!(stage, Stage::Checking(_) | Stage::Refused))
    }

    /// The number of the set of its permissions; 0 if it may do everything.
    #[inline]
    pub(in crate::broker) fn permission_set(&self) -> u64 {
        match &self.access {
            None => 0,
            Some(access) => access.permissions().map_or(0, |permissions| permissions.id),
        }
    }

    /// The user it is.
    pub(in crate::broker) fn user(&self) -> Option<&User> {
        self.access.as_ref()?.user.as_deref()
    }

    /// The name of the user it is.
    pub(in crate::broker) fn user_name(&self) -> Option<&Name> {
        self.user().map(|user| &user.name)
    }

    /// The largest payload it may send, where others may send one of `most` bytes.
    pub(in crate::broker) fn payload_max(&self, most: usize) -> usize {
        self.user().and_then(|user| user.limits.payload).map_or(most, |limit| limit.min(most))
    }

    /// Whether it has as many subscriptions as it may have, where others may have `most`, or any number if that is 0.
    pub(in crate::broker) fn has_all_subscriptions(&self, most: usize) -> bool {
        let own = self.user().and_then(|user| user.limits.subscriptions);
        (most > 0 && self.sids.len() >= most) || own.is_some_and(|own| self.sids.len() >= own)
    }
}
