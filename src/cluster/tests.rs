//! The cluster's decisions one by one.

use super::conns::Origin;
use super::*;

pub(super) fn own(id: &str, name: &str) -> Own {
    Own {
        id: id.to_owned(),
        name: name.to_owned(),
        version: "2.15.1".to_owned(),
        host: "10.0.0.1".to_owned(),
        port: 6222,
        headers: true,
        max_payload: 1 << 20,
        client_urls: vec!["10.0.0.1:4222".to_owned()],
        import: None,
        export: None,
    }
}

pub(super) fn settings() -> Settings {
    Settings {
        name: Some("C1".to_owned()),
        generated_name: "generated".to_owned(),
        routes: Vec::new(),
        advertise: None,
        no_advertise: false,
        connect_retries: 0,
        connect_backoff: false,
        error_reports: [3600, 1],
        ping_interval_ms: 30_000,
        ping_max: 2,
        credentials: None,
        auth_timeout_ms: 2000,
        tls: false,
    }
}

const ADDRESS: &str = "10.0.0.9";

fn start(settings: Settings) -> Cluster {
    let mut cluster = Cluster::new(own("ME", "me"), settings, 1);
    cluster.start(1000);
    cluster
}

fn with_routes(urls: &[&str]) -> Settings {
    Settings { routes: urls.iter().map(|url| RouteUrl::read(url).unwrap()).collect(), ..settings() }
}

/// What is to be done, without the notes.
fn actions(cluster: &mut Cluster) -> Vec<Action> {
    let all = std::iter::from_fn(|| cluster.next_action());
    all.filter(|action| !matches!(action, Action::Note(..))).collect()
}

/// The dials among what is to be done.
fn dials(cluster: &mut Cluster) -> Vec<DialId> {
    let dial = |action| if let Action::Dial { dial, .. } = action { Some(dial) } else { None };
    actions(cluster).into_iter().filter_map(dial).collect()
}

/// The INFOs sent, and to whom.
fn infos(actions: &[Action]) -> Vec<(Conn, Info)> {
    let mut found = Vec::new();
    for action in actions {
        let Action::Send(conn, bytes) = action else { continue };
        for line in String::from_utf8_lossy(bytes).lines() {
            if let Some(document) = line.strip_prefix("INFO ") {
                let mut info = Info::default();
                info.decode(document.as_bytes()).unwrap();
                found.push((*conn, info));
            }
        }
    }
    found
}

fn closes(actions: &[Action]) -> Vec<(Conn, Reason)> {
    let close = |action: &Action| if let Action::Close(conn, reason) = action { Some((*conn, *reason)) } else { None };
    actions.iter().filter_map(close).collect()
}

/// What a peer says of itself.
fn peer(id: &str) -> Info {
    Info {
        server_id: id.to_owned(),
        server_name: format!("name of {id}"),
        host: "10.0.0.9".to_owned(),
        port: 6229,
        headers: true,
        cluster: "C1".to_owned(),
        connect_urls: vec![format!("{id}:4222")],
        lnoc: true,
        ..Info::default()
    }
}

fn info(cluster: &mut Cluster, conn: Conn, info: &Info, now: u64) {
    let line = info.line();
    cluster.info(conn, &line[b"INFO ".len()..line.len() - 2], now);
}

fn ip() -> std::net::IpAddr {
    ADDRESS.parse().unwrap()
}

/// A connection that was accepted and introduced itself so.
fn accept(cluster: &mut Cluster, conn: Conn, document: &Info, now: u64) {
    cluster.accepted(conn, ip(), now);
    cluster.connect(conn, b"{\"cluster\":\"C1\"}", now);
    info(cluster, conn, document, now);
}

#[test]
fn who_accepts_says_info_at_once_and_who_dials_connect_first() {
    let mut cluster = start(with_routes(&["nats://u:s3cret@10.0.0.9:6229"]));
    let first = actions(&mut cluster);
    let [Action::Dial { dial, ref host, port: 6229, attempt: 1 }] = first[..] else { panic!("{first:?}") };
    assert_eq!(host, "10.0.0.9");
    cluster.dialled(dial, 1, ip(), 1001);
    let said = actions(&mut cluster);
    let [Action::Send(1, bytes)] = &said[..] else { panic!("{said:?}") };
    let text = String::from_utf8_lossy(bytes);
    let (connect, info) = text.split_once("\r\n").unwrap();
    assert!(connect.starts_with("CONNECT {") && connect.contains("\"user\":\"u\",\"pass\":\"s3cret\""), "{connect}");
    assert!(connect.contains("\"name\":\"ME\",\"cluster\":\"C1\"") && info.starts_with("INFO {"), "{text}");
    cluster.accepted(2, ip(), 1002);
    let said = actions(&mut cluster);
    let (to, info) = &infos(&said)[0];
    assert_eq!((*to, &info.server_id[..], &info.connect_urls[..]), (2, "ME", &["10.0.0.1:4222".to_owned()][..]));
    assert_eq!((info.proto, &info.compression[..], info.route_pool_size, &info.ip[..]), (2, "", 0, ""));
    assert!(info.headers && info.lnoc && info.lnocu && info.ln && !info.cluster_dynamic);
}

