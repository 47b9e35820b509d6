//! What the server tells others of a client: services that it asks, and those who look after the server.

use serde::Serialize;

/// The fields in the order in which they are written; those that are not known are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ClientInfo<'a> {
    /// When it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The connection's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Its account.
    pub acc: &'a str,
    /// The account whose service it asked, where that asks another one in turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub svc: Option<&'a str>,
    /// The name of its user.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// What it calls itself.
    #[serde(skip_serializing_if = "<str>::is_empty")]
    pub name: &'a str,
    /// The language of its library.
    #[serde(skip_serializing_if = "<str>::is_empty")]
    pub lang: &'a str,
    /// The version of that.
    #[serde(skip_serializing_if = "<str>::is_empty")]
    pub ver: &'a str,
    /// The last round trip, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt: Option<u64>,
    /// Its server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<&'a str>,
    /// When it went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<String>,
    /// The name of its account once more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_tag: Option<&'a str>,
    /// What it is: always a client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// What it speaks: always this protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_type: Option<&'static str>,
}

impl<'a> ClientInfo<'a> {
    /// The same with the account of a service between.
    pub fn with_service(self, svc: Option<&'a str>) -> Self {
        Self { svc, ..self }
    }

    /// As JSON.
    pub fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers can be written to memory")
    }
}
