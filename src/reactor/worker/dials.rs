//! Routes of the worker that owns them: dials under way, and where other servers come in.

use super::{ROUTE_LISTENER, Worker};
use crate::broker::routes::Joining;
use crate::config::cluster::IS_BUILT_IN;
use crate::log::Log;
use crate::reactor::Listener;
use crate::reactor::mailbox::Mailbox;
use crate::reactor::resolver::Resolver;
use crate::reactor::socket::Socket;
use crate::reactor::tls::RouteTls;
use crate::sys;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Token};
use slab::Slab;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Time for a connection to come about, in milliseconds.
const DIAL_MS: u64 = 1000;

/// The tokens of dials begin here; those of connections are far below.
const FIRST_TOKEN: usize = usize::MAX / 2;

/// What a worker has of routes that are no connections yet.
#[derive(Debug)]
pub struct Routes {
    listener: Listener,
    /// Where that listens.
    address: SocketAddr,
    dials: Slab<Dial>,
    /// Clients are not taken before the configured routes have synced.
    holds_clients: bool,
    resolver: Resolver,
    /// What new routes begin TLS with; none where they have no TLS.
    tls: Option<Arc<RouteTls>>,
}

#[derive(Debug)]
struct Dial {
    /// The cluster's name for it.
    number: u64,
    /// Name or address of the host.
    host: String,
    stream: TcpStream,
    until: u64,
}

/// What a worker needs to own the routes of a server.
#[derive(Debug)]
pub struct RouteDoor {
    /// Where other servers come in.
    pub socket: TcpListener,
    /// Its address.
    pub address: SocketAddr,
    /// The options of the cluster.
    pub joining: Box<Joining>,
    /// What routes begin TLS with; none where they have no TLS.
    pub tls: Option<Arc<RouteTls>>,
    /// Clients are not taken before the configured routes have synced.
    pub holds_clients: bool,
    /// For what is to be by chance.
    pub seed: u64,
}

impl Routes {
    fn new(socket: TcpListener, address: SocketAddr, mailbox: Arc<Mailbox>, tls: Option<Arc<RouteTls>>) -> Self {
        let resolver = Resolver::new(mailbox);
        let listener = Listener::new(socket);
        Self { listener, address, dials: Slab::new(), holds_clients: false, resolver, tls }
    }

    /// When there is something to do here, in milliseconds from now.
    pub fn wait(&self, now: u64) -> Option<u64> {
        let dials = self.dials.iter().map(|(_, dial)| dial.until.saturating_sub(now)).min();
        [dials, self.listener.wait(now)].into_iter().flatten().min()
    }

    /// True while no clients are taken.
    pub fn holds_clients(&self) -> bool {
        self.holds_clients
    }

    /// The poll says that connections wait.
    pub fn set_ready(&mut self) {
        self.listener.set_ready();
    }
}

/// The place of a dial, if the token is one's.
pub fn dial_of(token: Token) -> Option<usize> {
    token.0.checked_sub(FIRST_TOKEN)
}

impl Worker {
    /// Makes this the worker that owns the routes.
    ///
    /// # Errors
    /// If the listener cannot be registered.
    pub fn join_cluster(&mut self, door: RouteDoor) -> io::Result<()> {
        let RouteDoor { socket, address, holds_clients, joining, tls, seed } = door;
        let mut routes = Box::new(Routes::new(socket, address, Arc::clone(&self.mailboxes[self.number]), tls));
        routes.holds_clients = holds_clients;
        self.poll.registry().register(routes.listener.socket(), ROUTE_LISTENER, Interest::READABLE)?;
        self.routes = Some(routes);
        self.broker.set_now_us(self.clock.now_us());
        self.broker.join_cluster(&joining, seed);
        self.act();
        Ok(())
    }

    /// Goes on with other options of the cluster. Both parts change together: the broker waits for a handshake where there is
    /// one.
    pub(super) fn rejoin_cluster(&mut self, joining: &Joining, tls: Option<Arc<RouteTls>>) {
        if let Some(routes) = &mut self.routes {
            routes.tls = tls;
            self.broker.join_cluster(joining, 0);
        }
    }

    /// What is due of the cluster, and of dials.
    pub(super) fn attend_cluster(&mut self) {
        if !IS_BUILT_IN || self.routes.is_none() {
            return;
        }
        self.broker.attend_cluster();
        self.act();
        self.accept_routes();
        self.give_dials_up();
        if let Some(routes) = &mut self.routes
            && routes.holds_clients
            && self.broker.has_synced()
        {
            routes.holds_clients = false;
            self.log.info(format_args!("All routes have synced, clients are taken"));
        }
    }

