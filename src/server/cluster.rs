//! The server as a member of a cluster: where its peers come in, and what it says of itself.

use super::{Server, StartError, random};
use crate::broker::routes::{Joining, ROUTE_WORKER};
use crate::cluster::{Own, Settings};
use crate::config::Options;
use crate::config::cluster::IS_BUILT_IN;
use crate::log::Log;
use crate::reactor::tls::RouteTls;
use crate::reactor::{Letter, RouteDoor, host_port, listen};
use crate::sys;
use mio::net::TcpListener;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Letters of a name that is made up, as of the official server's.
const NAME_LETTERS: usize = 22;

/// Where peers come in, and what is chosen once for a run of the server.
#[derive(Debug)]
pub(super) struct Entrance {
    /// Until the worker has it.
    socket: Option<TcpListener>,
    /// Its address.
    pub address: SocketAddr,
    /// The host as it is configured.
    pub host: String,
    /// The cluster's name while nobody has a better one.
    generated_name: String,
}

impl Entrance {
    /// Listens for peers, if there is to be a cluster.
    ///
    /// # Errors
    /// If the address cannot be used.
    pub fn open(options: &Options) -> Result<Option<Self>, StartError> {
        let Some((host, port)) = options.cluster.listen() else { return Ok(None) };
        let refused = |reason| StartError::Routes { port, reason };
        check(options).map_err(refused)?;
        let (socket, address) = listen(host, port).map_err(refused)?;
        let generated_name = generated_name().map_err(StartError::Worker)?;
        Ok(Some(Self { socket: Some(socket), address, host: host.to_owned(), generated_name }))
    }

    /// The cluster's name at the start.
    pub fn first_name<'a>(&'a self, options: &'a Options) -> &'a str {
        options.cluster.name.as_deref().unwrap_or(&self.generated_name)
    }

    /// What the worker that owns the routes needs; to be asked for once.
    pub fn door(
        &mut self,
        options: &Options,
        joining: Joining,
        tls: Option<Arc<RouteTls>>,
    ) -> io::Result<Option<RouteDoor>> {
        let Some(socket) = self.socket.take() else { return Ok(None) };
        let holds_clients = options.cluster.wait_for_routes;
        let (address, joining, seed) = (self.address, Box::new(joining), random()?);
        Ok(Some(RouteDoor { socket, address, joining, tls, holds_clients, seed }))
    }

    /// Says that peers can come.
    pub fn announce(&self, options: &Options, log: &Log) {
        log.info(format_args!("Cluster name is {}", self.first_name(options)));
        if options.cluster.name.is_none() {
            log.warn(format_args!("Cluster name was dynamically generated, consider setting one"));
        }
        let shown = host_port(&self.host, self.address.port());
        log.info(format_args!("Listening for route connections on {shown}"));
    }
}

impl Server {
    /// The options of the cluster as its worker takes them; none without a cluster.
    pub(super) fn joining(&self) -> Option<Joining> {
        let entrance = self.entrance.as_ref().filter(|_| IS_BUILT_IN)?;
        let identity = &self.shared.identity;
        let options = &self.options;
        let cluster = &options.cluster;
        let own = Own {
            id: identity.id.clone(),
            name: identity.name.clone(),
            version: crate::broker::NATS_VERSION.to_owned(),
            host: dialable(entrance.address),
            port: entrance.address.port(),
            headers: !options.no_header_support,
            max_payload: options.max_payload,
            client_urls: self.client_urls(),
            import: cluster.import.clone(),
            export: cluster.export.clone(),
        };
        let advertise = cluster.advertise.as_ref();
        let settings = Settings {
            name: cluster.name.clone(),
            generated_name: entrance.generated_name.clone(),
            routes: cluster.routes.clone(),
            advertise: advertise.map(|to| (to.host.clone(), to.port.unwrap_or(entrance.address.port()))),
            no_advertise: cluster.no_advertise,
            connect_retries: cluster.connect_retries,
            connect_backoff: cluster.connect_backoff,
            error_reports: [options.connect_error_reports, options.reconnect_error_reports],
            ping_interval_ms: options.cluster_ping_interval().as_millis() as u64,
            ping_max: options.cluster_ping_max(),
            credentials: cluster.credentials().map(|(user, password)| (user.to_owned(), password.clone())),
            auth_timeout_ms: cluster.auth_timeout().as_millis() as u64,
            tls: cluster.tls.is_some(),
        };
        let handshake = cluster.tls.as_ref().map(|tls| tls.timeout);
        Some(Joining { own, settings, handshake })
    }

    /// Where clients can connect to this server: what is advertised, or the address listened on. Instead of all addresses
    /// together, each that others can reach.
    fn client_urls(&self) -> Vec<String> {
        let port = self.address.port();
        if let Some(advertised) = &self.options.client_advertise {
            return vec![host_port(&advertised.host, advertised.port.unwrap_or(port))];
        }
        if !self.address.ip().is_unspecified() {
            return vec![host_port(&self.shared.identity.host, port)];
        }
        let takes_v6 = self.address.is_ipv6();
        let found = reachable().into_iter().filter(|ip| ip.is_ipv4() || takes_v6 || self.address.ip().is_unspecified());
        found.map(|ip| host_port(&ip.to_string(), port)).collect()
    }

    /// Goes on with the options of the cluster that are in force now.
    pub(super) fn rejoin_cluster(&self) {
        if let Some(joining) = self.joining() {
            let letter = Letter::Rejoin(Box::new(joining), self.tls.routes.clone());
            self.mailboxes[usize::from(ROUTE_WORKER)].post(letter);
        }
    }

    /// The address that peers connect to, if there is a cluster.
    pub fn route_addr(&self) -> Option<SocketAddr> {
        self.entrance.as_ref().map(|entrance| entrance.address)
    }
}

/// Looks whether there can be such a cluster at all.
///
/// # Errors
/// If this server is built without clusters.
pub(super) fn check(options: &Options) -> Result<(), String> {
    match options.cluster.listen() {
        Some(_) if !IS_BUILT_IN => Err("clusters are not supported: this midge was built without them".to_owned()),
        _ => Ok(()),
    }
}

/// An address that others can dial for one that is listened on.
fn dialable(listens: SocketAddr) -> String {
    match listens.ip() {
        ip if !ip.is_unspecified() => ip.to_string(),
        _ => reachable().first().map_or_else(|| "127.0.0.1".to_owned(), IpAddr::to_string),
    }
}

/// The addresses of this machine that others may reach; if there are none, those that it reaches itself.
fn reachable() -> Vec<IpAddr> {
    let all = sys::addresses::local().unwrap_or_default();
    let others: Vec<IpAddr> = all.iter().filter(|ip| !ip.is_loopback()).copied().collect();
    if others.is_empty() { all } else { others }
}

fn generated_name() -> io::Result<String> {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut bytes = [0; NAME_LETTERS];
    sys::random::fill(&mut bytes)?;
    Ok(bytes.iter().map(|&byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()])).collect())
}
