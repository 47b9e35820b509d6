//! What is counted is what happened.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::http::Monitored;
use super::peer::Peer;
use super::with_each_worker_count;

/// The numbers of a document under these names.
fn numbers(document: &Value, names: &[&str]) -> Vec<u64> {
    names.iter().map(|name| document[name].as_u64().unwrap_or_else(|| panic!("{name} in {document:#}"))).collect()
}

const FLOW: [&str; 4] = ["in_msgs", "in_bytes", "out_msgs", "out_bytes"];

#[test]
fn messages_are_counted_by_the_time_of_the_next_pong() {
    with_each_worker_count(|workers| {
        let server = Monitored::with_workers(workers);
        let address = server.process.address();
        let mut readers: Vec<Peer> = (0..4).map(|_| Peer::connect(address)).collect();
        readers.iter_mut().for_each(|reader| reader.subscribe("a.*"));
        let mut publisher = Peer::open(address);
        publisher.send("CONNECT {\"verbose\":false,\"headers\":true}\r\n");
        for round in 1..=20u64 {
            // 5 bytes to four readers, and 7 to nobody.
            publisher.publish("a.b", b"12345");
            publisher.publish("nobody", b"1234567");
            publisher.send("HPUB a.h 12 15\r\nNATS/1.0\r\n\r\nxyz\r\n");
            publisher.round_trip();
            let varz = server.json("/varz");
            assert_eq!(numbers(&varz, &FLOW), [3 * round, 27 * round, 8 * round, (5 + 3) * 4 * round], "{varz:#}");
        }
        let connz = server.json("/connz?sort=msgs_from");
        let first = &connz["connections"][0];
        assert_eq!(numbers(first, &FLOW), [60, 540, 0, 0], "{first:#}");
        for reader in 1..=4 {
            let reader = &connz["connections"][reader];
            assert_eq!(numbers(reader, &FLOW), [0, 0, 40, 160], "{reader:#}");
        }
        // What is closed still counts.
        drop(publisher);
        drop(readers.pop());
        server.wait_json("/connz", |connz| connz["total"] == 3);
        assert_eq!(numbers(&server.json("/varz"), &FLOW), [60, 540, 160, 640]);
        let accounts = server.json("/accstatz");
        let account = &accounts["account_statz"][0];
        assert_eq!(numbers(&account["received"], &["msgs", "bytes"]), [60, 540]);
        assert_eq!(numbers(&account["sent"], &["msgs", "bytes"]), [160, 640]);
        assert_eq!(numbers(account, &["conns", "total_conns", "num_subscriptions"]), [3, 3, 3]);
    });
}

#[test]
fn a_connection_is_shown_with_what_it_says_of_itself() {
    let server = Monitored::with_workers(1);
    let mut peer = Peer::open(server.process.address());
    peer.send("CONNECT {\"verbose\":false,\"name\":\"a <b>\",\"lang\":\"rust\",\"version\":\"1.2\"}\r\n");
    peer.send("SUB orders.> workers 77\r\nSUB one 2\r\nUNSUB 2 10\r\nPUB one 1\r\nx\r\n");
    peer.message();
    peer.round_trip();
    let connz = server.json("/connz?subs=detail&auth=1");
    let shown = &connz["connections"][0];
    assert_eq!(shown["name"], "a <b>");
    assert_eq!((&shown["lang"], &shown["version"]), (&json!("rust"), &json!("1.2")));
    assert_eq!((&shown["name_tag"], shown.get("account")), (&json!("$G"), None));
    let mut subs = shown["subscriptions_list_detail"].as_array().unwrap().clone();
    subs.sort_by_key(|sub| sub["sid"].as_str().map(str::to_owned));
    let expected = [
        json!({"subject": "one", "sid": "2", "msgs": 1, "max": 10, "cid": 1}),
        json!({"subject": "orders.>", "qgroup": "workers", "sid": "77", "msgs": 0, "cid": 1}),
    ];
    assert_eq!(subs, expected);
    let response = server.get("/connz?subs=1");
    assert!(response.text().contains("\"a \\u003cb\\u003e\"") && response.text().contains("\"orders.\\u003e\""));
    assert_ne!(shown["rtt"], "0s", "the first PING tells");
}

