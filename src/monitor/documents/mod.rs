//! The documents, each with the fields and types that the official server gives it.

mod accounts;
mod connz;
mod health;
mod metrics;
mod others;
mod page;
mod routez;
mod subsz;
mod system;
mod varz;

use super::ask::Workers;
use super::format::timestamp;
use super::listen::Place;
use super::query::Query;
use super::reply::Reply;
use super::{Force, Orders, Subject};
use crate::broker::report::{Piece, Question, Totals};
use crate::broker::routes::{ClusterReport, ROUTE_WORKER};
use crate::broker::{Counts, Records, Traffic, place_of};
use crate::interest::AccountId;
use crate::reactor::Turns;
use crate::sys::usage;
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// A document, or the line that says what is wrong with the query.
type Answer = Result<Reply, String>;

/// Everything documents are made of.
#[derive(Debug)]
pub struct Context {
    pub subject: Subject,
    pub workers: Workers,
    /// When the options were read that are in force.
    options_since: SystemTime,
    /// Where they are served over TCP.
    place: Option<Place>,
    orders: Arc<Orders>,
    /// The connections that were closed last.
    closed: Records,
    /// Requests by path.
    hits: BTreeMap<&'static str, u64>,
    /// The next one comes over HTTP, and only such are counted.
    pub is_hit: bool,
    processor: Processor,
}

/// Answers a request for `path`, which begins with a slash.
pub fn answer(context: &mut Context, path: &str, query: &Query, open_metrics: bool) -> Reply {
    let outcome = match path {
        "/" => context.hit("/").page(),
        "/varz" => context.hit("/varz").varz(),
        "/connz" => context.hit("/connz").connz(query),
        "/subsz" | "/subscriptionsz" => context.hit("/subsz").subsz(query),
        "/routez" => context.hit("/routez").routez(query),
        "/leafz" => context.hit("/leafz").leafz(query),
        "/gatewayz" => context.hit("/gatewayz").gatewayz(query),
        "/jsz" => context.hit("/jsz").jsz(query),
        "/accountz" => context.hit("/accountz").accountz(query),
        "/accstatz" => context.hit("/accstatz").accstatz(query),
        "/healthz" => context.hit("/healthz").healthz(query),
        "/metrics" => context.hit("/metrics").metrics(open_metrics),
        "/raftz" => Ok(Reply::none_such("No Raft nodes registered")),
        "/ipqueuesz" => Ok(Reply::json(b"{}".to_vec())),
        _ => Ok(Reply::not_found()),
    };
    outcome.unwrap_or_else(Reply::bad_request)
}

impl Context {
    /// About `subject`, served at `place`.
    pub fn new(subject: Subject, place: Option<Place>, orders: Arc<Orders>) -> Self {
        let workers = Workers::new(subject.mailboxes.clone(), subject.shared.log.clone());
        let options_since = subject.clock.date(0);
        let (closed, hits) = (Records::default(), BTreeMap::new());
        let (is_hit, processor) = (false, Processor::new());
        Self { subject, workers, options_since, place, orders, closed, hits, is_hit, processor }
    }

    /// Looks which options are in force.
    pub fn update(&mut self) {
        let force = self.orders.force.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Force { options, since, acceptor } = force;
        (self.subject.options, self.options_since, self.subject.acceptor) = (options, since, acceptor);
    }

    fn hit(&mut self, path: &'static str) -> &mut Self {
        if std::mem::take(&mut self.is_hit) {
            *self.hits.entry(path).or_default() += 1;
        }
        self
    }

    fn server_id(&self) -> String {
        self.subject.shared.identity.id.clone()
    }

    /// The time since the server started, and the date.
    fn now(&self) -> (u64, SystemTime) {
        let now_us = self.subject.clock.now_us();
        (now_us, self.subject.clock.date(now_us))
    }

    fn timestamp(&self) -> String {
        timestamp(self.now().1)
    }

    /// The date at which the clock showed so many microseconds.
    fn date_of(&self, us: u64) -> String {
        timestamp(self.subject.clock.date(us))
    }

    fn account_name(&self, account: AccountId) -> &str {
        &self.subject.shared.interest.account(account).name
    }

    fn account_by_name(&self, name: &str) -> Option<AccountId> {
        let mut accounts = self.subject.shared.interest.accounts();
        accounts.find(|(_, account)| &*account.name == name).map(|(id, _)| id)
    }

