//! What the flags make of a cluster, alone and over a file.

use std::ffi::OsString;

use crate::config::lang::Outside;
use crate::config::tests::NOTHING;
use crate::config::{ArgError, Command, Options, Source, parse, reload};

/// What these words make of a file with this text; and the warnings.
fn with_file(text: &str, args: &[&str]) -> Result<(Options, Vec<String>, Source), ArgError> {
    let file = |_: &std::path::Path| Ok(text.as_bytes().to_vec());
    let outside = Outside { file: &file, ..NOTHING };
    let words = ["-c", "c.conf"].iter().chain(args).map(OsString::from);
    match parse(words, &outside)? {
        Command::Run { options, warnings, source } => Ok((*options, warnings, source)),
        other => panic!("{args:?} gave {other:?}"),
    }
}

fn flags(args: &[&str]) -> Options {
    let (options, warnings, _) =
        with_file("# nothing\nport: 1", args).unwrap_or_else(|error| panic!("{args:?}: {error}"));
    assert_eq!(warnings, [""; 0], "{args:?}");
    options
}

fn refusal(args: &[&str]) -> String {
    let error = with_file("port: 1", args).expect_err("it is wrong");
    assert_eq!(error.code, 1, "{args:?}");
    error.text
}

#[test]
fn a_url_says_where_to_listen_and_what_peers_must_give() {
    for (args, host, port, user, password) in [
        (&["-cluster", "nats://127.0.0.1:5222"][..], "127.0.0.1", 5222, None, ""),
        (&["--cluster_listen=nats-route://127.0.0.1:-1"], "127.0.0.1", 0, None, ""),
        (&["--cluster", "nats://:6222"], "0.0.0.0", 6222, None, ""),
        (&["--cluster", "nats://[::1]:-1"], "::1", 0, None, ""),
        (&["--cluster", "tls://u:p%40@h:1/"], "h", 1, Some("u"), "p@"),
        (&["--cluster", "nats://u:p@h:-1"], "h", 0, Some("u"), "p"),
        (&["--cluster", "nats://u:@h:-1"], "h", 0, Some("u"), ""),
        (&["--cluster", "nats://h:1", "-cluster_listen", "nats://g:2"], "g", 2, None, ""),
    ] {
        let cluster = flags(args).cluster;
        assert_eq!(cluster.listen(), Some((host, port)), "{args:?}");
        assert_eq!((cluster.user.as_deref(), cluster.password.reveal()), (user, password), "{args:?}");
        assert_eq!(cluster.credentials().is_some(), user.is_some(), "{args:?}");
    }
    for args in [&["--cluster="][..], &["--cluster", "nats://127.0.0.1:0"], &["--cluster_name", "x"]] {
        assert_eq!(flags(args).cluster.listen(), None, "{args:?}");
    }
}

#[test]
fn routes_stand_in_a_list() {
    let options = flags(&[
        "-p=4223",
        "-cluster",
        "nats://127.0.0.1:5223",
        "-routes",
        "nats://127.0.0.1:5222 , nats-route://u:p@[::1]:1,, nats://127.0.0.1:5222",
    ]);
    let shown: Vec<String> = options.cluster.routes.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["nats-route://127.0.0.1:5222/", "nats-route://[::1]:1/"]);
    assert_eq!((&options.cluster.routes[1].user[..], options.cluster.routes[1].password.reveal()), ("u", "p"));
    assert!(!format!("{options:?}").contains("\"p\""), "{options:?}");
    assert_eq!(flags(&["--routes="]).cluster.routes, []);
}

#[test]
fn the_other_flags_reach_their_options() {
    let cluster =
        flags(&["--cluster_name", "C1", "--no_advertise", "-cluster_advertise=[::1]:9", "--connect_retries", "5"])
            .cluster;
    assert_eq!((cluster.name.as_deref(), cluster.no_advertise, cluster.connect_retries), (Some("C1"), true, 5));
    assert_eq!(cluster.advertise.map(|address| address.to_string()).as_deref(), Some("[::1]:9"));
    assert_eq!(flags(&["--connect_retries", "-3"]).cluster.connect_retries, 0);
}

