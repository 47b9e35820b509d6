//! Which addresses are dialled, and when.

use super::conns::{Conn, Origin, Stage};
use super::{Action, Cluster, DialId, Own, PEERS_MAX, Reason, Settings};
use crate::log::Level;
use crate::wire::route::{Connect, Gossip, RouteUrl};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The pause before a configured route is dialled again.
const PAUSE_MS: u64 = 1000;
/// The longest such pause with `connect_backoff`.
const PAUSE_MAX_MS: u64 = 30_000;
/// What is added at most to any pause, by chance. It doubles, [`JITTER_DOUBLINGS_MAX`] times at most, with each connection
/// that ended young: two servers that keep closing each other's connections need pauses that differ by more than the
/// time of their messages.
const JITTER_MS: u64 = 100;
const JITTER_DOUBLINGS_MAX: u32 = 5;
/// A connection that ends before this age ended young.
const YOUNG_MS: u64 = 10_000;
/// A server that others told of is given up after so many connections that ended young.
const YOUNG_ENDS_MAX: u32 = 10;

/// The pause before a server that others told of, or whose connection was lost, is dialled once more when the first few
/// dials failed, and how often that is done. Official servers give up instead, and after a cut of the network may
/// not find each other again.
const LATER_PAUSE_MS: u64 = 30_000;
const LATER_JITTER_MS: u64 = 5_000;
const LATER_DIALS_MAX: u32 = 120;

/// A route that is dialled for ever.
#[derive(Debug)]
struct Configured {
    url: RouteUrl,
    goal: Goal,
    /// Dials that failed since one did not.
    failures: u32,
    /// Connections that ended young, one after the other.
    young_ends: u32,
    /// It led somewhere once.
    has_connected: bool,
    /// The server it led to last.
    server: Option<String>,
}

/// What is next for a configured route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// To be dialled at this time.
    Due(u64),
    Dialling(DialId),
    /// Attached to a connection, its own or the one that its server has already.
    Attached(Conn),
    /// It leads to ourselves.
    Ourselves,
}

/// A server to dial a few times, because another one told of it or because its connection was lost.
#[derive(Debug, Clone)]
pub struct Told {
    /// Where.
    pub url: RouteUrl,
    /// Its id.
    pub server: String,
    /// Which of the two.
    pub origin: Origin,
    /// Dials that are left before the pauses become long.
    pub left: u32,
    /// Dials that failed.
    pub failures: u32,
    /// Connections that ended young, one after the other.
    pub young_ends: u32,
}

#[derive(Debug)]
struct Pending {
    told: Told,
    goal: Goal,
}

/// Everything that is dialled.
#[derive(Debug, Default)]
pub struct Routes {
    configured: Vec<Configured>,
    /// By server id.
    told: BTreeMap<String, Pending>,
    last_dial: DialId,
}

impl Routes {
    pub fn new(urls: &[RouteUrl]) -> Self {
        Self { configured: urls.iter().map(Configured::new).collect(), ..Self::default() }
    }

    pub fn next_due(&self) -> u64 {
        let goals = self.configured.iter().map(|route| route.goal).chain(self.told.values().map(|told| told.goal));
        let due = goals.filter_map(|goal| if let Goal::Due(at) = goal { Some(at) } else { None });
        due.min().unwrap_or(u64::MAX)
    }

    /// True if each configured route is attached to a connection of which `is_fine` holds, or leads to ourselves.
    pub fn are_attached(&self, is_fine: impl Fn(Conn) -> bool) -> bool {
        self.configured.iter().all(|route| match route.goal {
            Goal::Attached(conn) => is_fine(conn),
            Goal::Ourselves => true,
            Goal::Due(_) | Goal::Dialling(_) => false,
        })
    }

    /// True if a configured route is attached to the connection.
    pub fn is_configured(&self, conn: Conn) -> bool {
        self.configured.iter().any(|route| route.goal == Goal::Attached(conn))
    }

    /// True if a configured route leads to this place.
    pub fn leads_to(&self, url: &RouteUrl) -> bool {
        self.configured.iter().any(|route| route.url.is_same_place(url))
    }

    /// The server of the configured routes that are attached to a connection.
    pub fn set_server(&mut self, conn: Conn, server: &str) {
        for route in self.attached(conn) {
            route.server = Some(server.to_owned());
        }
    }

    /// Attaches the configured routes of a connection to another one, and returns their addresses.
    pub fn reattach(&mut self, from: Conn, to: Conn) -> Vec<RouteUrl> {
        let moved = self.attached(from).map(|route| {
            route.goal = Goal::Attached(to);
            route.url.clone()
        });
        moved.collect()
    }

    /// The configured routes of a connection lead to ourselves.
    pub fn set_ourselves(&mut self, conn: Conn) {
        self.attached(conn).for_each(|route| route.goal = Goal::Ourselves);
    }

    fn attached(&mut self, conn: Conn) -> impl Iterator<Item = &mut Configured> {
        self.configured.iter_mut().filter(move |route| route.goal == Goal::Attached(conn))
    }
}