    /// Asks all workers for their sums.
    fn sums(&mut self) -> Sums {
        let mut sums = Sums::default();
        self.workers.ask_all(
            |_| Some(Question::Totals),
            |worker, piece, turns| {
                if let Piece::Totals(totals) = piece {
                    sums.add(worker, *totals, turns);
                }
            },
        );
        sums
    }

    /// Asks for the cluster; none if there is no cluster.
    fn cluster(&mut self) -> Option<ClusterReport> {
        self.subject.options.cluster.listen()?;
        let mut report = None;
        self.workers.ask(usize::from(ROUTE_WORKER), Question::Cluster, |piece, _| {
            if let Piece::Cluster(cluster) = piece {
                report = Some(*cluster);
            }
        });
        Some(report.unwrap_or_default())
    }

    /// All records of closed connections that are still kept.
    fn closed(&mut self) -> &Records {
        let closed = &self.subject.shared.closed;
        self.closed.add(closed.take(), closed.most());
        &self.closed
    }
}

/// What all workers have counted together.
#[derive(Debug, Default)]
struct Sums {
    /// Open connections by account.
    connections: Vec<usize>,
    /// By account.
    traffic: Vec<Traffic>,
    counts: Counts,
    pending_bytes: usize,
    pool_bytes: usize,
    /// By worker; some may be missing.
    turns: Vec<(usize, Turns)>,
}

impl Sums {
    fn add(&mut self, worker: usize, totals: Totals, turns: Turns) {
        let Totals { connections, traffic, counts, pending_bytes, pool_bytes } = totals;
        add_each(&mut self.connections, connections);
        add_each(&mut self.traffic, traffic);
        add_each(&mut self.counts.slow_clients, counts.slow_clients);
        self.counts.slow_routes += counts.slow_routes;
        self.counts.stale_connections += counts.stale_connections;
        self.counts.stalls += counts.stalls;
        self.counts.refused += counts.refused;
        self.counts.route_traffic += counts.route_traffic;
        self.counts.refused_subs += counts.refused_subs;
        for (reason, cut) in counts.cuts {
            let all = self.counts.cuts.entry(reason).or_default();
            all.connections += cut.connections;
            all.bytes += cut.bytes;
        }
        self.pending_bytes += pending_bytes;
        self.pool_bytes += pool_bytes;
        self.turns.push((worker, turns));
    }

    fn traffic(&self) -> Traffic {
        let mut all = Traffic::default();
        self.traffic.iter().for_each(|traffic| all += *traffic);
        all
    }

    fn traffic_of(&self, account: usize) -> Traffic {
        self.traffic.get(account).copied().unwrap_or_default()
    }

    fn connections_of(&self, account: usize) -> usize {
        self.connections.get(account).copied().unwrap_or_default()
    }
}

/// Adds what one worker says of each account to what all say.
fn add_each<T: Clone + Default + AddAssign>(all: &mut Vec<T>, more: Vec<T>) {
    more.into_iter().enumerate().for_each(|(account, more)| *place_of(all, account) += more);
}

/// How much of a processor the server uses, measured from one look to a later one.
#[derive(Debug)]
struct Processor {
    looked_at: Instant,
    used: Duration,
    percent: f64,
}

impl Processor {
    /// Looks closer together give what the last one gave: the system's figures are coarse.
    const LOOK: Duration = Duration::from_secs(1);

    fn new() -> Self {
        Self { looked_at: Instant::now(), used: usage::processor_time(), percent: 0.0 }
    }

    /// Percent of one processor since the last look, to a tenth.
    fn percent(&mut self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.looked_at);
        if passed >= Self::LOOK {
            let used = usage::processor_time();
            let share = used.saturating_sub(self.used).as_secs_f64() / passed.as_secs_f64();
            (self.looked_at, self.used, self.percent) = (now, used, (share * 1000.0).round() / 10.0);
        }
        self.percent
    }
}

/// A document as the official server lays it out.
fn pretty(document: &impl Serialize) -> Reply {
    // Serializing into memory fails for no type of ours.
    Reply::json(serde_json::to_vec_pretty(document).unwrap_or_default())
}

/// A number without a point where it needs none.
fn number<S: serde::Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if number.fract() == 0.0 { serializer.serialize_i64(*number as i64) } else { serializer.serialize_f64(*number) }
}

/// An object with nothing in it, for what is off.
#[derive(Debug, Serialize)]
struct Nothing {}

fn is_zero<N: Default + PartialEq>(number: &N) -> bool {
    *number == N::default()
}
