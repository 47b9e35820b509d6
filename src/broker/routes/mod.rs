//! Routes: the connections to the other servers of a cluster. One worker owns all of them, and the [`Cluster`] that says who
//! these servers are.
//!
//! A route is a connection like a client's: its output, its limits, its end are the same. What it says is another language
//! (`session`); whom its messages are for is found as for a client's (`relay`), but they go no further than this server.
//! What this server's clients want is announced on it (`announce`), always before a message that the same client
//! published later (`deliver`).
//!
//! A slow peer holds publishers back for a moment as a slow client does. What does not fit into `max_pending` then is
//! not sent to it; the connection stays, since all that the two servers know of each other hangs on it, until the peer takes
//! nothing at all for the time of `write_deadline`.

mod act;
mod announce;
mod deliver;
mod relay;
mod report;
mod session;

pub(super) use deliver::Sending;
pub use report::{ClusterReport, RouteRow};

use super::client::Client;
use super::mail::Mail;
use super::reason::Reason;
use super::security::{Greeting, Security};
use super::{Broker, NEVER};
use crate::cluster::{Cluster, Conn, DialId, Own, Peer, STRANGERS_MAX, Settings};
use crate::config::cluster::IS_BUILT_IN;
use crate::interest::remote::{Prune, Sweep};
use crate::interest::routes::ROUTES_MAX;
use crate::interest::{AccountId, Announcer, Remote, Target};
use crate::wire::route::SubjectLists;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The number of the worker that owns the routes.
pub const ROUTE_WORKER: u8 = 0;

/// What makes a connection a route.
#[derive(Debug, Default)]
pub struct Route {
    /// The dial it came of, until the cluster knows of the connection.
    dial: Option<DialId>,
    /// The cluster does not know of it because a handshake comes first.
    is_entering: bool,
    /// Who is at the other end, once it has said so.
    pub(super) peer: Option<Box<Neighbour>>,
    /// The account of the last message, as the peer calls it and as we do.
    last_account: Option<(Box<[u8]>, AccountId)>,
    /// As long as this is here, the answer of a check of its password matters.
    waits: Option<Arc<()>>,
}

/// The server at the other end of a route.
#[derive(Debug)]
pub struct Neighbour {
    /// Who it is.
    pub peer: Box<Peer>,
    /// What it wants.
    pub remote: Remote,
    /// What it has been told, by account.
    announcers: Vec<Announcer>,
    /// Accounts of which there is more to tell.
    untold: Vec<AccountId>,
    /// It was told of interest that is perhaps not for it any longer: until all is told again, that is taken back.
    retracts: bool,
    /// Set while what it may want no longer is being taken away.
    prune: Option<Prune>,
    /// Messages that were not sent because it is too far behind.
    pub dropped: u64,
}

/// What deliveries need to know of the routes of this worker.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Registered routes and their keys, each at its number modulo the number of places; empty where there are none.
    places: Vec<Option<(Target, u32)>>,
    /// The keys of all registered routes.
    keys: Vec<u32>,
    /// What is announced at all.
    import: Option<SubjectLists>,
    /// The count of changes that was announced last.
    announced: u32,
    /// Connections that were closed and of which the cluster does not know that yet.
    ended: Vec<Ended>,
    /// Connections that the cluster does not know of yet, because a handshake comes first.
    entering: usize,
    /// Lines, and names of queue groups, while they are put together.
    scratch: Vec<u8>,
}

/// A connection that was closed.
#[derive(Debug)]
struct Ended {
    conn: Conn,
    /// The dial it came of, if the cluster has heard nothing of that.
    dial: Option<DialId>,
    /// Why it ended.
    reason: Reason,
    /// Who was at the other end.
    neighbour: Option<Box<Neighbour>>,
}

impl Table {
    /// The key of a registered route.
    #[inline]
    fn key(&self, route: Target) -> Option<u32> {
        match self.places.get(route.generation() as usize % ROUTES_MAX) {
            _ if !IS_BUILT_IN => None,
            Some(&Some((known, key))) if known == route.only_route() => Some(key),
            _ => None,
        }
    }

    fn add(&mut self, route: Target, key: u32) {
        if self.places.is_empty() {
            self.places = vec![None; ROUTES_MAX];
        }
        self.places[route.generation() as usize % ROUTES_MAX] = Some((route, key));
        self.keys.push(key);
    }

    fn remove(&mut self, route: Target, key: u32) {
        if self.key(route).is_some() {
            self.places[route.generation() as usize % ROUTES_MAX] = None;
        }
        self.keys.retain(|&other| other != key);
    }

