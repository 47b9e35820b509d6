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
    /// Clients that did not read, by account.
    pub slow_clients: Vec<u64>,
    /// Routes that did not.
    pub slow_routes: u64,
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

    /// A connection does not read.
    pub(super) fn slow(&mut self, client: &Client) {
        if client.is_route() {
            self.slow_routes += 1;
        } else {
            *place_of(&mut self.slow_clients, client.account as usize) += 1;
        }
    }

    /// Connections that did not read.
    pub fn slow_consumers(&self) -> u64 {
        self.slow_clients.iter().sum::<u64>() + self.slow_routes
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
        *place_of(&mut self.gone, client.account as usize) += client.traffic;
    }
}

/// The place of an account, which is made if it is not there.
pub fn place_of<T: Clone + Default>(accounts: &mut Vec<T>, account: usize) -> &mut T {
    if accounts.len() <= account {
        accounts.resize(account + 1, T::default());
    }
    &mut accounts[account]
}
