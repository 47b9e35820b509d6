//! What a peer may say and what it gets: one broker for each worker.
//!
//! A broker knows no socket, thread or clock. The worker that owns it gives it the bytes that came, the time and a seed;
//! it takes from it what is to be written, [`Action`]s (close, arm a timer, read again) and mail for other workers'
//! brokers. So a test can run several brokers in one thread.

mod addresses;
mod answers;
pub mod auth;
mod budget;
mod chores;
mod client;
mod closed;
mod closing;
mod counts;
mod deliver;
mod fan_out;
mod lame_duck;
mod leaving;
mod linked;
pub mod mail;
mod publish;
mod random;
mod reason;
mod reload;
pub mod report;
pub mod routes;
mod security;
mod session;
mod stall;
mod subs;
pub mod system;
mod timing;
mod trace;

#[cfg(test)]
mod tests;

pub use client::{Client, Label, NEVER, Publisher, State, Traffic};
pub use closed::{Closed, Record, Records};
pub use counts::{Counts, Cut, place_of};
pub use deliver::Local;
pub use mail::Mail;
pub use reason::Reason;
pub use security::{Greeting, Secured, Security, ShownCertificate};

use crate::cluster::DialId;
use crate::config::Options;
use crate::interest::{Cache, Interest};
use crate::log::Log;
use crate::memory::{Budget, Pressure, Spares};
use crate::wire::{Info, Limits};
use addresses::{Addresses, Arrival};
use answers::Answers;
use auth::failures::Failures;
use auth::nkeys::Nonces;
use auth::{Auth, Check, Recheck};
use random::Random;
use security::ConnectionRate;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The NATS version whose protocol this server speaks; clients compare it.
pub const NATS_VERSION: &str = "2.15.1";

/// Who this server is.
#[derive(Debug)]
pub struct Identity {
    /// Unique for each run.
    pub id: String,
    /// Configured name, else the id.
    pub name: String,
    /// Listen host as configured.
    pub host: String,
    /// Real listen port.
    pub port: u16,
}

/// What all workers' brokers share.
#[derive(Debug)]
pub struct Shared {
    /// Makes nonces that cannot be foretold, together with the seed of a broker.
    seed: u64,
    /// Who may connect, and the options that say so.
    auth: Mutex<Option<(Arc<Options>, Arc<Auth>)>>,
    /// Who this server is.
    pub identity: Identity,
    /// Who wants what.
    pub interest: Interest,
    /// The log.
    pub log: Log,
    /// Number of the connection accepted last.
    last_cid: AtomicUsize,
    /// Open connections of all workers.
    connections: AtomicUsize,
    /// TLS connections of this second.
    connection_rate: ConnectionRate,
    /// Records of those that were closed.
    pub closed: Closed,
    /// Clients by address, while there is a limit to them.
    addresses: Addresses,
    /// What all workers together may hold.
    pub budget: Budget,
    /// Documents and events sent.
    sent: AtomicU32,
    /// Microseconds from 1970 to the start of the clock.
    epoch_us: u64,
}

impl Shared {
    /// The start: no connections, no interest.
    pub fn new(identity: Identity, log: Log, seed: u64) -> Self {
        Self {
            seed,
            auth: Mutex::new(None),
            identity,
            interest: Interest::new(seed),
            log,
            last_cid: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            connection_rate: ConnectionRate::default(),
            closed: Closed::default(),
            addresses: Addresses::default(),
            budget: Budget::default(),
            sent: AtomicU32::new(0),
            epoch_us: 0,
        }
    }

    /// Who may connect by these options. Made when they are asked for first: with very many users that takes some
    /// milliseconds, so the first to ask should not be a worker.
    pub fn auth(&self, options: &Arc<Options>) -> Arc<Auth> {
        let mut made = self.auth.lock().unwrap_or_else(PoisonError::into_inner);
        match &*made {
            Some((of, auth)) if Arc::ptr_eq(of, options) => Arc::clone(auth),
            before => {
                let auth = match before {
                    Some((of, auth)) if of.authorization == options.authorization => Arc::clone(auth),
                    before => {
                        let auth = Auth::new(options, &self.interest, before.as_ref().map(|(_, auth)| &**auth));
                        self.interest.link(&options.authorization);
                        Arc::new(auth)
                    }
                };
                *made = Some((Arc::clone(options), Arc::clone(&auth)));
                auth
            }
        }
    }

    /// The same with a clock that showed 0 so many microseconds after 1970 began.
    pub fn with_epoch(self, epoch_us: u64) -> Self {
        Self { epoch_us, ..self }
    }

    /// The same with records of closed connections.
    pub fn with_closed(self, closed: Closed) -> Self {
        Self { closed, ..self }
    }

    /// The same with a bound to the memory of all workers.
    pub fn with_budget(self, budget: Budget) -> Self {
        Self { budget, ..self }
    }

    /// Open connections of all workers.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Connections accepted since the start.
    pub fn connections_total(&self) -> usize {
        self.last_cid.load(Ordering::Relaxed)
    }