    /// A route's connection is closed: from now on nothing is sent to it.
    pub(super) fn note_end(&mut self, key: u32, client: &mut Client, reason: Reason) {
        let Some(route) = &mut client.route else { return };
        let (dial, neighbour) = (route.dial.take(), route.peer.take());
        if let Some(neighbour) = &neighbour {
            self.remove(neighbour.remote.route(), key);
        }
        if std::mem::take(&mut route.is_entering) {
            self.entering -= 1;
        }
        self.ended.push(Ended { conn: client.cid, dial, reason, neighbour });
    }
}

/// The cluster as its worker has it.
#[derive(Debug)]
pub struct Membership {
    cluster: Cluster,
    /// Its connections by what it calls them: their numbers.
    keys: BTreeMap<Conn, u32>,
    /// The port that peers come in at.
    port: u16,
    /// Interest of peers that are gone, to be swept out of the indexes.
    sweeps: Vec<Sweep>,
    /// Subjects that interest of peers is taken in.
    export: Option<SubjectLists>,
    /// Where our clients can connect, and where those of the peers can.
    own_urls: Vec<String>,
    /// None before the first peer told of its own.
    peer_urls: Option<Vec<String>>,
    /// Whether clients are told of those.
    no_advertise: bool,
    /// The password that peers must give, and how it is kept.
    lock: Option<Lock>,
    /// Time for a TLS handshake; none if routes have no TLS.
    handshake: Option<Duration>,
}

/// Where a broker has its [`Membership`], if it has one. A server that is built without clusters never does; that the compiler
/// sees it here makes such a server smaller.
#[derive(Debug, Default)]
pub(super) struct Place(Option<Box<Membership>>);

impl Place {
    #[inline(always)]
    fn get(&self) -> Option<&Membership> {
        if IS_BUILT_IN { self.0.as_deref() } else { None }
    }

    #[inline(always)]
    fn get_mut(&mut self) -> Option<&mut Membership> {
        if IS_BUILT_IN { self.0.as_deref_mut() } else { None }
    }
}

/// What a peer has to say to come in.
#[derive(Debug)]
struct Lock {
    user: String,
    password: crate::wire::Secret,
}

/// What clients are told of the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// Its name.
    pub name: String,
    /// Where clients can connect, first to this server; none while there was nobody else.
    pub urls: Vec<String>,
    /// How many of those are this server's.
    pub own_urls: usize,
}

impl News {
    /// Where clients of this server can go when it ends.
    pub fn others(&self) -> &[String] {
        &self.urls[self.own_urls.min(self.urls.len())..]
    }
}

/// The options of the cluster, as its worker takes them.
#[derive(Debug, Clone)]
pub struct Joining {
    /// What this server says of itself.
    pub own: Own,
    /// The options.
    pub settings: Settings,
    /// Time for a TLS handshake; none if routes have no TLS.
    pub handshake: Option<Duration>,
}

impl Membership {
    fn new(joining: &Joining, seed: u64) -> Self {
        let Joining { own, settings, .. } = joining;
        let mut made = Self {
            cluster: Cluster::new(own.clone(), settings.clone(), seed),
            keys: BTreeMap::new(),
            port: 0,
            sweeps: Vec::new(),
            export: None,
            own_urls: Vec::new(),
            peer_urls: None,
            no_advertise: false,
            lock: None,
            handshake: None,
        };
        made.set(joining);
        made
    }

    fn set(&mut self, joining: &Joining) {
        let Joining { own, settings, handshake } = joining;
        self.port = own.port;
        self.export.clone_from(&own.export);
        self.own_urls.clone_from(&own.client_urls);
        self.no_advertise = settings.no_advertise;
        self.lock = settings.credentials.clone().map(|(user, password)| Lock { user, password });
        self.handshake = *handshake;
    }

    /// What clients are to be told.
    fn news(&self) -> News {
        let urls = match &self.peer_urls {
            Some(others) if !self.no_advertise => self.own_urls.iter().chain(others).cloned().collect(),
            _ => Vec::new(),
        };
        News { name: self.cluster.name().to_owned(), urls, own_urls: self.own_urls.len() }
    }

    /// The cluster, to look at.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }
}

impl Client {
    /// True for another server's connection.
    #[inline]
    pub fn is_route(&self) -> bool {
        IS_BUILT_IN && self.route.is_some()
    }