#[test]
fn closed_connections_are_listed_with_their_reason() {
    with_each_worker_count(|workers| {
        let server = Monitored::with_workers(workers);
        let address = server.process.address();
        let mut gone = Peer::connect(address);
        gone.subscribe("gone.away");
        gone.publish("gone.away", b"abc");
        gone.message();
        drop(gone);
        server.wait_json("/connz?state=closed", |connz| connz["total"] == 1);
        let mut wrong = Peer::connect(address);
        wrong.send("WHAT IS THIS\r\n");
        wrong.rest();
        let mut large = Peer::connect(address);
        large.send("PUB a 9999999\r\n");
        large.rest();
        let _open = Peer::connect(address);
        let closed = server.wait_json("/connz?state=closed&subs=1&sort=stop", |connz| connz["total"] == 3);
        let shown = closed["connections"].as_array().unwrap();
        let reasons: Vec<&str> = shown.iter().map(|shown| shown["reason"].as_str().unwrap()).collect();
        assert_eq!(reasons, ["Maximum Message Payload Exceeded", "Protocol Violation", "Client Closed"]);
        assert_eq!(numbers(&shown[2], &["cid", "in_msgs", "out_msgs", "in_bytes", "subscriptions"]), [1, 1, 1, 3, 1]);
        assert_eq!(shown[2]["subscriptions_list"], json!(["gone.away"]));
        assert!(shown[2]["stop"].as_str() >= shown[2]["start"].as_str());
        let any = server.json("/connz?state=any");
        assert_eq!((&any["total"], &any["num_connections"]), (&json!(4), &json!(4)));
        let by_reason = server.json("/connz?state=closed&sort=reason&limit=1");
        assert_eq!(by_reason["connections"][0]["reason"], "Client Closed");
        // What is not there.
        assert_eq!(server.json("/connz?cid=77")["connections"], json!([]));
        assert_eq!(server.json("/connz?user=x")["connections"], json!([]));
        let nothing = server.json("/connz?acc=ZZ");
        assert_eq!((&nothing["server_id"], &nothing["connections"]), (&json!(""), &Value::Null));
    });
}

#[test]
fn the_last_closed_connections_are_kept() {
    let folder = super::access::Folder::new();
    let config = folder.write("c.conf", "max_closed_clients: 3\n");
    let server = Monitored::start(&["-c", &config]);
    for cid in 1..=5u64 {
        drop(Peer::connect(server.process.address()));
        server.wait_json("/connz?state=closed", |connz| {
            connz["connections"].as_array().unwrap().iter().any(|shown| shown["cid"] == cid)
        });
    }
    let closed = server.json("/connz?state=closed");
    let cids: Vec<&Value> = closed["connections"].as_array().unwrap().iter().map(|shown| &shown["cid"]).collect();
    assert_eq!(cids, [3, 4, 5]);
}