#[test]
fn the_first_operation_must_be_connect() {
    for by_info in [true, false] {
        let mut cluster = start(settings());
        cluster.accepted(1, ip(), 1000);
        actions(&mut cluster);
        assert!(cluster.expects_connect(1));
        match by_info {
            true => info(&mut cluster, 1, &peer("P"), 1000),
            false => cluster.intrude(1, 1000),
        }
        let done = actions(&mut cluster);
        assert_eq!(done[0], Action::Send(1, b"-ERR 'Authorization Violation'\r\n".to_vec()));
        assert_eq!(closes(&done), [(1, Reason::AuthenticationFailure)]);
    }
    let mut cluster = start(settings());
    cluster.accepted(1, ip(), 1000);
    cluster.connect(1, b"{\"cluster\":\"C1\"}", 1000);
    cluster.intrude(1, 1000);
    assert_eq!(closes(&actions(&mut cluster)), [(1, Reason::ProtocolViolation)]);
    assert_eq!(cluster.peer_ip(1), Some(ip()));
    cluster.closed(1, 1000);
    assert_eq!(cluster.peer_ip(1), None);
}

#[test]
fn connects_that_are_refused_say_why() {
    for (document, text, reason) in [
        ("{\"cluster\":\"C1\",\"lang\":\"go\"}", "attempted to connect to route port", Reason::IncorrectPort),
        ("{\"gateway\":\"A\"}", "Rejecting connection from gateway \"A\" on the Route port", Reason::WrongGateway),
        (
            "{\"cluster\":\"C2\"}",
            "Rejecting connection, cluster name \"C2\" does not match \"C1\"",
            Reason::ClusterNameConflict,
        ),
        ("{}", "Rejecting connection, cluster name \"\" does not match \"C1\"", Reason::ClusterNameConflict),
        ("{\"cluster\":1}", "", Reason::ProtocolViolation),
    ] {
        let mut cluster = start(settings());
        cluster.accepted(1, ip(), 1000);
        actions(&mut cluster);
        cluster.connect(1, document.as_bytes(), 1000);
        let done = actions(&mut cluster);
        assert_eq!(closes(&done), [(1, reason)], "{document}");
        if !text.is_empty() {
            assert_eq!(done[0], Action::Send(1, format!("-ERR '{text}'\r\n").into_bytes()));
        }
        info(&mut cluster, 1, &peer("P"), 1000);
        assert_eq!(actions(&mut cluster), [], "{document}: it is being closed");
    }
}

#[test]
fn a_peer_is_registered_by_its_info() {
    let mut cluster = start(settings());
    cluster.accepted(1, ip(), 1000);
    cluster.connect(1, b"{\"cluster\":\"C1\",\"name\":\"P\"}", 1000);
    actions(&mut cluster);
    assert!(!cluster.is_registered(1));
    info(&mut cluster, 1, &Info { lnocu: true, ..peer("P") }, 1000);
    let done = actions(&mut cluster);
    let capabilities =
        Capabilities { headers: true, origins: true, origin_in_unsubscribe: true, ..Capabilities::default() };
    let registered = Peer { id: "P".into(), name: "name of P".into(), capabilities, ..Peer::default() };
    assert_eq!(done, [Action::ClientUrls(vec!["P:4222".to_owned()]), Action::Registered(1, Box::new(registered))]);
    assert!(cluster.is_registered(1));
    cluster.closed(1, 1001);
    assert_eq!(actions(&mut cluster), [Action::Lost(1), Action::ClientUrls(vec![])]);
}

#[test]
fn what_a_peer_understands_follows_from_its_info() {
    for (lnoc, lnocu, ln, want) in [
        (false, false, false, [false, false, false]),
        (true, false, false, [true, false, false]),
        (true, true, false, [true, true, false]),
        (false, false, true, [true, true, true]),
    ] {
        let mut cluster = start(settings());
        accept(&mut cluster, 1, &Info { lnoc, lnocu, ln, ..peer("P") }, 1000);
        let done = actions(&mut cluster);
        let Some(Action::Registered(1, peer)) = done.last() else { panic!("{done:?}") };
        let Capabilities { origins, origin_in_unsubscribe, nameless_origin, forwarded, .. } = peer.capabilities;
        assert_eq!(([origins, origin_in_unsubscribe, nameless_origin], forwarded), (want, false));
    }
}

#[test]
fn the_first_connection_of_a_server_stays_and_inherits() {
    let mut cluster = start(with_routes(&["nats://10.0.0.9:6229"]));
    let dial = dials(&mut cluster)[0];
    accept(&mut cluster, 1, &peer("P"), 1000);
    cluster.dialled(dial, 2, ip(), 1000);
    actions(&mut cluster);
    assert!(!cluster.has_synced());
    info(&mut cluster, 2, &peer("P"), 1001);
    let done = actions(&mut cluster);
    assert_eq!(closes(&done), [(2, Reason::DuplicateRoute)]);
    // It may be dead, if its server dials anew.
    assert_eq!(done[1], Action::Send(1, b"PING\r\n".to_vec()));
    cluster.closed(2, 1002);
    cluster.pong(1, 1002);
    assert!(cluster.has_synced() && cluster.is_registered(1));
    cluster.fire(1900);
    assert_eq!(dials(&mut cluster), [0u64; 0], "the route is attached to the first connection");
    cluster.closed(1, 2000);
    assert_eq!(actions(&mut cluster)[0], Action::Lost(1));
    cluster.fire(2999);
    assert_eq!(dials(&mut cluster), [0u64; 0]);
    cluster.fire(3200);
    assert_eq!(dials(&mut cluster).len(), 1);
}