    /// The first INFO of a connection.
    fn info<'a>(&'a self, options: &'a Options, cid: u64, ip: &'a str) -> Info<'a> {
        let advertised = options.client_advertise.as_ref();
        let Options { tls, allow_non_tls, .. } = options;
        Info {
            server_id: &self.identity.id,
            server_name: &self.identity.name,
            version: NATS_VERSION,
            proto: 1,
            go: "",
            host: advertised.map_or(&self.identity.host, |advertised| &advertised.host),
            port: advertised.and_then(|advertised| advertised.port).unwrap_or(self.identity.port),
            headers: !options.no_header_support,
            auth_required: false,
            tls_required: tls.is_some() && !allow_non_tls,
            tls_verify: tls.as_ref().is_some_and(|tls| tls.verifies()),
            tls_available: tls.is_some() && *allow_non_tls,
            max_payload: options.max_payload,
            client_id: cid,
            client_ip: ip,
            nonce: None,
            cluster: None,
            connect_urls: &[],
            ldm: false,
            connect_info: false,
            remote_account: None,
            acc_is_sys: false,
        }
    }
}

/// What the owner of a broker is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Drop the socket, then call [`Broker::forget`].
    Drop(u32),
    /// Call [`Broker::fire`] at this time, in milliseconds.
    Arm(u32, u64),
    /// Read from the connection again.
    Resume(u32),
    /// Have a password checked elsewhere, then call [`Broker::checked`].
    Check(Box<Check>),
    /// Have a document made elsewhere, then call [`Broker::answered`].
    Ask(Box<system::Request>),
    /// Connect to another server, then call [`Broker::route_dialled`] or [`Broker::dial_failed`].
    Dial {
        /// To be given back.
        dial: DialId,
        /// Name or address of the host.
        host: String,
        /// The port there.
        port: u16,
    },
}

/// What to do when a connection's output is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// Go on.
    Stay,
    /// Shut the write side down, go on reading (the broker discards).
    HalfClose,
    /// Drop the socket.
    Drop,
}

/// Why an INFO is sent.
#[derive(Debug, Clone, Copy)]
enum Occasion {
    /// The connection is new.
    Greeting,
    /// The first PING after CONNECT is answered.
    Answer,
    /// The server is about to go.
    LameDuck,
    /// Clients can connect elsewhere than before.
    News,
}

/// Bytes queued in one go before the owner should write them out: about what stays in a core's cache.
const TURN_OUTPUT_MAX: usize = 8 * 1024 * 1024;

/// The sessions of one worker.
#[derive(Debug)]
pub struct Broker {
    shared: Arc<Shared>,
    local: Local,
    cache: Cache,
    random: Random,
    spares: Spares,
    /// A tail written anew because the publisher's line was not canonical.
    scratch: Vec<u8>,
    /// Where the cache had the subject of the last message from another worker.
    mail_hint: u32,
    /// A batch that is not delivered whole, and how many bytes of it are.
    batch_in_hand: Option<(mail::Batch, usize)>,
    limits: Limits,
    /// Messages of one run to one subject, while they are being fanned out.
    run: Vec<fan_out::Tail>,
    /// Where the search for the next connection to send away begins.
    send_away_from: usize,
    /// Connections that are to be closed because there are too many.
    surplus: usize,
    auth: Arc<Auth>,
    /// Clients that were let in by other rules than those of now.
    recheck: Option<Recheck>,
    nonces: Nonces,
    /// Addresses whose clients do not know their passwords.
    failures: Failures,
    /// Who waits for answers of services in other accounts.
    answers: Answers,
    /// The cluster, at the worker that owns its routes.
    membership: routes::Place,
    /// The key from which on connections have not been told what is new about the cluster.
    untold_from: Option<usize>,
    /// The count of changes to announce when the worker with the routes was told last.
    announced: u32,
}

impl Broker {
    /// The broker of `worker`, one of `workers`, with the options that are in force now.
    pub fn new(shared: Arc<Shared>, options: Arc<Options>, worker: u8, workers: usize, seed: u64) -> Self {
        let limits = reload::limits(&options);
        let auth = shared.auth(&options);
        let mut local = Local::new(Arc::clone(&shared), options, worker, workers);
        local.system = auth.system;
        Self {
            local,
            cache: Cache::new(worker),
            random: Random::new(seed),
            spares: Spares::new(16, 256 * 1024),
            scratch: Vec::new(),
            mail_hint: 0,
            batch_in_hand: None,
            limits,
            run: Vec::new(),
            send_away_from: 0,
            surplus: 0,
            auth,
            recheck: None,
            nonces: Nonces::new([shared.seed, seed]),
            failures: Failures::default(),
            answers: Answers::new(worker, shared.seed, seed, shared.interest.subject_hash()),
            membership: routes::Place::default(),
            untold_from: None,
            announced: 0,
            shared,
        }
    }

