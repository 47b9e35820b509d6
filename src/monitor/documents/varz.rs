//! `/varz`: the server as a whole.

use super::{Answer, Context, Nothing, is_zero, number, pretty};
use crate::broker::routes::ClusterReport;
use crate::broker::{NATS_VERSION, Reason};
use crate::config::ClusterOptions;
use crate::config::authorization::Authorization;
use crate::config::tls::TIMEOUT;
use crate::monitor::format::{timestamp, uptime};
use crate::reactor::host_port;
use crate::sys::usage;
use serde::Serialize;
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

#[derive(Debug, Serialize)]
struct Varz<'a> {
    server_id: &'a str,
    server_name: &'a str,
    version: &'a str,
    proto: u8,
    go: &'a str,
    host: &'a str,
    port: u16,
    max_connections: usize,
    #[serde(skip_serializing_if = "is_zero")]
    max_subscriptions: usize,
    ping_interval: u128,
    ping_max: u32,
    http_host: &'a str,
    http_port: u16,
    http_base_path: &'a str,
    https_port: u16,
    #[serde(serialize_with = "number")]
    auth_timeout: f64,
    #[serde(skip_serializing_if = "is_zero")]
    auth_required: bool,
    #[serde(skip_serializing_if = "is_zero")]
    tls_required: bool,
    #[serde(skip_serializing_if = "is_zero")]
    tls_verify: bool,
    max_control_line: usize,
    max_payload: usize,
    max_pending: usize,
    cluster: Cluster<'a>,
    gateway: Nothing,
    leaf: Nothing,
    mqtt: Nothing,
    websocket: Nothing,
    jetstream: Nothing,
    #[serde(serialize_with = "number")]
    tls_timeout: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_cert_not_after: Option<String>,
    write_deadline: u128,
    start: String,
    now: String,
    uptime: String,
    mem: u64,
    memory: Memory,
    cores: usize,
    gomaxprocs: usize,
    #[serde(serialize_with = "number")]
    cpu: f64,
    connections: usize,
    total_connections: usize,
    routes: usize,
    remotes: usize,
    leafnodes: usize,
    in_msgs: u64,
    in_bytes: u64,
    in_client_msgs: u64,
    in_client_bytes: u64,
    out_msgs: u64,
    out_bytes: u64,
    out_client_msgs: u64,
    out_client_bytes: u64,
    slow_consumers: u64,
    stale_connections: u64,
    stalled_clients: u64,
    subscriptions: usize,
    http_req_stats: &'a BTreeMap<&'static str, u64>,
    config_load_time: String,
    config_digest: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_account: Option<&'a str>,
    slow_consumer_stats: Kinds,
    stale_connection_stats: Kinds,
}

/// The server's part of the cluster; empty without one.
#[derive(Debug, Default, Serialize)]
struct Cluster<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    addr: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    cluster_port: u16,
    #[serde(skip_serializing_if = "is_zero", serialize_with = "number")]
    auth_timeout: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    urls: Vec<String>,
    #[serde(skip_serializing_if = "is_zero", serialize_with = "number")]
    tls_timeout: f64,
    #[serde(skip_serializing_if = "is_zero")]
    tls_required: bool,
    #[serde(skip_serializing_if = "is_zero")]
    tls_verify: bool,
}

impl<'a> Cluster<'a> {
    fn new(options: &'a ClusterOptions, report: &'a ClusterReport) -> Self {
        let tls = options.tls.as_ref();
        Self {
            name: &report.name,
            addr: options.listen().map_or("", |(host, _)| host),
            cluster_port: report.port,
            auth_timeout: options.auth_timeout().as_secs_f64(),
            urls: options.routes.iter().map(|route| host_port(&route.host, route.port)).collect(),
            tls_timeout: tls.map_or(TIMEOUT, |tls| tls.timeout).as_secs_f64(),
            tls_required: tls.is_some(),
            tls_verify: tls.is_some(),
        }
    }
}

/// The byte budget, and what it has cost clients.
#[derive(Debug, Serialize)]
struct Memory {
    /// Bytes that may be in use; absent if there is no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<usize>,
    /// Bytes in use that are counted against it.
    counted: usize,
    /// Connections closed because they held most when it was exceeded.
    closed_connections: u64,
    /// Connections refused because too little was left.
    refused_connections: u64,
    /// Subscriptions refused for the same.
    refused_subscriptions: u64,
}

/// A count by the kind of connection.
#[derive(Debug, Default, Serialize)]
struct Kinds {
    clients: u64,
    routes: u64,
    gateways: u64,
    leafs: u64,
}