#[test]
fn a_route_whose_server_has_connected_meanwhile_is_not_dialled() {
    let mut cluster = start(with_routes(&["nats://10.0.0.9:6229"]));
    let dial = dials(&mut cluster)[0];
    cluster.dialled(dial, 1, ip(), 1000);
    info(&mut cluster, 1, &peer("P"), 1000);
    cluster.closed(1, 20_000);
    accept(&mut cluster, 2, &peer("P"), 20_100);
    cluster.fire(25_000);
    assert_eq!(dials(&mut cluster), [0u64; 0]);
    assert!(cluster.has_synced());
    cluster.closed(2, 40_000);
    cluster.fire(45_000);
    assert_eq!(dials(&mut cluster).len(), 1);
}

#[test]
fn a_registered_connection_in_doubt_must_answer_soon() {
    let mut cluster = start(settings());
    accept(&mut cluster, 1, &peer("P"), 1000);
    accept(&mut cluster, 2, &peer("P"), 1500);
    assert_eq!(closes(&actions(&mut cluster)), [(2, Reason::DuplicateRoute)]);
    assert!(cluster.next_due() <= 4500);
    cluster.fire(4499);
    assert_eq!(closes(&actions(&mut cluster)), []);
    cluster.fire(4500);
    assert_eq!(closes(&actions(&mut cluster)), [(1, Reason::StaleConnection)]);
}

#[test]
fn a_connection_to_oneself_is_closed_at_both_ends_and_not_tried_again() {
    let mut cluster = start(with_routes(&["nats://10.0.0.1:6222"]));
    let dial = dials(&mut cluster)[0];
    cluster.dialled(dial, 1, ip(), 1000);
    cluster.accepted(2, ip(), 1000);
    cluster.connect(2, b"{\"cluster\":\"C1\"}", 1000);
    let mine = infos(&actions(&mut cluster))[0].1.clone();
    for conn in [1, 2] {
        info(&mut cluster, conn, &mine, 1000);
        assert_eq!(closes(&actions(&mut cluster)), [(conn, Reason::DuplicateRoute)]);
        cluster.closed(conn, 1001);
    }
    assert!(cluster.has_synced());
    assert_eq!(cluster.next_due(), u64::MAX);
}

#[test]
fn a_server_with_our_name_may_not_connect() {
    let document = Info { server_name: "me".into(), ..peer("P") };
    let mut cluster = start(with_routes(&["nats://10.0.0.9:6229"]));
    let dial = dials(&mut cluster)[0];
    accept(&mut cluster, 1, &document, 1000);
    assert_eq!(closes(&actions(&mut cluster)), [(1, Reason::DuplicateServerName)]);
    // The other side is the one to say so.
    cluster.dialled(dial, 2, ip(), 1000);
    info(&mut cluster, 2, &document, 1000);
    assert_eq!(closes(&actions(&mut cluster)), []);
    // Two others may have the same name: one of them may be the other's successor.
    accept(&mut cluster, 3, &Info { server_name: "b".into(), ..peer("Q") }, 1000);
    accept(&mut cluster, 4, &Info { server_name: "b".into(), ..peer("R") }, 1000);
    assert_eq!(closes(&actions(&mut cluster)), []);
}

/// Whether our name is configured, whether theirs is, both names, and whose the cluster's is then; None for a refusal.
const NAMES: [(bool, bool, &str, &str, Option<&str>); 9] = [
    (true, true, "a", "a", Some("a")),
    (true, true, "a", "b", None),
    (true, false, "a", "b", None),
    (true, false, "b", "a", None),
    (false, true, "b", "a", Some("a")),
    (false, true, "a", "b", Some("b")),
    (false, false, "a", "b", Some("b")),
    (false, false, "b", "a", None),
    (false, true, "a", "a b", None),
];

#[test]
fn clusters_agree_on_a_name_or_not_at_all() {
    for (ours_configured, theirs_configured, ours, theirs, want) in NAMES {
        for in_connect in [true, false] {
            let shown = format!("{ours_configured} {theirs_configured} {ours} {theirs} {in_connect}");
            let mut settings = settings();
            settings.name = ours_configured.then(|| ours.to_owned());
            settings.generated_name = ours.to_owned();
            let mut cluster = start(settings);
            cluster.accepted(1, ip(), 1000);
            assert_eq!(infos(&actions(&mut cluster))[0].1.cluster_dynamic, !ours_configured);
            cluster.connect(1, format!("{{\"cluster\":{ours:?},\"cluster_dynamic\":true}}").as_bytes(), 1000);
            info(&mut cluster, 1, &Info { cluster: ours.into(), cluster_dynamic: true, ..peer("OTHER") }, 1000);
            cluster.accepted(2, ip(), 1000);
            actions(&mut cluster);
            if in_connect {
                let document = format!("{{\"cluster\":{theirs:?},\"cluster_dynamic\":{}}}", !theirs_configured);
                cluster.connect(2, document.as_bytes(), 1000);
            } else {
                // As if CONNECT had said nothing wrong.
                cluster.connect(2, format!("{{\"cluster\":{ours:?},\"cluster_dynamic\":true}}").as_bytes(), 1000);
                let document = Info { cluster: theirs.into(), cluster_dynamic: !theirs_configured, ..peer("P") };
                info(&mut cluster, 2, &document, 1000);
            }
            let closed = closes(&actions(&mut cluster));
            let conflict = |conn| (conn, Reason::ClusterNameConflict);
            match want {
                None => assert_eq!((cluster.name(), &closed[..]), (ours, &[conflict(2)][..]), "{shown}"),
                Some(name) if name == ours => assert_eq!((cluster.name(), &closed[..]), (name, &[][..]), "{shown}"),
                Some(name) => assert_eq!((cluster.name(), &closed[..]), (name, &[conflict(1)][..]), "{shown}"),
            }
        }
    }
}

