//! What those who look after the server hear of it through messages, and what every client may ask it.
//!
//! Requests begin with `$SYS.REQ.`; the match cache marks their subjects, and what is asked is looked at here. What the
//! broker knows is answered at once. For a document it hands the owner a [`Request`], who brings the answer later: documents
//! take long. Events are published in the system account, and not even made where nobody there wants them.

pub(super) mod events;
mod info;
pub mod requests;

pub use requests::{Answer, Kind, Request};

use super::Broker;
use super::answers::is_answer;
use super::client::Publisher;
use crate::interest::{AccountId, Shape, View};
use crate::wire::{Message, message};
use serde::Serialize;

/// Who a document is from.
#[derive(Debug, Clone, Serialize)]
pub struct ServerInfo<'a> {
    /// The server's name.
    pub name: &'a str,
    /// Its listen address.
    pub host: &'a str,
    /// Its id.
    pub id: &'a str,
    /// Its cluster's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<&'a str>,
    /// The NATS version it speaks.
    pub ver: &'a str,
    /// What it can do.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub tags: &'a [String],
    /// Never.
    pub jetstream: bool,
    /// None.
    pub flags: u8,
    /// Counts what the server sends of this kind.
    pub seq: u32,
    /// When it was sent.
    pub time: String,
}

impl Broker {
    /// Publishes a message of the server's own in an account. True if anyone got it.
    pub(super) fn say(&mut self, account: AccountId, subject: &[u8], payload: &[u8]) -> bool {
        let tail = message::plain_tail(b"", payload);
        let total_bytes = payload.len() as u32;
        let message = Message { subject, tail: &tail, reply_bytes: 0, header_bytes: 0, total_bytes };
        let from = Publisher::server(self.local.worker);
        // Who asks may be a client of another account that imports this as a service.
        (is_answer(subject) && self.take_answer(from, account, &message))
            || self.publish_in(from, View::Served.of(account), &message, None)
    }

    /// The system account, if anyone wants to hear this there.
    fn audience(&mut self, subject: &[u8]) -> Option<AccountId> {
        let account = self.local.system?;
        let view = View::Served.of(account);
        let place = self.cache.place(&self.shared.interest, view, subject, u32::MAX);
        (self.cache.matched(place).shape != Shape::Nobody).then_some(account)
    }
}