    /// The server at the other end of a route that has said who it is.
    pub fn neighbour(&self) -> Option<&Neighbour> {
        self.route.as_ref().filter(|_| IS_BUILT_IN)?.peer.as_deref()
    }

    fn neighbour_mut(&mut self) -> Option<&mut Neighbour> {
        self.route.as_mut().filter(|_| IS_BUILT_IN)?.peer.as_deref_mut()
    }
}

impl Broker {
    /// Becomes a member of a cluster, or one with other options. Only the worker that owns the routes does.
    pub fn join_cluster(&mut self, joining: &Joining, seed: u64) {
        let now = self.local.now;
        let is_import_new = self.local.routes.import != joining.own.import;
        self.local.routes.import.clone_from(&joining.own.import);
        match self.membership.get_mut() {
            Some(membership) => {
                let is_export_new = membership.export != joining.own.export;
                membership.cluster.adopt(joining.own.clone(), joining.settings.clone(), now);
                membership.set(joining);
                self.follow_cluster();
                if is_export_new {
                    self.prune_interest();
                }
                if is_import_new {
                    self.local.announce_all_anew();
                }
            }
            None => {
                let mut membership = Membership::new(joining, seed);
                membership.cluster.start(now);
                self.membership = Place(Some(Box::new(membership)));
            }
        }
        self.follow_cluster();
        self.tell_news();
    }

    /// Interest that was taken before may be refused now: it is taken away, a part at a time.
    fn prune_interest(&mut self) {
        let is_limited = self.membership.get().is_some_and(|membership| membership.export.is_some());
        for at in 0..self.local.routes.keys.len() {
            let key = self.local.routes.keys[at];
            if let Some(neighbour) = self.local.clients[key as usize].neighbour_mut() {
                neighbour.prune = is_limited.then_some(Prune::START);
            }
        }
    }

    fn prune_some_interest(&mut self) {
        let Some(membership) = self.membership.get() else { return };
        let stays = |subject: &[u8]| membership.export.as_ref().is_none_or(|lists| lists.permit(subject));
        let interest = &self.shared.interest;
        for at in 0..self.local.routes.keys.len() {
            let key = self.local.routes.keys[at];
            let Some(neighbour) = self.local.clients[key as usize].neighbour_mut() else { continue };
            let Neighbour { prune, remote, .. } = neighbour;
            if let Some(begun) = prune
                && !begun.step(interest, remote, interest.account_count(), SWEEP_PLACES, &stays)
            {
                *prune = None;
            }
        }
    }

    /// The cluster, for the worker that owns its routes.
    pub fn membership(&self) -> Option<&Membership> {
        self.membership.get()
    }

    /// Another server has dialled. Where routes have TLS, the owner says how that goes, as for a client.
    pub fn accept_route(&mut self, peer: SocketAddr) -> u32 {
        self.add_route(peer, None)
    }

    /// A dial was successful.
    pub fn route_dialled(&mut self, dial: DialId, peer: SocketAddr) -> u32 {
        self.add_route(peer, Some(dial))
    }

    /// A dial was not, and why.
    pub fn dial_failed(&mut self, dial: DialId, why: &str) {
        let now = self.local.now;
        if let Some(membership) = self.membership.get_mut() {
            membership.cluster.dial_failed(dial, why, now);
            self.follow_cluster();
        }
    }

    fn add_route(&mut self, peer: SocketAddr, dial: Option<DialId>) -> u32 {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let cid = self.shared.last_cid.fetch_add(1, Ordering::Relaxed) as u64 + 1;
        let mut client = Client::new(peer, cid, self.local.now_us, NEVER, self.local.look_from());
        client.headers = true;
        let handshake = self.membership.get().and_then(|membership| membership.handshake);
        let is_entering = handshake.is_some();
        client.route = Some(Box::new(Route { dial, is_entering, ..Route::default() }));
        if let Some(patience) = handshake {
            client.security = Security::Awaited(Greeting::Withheld);
            client.due.handshake = self.local.now + patience.as_millis() as u64;
        }
        let key = self.local.clients.insert(client) as u32;
        let client = &self.local.clients[key as usize];
        self.shared.log.info(format_args!("{client} - Route connection created"));
        if !is_entering {
            self.introduce_route(key);
            return key;
        }
        if self.shared.log.debug_on() {
            let side = if dial.is_some() { "client" } else { "server" };
            self.shared.log.debug(format_args!("{client} - Starting TLS route {side} handshake"));
        }
        self.local.routes.entering += 1;
        if dial.is_none() && self.local.routes.entering > STRANGERS_MAX {
            self.local.close(key, Reason::MaximumConnectionsExceeded, None);
        }
        self.local.rearm(key);
        key
    }