impl Configured {
    fn new(url: &RouteUrl) -> Self {
        Self { url: url.clone(), goal: Goal::Due(0), failures: 0, young_ends: 0, has_connected: false, server: None }
    }
}

impl Cluster {
    pub(super) fn dial_due_routes(&mut self) {
        for at in 0..self.routes.configured.len() {
            let route = &mut self.routes.configured[at];
            if !matches!(route.goal, Goal::Due(due) if due <= self.now) {
                continue;
            }
            if let Some(&conn) = route.server.as_ref().and_then(|server| self.peers.get(server)) {
                route.goal = Goal::Attached(conn);
                let text = format!("Already connected to route {:?}", route.url);
                self.note(Level::Debug, Some(conn), text);
                continue;
            }
            self.routes.last_dial += 1;
            route.goal = Goal::Dialling(self.routes.last_dial);
            let (url, attempt) = (route.url.clone(), route.failures + 1);
            self.dial(self.routes.last_dial, &url, attempt);
        }
        let is_due = |pending: &Pending| matches!(pending.goal, Goal::Due(due) if due <= self.now);
        let due: Vec<String> =
            self.routes.told.iter().filter(|(_, pending)| is_due(pending)).map(|(id, _)| id.clone()).collect();
        for server in due {
            if self.peers.contains_key(&server) {
                self.routes.told.remove(&server);
                continue;
            }
            let Some(pending) = self.routes.told.get_mut(&server) else { continue };
            self.routes.last_dial += 1;
            pending.goal = Goal::Dialling(self.routes.last_dial);
            pending.told.left = pending.told.left.saturating_sub(1);
            let (url, attempt) = (pending.told.url.clone(), pending.told.failures + 1);
            self.dial(self.routes.last_dial, &url, attempt);
        }
    }

    fn dial(&mut self, dial: DialId, url: &RouteUrl, attempt: u32) {
        self.note(Level::Debug, None, format!("Trying to connect to route {url:?} (attempt {attempt})"));
        self.actions.push_back(Action::Dial { dial, host: url.host.clone(), port: url.port, attempt });
    }

    /// Dials a server a few times that is not connected. What is known of it already stays.
    pub(super) fn pursue(&mut self, told: Told, pause: u64) {
        let is_full = self.routes.told.len() >= PEERS_MAX;
        if self.is_shut_down || is_full || self.routes.told.contains_key(&told.server) {
            return;
        }
        let server = told.server.clone();
        self.routes.told.insert(server, Pending { told, goal: Goal::Due(self.now + pause) });
        self.dial_due_routes();
    }

    /// A dial succeeded: the connection to `ip` has this name from now on.
    pub fn dialled(&mut self, dial: DialId, conn: Conn, ip: IpAddr, now: u64) {
        self.now = now;
        let goal = Goal::Dialling(dial);
        if let Some(route) = self.routes.configured.iter_mut().find(|route| route.goal == goal) {
            route.goal = Goal::Attached(conn);
            route.failures = 0;
            route.has_connected = true;
            let url = route.url.clone();
            self.add_conn(conn, ip, Stage::Introducing, Origin::Configured, None);
            return self.introduce_ourselves(conn, &url, Gossip::Usual);
        }
        let server = self.routes.told.iter().find(|(_, pending)| pending.goal == goal).map(|(id, _)| id.clone());
        match server.and_then(|server| self.routes.told.remove(&server)) {
            Some(Pending { told, .. }) => {
                let (url, origin) = (told.url.clone(), told.origin);
                self.add_conn(conn, ip, Stage::Introducing, origin, Some(told));
                let gossip = if let Origin::Told(gossip) = origin { gossip } else { Gossip::Usual };
                self.introduce_ourselves(conn, &url, gossip);
            }
            None => {
                self.add_conn(conn, ip, Stage::Introducing, Origin::Configured, None);
                self.close(conn, Reason::RouteRemoved);
            }
        }
    }

    fn introduce_ourselves(&mut self, conn: Conn, url: &RouteUrl, gossip: Gossip) {
        let connect = Connect {
            cluster: self.name.clone(),
            cluster_dynamic: self.is_dynamic,
            name: self.own.id.clone(),
            user: url.user.clone(),
            password: url.password.clone(),
            tls_required: self.settings.tls,
            ..Connect::default()
        };
        let mut lines = connect.line();
        lines.extend(self.own_info(gossip).line());
        self.actions.push_back(Action::Send(conn, lines));
    }

