//! What the operator wants of a cluster.

use std::time::Duration;

use super::options::{Advertised, WriteTimeout};
use super::tls::TlsSettings;
use crate::log::Quoted;
use crate::wire::Secret;
use crate::wire::redact::REDACTED;
use crate::wire::route::{RouteUrl, SubjectLists};

/// The longest time between two pings to a peer.
pub const PING_INTERVAL_MAX: Duration = Duration::from_secs(30);

/// Whether this server is built with clusters. Without them a configuration that asks for one is refused.
pub const IS_BUILT_IN: bool = cfg!(feature = "cluster");

/// How long a peer may take to say who it is where nothing else is configured.
const AUTH_TIMEOUT: Duration = Duration::from_secs(2);

/// The `cluster {}` block, and the flags over it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterOptions {
    /// The name of the cluster, without blanks; None for one that is made at the start.
    pub name: Option<String>,
    /// The host to listen on for peers; empty for every IPv4 address. See [`listen`](Self::listen).
    pub host: String,
    /// The port to listen on for peers; 0 picks a free one, None means that there is no cluster.
    pub port: Option<u16>,
    /// The address that peers are told instead of the one listened on.
    pub advertise: Option<Advertised>,
    /// Where clients can connect is neither told to peers, nor are clients told where they can connect to peers.
    pub no_advertise: bool,
    /// The peers to connect to, each once.
    pub routes: Vec<RouteUrl>,
    /// Clients are taken only when every one of `routes` leads to a peer whose interest is known.
    pub wait_for_routes: bool,
    /// How often it is tried again to connect to a server that a peer told of.
    pub connect_retries: u32,
    /// The pause before each further try to connect to one of `routes` doubles.
    pub connect_backoff: bool,
    /// The name that a peer must give. None or empty, and no password: a peer need not give any.
    pub user: Option<String>,
    /// The password that goes with it, perhaps hashed.
    pub password: Secret,
    /// How long a peer may take to say who it is; None for the usual time, see [`auth_timeout`](Self::auth_timeout).
    pub auth_timeout: Option<Duration>,
    /// Subjects that interest is announced in; None for all.
    pub import: Option<SubjectLists>,
    /// Subjects that interest of peers is taken in; None for all.
    pub export: Option<SubjectLists>,
    /// TLS for routes, always with certificates on both sides and a `ca_file`; None for plain connections.
    pub tls: Option<Box<TlsSettings>>,
    /// The time between two pings to a peer, at most [`PING_INTERVAL_MAX`]; None for that of clients.
    pub ping_interval: Option<Duration>,
    /// How many pings may go unanswered, 1 or more; None for as many as with clients.
    pub ping_max: Option<u32>,
    /// How long a write to a peer may make no progress; None for the time of clients.
    pub write_deadline: Option<Duration>,
    /// What becomes of a peer that takes longer; None for what suits a route.
    pub write_timeout: Option<WriteTimeout>,
}

impl ClusterOptions {
    /// What is so without any configuration: there is no cluster.
    pub(super) const NONE: ClusterOptions = ClusterOptions {
        name: None,
        host: String::new(),
        port: None,
        advertise: None,
        no_advertise: false,
        routes: Vec::new(),
        wait_for_routes: false,
        connect_retries: 0,
        connect_backoff: false,
        user: None,
        password: Secret::NONE,
        auth_timeout: None,
        import: None,
        export: None,
        tls: None,
        ping_interval: None,
        ping_max: None,
        write_deadline: None,
        write_timeout: None,
    };

    /// The host and port to listen on for peers; None if there is no cluster. A port of 0 picks a free one.
    pub fn listen(&self) -> Option<(&str, u16)> {
        let host = if self.host.is_empty() { "0.0.0.0" } else { &self.host };
        self.port.map(|port| (host, port))
    }

    /// The user and password that peers must give; None if they need not give any.
    pub fn credentials(&self) -> Option<(&str, &Secret)> {
        let user = self.user.as_deref().unwrap_or_default();
        (!user.is_empty() || !self.password.is_empty()).then_some((user, &self.password))
    }

    /// How long a peer may take to say who it is: with TLS a little longer than for the handshake.
    pub fn auth_timeout(&self) -> Duration {
        let usual = || self.tls.as_ref().map_or(AUTH_TIMEOUT, |tls| tls.timeout + Duration::from_secs(1));
        self.auth_timeout.unwrap_or_else(usual)
    }

