//! One connection, without its socket.

use super::auth::{Access, Name, User};
use super::reason::Reason;
use super::routes::Route;
use super::security::Security;
use super::subs::Sids;
use crate::interest::{AccountId, GLOBAL_ACCOUNT};
use crate::log::Quoted;
use crate::memory::Chain;
use crate::wire::Connect;
use std::fmt;
use std::net::SocketAddr;

/// Where a connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Operations are taken and messages are sent.
    Open,
    /// Nothing more is taken or queued; what waits is being sent, for so many looks at its progress more.
    Flushing(Reason, u8),
    /// All was sent and our side is shut; input is discarded for a moment so that the peer reads the end.
    Lingering,
    /// The socket is to be dropped.
    Gone,
}

/// Times at which something is due, in milliseconds; [`NEVER`] if nothing is.
#[derive(Debug, Clone, Copy)]
pub struct Due {
    /// The next PING, or the next look whether one is needed.
    pub ping: u64,
    /// The next look at a receiver that holds publishers back.
    pub stall: u64,
    /// When the batch under way must have been taken.
    pub write: u64,
    /// When a closing connection is dropped whatever is left.
    pub close: u64,
    /// When a TLS handshake must be done, or the client gets its INFO without one.
    pub handshake: u64,
    /// When the client must have said who it is; of one that was refused, when it is told.
    pub auth: u64,
}

/// A time that does not come.
pub const NEVER: u64 = u64::MAX;

impl Due {
    /// The first of all.
    pub fn next(&self) -> u64 {
        self.ping.min(self.stall).min(self.write).min(self.close).min(self.handshake).min(self.auth)
    }
}

/// What has gone through a connection: messages, and bytes of headers and payload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages published.
    pub in_messages: u64,
    /// Their bytes.
    pub in_bytes: u64,
    /// Messages queued to the client.
    pub out_messages: u64,
    /// Their bytes.
    pub out_bytes: u64,
}

impl std::ops::AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.in_messages += other.in_messages;
        self.in_bytes += other.in_bytes;
        self.out_messages += other.out_messages;
        self.out_bytes += other.out_bytes;
    }
}

/// An operation that has not come whole yet.
#[derive(Debug, Default)]
pub struct Partial {
    /// Its first bytes, with room for more behind `have`.
    pub buffer: Vec<u8>,
    /// Bytes that are there.
    pub have: usize,
    /// Bytes of the whole operation; 0 while that is not known.
    pub need: usize,
}

/// Input that was read but not worked on, because it caused much output or its receivers hold the connection back.
#[derive(Debug)]
pub struct Backlog {
    /// What was read.
    pub bytes: Vec<u8>,
    /// How much of it is done.
    pub done: usize,
}

/// A receiver whose publishers wait for it; see the `stall` module.
#[derive(Debug)]
pub struct Stall {
    /// Who waits.
    pub waiting: Vec<Publisher>,
    /// `written` at the last look.
    pub written_mark: u64,
    /// Looks at it until it must have caught up.
    pub looks_left: u8,
    /// It made no progress: nobody waits until it has.
    pub given_up: bool,
}

/// A publishing connection, as any worker can name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publisher {
    /// Its worker.
    pub worker: u8,
    /// Its key there.
    pub key: u32,
    /// Its connection number, because keys are used again.
    pub cid: u64,
}

impl Publisher {
    /// A route, whose messages are from clients of another server.
    pub fn route(worker: u8, cid: u64) -> Self {
        Self { worker, key: RELAYED, cid }
    }

    /// A route, with a message that goes no further, wherever nobody takes it.
    pub fn last_route(worker: u8, cid: u64) -> Self {
        Self { worker, key: RELAYED_LAST, cid }
    }

    /// The server itself, whose messages go where those of its clients go.
    pub fn server(worker: u8) -> Self {
        Self { worker, key: SERVER, cid: 0 }
    }

    /// True if it is a client of this server, or the server itself: its messages go to other servers.
    #[inline]
    pub fn is_client(&self) -> bool {
        self.key < RELAYED_LAST
    }

    /// True if a message of it may be sent on to another server when a queue group's last member here is gone.
    pub fn may_be_forwarded(&self) -> bool {
        self.key != RELAYED_LAST
    }
}

/// Keys that no connection has.
const RELAYED: u32 = u32::MAX;
const RELAYED_LAST: u32 = u32::MAX - 1;
const SERVER: u32 = u32::MAX - 2;

/// What a client says of itself that is only for people.
#[derive(Debug, Default, Clone)]
pub struct Label {
    /// Library version.
    pub version: String,
    /// Library language.
    pub lang: String,
    /// Application name.
    pub name: String,
}