#[test]
fn new_peers_are_told_of_to_the_others_only() {
    // How we came to know the new one, what it asks for, whether the other one's route is configured; and what the
    // other one is asked for, if it is told at all.
    let table = [
        (Origin::Accepted, 0, false, Some(1)),
        (Origin::Accepted, 0, true, Some(2)),
        (Origin::Accepted, 2, false, Some(1)),
        (Origin::Accepted, 1, true, None),
        (Origin::Configured, 0, false, Some(2)),
        (Origin::Configured, 1, false, None),
        (Origin::Told(Gossip::Usual), 0, false, None),
        (Origin::Told(Gossip::Not), 0, true, None),
        (Origin::Told(Gossip::Always), 0, false, Some(0)),
        (Origin::Again, 0, false, Some(2)),
        (Origin::Again, 1, false, None),
    ];
    for (origin, asks, is_explicit, want) in table {
        let mut cluster = start(with_routes(&["nats://10.0.0.7:1", "nats://10.0.0.8:1"]));
        let [to_other, to_new] = dials(&mut cluster)[..] else { panic!() };
        match is_explicit {
            true => cluster.dialled(to_other, 1, ip(), 1000),
            false => cluster.accepted(1, ip(), 1000),
        }
        cluster.connect(1, b"{\"cluster\":\"C1\"}", 1000);
        info(&mut cluster, 1, &peer("OTHER"), 1000);
        match origin {
            Origin::Accepted => cluster.accepted(2, ip(), 1000),
            Origin::Configured => cluster.dialled(to_new, 2, ip(), 1000),
            Origin::Told(gossip) => {
                let told = Info { ip: "nats-route://10.0.0.6:1/".into(), gossip_mode: gossip.mode(), ..peer("P") };
                info(&mut cluster, 1, &told, 1000);
                let dial = dials(&mut cluster)[0];
                cluster.dialled(dial, 2, ip(), 1000);
            }
            Origin::Again => {
                let told = Info { ip: "nats-route://10.0.0.6:1/".into(), gossip_mode: 1, ..peer("P") };
                info(&mut cluster, 1, &told, 1000);
                let dial = dials(&mut cluster)[0];
                cluster.dialled(dial, 3, ip(), 1000);
                info(&mut cluster, 3, &peer("P"), 1000);
                cluster.closed(3, 1000);
                actions(&mut cluster);
                cluster.fire(1300);
                let dial = dials(&mut cluster)[0];
                cluster.dialled(dial, 2, ip(), 1300);
            }
        }
        cluster.connect(2, b"{\"cluster\":\"C1\"}", 1000);
        let said = actions(&mut cluster);
        if let Origin::Told(gossip) = origin {
            assert_eq!(infos(&said)[0].1.gossip_mode, gossip.mode(), "what was asked for is handed on");
        }
        info(&mut cluster, 2, &Info { gossip_mode: asks, ..peer("P") }, 1000);
        let told = infos(&actions(&mut cluster));
        match want {
            None => assert_eq!(told, [], "{origin:?} {asks}"),
            Some(mode) => {
                let ip = "nats-route://10.0.0.9:6229/".to_owned();
                assert_eq!(told, [(1, Info { ip, gossip_mode: mode, ..peer("P") })], "{origin:?} {asks}");
            }
        }
    }
}

#[test]
fn peers_of_our_kind_are_reminded_of_others_when_they_are_pinged() {
    for (midge, want) in [(1, true), (0, false)] {
        let mut cluster = start(settings());
        accept(&mut cluster, 1, &Info { midge, ..peer("P") }, 1000);
        accept(&mut cluster, 2, &peer("Q"), 1000);
        actions(&mut cluster);
        let mut reminded = false;
        for round in 1..20 {
            cluster.fire(1000 + round * 30_000);
            for (conn, info) in infos(&actions(&mut cluster)) {
                assert_eq!((conn, &info.server_id[..], info.gossip_mode), (1, "Q", 1));
                assert_eq!(info.ip, "nats-route://10.0.0.9:6229/");
                reminded = true;
            }
            cluster.pong(1, 1000);
            cluster.pong(2, 1000);
        }
        assert_eq!(reminded, want);
    }
}

#[test]
fn an_advertised_address_is_passed_on_as_it_is() {
    let mut cluster = start(settings());
    accept(&mut cluster, 1, &peer("OTHER"), 1000);
    actions(&mut cluster);
    accept(&mut cluster, 2, &Info { ip: "nats-route://1.2.3.4:5/".into(), ..peer("P") }, 1000);
    let done = actions(&mut cluster);
    assert_eq!(infos(&done).last().unwrap().1.ip, "nats-route://1.2.3.4:5/");
    let mut cluster = start(Settings { advertise: Some(("1.2.3.4".into(), 5)), ..settings() });
    cluster.accepted(1, ip(), 1000);
    let mine = infos(&actions(&mut cluster))[0].1.clone();
    assert_eq!((&mine.host[..], mine.port, &mine.ip[..]), ("1.2.3.4", 5, "nats-route://1.2.3.4:5/"));
}

