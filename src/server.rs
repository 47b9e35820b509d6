//! Starts and stops everything: the listening socket and the workers.

mod attend;
mod certificates;
mod cluster;
mod lame_duck;
#[cfg(not(feature = "monitoring"))]
mod no_monitor;
mod ports_file;
mod reload;
mod remote;
mod watchdog;

pub use attend::tell;
pub use remote::signal;

use crate::broker::routes::ROUTE_WORKER;
use crate::broker::{Broker, Closed, Identity, NATS_VERSION, Shared};
use crate::config::{MaxMemory, Options};
use crate::log::{Log, Quoted};
use crate::memory::{Budget, Pressure};
#[cfg(feature = "monitoring")]
use crate::monitor;
use crate::reactor::{Clock, Desk, Helper, Letter, Listener, Mailbox, RouteDoor, Worker, host_port, listen, prepare};
use crate::sys;
use crate::wire::nkey;
use certificates::{Tls, Watch};
use cluster::Entrance;
use lame_duck::LameDuck;
use mio::net::TcpListener;
use monitor::{Doors, Monitor};
#[cfg(not(feature = "monitoring"))]
use no_monitor as monitor;
use ports_file::PortsFile;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// A larger `max_payload` is warned of, in bytes.
const DISCOURAGED_PAYLOAD: usize = 8 << 20;

/// A running server; dropping it shuts it down.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    /// Those in force; the workers have them too.
    options: Arc<Options>,
    shared: Arc<Shared>,
    tls: Tls,
    /// Where peers come in, if there is a cluster.
    entrance: Option<Entrance>,
    watch: Watch,
    mailboxes: Vec<Arc<Mailbox>>,
    helper: Option<Arc<Helper>>,
    desk: Option<Arc<Desk>>,
    threads: Vec<JoinHandle<()>>,
    /// Set when it is on its way out.
    lame_duck: Option<LameDuck>,
    ports_file: Option<PortsFile>,
    monitor: Option<Monitor>,
    /// Where monitoring is served over TCP.
    monitor_place: Option<monitor::Place>,
}

