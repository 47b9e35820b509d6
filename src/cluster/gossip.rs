//! What servers tell each other of third ones, and of their clients' addresses.

use super::conns::{Conn, Origin, Stage};
use super::routes::Told;
use super::{Action, Cluster};
use crate::log::Level;
use crate::wire::Secret;
use crate::wire::route::{Gossip, Info, RouteUrl};

impl Cluster {
    /// Tells the other peers of a new one, which is told nothing: they will dial it.
    pub(super) fn pass_on(&mut self, conn: Conn, mut info: Info) {
        let Some(origin) = self.conns.get(conn).map(|state| state.origin) else { return };
        let asked = Gossip::of(info.gossip_mode);
        let is_told_of = matches!(origin, Origin::Told(gossip) if gossip != Gossip::Always);
        if asked == Gossip::Not || is_told_of {
            return;
        }
        info.route_acc_add_reqid.clear();
        let others: Vec<Conn> = self.peers.values().copied().filter(|&other| other != conn).collect();
        for other in others {
            let is_explicit = match origin {
                Origin::Accepted => self.routes.is_configured(other),
                // It may come back as another one while others come, so nobody can be relied upon to know of both.
                Origin::Configured | Origin::Again => true,
                Origin::Told(_) => false,
            };
            let gossip = match origin {
                _ if is_explicit => Gossip::Always,
                Origin::Accepted => Gossip::Not,
                _ => Gossip::Usual,
            };
            info.gossip_mode = gossip.mode();
            self.actions.push_back(Action::Send(other, info.line()));
        }
    }

    /// Tells a peer of our own kind of another one, by chance, as often as it is pinged. When servers come, go and come back
    /// at the same time, it happens that two are told of to everyone but each other.
    pub(super) fn remind(&mut self, conn: Conn) {
        let at = self.random.below(self.peers.len().max(1) as u64) as usize;
        let Some(&other) = self.peers.values().nth(at).filter(|&&other| other != conn) else { return };
        let about = |conn| match &self.conns.get(conn)?.stage {
            Stage::Registered(known) => Some(&known.about),
            _ => None,
        };
        if let (Some(to), Some(of)) = (about(conn), about(other))
            && to.midge > 0
            && of.cluster == self.name
        {
            let line = of.line();
            self.actions.push_back(Action::Send(conn, line));
        }
    }

    /// An INFO on a registered connection, in the order in which its kinds can be told apart.
    pub(super) fn later_info(&mut self, conn: Conn, mut info: Info) {
        let Some(Stage::Registered(known)) = self.conns.get_mut(conn).map(|state| &mut state.stage) else { return };
        if !info.route_acc_add_reqid.is_empty() {
            // A question about the pool, which we do not have; the asker waits for its echo.
            info.route_account.clear();
            return self.actions.push_back(Action::Send(conn, info.line()));
        }
        if !info.gateway.is_empty() || info.server_id.is_empty() {
            return;
        }
        if info.server_id != known.id {
            return self.told_of(conn, &info);
        }
        if info.ldm {
            let urls = std::mem::take(&mut known.client_urls);
            return self.remove_client_urls(&urls);
        }
        if info.export != known.export {
            known.export.clone_from(&info.export);
            let peer = self.peer(conn, &info);
            self.actions.push_back(Action::Changed(conn, Box::new(peer)));
        }
    }

    /// A peer told of another server.
    fn told_of(&mut self, conn: Conn, info: &Info) {
        if self.peers.contains_key(&info.server_id) {
            return;
        }
        let mut url = match RouteUrl::read(&info.ip) {
            Ok(url) => url,
            Err(error) => return self.note(Level::Debug, Some(conn), format!("Gossip without an address: {error}")),
        };
        if self.routes.leads_to(&url) || self.routes.leads_to(&RouteUrl::new(&info.host, info.port)) {
            return;
        }
        // Whatever the peer says, our credentials are ours to add.
        (url.user, url.password) = match info.auth_required {
            true => self.own_credentials().unwrap_or_default(),
            false => Default::default(),
        };
        let told = Told {
            url,
            server: info.server_id.clone(),
            origin: Origin::Told(Gossip::of(info.gossip_mode)),
            left: 1 + self.settings.connect_retries,
            failures: 0,
            young_ends: 0,
        };
        self.pursue(told, 0);
    }

    /// What we give to servers that others told of, if there is anything. Of a password of which we only have a hash, a
    /// configured route may have the text.
    fn own_credentials(&self) -> Option<(String, Secret)> {
        let (user, password) = self.settings.credentials.as_ref()?;
        if !password.is_bcrypt() {
            return Some((user.clone(), password.clone()));
        }
        let route = self.settings.routes.iter().find(|route| route.user == *user)?;
        Some((route.user.clone(), route.password.clone()))
    }

    /// A peer's clients can connect there.
    pub(super) fn add_client_urls(&mut self, urls: &[String]) {
        let mut is_new = false;
        for url in urls {
            let peers = self.client_urls.entry(url.clone()).or_default();
            *peers += 1;
            is_new |= *peers == 1;
        }
        if is_new {
            self.tell_client_urls();
        }
    }

    /// They no longer can.
    pub(super) fn remove_client_urls(&mut self, urls: &[String]) {
        let mut is_gone = false;
        for url in urls {
            let Some(peers) = self.client_urls.get_mut(url) else { continue };
            *peers -= 1;
            if *peers == 0 {
                self.client_urls.remove(url);
                is_gone = true;
            }
        }
        if is_gone {
            self.tell_client_urls();
        }
    }

    /// Tells the owner of the addresses of the peers' clients, unless they are not for its own.
    fn tell_client_urls(&mut self) {
        if self.settings.no_advertise {
            return;
        }
        let mut urls: Vec<String> = self.client_urls.keys().cloned().collect();
        for at in (1..urls.len()).rev() {
            urls.swap(at, self.random.below(at as u64 + 1) as usize);
        }
        self.actions.push_back(Action::ClientUrls(urls));
    }

    /// After a reload these addresses may be told, or no longer.
    pub(super) fn advertise(&mut self, did_not_advertise: bool) {
        match (did_not_advertise, self.settings.no_advertise) {
            (true, false) => self.tell_client_urls(),
            (false, true) => self.actions.push_back(Action::ClientUrls(Vec::new())),
            _ => {}
        }
    }
}