#[test]
fn servers_that_were_told_of_are_dialled_unless_there_is_no_need() {
    let told = |id: &str, ip: &str| Info { ip: ip.into(), port: 7, host: "h".into(), ..peer(id) };
    for (document, is_dialled) in [
        (told("Q", "nats-route://10.0.0.6:7/"), true),
        (told("P", "nats-route://10.0.0.6:7/"), false),
        (told("OTHER", "nats-route://10.0.0.6:7/"), false),
        (told("Q", "nats-route://10.0.0.5:1/"), false),
        (Info { host: "10.0.0.5".into(), port: 1, ..told("Q", "nats-route://1.1.1.1:7/") }, false),
        (told("Q", ""), false),
        (told("", "nats-route://10.0.0.6:7/"), false),
        (Info { gateway: "G".into(), ..told("GWP", "nats-route://10.0.0.6:7/") }, false),
    ] {
        let mut cluster = start(with_routes(&["nats://10.0.0.5:1"]));
        actions(&mut cluster);
        accept(&mut cluster, 1, &peer("P"), 1000);
        accept(&mut cluster, 2, &peer("OTHER"), 1000);
        actions(&mut cluster);
        info(&mut cluster, 1, &document, 1000);
        assert_eq!(dials(&mut cluster).len(), usize::from(is_dialled), "{document:?}");
        info(&mut cluster, 2, &document, 1000);
        assert_eq!(dials(&mut cluster), [0u64; 0], "it is being dialled");
        assert!(cluster.is_registered(1));
    }
    for (document, reason) in [
        (told("ME", "nats-route://10.0.0.6:7/"), Reason::DuplicateRoute),
        (Info { cluster: "C2".into(), ..told("Q", "nats-route://10.0.0.6:7/") }, Reason::ClusterNameConflict),
    ] {
        let mut cluster = start(settings());
        accept(&mut cluster, 1, &peer("P"), 1000);
        actions(&mut cluster);
        info(&mut cluster, 1, &document, 1000);
        assert_eq!(closes(&actions(&mut cluster)), [(1, reason)]);
    }
}

#[test]
fn gossip_is_dialled_with_our_own_credentials_where_some_are_needed() {
    for auth_required in [true, false] {
        let mut cluster = start(Settings { credentials: Some(("u".into(), "s3cret".into())), ..settings() });
        cluster.accepted(1, ip(), 1000);
        cluster.connect(1, b"{\"cluster\":\"C1\",\"user\":\"x\",\"pass\":\"y\"}", 1000);
        cluster.verified(1, true, 1000);
        info(&mut cluster, 1, &peer("P"), 1000);
        actions(&mut cluster);
        let told = Info { ip: "nats-route://a:b@10.0.0.6:7/".into(), auth_required, ..peer("Q") };
        info(&mut cluster, 1, &told, 1000);
        let dial = dials(&mut cluster)[0];
        cluster.dialled(dial, 2, ip(), 1000);
        let done = actions(&mut cluster);
        let Action::Send(2, lines) = &done[0] else { panic!("{done:?}") };
        let text = String::from_utf8_lossy(lines);
        assert_eq!(text.contains("\"user\":\"u\",\"pass\":\"s3cret\""), auth_required, "{text}");
        assert!(!text.contains("\"a\""), "{text}");
    }
}

#[test]
fn gossip_is_dialled_a_few_times_and_then_rarely() {
    let mut cluster = start(Settings { connect_retries: 2, ..settings() });
    accept(&mut cluster, 1, &peer("P"), 1000);
    actions(&mut cluster);
    info(&mut cluster, 1, &Info { ip: "nats-route://10.0.0.6:7/".into(), ..peer("Q") }, 1000);
    let mut now = 1000;
    for pause in [1000, 1000, 30_000, 30_000] {
        let dial = dials(&mut cluster)[0];
        cluster.dial_failed(dial, "refused", now);
        cluster.pong(1, now);
        while cluster.next_due() < now + pause {
            let due = cluster.next_due();
            cluster.fire(due);
            cluster.pong(1, due);
            assert_eq!(dials(&mut cluster), [0u64; 0], "too early");
        }
        now += pause + 5000;
        cluster.fire(now);
        cluster.pong(1, now);
    }
    assert_eq!(dials(&mut cluster).len(), 1);
}

#[test]
fn a_server_told_of_that_does_not_introduce_itself_is_dialled_again_later() {
    let mut cluster = start(settings());
    accept(&mut cluster, 1, &peer("P"), 1000);
    actions(&mut cluster);
    info(&mut cluster, 1, &Info { ip: "nats-route://10.0.0.6:7/".into(), ..peer("Q") }, 1000);
    let dial = dials(&mut cluster)[0];
    cluster.dialled(dial, 2, ip(), 1000);
    cluster.fire(11_000);
    cluster.pong(1, 11_000);
    assert_eq!(closes(&actions(&mut cluster)), [(2, Reason::StaleConnection)]);
    cluster.closed(2, 11_000);
    cluster.fire(40_999);
    cluster.pong(1, 40_999);
    assert_eq!(dials(&mut cluster), [0u64; 0]);
    cluster.fire(46_000);
    assert_eq!(dials(&mut cluster).len(), 1);
}