#[test]
fn pages_together_are_the_whole() {
    with_each_worker_count(|workers| {
        let server = Monitored::with_workers(workers);
        let mut peers: Vec<Peer> = (0..10).map(|_| Peer::connect(server.process.address())).collect();
        for (number, peer) in peers.iter_mut().enumerate() {
            for sub in 0..number {
                peer.send(format!("SUB s.{sub} {sub}\r\n"));
            }
            peer.round_trip();
        }
        let cids = |target: &str| -> Vec<u64> {
            let connz = server.json(target);
            assert_eq!(connz["total"], 10, "{target}");
            assert_eq!(connz["num_connections"], connz["connections"].as_array().unwrap().len());
            connz["connections"].as_array().unwrap().iter().map(|shown| shown["cid"].as_u64().unwrap()).collect()
        };
        assert_eq!(cids("/connz"), (1..=10).collect::<Vec<_>>());
        assert_eq!(cids("/connz?sort=subs"), (1..=10).rev().collect::<Vec<_>>());
        let paged: Vec<u64> =
            (0..4).flat_map(|page| cids(&format!("/connz?sort=subs&limit=3&offset={}", page * 3))).collect();
        assert_eq!(paged, (1..=10).rev().collect::<Vec<_>>());
        assert_eq!(cids("/connz?limit=2&cid=4"), [4]);
        assert!(cids("/connz?offset=10").is_empty() && cids("/connz?offset=99").is_empty());
        // 45 subscriptions, of which nine match s.0.
        let all = server.json("/subsz?subs=1");
        assert_eq!((&all["num_subscriptions"], &all["total"]), (&json!(45), &json!(45)));
        let mut seen: BTreeMap<(u64, String), usize> = BTreeMap::new();
        for page in 0..7 {
            let page = server.json(&format!("/subsz?subs=1&limit=7&offset={}", page * 7));
            assert_eq!(page["total"], 45);
            for sub in page["subscriptions_list"].as_array().unwrap() {
                *seen.entry((sub["cid"].as_u64().unwrap(), sub["sid"].as_str().unwrap().to_owned())).or_default() += 1;
            }
        }
        assert!(seen.len() == 45 && seen.values().all(|times| *times == 1), "{seen:?}");
        let tested = server.json("/subsz?subs=1&test=s.0&limit=4");
        assert_eq!((&tested["total"], tested["subscriptions_list"].as_array().unwrap().len()), (&json!(9), 4));
        assert!(server.json("/subsz").get("subscriptions_list").is_none());
        assert_eq!(server.json("/subsz?subs=1&acc=ZZ")["num_subscriptions"], 0);
    });
}

#[test]
fn a_slow_consumer_is_counted_with_what_waited_for_it() {
    let folder = super::access::Folder::new();
    let config = folder.write("c.conf", "max_pending: 100kb\nmax_payload: 50kb\n");
    let server = Monitored::start(&["-c", &config]);
    let mut frozen = Peer::connect_narrow(server.process.address());
    frozen.subscribe("flood");
    let mut publisher = Peer::connect(server.process.address());
    let payload = vec![b'x'; 40_000];
    let deadline = std::time::Instant::now() + super::http::DEADLINE;
    while server.json("/varz")["slow_consumers"] == 0 {
        assert!(std::time::Instant::now() < deadline, "nobody is slow");
        publisher.publish("flood", &payload);
        publisher.round_trip();
    }
    let varz = server.json("/varz");
    assert_eq!(varz["slow_consumer_stats"], json!({"clients": 1, "routes": 0, "gateways": 0, "leafs": 0}));
    let closed = server.json("/connz?state=closed");
    assert_eq!(closed["connections"][0]["reason"], "Slow Consumer (Pending Bytes)", "{closed:#}");
    let text = server.get("/metrics");
    let discarded = text
        .text()
        .lines()
        .find_map(|line| line.strip_prefix("midge_discarded_bytes_total{reason=\"Slow Consumer (Pending Bytes)\"} "));
    assert!(discarded.unwrap().parse::<usize>().unwrap() > 100_000 - 40_000, "{discarded:?}");
}

