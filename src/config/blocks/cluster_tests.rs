use std::path::Path;

use super::*;
use crate::config::cluster::ClusterOptions;
use crate::config::file;
use crate::config::lang;
use crate::config::reload;
use crate::config::tests::NOTHING;
use crate::config::tls::{ClientCertificates, KeyPair};

fn read_text(text: &str) -> (Options, Vec<String>, Vec<String>) {
    let map = lang::parse(Path::new("c.conf"), text.as_bytes(), &NOTHING).unwrap();
    let mut options = Options::default();
    let report = file::apply(&map, &mut options);
    let lines = |problems: &[lang::Problem]| problems.iter().map(ToString::to_string).collect();
    (options, lines(&report.errors), lines(&report.warnings))
}

/// What a block of these keys makes of the options.
fn good(keys: &str) -> ClusterOptions {
    let (options, errors, warnings) = read_text(&format!("cluster {{\n{keys}\n}}"));
    assert_eq!((errors, warnings), (vec![], vec![]), "{keys}");
    options.cluster
}

fn routes(texts: &[&str]) -> Vec<crate::wire::route::RouteUrl> {
    texts.iter().map(|text| read_route(text).unwrap()).collect()
}

fn lists(allow: &[&str], deny: &[&str]) -> Option<SubjectLists> {
    let list = |subjects: &[&str]| Some(subjects.iter().map(ToString::to_string).collect::<Vec<_>>());
    let list = |subjects| list(subjects).filter(|subjects| !subjects.is_empty());
    Some(SubjectLists { allow: list(allow), deny: list(deny) })
}

#[test]
fn every_key_reaches_its_option() {
    let with = |change: fn(&mut ClusterOptions)| {
        let mut options = ClusterOptions::default();
        change(&mut options);
        options
    };
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (keys, expected) in [
        ("", ClusterOptions::default()),
        ("name: C1", with(|cluster| cluster.name = Some("C1".into()))),
        ("name: ''", ClusterOptions::default()),
        ("listen: 127.0.0.1:-1", with(|cluster| (cluster.host, cluster.port) = ("127.0.0.1".into(), Some(0)))),
        ("listen: '[::1]:6222'", with(|cluster| (cluster.host, cluster.port) = ("::1".into(), Some(6222)))),
        ("listen: 6222", with(|cluster| cluster.port = Some(6222))),
        ("LISTEN: 5, port: 0", ClusterOptions::default()),
        ("host: h, port: -1", with(|cluster| (cluster.host, cluster.port) = ("h".into(), Some(0)))),
        ("net: h", with(|cluster| cluster.host = "h".into())),
        ("no_advertise: on", with(|cluster| cluster.no_advertise = true)),
        ("wait_for_routes: yes", with(|cluster| cluster.wait_for_routes = true)),
        (
            "routes: [nats://a:1, nats-route://u:p@b:2]",
            with(|cluster| cluster.routes = routes(&["x://a:1", "x://u:p@b:2"])),
        ),
        ("routes [\n nats://a:1\n nats://b:2\n]", with(|cluster| cluster.routes = routes(&["x://a:1", "x://b:2"]))),
        ("routes: nats://a:1", with(|cluster| cluster.routes = routes(&["x://a:1"]))),
        (
            "connect_retries: 5, connect_backoff: true",
            with(|cluster| (cluster.connect_retries, cluster.connect_backoff) = (5, true)),
        ),
        ("connect_retries: -5", ClusterOptions::default()),
        (
            "ping_interval: 5s, ping_max: 3",
            ClusterOptions { ping_interval: seconds(5), ping_max: Some(3), ..ClusterOptions::default() },
        ),
        (
            "ping_interval: '30s', ping_max: 0",
            ClusterOptions { ping_interval: seconds(30), ..ClusterOptions::default() },
        ),
        ("ping_interval: '0s', write_deadline: '0'", ClusterOptions::default()),
        ("write_deadline: 3s", ClusterOptions { write_deadline: seconds(3), ..ClusterOptions::default() }),
        ("write_timeout: retry", with(|cluster| cluster.write_timeout = Some(WriteTimeout::Retry))),
        (
            "authorization { user: u, password: p }",
            with(|cluster| (cluster.user, cluster.password) = (Some("u".into()), "p".into())),
        ),
        (
            "authorization { username: u, pass: p, timeout: 0.5 }",
            with(|cluster| {
                (cluster.user, cluster.password) = (Some("u".into()), "p".into());
                cluster.auth_timeout = Some(Duration::from_millis(500));
            }),
        ),
        (
            "permissions { import: a.*, export: [b, c] }",
            ClusterOptions {
                import: lists(&["a.*"], &[]),
                export: lists(&["b", "c"], &[]),
                ..ClusterOptions::default()
            },
        ),
        (
            "permissions { publish: {allow: a, deny: [b, '>']}, subscribe: {deny: c} }",
            ClusterOptions {
                import: lists(&["a"], &["b", ">"]),
                export: lists(&[], &["c"]),
                ..ClusterOptions::default()
            },
        ),
        ("permissions { import: [] }", ClusterOptions::default()),
        // How official servers share out their connections: one is all we have.
        ("pool_size: 5", ClusterOptions::default()),
        ("pool_size: -1, accounts: []", ClusterOptions::default()),
        ("compression: off", ClusterOptions::default()),
        ("compression: accept", ClusterOptions::default()),
        ("compression: {mode: Disabled, rtt_thresholds: [10ms]}", ClusterOptions::default()),
    ] {
        assert_eq!(good(keys), expected, "{keys}");
    }
    for key in ["advertise", "cluster_advertise"] {
        let advertise = good(&format!("{key}: '1.2.3.4:5'")).advertise;
        assert_eq!(advertise.map(|address| address.to_string()).as_deref(), Some("1.2.3.4:5"));
    }
}