    /// Sets the time, in milliseconds since any fixed point; to be called once a turn.
    pub fn set_now(&mut self, now: u64) {
        self.set_now_us(now * 1000);
    }

    /// The same in microseconds, which round trips are measured in.
    pub fn set_now_us(&mut self, now_us: u64) {
        self.local.now = now_us / 1000;
        self.local.now_us = now_us;
    }

    /// A new connection. It may be refused, which the peer is told in the usual way. Where there is TLS, the owner says with
    /// [`handshake_begun`](Self::handshake_begun), [`secured`](Self::secured) and
    /// [`handshake_failed`](Self::handshake_failed) how that goes, and gives no input before it is secured.
    pub fn accept(&mut self, peer: SocketAddr) -> u32 {
        // A socket for both families shows IPv4 addresses mapped into IPv6.
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let cid = self.shared.last_cid.fetch_add(1, Ordering::Relaxed) as u64 + 1;
        let now = self.local.now;
        let ping_at = now + self.local.options.ping_interval.as_millis() as u64;
        let mut client = Client::new(peer, cid, self.local.now_us, ping_at, self.local.look_from());
        client.security = Security::at_first(&self.local.options);
        let withholds = client.security.withholds();
        let key = self.local.clients.insert(client) as u32;
        self.ask(key);
        if !withholds {
            self.send_info(key, Occasion::Greeting);
        }
        let client = &self.local.clients[key as usize];
        if self.shared.log.debug_on() {
            self.shared.log.debug(format_args!("{client} - Client connection created"));
        }
        let before = self.shared.connections.fetch_add(1, Ordering::Relaxed);
        self.local.recount(key);
        let arrival = self.local.arrive(key);
        if before >= self.local.options.max_connections {
            self.local.refuse_connection(key);
        } else if self.shared.budget.pressure() != Pressure::Low {
            self.local.refuse_for_memory(key);
        } else if arrival != Arrival::Welcome {
            self.local.refuse_address(key, arrival);
        } else if !self.admits_handshake(key) {
            self.local.throttle_connection(key);
        } else {
            self.local.await_handshake(key);
            self.local.rearm(key);
        }
        key
    }

    /// Whether a new connection may come in, as far as the rate of handshakes goes.
    fn admits_handshake(&self, key: u32) -> bool {
        match &self.local.options.tls {
            Some(tls) if self.local.clients[key as usize].security.is_awaited() => {
                self.shared.admits_handshake(self.local.now, tls)
            }
            _ => true,
        }
    }

    /// Sends a client what the server says of itself on this occasion.
    fn send_info(&mut self, key: u32, occasion: Occasion) {
        let client = &self.local.clients[key as usize];
        let ip = client.peer.ip().to_string();
        let mut info = self.shared.info(&self.local.options, client.cid, &ip);
        info.auth_required = self.auth.is_required();
        if let Some(news) = &self.local.news {
            info.cluster = Some(&news.name);
            info.connect_urls = &news.urls;
        }
        match occasion {
            Occasion::Greeting => {
                info.auth_required = self.auth.is_shown();
                info.nonce = client.access.as_ref().map(|access| &*access.nonce).filter(|nonce| !nonce.is_empty());
            }
            Occasion::Answer => {
                info.connect_info = true;
                info.max_payload = client.payload_max(info.max_payload);
                let account = &*self.shared.interest.account(client.account).name;
                info.remote_account = Some(account);
                info.acc_is_sys = self.local.system == Some(client.account);
            }
            Occasion::LameDuck => {
                info.ldm = true;
                info.connect_urls = self.local.news.as_ref().map_or(&[], |news| news.others());
            }
            Occasion::News => {}
        }
        let line = info.line();
        self.local.send(key, [&line]);
    }

    /// The connection's socket is dropped; its key may be used again.
    pub fn forget(&mut self, key: u32) {
        self.local.forget(key);
    }

    /// The connection with this key, if there is one.
    pub fn client(&self, key: u32) -> Option<&Client> {
        self.local.clients.get(key as usize)
    }

    /// The number of the connection that has this key now.
    pub fn cid(&self, key: u32) -> Option<u64> {
        self.client(key).map(|client| client.cid)
    }

    /// Keys of all connections.
    pub fn keys(&self) -> Vec<u32> {
        self.local.clients.iter().map(|(key, _)| key as u32).collect()
    }

    /// Connections of this worker.
    pub fn count(&self) -> usize {
        self.local.clients.len()
    }

    /// Output, actions and mail that the last calls left.
    pub fn local(&mut self) -> &mut Local {
        &mut self.local
    }

    /// True if more was queued, or done, than should be before output is written.
    #[inline]
    pub fn should_flush(&self) -> bool {
        self.local.turn_output > self.local.turn_max
    }

    /// Gives memory back that a busy time left behind.
    pub fn trim(&mut self) {
        self.cache.trim();
        self.answers.trim();
        self.spares.trim();
        self.scratch = Vec::new();
        self.local.trim();
    }
}
