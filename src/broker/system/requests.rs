//! What clients ask the server.

use super::ServerInfo;
use crate::broker::auth::Permissions;
use crate::broker::client::Publisher;
use crate::broker::{Action, Broker};
use crate::interest::AccountId;
use crate::interest::links::SERVER_REQUEST;
use crate::wire::Message;
use serde::Serialize;
use serde::ser::SerializeMap;

/// The largest request whose body is looked at, in bytes.
const BODY_MAX: usize = 4096;

/// A document that somebody wants.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// Which.
    pub kind: Kind,
    /// About this account alone.
    pub of: Option<String>,
    /// The filters and options that came with it, in JSON; may be empty.
    pub body: Box<[u8]>,
    /// The account in which the answer is waited for.
    pub account: AccountId,
    /// Under this subject.
    pub reply: Box<[u8]>,
}

/// What came of a [`Request`].
#[derive(Debug)]
pub struct Answer {
    /// The account in which it is waited for.
    pub account: AccountId,
    /// Under this subject.
    pub reply: Box<[u8]>,
    /// The document.
    pub document: Vec<u8>,
}

/// Kinds of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Who the server is.
    Idz,
    /// Figures of the server.
    Statsz,
    /// The document that monitoring has under this path.
    Page(&'static str),
    /// The account in question.
    AccountInfo,
    /// The accounts' figures.
    AccountStatz,
    /// The figures of the account in question, as an event has them.
    AccountConns,
}

/// What the last token of a request to a server asks for.
const SERVER: &[(&[u8], Kind)] = &[
    (b"IDZ", Kind::Idz),
    (b"STATSZ", Kind::Statsz),
    (b"VARZ", Kind::Page("/varz")),
    (b"SUBSZ", Kind::Page("/subsz")),
    (b"CONNZ", Kind::Page("/connz")),
    (b"ROUTEZ", Kind::Page("/routez")),
    (b"GATEWAYZ", Kind::Page("/gatewayz")),
    (b"LEAFZ", Kind::Page("/leafz")),
    (b"ACCOUNTZ", Kind::Page("/accountz")),
    (b"JSZ", Kind::Page("/jsz")),
    (b"HEALTHZ", Kind::Page("/healthz")),
];

/// And of a request about an account.
const ACCOUNT: &[(&[u8], Kind)] = &[
    (b"SUBSZ", Kind::Page("/subsz")),
    (b"CONNZ", Kind::Page("/connz")),
    (b"LEAFZ", Kind::Page("/leafz")),
    (b"INFO", Kind::AccountInfo),
    (b"STATZ", Kind::AccountStatz),
    (b"CONNS", Kind::AccountConns),
];

/// What a subject asks the server.
#[derive(Debug, PartialEq, Eq)]
enum Question<'a> {
    /// Who the client is that asks.
    User,
    /// A document, about one account or about all.
    Document(Kind, Option<&'a [u8]>),
    /// A document about the account of who asks.
    OwnDocument(Kind),
}

/// What a subject asks the server with this id; more may be asked in the system account.
fn question<'a>(subject: &'a [u8], server_id: &str, is_system: bool) -> Option<Question<'a>> {
    let kind =
        |table: &[(&[u8], Kind)], name: &[u8]| table.iter().find(|(known, _)| *known == name).map(|known| known.1);
    let tokens: Vec<&[u8]> = subject.strip_prefix(SERVER_REQUEST)?.splitn(4, |byte| *byte == b'.').collect();
    match (tokens.as_slice(), is_system) {
        ([b"USER", b"INFO"], _) => Some(Question::User),
        ([b"SERVER", b"PING"], true) => Some(Question::Document(Kind::Statsz, None)),
        ([b"SERVER", b"PING", name], true) => Some(Question::Document(kind(SERVER, name)?, None)),
        ([b"SERVER", id, name], true) if *id == server_id.as_bytes() => {
            Some(Question::Document(kind(SERVER, name)?, None))
        }
        ([b"ACCOUNT", b"PING", b"STATZ"], true) => Some(Question::Document(Kind::AccountStatz, None)),
        ([b"ACCOUNT", account, name], true) => Some(Question::Document(kind(ACCOUNT, name)?, Some(account))),
        ([b"ACCOUNT" | b"SERVER", b"PING", b"CONNZ"], false) => Some(Question::OwnDocument(Kind::Page("/connz"))),
        ([b"ACCOUNT", b"PING", b"STATZ"], false) => Some(Question::OwnDocument(Kind::AccountStatz)),
        _ => None,
    }
}

