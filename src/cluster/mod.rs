//! Who the peers are: which routes there are, which are to be dialled, and what is said on them until interest and
//! messages can flow.
//!
//! A [`Cluster`] knows no socket, thread or clock. Its owner tells it what happened (a connection was accepted, a dial
//! failed, a CONNECT came) and the time, and takes [`Action`]s from it. So a test can run many of them in one thread, from
//! a seed: see `simulation`.
//!
//! # One connection for each peer
//!
//! We never offer a pool of routes, so each pair of servers has one connection, which carries all accounts. Official servers do
//! the same with a peer that does not offer one. They may dial us twice at first; one of the two ends by itself.
//!
//! ```text
//!  accepted ── INFO out ──▶ Greeting ── CONNECT ──▶ (Checking) ──▶ Introducing ── INFO ──▶ Registered
//!  dialled ─── CONNECT and INFO out ─────────────────────────────▶ Introducing
//! ```
//!
//! A connection is a peer's when its INFO has come, not before: official servers open several with the same CONNECT. The
//! first one registered under a server's id stays; later ones are closed. The one that stays inherits whatever
//! would have had the others dialled again. Two servers that dial each other at the same moment may each keep the connection
//! that the other one closes; both then try again after a pause of random length, which grows while that goes on. A duplicate
//! is also taken as a hint that the registered connection may be dead: it has to answer a PING soon.
//!
//! # Who dials whom
//!
//! Configured routes are dialled for ever, each until it is attached to a registered connection, whoever opened that.
//! Servers that others tell us of (gossip), and those we had dialled so and lost, are dialled once, `connect_retries` times
//! more, and then now and again for an hour. Peers of our own kind are reminded of each other with each PING. What is said and
//! passed on follows `wire::route`.
//!
//! # What the owner does
//!
//! It hands on the documents of CONNECT and INFO, PONG, and `-ERR`; answers PING itself, because only it knows what was
//! sent before; and calls [`Cluster::intrude`] for any other operation of a connection that is not registered. When
//! [`Action::Registered`] comes it announces its whole interest on the connection, and on [`Action::Lost`] it forgets
//! that of the peer. It resolves names anew for each [`Action::Dial`], leaves its own addresses out, and gives a dial a
//! second. Interest and messages are none of this module's business.

mod conns;
mod gossip;
mod handshake;
mod routes;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

pub use conns::Conn;

use crate::config::cluster::PING_INTERVAL_MAX;
use crate::log::Level;
use crate::wire::Secret;
use crate::wire::route::{Gossip, Info, RouteUrl, SubjectLists};
use conns::{Conns, Stage};
use routes::Routes;
use std::collections::{BTreeMap, VecDeque};

/// Registered peers at most; a connection past that is refused.
pub const PEERS_MAX: usize = 1000;
/// Connections at most whose peer has not introduced itself.
pub const STRANGERS_MAX: usize = 256;
/// Client addresses taken from one peer, and bytes of each.
pub const URLS_MAX: usize = 64;
/// See [`URLS_MAX`].
pub const URL_BYTES_MAX: usize = 512;

/// What this server says of itself to its peers.
#[derive(Debug, Clone)]
pub struct Own {
    /// Unique for each run; without blanks and dots.
    pub id: String,
    /// Configured name, else the id.
    pub name: String,
    /// The version of the protocol's family, for people.
    pub version: String,
    /// Where peers can dial this server: the listen address, or a real one if that is a wildcard. `cluster_advertise`
    /// replaces it.
    pub host: String,
    /// The port there.
    pub port: u16,
    /// Messages may have headers.
    pub headers: bool,
    /// Bytes that a client's message may have.
    pub max_payload: usize,
    /// Where clients can connect.
    pub client_urls: Vec<String>,
    /// Subjects that interest is announced in.
    pub import: Option<SubjectLists>,
    /// Subjects that interest of peers is taken in.
    pub export: Option<SubjectLists>,
}

/// The options of the cluster.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The cluster's name. Without one, `generated_name` is used until a peer has a better one.
    pub name: Option<String>,
    /// A random name.
    pub generated_name: String,
    /// Routes to dial for ever.
    pub routes: Vec<RouteUrl>,
    /// Where peers are to dial instead of the listen address.
    pub advertise: Option<(String, u16)>,
    /// Client addresses are neither told to peers nor those of peers to clients.
    pub no_advertise: bool,
    /// How often the dial of a server that others told of is repeated before the pauses become long.
    pub connect_retries: u32,
    /// The pause before each further dial of a configured route doubles, up to 30 s.
    pub connect_backoff: bool,
    /// Of how many failed dials in a row the first and each such is an error in the log, before a first success and after.
    pub error_reports: [u32; 2],
    /// Time between two PINGs, in milliseconds; at most [`PING_INTERVAL_MAX_MS`] is used.
    pub ping_interval_ms: u64,
    /// PINGs that may be without an answer.
    pub ping_max: u32,
    /// The user and password that peers must give, and that we give to servers others told of.
    pub credentials: Option<(String, Secret)>,
    /// Time for a peer to give them, in milliseconds.
    pub auth_timeout_ms: u64,
    /// Routes use TLS.
    pub tls: bool,
}

