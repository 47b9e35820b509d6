//! The connections there are.

use super::routes::Told;
use super::{Action, Cluster, Reason};
use crate::wire::route::write::PING;
use crate::wire::route::{Gossip, Info, SubjectLists};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The owner's name for a connection; it must not be used again in the same run.
pub type Conn = u64;

/// Where a connection is in its life.
#[derive(Debug)]
pub enum Stage {
    /// Accepted, our INFO is out, CONNECT is to come.
    Greeting,
    /// Its user and password are being checked.
    Checking,
    /// Its INFO is to come.
    Introducing,
    /// It is the connection to a peer.
    Registered(Box<Known>),
    /// The owner was told to close it.
    Closing,
}

/// What is kept of a peer's INFO.
#[derive(Debug)]
pub struct Known {
    /// The server's id.
    pub id: String,
    /// Where its clients can connect.
    pub client_urls: Vec<String>,
    /// What interest it takes.
    pub export: Option<SubjectLists>,
    /// What others need to dial it.
    pub about: Info,
}

/// What is known of one connection.
#[derive(Debug)]
pub struct State {
    pub stage: Stage,
    /// Whether we dialled, and why.
    pub origin: Origin,
    /// What to dial when the connection ends, if no configured route is attached to it.
    pub again: Option<Told>,
    /// The address of the peer's end.
    pub ip: IpAddr,
    /// When the next PING is due.
    pub ping_at: u64,
    /// PINGs since the last PONG.
    pub pings_out: u32,
    /// When it must have introduced itself, or answered the PING of a doubt.
    pub deadline: u64,
    /// When it began.
    pub since: u64,
}

/// How a connection came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The peer dialled.
    Accepted,
    /// A configured route was dialled.
    Configured,
    /// A server that another one told of was dialled; that one asked for this.
    Told(Gossip),
    /// A server was dialled again whose connection was lost.
    Again,
}

impl State {
    /// True until it is a peer's.
    fn is_stranger(&self) -> bool {
        matches!(self.stage, Stage::Greeting | Stage::Checking | Stage::Introducing)
    }

    fn next_due(&self) -> u64 {
        match self.stage {
            Stage::Closing => u64::MAX,
            _ => self.ping_at.min(self.deadline),
        }
    }
}

/// All connections.
#[derive(Debug, Default)]
pub struct Conns(BTreeMap<Conn, State>);

impl Conns {
    pub fn get(&self, conn: Conn) -> Option<&State> {
        self.0.get(&conn)
    }

    pub fn get_mut(&mut self, conn: Conn) -> Option<&mut State> {
        self.0.get_mut(&conn)
    }

    pub fn insert(&mut self, conn: Conn, state: State) {
        self.0.insert(conn, state);
    }

    pub fn remove(&mut self, conn: Conn) -> Option<State> {
        self.0.remove(&conn)
    }

    pub fn strangers(&self) -> usize {
        self.0.values().filter(|state| state.is_stranger()).count()
    }

    pub fn next_due(&self) -> u64 {
        self.0.values().map(State::next_due).min().unwrap_or(u64::MAX)
    }

    pub fn due(&self, now: u64) -> Vec<Conn> {
        self.0.iter().filter(|(_, state)| state.next_due() <= now).map(|(&conn, _)| conn).collect()
    }

    /// Those that are not being closed, but for one.
    pub fn others(&self, but: Conn) -> Vec<Conn> {
        let is_other = |&(&conn, state): &(&Conn, &State)| conn != but && !matches!(state.stage, Stage::Closing);
        self.0.iter().filter(is_other).map(|(&conn, _)| conn).collect()
    }
}

/// The first PING comes this long after the start, and up to a fifth later.
const FIRST_PING_MS: u64 = 1000;

/// A peer must have introduced itself in this time. Official servers wait longer, but they send everything at once.
pub const INTRODUCTION_MS: u64 = 10_000;

/// A registered connection of a server that connected anew must show in this time that it is alive.
const DOUBT_MS: u64 = 3000;

impl Cluster {
    /// A connection in its first stage.
    pub(super) fn add_conn(&mut self, conn: Conn, ip: IpAddr, stage: Stage, origin: Origin, again: Option<Told>) {
        let first = self.ping_interval().min(FIRST_PING_MS);
        let awaits_credentials = self.settings.credentials.is_some() && matches!(stage, Stage::Greeting);
        let state = State {
            stage,
            origin,
            again,
            ip,
            ping_at: self.now + first + self.random.below(first / 5 + 1),
            pings_out: 0,
            deadline: self.now + if awaits_credentials { self.settings.auth_timeout_ms } else { INTRODUCTION_MS },
            since: self.now,
        };
        self.conns.insert(conn, state);
    }

    pub(super) fn ping_interval(&self) -> u64 {
        self.settings.ping_interval_ms.clamp(1, super::PING_INTERVAL_MAX_MS)
    }

    /// The peer answered a PING.
    pub fn pong(&mut self, conn: Conn, now: u64) {
        self.now = now;
        if let Some(state) = self.conns.get_mut(conn) {
            state.pings_out = 0;
            if matches!(state.stage, Stage::Registered(_)) {
                state.deadline = u64::MAX;
            }
        }
    }

    pub(super) fn ping_due_conns(&mut self) {
        let interval = self.ping_interval();
        for conn in self.conns.due(self.now) {
            let Some(state) = self.conns.get_mut(conn) else { continue };
            if state.deadline <= self.now {
                match state.stage {
                    Stage::Greeting | Stage::Checking => {
                        self.refuse(conn, Reason::AuthenticationTimeout, "Authentication Timeout");
                    }
                    _ => self.refuse(conn, Reason::StaleConnection, "Stale Connection"),
                }
                continue;
            }
            if state.pings_out >= self.settings.ping_max {
                self.refuse(conn, Reason::StaleConnection, "Stale Connection");
                continue;
            }
            state.pings_out += 1;
            state.ping_at = self.now + interval;
            self.actions.push_back(Action::Send(conn, PING.to_vec()));
            self.remind(conn);
        }
    }

    /// The server of a registered connection connected anew: perhaps it knows that this one is dead.
    pub(super) fn doubt(&mut self, conn: Conn) {
        let until = self.now + DOUBT_MS;
        let Some(state) = self.conns.get_mut(conn) else { return };
        if state.deadline == u64::MAX {
            state.deadline = until;
            state.pings_out += 1;
            self.actions.push_back(Action::Send(conn, PING.to_vec()));
        }
    }
}