#[test]
fn what_the_block_leaves_open_is_as_with_clients() {
    let options = |text: &str| read_text(text).0;
    let without = options("cluster { port: -1 }\nping_interval: 10s, ping_max: 4, write_deadline: 3s");
    assert_eq!(without.cluster.listen(), Some(("0.0.0.0", 0)));
    assert_eq!((without.cluster_ping_interval(), without.cluster_ping_max()), (Duration::from_secs(10), 4));
    assert_eq!(without.cluster_write_deadline(), Duration::from_secs(3));
    assert_eq!(Options::default().cluster_ping_interval(), PING_INTERVAL_MAX);
    let with = options("cluster { ping_interval: 1s, ping_max: 1, write_deadline: 2s }\nping_max: 4");
    assert_eq!((with.cluster_ping_interval(), with.cluster_ping_max()), (Duration::from_secs(1), 1));
    assert_eq!(with.cluster_write_deadline(), Duration::from_secs(2));
    let timeout = |text: &str| options(text).cluster.auth_timeout();
    assert_eq!(timeout("cluster { port: -1 }"), Duration::from_secs(2));
    let tls = "tls { cert_file: a, key_file: b, ca_file: c, timeout: 4 }";
    assert_eq!(timeout(&format!("cluster {{ {tls} }}")), Duration::from_secs(5));
    assert_eq!(timeout(&format!("cluster {{ {tls}, authorization {{ timeout: 1 }} }}")), Duration::from_secs(1));
    assert_eq!(options("connect_error_reports: 5, reconnect_error_reports: 7").connect_error_reports, 5);
}

#[test]
fn routes_have_certificates_at_both_ends() {
    let tls =
        good("tls { cert_file: a.pem, key_file: a.key, ca_file: ca, verify: false, pinned_certs: [] }").tls.unwrap();
    assert_eq!(tls.certificates, [KeyPair { certificate: "a.pem".into(), key: "a.key".into() }]);
    assert_eq!(
        (tls.ca_file.as_deref(), tls.client_certificates),
        (Some(Path::new("ca")), ClientCertificates::Verified)
    );
    for (keys, expected) in [
        ("cert_file: a, key_file: b", "c.conf:2:1: missing 'ca_file' in TLS configuration"),
        ("ca_file: c", "c.conf:2:1: missing 'cert_file' in TLS configuration"),
        (
            "cert_file: a, key_file: b, ca_file: c, verify_and_map: true",
            "c.conf:2:1: verify_and_map is not supported for routes",
        ),
        (
            "cert_file: a, key_file: b, ca_file: c, verify_cert_and_check_known_urls: true",
            "c.conf:2:46: verify_cert_and_check_known_urls not supported in this context",
        ),
        ("cert_file: a, key_file: b, ca_file: c, insecure: 1", "c.conf:2:46: expected a boolean, got an integer"),
    ] {
        let (_, errors, warnings) = read_text(&format!("cluster {{\ntls {{ {keys} }}\n}}"));
        assert_eq!((errors, warnings), (vec![expected.to_owned()], vec![]), "{keys}");
    }
    let (_, errors, warnings) =
        read_text("cluster {\ntls { cert_file: a, key_file: b, ca_file: c, insecure: true }\n}");
    assert_eq!(
        (errors, warnings),
        (vec![], vec!["c.conf:2:46: \"insecure\" is ignored: certificates are always verified".to_owned()])
    );
}

