//! The INFO document of a route: what a server says of itself, or of a third one it has met.

use super::super::json::{self, Document, set};
use super::super::subject;
use serde::de::{IgnoredAny, MapAccess};
use serde::{Deserialize, Serialize};

/// The fields of a route's INFO, in the order in which they are written; what is false, 0 or empty is left out but for the
/// first ones. A server that passes an INFO on writes the fields it knows, so all that other servers make use of
/// are here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Info {
    /// Unique for each run of a server. Empty, or a gateway's, in documents that are not about a server.
    pub server_id: String,
    /// Configured name, else the id.
    pub server_name: String,
    /// The server's version, for people.
    pub version: String,
    /// 2: routes as described here; 3: knows traced messages too.
    pub proto: i64,
    /// Kept for servers that expect the key.
    pub go: String,
    /// Where the server's routes can be dialled.
    pub host: String,
    /// The port there.
    pub port: u16,
    /// HMSG is understood; without it headers are to be cut off.
    pub headers: bool,
    /// Bytes a client's message may have.
    pub max_payload: i64,
    /// The server is about to go: its clients' addresses are no use any more.
    #[serde(skip_serializing_if = "is_false")]
    pub ldm: bool,
    /// Routes need a user and password.
    #[serde(skip_serializing_if = "is_false")]
    pub auth_required: bool,
    /// Routes use TLS.
    #[serde(skip_serializing_if = "is_false")]
    pub tls_required: bool,
    /// Certificates of peers are verified.
    #[serde(skip_serializing_if = "is_false")]
    pub tls_verify: bool,
    /// The address to dial, as a URL. Filled in by the server that passes the document on, unless it is advertised.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ip: String,
    /// Name of the cluster.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    /// That name was generated.
    #[serde(skip_serializing_if = "is_false")]
    pub cluster_dynamic: bool,
    /// Where clients can connect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub connect_urls: Vec<String>,
    /// The same for websockets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ws_connect_urls: Vec<String>,
    /// Where leaf nodes can connect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leafnode_urls: Vec<String>,
    /// Subjects the server announces interest in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import: Option<SubjectLists>,
    /// Subjects the server takes interest in from others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub export: Option<SubjectLists>,
    /// LS+ and LMSG are understood.
    #[serde(skip_serializing_if = "is_false")]
    pub lnoc: bool,
    /// The origin is in LS- too.
    #[serde(skip_serializing_if = "is_false")]
    pub lnocu: bool,
    /// So are leaf nodes without a cluster; includes the other two.
    #[serde(skip_serializing_if = "is_false")]
    pub ln: bool,
    /// The server stores streams.
    #[serde(skip_serializing_if = "is_false")]
    pub jetstream: bool,
    /// The domain of its streams.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub domain: String,
    /// How it would like to compress.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub compression: String,
    /// Connections it would like to have with each peer; 0 for a server that always has one.
    #[serde(skip_serializing_if = "is_zero")]
    pub route_pool_size: i64,
    /// Which of them this is.
    #[serde(skip_serializing_if = "is_zero")]
    pub route_pool_idx: i64,
    /// The one account that this connection is for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub route_account: String,
    /// A question about such accounts, to be echoed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub route_acc_add_reqid: String,
    /// Whether to tell others of the server: see [`Gossip`].
    #[serde(skip_serializing_if = "is_zero")]
    pub gossip_mode: i64,
    /// Where the server's gateway is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub gateway_url: String,
    /// Set in documents about gateways.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub gateway: String,
    /// 1 from servers of our own kind, which know what [`FORWARDED`] means. Others do not pass it on.
    #[serde(skip_serializing_if = "is_zero")]
    pub midge: i64,
}

/// The origin of a message that was passed on from the server it was sent to, because that had lost its last member of the
/// queue group. It is for a member of that group alone: plain subscriptions have had it, or will have it, from the
/// publisher's server, and it goes no further. Servers of other kinds take it for the name of a cluster of leaf nodes.
pub const FORWARDED: &[u8] = b"$FORWARDED";

/// What `gossip_mode` asks of the server that is told of a new one, and of the one that it then dials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Gossip {
    /// Tell others, unless the new server was met through gossip.
    #[default]
    Usual,
    /// Do not tell others.
    Not,
    /// Tell others in any case.
    Always,
}