    /// The cluster hears of a connection on which operations can be sent.
    pub(super) fn introduce_route(&mut self, key: u32) {
        let now = self.local.now;
        let client = &mut self.local.clients[key as usize];
        let (conn, ip) = (client.cid, client.peer.ip());
        if client.route.as_mut().is_some_and(|route| std::mem::take(&mut route.is_entering)) {
            self.local.routes.entering -= 1;
        }
        let Some(membership) = self.membership.get_mut() else {
            return self.local.close(key, Reason::ServerShutdown, None);
        };
        membership.keys.insert(conn, key);
        match client.route.as_mut().and_then(|route| route.dial.take()) {
            Some(dial) => membership.cluster.dialled(dial, conn, ip, now),
            None => membership.cluster.accepted(conn, ip, now),
        }
        self.follow_cluster();
    }

    /// True if every configured route leads to a peer whose interest is known: a peer tells of it before it answers the first
    /// PING.
    pub fn has_synced(&self) -> bool {
        let has_answered = |key: &u32| self.local.clients[*key as usize].round_trip_us > 0;
        let Some(membership) = self.membership.get() else { return true };
        membership.cluster.has_synced() && self.local.routes.keys.iter().all(has_answered)
    }

    /// When [`attend_cluster`](Self::attend_cluster) is to be called if nothing happens before.
    pub fn cluster_due(&self) -> Option<u64> {
        let due = self.membership.get()?.cluster.next_due();
        (due != NEVER).then_some(due)
    }

    /// Does what is due for the cluster, and announces what is new. To be called before output is written.
    pub fn attend_cluster(&mut self) {
        let now = self.local.now;
        let Some(membership) = self.membership.get_mut() else { return };
        if membership.cluster.next_due() <= now {
            membership.cluster.fire(now);
        }
        self.follow_cluster();
        self.local.announce_changes();
    }

    /// Announces what is new, before anything is written: at the worker that owns the routes itself, and by a word to it at
    /// another one.
    pub fn prepare_to_flush(&mut self) {
        if self.membership.get().is_some() {
            return self.local.announce_changes();
        }
        let changes = self.shared.interest.changes_to_announce();
        if changes != self.announced {
            self.announced = changes;
            if self.local.worker != ROUTE_WORKER {
                self.local.mail.push((ROUTE_WORKER, Mail::Announce));
            }
        }
    }

    /// A random place among so many, 0 among none.
    pub fn pick(&mut self, count: usize) -> usize {
        if count > 0 { self.random.below(count) } else { 0 }
    }

    /// Tells the peers that clients had better go elsewhere.
    pub(super) fn announce_end_to_peers(&mut self) {
        let now = self.local.now;
        if let Some(membership) = self.membership.get_mut() {
            membership.cluster.enter_lame_duck_mode(now);
            self.follow_cluster();
        }
    }

    /// From now on nothing is dialled.
    pub(super) fn leave_cluster(&mut self) {
        if let Some(membership) = self.membership.get_mut() {
            membership.cluster.shut_down();
        }
    }

    /// True if a route has ended, there is interest of peers that are gone to be swept out, or something to tell that did not
    /// fit before.
    pub(super) fn has_route_chores(&self) -> bool {
        let Some(membership) = self.membership.get() else { return false };
        let is_pruned =
            |key: &u32| self.local.clients[*key as usize].neighbour().is_some_and(|peer| peer.prune.is_some());
        !membership.sweeps.is_empty()
            || !self.local.routes.ended.is_empty()
            || self.local.has_untold()
            || self.local.routes.keys.iter().any(is_pruned)
    }

    /// Does some of that.
    pub(super) fn do_route_chores(&mut self) {
        if let Some(membership) = self.membership.get_mut()
            && let Some(sweep) = membership.sweeps.last_mut()
        {
            let interest = &self.shared.interest;
            if !sweep.step(interest, interest.account_count(), SWEEP_PLACES) {
                membership.sweeps.pop();
            }
        }
        self.prune_some_interest();
        self.local.tell_untold();
    }
}

/// Places of an index that are swept in one go: some tenths of a millisecond.
const SWEEP_PLACES: usize = 4096;

/// What a change of a peer's interest counts as, in bytes of output that take about as long.
const SUBSCRIPTION_COST: usize = 512;