#[test]
fn a_slow_consumer_counts_for_its_account() {
    let folder = super::access::Folder::new();
    let users = "accounts { A { users: [{user: a, password: p}] }, B { users: [{user: b, password: p}] } }\n";
    let config = folder.write("c.conf", &format!("max_pending: 100kb\nmax_payload: 50kb\n{users}"));
    let server = Monitored::start(&["-c", &config, "--workers", "2"]);
    let join = |mut peer: Peer, user: &str| {
        peer.send(format!("CONNECT {{\"verbose\":false,\"user\":\"{user}\",\"pass\":\"p\"}}\r\n"));
        peer.round_trip();
        peer
    };
    let _other = join(Peer::open(server.process.address()), "a");
    let mut frozen = join(Peer::open(server.process.address()), "b");
    frozen.subscribe("flood");
    let mut publisher = join(Peer::open(server.process.address()), "b");
    let deadline = std::time::Instant::now() + super::http::DEADLINE;
    while server.json("/varz")["slow_consumers"] == 0 {
        assert!(std::time::Instant::now() < deadline, "nobody is slow");
        publisher.publish("flood", &[b'x'; 40_000]);
        publisher.round_trip();
    }
    let accounts = server.json("/accstatz");
    let slow = accounts["account_statz"].as_array().unwrap().iter();
    let slow: Vec<_> =
        slow.map(|account| (account["acc"].as_str().unwrap(), account["slow_consumers"].clone())).collect();
    assert_eq!(slow, [("A", json!(0)), ("B", json!(1))]);
}

/// Messages of each of several publishers, and what they carry.
const LOAD: u64 = 20_000;
const PUBLISHERS: u64 = 3;

fn load_sizes(publisher: u64) -> impl Iterator<Item = u64> {
    (0..LOAD).map(move |message| (message * 7 + publisher * 13) % 300)
}

/// Publishes as fast as it goes, and a word behind it.
fn publish_load(mut peer: Peer, publisher: u64) -> Peer {
    let mut batch = Vec::new();
    for (message, size) in load_sizes(publisher).enumerate() {
        batch.extend(format!("PUB load.{message} {size}\r\n").bytes());
        batch.resize(batch.len() + size as usize, b'x');
        batch.extend(b"\r\n");
        if batch.len() > 50_000 {
            peer.send(std::mem::take(&mut batch));
        }
    }
    peer.send(batch);
    peer.publish("end", b"");
    peer.round_trip();
    peer
}

/// Messages and bytes of the load that come until all publishers have ended.
fn count_load(reader: &mut Peer) -> (u64, u64) {
    let (mut messages, mut bytes, mut ends) = (0, 0, 0);
    while ends < PUBLISHERS {
        let message = reader.message();
        if message.subject == "end" {
            ends += 1;
        } else {
            messages += 1;
            bytes += message.payload.len() as u64;
        }
    }
    (messages, bytes)
}