#[test]
fn configured_routes_are_dialled_for_ever_with_growing_pauses_if_asked_to() {
    for (connect_backoff, longest) in [(false, 1000), (true, 30_000)] {
        let mut cluster = start(Settings { connect_backoff, ..with_routes(&["nats://u:s3cret@10.0.0.9:6229"]) });
        let mut now = 1000;
        let mut errors = 0;
        for attempt in 1..=20u32 {
            let mut dial = None;
            while let Some(action) = cluster.next_action() {
                match action {
                    Action::Dial { dial: id, attempt: number, .. } => {
                        assert_eq!(number, attempt);
                        dial = Some(id);
                    }
                    Action::Note(level, _, text) => {
                        errors += usize::from(level == Level::Error);
                        assert!(!text.contains("s3cret"), "{text}");
                    }
                    other => panic!("{other:?}"),
                }
            }
            cluster.dial_failed(dial.unwrap(), "connection refused", now);
            let pause = if connect_backoff { (1000u64 << (attempt - 1).min(5)).min(30_000) } else { 1000 };
            assert!(pause <= longest && (now + pause..now + pause + 100).contains(&cluster.next_due()), "{attempt}");
            now = cluster.next_due();
            cluster.fire(now);
        }
        assert_eq!(errors, 1, "the first failure is an error in the log, and then one in many");
    }
}

#[test]
fn lame_ducks_say_so_and_their_clients_addresses_go() {
    let mut cluster = start(settings());
    accept(&mut cluster, 1, &peer("P"), 1000);
    accept(&mut cluster, 2, &peer("Q"), 1000);
    actions(&mut cluster);
    info(&mut cluster, 1, &Info { ldm: true, ..peer("P") }, 1000);
    assert_eq!(actions(&mut cluster), [Action::ClientUrls(vec!["Q:4222".to_owned()])]);
    cluster.enter_lame_duck_mode(1000);
    let told = infos(&actions(&mut cluster));
    assert_eq!(told.iter().map(|(conn, info)| (*conn, info.ldm)).collect::<Vec<_>>(), [(1, true), (2, true)]);
    assert!(told.iter().all(|(_, info)| info.server_id == "ME" && info.connect_urls.is_empty()));
}

#[test]
fn client_addresses_are_counted_and_kept_to_oneself_if_asked_to() {
    let mut cluster = start(settings());
    let same = |id| Info { connect_urls: vec!["same:1".into()], ..peer(id) };
    accept(&mut cluster, 1, &same("P"), 1000);
    accept(&mut cluster, 2, &same("Q"), 1000);
    let told = |actions: Vec<Action>| actions.into_iter().filter(|a| matches!(a, Action::ClientUrls(_))).count();
    assert_eq!(told(actions(&mut cluster)), 1);
    cluster.closed(1, 1000);
    assert_eq!(told(actions(&mut cluster)), 0);
    cluster.closed(2, 1000);
    assert_eq!(told(actions(&mut cluster)), 1);
    let long = Info { connect_urls: vec!["x".repeat(URL_BYTES_MAX + 1); 2 * URLS_MAX], ..peer("R") };
    accept(&mut cluster, 3, &long, 1000);
    assert_eq!(told(actions(&mut cluster)), 0);
    let mut quiet = start(Settings { no_advertise: true, ..settings() });
    accept(&mut quiet, 1, &peer("P"), 1000);
    let done = actions(&mut quiet);
    assert!(infos(&done)[0].1.connect_urls.is_empty());
    assert_eq!(told(done), 0);
}

#[test]
fn silent_peers_are_pinged_and_then_closed() {
    for registered in [true, false] {
        let mut cluster = start(Settings { ping_interval_ms: 500, ..settings() });
        match registered {
            true => accept(&mut cluster, 1, &peer("P"), 1000),
            false => cluster.accepted(1, ip(), 1000),
        }
        actions(&mut cluster);
        let ping = [Action::Send(1, b"PING\r\n".to_vec())];
        assert!((1500..=1600).contains(&cluster.next_due()));
        cluster.fire(1600);
        assert_eq!(actions(&mut cluster), ping);
        cluster.pong(1, 1700);
        cluster.fire(2100);
        assert_eq!(actions(&mut cluster), ping);
        cluster.fire(2600);
        assert_eq!(actions(&mut cluster), ping);
        cluster.fire(3099);
        assert_eq!(actions(&mut cluster), []);
        cluster.fire(3100);
        let done = actions(&mut cluster);
        assert_eq!(done[0], Action::Send(1, b"-ERR 'Stale Connection'\r\n".to_vec()));
        assert_eq!(closes(&done), [(1, Reason::StaleConnection)]);
    }
}

#[test]
fn strangers_must_introduce_themselves_soon() {
    for (says_connect, reason) in [(false, Reason::AuthenticationTimeout), (true, Reason::StaleConnection)] {
        let mut cluster = start(settings());
        cluster.accepted(1, ip(), 1000);
        if says_connect {
            cluster.connect(1, b"{\"cluster\":\"C1\"}", 1000);
        }
        cluster.fire(10_999);
        cluster.pong(1, 10_999);
        assert_eq!(closes(&actions(&mut cluster)), []);
        cluster.fire(11_000);
        assert_eq!(closes(&actions(&mut cluster)), [(1, reason)]);
    }
}

