//! Documents that only requests in messages ask for.

use super::accounts::Account;
use super::{Context, number};
use crate::broker::Traffic;
use crate::broker::system::ServerInfo;
use crate::sys::usage;
use serde::Serialize;
use std::thread;
use std::time::Instant;

#[derive(Debug, Serialize)]
struct Idz<'a> {
    name: &'a str,
    host: &'a str,
    id: &'a str,
}

#[derive(Debug, Serialize)]
struct StatszMessage<'a> {
    server: ServerInfo<'a>,
    statsz: Statsz,
}

#[derive(Debug, Serialize)]
struct Statsz {
    start: String,
    mem: u64,
    cores: usize,
    #[serde(serialize_with = "number")]
    cpu: f64,
    connections: usize,
    total_connections: usize,
    active_accounts: usize,
    subscriptions: usize,
    sent: Flow,
    sent_to_clients: Flow,
    received: Flow,
    received_from_clients: Flow,
    slow_consumers: u64,
    active_servers: usize,
    gomaxprocs: usize,
}

/// What went one way.
#[derive(Debug, Clone, Copy, Serialize)]
struct Flow {
    msgs: u64,
    bytes: u64,
}

/// An account's figures as an event has them.
#[derive(Debug, Serialize)]
struct Connections<'a> {
    r#type: &'static str,
    id: String,
    timestamp: String,
    server: ServerInfo<'a>,
    #[serde(flatten)]
    account: Account,
}

impl Context {
    /// Who sends a document.
    pub fn server_info(&self) -> Vec<u8> {
        json(&self.info())
    }

    fn info(&self) -> ServerInfo<'_> {
        let now_us = self.now().0;
        self.subject.shared.server_info(&self.subject.options, now_us)
    }

    /// The configured name of the cluster; empty without one.
    pub fn cluster_name(&self) -> &str {
        let cluster = &self.subject.options.cluster;
        cluster.listen().and(cluster.name.as_deref()).unwrap_or_default()
    }

    /// Whether there is such an account.
    pub fn has_account(&self, name: &str) -> bool {
        self.account_by_name(name).is_some()
    }

    /// Who the server is.
    pub fn idz(&self) -> Vec<u8> {
        let identity = &self.subject.shared.identity;
        json(&Idz { name: &identity.name, host: &identity.host, id: &identity.id })
    }

    /// The server's figures.
    pub fn statsz(&mut self) -> Vec<u8> {
        let sums = self.sums();
        let cpu = self.processor.percent(Instant::now());
        let Traffic { in_messages, in_bytes, out_messages, out_bytes } = sums.traffic();
        let sent = Flow { msgs: out_messages, bytes: out_bytes };
        let received = Flow { msgs: in_messages, bytes: in_bytes };
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let statsz = Statsz {
            start: self.date_of(0),
            mem: usage::resident_bytes(),
            cores,
            cpu,
            connections: self.subject.shared.connections(),
            total_connections: self.subject.shared.connections_total(),
            active_accounts: sums.connections.iter().filter(|count| **count > 0).count(),
            subscriptions: self.subscriptions(),
            sent,
            sent_to_clients: sent,
            received,
            received_from_clients: received,
            slow_consumers: sums.counts.slow_consumers(),
            active_servers: 1,
            gomaxprocs: cores,
        };
        json(&StatszMessage { server: self.info(), statsz })
    }

    /// An account's figures as an event; None if there is no such account.
    pub fn account_connections(&mut self, name: &str) -> Option<Vec<u8>> {
        let account = self.account_figures(|known| known == name, true).pop()?;
        let (id, timestamp) = (self.subject.shared.event_id(), self.timestamp());
        let r#type = "io.nats.server.advisory.v1.account_connections";
        Some(json(&Connections { r#type, id, timestamp, server: self.info(), account }))
    }
}

/// Serializing into memory fails for no type of ours.
pub(super) fn json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).unwrap_or_default()
}
