//! Addresses whose clients do not know their passwords.
//!
//! Whoever guesses waits longer and longer for being told that it was wrong. Nobody else waits: a client that knows its
//! password is let in at once, wherever it comes from. For passwords that take long to check, clients from other addresses
//! go first.

use std::collections::HashMap;
use std::net::IpAddr;

/// Addresses remembered at a time.
pub const ADDRESSES_MAX: usize = 1024;

/// Failures of an address that cost nothing: people mistype, and a service is started with an old password.
const FREE: u32 = 10;

/// How much longer the answer to each further one takes, in milliseconds.
const STEP_MS: u64 = 50;

/// The longest time for it: about as long as a client may say nothing at all, so that guessing holds no more
/// connections than silence.
const DELAY_MAX_MS: u64 = 2000;

/// Time without a failure after which an address is forgotten.
const FORGET_MS: u64 = 60_000;

/// How often logins failed, by address; of IPv6 by network, because hosts have as many addresses as they like.
#[derive(Debug, Default)]
pub struct Failures {
    counts: HashMap<IpAddr, Count>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    failures: u32,
    last: u64,
}

impl Failures {
    /// A login from this address failed at `now`, in milliseconds. Returns after how many of them the client is told.
    pub fn add(&mut self, address: IpAddr, now: u64) -> u64 {
        let address = network(address);
        if self.counts.len() >= ADDRESSES_MAX && !self.counts.contains_key(&address) {
            self.make_room(now);
        }
        let count = self.counts.entry(address).or_insert(Count { failures: 0, last: now });
        count.failures = if now - count.last < FORGET_MS { count.failures.saturating_add(1) } else { 1 };
        count.last = now;
        let charged = u64::from(count.failures.saturating_sub(FREE));
        (charged * STEP_MS).min(DELAY_MAX_MS)
    }

    /// True if the address has not failed more often than people do.
    pub fn trusts(&self, address: IpAddr, now: u64) -> bool {
        let count = self.counts.get(&network(address));
        count.is_none_or(|count| count.failures <= FREE || now - count.last >= FORGET_MS)
    }

    /// Forgets what is over; if nothing is, the address with the fewest failures.
    fn make_room(&mut self, now: u64) {
        self.counts.retain(|_, count| now - count.last < FORGET_MS);
        if self.counts.len() >= ADDRESSES_MAX
            && let Some(address) =
                self.counts.iter().min_by_key(|(_, count)| (count.failures, count.last)).map(|(address, _)| *address)
        {
            self.counts.remove(&address);
        }
    }
}

/// The address itself, or of an IPv6 address the network that a host may choose its addresses from.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let mut segments = address.segments();
            segments[4..].fill(0);
            IpAddr::V6(segments.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn who_goes_on_guessing_waits_longer() {
        let mut failures = Failures::default();
        let delays: Vec<u64> = (0..100).map(|now| failures.add(address(1), now)).collect();
        assert_eq!(delays[..11], [0; 11].map(|_: u64| 0)[..10].iter().copied().chain([50]).collect::<Vec<_>>());
        assert_eq!((delays[11], delays[99]), (100, DELAY_MAX_MS));
        assert!(!failures.trusts(address(1), 100) && failures.trusts(address(2), 100));
        assert_eq!(failures.add(address(2), 100), 0);
        assert!(failures.trusts(address(1), 99 + FORGET_MS));
        assert_eq!(failures.add(address(1), 99 + FORGET_MS), 0);
    }

    #[test]
    fn a_network_is_one_address() {
        let mut failures = Failures::default();
        for host in 0..20 {
            failures.add(format!("2001:db8::{host}").parse().unwrap(), 0);
        }
        assert!(!failures.trusts("2001:db8::ffff".parse().unwrap(), 0));
        assert!(failures.trusts("2001:db8:0:1::1".parse().unwrap(), 0));
    }

    #[test]
    fn the_table_is_bounded_and_keeps_the_worst() {
        let mut failures = Failures::default();
        for _ in 0..FREE + 1 {
            failures.add(address(7), 0);
        }
        for number in 100..100 + 2 * ADDRESSES_MAX as u32 {
            failures.add(address(number), 1);
        }
        assert_eq!(failures.counts.len(), ADDRESSES_MAX);
        assert!(!failures.trusts(address(7), 1));
    }
}
