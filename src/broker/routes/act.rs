//! What the cluster has its owner do.

use super::announce::stop_announcing;
use super::{Ended, Neighbour, News, ROUTE_WORKER};
use crate::broker::auth::check::Hash;
use crate::broker::auth::{Check, Verdict};
use crate::broker::client::Client;
use crate::broker::mail::Mail;
use crate::broker::reason::Reason;
use crate::broker::{Action, Broker, Occasion};
use crate::cluster::{self, Conn, Peer};
use crate::interest::Remote;
use crate::log::Level;
use crate::wire::Secret;
use crate::wire::route::write;
use std::sync::Arc;

/// Subscriptions that one peer may have, in all accounts. At 100 bytes each this is what a peer can make us keep.
const INTEREST_MAX: usize = 8 << 20;

/// Connections that are looked at in one go to tell their clients of the cluster: about a millisecond.
const NEWS_PART: usize = 512;

impl Broker {
    /// Tells the cluster of connections that ended, and does what it says, until there is nothing more.
    pub(super) fn follow_cluster(&mut self) {
        let now = self.local.now;
        while let Some(membership) = self.membership.get_mut() {
            if let Some(action) = membership.cluster.next_action() {
                self.follow(action);
            } else if let Some(Ended { conn, dial, reason, neighbour }) = self.local.routes.ended.pop() {
                membership.keys.remove(&conn);
                match dial {
                    Some(dial) => membership.cluster.dial_failed(dial, reason.text(), now),
                    None => membership.cluster.closed(conn, now),
                }
                if let Some(neighbour) = neighbour {
                    self.forget_neighbour(*neighbour);
                }
            } else {
                return;
            }
        }
    }

    fn key_of(&self, conn: Conn) -> Option<u32> {
        let key = *self.membership.get()?.keys.get(&conn)?;
        // It may have ended and not be known to have, and another connection may have its key.
        self.local.clients.get(key as usize).filter(|client| client.cid == conn).map(|_| key)
    }

    fn follow(&mut self, action: cluster::Action) {
        use cluster::Action as Order;
        match action {
            Order::Dial { dial, host, port, .. } => self.local.actions.push(Action::Dial { dial, host, port }),
            Order::Send(conn, bytes) => {
                if let Some(key) = self.key_of(conn) {
                    if bytes == write::PING {
                        self.local.clients[key as usize].pinged_us = self.local.now_us.max(1);
                    }
                    self.local.trace_line_out(key, &bytes);
                    self.local.send(key, [&bytes]);
                }
            }
            Order::Close(conn, reason) => {
                if let Some(key) = self.key_of(conn) {
                    self.local.close(key, Reason::Route(reason), None);
                }
            }
            Order::Verify(conn, user, password) => {
                if let Some(key) = self.key_of(conn) {
                    self.verify(key, &user, password);
                }
            }
            Order::Registered(conn, peer) => {
                if let Some(key) = self.key_of(conn) {
                    self.register(key, peer);
                }
            }
            Order::Changed(conn, peer) => {
                if let Some(key) = self.key_of(conn) {
                    self.local.announce_anew(key, peer);
                }
            }
            Order::Lost(conn) => {
                if let Some(key) = self.key_of(conn) {
                    self.lose(key);
                }
            }
            Order::ClientUrls(urls) => {
                if let Some(membership) = self.membership.get_mut() {
                    membership.peer_urls = Some(urls);
                }
                self.tell_news();
            }
            Order::Named(name) => {
                self.shared.log.info(format_args!("Cluster name updated to {name}"));
                self.tell_news();
            }
            Order::Note(level, conn, text) => self.note(level, conn, &text),
        }
    }

    fn note(&self, level: Level, conn: Option<Conn>, text: &str) {
        let log = &self.shared.log;
        let client = conn.and_then(|conn| self.key_of(conn)).map(|key| &self.local.clients[key as usize]);
        match (level, client) {
            (Level::Debug, _) if !log.debug_on() => {}
            (Level::Debug, Some(client)) => log.debug(format_args!("{client} - {text}")),
            (Level::Debug, None) => log.debug(format_args!("{text}")),
            (Level::Info, Some(client)) => log.info(format_args!("{client} - {text}")),
            (Level::Info, None) => log.info(format_args!("{text}")),
            (_, Some(client)) => log.about(level, client, format_args!("{text}")),
            (_, None) => log.about(level, &"Cluster", format_args!("{text}")),
        }
    }