#[test]
fn credentials_are_checked_before_anything_else() {
    let settings = || Settings { credentials: Some(("u".into(), "p".into())), ..settings() };
    let mut cluster = start(settings());
    for conn in 1..=3 {
        cluster.accepted(conn, ip(), 1000);
        cluster.connect(conn, b"{\"cluster\":\"C1\",\"user\":\"u\",\"pass\":\"s3cret\"}", 1000);
    }
    let done = actions(&mut cluster);
    assert!(done.contains(&Action::Verify(1, "u".into(), "s3cret".into())));
    assert!(infos(&done)[0].1.auth_required && !format!("{done:?}{cluster:?}").contains("s3cret"));
    cluster.verified(1, false, 1000);
    let done = actions(&mut cluster);
    assert_eq!(done[0], Action::Send(1, b"-ERR 'Authorization Violation'\r\n".to_vec()));
    assert_eq!(closes(&done), [(1, Reason::AuthenticationFailure)]);
    info(&mut cluster, 2, &peer("P"), 1000);
    assert_eq!(closes(&actions(&mut cluster)), [(2, Reason::ProtocolViolation)], "nothing is taken meanwhile");
    cluster.verified(3, true, 1000);
    info(&mut cluster, 3, &peer("P"), 1000);
    assert!(cluster.is_registered(3));
    let mut cluster = start(settings());
    cluster.accepted(1, ip(), 1000);
    cluster.fire(2999);
    actions(&mut cluster);
    cluster.fire(3000);
    let done = actions(&mut cluster);
    assert_eq!(done[0], Action::Send(1, b"-ERR 'Authentication Timeout'\r\n".to_vec()));
    assert_eq!(closes(&done), [(1, Reason::AuthenticationTimeout)]);
}

#[test]
fn errors_of_peers_end_the_connection() {
    let mut cluster = start(with_routes(&["nats://10.0.0.9:6229"]));
    let dial = dials(&mut cluster)[0];
    cluster.dialled(dial, 1, ip(), 1000);
    info(&mut cluster, 1, &peer("P"), 1000);
    cluster.error(1, b"'Authorization Violation\x1b'", 1000);
    let mut notes = Vec::new();
    let mut closed = Vec::new();
    while let Some(action) = cluster.next_action() {
        match action {
            Action::Note(Level::Error, Some(1), text) => notes.push(text),
            Action::Close(conn, reason) => closed.push((conn, reason)),
            _ => {}
        }
    }
    assert_eq!(closed, [(1, Reason::ParseError)]);
    assert_eq!(notes, ["Route Error 'Authorization Violation\\x1b'"]);
    cluster.fire(2300);
    assert_eq!(dials(&mut cluster).len(), 1, "the route is dialled again although the socket is not closed yet");
}

#[test]
fn later_infos_of_a_peer() {
    let mut cluster = start(settings());
    accept(&mut cluster, 1, &peer("P"), 1000);
    actions(&mut cluster);
    let question = Info { route_acc_add_reqid: "q".into(), route_account: "A".into(), ..Info::default() };
    info(&mut cluster, 1, &question, 1000);
    let answer = Info { route_account: String::new(), ..question };
    assert_eq!(infos(&actions(&mut cluster)), [(1, answer)]);
    info(&mut cluster, 1, &peer("P"), 1000);
    assert_eq!(actions(&mut cluster), []);
    let export = Some(SubjectLists { allow: Some(vec!["a".into()]), deny: None });
    let changed = Info { export: export.clone(), connect_urls: vec![], ..peer("P") };
    info(&mut cluster, 1, &changed, 1000);
    let done = actions(&mut cluster);
    let [Action::Changed(1, peer)] = &done[..] else { panic!("{done:?}") };
    assert_eq!(peer.export, export);
    info(&mut cluster, 1, &changed, 1000);
    assert_eq!(actions(&mut cluster), []);
    cluster.info(1, b"{", 1000);
    assert_eq!(closes(&actions(&mut cluster)), [(1, Reason::ProtocolViolation)]);
}

#[test]
fn connections_and_peers_are_bounded() {
    let mut cluster = start(settings());
    for conn in 0..STRANGERS_MAX as Conn {
        cluster.accepted(conn, ip(), 1000);
    }
    actions(&mut cluster);
    cluster.accepted(9999, ip(), 1000);
    assert_eq!(actions(&mut cluster), [Action::Close(9999, Reason::MaximumConnectionsExceeded)]);
    let mut cluster = start(settings());
    for conn in 0..=PEERS_MAX as Conn {
        actions(&mut cluster);
        accept(&mut cluster, conn, &Info { gossip_mode: 1, ..peer(&format!("P{conn}")) }, 1000);
    }
    let last = PEERS_MAX as Conn;
    assert_eq!(closes(&actions(&mut cluster)), [(last, Reason::MaximumConnectionsExceeded)]);
    accept(&mut cluster, 10_000, &peer(""), 1000);
    assert_eq!(closes(&actions(&mut cluster)), [(10_000, Reason::ProtocolViolation)]);
    for number in 0..2 * PEERS_MAX {
        let told = Info { ip: format!("nats-route://10.0.0.6:{}/", 1 + number), ..peer(&format!("Q{number}")) };
        info(&mut cluster, 1, &told, 1000);
    }
    assert_eq!(dials(&mut cluster).len(), PEERS_MAX);
}

