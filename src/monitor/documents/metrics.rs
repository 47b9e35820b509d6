//! `/metrics`: the figures as Prometheus reads them, in its text format or in OpenMetrics.

use super::{Answer, Context, Sums};
use crate::broker::NATS_VERSION;
use crate::broker::routes::RouteRow;
use crate::monitor::reply::Reply;
use crate::sys::usage;
use std::fmt::{Display, Write};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a series is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It goes up and down.
    Gauge,
    /// It only goes up; the name of its samples ends with `_total`, which is added.
    Counter,
}

/// The text being written.
#[derive(Debug)]
struct Series {
    text: String,
    open_metrics: bool,
}

impl Series {
    /// One series with one sample.
    fn one(&mut self, kind: Kind, name: &str, help: &str, value: impl Display) {
        self.many(kind, name, help, "", [("", value)]);
    }

    /// One series with a sample for each value of a label.
    fn many<L: Display, V: Display>(
        &mut self,
        kind: Kind,
        name: &str,
        help: &str,
        label: &str,
        samples: impl IntoIterator<Item = (L, V)>,
    ) {
        let total = if kind == Kind::Counter { "_total" } else { "" };
        let family = if self.open_metrics { "" } else { total };
        let word = if kind == Kind::Counter { "counter" } else { "gauge" };
        // Writing into a text fails for no value of ours.
        _ = write!(self.text, "# HELP midge_{name}{family} {help}\n# TYPE midge_{name}{family} {word}\n");
        for (of, value) in samples {
            _ = match label {
                "" => writeln!(self.text, "midge_{name}{total} {value}"),
                _ => {
                    let of = escape(&of.to_string());
                    writeln!(self.text, "midge_{name}{total}{{{label}=\"{of}\"}} {value}")
                }
            };
        }
    }
}

impl Context {
    pub(super) fn metrics(&mut self, open_metrics: bool) -> Answer {
        let sums = self.sums();
        let mut series = Series { text: String::new(), open_metrics };
        self.identity(&mut series);
        self.load(&mut series);
        let cluster = self.cluster();
        routes(&mut series, &cluster.unwrap_or_default().routes);
        self.flow(&mut series, &sums);
        self.loops(&mut series, &sums);
        self.limits(&mut series);
        if open_metrics {
            series.text.push_str("# EOF\n");
        }
        Ok(Reply::document(if open_metrics { OPEN } else { PLAIN }, series.text.into_bytes()))
    }

