//! What monitoring may know of a worker, as plain copies.
//!
//! A [`Question`] is answered in [`Piece`]s, each of which takes a fraction of a millisecond: the owner asks for one a
//! turn, so that however much is reported, messages wait no longer.

use super::Broker;
use super::auth::User;
use super::client::{Client, Label, State, Traffic};
use super::counts::{Counts, place_of};
use super::deliver::Local;
use super::reason::Reason;
use super::routes::ClusterReport;
use super::security::{Security, ShownCertificate};
use crate::interest::AccountId;
use crate::interest::cache::Figures;
use crate::wire::subject;
use std::net::SocketAddr;
use std::sync::Arc;

/// Connections, or subscriptions, in one piece of an answer.
const PIECE: usize = 512;

/// Places looked at for one piece. Most of those that are not reported cost next to nothing.
const LOOKS: usize = 4 * PIECE;

/// What can be asked.
#[derive(Debug, Clone)]
pub enum Question {
    /// The sums, in one [`Piece::Totals`].
    Totals,
    /// The cluster, in one [`Piece::Cluster`].
    Cluster,
    /// How well the match cache works, in one [`Piece::Matches`]: a walk over all of it.
    Matches,
    /// The figures of all open connections that are meant, in [`Piece::Connections`].
    Connections {
        /// Only the one with this number.
        cid: Option<u64>,
        /// Only those of this account.
        account: Option<AccountId>,
    },
    /// What is worth showing of a few of them only, in [`Piece::Details`].
    Details {
        /// Their keys and numbers.
        connections: Vec<(u32, u64)>,
        /// Their subscriptions too.
        subs: bool,
    },
    /// Subscriptions of all connections, in [`Piece::Subscriptions`].
    Subscriptions {
        /// Only those of this account.
        account: Option<AccountId>,
        /// Only those that would get a message published to this subject.
        test: Option<Vec<u8>>,
        /// So many of them are left out.
        skip: usize,
        /// So many at most are reported behind those; all are counted.
        take: usize,
    },
}

/// A part of the answer.
#[derive(Debug)]
pub enum Piece {
    /// See [`Question::Totals`].
    Totals(Box<Totals>),
    /// See [`Question::Cluster`].
    Cluster(Box<ClusterReport>),
    /// See [`Question::Matches`].
    Matches(Figures),
    /// See [`Question::Connections`].
    Connections(Vec<Row>),
    /// See [`Question::Details`].
    Details(Vec<Detail>),
    /// See [`Question::Subscriptions`]: how many of those asked for were found, and the rows that are to be shown.
    Subscriptions(usize, SubRows),
}

/// Sums over the connections of one worker.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Open connections by account.
    pub connections: Vec<usize>,
    /// What went through all connections that are or were, by account.
    pub traffic: Vec<Traffic>,
    /// What is counted by the worker itself.
    pub counts: Counts,
    /// Bytes that wait for all connections.
    pub pending_bytes: usize,
    /// Memory of the blocks that output waits in, free ones included.
    pub pool_bytes: usize,
}

/// The figures of one connection.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its key at its worker.
    pub key: u32,
    /// Its number.
    pub cid: u64,
    /// Its address.
    pub peer: SocketAddr,
    /// When it came, in microseconds.
    pub opened_us: u64,
    /// When it was active last, in milliseconds.
    pub active_at: u64,
    /// The last round trip, in microseconds; 0 if none is known.
    pub round_trip_us: u32,
    /// How often a receiver has held it back.
    pub stalls: u32,
    /// Bytes that wait for it.
    pub pending: usize,
    /// What went through.
    pub traffic: Traffic,
    /// Its subscriptions.
    pub subs: usize,
    /// The account it is bound to.
    pub account: AccountId,
    /// Who it is, where clients have to say so.
    pub user: Option<Arc<User>>,
    /// Version and cipher suite, if it uses TLS.
    pub tls: Option<(&'static str, &'static str)>,
    /// It began with that, before it had its INFO.
    pub tls_first: bool,
}

/// What else is known of one connection. One with many subscriptions has several of these.
#[derive(Debug)]
pub struct Detail {
    /// Its number.
    pub cid: u64,
    /// What it says of itself; in the first of several only.
    pub label: Option<Box<Label>>,
    /// Its certificates; in the first of several only.
    pub certificates: Vec<ShownCertificate>,
    /// Some of its subscriptions.
    pub subs: SubRows,
}

