//! What is said on a connection until it is a peer's, and the end of connections.

use super::conns::{Conn, INTRODUCTION_MS, Known, Origin, Stage};
use super::routes::Told;
use super::{Action, Capabilities, Cluster, PEERS_MAX, Peer, Reason, STRANGERS_MAX, URL_BYTES_MAX, URLS_MAX};
use crate::log::{Level, Plain};
use crate::wire::route::{Connect, Gossip, Info, RouteUrl};
use std::net::IpAddr;

/// Bytes of a cluster's name at most that is taken over from a peer.
const NAME_BYTES_MAX: usize = 256;

impl Cluster {
    /// A connection was accepted from `ip`.
    pub fn accepted(&mut self, conn: Conn, ip: IpAddr, now: u64) {
        self.now = now;
        let is_full = self.conns.strangers() >= STRANGERS_MAX;
        self.add_conn(conn, ip, Stage::Greeting, Origin::Accepted, None);
        if is_full {
            return self.close(conn, Reason::MaximumConnectionsExceeded);
        }
        // At once: the other side may wait for it before it introduces itself.
        let line = self.own_info(Gossip::Usual).line();
        self.actions.push_back(Action::Send(conn, line));
    }

    /// CONNECT came. Only the first one of an accepted connection counts.
    pub fn connect(&mut self, conn: Conn, document: &[u8], now: u64) {
        self.now = now;
        let Some(state) = self.conns.get_mut(conn) else { return };
        if !matches!(state.stage, Stage::Greeting) {
            return;
        }
        let mut connect = Connect::default();
        if let Err(error) = connect.decode(document) {
            self.note(Level::Error, Some(conn), format!("CONNECT: {error}"));
            return self.close(conn, Reason::ProtocolViolation);
        }
        if !connect.lang.is_empty() {
            return self.refuse(conn, Reason::IncorrectPort, "attempted to connect to route port");
        }
        if !connect.gateway.is_empty() {
            let text = format!("Rejecting connection from gateway {:?} on the Route port", shown(&connect.gateway));
            return self.refuse(conn, Reason::WrongGateway, &text);
        }
        state.stage = Stage::Introducing;
        if self.settings.credentials.is_some() {
            state.stage = Stage::Checking;
            self.actions.push_back(Action::Verify(conn, connect.user.clone(), connect.password.clone()));
        }
        if let Err(name) = self.agree_on_name(conn, &connect.cluster, connect.cluster_dynamic) {
            let text =
                format!("Rejecting connection, cluster name {:?} does not match {:?}", shown(&connect.cluster), name);
            self.note(Level::Error, Some(conn), text.clone());
            self.refuse(conn, Reason::ClusterNameConflict, &text);
        }
    }

    /// User and password of a connection were checked.
    pub fn verified(&mut self, conn: Conn, is_right: bool, now: u64) {
        self.now = now;
        let Some(state) = self.conns.get_mut(conn) else { return };
        if !matches!(state.stage, Stage::Checking) {
            return;
        }
        if is_right {
            state.stage = Stage::Introducing;
            state.deadline = now + INTRODUCTION_MS;
        } else {
            self.note(Level::Error, Some(conn), "authentication error".to_owned());
            self.refuse(conn, Reason::AuthenticationFailure, "Authorization Violation");
        }
    }

    /// INFO came.
    pub fn info(&mut self, conn: Conn, document: &[u8], now: u64) {
        self.now = now;
        let Some(state) = self.conns.get(conn) else { return };
        match state.stage {
            Stage::Greeting | Stage::Checking => return self.intrude(conn, now),
            Stage::Closing => return,
            Stage::Introducing | Stage::Registered(_) => {}
        }
        let mut info = Info::default();
        if let Err(error) = info.decode(document) {
            self.note(Level::Error, Some(conn), format!("INFO: {error}"));
            return self.close(conn, Reason::ProtocolViolation);
        }
        if info.server_id == self.own.id {
            self.note(Level::Debug, Some(conn), "Detected route to self, ignoring".to_owned());
            self.routes.set_ourselves(conn);
            if let Some(state) = self.conns.get_mut(conn) {
                state.again = None;
            }
            return self.close(conn, Reason::DuplicateRoute);
        }
        if !info.cluster.is_empty()
            && let Err(name) = self.agree_on_name(conn, &info.cluster, info.cluster_dynamic)
        {
            let text =
                format!("Rejecting connection, cluster name {:?} does not match {:?}", shown(&info.cluster), name);
            self.note(Level::Error, Some(conn), text);
            return self.close(conn, Reason::ClusterNameConflict);
        }
        match self.is_registered(conn) {
            true => self.later_info(conn, info),
            false => self.introduced(conn, info),
        }
    }

