//! What tools made for the official server ask for and read: nats-top, telegraf's input, the Prometheus exporter. They are
//! not here, so that their way of reading is played; against the official server too, which proves that it is right.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde::Deserialize;
use serde_json::Value;

use super::http::{Monitored, connect};
use super::peer::Peer;
use super::support::process::Process;
use super::support::reference_path;

/// One connection that serves many requests, as those tools have it.
struct Link(BufReader<TcpStream>);

impl Link {
    fn get(&mut self, target: &str) -> Value {
        let request = format!("GET {target} HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut line, mut length, mut is_chunked) = (String::new(), 0, false);
        self.0.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200 "), "{target}: {line}");
        loop {
            line.clear();
            self.0.read_line(&mut line).unwrap();
            let lower = line.to_lowercase();
            assert!(!lower.starts_with("content-encoding"), "{target}: {line}");
            is_chunked |= lower.starts_with("transfer-encoding: chunked");
            length = lower.strip_prefix("content-length:").map_or(length, |text| text.trim().parse().unwrap());
            if line == "\r\n" {
                break;
            }
        }
        let body = if is_chunked { self.chunks() } else { self.bytes(length) };
        serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{target}: {error}"))
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            let length = usize::from_str_radix(line.trim(), 16).unwrap();
            body.extend(self.bytes(length));
            self.bytes(2);
            if length == 0 {
                return body;
            }
        }
    }
}

/// Those that there are: midge, and the official server if one is named.
fn servers() -> Vec<Monitored> {
    let theirs = reference_path().map(|program| Monitored::of(Process::start_program(&program, &["-m", "-1"])));
    [Some(Monitored::with_workers(2)), theirs].into_iter().flatten().collect()
}

/// What nats-top decodes and shows of the server; whole numbers only, as Go's types have it.
#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "that it is there with its type is what is tested")]
struct Varz {
    server_id: String,
    server_name: String,
    version: String,
    uptime: String,
    cpu: f64,
    mem: i64,
    in_msgs: i64,
    out_msgs: i64,
    in_bytes: i64,
    out_bytes: i64,
    slow_consumers: i64,
    connections: i64,
    total_connections: u64,
    subscriptions: u32,
    routes: i64,
    remotes: i64,
    cores: i64,
    max_connections: i64,
    ping_interval: i64,
    write_deadline: i64,
    auth_timeout: f64,
    tls_timeout: f64,
    port: i64,
    max_payload: i64,
    max_control_line: i32,
    max_pending: i64,
    start: String,
    now: String,
    http_req_stats: BTreeMap<String, u64>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "that it is there with its type is what is tested")]
struct Connz {
    num_connections: i64,
    total: i64,
    offset: i64,
    limit: i64,
    connections: Vec<Connection>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "that it is there with its type is what is tested")]
struct Connection {
    cid: u64,
    ip: String,
    port: i64,
    start: String,
    last_activity: String,
    rtt: String,
    uptime: String,
    idle: String,
    pending_bytes: i64,
    in_msgs: i64,
    out_msgs: i64,
    in_bytes: i64,
    out_bytes: i64,
    subscriptions: u32,
    #[serde(default)]
    name: String,
    #[serde(default)]
    lang: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    subscriptions_list: Vec<String>,
}

#[test]
fn nats_top_sees_rates_connections_and_subjects() {
    for server in servers() {
        let mut reader = Peer::open(server.process.address());
        reader.send(
            "CONNECT {\"verbose\":false,\"name\":\"reader\",\"lang\":\"go\",\"version\":\"1.50\"}\r\nSUB a.> 1\r\n",
        );
        reader.round_trip();
        let mut publisher = Peer::connect(server.process.address());
        let mut link = Link(BufReader::new(connect(server.http)));
        let mut last: Option<(Varz, Connz)> = None;
        let sorts =
            ["cid", "start", "subs", "pending", "msgs_to", "msgs_from", "bytes_to", "bytes_from", "last", "idle"];
        for (round, sort) in sorts.into_iter().chain(["uptime", "rtt"]).enumerate() {
            for _ in 0..10 * round {
                publisher.publish("a.b", b"12345");
                reader.message();
            }
            publisher.round_trip();
            let varz: Varz = serde_json::from_value(link.get("/varz")).unwrap();
            let connz = link.get(&format!("/connz?limit=1024&sort={sort}&subs=1"));
            let connz: Connz = serde_json::from_value(connz).unwrap();
            assert_eq!((connz.num_connections, connz.connections.len()), (2, 2), "{connz:?}");
            let shown = connz.connections.iter().find(|connection| connection.name == "reader").unwrap();
            assert_eq!((&*shown.lang, &*shown.version), ("go", "1.50"));
            assert_eq!(shown.subscriptions_list, ["a.>"]);
            if let Some((before, _)) = last {
                let moved = [varz.in_msgs - before.in_msgs, varz.out_msgs - before.out_msgs];
                let bytes = [varz.in_bytes - before.in_bytes, varz.out_bytes - before.out_bytes];
                assert_eq!((moved, bytes), ([10 * round as i64; 2], [50 * round as i64; 2]));
            }
            last = Some((varz, connz));
        }
    }
}