#[test]
fn all_counters_agree_with_what_clients_under_load_have_counted() {
    with_each_worker_count(|workers| {
        let server = Monitored::with_workers(workers);
        let address = server.process.address();
        // Two that get everything, and three that share it.
        let subs = ["load.*", "load.>", "load.* g", "load.* g", "load.* g"];
        let mut readers: Vec<Peer> = subs.iter().map(|_| Peer::connect(address)).collect();
        for (reader, sub) in readers.iter_mut().zip(subs) {
            reader.send(format!("SUB {sub} 1\r\nSUB end 2\r\n"));
            reader.round_trip();
        }
        let (got, _publishers): (Vec<(u64, u64)>, Vec<Peer>) = std::thread::scope(|scope| {
            let counting: Vec<_> = readers.iter_mut().map(|reader| scope.spawn(|| count_load(reader))).collect();
            let publishers = (0..PUBLISHERS).map(|publisher| (publisher, Peer::connect(address)));
            let publishing: Vec<_> =
                publishers.map(|(publisher, peer)| scope.spawn(move || publish_load(peer, publisher))).collect();
            let publishers = publishing.into_iter().map(|publishing| publishing.join().unwrap()).collect();
            (counting.into_iter().map(|counting| counting.join().unwrap()).collect(), publishers)
        });
        let sent: Vec<(u64, u64)> = (0..PUBLISHERS).map(|publisher| (LOAD, load_sizes(publisher).sum())).collect();
        let sum = |all: &[(u64, u64)]| all.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let (all, shared) = (sum(&sent), sum(&got[2..]));
        assert_eq!((got[0], got[1], shared), (all, all, all), "nothing was lost and nothing came twice");
        // The words at the end carry nothing.
        let ends = PUBLISHERS * subs.len() as u64;
        let expected = [all.0 + PUBLISHERS, all.1, 3 * all.0 + ends, 3 * all.1];
        let varz = server.json("/varz");
        assert_eq!(numbers(&varz, &FLOW), expected);
        assert_eq!(numbers(&varz, &["slow_consumers", "connections"]), [0, PUBLISHERS + subs.len() as u64]);
        let connz = server.json("/connz");
        let of = |cid: usize| numbers(&connz["connections"][cid - 1], &FLOW);
        for (reader, (messages, bytes)) in got.iter().enumerate() {
            assert_eq!(of(reader + 1), [0, 0, messages + PUBLISHERS, *bytes]);
        }
        let mut published: Vec<_> = (0..sent.len()).map(|publisher| of(subs.len() + 1 + publisher)).collect();
        let mut wanted: Vec<_> = sent.iter().map(|(messages, bytes)| vec![messages + 1, *bytes, 0, 0]).collect();
        published.sort();
        wanted.sort();
        assert_eq!(published, wanted);
        let account = server.json("/accstatz")["account_statz"][0].clone();
        let flow = ["received", "sent"].map(|way| numbers(&account[way], &["msgs", "bytes"])).concat();
        assert_eq!(flow, expected);
        let metrics = server.get("/metrics");
        let sample = |series: &str| {
            let value = metrics.text().lines().find_map(|line| line.strip_prefix(series)?.trim().parse::<u64>().ok());
            value.unwrap_or_else(|| panic!("{series} in {}", metrics.text()))
        };
        let series = ["messages_total{direction=\"in\"}", "message_bytes_total{direction=\"in\"}"];
        let series = [series, ["messages_total{direction=\"out\"}", "message_bytes_total{direction=\"out\"}"]].concat();
        assert_eq!(series.iter().map(|series| sample(&format!("midge_{series} "))).collect::<Vec<_>>(), expected);
    });
}

#[test]
fn a_stale_connection_is_counted() {
    let folder = super::access::Folder::new();
    let config = folder.write("c.conf", "ping_interval: '100ms'\nping_max: 1\n");
    let server = Monitored::start(&["-c", &config]);
    let _silent = Peer::connect(server.process.address());
    let varz = server.wait_json("/varz", |varz| varz["stale_connections"] == 1);
    assert_eq!((&varz["stale_connection_stats"]["clients"], &varz["connections"]), (&json!(1), &json!(0)));
    let text = server.get("/metrics");
    let line = "midge_closed_connections_total{reason=\"Stale Connection\"} 1\n";
    assert!(text.text().contains(line), "{}", text.text());
}

#[test]
fn the_server_is_healthy_until_it_takes_no_more_clients() {
    let server = Monitored::start(&[]);
    let response = server.get("/healthz?details=1&js-enabled-only=true");
    assert_eq!((response.status, response.text()), (200, "{\"status\":\"ok\"}"));
    let _peer = Peer::connect(server.process.address());
    server.process.signal("USR2");
    server.process.wait_log("Entering lame duck mode");
    let text = "failed to be ready for connections after 1ms: server";
    let deadline = std::time::Instant::now() + super::http::DEADLINE;
    while server.get("/healthz").status == 200 {
        assert!(std::time::Instant::now() < deadline);
    }
    let response = server.get("/healthz");
    assert_eq!((response.status, response.text()), (500, &*format!("{{\"status\":\"error\",\"error\":\"{text}\"}}")));
    let detailed = format!("{{\"status\":\"error\",\"errors\":[{{\"type\":\"CONNECTION\",\"error\":\"{text}\"}}]}}");
    assert_eq!(server.get("/healthz?details=1").text(), detailed);
    server.process.wait_log(&format!("[WRN] Healthcheck failed: \"{text}\""));
    assert_eq!(server.json("/varz")["connections"], 1, "the other documents stay");
}