#[test]
fn a_reload_adds_and_removes_routes() {
    let urls = |numbers: &[u32]| -> Settings {
        let urls: Vec<String> = numbers.iter().map(|number| format!("nats://10.0.0.{number}:1")).collect();
        with_routes(&urls.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let mut cluster = start(urls(&[1, 2]));
    let [first, second] = dials(&mut cluster)[..] else { panic!() };
    cluster.dialled(first, 1, ip(), 1000);
    info(&mut cluster, 1, &peer("P"), 1000);
    actions(&mut cluster);
    cluster.adopt(own("ME", "me"), urls(&[2, 3]), 1000);
    let done = actions(&mut cluster);
    assert_eq!(closes(&done), [(1, Reason::RouteRemoved)]);
    let dialled: Vec<&str> = done
        .iter()
        .filter_map(|action| if let Action::Dial { host, .. } = action { Some(&host[..]) } else { None })
        .collect();
    assert_eq!(dialled, ["10.0.0.3"]);
    cluster.closed(1, 1000);
    cluster.dialled(second, 2, ip(), 1000);
    info(&mut cluster, 2, &peer("Q"), 1000);
    cluster.adopt(own("ME", "me"), urls(&[3]), 1000);
    assert_eq!(closes(&actions(&mut cluster)), [(2, Reason::RouteRemoved)]);
    cluster.closed(2, 1000);
    cluster.fire(100_000);
    assert_eq!(dials(&mut cluster), [0u64; 0]);
    accept(&mut cluster, 3, &peer("R"), 1000);
    actions(&mut cluster);
    cluster.adopt(own("ME", "me"), Settings { name: Some("C2".into()), ..urls(&[3]) }, 1000);
    assert_eq!(closes(&actions(&mut cluster)), [(3, Reason::ClusterNameConflict)]);
    assert_eq!(cluster.name(), "C2");
}

#[test]
fn a_dial_that_is_no_longer_wanted_is_closed() {
    let mut cluster = start(with_routes(&["nats://10.0.0.9:6229"]));
    let dial = dials(&mut cluster)[0];
    cluster.shut_down();
    cluster.dialled(dial, 1, ip(), 1000);
    assert_eq!(actions(&mut cluster), [Action::Close(1, Reason::RouteRemoved)]);
    cluster.closed(1, 1000);
    assert_eq!(cluster.next_due(), u64::MAX);
}

#[test]
fn a_reload_of_permissions_is_told_to_the_peers_and_nothing_else_is() {
    let mut cluster = start(settings());
    for (conn, id) in [(1, "P"), (2, "Q")] {
        accept(&mut cluster, conn, &peer(id), 1000);
    }
    cluster.accepted(3, ip(), 1000);
    actions(&mut cluster);
    cluster.adopt(own("ME", "me"), Settings { connect_retries: 7, ..settings() }, 1000);
    assert_eq!(actions(&mut cluster), []);
    let lists = SubjectLists { allow: Some(vec!["a.>".to_owned()]), deny: None };
    for (import, export) in [(Some(lists.clone()), None), (None, Some(lists)), (None, None)] {
        cluster.adopt(Own { import, export, ..own("ME", "me") }, settings(), 1000);
        let own = cluster.own.clone();
        let told = infos(&actions(&mut cluster));
        assert_eq!(told.iter().map(|(conn, _)| *conn).collect::<Vec<_>>(), [1, 2]);
        for (_, info) in told {
            assert_eq!(
                (info.server_id.as_str(), info.import, info.export),
                ("ME", own.import.clone(), own.export.clone())
            );
        }
    }
}

#[test]
fn other_credentials_must_be_given_by_those_who_dialled_us() {
    let locked = |password: &str| Settings {
        credentials: Some(("u".into(), password.into())),
        ..with_routes(&["nats://u:p@10.0.0.9:6229"])
    };
    let mut cluster = start(locked("old"));
    let dial = dials(&mut cluster)[0];
    cluster.dialled(dial, 1, ip(), 1000);
    info(&mut cluster, 1, &peer("P"), 1000);
    for (conn, id) in [(2, "Q"), (3, "R")] {
        cluster.accepted(conn, ip(), 1000);
        cluster.connect(conn, b"{\"cluster\":\"C1\",\"user\":\"u\",\"pass\":\"old\"}", 1000);
        cluster.verified(conn, true, 1000);
        info(&mut cluster, conn, &peer(id), 1000);
    }
    cluster.accepted(4, ip(), 1000);
    actions(&mut cluster);
    cluster.adopt(own("ME", "me"), Settings { auth_timeout_ms: 1, ..locked("old") }, 1000);
    assert_eq!(actions(&mut cluster), []);
    cluster.adopt(own("ME", "me"), locked("new"), 1000);
    let reason = Reason::AuthenticationFailure;
    assert_eq!(closes(&actions(&mut cluster)), [(2, reason), (3, reason), (4, reason)]);
    // Where nothing needs to be given any more everybody may stay.
    accept(&mut cluster, 5, &peer("S"), 1000);
    actions(&mut cluster);
    cluster.adopt(own("ME", "me"), Settings { credentials: None, ..locked("new") }, 1000);
    assert_eq!(closes(&actions(&mut cluster)), []);
}

#[test]
fn a_hash_is_no_password_to_give() {
    let hash = "$2a$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde";
    for (route, given) in
        [("nats://u:s3cret@10.0.0.8:1", "\"user\":\"u\",\"pass\":\"s3cret\""), ("nats://10.0.0.8:1", "")]
    {
        let credentials = Some(("u".into(), hash.into()));
        let mut cluster = start(Settings { credentials, ..with_routes(&[route]) });
        cluster.accepted(1, ip(), 1000);
        cluster.connect(1, b"{\"cluster\":\"C1\",\"user\":\"u\",\"pass\":\"s3cret\"}", 1000);
        cluster.verified(1, true, 1000);
        info(&mut cluster, 1, &peer("P"), 1000);
        actions(&mut cluster);
        let told = Info { ip: "nats-route://10.0.0.6:7/".into(), auth_required: true, port: 7, ..peer("Q") };
        info(&mut cluster, 1, &told, 1000);
        let dial = dials(&mut cluster)[0];
        cluster.dialled(dial, 2, ip(), 1000);
        let done = actions(&mut cluster);
        let Action::Send(2, lines) = &done[0] else { panic!("{done:?}") };
        let text = String::from_utf8_lossy(lines);
        assert!(text.contains(given) && !text.contains("$2a$"), "{text}");
    }
}