#[test]
fn telegraf_finds_whole_numbers_and_times() {
    for server in servers() {
        let varz = Link(BufReader::new(connect(server.http))).get("/varz");
        let fields =
            ["in_msgs", "out_msgs", "in_bytes", "out_bytes", "cores", "mem", "connections", "total_connections"];
        for name in fields.into_iter().chain(["subscriptions", "slow_consumers", "routes", "remotes"]) {
            assert!(varz[name].is_i64() || varz[name].is_u64(), "{name}: {}", varz[name]);
        }
        assert!(varz["cpu"].is_number());
        // The time since the start is made of these two.
        for name in ["now", "start"] {
            let time = varz[name].as_str().unwrap();
            assert!(time.len() >= 20 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{time}");
        }
    }
}

/// Every number of a document by its path, and the paths of what is neither a number nor something with parts.
fn leaves(path: &str, value: &Value, numbers: &mut BTreeMap<String, f64>, others: &mut BTreeMap<String, Value>) {
    match value {
        Value::Number(number) => _ = numbers.insert(path.to_owned(), number.as_f64().unwrap()),
        Value::Object(members) => {
            let name = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}_{key}") };
            members.iter().for_each(|(key, value)| leaves(&name(key), value, numbers, others));
        }
        other => _ = others.insert(path.to_owned(), other.clone()),
    }
}

#[test]
fn the_prometheus_exporter_finds_its_numbers_and_texts() {
    for server in servers() {
        let mut peer = Peer::connect(server.process.address());
        peer.subscribe("a");
        peer.publish("a", b"12345");
        peer.message();
        let mut link = Link(BufReader::new(connect(server.http)));
        let (mut numbers, mut others) = (BTreeMap::new(), BTreeMap::new());
        leaves("", &link.get("/varz"), &mut numbers, &mut others);
        for name in ["server_id", "server_name", "version", "start", "config_load_time"] {
            assert!(others[name].is_string(), "{name}: {}", others[name]);
        }
        for name in ["in_msgs", "mem", "slow_consumer_stats_clients", "http_req_stats_/varz", "auth_timeout"] {
            assert!(numbers.contains_key(name), "{name} in {numbers:?}");
        }
        for target in ["/routez", "/subsz", "/leafz", "/gatewayz", "/accountz", "/healthz", "/accstatz?unused=1"] {
            leaves(target, &link.get(target), &mut numbers, &mut others);
        }
        for name in ["/routez_num_routes", "/subsz_num_subscriptions", "/subsz_cache_hit_rate", "/leafz_leafnodes"] {
            assert!(numbers.contains_key(name), "{name} in {numbers:?}");
        }
        assert_eq!(others["/healthz_status"], "ok");
        let account =
            others["/accstatz?unused=1_account_statz"].as_array().unwrap().iter().find(|of| of["acc"] == "$G");
        let account = account.unwrap();
        for name in ["conns", "leafnodes", "total_conns", "num_subscriptions", "slow_consumers"] {
            assert!(account[name].is_u64(), "{name}: {account}");
        }
        for (name, part) in ["sent", "received"].iter().flat_map(|name| [(name, "msgs"), (name, "bytes")]) {
            assert!(account[name][part].is_u64(), "{name} {part}: {account}");
        }
        // These make the exporter fall over where they have another type.
        let connz = link.get("/connz");
        for name in ["total", "offset", "limit", "num_connections"] {
            assert!(connz[name].is_u64(), "{name}: {connz}");
        }
        let connection = &connz["connections"][0];
        for name in ["kind", "type", "ip", "start", "last_activity", "rtt", "uptime", "idle"] {
            assert!(connection[name].is_string(), "{name}: {connection}");
        }
        for name in ["cid", "port", "pending_bytes", "in_msgs", "out_msgs", "in_bytes", "out_bytes", "subscriptions"] {
            assert!(connection[name].is_u64(), "{name}: {connection}");
        }
    }
}