    /// The first INFO of a connection, which is about the peer.
    fn introduced(&mut self, conn: Conn, mut info: Info) {
        let Some(state) = self.conns.get(conn) else { return };
        let (origin, ip) = (state.origin, state.ip);
        if info.server_id.is_empty() {
            self.note(Level::Error, Some(conn), "INFO: a server without an id".to_owned());
            return self.close(conn, Reason::ProtocolViolation);
        }
        if origin == Origin::Accepted && info.server_name == self.own.name {
            let text = format!("Remote server has a duplicate name: {:?}", shown(&info.server_name));
            self.note(Level::Error, Some(conn), text);
            return self.close(conn, Reason::DuplicateServerName);
        }
        if info.ip.is_empty() {
            info.ip = RouteUrl::new(&ip.to_string(), info.port).to_string();
        }
        if let Some(&registered) = self.peers.get(&info.server_id) {
            return self.duplicate(conn, registered, &info);
        }
        if self.peers.len() >= PEERS_MAX {
            self.note(Level::Error, Some(conn), "Too many routes".to_owned());
            return self.close(conn, Reason::MaximumConnectionsExceeded);
        }
        self.register(conn, info);
    }

    fn register(&mut self, conn: Conn, mut info: Info) {
        info.connect_urls.truncate(URLS_MAX);
        info.connect_urls.retain(|url| url.len() <= URL_BYTES_MAX);
        self.routes.set_server(conn, &info.server_id);
        self.peers.insert(info.server_id.clone(), conn);
        let peer = self.peer(conn, &info);
        let Some(state) = self.conns.get_mut(conn) else { return };
        state.since = self.now;
        state.deadline = u64::MAX;
        let client_urls = if info.ldm { Vec::new() } else { info.connect_urls.clone() };
        let about = Info {
            server_id: info.server_id.clone(),
            server_name: info.server_name.clone(),
            host: info.host.clone(),
            port: info.port,
            ip: info.ip.clone(),
            cluster: info.cluster.clone(),
            cluster_dynamic: info.cluster_dynamic,
            auth_required: info.auth_required,
            tls_required: info.tls_required,
            gossip_mode: Gossip::Not.mode(),
            midge: info.midge,
            ..Info::default()
        };
        let (id, export) = (info.server_id.clone(), info.export.clone());
        let known = Known { id, client_urls: client_urls.clone(), export, about };
        state.stage = Stage::Registered(Box::new(known));
        self.pass_on(conn, info);
        self.add_client_urls(&client_urls);
        self.actions.push_back(Action::Registered(conn, Box::new(peer)));
    }

    /// What the owner is told of the server at the other end.
    pub(super) fn peer(&self, conn: Conn, info: &Info) -> Peer {
        Peer {
            id: info.server_id.clone(),
            name: info.server_name.clone(),
            capabilities: Capabilities {
                headers: info.headers,
                origins: info.lnoc || info.ln,
                origin_in_unsubscribe: info.lnocu || info.ln,
                nameless_origin: info.ln,
                forwarded: info.midge > 0,
            },
            import: info.import.clone(),
            export: info.export.clone(),
            is_solicited: self.conns.get(conn).is_some_and(|state| state.origin != Origin::Accepted),
            is_configured: self.routes.is_configured(conn),
        }
    }

    /// The server of a connection has one already, which stays and takes over what had this one dialled.
    fn duplicate(&mut self, conn: Conn, registered: Conn, info: &Info) {
        for url in self.routes.reattach(conn, registered) {
            self.note(Level::Debug, Some(registered), format!("Already connected to route {url:?}"));
        }
        self.routes.set_server(registered, &info.server_id);
        let own_reason = self.conns.get_mut(conn).and_then(|state| state.again.take());
        if let Some(state) = self.conns.get_mut(registered) {
            let told = || {
                let url = RouteUrl::read(&info.ip).ok()?;
                let server = info.server_id.clone();
                Some(Told { url, server, origin: Origin::Again, left: 0, failures: 0, young_ends: 0 })
            };
            state.again = state.again.take().or(own_reason).or_else(told);
        }
        self.close(conn, Reason::DuplicateRoute);
        self.doubt(registered);
    }