impl Broker {
    /// A message was published that may ask the server something. True if it does.
    #[inline(never)]
    pub(in crate::broker) fn ask_server(&mut self, from: Publisher, account: AccountId, message: &Message) -> bool {
        let is_system = self.auth.system == Some(account);
        let Some(question) = question(message.subject, &self.shared.identity.id, is_system) else { return false };
        if message.reply_bytes == 0 {
            return true;
        }
        let (kind, of) = match question {
            Question::User => {
                self.tell_user(from, account, message.reply());
                return true;
            }
            Question::Document(kind, of) => (kind, of.map(|name| String::from_utf8_lossy(name).into_owned())),
            Question::OwnDocument(kind) => (kind, Some(self.shared.interest.account(account).name.to_string())),
        };
        let body = &message.body()[message.header_bytes as usize..];
        let body = if body.len() > BODY_MAX { b"-" } else { body };
        let request = Request { kind, of, body: body.into(), account, reply: message.reply().into() };
        self.local.actions.push(Action::Ask(Box::new(request)));
        true
    }

    /// The answer to a [`Request`].
    pub fn answered(&mut self, answer: Answer) {
        self.say(answer.account, &answer.reply, &answer.document);
    }

    /// Tells a client who it is.
    fn tell_user(&mut self, from: Publisher, account: AccountId, reply: &[u8]) {
        let name = &*self.shared.interest.account(account).name;
        let client = self.local.client_of(from);
        let data = UserData {
            user: client.map(super::super::Client::user_shown).unwrap_or_default(),
            account: name,
            account_name: name,
            permissions: client.and_then(|client| client.access.as_ref()?.permissions()).map(Shown),
        };
        let server = self.shared.server_info(&self.local.options, self.local.now_us);
        let document = serde_json::to_vec(&UserInfo { server, data });
        let document = document.expect("strings and numbers can be written to memory");
        self.say(account, reply, &document);
    }
}

#[derive(Serialize)]
struct UserInfo<'a> {
    server: ServerInfo<'a>,
    data: UserData<'a>,
}

#[derive(Serialize)]
struct UserData<'a> {
    user: String,
    account: &'a str,
    account_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<Shown<'a>>,
}

/// Permissions as the official server shows them.
struct Shown<'a>(&'a Permissions);

impl Serialize for Shown<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, [allow, deny]) in [("publish", self.0.publish_lists()), ("subscribe", self.0.subscribe_lists())] {
            map.serialize_entry(name, &Lists { allow, deny })?;
        }
        if let Some(responses) = self.0.responses {
            let max = responses.max.map_or(-1, i64::from);
            let ttl = responses.ttl.map_or(-1, |ttl| i64::try_from(ttl.as_nanos()).unwrap_or(i64::MAX));
            map.serialize_entry("responses", &Limits { max, ttl })?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct Lists {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allow: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deny: Vec<String>,
}

#[derive(Serialize)]
struct Limits {
    max: i64,
    ttl: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_depends_on_the_account() {
        let page = |path| Kind::Page(path);
        for (subject, in_system, in_other) in [
            ("$SYS.REQ.USER.INFO", Some(Question::User), Some(Question::User)),
            ("$SYS.REQ.SERVER.PING", Some(Question::Document(Kind::Statsz, None)), None),
            ("$SYS.REQ.SERVER.PING.IDZ", Some(Question::Document(Kind::Idz, None)), None),
            ("$SYS.REQ.SERVER.NID.VARZ", Some(Question::Document(page("/varz"), None)), None),
            ("$SYS.REQ.SERVER.other.VARZ", None, None),
            ("$SYS.REQ.SERVER.NID.VARZ.x", None, None),
            ("$SYS.REQ.SERVER.NID.NOPE", None, None),
            ("$SYS.REQ.SERVER.NID", None, None),
            (
                "$SYS.REQ.SERVER.PING.CONNZ",
                Some(Question::Document(page("/connz"), None)),
                Some(Question::OwnDocument(page("/connz"))),
            ),
            ("$SYS.REQ.ACCOUNT.A.CONNZ", Some(Question::Document(page("/connz"), Some(b"A"))), None),
            ("$SYS.REQ.ACCOUNT.A.INFO", Some(Question::Document(Kind::AccountInfo, Some(b"A"))), None),
            (
                "$SYS.REQ.ACCOUNT.PING.STATZ",
                Some(Question::Document(Kind::AccountStatz, None)),
                Some(Question::OwnDocument(Kind::AccountStatz)),
            ),
            ("$SYS.REQ.", None, None),
            ("$SYS.REQ", None, None),
        ] {
            assert_eq!(question(subject.as_bytes(), "NID", true), in_system, "{subject}");
            assert_eq!(question(subject.as_bytes(), "NID", false), in_other, "{subject}");
        }
    }
}