    fn identity(&self, series: &mut Series) {
        let identity = &self.subject.shared.identity;
        let labels = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("nats_version", NATS_VERSION),
            ("server_id", &identity.id),
            ("server_name", &identity.name),
        ];
        let labels = labels.map(|(name, text)| format!("{name}=\"{}\"", escape(text))).join(",");
        _ = writeln!(
            series.text,
            "# HELP midge_info Who the server is\n# TYPE midge_info gauge\nmidge_info{{{labels}}} 1"
        );
        let start = self.subject.clock.date(0).duration_since(UNIX_EPOCH).unwrap_or_default();
        let closed = self.orders.closed_to_clients.load(Ordering::Acquire);
        series.one(Kind::Gauge, "start_time_seconds", "When the server started, since 1970", seconds(start));
        if let Some(end) = self.certificate_end() {
            series.one(Kind::Gauge, "certificate_end_seconds", "When the TLS certificate expires, since 1970", end);
        }
        series.one(Kind::Gauge, "healthy", "1 while the server accepts clients", u8::from(!closed));
    }

    fn load(&self, series: &mut Series) {
        let shared = &self.subject.shared;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        series.one(Kind::Gauge, "memory_bytes", "Resident memory of the process", usage::resident_bytes());
        let used = shared.budget.used();
        series.one(Kind::Gauge, "memory_counted_bytes", "Memory in use as counted against max_memory", used);
        series.one(Kind::Counter, "cpu_seconds", "Processor time used", seconds(usage::processor_time()));
        series.one(Kind::Gauge, "cores", "Processors of the machine", cores);
        series.one(Kind::Gauge, "workers", "Threads that serve clients", self.workers.count());
        series.one(Kind::Gauge, "connections", "Open client connections", shared.connections());
        series.one(Kind::Counter, "accepted_connections", "Client connections accepted", shared.connections_total());
        series.one(Kind::Gauge, "subscriptions", "Subscriptions", self.subscriptions());
        series.one(Kind::Gauge, "leafnodes", "Connections of leaf nodes", 0);
        series.many(Kind::Counter, "http_requests", "Monitoring requests", "path", &self.hits);
    }

    fn flow(&self, series: &mut Series, sums: &Sums) {
        let (traffic, counts) = (sums.traffic(), &sums.counts);
        let messages = [("in", traffic.in_messages), ("out", traffic.out_messages)];
        let bytes = [("in", traffic.in_bytes), ("out", traffic.out_bytes)];
        let clients = |count| [("client", count)];
        series.many(Kind::Counter, "messages", "Messages from and to clients", "direction", messages);
        series.many(Kind::Counter, "message_bytes", "Their headers and payloads", "direction", bytes);
        let slow = [("client", counts.slow_clients.iter().sum()), ("route", counts.slow_routes)];
        let help = "Connections closed because they did not read";
        series.many(Kind::Counter, "slow_consumers", help, "kind", slow);
        let help = "Connections closed because they did not answer PINGs";
        series.many(Kind::Counter, "stale_connections", help, "kind", clients(counts.stale_connections));
        let help = "Times that a subscriber held a publisher back";
        series.one(Kind::Counter, "stalls", help, counts.stalls);
        let help = "Subscriptions refused because there was too little memory";
        series.one(Kind::Counter, "refused_subscriptions", help, counts.refused_subs);
        let help = "Messages not given to a subscriber that was too far behind";
        series.one(Kind::Counter, "refused_messages", help, counts.refused);
        let connections = counts.cuts.iter().map(|(reason, cut)| (reason, cut.connections));
        series.many(Kind::Counter, "closed_connections", "Connections closed", "reason", connections);
        let bytes = counts.cuts.iter().map(|(reason, cut)| (reason, cut.bytes));
        series.many(Kind::Counter, "discarded_bytes", "Output thrown away with its connection", "reason", bytes);
        series.one(Kind::Gauge, "pending_bytes", "Output that waits for clients", sums.pending_bytes);
        series.one(Kind::Gauge, "buffer_pool_bytes", "Memory of the blocks it waits in", sums.pool_bytes);
    }

    fn loops(&self, series: &mut Series, sums: &Sums) {
        let turns = || sums.turns.iter().map(|(worker, turns)| (*worker, turns));
        let of = |count: fn(&crate::reactor::Turns) -> u64| turns().map(move |(worker, turns)| (worker, count(turns)));
        let mut count = |name, help, count| series.many(Kind::Counter, name, help, "worker", of(count));
        count("worker_turns", "Turns of the loop", |turns| turns.turns);
        count("worker_reads", "Reads from clients", |turns| turns.reads);
        count("worker_read_bytes", "Bytes read from clients", |turns| turns.read_bytes);
        let help = "Writes before all input was worked on, because so much was to be written";
        count("worker_early_flushes", help, |turns| turns.early_flushes);
        let help = "Turns without reading, because another worker's mailbox was full";
        count("worker_throttled_turns", help, |turns| turns.throttled);
        let bytes = self.workers.mailbox_bytes().enumerate();
        series.many(Kind::Gauge, "worker_mailbox_bytes", "Messages from other workers that wait", "worker", bytes);
        let missed = self.workers.missed().len();
        series.one(Kind::Gauge, "workers_missing", "Workers that did not answer, whose figures are missing", missed);
    }

    fn limits(&self, series: &mut Series) {
        let options = &self.subject.options;
        let mut limit = |name, help, value: &dyn Display| series.one(Kind::Gauge, name, help, value);
        limit("max_connections", "Most clients at a time", &options.max_connections);
        limit("max_subscriptions", "Most subscriptions of one client; 0 is no limit", &options.max_subscriptions);
        limit("max_payload_bytes", "Largest payload", &options.max_payload);
        limit("max_pending_bytes", "Most output that may wait for one client", &options.max_pending);
        limit("max_control_line_bytes", "Longest line of one operation", &options.max_control_line);
        let most = self.subject.shared.budget.most();
        if most < usize::MAX {
            limit("max_memory_bytes", "Most memory in use", &most);
        }
        limit("write_deadline_seconds", "Time for a write without progress", &seconds(options.write_deadline));
        limit("ping_interval_seconds", "Time between PINGs to a silent client", &seconds(options.ping_interval));
        limit("ping_max", "PINGs that may go unanswered", &options.ping_max);
    }
}

/// The other servers of the cluster, by name.
fn routes(series: &mut Series, routes: &[RouteRow]) {
    series.one(Kind::Gauge, "routes", "Connections to other servers of the cluster", routes.len());
    let mut each = |kind, name, help, value: fn(&RouteRow) -> u64| {
        if !routes.is_empty() {
            series.many(kind, name, help, "peer", routes.iter().map(|route| (&route.name, value(route))));
        }
    };
    each(Kind::Counter, "route_in_messages", "Messages from a peer", |route| route.row.traffic.in_messages);
    each(Kind::Counter, "route_in_bytes", "Their headers and payloads", |route| route.row.traffic.in_bytes);
    each(Kind::Counter, "route_out_messages", "Messages to a peer", |route| route.row.traffic.out_messages);
    each(Kind::Counter, "route_out_bytes", "Their headers and payloads", |route| route.row.traffic.out_bytes);
    each(Kind::Counter, "route_dropped_messages", "Messages for a peer that was too far behind", |route| route.dropped);
    each(Kind::Gauge, "route_pending_bytes", "Output that waits for a peer", |route| route.row.pending as u64);
    each(Kind::Gauge, "route_subscriptions", "Subscriptions of a peer", |route| route.interest as u64);
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

/// Text as it may stand as the value of a label.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