/// See [`Settings::ping_interval_ms`].
pub const PING_INTERVAL_MAX_MS: u64 = PING_INTERVAL_MAX.as_millis() as u64;

/// What a peer understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// HMSG; else headers are to be cut off.
    pub headers: bool,
    /// LS+ and LMSG.
    pub origins: bool,
    /// The origin in LS-; from a peer with this, interest with and without origin is kept apart.
    pub origin_in_unsubscribe: bool,
    /// The origin `_` of leaf nodes without a cluster.
    pub nameless_origin: bool,
    /// What [`FORWARDED`](crate::wire::route::FORWARDED) means.
    pub forwarded: bool,
}

/// Why a connection is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Wrong user or password, or something else than CONNECT came first.
    AuthenticationFailure,
    /// No CONNECT in time.
    AuthenticationTimeout,
    /// PINGs without an answer.
    StaleConnection,
    /// The peer's cluster has another name.
    ClusterNameConflict,
    /// Its server has a connection already, or is ourselves.
    DuplicateRoute,
    /// It has our name.
    DuplicateServerName,
    /// It is a client.
    IncorrectPort,
    /// It is a gateway.
    WrongGateway,
    /// It sent `-ERR`.
    ParseError,
    /// A document that cannot be read, or operations before it introduced itself.
    ProtocolViolation,
    /// There are too many.
    MaximumConnectionsExceeded,
    /// The route is no longer configured.
    RouteRemoved,
}

impl Reason {
    /// The words that operators know.
    pub fn text(self) -> &'static str {
        match self {
            Self::AuthenticationFailure => "Authentication Failure",
            Self::AuthenticationTimeout => "Authentication Timeout",
            Self::StaleConnection => "Stale Connection",
            Self::ClusterNameConflict => "Cluster Name Conflict",
            Self::DuplicateRoute => "Duplicate Route",
            Self::DuplicateServerName => "Duplicate Server Name",
            Self::IncorrectPort => "Incorrect Port",
            Self::WrongGateway => "Wrong Gateway",
            Self::ParseError => "Parse Error",
            Self::ProtocolViolation => "Protocol Violation",
            Self::MaximumConnectionsExceeded => "Maximum Connections Exceeded",
            Self::RouteRemoved => "Route Removed",
        }
    }
}

/// Names a dial until its outcome is told.
pub type DialId = u64;

/// What the owner is to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Connect to an address; then call [`Cluster::dialled`] or [`Cluster::dial_failed`].
    Dial {
        /// To be given back.
        dial: DialId,
        /// Name or address of the host.
        host: String,
        /// The port there.
        port: u16,
        /// 1 for the first of several in a row.
        attempt: u32,
    },
    /// Send bytes.
    Send(Conn, Vec<u8>),
    /// Flush and close; then call [`Cluster::closed`].
    Close(Conn, Reason),
    /// Check user and password, then call [`Cluster::verified`]; nothing more may be handed on from the connection until
    /// then.
    Verify(Conn, String, Secret),
    /// The connection is a peer's: announce interest.
    Registered(Conn, Box<Peer>),
    /// The peer takes other interest than before: announce all of it anew.
    Changed(Conn, Box<Peer>),
    /// It is no longer: forget the peer's interest. Always comes between `Registered` and the end of the connection.
    Lost(Conn),
    /// The clients of other servers of the cluster can connect there; the order is random.
    ClientUrls(Vec<String>),
    /// The cluster has another name now.
    Named(String),
    /// A line for the log, about the connection if there is one.
    Note(Level, Option<Conn>, String),
}

/// A registered peer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peer {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it understands.
    pub capabilities: Capabilities,
    /// What interest it announces.
    pub import: Option<SubjectLists>,
    /// What interest it takes; the rest need not be announced.
    pub export: Option<SubjectLists>,
    /// We dialled.
    pub is_solicited: bool,
    /// It is attached to a configured route.
    pub is_configured: bool,
}

/// The state of the cluster as this server sees it.
#[derive(Debug)]
pub struct Cluster {
    own: Own,
    settings: Settings,
    /// The name in use.
    name: String,
    conns: Conns,
    routes: Routes,
    /// Registered connections by server id.
    peers: BTreeMap<String, Conn>,
    /// The addresses of the peers' clients, and how many peers say each.
    client_urls: BTreeMap<String, usize>,
    /// The name was generated, and nobody had one that is configured.
    is_dynamic: bool,
    in_lame_duck_mode: bool,
    is_shut_down: bool,
    now: u64,
    random: Random,
    actions: VecDeque<Action>,
}

