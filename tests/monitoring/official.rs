//! Every document beside that of the official server in the same situation: the same fields, of the same types.

use std::collections::BTreeSet;

use serde_json::Value;

use super::http::Monitored;
use super::peer::Peer;
use super::support::process::Process;
use super::support::reference_path;

/// Fields of the official server that midge does not have, because they are about what it does not have.
const MISSING: [&str; 4] = [
    "/varz git_commit",
    "/varz feature_flags",
    "/varz disk_io_wait_stats",
    // The official server imports services of its system account into each other one.
    "/accountz?acc=$G account_detail.imports",
];

/// Fields that only midge has. Whoever reads the official server's passes over them.
const OURS: [&str; 1] = ["/varz memory"];

/// Documents that are compared.
const DOCUMENTS: [&str; 22] = [
    "/varz",
    "/connz",
    "/connz?auth=1",
    "/connz?subs=1",
    "/connz?subs=detail&auth=1",
    "/connz?state=closed",
    "/connz?state=closed&subs=1&auth=1",
    "/connz?state=any&limit=1&offset=2&sort=msgs_to",
    "/connz?acc=ZZ",
    "/connz?user=nobody",
    "/connz?cid=7777",
    "/routez",
    "/routez?subs=detail",
    "/subsz",
    "/subsz?subs=1&acc=$G&test=orders.new",
    "/leafz?subs=1",
    "/gatewayz",
    "/jsz",
    "/accountz",
    "/accountz?acc=$G",
    "/accstatz",
    "/healthz",
];

/// Requests that are refused, or not found.
const REFUSED: [&str; 28] = [
    "/nope",
    "/varz/",
    "/VARZ",
    "//varz",
    "/raftz",
    "/connz?subs=zz",
    "/connz?auth=zz",
    "/connz?limit=x",
    "/connz?offset=1.0",
    "/connz?limit=99999999999999999999",
    "/connz?cid=x",
    "/connz?cid=-1",
    "/connz?state=foo",
    "/connz?state=FOO%22",
    "/connz?sort=foo",
    "/connz?sort=Cid",
    "/connz?sort=stop",
    "/connz?sort=reason&state=any",
    "/subsz?subs=detail",
    "/subsz?test=foo.*&subs=1",
    "/accountz?acc=ZZ",
    "/routez?subs=x",
    "/leafz?subs=x",
    "/gatewayz?accs=x",
    "/jsz?accounts=x",
    "/accstatz?unused=x",
    "/healthz?js-enabled-only=x",
    "/healthz?stream=x",
];

/// The official server and midge in the same situation.
struct Pair {
    theirs: Monitored,
    ours: Monitored,
    _peers: Vec<Peer>,
}

impl Pair {
    /// None without the official server.
    fn start() -> Option<Pair> {
        let program = reference_path()?;
        let theirs = Monitored::of(Process::start_program(&program, &["-m", "-1"]));
        let ours = Monitored::with_workers(2);
        let peers = [&theirs, &ours].into_iter().flat_map(populate).collect();
        Some(Pair { theirs, ours, _peers: peers })
    }
}

/// Three connections that stay, each with other figures, and one that has gone.
fn populate(server: &Monitored) -> [Peer; 3] {
    let open = |name: &str| {
        let mut peer = Peer::open(server.process.address());
        peer.send(format!(
            "CONNECT {{\"verbose\":false,\"name\":\"{name}\",\"lang\":\"test\",\"version\":\"1.2.3\"}}\r\n"
        ));
        peer.round_trip();
        peer
    };
    let mut reader = open("reader");
    reader.send("SUB orders.* 1\r\nSUB orders.> workers 2\r\nSUB jobs.new workers 3\r\nUNSUB 1 10\r\n");
    reader.round_trip();
    let mut other = open("other");
    other.subscribe("orders.new");
    // No two have the same figures: those that are equal have no order.
    reader.publish("nowhere", b"123");
    reader.round_trip();
    other.publish("nowhere", b"12345");
    other.publish("nowhere", b"12345");
    other.round_trip();
    let mut publisher = open("publisher");
    for _ in 0..4 {
        publisher.publish("orders.new", b"12345");
    }
    publisher.publish("nowhere", b"1");
    publisher.round_trip();
    for _ in 0..8 {
        reader.message();
    }
    let mut gone = open("gone");
    gone.subscribe("gone.away");
    gone.publish("gone.away", b"abc");
    gone.message();
    drop(gone);
    server.wait_json("/connz?state=closed", |connz| connz["total"] == 1);
    [reader, other, publisher]
}