impl Context {
    pub(super) fn varz(&mut self) -> Answer {
        let sums = self.sums();
        let cluster = self.cluster();
        let (traffic, counts) = (sums.traffic(), &sums.counts);
        let (now_us, now) = self.now();
        let cpu = self.processor.percent(Instant::now());
        let options = &self.subject.options;
        let shared = &self.subject.shared;
        let tls = options.tls.as_deref();
        let expires = self.certificate_end().map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds));
        let port = |scheme| self.place.filter(|place| place.scheme == scheme).map_or(0, |place| place.address.port());
        let start = timestamp(self.subject.clock.date(0));
        let subscriptions = self.subscriptions();
        let routes = cluster.as_ref().map_or(0, |cluster| cluster.routes.len());
        let through = &counts.route_traffic;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Ok(pretty(&Varz {
            server_id: &shared.identity.id,
            server_name: &shared.identity.name,
            version: NATS_VERSION,
            proto: 1,
            go: "",
            host: &shared.identity.host,
            port: shared.identity.port,
            max_connections: options.max_connections,
            max_subscriptions: options.max_subscriptions,
            ping_interval: options.ping_interval.as_nanos(),
            ping_max: options.ping_max,
            http_host: options.http_host.as_deref().unwrap_or(&options.host),
            http_port: port("http"),
            http_base_path: &options.http_base_path,
            https_port: port("https"),
            auth_timeout: options.authorization.timeout.unwrap_or(Authorization::TIMEOUT).as_secs_f64(),
            auth_required: shared.auth(options).is_required(),
            tls_required: options.tls.is_some() && !options.allow_non_tls,
            tls_verify: tls.is_some_and(|tls| tls.verifies()),
            max_control_line: options.max_control_line,
            max_payload: options.max_payload,
            max_pending: options.max_pending,
            cluster: cluster.as_ref().map(|report| Cluster::new(&options.cluster, report)).unwrap_or_default(),
            gateway: Nothing {},
            leaf: Nothing {},
            mqtt: Nothing {},
            websocket: Nothing {},
            jetstream: Nothing {},
            tls_timeout: tls.map_or(TIMEOUT, |tls| tls.timeout).as_secs_f64(),
            tls_cert_not_after: expires.map(timestamp),
            write_deadline: options.write_deadline.as_nanos(),
            start,
            now: timestamp(now),
            uptime: uptime(Duration::from_micros(now_us)),
            mem: usage::resident_bytes(),
            memory: Memory {
                max: Some(shared.budget.most()).filter(|most| *most < usize::MAX),
                counted: shared.budget.used(),
                closed_connections: counts.closed(Reason::MaximumMemoryExceeded),
                refused_connections: counts.closed(Reason::MemoryShort),
                refused_subscriptions: counts.refused_subs,
            },
            cores,
            gomaxprocs: self.workers.count(),
            cpu,
            connections: shared.connections(),
            total_connections: shared.connections_total(),
            routes,
            remotes: routes,
            leafnodes: 0,
            in_msgs: traffic.in_messages + through.in_messages,
            in_bytes: traffic.in_bytes + through.in_bytes,
            in_client_msgs: traffic.in_messages,
            in_client_bytes: traffic.in_bytes,
            out_msgs: traffic.out_messages + through.out_messages,
            out_bytes: traffic.out_bytes + through.out_bytes,
            out_client_msgs: traffic.out_messages,
            out_client_bytes: traffic.out_bytes,
            slow_consumers: counts.slow_consumers(),
            stale_connections: counts.stale_connections,
            stalled_clients: counts.stalls,
            subscriptions,
            http_req_stats: &self.hits,
            config_load_time: timestamp(self.options_since),
            config_digest: "",
            tags: &options.server_tags,
            metadata: options.server_metadata.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect(),
            system_account: options.authorization.system(),
            slow_consumer_stats: Kinds {
                clients: counts.slow_clients.iter().sum(),
                routes: counts.slow_routes,
                ..Kinds::default()
            },
            stale_connection_stats: Kinds { clients: counts.stale_connections, ..Kinds::default() },
        }))
    }

    /// When the first certificate of the server expires, in seconds since 1970.
    pub(super) fn certificate_end(&self) -> Option<u64> {
        self.subject.acceptor.as_ref()?.expires()?.try_into().ok()
    }

    /// Subscriptions of all accounts.
    pub(super) fn subscriptions(&self) -> usize {
        let interest = &self.subject.shared.interest;
        interest.accounts().map(|(id, _)| interest.count(id)).sum()
    }
}