    /// Sets the port, which is as an operator writes it: -1 for a free one, 0 for no cluster.
    ///
    /// # Errors
    /// A line that tells the range.
    pub(super) fn set_port(&mut self, port: i64) -> Result<(), String> {
        self.port = match port {
            -1 => Some(0),
            0 => None,
            _ => Some(u16::try_from(port).map_err(|_| format!("port must be between -1 and 65535, not {port}"))?),
        };
        Ok(())
    }

    /// Sets the name; an empty one is none.
    ///
    /// # Errors
    /// A line that says what it cannot be.
    pub(super) fn set_name(&mut self, name: String) -> Result<(), String> {
        if name.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
            return Err("cluster name cannot contain spaces".to_owned());
        }
        if name == "_" {
            return Err("cluster name is reserved".to_owned());
        }
        self.name = Some(name).filter(|name| !name.is_empty());
        Ok(())
    }

    /// Sets the address that peers are told; an empty one is none.
    ///
    /// # Errors
    /// What was expected.
    pub(super) fn set_advertise(&mut self, text: &str) -> Result<(), String> {
        self.advertise = if text.is_empty() { None } else { Some(Advertised::read(text)?) };
        Ok(())
    }
}

/// Reads where a route leads.
///
/// # Errors
/// A line that says what is wrong with it, without a password that it may hold.
pub(super) fn read_route(text: &str) -> Result<RouteUrl, String> {
    RouteUrl::read(text).map_err(|why| format!("error parsing route url [{}]: {why}", shown(text)))
}

/// What the flags say that can only be followed once the file has been read. Both texts may hold a password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterFlags {
    /// `--cluster`: where to listen, and perhaps what peers must give. An empty text is no cluster.
    pub listen: Option<Secret>,
    /// `--routes`: the peers to connect to, with commas in between.
    pub routes: Option<Secret>,
}

impl ClusterFlags {
    /// Puts what the flags ask for in the place of what the file does.
    ///
    /// # Errors
    /// A line that says what is wrong, as the official server has it.
    pub fn follow(&self, options: &mut ClusterOptions) -> Result<(), String> {
        match self.listen.as_ref().map(Secret::reveal) {
            Some("") => (options.port, options.routes) = (None, Vec::new()),
            Some(text) => follow_listen(text, options)?,
            None => {}
        }
        let Some(routes) = &self.routes else { return Ok(()) };
        options.routes.clear();
        for text in routes.reveal().split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let route = read_route(text)?;
            if !options.routes.contains(&route) {
                options.routes.push(route);
            }
        }
        if options.port.is_none() && !options.routes.is_empty() {
            return Err("solicited routes require cluster capabilities, e.g. --cluster".to_owned());
        }
        Ok(())
    }
}

/// Follows `--cluster`. A URL without a user takes one away that the file has.
fn follow_listen(text: &str, options: &mut ClusterOptions) -> Result<(), String> {
    // Not a port as URLs have it.
    let free = text.strip_suffix(":-1").map(|start| format!("{start}:0"));
    let Some((_, rest)) = text.split_once("://") else {
        return Err(match text.contains(':') {
            true => format!("parse {}: first path segment in URL cannot contain colon", shown(text)),
            false => "missing port in address".to_owned(),
        });
    };
    let user_info = rest.split(['/', '?', '#']).next().and_then(|authority| authority.rsplit_once('@'));
    let url = RouteUrl::read(free.as_deref().unwrap_or(text)).map_err(|why| match why {
        "missing port in address" => format!("address {}: {why}", user_info.map_or(rest, |(_, address)| address)),
        _ => format!("parse {}: {why}", shown(text)),
    })?;
    if user_info.is_some_and(|(user_info, _)| !user_info.contains(':')) {
        return Err("expected cluster password to be set".to_owned());
    }
    options.host = url.host;
    options.set_port(if free.is_some() { -1 } else { url.port.into() })?;
    (options.user, options.password) = (Some(url.user).filter(|user| !user.is_empty()), url.password);
    Ok(())
}

/// A URL in quotes, without user and password.
fn shown(text: &str) -> String {
    let place = match text.rsplit_once('@') {
        Some((_, place)) => format!("{REDACTED}@{place}"),
        None => text.to_owned(),
    };
    Quoted(place.as_bytes()).to_string()
}

#[cfg(test)]
#[path = "cluster_tests.rs"]
mod tests;
