//! What the server says of a client, and of itself.

use super::ServerInfo;
use crate::broker::answers::digits;
use crate::broker::auth::Name;
use crate::broker::client::{Client, Publisher};
use crate::broker::deliver::Local;
use crate::broker::{NATS_VERSION, Shared};
use crate::config::Options;
use crate::wire::client_info::ClientInfo;
use crate::wire::date;
use crate::wire::redact::REDACTED;
use std::sync::atomic::Ordering;

impl Shared {
    /// Who sends a document, with the next number. `now_us` is the time since the clock's start.
    pub fn server_info<'a>(&'a self, options: &'a Options, now_us: u64) -> ServerInfo<'a> {
        ServerInfo {
            name: &self.identity.name,
            host: &self.identity.host,
            id: &self.identity.id,
            cluster: options.cluster.listen().and(options.cluster.name.as_deref()),
            ver: NATS_VERSION,
            tags: &options.server_tags,
            jetstream: false,
            flags: 0,
            seq: self.sent.fetch_add(1, Ordering::Relaxed).wrapping_add(1),
            time: self.date(now_us),
        }
    }

    /// A name for an event that no other has: 22 characters.
    pub fn event_id(&self) -> String {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let hash = self.interest.subject_hash();
        let half = |half: u32| digits::<11>(hash.of([number, half].map(u32::to_le_bytes).as_flattened()));
        [half(0), half(1)].as_flattened().iter().copied().map(char::from).collect()
    }

    /// The date at so many microseconds since the clock's start.
    pub fn date(&self, us: u64) -> String {
        date::rfc3339(self.epoch_us.saturating_add(us))
    }
}

impl Local {
    /// The client of this worker that published something, if it was one.
    pub(in crate::broker) fn client_of(&self, from: Publisher) -> Option<&Client> {
        let client = self.clients.get(from.key as usize).filter(|client| client.cid == from.cid);
        client.filter(|_| from.worker == self.worker)
    }

    /// All that is told of a client.
    pub(in crate::broker) fn client_info<'a>(&'a self, client: &'a Client, account: &'a str) -> ClientInfo<'a> {
        let label = client.label.as_deref();
        let text = |of: fn(&crate::broker::Label) -> &String| label.map_or("", |label| of(label).as_str());
        ClientInfo {
            start: Some(self.shared.date(client.opened_us)),
            host: Some(client.peer.ip().to_string()),
            id: Some(client.cid),
            user: client.user_shown(),
            name: text(|label| &label.name),
            lang: text(|label| &label.lang),
            ver: text(|label| &label.version),
            kind: Some("Client"),
            client_type: Some("nats"),
            server: Some(&self.shared.identity.name),
            ..self.brief_info(Some(client), account)
        }
    }

    /// What is told of a client whose account does not share more.
    pub(in crate::broker) fn brief_info<'a>(&self, client: Option<&Client>, account: &'a str) -> ClientInfo<'a> {
        let rtt = client.map(|client| u64::from(client.round_trip_us) * 1000).filter(|rtt| *rtt > 0);
        ClientInfo { acc: account, rtt, ..ClientInfo::default() }
    }
}

impl Client {
    /// The name of its user, as documents show it; empty if it has none.
    pub(super) fn user_shown(&self) -> String {
        match self.user_name() {
            None | Some(Name::Anyone) => String::new(),
            Some(Name::Token) => REDACTED.to_owned(),
            Some(name) => name.word(),
        }
    }
}