impl Gossip {
    /// What a number says; unknown ones say nothing.
    pub fn of(mode: i64) -> Self {
        match mode {
            1 => Self::Not,
            2 => Self::Always,
            _ => Self::Usual,
        }
    }

    /// The number for it.
    pub fn mode(self) -> i64 {
        match self {
            Self::Usual => 0,
            Self::Not => 1,
            Self::Always => 2,
        }
    }
}

/// Subjects that are allowed, and those of them that are not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectLists {
    /// Allowed; all if it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<Vec<String>>,
    /// Not allowed whatever the other says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deny: Option<Vec<String>>,
}

impl SubjectLists {
    /// Whether all that a subscription to this subject or pattern can get is allowed.
    pub fn permit(&self, pattern: &[u8]) -> bool {
        let is_within = |list: &Vec<String>| list.iter().any(|wider| subject::is_subset(pattern, wider.as_bytes()));
        self.allow.as_ref().is_none_or(is_within) && !self.deny.as_ref().is_some_and(is_within)
    }
}

impl Info {
    /// Decodes `document` on top of `self`, which on an error may hold a part of it.
    ///
    /// # Errors
    /// What is wrong with the JSON, with its place in the document but none of its values.
    pub fn decode(&mut self, document: &[u8]) -> Result<(), String> {
        json::decode(document, self)
    }

    /// The whole line.
    pub fn line(&self) -> Vec<u8> {
        line(b"INFO ", self)
    }
}

impl Document for Info {
    fn value<'de, M: MapAccess<'de>>(&mut self, key: &str, map: &mut M) -> Result<(), M::Error> {
        match key {
            "server_id" => set(&mut self.server_id, map),
            "server_name" => set(&mut self.server_name, map),
            "version" => set(&mut self.version, map),
            "proto" => set(&mut self.proto, map),
            "go" => set(&mut self.go, map),
            "host" => set(&mut self.host, map),
            "port" => set(&mut self.port, map),
            "headers" => set(&mut self.headers, map),
            "max_payload" => set(&mut self.max_payload, map),
            "ldm" => set(&mut self.ldm, map),
            "auth_required" => set(&mut self.auth_required, map),
            "tls_required" => set(&mut self.tls_required, map),
            "tls_verify" => set(&mut self.tls_verify, map),
            "ip" => set(&mut self.ip, map),
            "cluster" => set(&mut self.cluster, map),
            "cluster_dynamic" => set(&mut self.cluster_dynamic, map),
            "connect_urls" => set(&mut self.connect_urls, map),
            "ws_connect_urls" => set(&mut self.ws_connect_urls, map),
            "leafnode_urls" => set(&mut self.leafnode_urls, map),
            "import" => map.next_value::<Option<SubjectLists>>().map(|lists| self.import = lists),
            "export" => map.next_value::<Option<SubjectLists>>().map(|lists| self.export = lists),
            "lnoc" => set(&mut self.lnoc, map),
            "lnocu" => set(&mut self.lnocu, map),
            "ln" => set(&mut self.ln, map),
            "jetstream" => set(&mut self.jetstream, map),
            "domain" => set(&mut self.domain, map),
            "compression" => set(&mut self.compression, map),
            "route_pool_size" => set(&mut self.route_pool_size, map),
            "route_pool_idx" => set(&mut self.route_pool_idx, map),
            "route_account" => set(&mut self.route_account, map),
            "route_acc_add_reqid" => set(&mut self.route_acc_add_reqid, map),
            "gossip_mode" => set(&mut self.gossip_mode, map),
            "gateway_url" => set(&mut self.gateway_url, map),
            "gateway" => set(&mut self.gateway, map),
            "midge" => set(&mut self.midge, map),
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}

pub(super) fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &i64) -> bool {
    *value == 0
}

/// A line with a document.
pub(super) fn line(name: &[u8], document: &impl Serialize) -> Vec<u8> {
    let mut line = name.to_vec();
    serde_json::to_writer(&mut line, document).expect("strings and numbers can be written to memory");
    line.extend_from_slice(b"\r\n");
    line
}