/// Why a server could not start.
#[derive(Debug)]
pub enum StartError {
    /// The listen address cannot be used.
    Listen {
        /// As configured, `host:port`.
        address: String,
        /// What the system said, see [`listen`].
        reason: String,
    },
    /// Peers cannot come in at the configured address.
    Routes {
        /// As configured; 0 for any.
        port: u16,
        /// What the system said, see [`listen`].
        reason: String,
    },
    /// The server could not become the user it is to run as.
    User {
        /// As configured.
        who: String,
        /// What is wrong with that.
        reason: String,
    },
    /// TLS cannot be had as configured: which file or setting is wrong.
    Tls(String),
    /// Monitoring cannot be served.
    Monitoring(monitor::OpenError),
    /// A worker could not be set up.
    Worker(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Listen { address, reason } => {
                write!(f, "Error listening on port: {address}, \"{reason}\"")
            }
            Self::Routes { port, reason } => write!(f, "Error listening on router port: {port} - {reason}"),
            Self::User { who, reason } => write!(f, "Error becoming user {}: {reason}", Quoted(who.as_bytes())),
            Self::Tls(reason) => f.write_str(reason),
            Self::Monitoring(error) => error.fmt(f),
            Self::Worker(error) => write!(f, "Error starting a worker: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl Server {
    /// Binds, starts the workers and logs that the server is ready.
    ///
    /// # Errors
    /// If the address cannot be listened on or the system has no more descriptors or threads. Nothing is left running.
    pub fn start(options: Options, log: Log) -> Result<Self, StartError> {
        Self::start_on(None, options, &[], log)
    }

    /// The same with a socket that listens already, if there is one, instead of the configured address. It must not block.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub fn start_on(
        passed: Option<std::net::TcpListener>,
        options: Options,
        warnings: &[String],
        log: Log,
    ) -> Result<Self, StartError> {
        let id = server_id().map_err(StartError::Worker)?;
        let seed = random().map_err(StartError::Worker)?;
        let name = options.server_name.clone().unwrap_or_else(|| id.clone());
        announce(&id, &name, &options, warnings, &log);
        let watch = Watch::of(&options);
        let tls = Tls::build(&options).map_err(StartError::Tls)?;
        let entrance = Entrance::open(&options)?;
        let doors = Doors::open(&options, tls.clients.is_some(), &log).map_err(StartError::Monitoring)?;
        let ((socket, address), host) = match passed {
            Some(passed) => {
                let bound = adopt(passed).map_err(StartError::Worker)?;
                log.info(format_args!("Using the listening socket of the service manager"));
                let host = bound.1.ip().to_string();
                (bound, host)
            }
            None => {
                let refused = |reason| StartError::Listen { address: host_port(&options.host, options.port), reason };
                (listen(&options.host, options.port).map_err(refused)?, options.host.clone())
            }
        };
        let identity = Identity { id, name, host, port: address.port() };
        if let Some(who) = &options.run_as {
            let failed = |reason| StartError::User { who: who.clone(), reason };
            sys::privileges::become_user(who).map_err(failed)?;
            log.info(format_args!("Running as {}", Quoted(who.as_bytes())));
        }
        let workers = match options.workers {
            0 => default_workers(),
            chosen => chosen,
        };
        let closed = if doors.is_some() { Closed::new(options.max_closed_clients) } else { Closed::default() };
        let clock = Clock::start();
        let budget = Budget::new(memory_budget(&options), workers);
        let shared = Shared::new(identity, log, seed).with_closed(closed).with_budget(budget);
        let shared = Arc::new(shared.with_epoch(clock.epoch_us()));
        let mut server = Self {
            address,
            options: Arc::new(options),
            shared,
            tls,
            entrance,
            watch,
            mailboxes: Vec::new(),
            helper: None,
            desk: None,
            threads: Vec::new(),
            lame_duck: None,
            ports_file: None,
            monitor: None,
            monitor_place: doors.as_ref().and_then(Doors::place),
        };
        server.start_workers(workers, Listener::new(socket), clock).map_err(StartError::Worker)?;
        server.start_monitor(doors, clock).map_err(StartError::Worker)?;
        server.begin_budget();
        let shown = host_port(&server.shared.identity.host, address.port());
        server.shared.log.info(format_args!("Listening for client connections on {shown}"));
        server.announce_tls();
        if let Some(entrance) = &server.entrance {
            entrance.announce(&server.options, &server.shared.log);
        }
        server.write_ports_file();
        server.shared.log.info(format_args!("Server is ready"));
        Ok(server)
    }

    /// What is in use before there are clients is not theirs.
    fn begin_budget(&self) {
        let Shared { budget, log, .. } = &*self.shared;
        budget.set_base(usize::try_from(sys::usage::resident_bytes()).unwrap_or_default());
        let (used, most) = (budget.used(), budget.most());
        if most < usize::MAX {
            log.debug(format_args!("Memory budget: {most} bytes, of which {used} are in use"));
        }
        if budget.pressure() != Pressure::Low {
            log.warn(format_args!("max_memory leaves nothing for clients: {used} of {most} bytes are in use"));
        }
    }

    fn announce_tls(&self) {
        let log = &self.shared.log;
        match (&self.options.tls, self.options.allow_non_tls) {
            (Some(_), false) => log.info(format_args!("TLS required for client connections")),
            (Some(_), true) => log.info(format_args!("TLS available for client connections")),
            (None, _) => {}
        }
    }

    /// Writes the file with the addresses, if it is wanted. The server runs without it too.
    fn write_ports_file(&mut self) {
        let Some(folder) = &self.options.ports_file_dir else { return };
        let path = PortsFile::path(folder);
        let Options { tls, allow_non_tls, .. } = &*self.options;
        let scheme = if tls.is_some() && !allow_non_tls { "tls" } else { "nats" };
        let monitoring = self.monitor_place.map(|place| (place.scheme, place.address));
        let cluster = self.route_addr().map(|address| ("nats", address));
        match PortsFile::write(path.clone(), (scheme, self.address), monitoring, cluster) {
            Ok(file) => self.ports_file = Some(file),
            Err(error) => {
                let (path, reason) = (path.display(), sys::error_text(&error));
                self.shared.log.error(format_args!("Error writing ports file ({path}): open {path}: {reason}"));
            }
        }
    }

    fn start_monitor(&mut self, doors: Option<Doors>, clock: Clock) -> io::Result<()> {
        let subject = monitor::Subject {
            shared: Arc::clone(&self.shared),
            options: Arc::clone(&self.options),
            acceptor: self.tls.clients.clone(),
            mailboxes: self.mailboxes.clone(),
            clock,
        };
        let Some(desk) = &self.desk else { return Ok(()) };
        self.monitor = Some(Monitor::start(doors, subject, desk)?);
        Ok(())
    }

    fn start_workers(&mut self, count: usize, listener: Listener, clock: Clock) -> io::Result<()> {
        let (polls, mailboxes): (Vec<_>, Vec<_>) =
            (0..count).map(|_| Worker::prepare()).collect::<io::Result<Vec<_>>>()?.into_iter().unzip();
        self.mailboxes = mailboxes;
        let helper = Helper::new(self.mailboxes.clone());
        self.helper = Some(Arc::clone(&helper));
        let desk = Desk::new(self.mailboxes.clone());
        self.desk = Some(Arc::clone(&desk));
        let mut listener = Some(listener);
        for (number, poll) in polls.into_iter().enumerate() {
            let (shared, options) = (Arc::clone(&self.shared), Arc::clone(&self.options));
            let broker = Broker::new(shared, options, number as u8, count, random()?);
            let log = self.shared.log.clone();
            let mut worker = Worker::new(number, poll, Arc::clone(&helper), broker, listener.take(), clock, log)?;
            worker.set_acceptor(self.tls.clients.clone());
            worker.set_desk(Arc::clone(&desk));
            if number == usize::from(ROUTE_WORKER)
                && let Some(door) = self.route_door()?
            {
                worker.join_cluster(door)?;
            }
            let thread = thread::Builder::new().name(format!("worker-{number}")).spawn(move || worker.run())?;
            self.threads.push(thread);
        }
        Ok(())
    }

    fn route_door(&mut self) -> io::Result<Option<RouteDoor>> {
        let Some(joining) = self.joining() else { return Ok(None) };
        let tls = self.tls.routes.clone();
        self.entrance.as_mut().map_or(Ok(None), |entrance| entrance.door(&self.options, joining, tls))
    }

    /// The address clients connect to.
    pub fn client_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where monitoring is served over TCP, if it is.
    pub fn monitor_addr(&self) -> Option<SocketAddr> {
        self.monitor_place.map(|place| place.address)
    }

    /// What the workers share: identity, interest, counts.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Closes all connections and ends the workers; returns when they have ended.
    pub fn shutdown(&mut self) {
        self.monitor = None;
        self.mailboxes.iter().for_each(|mailbox| mailbox.post(Letter::ShutDown));
        for thread in self.threads.drain(..) {
            // A worker that panicked has ended too.
            _ = thread.join();
        }
        self.mailboxes.clear();
        if let Some(helper) = self.helper.take() {
            helper.end();
        }
        if let Some(desk) = self.desk.take() {
            desk.close();
        }
        self.ports_file = None;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// Looks whether the files that the options name can be used: those of TLS.
///
/// # Errors
/// A line that says which cannot.
pub fn check(options: &Options) -> Result<(), String> {
    cluster::check(options)?;
    Tls::build(options).map(drop)
}

/// What `--version` prints.
pub fn version() -> String {
    format!("midge: v{} (NATS {NATS_VERSION})", env!("CARGO_PKG_VERSION"))
}

fn adopt(passed: std::net::TcpListener) -> io::Result<(TcpListener, SocketAddr)> {
    prepare(TcpListener::from_std(passed))
}

fn announce(id: &str, name: &str, options: &Options, warnings: &[String], log: &Log) {
    log.info(format_args!("Starting nats-server"));
    log.info(format_args!("  Version:  {NATS_VERSION}"));
    log.info(format_args!("  Git:      [not set]"));
    log.info(format_args!("  Midge:    {}", env!("CARGO_PKG_VERSION")));
    log.info(format_args!("  Name:     {name}"));
    log.info(format_args!("  ID:       {id}"));
    warnings.iter().for_each(|warning| log.warn(format_args!("{warning}")));
    if let Some(path) = &options.config_file {
        log.info(format_args!("Using configuration file: {}", path.display()));
    }
    if options.authorization.has_plain_text() {
        log.warn(format_args!("Plaintext passwords detected, use nkeys or bcrypt"));
    }
    if options.max_payload > DISCOURAGED_PAYLOAD {
        log.warn(format_args!(
            "Maximum payloads over 8.00 MB are generally discouraged and could lead to poor performance"
        ));
    }
}

/// Half the cores, because the kernel's side of the network needs the other half: on two cores one worker measured
/// faster than two.
fn default_workers() -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    (cores / 2).clamp(1, 8)
}

/// Bytes that may be in use; by default half of what there is, because other programs need some too.
fn memory_budget(options: &Options) -> usize {
    match options.max_memory {
        MaxMemory::Bytes(bytes) => bytes,
        MaxMemory::Endless => usize::MAX,
        MaxMemory::Share => sys::memory::available().map_or(usize::MAX, |bytes| bytes / 2),
    }
}

fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    sys::random::fill(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// A fresh id in the form of a server's public key.
fn server_id() -> io::Result<String> {
    let mut bytes = [0; 32];
    sys::random::fill(&mut bytes)?;
    Ok(nkey::encode(nkey::SERVER, &bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_look_like_public_server_keys() {
        let (one, two) = (server_id().unwrap(), server_id().unwrap());
        assert!(one.starts_with('N') && one.len() == 56 && one != two, "{one}");
    }
}
