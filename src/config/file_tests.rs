//! Tables of files and what becomes of the options: values, errors with their places, warnings.

use super::*;
use crate::config::table::{Effect, OPTIONS};
use crate::config::tests::NOTHING;
use crate::config::unsupported::MISSING;
use crate::config::value::{Kind, Value};

/// What a file makes of the default options.
fn read_text(text: &str) -> (Options, Report) {
    let mut options = Options::default();
    let map = lang::parse(Path::new("c.conf"), text.as_bytes(), &NOTHING).unwrap();
    let report = apply(&map, &mut options);
    (options, report)
}

fn lines(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

/// The options without any warning.
fn options(text: &str) -> Options {
    let (options, report) = read_text(text);
    assert_eq!(report, Report::default(), "{text:?}");
    options
}

#[test]
fn values_reach_their_options() {
    use std::time::Duration;
    let with = |change: fn(&mut Options)| {
        let mut options = Options::default();
        change(&mut options);
        options
    };
    for (text, expected) in [
        ("PORT: 1", with(|options| options.port = 1)),
        ("port: -1", with(|options| options.port = 0)),
        ("port: 1\nport: 0", Options::default()),
        ("host: '::1'", with(|options| options.host = "::1".into())),
        ("host: a\nnet: b\nhost: c", with(|options| options.host = "c".into())),
        ("listen: 5", with(|options| options.port = 5)),
        ("listen: -1", with(|options| options.port = 0)),
        ("listen: 0", Options::default()),
        ("listen: ':5'", with(|options| options.port = 5)),
        ("listen: 127.0.0.1:-1", with(|options| (options.host, options.port) = ("127.0.0.1".into(), 0))),
        ("listen: '[::1]:5'", with(|options| (options.host, options.port) = ("::1".into(), 5))),
        ("host: h\nlisten: 5", with(|options| (options.host, options.port) = ("h".into(), 5))),
        ("listen: 'h:5'\nport: 6", with(|options| (options.host, options.port) = ("h".into(), 6))),
        ("server_name: n", with(|options| options.server_name = Some("n".into()))),
        ("server_name:", Options::default()),
        ("max_payload: 128KB", with(|options| options.max_payload = 128 << 10)),
        ("max_payload: 1\nmax_payload: 0", Options::default()),
        ("max_payload: 64mib", with(|options| options.max_payload = 64 << 20)),
        ("max_control_line: 1\nmax_control_line: 0", Options::default()),
        ("max_pending: 0, ping_max: 0, ping_interval: '0s', write_deadline: '0'", Options::default()),
        ("max_connections: 0", with(|options| options.max_connections = 0)),
        ("max_conn: -7", with(|options| options.max_connections = 0)),
        ("max_subs: 3\nmax_subs: -1", Options::default()),
        ("ping_interval: '1m30s'", with(|options| options.ping_interval = Duration::from_secs(90))),
        ("write_deadline: 10ms", with(|options| options.write_deadline = Duration::from_millis(10))),
        ("logtime: off, logtime_utc: on", with(|options| (options.logtime, options.logtime_utc) = (false, true))),
        ("SIZE: 2k\nmax_payload: $SIZE", with(|options| options.max_payload = 2000)),
        ("port: 5\nmax_payload: $port", with(|options| (options.port, options.max_payload) = (5, 5))),
    ] {
        assert_eq!(options(text), expected, "{text:?}");
    }
}

#[test]
fn every_key_in_every_case_can_be_written_and_read_back() {
    for spec in OPTIONS {
        let Effect::Set { get, .. } = spec.effect else { continue };
        let (written, expected) = match spec.kind {
            Kind::Switch => ("false", Value::Switch(false)),
            Kind::Integer => ("77", Value::Integer(77)),
            Kind::Text | Kind::Path => ("'some where'", Value::Text("some where".into())),
            Kind::Texts => ("[a, b]", Value::Texts(vec!["a".into(), "b".into()])),
            Kind::Duration | Kind::Seconds => ("\"45.5s\"", Value::Duration(std::time::Duration::from_millis(45_500))),
            Kind::Address => ("\"[::1]:-1\"", Value::Address(Some("::1".into()), -1)),
        };
        for key in spec.keys {
            // Texts that cannot be just any, and the one number that cannot be so small.
            let (written, expected) = match *key {
                "server_name" => ("name", Value::Text("name".into())),
                "client_advertise" => ("\"[::1]:5\"", Value::Text("[::1]:5".into())),
                "write_timeout" => ("close", Value::Text("close".into())),
                "max_pending" => ("77mib", Value::Integer(77 << 20)),
                _ => (written, expected.clone()),
            };
            for key in [key.to_string(), key.to_uppercase()] {
                assert_eq!(get(&options(&format!("{key}: {written}"))), Some(expected.clone()), "{key}");
            }
        }
    }
}

#[test]
fn errors_are_told_all_at_once() {
    for (text, expected) in [
        ("foo: 1", &["c.conf:1:1: unknown field \"foo\""][..]),
        ("'a\u{1b}b': 1", &["c.conf:1:1: unknown field \"a\\x1bb\""]),
        ("X: 1\nY: $X", &["c.conf:2:1: unknown field \"Y\""]),
        (
            "port: x\n  host: 1",
            &["c.conf:1:1: expected an integer, got a string", "c.conf:2:3: expected a string, got an integer"],
        ),
        ("port: '1'", &["c.conf:1:1: expected an integer, got a string"]),
        ("port: 1.5", &["c.conf:1:1: expected an integer, got a float"]),
        ("port: [1]", &["c.conf:1:1: expected an integer, got an array"]),
        ("port: {a: 1}", &["c.conf:1:1: expected an integer, got a map"]),
        ("port: true", &["c.conf:1:1: expected an integer, got a boolean"]),
        ("debug: 1", &["c.conf:1:1: expected a boolean, got an integer"]),
        ("debug: 'true'", &["c.conf:1:1: expected a boolean, got a string"]),
        ("server_name: yes", &["c.conf:1:1: expected a string, got a boolean"]),
        ("server_name: 'a b'", &["c.conf:1:1: server name cannot contain spaces"]),
        ("port: 65536", &["c.conf:1:1: port must be between -1 and 65535, not 65536"]),
        ("listen: 65536", &["c.conf:1:1: port must be between -1 and 65535, not 65536"]),
        ("listen: '4222'", &["c.conf:1:1: expected a port or \"host:port\""]),
        ("listen: 'h:x'", &["c.conf:1:1: expected a port or \"host:port\""]),
        ("listen: '::1:1'", &["c.conf:1:1: expected a port or \"host:port\""]),
        ("listen: true", &["c.conf:1:1: expected a port or \"host:port\", got a boolean"]),
        ("ping_interval: '10'", &["c.conf:1:1: expected a duration such as \"2m\" or \"1.5s\""]),
        ("ping_interval: '-1s'", &["c.conf:1:1: expected a duration such as \"2m\" or \"1.5s\""]),
        ("ping_interval: '99999999999h'", &["c.conf:1:1: duration is out of range"]),
        ("ping_interval: 1.5", &["c.conf:1:1: expected a duration, got a float"]),
        ("ping_interval: '1us'", &["c.conf:1:1: ping_interval must be 1ms or more"]),
        ("max_payload: -1", &["c.conf:1:1: max_payload must be between 1 and 2147483647, not -1"]),
        ("max_payload: 3gb", &["c.conf:1:1: max_payload must be between 1 and 2147483647, not 3221225472"]),
        ("max_sub_tokens: 256", &["c.conf:1:1: max_sub_tokens must be between 0 and 255, not 256"]),
        ("\nmax_payload: 100mb", &["c.conf:2:1: max_payload (104857600) cannot be higher than max_pending (67108864)"]),
        ("\nmax_pending: 1k", &["c.conf:2:1: max_payload (1048576) cannot be higher than max_pending (1000)"]),
        (
            "max_payload: 2\nzork: 1\nmax_pending: 1\nport: x",
            &[
                "c.conf:1:1: max_payload (2) cannot be higher than max_pending (1)",
                "c.conf:2:1: unknown field \"zork\"",
                "c.conf:4:1: expected an integer, got a string",
            ],
        ),
        ("Accounts {A: {}}", &["c.conf:1:1: \"Accounts\" is not supported: the server would be open to everyone"]),
    ] {
        assert_eq!(lines(&read_text(text).1.errors), expected, "{text:?}");
    }
}

#[test]
fn whole_seconds_and_missing_features_are_warned_of() {
    use std::time::Duration;
    let text = "ping_interval: 2m\nGateway {x: 1}\nleafnodes { listen: -1, authorization {} }\nPing_Interval: 60";
    let (options, report) = read_text(text);
    assert_eq!(options.ping_interval, Duration::from_secs(60));
    assert_eq!(report.errors, []);
    let use_of = "invalid use of field \"ping_interval\": ping_interval should be converted to a duration";
    let expected = [
        format!("c.conf:1:1: {use_of}"),
        "c.conf:2:1: \"Gateway\" is not supported and is ignored".to_owned(),
        "c.conf:3:1: \"leafnodes\" is not supported and is ignored".to_owned(),
        format!("c.conf:4:1: {use_of}"),
    ];
    assert_eq!(lines(&report.warnings), expected);
    assert_eq!(read_text("ping_interval: 2m").0.ping_interval, Duration::from_secs(2_000_000));
    for seconds in ["-1", "9223372036854775807"] {
        let errors = read_text(&format!("write_deadline: {seconds}")).1.errors;
        assert_eq!(lines(&errors), ["c.conf:1:1: duration is out of range"], "{seconds}");
    }
}

#[test]
fn what_is_missing_is_missing() {
    let keys: Vec<&str> = MISSING.iter().flat_map(|missing| missing.keys).copied().collect();
    for (at, key) in keys.iter().enumerate() {
        assert!(table::by_key(key).is_none(), "{key} is an option");
        assert!(!keys[..at].contains(key), "{key} stands twice");
        let report = read_text(&format!("{key}: 1")).1;
        assert_eq!(report.errors.len() + report.warnings.len(), 1, "{key}");
    }
    for key in ["accounts", "operator", "resolver", "resolver_preload"] {
        assert_eq!(read_text(&format!("{key}: 1")).1.errors.len(), 1, "{key}");
    }
    for key in ["trusted_keys", "system_account", "system"] {
        assert_eq!(read_text(&format!("{key}: 1")).1.errors.len(), 1, "{key}");
    }
}

#[test]
fn a_file_is_read_with_its_includes() {
    let file = |path: &Path| match path.to_str() {
        Some("d/c.conf") => Ok(b"include i.conf\nport: x".to_vec()),
        Some("d/i.conf") => Ok(b"\n\nzork: 1\nserver_name: n".to_vec()),
        Some("empty.conf") => Ok(b"# nothing".to_vec()),
        Some("broken.conf") => Ok(b"a: 1\nb".to_vec()),
        Some("d") => Err(std::io::Error::from_raw_os_error(21)),
        _ => Err(std::io::Error::from_raw_os_error(2)),
    };
    let outside = Outside { file: &file, ..NOTHING };
    let read_path = |path: &str| read(Path::new(path), &mut Options::default(), &outside);
    let errors = "d/c.conf:2:1: expected an integer, got a string\nd/i.conf:3:1: unknown field \"zork\"\n";
    assert_eq!(read_path("d/c.conf"), Err(errors.to_owned()));
    let broken = "broken.conf:2:2: expected a value, found the end of the file\n";
    assert_eq!(read_path("broken.conf"), Err(broken.to_owned()));
    assert_eq!(read_path("no.conf"), Err("open no.conf: no such file or directory".to_owned()));
    assert_eq!(read_path("d"), Err("read d: is a directory".to_owned()));
    let warnings = read_path("empty.conf").unwrap();
    assert_eq!(lines(&warnings), ["empty.conf:1:1: config has no values or is empty"]);
}
