//! What the peer of one route wants.

use super::targets::ORIGIN_MAX;
use super::{AccountId, Interest, Stays, Target, Walk};
use crate::memory::Text;
use crate::wire::{route, subject};

/// The interest of one route's peer. Where it wants something is in the indexes alone: a subscription of a peer costs
/// its place there, and nothing here.
#[derive(Debug)]
pub struct Remote {
    route: Target,
    /// Interest with and without origin is told apart.
    keeps_origins: bool,
    /// The clusters of leaf nodes it has named, in the order of their numbers from 1 on.
    origins: Vec<Text<22>>,
    count: usize,
    count_max: usize,
}

/// Why interest is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The subject cannot be subscribed to.
    Subject,
    /// The peer wants too much, or names too many clusters of leaf nodes.
    TooMuch,
}

impl Remote {
    /// That of a route just opened, which may want so many subjects in all. `keeps_origins` if the peer names the
    /// origin when it ends interest; of one that does not, what it wants for leaf nodes and for its own clients is one.
    pub fn new(route: Target, keeps_origins: bool, count_max: usize) -> Self {
        Self { route, keeps_origins, origins: Vec::new(), count: 0, count_max }
    }

    /// Its route.
    pub fn route(&self) -> Target {
        self.route
    }

    /// True if interest with and without origin is told apart.
    pub fn keeps_origins_apart(&self) -> bool {
        self.keeps_origins
    }

    /// Subscriptions: subjects, and queue groups of subjects, each with each origin.
    pub fn count(&self) -> usize {
        self.count
    }

    /// RS+ or LS+.
    ///
    /// # Errors
    /// Why it is not taken. What was there stays.
    pub fn subscribe(
        &mut self,
        interest: &Interest,
        account: AccountId,
        wanted: &route::Interest,
    ) -> Result<(), Refusal> {
        if !subject::is_valid_subscription(wanted.subject) {
            return Err(Refusal::Subject);
        }
        let origin = match self.origin(wanted.origin) {
            Some(origin) => origin,
            None => self.add_origin(wanted.origin)?,
        };
        let target = Target::route(self.route.worker(), self.route.generation(), origin, wanted.weight);
        let room = self.count_max - self.count;
        let added = interest.set_route(account, wanted.subject, wanted.queue, target, room > 0);
        self.count += added.ok_or(Refusal::TooMuch)?;
        Ok(())
    }

    /// RS- or LS-. False if it was not there, which is no mistake of the peer.
    pub fn unsubscribe(&mut self, interest: &Interest, account: AccountId, wanted: &route::Interest) -> bool {
        let Some(origin) = self.origin(wanted.origin) else { return false };
        let target = Target::route(self.route.worker(), self.route.generation(), origin, 0);
        let found = interest.unset_route(account, wanted.subject, wanted.queue, target);
        self.count -= usize::from(found);
        found
    }

    /// The number of an origin that was named.
    fn origin(&self, name: &[u8]) -> Option<u32> {
        if name.is_empty() || !self.keeps_origins {
            return Some(0);
        }
        self.origins.iter().position(|known| known.bytes() == name).map(|at| at as u32 + 1)
    }

    fn add_origin(&mut self, name: &[u8]) -> Result<u32, Refusal> {
        if self.origins.len() >= ORIGIN_MAX as usize {
            return Err(Refusal::TooMuch);
        }
        self.origins.push(Text::new(name));
        Ok(self.origins.len() as u32)
    }

    /// The route is gone: from now on nobody finds it. Then it is to be swept out of each account's index.
    pub fn close(self, interest: &Interest) -> Sweep {
        interest.close_route(self.route);
        Sweep { route: self.route, account: 0, walk: Walk::START }
    }
}

/// The removal of all that the peer of a route wanted, a part at a time.
#[derive(Debug)]
pub struct Sweep {
    route: Target,
    account: AccountId,
    walk: Walk,
}

impl Sweep {
    /// Looks at so many places. False if it is done.
    pub fn step(&mut self, interest: &Interest, accounts: AccountId, places: usize) -> bool {
        if self.account >= accounts {
            return false;
        }
        interest.sweep(self.account, self.route, &mut self.walk, places);
        if self.walk == Walk::Done {
            self.account += 1;
            self.walk = Walk::START;
        }
        self.account < accounts
    }
}

/// The removal of what the peer of a route may want no longer, a part at a time.
#[derive(Debug)]
pub struct Prune {
    account: AccountId,
    walk: Walk,
}

impl Prune {
    /// One that has not begun.
    pub const START: Self = Self { account: 0, walk: Walk::START };

    /// Looks at so many places, and takes away what the peer wants there unless it stays. False if it is done.
    pub fn step(
        &mut self,
        interest: &Interest,
        remote: &mut Remote,
        accounts: AccountId,
        places: usize,
        stays: Stays,
    ) -> bool {
        if self.account >= accounts {
            return false;
        }
        remote.count -= interest.prune(self.account, remote.route, &mut self.walk, places, stays);
        if self.walk == Walk::Done {
            self.account += 1;
            self.walk = Walk::START;
        }
        self.account < accounts
    }
}