/// One connection, of a client or of another server.
#[derive(Debug)]
pub struct Client {
    /// Output not yet written.
    pub out: Chain,
    /// Where it is in its life.
    pub state: State,
    /// Next in the list of connections with something to flush, or `CLEAN`.
    pub dirty_next: u32,
    /// The one before it in that list, or `LAST` for the first.
    pub dirty_previous: u32,
    /// CONNECT's option, as the next four.
    pub verbose: bool,
    /// See [`Connect`].
    pub pedantic: bool,
    /// See [`Connect`].
    pub echo: bool,
    /// See [`Connect`].
    pub headers: bool,
    /// See [`Connect`].
    pub no_responders: bool,
    /// CONNECT's protocol: 1 takes INFO at any time.
    pub protocol: u8,
    /// A CONNECT was accepted.
    pub connected: bool,
    /// The INFO that answers CONNECT was sent.
    pub informed: bool,
    /// The account it is bound to.
    pub account: AccountId,
    /// Where the match cache had the last subject published.
    pub match_hint: u32,
    /// Receivers that hold this publisher back; nothing is read from it meanwhile. While its subscriptions are being
    /// removed, its password is checked, or it waits to hear that it is refused, it holds itself.
    pub held_by: u32,
    /// Waiting bytes from which on a delivery needs a second look; 0 if it needs one in any case.
    pub look_from: usize,
    /// The connection's number, unique in this run of the server.
    pub cid: u64,
    /// What went through.
    pub traffic: Traffic,
    /// Bytes written to the socket.
    pub written: u64,
    /// `written` when the batch under way will have been taken; of a closing connection, at the last look at it.
    pub write_mark: u64,
    /// What it waits for.
    pub due: Due,
    /// When the timer that is set goes off.
    pub armed: u64,
    /// The last PUB, SUB, UNSUB or PING.
    pub active_at: u64,
    /// When it came, in microseconds.
    pub opened_us: u64,
    /// The last PING sent to it, in microseconds; 0 before the first one.
    pub pinged_us: u64,
    /// The last round trip measured, in microseconds; 0 before the first one.
    pub round_trip_us: u32,
    /// How often a receiver has held it back.
    pub stalls: u32,
    /// Bytes counted for it, but for its output and subscriptions.
    pub held: u32,
    /// Input that was not worked on is part of that.
    pub held_input: bool,
    /// Of those the ones that its socket holds.
    pub beside: u32,
    /// The last fan-out it was found in.
    pub fan_out_mark: u32,
    /// PINGs since the last PONG.
    pub pings_out: u32,
    /// Its subscriptions.
    pub sids: Sids,
    /// The operation that has not come whole.
    pub partial: Partial,
    /// What was read behind it and is to be worked on before more is.
    pub backlog: Option<Box<Backlog>>,
    /// Set while it is behind and publishers meet it.
    pub stall: Option<Box<Stall>>,
    /// How it is protected.
    pub security: Security,
    /// Its address.
    pub peer: SocketAddr,
    /// What it says of itself.
    pub label: Option<Box<Label>>,
    /// Who it is, where clients have to say so.
    pub access: Option<Box<Access>>,
    /// It is another server's.
    pub route: Option<Box<Route>>,
}

/// Not in the list of connections to flush.
pub const CLEAN: u32 = u32::MAX - 1;
/// The end of that list.
pub const LAST: u32 = u32::MAX;

impl Client {
    /// A connection as it is before CONNECT.
    pub fn new(peer: SocketAddr, cid: u64, now_us: u64, ping_at: u64, look_from: usize) -> Self {
        let implied = Connect::default();
        Self {
            out: Chain::default(),
            state: State::Open,
            dirty_next: CLEAN,
            dirty_previous: LAST,
            verbose: implied.verbose,
            pedantic: implied.pedantic,
            echo: implied.echo,
            headers: implied.headers,
            no_responders: implied.no_responders,
            protocol: 0,
            connected: false,
            informed: false,
            account: GLOBAL_ACCOUNT,
            match_hint: 0,
            held_by: 0,
            look_from,
            cid,
            traffic: Traffic::default(),
            written: 0,
            write_mark: 0,
            due: Due { ping: ping_at, stall: NEVER, write: NEVER, close: NEVER, handshake: NEVER, auth: NEVER },
            armed: NEVER,
            active_at: now_us / 1000,
            opened_us: now_us,
            pinged_us: 0,
            round_trip_us: 0,
            stalls: 0,
            held: 0,
            held_input: false,
            beside: 0,
            fan_out_mark: 0,
            pings_out: 0,
            sids: Sids::default(),
            partial: Partial::default(),
            backlog: None,
            stall: None,
            security: Security::Plain,
            peer,
            label: None,
            access: None,
            route: None,
        }
    }

    /// True while operations are taken and messages are queued.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Its round trip began at this time and has just ended.
    pub fn note_round_trip(&mut self, began_us: u64, now_us: u64) {
        self.round_trip_us = u32::try_from(now_us.saturating_sub(began_us)).unwrap_or(u32::MAX).max(1);
    }

    /// True if it takes an INFO that it did not ask for: it says so in CONNECT, and has had the answer to that.
    pub fn takes_news(&self) -> bool {
        self.is_open() && self.informed && self.protocol > 0
    }

    /// Its options as a CONNECT document would state them.
    pub fn options(&self) -> Connect {
        let label = self.label.as_deref();
        let text = |of: fn(&Label) -> &String| label.map(of).cloned().unwrap_or_default();
        Connect {
            verbose: self.verbose,
            pedantic: self.pedantic,
            echo: self.echo,
            headers: self.headers,
            no_responders: self.no_responders,
            protocol: self.protocol.into(),
            name: text(|label| &label.name),
            lang: text(|label| &label.lang),
            version: text(|label| &label.version),
            ..Connect::default()
        }
    }
}

/// The front of a log line about this connection.
impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let kind = if self.route.is_some() { "rid" } else { "cid" };
        write!(f, "{} - {kind}:{}", self.peer, self.cid)?;
        if let Some(label) = &self.label {
            write!(f, "{label}")?;
        }
        match self.user() {
            Some(User { name, account_name, .. }) if *name != Name::Anyone => {
                write!(f, " - {}", Quoted(format!("{account_name}/{name}").as_bytes()))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let label = self;
        let version = if label.version.is_empty() { String::new() } else { format!("v{}", label.version) };
        let parts = [&version, &label.lang, &label.name];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).map(String::as_str).collect();
        if parts.is_empty() { Ok(()) } else { write!(f, " - {}", Quoted(parts.join(":").as_bytes())) }
    }
}