    /// A dial failed; `why` is for the log.
    pub fn dial_failed(&mut self, dial: DialId, why: &str, now: u64) {
        self.now = now;
        let goal = Goal::Dialling(dial);
        let [first_reports, later_reports] = self.settings.error_reports;
        if let Some(route) = self.routes.configured.iter_mut().find(|route| route.goal == goal) {
            route.failures = route.failures.saturating_add(1);
            let reports = if route.has_connected { later_reports } else { first_reports };
            let pause = match self.settings.connect_backoff {
                true => (PAUSE_MS << (route.failures - 1).min(5)).min(PAUSE_MAX_MS),
                false => PAUSE_MS,
            };
            route.goal = Goal::Due(now + pause + self.random.below(JITTER_MS));
            let (failures, url) = (route.failures, format!("{:?}", route.url));
            return self.note_failure(&url, failures, reports, why);
        }
        let server = self.routes.told.iter().find(|(_, pending)| pending.goal == goal).map(|(id, _)| id.clone());
        let Some(Pending { mut told, .. }) = server.and_then(|server| self.routes.told.remove(&server)) else { return };
        told.failures = told.failures.saturating_add(1);
        let (failures, url) = (told.failures, format!("{:?}", told.url));
        let pause = self.pause_after_failure(&told);
        if failures <= self.dials_max() {
            self.pursue(told, pause);
        }
        self.note_failure(&url, failures, first_reports, why);
    }

    fn note_failure(&mut self, url: &str, failures: u32, reports: u32, why: &str) {
        let level = if failures == 1 || failures.is_multiple_of(reports.max(1)) { Level::Error } else { Level::Debug };
        self.note(level, None, format!("Error trying to connect to route {url} (attempt {failures}): {why}"));
    }

    /// A connection is over: dials what it stood for again, after a pause.
    pub(super) fn release(&mut self, conn: Conn, age: u64, was_registered: bool, again: Option<Told>) {
        let is_young = age < YOUNG_MS;
        let mut is_attached = false;
        for at in 0..self.routes.configured.len() {
            let route = &mut self.routes.configured[at];
            if route.goal != Goal::Attached(conn) {
                continue;
            }
            is_attached = true;
            route.young_ends = if is_young { route.young_ends.saturating_add(1) } else { 0 };
            let pause = match self.settings.connect_backoff {
                true => (PAUSE_MS << route.young_ends.saturating_sub(1).min(5)).min(PAUSE_MAX_MS),
                false => PAUSE_MS,
            };
            let jitter = JITTER_MS << route.young_ends.min(JITTER_DOUBLINGS_MAX);
            route.goal = Goal::Due(self.now + pause + self.random.below(jitter));
        }
        let Some(mut told) = again.filter(|_| !is_attached) else { return };
        if !was_registered {
            // As if the dial had failed.
            told.failures = told.failures.saturating_add(1);
            let pause = self.pause_after_failure(&told);
            if told.failures <= self.dials_max() {
                self.pursue(told, pause);
            }
            return;
        }
        told.young_ends = if is_young { told.young_ends + 1 } else { 0 };
        told.left = 1 + self.settings.connect_retries;
        told.failures = 0;
        // Others may have come meanwhile that the two have not been told of.
        told.origin = Origin::Again;
        if told.young_ends <= YOUNG_ENDS_MAX {
            let pause = self.random.below(JITTER_MS << told.young_ends.min(JITTER_DOUBLINGS_MAX));
            self.pursue(told, pause);
        }
    }

    /// Until a server is dialled again that others told of.
    fn pause_after_failure(&mut self, told: &Told) -> u64 {
        match told.left {
            0 => LATER_PAUSE_MS + self.random.below(LATER_JITTER_MS),
            _ => PAUSE_MS + self.random.below(JITTER_MS),
        }
    }

    /// Dials after which such a server is given up.
    fn dials_max(&self) -> u32 {
        LATER_DIALS_MAX.saturating_add(self.settings.connect_retries)
    }

    /// Takes other options and another identity, after a reload: new routes are dialled, connections of those that are no
    /// longer configured are closed, and so are all if the cluster has another name now. Peers are told of other
    /// permissions. Those that dialled us must give other credentials: theirs are not kept, so they have to come anew.
    pub fn adopt(&mut self, own: Own, settings: Settings, now: u64) {
        self.now = now;
        let did_not_advertise = self.settings.no_advertise;
        let is_locked_anew = settings.credentials.is_some() && settings.credentials != self.settings.credentials;
        let permits_otherwise = (&own.import, &own.export) != (&self.own.import, &self.own.export);
        (self.own, self.settings) = (own, settings);
        let old = std::mem::take(&mut self.routes.configured);
        let (kept, removed): (Vec<_>, Vec<_>) =
            old.into_iter().partition(|route| self.settings.routes.contains(&route.url));
        let is_new = |url: &&RouteUrl| kept.iter().all(|route| route.url != **url);
        let new: Vec<_> = self.settings.routes.iter().filter(is_new).map(Configured::new).collect();
        self.routes.configured.extend(kept.into_iter().chain(new));
        for route in removed {
            if let Goal::Attached(conn) = route.goal
                && !self.routes.is_configured(conn)
            {
                if let Some(state) = self.conns.get_mut(conn) {
                    state.again = None;
                }
                self.close(conn, Reason::RouteRemoved);
            }
        }
        self.take_configured_name();
        if is_locked_anew {
            self.close_accepted();
        }
        if permits_otherwise {
            self.tell_peers_of_us();
        }
        self.advertise(did_not_advertise);
        self.dial_due_routes();
    }
}
