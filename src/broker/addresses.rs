//! Limits for the clients of one address: how many there may be at a time, and how many may come in a second.
//!
//! Off by default, and then nothing is counted. All workers share one table, with a lock that is taken when a connection
//! comes and when it goes. Of IPv6 the network of 64 bits counts, because hosts have as many addresses as they like.

use super::auth::failures::network;
use super::deliver::Local;
use super::reason::Reason;
use crate::config::Options;
use crate::log::Level;
use crate::wire::ProtocolError;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Addresses without a client that are remembered at a time, for the rate.
const IDLE_MAX: usize = 16 * 1024;

/// How long a second is.
const SECOND_MS: u64 = 1000;

/// What becomes of a connection for its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// There is no objection.
    Welcome,
    /// There are as many as there may be.
    TooMany,
    /// As many have come in this second as may.
    TooFast,
}

/// Clients by address.
#[derive(Debug, Default)]
pub(super) struct Addresses(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    entries: HashMap<IpAddr, Entry>,
    /// Entries from which on those of no use are looked for.
    sweep_at: usize,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Clients that are there.
    open: u32,
    /// When its second began.
    began: u64,
    /// Clients that came in it.
    came: u32,
}

impl Addresses {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection comes, and is counted until it [`leaves`](Self::leave), whatever becomes of it. A limit of 0 is none.
    fn arrive(&self, address: IpAddr, now: u64, open_max: u32, rate_max: u32) -> Arrival {
        let mut table = self.lock();
        table.sweep(now);
        let entry = table.entries.entry(network(address)).or_insert(Entry { open: 0, began: now, came: 0 });
        entry.open += 1;
        if now.saturating_sub(entry.began) >= SECOND_MS {
            (entry.began, entry.came) = (now, 0);
        }
        if open_max > 0 && entry.open > open_max {
            return Arrival::TooMany;
        }
        if rate_max > 0 && entry.came >= rate_max {
            return Arrival::TooFast;
        }
        entry.came += 1;
        Arrival::Welcome
    }

    /// A client that was there before there was a limit.
    fn add(&self, address: IpAddr, now: u64) {
        self.lock().entries.entry(network(address)).or_insert(Entry { open: 0, began: now, came: 0 }).open += 1;
    }

    fn leave(&self, address: IpAddr) {
        if let Some(entry) = self.lock().entries.get_mut(&network(address)) {
            entry.open = entry.open.saturating_sub(1);
        }
    }
}

impl Table {
    /// Forgets addresses that have no client, once in a while: first those whose second is over, and if there are still too
    /// many, all of them.
    fn sweep(&mut self, now: u64) {
        if self.entries.len() < self.sweep_at {
            return;
        }
        self.entries.retain(|_, entry| entry.open > 0 || now.saturating_sub(entry.began) < SECOND_MS);
        let in_use = self.entries.values().filter(|entry| entry.open > 0).count();
        if self.entries.len() - in_use >= IDLE_MAX {
            self.entries.retain(|_, entry| entry.open > 0);
        }
        self.sweep_at = (self.entries.len() * 2).clamp(IDLE_MAX / 16, in_use + IDLE_MAX);
    }
}

/// True if there is a limit for addresses.
fn limits_addresses(options: &Options) -> bool {
    options.max_connections_per_address > 0 || options.connection_rate_per_address > 0
}

impl Local {
    /// A new connection is counted for its address.
    pub(super) fn arrive(&self, key: u32) -> Arrival {
        let options = &self.options;
        if !limits_addresses(options) {
            return Arrival::Welcome;
        }
        let (open_max, rate_max) = (options.max_connections_per_address, options.connection_rate_per_address);
        let address = self.clients[key as usize].peer.ip();
        self.shared.addresses.arrive(address, self.now, open_max, rate_max)
    }

    /// A connection begins to close.
    pub(super) fn leave_address(&self, key: u32) {
        if limits_addresses(&self.options) {
            self.shared.addresses.leave(self.clients[key as usize].peer.ip());
        }
    }

    /// Other options are in force: clients that are there are counted from now on, or no longer.
    pub(super) fn recount_addresses(&self, before: &Options) {
        let (did, does) = (limits_addresses(before), limits_addresses(&self.options));
        for (_, client) in
            self.clients.iter().filter(|(_, client)| did != does && client.is_open() && !client.is_route())
        {
            match does {
                true => self.shared.addresses.add(client.peer.ip(), self.now),
                false => self.shared.addresses.leave(client.peer.ip()),
            }
        }
    }

    /// Refuses a connection for its address.
    pub(super) fn refuse_address(&mut self, key: u32, arrival: Arrival) {
        let client = &self.clients[key as usize];
        let log = &self.shared.log;
        let error = match arrival {
            Arrival::TooFast => {
                log.about(Level::Error, client, format_args!("maximum connection rate of its address exceeded"));
                ProtocolError::Throttled
            }
            Arrival::TooMany | Arrival::Welcome => {
                log.about(Level::Error, client, format_args!("maximum connections of its address exceeded"));
                ProtocolError::AddressConnections
            }
        };
        self.close(key, Reason::MaximumAddressConnectionsExceeded, Some(error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn so_many_clients_of_an_address_and_no_more() {
        let addresses = Addresses::default();
        let arrive = |number| addresses.arrive(address(number), 0, 2, 0);
        assert_eq!([arrive(1), arrive(1), arrive(1)], [Arrival::Welcome, Arrival::Welcome, Arrival::TooMany]);
        assert_eq!(arrive(2), Arrival::Welcome);
        addresses.leave(address(1));
        assert_eq!(arrive(1), Arrival::TooMany, "the one that was refused is gone, and the others are there");
        addresses.leave(address(1));
        addresses.leave(address(1));
        assert_eq!(arrive(1), Arrival::Welcome);
    }

    #[test]
    fn so_many_clients_of_an_address_in_a_second() {
        let addresses = Addresses::default();
        let arrive = |now| addresses.arrive(address(1), now, 0, 2);
        assert_eq!([arrive(5000), arrive(5500), arrive(5999)], [Arrival::Welcome, Arrival::Welcome, Arrival::TooFast]);
        assert_eq!([arrive(6000), arrive(6001), arrive(6002)], [Arrival::Welcome, Arrival::Welcome, Arrival::TooFast]);
        assert_eq!(addresses.arrive(address(2), 6002, 0, 2), Arrival::Welcome);
    }

    #[test]
    fn a_network_is_one_address() {
        let addresses = Addresses::default();
        let arrive = |text: &str| addresses.arrive(text.parse().unwrap(), 0, 1, 0);
        assert_eq!(arrive("2001:db8::1"), Arrival::Welcome);
        assert_eq!(arrive("2001:db8::ffff:1"), Arrival::TooMany);
        assert_eq!(arrive("2001:db8:0:1::1"), Arrival::Welcome);
    }

    #[test]
    fn the_table_is_bounded_by_those_who_are_there() {
        let addresses = Addresses::default();
        addresses.arrive(address(1), 0, 1, 1);
        for number in 100..100 + 4 * IDLE_MAX as u32 {
            addresses.arrive(address(number), 0, 1, 1);
            addresses.leave(address(number));
            assert!(addresses.lock().entries.len() <= 1 + IDLE_MAX);
        }
        assert_eq!(addresses.arrive(address(1), 0, 1, 1), Arrival::TooMany, "who is there is not forgotten");
        for number in 1_000_000..1_000_000 + IDLE_MAX as u32 {
            addresses.arrive(address(number), 5000, 1, 1);
            addresses.leave(address(number));
        }
        assert!(addresses.lock().entries.len() <= 1 + IDLE_MAX);
    }
}