#[test]
fn everything_wrong_is_told_with_its_place_and_no_secret() {
    for (keys, expected) in [
        ("foo: 1", &["2:1: unknown field \"foo\""][..]),
        ("name: 'a b'", &["2:1: cluster name cannot contain spaces"]),
        ("name: _", &["2:1: cluster name is reserved"]),
        ("name: 5", &["2:1: expected a string, got an integer"]),
        ("listen: h", &["2:1: expected a port or \"host:port\""]),
        ("listen: h:65536", &["2:1: port must be between -1 and 65535, not 65536"]),
        ("port: -2", &["2:1: port must be between -1 and 65535, not -2"]),
        ("advertise: 'a:b:c'", &["2:1: expected host or host:port, not \"a:b:c\""]),
        ("routes: 5", &["2:1: expected an array of strings, got an integer"]),
        (
            "routes: [\nnats://h:1\n  '127.0.0.1:1'\n5, nats://u:s3cret@h\n]",
            &[
                "4:3: error parsing route url [\"127.0.0.1:1\"]: missing scheme in URL",
                "5:1: expected strings in the array, got an integer",
                "5:4: error parsing route url [\"[REDACTED]@h\"]: missing port in address",
            ],
        ),
        ("authorization { token: s3cret }", &["2:17: Cluster authorization does not support tokens"]),
        ("authorization { Users: [] }", &["2:17: Cluster authorization does not allow multiple users"]),
        (
            "authorization { foo: s3cret, pass: 1 }",
            &["2:17: unknown field \"foo\"", "2:30: expected a string, got an integer"],
        ),
        ("authorization { timeout: '1us' }", &["2:17: timeout must be 1ms or more"]),
        ("authorization: s3cret", &["2:1: expected a map, got a string"]),
        ("permissions { export: 'foo q' }", &["2:1: cluster export allow: subject \"foo q\" is not a valid subject"]),
        (
            "permissions { export: {deny: 'foo q'} }",
            &["2:1: cluster export deny: subject \"foo q\" is not a valid subject"],
        ),
        ("permissions { import: 'foo..q' }", &["2:15: subject \"foo..q\" is not a valid subject"]),
        ("permissions { foo: x }", &["2:15: Unknown field \"foo\" parsing permissions"]),
        ("permissions { allow_responses: true }", &["2:1: Cluster permissions do not support dynamic responses"]),
        ("ping_interval: x", &["2:1: expected a duration such as \"2m\" or \"1.5s\""]),
        (
            "ping_interval: '1us', write_deadline: '1us'",
            &["2:1: ping_interval must be 1ms or more", "2:23: write_deadline must be 1ms or more"],
        ),
        ("write_timeout: foo", &["2:1: write_timeout must be \"default\", \"close\" or \"retry\""]),
        ("pool_size: x", &["2:1: expected an integer, got a string"]),
        ("accounts: 1", &["2:1: expected a string or an array of strings, got an integer"]),
        ("compression: foo", &["2:1: unsupported compression mode \"foo\""]),
        ("compression: 1", &["2:1: expected a boolean, a string or a map, got an integer"]),
    ] {
        let (_, errors, _) = read_text(&format!("cluster {{\n{keys}\n}}"));
        let expected: Vec<String> = expected.iter().map(|line| format!("c.conf:{line}")).collect();
        assert_eq!(errors, expected, "{keys}");
    }
    assert_eq!(read_text("cluster: 5").1, ["c.conf:1:1: expected a map, got an integer"]);
}