/// One subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubRow<'a> {
    /// The number of its connection.
    pub cid: u64,
    /// The account it is in.
    pub account: AccountId,
    /// Messages it got.
    pub delivered: u32,
    /// Messages after which it ends; 0 for no end.
    pub max: u32,
    /// The subject or pattern.
    pub subject: &'a [u8],
    /// The queue group, empty for a plain subscription.
    pub queue: &'a [u8],
    /// The client's name for it.
    pub sid: &'a [u8],
}

/// Subscriptions. Their texts lie one behind the other, so that many take a few pieces of memory.
#[derive(Debug, Clone, Default)]
pub struct SubRows {
    places: Vec<SubPlace>,
    text: Vec<u8>,
}

/// A subscription without its texts: subject, queue group and sid begin at `start`.
#[derive(Debug, Clone)]
struct SubPlace {
    cid: u64,
    account: AccountId,
    delivered: u32,
    max: u32,
    start: u32,
    subject_bytes: u32,
    queue_bytes: u32,
    sid_bytes: u32,
}

impl SubRows {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// All of them, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = SubRow<'_>> {
        self.places.iter().map(|place| {
            let (subject, rest) = self.text[place.start as usize..].split_at(place.subject_bytes as usize);
            let (queue, rest) = rest.split_at(place.queue_bytes as usize);
            let sid = &rest[..place.sid_bytes as usize];
            let &SubPlace { cid, account, delivered, max, .. } = place;
            SubRow { cid, account, delivered, max, subject, queue, sid }
        })
    }

    /// Adds one.
    fn push(&mut self, row: SubRow) {
        let SubRow { cid, account, delivered, max, subject, queue, sid } = row;
        let start = self.text.len() as u32;
        let parts = [subject, queue, sid];
        parts.iter().for_each(|part| self.text.extend_from_slice(part));
        let [subject_bytes, queue_bytes, sid_bytes] = parts.map(|part| part.len() as u32);
        self.places.push(SubPlace { cid, account, delivered, max, start, subject_bytes, queue_bytes, sid_bytes });
    }

    /// Memory they take, in bytes.
    pub fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<SubPlace>() + self.text.capacity()
    }
}

impl Row {
    pub(super) fn new(key: u32, client: &Client) -> Self {
        Self {
            key,
            cid: client.cid,
            peer: client.peer,
            opened_us: client.opened_us,
            active_at: client.active_at,
            round_trip_us: client.round_trip_us,
            stalls: client.stalls,
            pending: client.out.bytes(),
            traffic: client.traffic,
            subs: client.sids.len(),
            account: client.account,
            user: client.access.as_ref().and_then(|access| access.user.clone()),
            tls: match &client.security {
                Security::Up(secured) => Some((secured.version, secured.cipher)),
                Security::Plain | Security::Awaited(_) => None,
            },
            tls_first: matches!(&client.security, Security::Up(secured) if secured.came_first),
        }
    }
}

/// A question under way.
#[derive(Debug)]
pub struct Inquiry {
    question: Question,
    /// The place to go on from: a key, a slot, or one of the connections asked for.
    at: usize,
    /// Subscriptions left of the connection that is being reported.
    slots: Vec<u32>,
}

impl Inquiry {
    /// Nothing of it is answered yet.
    pub fn new(question: Question) -> Self {
        Self { question, at: 0, slots: Vec::new() }
    }

    /// The next piece of the answer, and whether it is the last one.
    pub fn step(&mut self, broker: &Broker) -> (Piece, bool) {
        let local = &broker.local;
        match &mut self.question {
            Question::Totals => (Piece::Totals(Box::new(local.totals())), true),
            Question::Cluster => (Piece::Cluster(Box::new(broker.cluster_report())), true),
            Question::Matches => (Piece::Matches(broker.cache.figures()), true),
            &mut Question::Connections { cid, account } => {
                let (rows, next) = local.rows(self.at, cid, account);
                self.at = next.unwrap_or_default();
                (Piece::Connections(rows), next.is_none())
            }
            Question::Details { connections, subs } => {
                let (mut details, mut room) = (Vec::new(), PIECE);
                while room > 0
                    && let Some(&(key, cid)) = connections.get(self.at)
                {
                    details.extend(local.detail(key, cid, *subs, &mut self.slots, &mut room));
                    self.at += usize::from(self.slots.is_empty());
                }
                (Piece::Details(details), self.at >= connections.len())
            }
            Question::Subscriptions { account, test, skip, take } => {
                let (mut found, mut rows) = (0, SubRows::default());
                let end = (self.at + LOOKS).min(local.subs.slots());
                while self.at < end && rows.len() < PIECE {
                    let slot = self.at as u32;
                    self.at += 1;
                    if !local.is_meant(slot, *account, test.as_deref()) {
                        continue;
                    }
                    found += 1;
                    if *skip > 0 {
                        *skip -= 1;
                    } else if *take > 0 {
                        *take -= 1;
                        local.add_sub(slot, &mut rows);
                    }
                }
                (Piece::Subscriptions(found, rows), self.at >= local.subs.slots())
            }
        }
    }
}