#[test]
fn what_makes_no_sense_is_refused_without_showing_a_password() {
    const LISTEN: [&str; 2] = ["--cluster", "nats://127.0.0.1:-1"];
    for (args, expected) in [
        (["--routes", "nats://h:1"], "solicited routes require cluster capabilities, e.g. --cluster"),
        (["--cluster", "foo"], "missing port in address"),
        (["--cluster", "nats://127.0.0.1"], "address 127.0.0.1: missing port in address"),
        (["--cluster", "nats://u:s3cret@h"], "address h: missing port in address"),
        (["--cluster", "127.0.0.1:20210"], "parse \"127.0.0.1:20210\": first path segment in URL cannot contain colon"),
        (["--cluster", "u:s3cret@h:1"], "parse \"[REDACTED]@h:1\": first path segment in URL cannot contain colon"),
        (["--cluster", "nats://u@h:1"], "expected cluster password to be set"),
        (["--cluster", "nats://h:x"], "parse \"nats://h:x\": invalid port"),
        (["--cluster", "nats://h:-5"], "parse \"nats://h:-5\": invalid port"),
        (["--cluster", "nats://h:99999"], "parse \"nats://h:99999\": invalid port"),
        (["--cluster", "nats://u:s3%cret@h:1"], "parse \"[REDACTED]@h:1\": invalid URL escape"),
        (["--cluster_name", "a b"], "cluster name cannot contain spaces"),
        (["--cluster_name", "_"], "cluster name is reserved"),
        (["--cluster_advertise", "x:y:z"], "expected host or host:port, not \"x:y:z\""),
        (
            ["--connect_retries", "2147483648"],
            "connect_retries must be between -9223372036854775808 and 2147483647, not 2147483648",
        ),
    ] {
        assert_eq!(refusal(&args), expected, "{args:?}");
    }
    for (routes, expected) in [
        ("foo", "error parsing route url [\"foo\"]: missing scheme in URL"),
        ("nats://h:1,nats://g", "error parsing route url [\"nats://g\"]: missing port in address"),
        ("u:s3cret@h:1", "error parsing route url [\"[REDACTED]@h:1\"]: missing scheme in URL"),
    ] {
        assert_eq!(refusal(&[LISTEN[0], LISTEN[1], "--routes", routes]), expected);
    }
}

#[test]
fn flags_count_more_than_the_block() {
    const FILE: &str = "cluster { name: f, listen: 127.0.0.1:5, no_advertise: true, connect_retries: 3
        authorization { user: u, password: p }, routes: [nats://a:1, nats://b:2], ping_interval: 7s }";
    let with = |args: &[&str]| with_file(FILE, args).unwrap().0.cluster;
    let of_file = with(&[]);
    assert_eq!((of_file.listen(), of_file.routes.len()), (Some(("127.0.0.1", 5)), 2));
    let cluster = with(&["--cluster", "nats://h:6"]);
    // A URL without a user asks for none.
    assert_eq!((cluster.listen(), cluster.credentials(), cluster.routes.len()), (Some(("h", 6)), None, 2));
    assert_eq!((cluster.name.as_deref(), cluster.ping_interval), (Some("f"), of_file.ping_interval));
    let cluster = with(&["--cluster", "nats://x:y@h:6"]);
    assert_eq!(cluster.user.as_deref(), Some("x"));
    let cluster = with(&["--routes", "nats://c:3"]);
    assert_eq!((cluster.routes.len(), &cluster.routes[0].host[..]), (1, "c"));
    assert_eq!(with(&["--routes="]).routes, []);
    let cluster = with(&["--cluster_name", "g", "--no_advertise=false", "--connect_retries", "0"]);
    assert_eq!((cluster.name.as_deref(), cluster.no_advertise, cluster.connect_retries), (Some("g"), false, 0));
    // No cluster at all, and nothing to be said about its routes.
    let (options, warnings, _) = with_file(FILE, &["--cluster="]).unwrap();
    assert_eq!((options.cluster.listen(), options.cluster.routes.len(), warnings), (None, 0, vec![]));
}

#[test]
fn routes_of_a_file_that_lead_nowhere_are_warned_of() {
    let (options, warnings, _) = with_file("cluster { routes: [nats://a:1] }", &[]).unwrap();
    assert_eq!((options.cluster.listen(), options.cluster.routes.len()), (None, 1));
    assert_eq!(warnings, ["routes of the cluster have no effect without a port to listen on"]);
    let (_, warnings, _) = with_file("cluster { routes: [nats://a:1] }", &["--cluster", "nats://h:1"]).unwrap();
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn flags_count_more_than_the_block_after_a_reload_too() {
    let (before, _, source) =
        with_file("cluster { name: a, listen: h:1 }", &["--routes", "nats://r:1", "--cluster_name=n"]).unwrap();
    let file =
        |_: &std::path::Path| Ok(b"cluster { name: b, listen: h:1, routes: [nats://s:1], ping_max: 9 }".to_vec());
    let (after, _) = source.read_again(&Outside { file: &file, ..NOTHING }).unwrap();
    let changes = reload::changes(&before, &after).unwrap();
    assert_eq!(changes.iter().map(ToString::to_string).collect::<Vec<_>>(), ["cluster ping_max"]);
}
