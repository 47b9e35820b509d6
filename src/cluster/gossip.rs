//! What servers tell each other of third ones, and of their clients' addresses.

use super::conns::{Conn, Origin, Stage};
use super::routes::Told;
use super::{Action, Cluster, RouteUrl};
use crate::log::Level;
use crate::wire::route::{Gossip, Info};

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
                Origin::Configured => true,
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
            known.client_urls.clear();
            return self.tell_client_urls();
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
        (url.user, url.password) = match &self.settings.credentials {
            Some((user, password)) if info.auth_required => (user.clone(), password.clone()),
            _ => Default::default(),
        };
        let told = Told {
            url,
            server: info.server_id.clone(),
            gossip: Gossip::of(info.gossip_mode),
            left: 1 + self.settings.connect_retries,
            failures: 0,
            young_ends: 0,
        };
        self.pursue(told, 0);
    }

    /// Tells the owner of the addresses of the peers' clients, if they are not those it knows.
    pub(super) fn tell_client_urls(&mut self) {
        let mut urls: Vec<String> = Vec::new();
        if !self.settings.no_advertise {
            for conn in self.peers.values() {
                if let Some(Stage::Registered(known)) = self.conns.get(*conn).map(|state| &state.stage) {
                    urls.extend(known.client_urls.iter().cloned());
                }
            }
        }
        urls.sort();
        urls.dedup();
        if urls == self.told_urls {
            return;
        }
        self.told_urls.clone_from(&urls);
        for at in (1..urls.len()).rev() {
            urls.swap(at, self.random.below(at as u64 + 1) as usize);
        }
        self.actions.push_back(Action::ClientUrls(urls));
    }
}