    fn accept_routes(&mut self) {
        let Some(mut routes) = self.routes.take() else { return };
        let log: Log = self.log.clone();
        let mut came = Vec::new();
        routes.listener.accept(self.now, &log, |stream, peer| came.push((stream, peer)));
        self.routes = Some(routes);
        for (stream, peer) in came {
            let key = self.broker.accept_route(peer);
            self.adopt_route(key, stream, None);
        }
    }

    /// Makes a route this worker's own; one that was dialled leads to this host.
    fn adopt_route(&mut self, key: u32, stream: TcpStream, host: Option<&str>) {
        self.mailboxes[self.number].count_in();
        let Some(peer) = self.broker.client(key).map(|client| client.peer) else { return };
        let tls = self.routes.as_ref().and_then(|routes| routes.tls.as_ref());
        let socket = match (tls, host) {
            (Some(tls), Some(host)) => Socket::dialled(stream, Arc::clone(&tls.connector), host),
            (Some(tls), None) => Socket::new(stream, Some(&tls.acceptor)),
            (None, _) => Socket::new(stream, None),
        };
        self.watch(key, socket, peer);
        // The first word of a handshake is ours.
        self.enqueue(key);
    }

    /// Begins to connect to another server.
    pub(super) fn dial(&mut self, number: u64, host: String, port: u16) {
        match host.parse::<IpAddr>() {
            Ok(ip) => self.connect(number, host, SocketAddr::new(ip, port)),
            Err(_) => {
                if let Some(routes) = &mut self.routes {
                    routes.resolver.ask(number, host, port);
                }
            }
        }
    }

    /// The addresses of a name are known. One is taken by chance, but none of our own if there are others.
    pub(super) fn resolved(&mut self, number: u64, host: String, found: Result<Vec<SocketAddr>, String>) {
        let Some(routes) = &self.routes else { return };
        let found = match found {
            Ok(found) => found,
            Err(why) => return self.broker.dial_failed(number, &why),
        };
        let own = sys::addresses::local().unwrap_or_default();
        let is_own = |address: &&SocketAddr| address.port() == routes.address.port() && own.contains(&address.ip());
        let others: Vec<SocketAddr> = found.iter().filter(|address| !is_own(address)).copied().collect();
        let candidates = if others.is_empty() { found } else { others };
        let at = self.broker.pick(candidates.len());
        match candidates.get(at) {
            Some(&address) => self.connect(number, host, address),
            None => self.broker.dial_failed(number, "the name has no address"),
        }
    }

    fn connect(&mut self, number: u64, host: String, address: SocketAddr) {
        let Some(routes) = &mut self.routes else { return };
        let failed = |error: &io::Error| format!("dial tcp {address}: connect: {}", sys::error_text(error));
        let mut stream = match TcpStream::connect(address) {
            Ok(stream) => stream,
            Err(error) => return self.broker.dial_failed(number, &failed(&error)),
        };
        let entry = routes.dials.vacant_entry();
        let token = Token(FIRST_TOKEN + entry.key());
        if let Err(error) = self.poll.registry().register(&mut stream, token, Interest::WRITABLE) {
            return self.broker.dial_failed(number, &failed(&error));
        }
        entry.insert(Dial { number, host, stream, until: self.now + DIAL_MS });
    }

    /// The poll says that a dial came to something, or to nothing.
    pub(super) fn dial_ended(&mut self, at: usize) {
        let Some(routes) = &mut self.routes else { return };
        let Some(Dial { number, stream, .. }) = routes.dials.get(at) else { return };
        let (number, outcome) = (*number, stream.take_error());
        let failed = match (outcome, stream.peer_addr()) {
            (Ok(Some(error)) | Err(error), _) => error,
            (Ok(None), Ok(peer)) => {
                let Dial { host, mut stream, .. } = routes.dials.remove(at);
                let prepared =
                    sys::sockets::prepare_accepted(&stream).and_then(|()| self.poll.registry().deregister(&mut stream));
                return match prepared {
                    Ok(()) => {
                        let key = self.broker.route_dialled(number, peer);
                        self.adopt_route(key, stream, Some(&host));
                    }
                    Err(error) => self.broker.dial_failed(number, &sys::error_text(&error)),
                };
            }
            // It is not decided yet.
            (Ok(None), Err(error)) if error.kind() == io::ErrorKind::NotConnected => return,
            (Ok(None), Err(error)) => error,
        };
        routes.dials.remove(at);
        self.broker.dial_failed(number, &format!("dial tcp: connect: {}", sys::error_text(&failed)));
    }

    fn give_dials_up(&mut self) {
        let Some(routes) = &mut self.routes else { return };
        if routes.dials.is_empty() {
            return;
        }
        let now = self.now;
        let late: Vec<usize> = routes.dials.iter().filter(|(_, dial)| dial.until <= now).map(|(at, _)| at).collect();
        for at in late {
            let number = routes.dials.remove(at).number;
            self.broker.dial_failed(number, "dial tcp: i/o timeout");
        }
    }
}