impl Client {
    /// Why it is being closed.
    pub(super) fn reason(&self) -> Option<Reason> {
        match self.state {
            State::Flushing(reason, _) => Some(reason),
            State::Open | State::Lingering | State::Gone => None,
        }
    }
}

impl Local {
    /// One walk over all connections, so that each is counted once: a fraction of a millisecond for 10,000 of them.
    fn totals(&self) -> Totals {
        let mut totals = Totals {
            traffic: self.counts.gone.clone(),
            counts: self.counts.clone(),
            pool_bytes: self.pool.bytes(),
            ..Totals::default()
        };
        for (_, client) in &self.clients {
            totals.pending_bytes += client.out.bytes();
            if client.is_route() {
                totals.counts.route_traffic += client.traffic;
                continue;
            }
            let account = client.account as usize;
            *place_of(&mut totals.traffic, account) += client.traffic;
            if client.is_open() {
                *place_of(&mut totals.connections, account) += 1;
            }
        }
        totals
    }

    /// Figures of connections from a key on, and the key to go on with.
    fn rows(&self, from: usize, cid: Option<u64>, account: Option<AccountId>) -> (Vec<Row>, Option<usize>) {
        let end = from + PIECE;
        let is_meant = |client: &&Client| {
            client.is_open()
                && !client.is_route()
                && cid.is_none_or(|cid| client.cid == cid)
                && account.is_none_or(|account| client.account == account)
        };
        let row = |key| self.clients.get(key).filter(is_meant).map(|client| Row::new(key as u32, client));
        let rows = (from..end.min(self.clients.capacity())).filter_map(row).collect();
        (rows, (end < self.clients.capacity()).then_some(end))
    }

    /// What is known of a connection, as much as there is room for; `slots` says which subscriptions are left then.
    fn detail(&self, key: u32, cid: u64, subs: bool, slots: &mut Vec<u32>, room: &mut usize) -> Option<Detail> {
        let Some(client) = self.clients.get(key as usize).filter(|client| client.cid == cid && client.is_open()) else {
            slots.clear();
            return None;
        };
        *room -= 1;
        let is_first = slots.is_empty();
        if is_first && subs {
            slots.extend(client.sids.places());
        }
        let part = slots.split_off(slots.len().saturating_sub((*room).max(1)));
        *room -= part.len().min(*room);
        let mut subs = SubRows::default();
        // A slot may be free by now, or another connection's.
        let is_own = |slot: &u32| self.subs.get_slot(*slot).is_some_and(|sub| sub.client == key);
        part.into_iter().filter(is_own).for_each(|slot| self.add_sub(slot, &mut subs));
        let certificates = if is_first { client.security.shown_certificates().to_vec() } else { Vec::new() };
        Some(Detail { cid, label: client.label.clone().filter(|_| is_first), certificates, subs })
    }

    /// Whether there is a subscription in this slot and it is among those asked for.
    fn is_meant(&self, slot: u32, account: Option<AccountId>, test: Option<&[u8]>) -> bool {
        let Some(sub) = self.subs.get_slot(slot) else { return false };
        let owner = self.clients[sub.client as usize].account;
        account.is_none_or(|account| owner == account)
            && test.is_none_or(|test| subject::matches(&self.shared.interest.subject(owner, sub.node), test))
    }

    /// Adds the subscription in a slot, if there is one.
    pub(super) fn add_sub(&self, slot: u32, rows: &mut SubRows) {
        let Some(sub) = self.subs.get_slot(slot) else { return };
        let client = &self.clients[sub.client as usize];
        rows.push(SubRow {
            cid: client.cid,
            account: client.account,
            delivered: sub.delivered,
            max: sub.max,
            subject: &self.shared.interest.subject(client.account, sub.node),
            queue: sub.queue(),
            sid: sub.sid.bytes(),
        });
    }
}

#[cfg(test)]
pub mod tests {
    //! Rows to test with.

    use super::*;

    /// A connection without any traffic.
    pub fn row(cid: u64) -> Row {
        Row::new(0, &Client::new("127.0.0.1:5".parse().unwrap(), cid, 1000, 0, 0))
    }
}