    /// Whether the peer's cluster is ours, perhaps because we take over its name; else the error is our name.
    fn agree_on_name(&mut self, conn: Conn, theirs: &str, is_dynamic: bool) -> Result<(), String> {
        if theirs == self.name {
            self.is_dynamic &= is_dynamic;
            return Ok(());
        }
        let is_better = self.is_dynamic && (!is_dynamic || self.name.as_str() < theirs);
        let is_usable =
            !theirs.is_empty() && theirs.len() <= NAME_BYTES_MAX && !theirs.contains([' ', '\t', '\r', '\n']);
        if !is_better || !is_usable {
            return Err(self.name.clone());
        }
        self.name = theirs.to_owned();
        self.is_dynamic = is_dynamic;
        self.actions.push_back(Action::Named(self.name.clone()));
        self.close_all_but(conn);
        Ok(())
    }

    fn close_all_but(&mut self, conn: Conn) {
        for other in self.conns.others(conn) {
            self.close(other, Reason::ClusterNameConflict);
        }
    }

    /// After a reload peers must give other credentials.
    pub(super) fn close_accepted(&mut self) {
        for conn in self.conns.others(Conn::MAX) {
            if self.conns.get(conn).is_some_and(|state| state.origin == Origin::Accepted) {
                self.note(Level::Info, Some(conn), "Credentials of routes have changed".to_owned());
                self.close(conn, Reason::AuthenticationFailure);
            }
        }
    }

    /// After a reload the cluster may have another name.
    pub(super) fn take_configured_name(&mut self) {
        let Some(name) = self.settings.name.clone() else { return };
        self.is_dynamic = false;
        if name != self.name {
            self.name = name;
            self.actions.push_back(Action::Named(self.name.clone()));
            self.close_all_but(Conn::MAX);
        }
    }

    /// An operation other than CONNECT, INFO, PING, PONG or `-ERR` came on a connection that is not registered, or one
    /// other than CONNECT before CONNECT.
    pub fn intrude(&mut self, conn: Conn, now: u64) {
        self.now = now;
        let Some(state) = self.conns.get(conn) else { return };
        match state.stage {
            Stage::Greeting => self.refuse(conn, Reason::AuthenticationFailure, "Authorization Violation"),
            Stage::Checking | Stage::Introducing => self.close(conn, Reason::ProtocolViolation),
            Stage::Registered(_) | Stage::Closing => {}
        }
    }

    /// True if only CONNECT may come.
    pub fn expects_connect(&self, conn: Conn) -> bool {
        self.conns.get(conn).is_some_and(|state| matches!(state.stage, Stage::Greeting))
    }

    /// `-ERR` came, with this text.
    pub fn error(&mut self, conn: Conn, text: &[u8], now: u64) {
        self.now = now;
        let level = if self.is_registered(conn) { Level::Error } else { Level::Debug };
        let text = String::from_utf8_lossy(text);
        self.note(level, Some(conn), format!("Route Error {}", Plain(shown(&text).as_bytes())));
        self.close(conn, Reason::ParseError);
    }

    /// Tells the peer why, then closes.
    pub(super) fn refuse(&mut self, conn: Conn, reason: Reason, text: &str) {
        self.actions.push_back(Action::Send(conn, format!("-ERR '{text}'\r\n").into_bytes()));
        self.close(conn, reason);
    }

    /// Has a connection closed; what it stood for is dialled again.
    pub(super) fn close(&mut self, conn: Conn, reason: Reason) {
        if self.end(conn) {
            self.actions.push_back(Action::Close(conn, reason));
        }
    }

    /// The owner closed the connection, or the peer did.
    pub fn closed(&mut self, conn: Conn, now: u64) {
        self.now = now;
        self.end(conn);
        self.conns.remove(conn);
    }

    /// The connection is nobody's any more. False if that is so already.
    fn end(&mut self, conn: Conn) -> bool {
        let Some(state) = self.conns.get_mut(conn) else { return false };
        let stage = std::mem::replace(&mut state.stage, Stage::Closing);
        let (age, again) = (self.now.saturating_sub(state.since), state.again.take());
        let was_registered = match stage {
            Stage::Closing => return false,
            Stage::Registered(known) => {
                self.peers.remove(&known.id);
                self.actions.push_back(Action::Lost(conn));
                self.remove_client_urls(&known.client_urls);
                true
            }
            Stage::Greeting | Stage::Checking | Stage::Introducing => false,
        };
        if !self.is_shut_down {
            self.release(conn, age, was_registered, again);
        }
        true
    }

    /// The peer's end of a connection.
    pub fn peer_ip(&self, conn: Conn) -> Option<IpAddr> {
        self.conns.get(conn).map(|state| state.ip)
    }
}

/// As much of a peer's text as a line of the log or an error should have.
fn shown(text: &str) -> &str {
    let end = text.char_indices().map(|(at, _)| at).find(|&at| at >= 256).unwrap_or(text.len());
    &text[..end]
}