    /// Gives clients of all workers what is new about the cluster.
    pub(super) fn tell_news(&mut self) {
        let Some(membership) = self.membership.get() else { return };
        let news = Arc::new(membership.news());
        for worker in 0..self.local.workers() {
            if worker != ROUTE_WORKER {
                self.local.mail.push((worker, Mail::News(Arc::clone(&news))));
            }
        }
        self.take_news(news);
    }

    /// What clients of this worker are told from now on; those that take news are told now.
    pub(in crate::broker) fn take_news(&mut self, news: Arc<News>) {
        let is_known = self.local.news.as_deref().is_some_and(|known| known.urls == news.urls)
            || (self.local.news.is_none() && news.urls.is_empty());
        self.local.news = Some(news);
        if !is_known {
            self.untold_from = Some(0);
        }
    }

    /// Tells some more clients.
    pub(in crate::broker) fn tell_news_part(&mut self) {
        let Some(from) = self.untold_from else { return };
        let end = from + NEWS_PART;
        for key in from..end.min(self.local.clients.capacity()) {
            if self.local.clients.get(key).is_some_and(Client::takes_news) {
                self.send_info(key as u32, Occasion::News);
            }
        }
        self.untold_from = (end < self.local.clients.capacity()).then_some(end);
    }

    /// Whether a peer may come in; where its password has to be checked elsewhere, that is known later.
    fn verify(&mut self, key: u32, user: &str, password: Secret) {
        let now = self.local.now;
        let client = &mut self.local.clients[key as usize];
        let Some(membership) = self.membership.get_mut() else { return };
        let Some(lock) = &membership.lock else { return membership.cluster.verified(client.cid, true, now) };
        let is_user = Secret::from(lock.user.as_str()).is(&user.into());
        if !lock.password.is_bcrypt() {
            let is_right = lock.password.is(&password) & is_user;
            return membership.cluster.verified(client.cid, is_right, now);
        }
        let hash = Hash::parse(&lock.password).filter(|_| is_user);
        let (Some(hash), Some(route)) = (hash, &mut client.route) else {
            return membership.cluster.verified(client.cid, false, now);
        };
        let (check, waits) = Check::of_route(key, client.cid, password, hash);
        route.waits = Some(waits);
        client.held_by += 1;
        self.local.actions.push(Action::Check(Box::new(check)));
    }

    /// What came of that.
    pub(in crate::broker) fn route_checked(&mut self, key: u32, verdict: Verdict) {
        let now = self.local.now;
        let Some(client) = self.local.clients.get_mut(key as usize) else { return };
        let conn = client.cid;
        if client.route.as_mut().and_then(|route| route.waits.take()).is_none() {
            return;
        }
        self.local.go_on(key);
        if let Some(membership) = self.membership.get_mut() {
            membership.cluster.verified(conn, verdict == Verdict::Right, now);
        }
        self.follow_cluster();
    }

    /// The connection is a peer's: from now on there is interest and there are messages on it.
    fn register(&mut self, key: u32, peer: Box<Peer>) {
        let interest = &self.shared.interest;
        let Some(target) = interest.open_route(self.local.worker) else {
            return self.local.close(key, Reason::MaximumConnectionsExceeded, None);
        };
        let client = &mut self.local.clients[key as usize];
        let Some(route) = &mut client.route else { return };
        let remote = Remote::new(target, peer.capabilities.origin_in_unsubscribe, INTEREST_MAX);
        let (announcers, untold) = (Vec::new(), Vec::new());
        let neighbour = Neighbour { peer, remote, announcers, untold, retracts: false, prune: None, dropped: 0 };
        route.peer = Some(Box::new(neighbour));
        self.local.routes.add(target, key);
        self.local.start_announcing(key);
    }

    /// It is no longer, though it may be open still.
    fn lose(&mut self, key: u32) {
        let Some(route) = &mut self.local.clients[key as usize].route else { return };
        if let Some(neighbour) = route.peer.take() {
            self.local.routes.remove(neighbour.remote.route(), key);
            self.forget_neighbour(*neighbour);
        }
    }

    fn forget_neighbour(&mut self, neighbour: Neighbour) {
        let Neighbour { remote, announcers, .. } = neighbour;
        let interest = &self.shared.interest;
        stop_announcing(interest, announcers);
        let sweep = remote.close(interest);
        if let Some(membership) = self.membership.get_mut() {
            membership.sweeps.push(sweep);
        }
    }
}
