//! What a worker counts of things that are rare. What every message changes is counted by its connection alone, and added
//! up when somebody asks: see [`report`](super::report).

use super::client::{Client, Traffic};
use super::reason::Reason;
use std::collections::BTreeMap;

/// Connections that were closed for one reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cut {
    /// How many.
    pub connections: u64,
    /// Bytes that waited for them and were thrown away.
    pub bytes: u64,
}

/// The counts of one worker since the start.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Connections closed because they did not read.
    pub slow_consumers: u64,
    /// Connections closed because they did not answer PINGs.
    pub stale_connections: u64,
    /// Times that a receiver held a publisher of this worker back.
    pub stalls: u64,
    /// Messages that a receiver did not get because it was too far behind.
    pub refused: u64,
    /// Subscriptions that were refused because there was too little memory.
    pub refused_subs: u64,
    /// What was closed and thrown away, by reason.
    pub cuts: BTreeMap<&'static str, Cut>,
    /// What went through connections that are gone, by account.
    pub gone: Vec<Traffic>,
    /// What went through routes.
    pub route_traffic: Traffic,
}

impl Counts {
    /// Connections closed for this reason.
    pub fn closed(&self, reason: Reason) -> u64 {
        self.cuts.get(reason.text()).map_or(0, |cut| cut.connections)
    }

    pub(super) fn close(&mut self, reason: Reason) {
        self.cuts.entry(reason.text()).or_default().connections += 1;
    }

    /// What waits for a connection is about to be thrown away.
    pub(super) fn discard(&mut self, client: &Client) {
        let bytes = client.out.bytes() as u64;
        if bytes > 0
            && let Some(reason) = client.reason()
        {
            self.cuts.entry(reason.text()).or_default().bytes += bytes;
        }
    }

    /// A connection is forgotten.
    pub(super) fn keep(&mut self, client: &Client) {
        if client.is_route() {
            self.route_traffic += client.traffic;
            return;
        }
        *traffic_of(&mut self.gone, client.account as usize) += client.traffic;
    }
}

/// The place of an account, which is made if it is not there.
pub(super) fn traffic_of(accounts: &mut Vec<Traffic>, account: usize) -> &mut Traffic {
    if accounts.len() <= account {
        accounts.resize(account + 1, Traffic::default());
    }
    &mut accounts[account]
}