#[test]
fn every_field_of_the_official_documents_is_there_with_its_type() {
    let Some(pair) = Pair::start() else { return };
    let (mut faults, mut missed) = (Vec::new(), BTreeSet::new());
    for target in DOCUMENTS {
        let (theirs, ours) = (pair.theirs.json(target), pair.ours.json(target));
        compare("", &theirs, &ours, &mut |path, fault| {
            let place = format!("{target} {path}");
            match fault {
                Fault::Missing(_) if MISSING.contains(&&*place) => _ = missed.insert(place),
                Fault::Unknown if OURS.contains(&&*place) => {}
                fault => faults.push(format!("{place}: {fault:?}")),
            }
        });
        let (theirs, ours) = (pair.theirs.get(target), pair.ours.get(target));
        for header in ["Content-Type", "Access-Control-Allow-Origin"] {
            if theirs.header(header) != ours.header(header) {
                faults.push(format!("{target}: {header} is {:?}", ours.header(header)));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    assert_eq!(missed, MISSING.map(str::to_owned).into(), "nothing is excused that is there");
}

/// How a field differs.
#[derive(Debug)]
#[allow(dead_code, reason = "shown when a test fails")]
pub enum Fault {
    /// It is not there; this is what the official server has.
    Missing(Value),
    /// The official server has no such field.
    Unknown,
    /// It has so many entries, and not as many.
    Entries(usize, usize),
    /// It has another type than this value.
    Type(Value, Value),
}

/// Tells every difference with the path of its field.
pub fn compare(path: &str, theirs: &Value, ours: &Value, tell: &mut dyn FnMut(&str, Fault)) {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            let keys: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match (theirs.get(key), ours.get(key)) {
                    (Some(theirs), Some(ours)) => compare(&path, theirs, ours, tell),
                    (Some(theirs), None) => tell(&path, Fault::Missing(theirs.clone())),
                    (None, _) => tell(&path, Fault::Unknown),
                }
            }
        }
        (Value::Array(theirs), Value::Array(ours)) => {
            // The official server has a system account.
            if theirs.len() != ours.len() && !path.contains("accounts") {
                tell(path, Fault::Entries(ours.len(), theirs.len()));
            }
            // Subscriptions have no order.
            let by_sid = |list: &[Value]| {
                let mut list = list.to_vec();
                list.sort_by_key(|entry| ["sid", "subject"].map(|name| entry.get(name).map(Value::to_string)));
                list
            };
            for (theirs, ours) in by_sid(theirs).iter().zip(&by_sid(ours)) {
                compare(&format!("{path}[]"), theirs, ours, tell);
            }
        }
        _ => {
            let (expected, got) = (kind(theirs), kind(ours));
            // Fractions are cut where there is none.
            let is_fraction = ["cache_hit_rate", "avg_fanout", "cpu"].iter().any(|name| path.ends_with(name));
            if expected != got && !(is_fraction && theirs.is_number() && ours.is_number()) {
                tell(path, Fault::Type(ours.clone(), theirs.clone()));
            }
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[test]
fn what_is_refused_is_refused_as_by_the_official_server() {
    let Some(pair) = Pair::start() else { return };
    for target in REFUSED {
        let (theirs, ours) = (pair.theirs.get(target), pair.ours.get(target));
        assert_eq!((ours.status, ours.text()), (theirs.status, theirs.text()), "{target}");
        for header in ["Content-Type", "X-Content-Type-Options", "Location"] {
            assert_eq!(ours.header(header), theirs.header(header), "{header} of {target}");
        }
    }
}

#[test]
fn connections_have_the_figures_and_the_order_of_the_official_server() {
    let Some(pair) = Pair::start() else { return };
    let same = ["kind", "type", "ip", "in_msgs", "out_msgs", "in_bytes", "out_bytes", "subscriptions", "name", "lang"];
    let more = ["version", "reason", "name_tag", "pending_bytes", "subscriptions_list"];
    let sorts = ["", "cid", "start", "subs", "msgs_to", "msgs_from", "bytes_to", "bytes_from", "uptime"];
    let targets = sorts.map(|sort| format!("/connz?auth=1&sort={sort}"));
    let closed = ["stop", "reason"].map(|sort| format!("/connz?state=closed&subs=1&auth=1&sort={sort}"));
    let pages = ["/connz?limit=-1&offset=-1", "/connz?state=ALL&sort=cid&limit=2&offset=1", "/connz?cid=7777"];
    for target in targets.iter().chain(&closed).map(String::as_str).chain(pages) {
        let shown = |server: &Monitored| {
            let document = server.json(target);
            let tops = ["num_connections", "total", "offset", "limit"].map(|name| document[name].clone());
            let connections = document["connections"].as_array().unwrap();
            // What waited for a client when it closed is a matter of moments.
            let is_told = |name: &&&str| **name != "pending_bytes" || !target.contains("closed");
            let fields = |connection: &Value| -> Vec<Value> {
                same.iter().chain(&more).filter(is_told).map(|name| connection[name].clone()).collect()
            };
            (tops, connections.iter().map(fields).collect::<Vec<_>>())
        };
        assert_eq!(shown(&pair.ours), shown(&pair.theirs), "{target}");
    }
}

#[test]
fn users_are_shown_as_by_the_official_server() {
    let Some(program) = reference_path() else { return };
    let args = ["-m", "-1", "--user", "derek", "--pass", "s3cret"];
    let shown = |server: &Monitored| {
        let mut peer = Peer::open(server.process.address());
        peer.send("CONNECT {\"verbose\":false,\"user\":\"derek\",\"pass\":\"s3cret\"}\r\n");
        peer.round_trip();
        let text = server.get("/connz?auth=1").text().to_owned();
        assert!(text.contains("derek") && !text.contains("s3cret"), "{text}");
        let connz = ["/connz?auth=1", "/connz", "/connz?user=derek&auth=1", "/connz?user=other"].map(|target| {
            let connections = server.json(target)["connections"].clone();
            let users = connections.as_array().unwrap().iter().map(|shown| shown["authorized_user"].clone());
            users.collect::<Vec<_>>()
        });
        (connz, server.json("/varz")["auth_required"].clone())
    };
    let theirs = Monitored::of(Process::start_program(&program, &args));
    let ours = Monitored::of(Process::start(&args));
    assert_eq!(shown(&ours), shown(&theirs));
}
