//! What this server's clients want, said to the peers.

use super::Neighbour;
use crate::broker::deliver::Local;
use crate::broker::reason::Reason;
use crate::cluster::{self, Peer};
use crate::interest::{AccountId, Announcer, Interest, Progress};
use crate::wire::route::{self, write};

/// Places of an index that are looked at in one go: about a millisecond.
const PLACES: usize = 4096;

impl Local {
    /// Says what is new, if anything is.
    #[inline]
    pub(super) fn announce_changes(&mut self) {
        if self.shared.interest.changes_to_announce() != self.routes.announced {
            self.announce();
        }
    }

    #[inline(never)]
    fn announce(&mut self) {
        // Before the list: a change that comes between the two is in the list this time, and is looked for once more.
        self.routes.announced = self.shared.interest.changes_to_announce();
        let mut accounts = Vec::new();
        self.shared.interest.take_accounts_to_announce(&mut accounts);
        for at in 0..self.routes.keys.len() {
            let key = self.routes.keys[at];
            let Some(neighbour) = self.clients[key as usize].neighbour_mut() else { continue };
            for &account in &accounts {
                if !neighbour.untold.contains(&account) {
                    neighbour.untold.push(account);
                }
            }
            self.tell_peer(key);
        }
    }

    /// A peer is new: it is told everything.
    pub(super) fn start_announcing(&mut self, key: u32) {
        let Some(neighbour) = self.clients[key as usize].neighbour_mut() else { return };
        neighbour.untold = (0..self.shared.interest.account_count()).collect();
        self.tell_peer(key);
    }

    /// A peer takes other interest than before: it is told everything again.
    pub(super) fn announce_anew(&mut self, key: u32, peer: Box<Peer>) {
        if let Some(neighbour) = self.clients[key as usize].neighbour_mut() {
            neighbour.peer = peer;
            self.forget_announced(key);
        }
    }

    /// Other interest is announced than before: all peers are told everything again.
    pub(super) fn announce_all_anew(&mut self) {
        for at in 0..self.routes.keys.len() {
            self.forget_announced(self.routes.keys[at]);
        }
    }

    fn forget_announced(&mut self, key: u32) {
        let Some(neighbour) = self.clients[key as usize].neighbour_mut() else { return };
        stop_announcing(&self.shared.interest, std::mem::take(&mut neighbour.announcers));
        neighbour.retracts = true;
        self.start_announcing(key);
    }

    /// True if there is something to tell that did not fit into one go.
    pub(super) fn has_untold(&self) -> bool {
        let can_be_told = |key: &u32| {
            let client = &self.clients[*key as usize];
            client.neighbour().is_some_and(|neighbour| !neighbour.untold.is_empty())
                && client.out.bytes() <= self.pending_max
        };
        self.routes.keys.iter().any(can_be_told)
    }

    /// Tells some of that.
    pub(super) fn tell_untold(&mut self) {
        for at in 0..self.routes.keys.len() {
            self.tell_peer(self.routes.keys[at]);
        }
    }

    /// Tells a peer some of what it has not been told, unless too much waits for it already.
    fn tell_peer(&mut self, key: u32) {
        let Self { clients, shared, routes, .. } = self;
        let client = &mut clients[key as usize];
        if client.out.bytes() > self.pending_max {
            return;
        }
        let Some(Neighbour { peer, announcers, untold, retracts, .. }) = client.neighbour_mut() else { return };
        let interest = &shared.interest;
        let mut lines = std::mem::take(&mut routes.scratch);
        lines.clear();
        let mut is_behind = false;
        let mut later = Vec::new();
        for account in untold.drain(..) {
            while announcers.len() <= account as usize {
                announcers.push(interest.start_announcing(announcers.len() as AccountId));
            }
            let name = &interest.account(account).name;
            let progress = interest.announce(account, &mut announcers[account as usize], PLACES, |wanted| {
                let said = route::Interest {
                    origin: b"",
                    account: name.as_bytes(),
                    subject: wanted.subject,
                    queue: wanted.queue,
                    weight: wanted.weight,
                };
                let is_for = |lists: &Option<route::SubjectLists>| {
                    lists.as_ref().is_none_or(|lists| lists.permit(wanted.subject))
                };
                match is_for(&routes.import) && is_for(&peer.export) {
                    true if wanted.weight > 0 => write::subscribe(&said, &mut lines),
                    false if !*retracts => {}
                    _ => write::unsubscribe(&said, true, &mut lines),
                }
            });
            match progress {
                Progress::Done => {}
                Progress::More => later.push(account),
                Progress::Behind => is_behind = true,
            }
        }
        *untold = later;
        *retracts &= !untold.is_empty();
        if is_behind {
            let client = &self.clients[key as usize];
            self.shared
                .log
                .info(format_args!("{client} - Slow Consumer Detected: too far behind what is subscribed to"));
            self.counts.slow(client);
            self.close(key, Reason::SlowConsumerPendingBytes, None);
        } else if !lines.is_empty() {
            self.trace_line_out(key, &lines);
            self.send(key, [&lines]);
        }
        self.routes.scratch = lines;
    }
}

/// Nothing more is told to a peer through these, one for each account.
pub(super) fn stop_announcing(interest: &Interest, announcers: Vec<Announcer>) {
    for (account, announcer) in announcers.into_iter().enumerate() {
        interest.stop_announcing(account as AccountId, announcer);
    }
}

/// What a peer's interest is refused for.
pub(super) const TOO_MUCH: Reason = Reason::Route(cluster::Reason::ProtocolViolation);
