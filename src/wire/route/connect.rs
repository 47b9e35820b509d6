//! The CONNECT document of a route: what the server that dialled says first.

use super::super::Secret;
use super::super::json::{self, Document, set};
use serde::Serialize;
use serde::de::{IgnoredAny, MapAccess};

/// The fields of a route's CONNECT.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connect {
    /// The name of the sender's cluster.
    pub cluster: String,
    /// That name was generated, and the sender would take another one.
    pub cluster_dynamic: bool,
    /// The sender's id.
    pub name: String,
    /// The user that the dialled address names.
    pub user: String,
    /// That user's password.
    pub password: Secret,
    /// The sender dialled with TLS.
    pub tls_required: bool,
    /// Said by clients: the language of their library.
    pub lang: String,
    /// Said by gateways: the name of their cluster.
    pub gateway: String,
}

/// The document as it is written. Capabilities are the INFO's to state; they stand here too for servers that look here.
#[derive(Serialize)]
struct Written<'a> {
    echo: bool,
    verbose: bool,
    pedantic: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    user: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pass: &'a str,
    tls_required: bool,
    headers: bool,
    name: &'a str,
    cluster: &'a str,
    #[serde(skip_serializing_if = "super::info::is_false")]
    cluster_dynamic: bool,
    lnoc: bool,
    lnocu: bool,
    ln: bool,
}

impl Connect {
    /// Decodes `document` on top of `self`, which on an error may hold a part of it.
    ///
    /// # Errors
    /// What is wrong with the JSON, with its place in the document but none of its values.
    pub fn decode(&mut self, document: &[u8]) -> Result<(), String> {
        json::decode(document, self)
    }

    /// The whole line.
    pub fn line(&self) -> Vec<u8> {
        let written = Written {
            echo: true,
            verbose: false,
            pedantic: false,
            user: &self.user,
            pass: self.password.reveal(),
            tls_required: self.tls_required,
            headers: true,
            name: &self.name,
            cluster: &self.cluster,
            cluster_dynamic: self.cluster_dynamic,
            lnoc: true,
            lnocu: true,
            ln: true,
        };
        super::info::line(b"CONNECT ", &written)
    }
}

impl Document for Connect {
    fn value<'de, M: MapAccess<'de>>(&mut self, key: &str, map: &mut M) -> Result<(), M::Error> {
        match key {
            "cluster" => set(&mut self.cluster, map),
            "cluster_dynamic" => set(&mut self.cluster_dynamic, map),
            "name" => set(&mut self.name, map),
            "user" => set(&mut self.user, map),
            "pass" => set(&mut self.password, map),
            "tls_required" => set(&mut self.tls_required, map),
            "lang" => set(&mut self.lang, map),
            "gateway" => set(&mut self.gateway, map),
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}