impl Cluster {
    /// The start: nothing is dialled before [`start`](Self::start). The time is in milliseconds since any fixed point.
    pub fn new(own: Own, settings: Settings, seed: u64) -> Self {
        let name = settings.name.clone().unwrap_or_else(|| settings.generated_name.clone());
        let is_dynamic = settings.name.is_none();
        let routes = Routes::new(&settings.routes);
        Self {
            own,
            settings,
            name,
            conns: Conns::default(),
            routes,
            peers: BTreeMap::new(),
            client_urls: BTreeMap::new(),
            is_dynamic,
            in_lame_duck_mode: false,
            is_shut_down: false,
            now: 0,
            random: Random::new(seed),
            actions: VecDeque::new(),
        }
    }

    /// Begins to dial the configured routes.
    pub fn start(&mut self, now: u64) {
        self.now = now;
        self.dial_due_routes();
    }

    /// What is to be done next; to be called until there is nothing, after each other call.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`fire`](Self::fire) is to be called, if nothing happens before; `u64::MAX` for never.
    pub fn next_due(&self) -> u64 {
        self.conns.next_due().min(self.routes.next_due())
    }

    /// Does what is due.
    pub fn fire(&mut self, now: u64) {
        self.now = now;
        self.ping_due_conns();
        self.dial_due_routes();
    }

    /// The cluster's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The ids of all registered peers and their connections.
    pub fn peers(&self) -> impl Iterator<Item = (&str, Conn)> {
        self.peers.iter().map(|(id, conn)| (&id[..], *conn))
    }

    /// True if interest and messages may come from the connection.
    pub fn is_registered(&self, conn: Conn) -> bool {
        self.conns.get(conn).is_some_and(|state| matches!(state.stage, Stage::Registered(_)))
    }

    /// Connections whose peer has not introduced itself.
    pub fn strangers(&self) -> usize {
        self.conns.strangers()
    }

    /// True if each configured route leads to a registered peer, or to ourselves.
    pub fn has_synced(&self) -> bool {
        self.routes.are_attached(|conn| self.is_registered(conn))
    }

    /// From now on no route is dialled, and whatever ends stays ended. The owner closes the connections.
    pub fn shut_down(&mut self) {
        self.is_shut_down = true;
        self.routes = Routes::default();
    }

    /// Tells the peers that clients had better go elsewhere.
    pub fn enter_lame_duck_mode(&mut self, now: u64) {
        self.now = now;
        self.in_lame_duck_mode = true;
        self.tell_peers_of_us();
    }

    /// Tells the peers what is new about this server.
    fn tell_peers_of_us(&mut self) {
        let line = self.own_info(Gossip::Usual).line();
        for &conn in self.peers.values() {
            self.actions.push_back(Action::Send(conn, line.clone()));
        }
    }

    /// What this server says of itself now.
    fn own_info(&self, gossip: Gossip) -> Info {
        let Own { host, port, .. } = &self.own;
        let (host, port) = self.settings.advertise.as_ref().map_or((host, *port), |(host, port)| (host, *port));
        let ip = match self.settings.advertise {
            Some(_) => RouteUrl::new(host, port).to_string(),
            None => String::new(),
        };
        let connect_urls = match self.settings.no_advertise || self.in_lame_duck_mode {
            true => Vec::new(),
            false => self.own.client_urls.clone(),
        };
        Info {
            server_id: self.own.id.clone(),
            server_name: self.own.name.clone(),
            version: self.own.version.clone(),
            proto: 2,
            host: host.clone(),
            port,
            headers: self.own.headers,
            max_payload: self.own.max_payload as i64,
            ldm: self.in_lame_duck_mode,
            auth_required: self.settings.credentials.is_some(),
            tls_required: self.settings.tls,
            tls_verify: self.settings.tls,
            ip,
            cluster: self.name.clone(),
            cluster_dynamic: self.is_dynamic,
            connect_urls,
            import: self.own.import.clone(),
            export: self.own.export.clone(),
            lnoc: true,
            lnocu: true,
            ln: true,
            gossip_mode: gossip.mode(),
            midge: 1,
            ..Info::default()
        }
    }

    fn note(&mut self, level: Level, conn: Option<Conn>, text: String) {
        self.actions.push_back(Action::Note(level, conn, text));
    }
}

/// A small generator; its seed comes from outside, so that a run can be repeated.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..4).for_each(|_| _ = random.below(2));
        random
    }

    /// A number below `bound`, which must not be 0.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 32) * bound) >> 32
    }
}
