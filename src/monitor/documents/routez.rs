//! `/routez`: the connections to other servers of the cluster.

use super::{Answer, Context, is_zero, pretty};
use crate::broker::routes::RouteRow;
use crate::interest::{Target, Walk};
use crate::monitor::format::{go_micros, uptime};
use crate::monitor::query::Query;
use crate::wire::route::SubjectLists;
use serde::Serialize;
use std::time::Duration;

/// Subscriptions listed of one route; all are counted.
const LISTED_MAX: usize = 100_000;

/// Places of an index that are looked at with one hold of its lock.
const PLACES: usize = 4096;

#[derive(Debug, Serialize)]
struct Routez {
    server_id: String,
    server_name: String,
    now: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    import: Option<SubjectLists>,
    #[serde(skip_serializing_if = "Option::is_none")]
    export: Option<SubjectLists>,
    num_routes: usize,
    routes: Vec<Route>,
}

#[derive(Debug, Serialize)]
struct Route {
    rid: u64,
    remote_id: String,
    remote_name: String,
    did_solicit: bool,
    is_configured: bool,
    ip: String,
    port: u16,
    start: String,
    last_activity: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    rtt: String,
    uptime: String,
    idle: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    import: Option<SubjectLists>,
    #[serde(skip_serializing_if = "Option::is_none")]
    export: Option<SubjectLists>,
    pending_size: usize,
    in_msgs: u64,
    out_msgs: u64,
    in_bytes: u64,
    out_bytes: u64,
    subscriptions: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subscriptions_list: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subscriptions_list_detail: Vec<Sub>,
    compression: &'static str,
    /// Messages that were not sent because the peer was too far behind; not in the official document.
    #[serde(skip_serializing_if = "is_zero")]
    dropped_msgs: u64,
}

#[derive(Debug, Serialize)]
struct Sub {
    subject: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    qgroup: String,
    sid: String,
    msgs: u64,
    cid: u64,
}

impl Context {
    pub(super) fn routez(&mut self, query: &Query) -> Answer {
        let is_detailed = query.text("subs") == "detail";
        let lists = is_detailed || query.switch("subs")?;
        let cluster = self.cluster().unwrap_or_default();
        let routes: Vec<Route> = cluster.routes.iter().map(|row| self.route(row, lists, is_detailed)).collect();
        let options = &self.subject.options.cluster;
        Ok(pretty(&Routez {
            server_id: self.server_id(),
            server_name: self.subject.shared.identity.name.clone(),
            now: self.timestamp(),
            import: options.import.clone(),
            export: options.export.clone(),
            num_routes: routes.len(),
            routes,
        }))
    }

    fn route(&self, route: &RouteRow, lists: bool, is_detailed: bool) -> Route {
        let row = &route.row;
        let (now_us, _) = self.now();
        let subs = if lists { self.subs_of(route.target, row.cid) } else { Vec::new() };
        let (list, detail) = match is_detailed {
            true => (Vec::new(), subs),
            false => (subs.into_iter().map(|sub| sub.subject).collect(), Vec::new()),
        };
        let since = |us: u64| uptime(Duration::from_micros(now_us.saturating_sub(us)));
        Route {
            rid: row.cid,
            remote_id: route.id.clone(),
            remote_name: route.name.clone(),
            did_solicit: route.is_solicited,
            is_configured: route.is_configured,
            ip: row.peer.ip().to_string(),
            port: row.peer.port(),
            start: self.date_of(row.opened_us),
            last_activity: self.date_of(row.active_at * 1000),
            rtt: if row.round_trip_us > 0 { go_micros(row.round_trip_us.into()) } else { String::new() },
            uptime: since(row.opened_us),
            idle: since(row.active_at * 1000),
            import: route.import.clone(),
            export: route.export.clone(),
            pending_size: row.pending,
            in_msgs: row.traffic.in_messages,
            out_msgs: row.traffic.out_messages,
            in_bytes: row.traffic.in_bytes,
            out_bytes: row.traffic.out_bytes,
            subscriptions: route.interest,
            subscriptions_list: list,
            subscriptions_list_detail: detail,
            compression: "off",
            dropped_msgs: route.dropped,
        }
    }

    /// What the peer of a route wants, read from the indexes a part at a time.
    fn subs_of(&self, route: Target, cid: u64) -> Vec<Sub> {
        let interest = &self.subject.shared.interest;
        let mut subs = Vec::new();
        for (id, account) in interest.accounts() {
            let mut walk = Walk::START;
            while walk != Walk::Done && subs.len() < LISTED_MAX {
                interest.walk_route(id, route, &mut walk, PLACES, |subject, queue| {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    let (subject, qgroup) = (text(subject), text(queue));
                    let sid = ["R", &*account.name, &subject, &qgroup].join(" ").trim_end().to_owned();
                    subs.push(Sub { subject, qgroup, sid, msgs: 0, cid });
                });
            }
        }
        subs
    }
}