#[test]
fn what_is_not_as_asked_is_warned_of() {
    let (options, _, warnings) = read_text("cluster {\nroutes: [nats://h:1, nats://h:1]\n}");
    assert_eq!(
        (options.cluster.routes.len(), warnings),
        (1, vec!["c.conf:2:22: Duplicate route entry detected".to_owned()])
    );
    for (keys, expected) in [
        ("ping_interval: '31s'", &["Cluster 'ping_interval' will reset to 30s which is the max for routes"][..]),
        (
            "ping_interval: 5",
            &["invalid use of field \"ping_interval\": ping_interval should be converted to a duration"],
        ),
        ("compression: s2_auto", &["\"compression\" is ignored: routes are not compressed"]),
        ("compression: true", &["\"compression\" is ignored: routes are not compressed"]),
        ("compression: {mode: s2_fast}", &["\"compression\" is ignored: routes are not compressed"]),
        ("accounts: [A]", &["\"accounts\" is ignored: all accounts share one route"]),
        ("authorization { timeout: 90 }", &["timeout of 1m30s is long, 60s should be enough"]),
        (
            "authorization { default_permissions: {import: a} }",
            &[
                "invalid use of field \"authorization\": setting \"permissions\" within cluster authorization block is deprecated",
            ],
        ),
    ] {
        let (options, errors, warnings) = read_text(&format!("cluster {{\n{keys}\n}}"));
        assert_eq!((errors, warnings.len()), (vec![], expected.len()), "{keys}: {warnings:?}");
        assert!(warnings.iter().zip(expected).all(|(line, end)| line.ends_with(end)), "{keys}: {warnings:?}");
        assert!(options.cluster.ping_interval.is_none_or(|time| time <= PING_INTERVAL_MAX));
        assert_eq!(options.cluster.import.is_some(), keys.contains("import"));
    }
}

#[test]
fn a_reload_knows_what_changed_in_a_cluster() {
    let cluster = |keys: &str| read_text(&format!("cluster {{ {keys} }}")).0;
    let changes = |old: &str, new: &str| {
        let lines = |changes: Vec<reload::Change>| changes.iter().map(ToString::to_string).collect::<Vec<_>>();
        reload::changes(&cluster(old), &cluster(new)).map(lines)
    };
    let full = "name: a, listen: h:1, authorization { user: s3cret, pass: s3cret }";
    assert_eq!(changes(full, full), Ok(vec![]));
    for (keys, expected) in [
        ("name: n", "name"),
        ("advertise: h", "advertise"),
        ("no_advertise: true", "no_advertise"),
        ("routes: [nats://u:s3cret@h:1]", "routes"),
        ("wait_for_routes: true", "wait_for_routes"),
        ("connect_retries: 1", "connect_retries"),
        ("connect_backoff: true", "connect_backoff"),
        ("authorization { user: s3cret }", "authorization"),
        ("authorization { password: s3cret }", "authorization"),
        ("authorization { timeout: 3 }", "authorization"),
        ("permissions { import: a }", "permissions"),
        ("permissions { export: a }", "permissions"),
        ("tls { cert_file: a, key_file: b, ca_file: c }", "tls"),
        ("ping_interval: 3s", "ping_interval"),
        ("ping_max: 3", "ping_max"),
        ("write_deadline: 3s", "write_deadline"),
        ("write_timeout: close", "write_timeout"),
    ] {
        for (old, new) in [("", keys), (keys, "")] {
            assert_eq!(changes(old, new), Ok(vec![format!("cluster {expected}")]), "{keys}");
        }
        let found = reload::changes(&cluster(""), &cluster(keys)).unwrap();
        assert!(found[0].is_of("cluster") && found[0].is_of(&format!("cluster.{expected}")), "{keys}");
    }
    for (old, new, expected) in [
        ("", "listen: h:1", "host: old=, new=h"),
        ("listen: h:1", "", "host: old=h, new="),
        ("listen: h:1", "listen: g:2", "host: old=h, new=g"),
        ("listen: h:1", "listen: h:2", "port: old=1, new=2"),
        ("listen: h:-1", "listen: h:2", "port: old=-1, new=2"),
    ] {
        assert_eq!(changes(old, new), Err(format!("config reload not supported for cluster {expected}")));
    }
    // Where there is no cluster, a host says nothing; and the usual one may be said.
    assert_eq!(changes("host: h", "host: g"), Ok(vec![]));
    assert_eq!(changes("port: 1", "listen: 0.0.0.0:1"), Ok(vec![]));
}
