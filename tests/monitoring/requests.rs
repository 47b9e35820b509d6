//! What clients ask the server in messages, and what those who look after it are told: every document and event beside that
//! of the official server.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::Value;

use super::official::{Fault, compare};
use super::peer::Peer;
use super::support::process::Process;
use super::support::reference_path;

const CONFIG: &str = r#"
server_name: S
server_tags: [one, two]
system_account: SYS
accounts {
  A: { users: [ { user: a, password: pw },
                { user: less, password: pw, permissions: { publish: { allow: ["$SYS.REQ.>", x], deny: y }, subscribe: [r, "q z"],
                                                           allow_responses: { max: 3, expires: "1m" } } } ] }
  SYS: { users: [ { user: sys, password: pw } ] }
}
"#;

/// Fields of the official server that midge does not have, because they are about what it does not have.
const MISSING: [&str; 6] = [
    "server.feature_flags",
    "data.feature_flags",
    "data.git_commit",
    "data.disk_io_wait_stats",
    // The official server imports services of its system account into each other one.
    "data.imports",
    "data.account_detail.imports",
];

/// A field of midge alone.
const OURS: &str = "data.memory";

/// What the system account asks, with the options of it.
const REQUESTS: [(&str, &str); 26] = [
    ("SERVER.PING", ""),
    ("SERVER.PING.IDZ", ""),
    ("SERVER.PING.VARZ", "{}"),
    ("SERVER.PING.SUBSZ", ""),
    ("SERVER.PING.SUBSZ", r#"{"subscriptions":true,"account":"A","test":"r"}"#),
    ("SERVER.PING.CONNZ", ""),
    ("SERVER.PING.CONNZ", r#"{"auth":true,"subscriptions":true,"limit":1,"sort":"bytes_to"}"#),
    ("SERVER.PING.CONNZ", r#"{"auth":true,"subscriptions_detail":true,"acc":"A"}"#),
    ("SERVER.PING.CONNZ", r#"{"sort":"zz"}"#),
    ("SERVER.PING.ROUTEZ", ""),
    ("SERVER.PING.GATEWAYZ", ""),
    ("SERVER.PING.LEAFZ", ""),
    ("SERVER.PING.ACCOUNTZ", ""),
    ("SERVER.PING.ACCOUNTZ", r#"{"account":"A"}"#),
    ("SERVER.PING.ACCOUNTZ", r#"{"account":"ZZ"}"#),
    ("SERVER.PING.JSZ", ""),
    ("SERVER.PING.HEALTHZ", r#"{"server_name":"S","host":"127","tags":["one","TWO"]}"#),
    ("SERVER.PING.HEALTHZ", "{"),
    ("ACCOUNT.A.CONNZ", ""),
    ("ACCOUNT.ZZ.CONNZ", ""),
    ("ACCOUNT.A.SUBSZ", r#"{"subscriptions":true}"#),
    ("ACCOUNT.A.INFO", ""),
    ("ACCOUNT.ZZ.INFO", ""),
    ("ACCOUNT.A.STATZ", ""),
    ("ACCOUNT.A.CONNS", ""),
    ("ACCOUNT.PING.STATZ", r#"{"accounts":["A"]}"#),
];

/// What no server answers, because the filters mean others or nobody is asked about.
const UNANSWERED: [(&str, &str); 5] = [
    ("SERVER.PING.VARZ", r#"{"server_name":"X"}"#),
    ("SERVER.PING.VARZ", r#"{"server_name":"","exact_match":true,"host":"127"}"#),
    ("SERVER.PING.VARZ", r#"{"cluster":"C"}"#),
    ("SERVER.PING.VARZ", r#"{"tags":["one","three"]}"#),
    ("ACCOUNT.ZZ.STATZ", ""),
];

/// A server, and a client of each of its accounts.
struct Asked {
    process: Process,
    system: Peer,
    ordinary: Peer,
}

impl Asked {
    fn new(process: Process) -> Self {
        let (mut system, mut ordinary) = (user(&process, "sys"), user(&process, "a"));
        system.subscribe("r");
        ordinary.subscribe("r");
        Self { process, system, ordinary }
    }

    fn of_midge() -> Self {
        Self::new(Process::start(&["--workers", "2", "-c", &config()]))
    }

    fn of_theirs() -> Option<Self> {
        let program = reference_path()?;
        let mut theirs = Self::new(Process::start_program(&program, &["-c", &config()]));
        // It takes clients a moment before it answers requests.
        for peer in [&mut theirs.system, &mut theirs.ordinary] {
            loop {
                peer.send("PUB $SYS.REQ.USER.INFO r 0\r\n\r\n");
                if peer.any_message().0 == "MSG" {
                    break;
                }
            }
        }
        Some(theirs)
    }
}

/// The file is written once: a server may be reading it.
fn config() -> String {
    static PATH: OnceLock<String> = OnceLock::new();
    let write = || {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("requests-{}.conf", std::process::id()));
        fs::write(&path, CONFIG).unwrap();
        path.to_str().unwrap().to_owned()
    };
    PATH.get_or_init(write).clone()
}

fn user(process: &Process, name: &str) -> Peer {
    let mut peer = Peer::open(process.address());
    let fields =
        r#""verbose":false,"headers":true,"no_responders":true,"pass":"pw","name":"n","lang":"test","version":"1""#;
    peer.send(format!("CONNECT {{{fields},\"user\":\"{name}\"}}\r\n"));
    peer.round_trip();
    peer
}

fn ask(peer: &mut Peer, subject: &str, body: &str) -> Value {
    peer.send(format!("PUB $SYS.REQ.{subject} r {}\r\n{body}\r\n", body.len()));
    let message = peer.message();
    assert_eq!(message.subject, "r");
    serde_json::from_slice(&message.payload).unwrap_or_else(|error| panic!("{subject}: {error}"))
}

/// The differences between two documents that are not excused.
fn differences(what: &str, theirs: &Value, ours: &Value, missed: &mut BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    compare("", theirs, ours, &mut |path, fault| match fault {
        Fault::Missing(_) if MISSING.contains(&path) => _ = missed.insert(path.to_owned()),
        Fault::Unknown if path == OURS => {}
        // The internal subscriptions of the official server.
        Fault::Entries(..) if path.ends_with("subscriptions_list") => {}
        fault => faults.push(format!("{what} {path}: {fault:?}")),
    });
    faults
}

#[test]
fn every_field_of_the_official_answers_is_there_with_its_type() {
    let Some(mut theirs) = Asked::of_theirs() else { return };
    let mut ours = Asked::of_midge();
    let (mut faults, mut missed) = (Vec::new(), BTreeSet::new());
    for (subject, body) in REQUESTS {
        let [theirs, ours] = [&mut theirs, &mut ours].map(|asked| ask(&mut asked.system, subject, body));
        faults.extend(differences(&format!("{subject} {body}"), &theirs, &ours, &mut missed));
        if subject.ends_with("ZZ.CONNZ") || subject.ends_with("HEALTHZ") && body != "{" {
            assert_eq!(theirs["data"]["status"], ours["data"]["status"]);
            assert_eq!(theirs["data"]["connections"], ours["data"]["connections"]);
        }
        if subject != "SERVER.PING.HEALTHZ" {
            assert_eq!(theirs["error"], ours["error"], "{subject} {body}");
        }
    }
    for subject in ["USER.INFO", "ACCOUNT.PING.CONNZ", "SERVER.PING.CONNZ", "ACCOUNT.PING.STATZ"] {
        let [theirs, ours] = [&mut theirs, &mut ours].map(|asked| ask(&mut asked.ordinary, subject, ""));
        faults.extend(differences(subject, &theirs, &ours, &mut missed));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    assert_eq!(missed, MISSING.map(str::to_owned).into(), "nothing is excused that is there");
}

#[test]
fn a_client_is_told_its_permissions_as_by_the_official_server() {
    let told = |asked: Asked| {
        let mut less = user(&asked.process, "less");
        less.subscribe("r");
        let mut told = ask(&mut less, "USER.INFO", "")["data"].take();
        // The official server lists subjects in any order.
        for (way, list) in ["publish", "subscribe"].into_iter().flat_map(|way| [(way, "allow"), (way, "deny")]) {
            if let Some(subjects) = told["permissions"][way].get_mut(list).and_then(Value::as_array_mut) {
                subjects.sort_by_key(Value::to_string);
            }
        }
        told
    };
    let ours = told(Asked::of_midge());
    let responses = serde_json::json!({ "max": 3, "ttl": 60_000_000_000i64 });
    assert_eq!((&ours["user"], &ours["account"]), (&"less".into(), &"A".into()));
    assert_eq!(ours["permissions"]["responses"], responses);
    if let Some(theirs) = Asked::of_theirs() {
        assert_eq!(ours, told(theirs));
    }
}

#[test]
fn an_answer_about_ones_own_account_tells_of_no_other() {
    let mut asked = Asked::of_midge();
    for body in ["", r#"{"acc":"SYS"}"#, r#"{"acc":"SYS","account":"SYS"}"#] {
        let connz = ask(&mut asked.ordinary, "SERVER.PING.CONNZ", body);
        assert_eq!(connz["data"]["num_connections"], 1, "{connz}");
    }
    let statz = ask(&mut asked.ordinary, "ACCOUNT.PING.STATZ", r#"{"accounts":["SYS"],"include_unused":true}"#);
    let accounts: Vec<_> = statz["data"]["account_statz"].as_array().unwrap().iter().map(|one| &one["acc"]).collect();
    assert_eq!(accounts, ["A"]);
}

#[test]
fn who_is_not_meant_keeps_silent() {
    for mut asked in [Some(Asked::of_midge()), Asked::of_theirs()].into_iter().flatten() {
        for (subject, body) in UNANSWERED {
            asked.system.send(format!("PUB $SYS.REQ.{subject} r {}\r\n{body}\r\n", body.len()));
        }
        // Its answer comes behind those that there should not be.
        let last = ask(&mut asked.system, "SERVER.PING.IDZ", "");
        assert_eq!(last["name"], "S");
    }
}

#[test]
fn events_have_the_fields_of_the_official_ones() {
    let told = |asked: &mut Asked| {
        for event in ["CONNECT", "DISCONNECT"] {
            asked.system.subscribe(&format!("$SYS.ACCOUNT.A.{event}"));
            asked.system.send(format!("UNSUB 1\r\nSUB $SYS.ACCOUNT.A.{event} {event}\r\n"));
        }
        asked.system.round_trip();
        let mut client = user(&asked.process, "a");
        client.publish("x", b"abc");
        client.round_trip();
        drop(client);
        let mut events = [asked.system.message(), asked.system.message()].map(|message| {
            let event: Value = serde_json::from_slice(&message.payload).unwrap();
            (message.subject, event)
        });
        // The official server sends them in any order.
        events.sort_by(|one, other| one.0.cmp(&other.0));
        events
    };
    let ours = told(&mut Asked::of_midge());
    let subjects = ours.each_ref().map(|(subject, _)| subject.as_str());
    assert_eq!(subjects, ["$SYS.ACCOUNT.A.CONNECT", "$SYS.ACCOUNT.A.DISCONNECT"]);
    assert_eq!((&ours[1].1["received"]["msgs"], &ours[1].1["reason"]), (&0.into(), &"Client Closed".into()));
    assert_eq!(ours[1].1["sent"], serde_json::json!({ "msgs": 1, "bytes": 3 }));
    let Some(mut theirs) = Asked::of_theirs() else { return };
    let theirs = told(&mut theirs);
    for ((subject, theirs), (_, ours)) in theirs.iter().zip(&ours) {
        assert_eq!(differences(subject, theirs, ours, &mut BTreeSet::new()), [""; 0]);
        for field in ["type", "reason", "sent", "received"] {
            assert_eq!(theirs[field], ours[field], "{field}");
        }
    }
}
