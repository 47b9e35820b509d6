//! The configuration file as an operator meets it: exit codes, what is on standard error, what the server then does.
//!
//! With `NATS_REF` naming an official server, it checks the same files: those that both are to accept.

#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use support::process::{Process, run_to_end};

#[test]
fn a_file_is_used_and_flags_count_more() {
    let folder = Folder::new();
    let config = folder.write(
        "c.conf",
        "server_name: from_file\ndebug: on\nlogtime: off\ngateway {}\ninclude sub.conf\nmax_payload: 9mib",
    );
    folder.write("sub.conf", "ping_interval: 60\nport: 1");
    let server = Process::start(&["-c", &config]);
    let log = server.log();
    let id = server.id();
    for line in [
        format!("[{id}] [WRN] {config}:4:1: \"gateway\" is not supported and is ignored\n"),
        format!(
            "[{id}] [WRN] {}:1:1: invalid use of field \"ping_interval\": ping_interval should be converted to a duration\n",
            folder.path("sub.conf")
        ),
        format!("[{id}] [INF]   Name:     from_file\n"),
        format!("[{id}] [INF] Using configuration file: {config}\n"),
        format!("[{id}] [WRN] Maximum payloads over 8.00 MB are generally discouraged"),
        format!("[{id}] [DBG] Open files limit"),
    ] {
        assert!(log.contains(&line), "{line:?} is not in\n{log}");
    }
    let place = |text: &str| log.find(text).unwrap();
    assert!(place("  ID: ") < place("Using configuration file"), "{log}");
    assert!(place("Using configuration file") < place("Listening for"), "{log}");
    let log = Process::start(&["-c", &config, "-n", "from_flag", "-D=false", "-T"]).log();
    assert!(log.contains("from_flag") && !log.contains("[DBG]") && log.contains("/"), "{log}");
    assert!(log.lines().all(|line| line.split(' ').nth(2).is_some_and(|time| time.contains(':'))), "{log}");
}

#[test]
fn a_checked_file_is_valid_or_not() {
    let folder = Folder::new();
    let good = folder.write("good.conf", "port: 1\ngateway: {}\njetstream: on");
    let output = run_to_end(&["-t", "-c", &good]);
    assert_eq!(output.status.code(), Some(0));
    let warned = |line, key| format!("{good}:{line}:1: \"{key}\" is not supported and is ignored\n");
    let expected =
        format!("{}{}midge: configuration file {good} is valid\n", warned(2, "gateway"), warned(3, "jetstream"));
    assert_eq!(text(&output), expected);
    let bad = folder.write("bad.conf", "zork: 1\noperator: s3cret\nport: s3cret");
    let expected = format!(
        "midge: {bad}:1:1: unknown field \"zork\"\n\
         {bad}:2:1: \"operator\" is not supported: the server would be open to everyone\n\
         {bad}:3:1: expected an integer, got a string\n\n"
    );
    let broken = folder.write("broken.conf", "port: 1\nhost: [s3cret");
    let expected_broken =
        format!("midge: {broken}:2:14: expected ']' for the '[' of line 2, found the end of the file\n\n");
    for (path, expected) in [(bad, expected), (broken, expected_broken)] {
        for args in [&["-t", "-c", &path][..], &["-c", &path]] {
            let output = run_to_end(args);
            assert_eq!((output.status.code(), text(&output)), (Some(1), expected.clone()), "{args:?}");
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told_in_one_line() {
    let folder = Folder::new();
    let missing = folder.path("missing.conf");
    let here = folder.path("");
    for (args, told) in [
        (&["-c", &missing][..], format!("open {missing}: no such file or directory")),
        (&["-t", "-c", &missing], format!("open {missing}: no such file or directory")),
        (&["-c", &here], format!("read {here}: is a directory")),
        (&["-t"], "must specify [-c, --config] option to check configuration file syntax".to_owned()),
    ] {
        let output = run_to_end(args);
        assert_eq!((output.status.code(), text(&output)), (Some(1), format!("midge: {told}\n")), "{args:?}");
    }
    // A file without an end is no reason to wait for it.
    let output = run_to_end(&["-t", "-c", "/dev/zero"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("/dev/zero:1:1: with its includes it has more than 16777216 bytes"));
}

#[test]
fn flags_of_missing_features_are_warned_of() {
    let log = Process::start(&["-js", "-sd", "/nonexistent"]).log();
    for flag in ["--jetstream", "--store_dir"] {
        assert!(log.contains(&format!("[WRN] {flag} is not supported and is ignored\n")), "{log}");
    }
}

/// Files that both servers accept without a warning. Every variable is referred to: others are unknown fields.
const ACCEPTED: &[&str] = &[
    "# x\nport: 4222 // y\nhost = 127.0.0.1; net 127.0.0.1, PORT: 1",
    "{ \"port\": 4222, \"max_payload\": 1000 }",
    "port\n4222",
    "server_name: \"a\\x41\\t\\\"\\\\\"\r\nserver_name: 'x'\r\n",
    "server_name: x\\x41\nlisten: \":4222\"",
    "max_payload: 128KB\nmax_pending: 1mib\nmax_control_line: 2k",
    "listen: 127.0.0.1:-1\nping_interval: 10s\nwrite_deadline: \"1m30s\"",
    "listen: \"[::1]:4222\"\nping_max: 5",
    "listen: localhost:4222",
    "debug: on, trace: NO, logtime: Off; logtime_utc: true",
    "SIZE: 1k\nmax_payload: $SIZE",
    "X { y: [1, 2 ], z: (\n text\n)\n}\nX2: $X\nport: 1\nX3: [$X2\n$X2, {a: b}]\nhost: $MIDGE_TEST_HOST\nX4: $X3\nX4: 1\nX5: $X4\nport: $X5",
    "max_connections: 100\nmax_subscriptions: 0, max_sub_tokens: 8\nno_fast_producer_stall: true",
    "max_conn: -1\nmax_subs: -1\npidfile: 'x y'",
    "port: 4222}\nhost: a\n}",
    "include included.conf\nmax_payload: $SIZE",
    "cluster { name: C1, listen: 127.0.0.1:-1, routes = [ nats://127.0.0.1:6222, nats-route://u:p@h:1 ] }",
    "cluster {\n name: C_x\n listen: \"[::1]:6222\"\n routes [\n nats://127.0.0.1:1\n nats://127.0.0.1:2\n ]\n}",
    "cluster { host: h, port: 0, net: 127.0.0.1, advertise: h:5, no_advertise: yes, connect_retries: -1, connect_backoff: on }",
    "cluster { port: -1, authorization { user: u, password: p, timeout: 0.5 }, permissions { import: a.*, export: { allow: [b, c], deny: d } } }",
    "cluster { Port: 6222, ping_interval: \"30s\", ping_max: 3, write_deadline: 5s, write_timeout: retry, pool_size: -1, compression: off }",
    "cluster { authorization { username: u, pass: \"$2a$11$h\" }, cluster_advertise: \"[::1]:5\", compression: { mode: accept } }",
    "connect_error_reports: 10, reconnect_error_reports: 2, cluster {}",
    "mappings { a: b, 'c.*.*': 'd.$2.{{wildcard(1)}}', 'e.>': 'f.>', g: {dest: h, weight: 10%}, i: [{destination: j, weight: 50}, {dest: i, weight: '20%'}] }",
    "maps { 'a.*': b }\nsystem_account: S, accounts { S {}, A { mappings { a: b } } }\nno_system: false",
    "no_system_account: true",
    "accounts { A { exports: [{stream: 's.>'}, {service: 'q.*.*', response_type: Stream, accounts: [B]}, {service: p, response: single, threshold: 2s}] }, B { imports: [{stream: {account: A, subject: 's.*.>'}, prefix: x}, {stream: {account: A, subject: 's.*.*'}, to: 't.$2.$1'}, {service: {account: A, subject: 'q.*.*'}, to: 'z.$2.$1', share: true}, {service: {account: A, subject: p}}] } }",
    "accounts { A { exports: [{service: a}], imports: [{service: {account: A, subject: a}, to: b}] } }",
];

#[test]
fn midge_accepts_what_both_accept() {
    check_accepted(&support::midge_path());
}

#[test]
fn the_official_server_accepts_what_both_accept() {
    match support::reference_path() {
        Some(program) => check_accepted(&program),
        None => println!("NOT RUN: set NATS_REF to the path of an official nats-server"),
    }
}

#[test]
fn the_example_files_are_valid_without_a_warning() {
    let folder = Folder::new();
    for (name, content) in examples() {
        let path = folder.write(&name, &content);
        let output = run_to_end(&["-t", "-c", &path]);
        let told = (output.status.code(), text(&output));
        assert_eq!(told, (Some(0), format!("midge: configuration file {path} is valid\n")), "{content}");
    }
}

/// Keys of the example files that only midge has.
const OWN_KEYS: [&str; 4] = ["workers", "max_memory", "max_connections_per_address", "connection_rate_per_address"];

#[test]
fn the_official_server_accepts_the_example_files() {
    let Some(program) = support::reference_path() else {
        println!("NOT RUN: set NATS_REF to the path of an official nats-server");
        return;
    };
    let folder = Folder::new();
    for (name, content) in examples() {
        let is_ours =
            |line: &&str| OWN_KEYS.iter().any(|key| line.split_once(':').is_some_and(|(name, _)| name == *key));
        let common: Vec<&str> = content.lines().filter(|line| !is_ours(line)).collect();
        let path = folder.write(&name, &common.join("\n"));
        let output = Command::new(&program).args(["-t", "-c", &path]).stdin(Stdio::null()).output().unwrap();
        let told = text(&output);
        assert!(output.status.success() && !told.contains("[WRN]") && !told.contains("warning"), "{name}: {told}");
    }
}

/// The example files as they are, and with every setting that is off switched on: its line begins with `#` and a key.
fn examples() -> Vec<(String, String)> {
    let read = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("etc").join(name);
        let content = fs::read_to_string(&path).unwrap();
        let switched_on = |line: &str| {
            let on = line.strip_prefix('#').filter(|rest| rest.starts_with(|first: char| first.is_ascii_lowercase()));
            on.unwrap_or(line).to_owned() + "\n"
        };
        let all_on: String = content.lines().map(switched_on).collect();
        assert_ne!(content, all_on, "{name} has settings that are off");
        [(name.to_owned(), content), (format!("all-of-{name}"), all_on)]
    };
    ["router.conf", "server.conf"].into_iter().flat_map(read).collect()
}

fn check_accepted(program: &Path) {
    let folder = Folder::new();
    folder.write("included.conf", "SIZE: 1kb\nport: 5");
    for content in ACCEPTED {
        let config = folder.write("c.conf", content);
        let mut command = Command::new(program);
        command.args(["-t", "-c", &config]).env("MIDGE_TEST_HOST", "127.0.0.1").stdin(Stdio::null());
        let output = command.output().expect("it can be run");
        assert!(output.status.success() && text(&output).lines().count() == 1, "{content:?}: {}", text(&output));
    }
}

fn text(output: &Output) -> String {
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A folder of this test's own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("midge-config-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file and returns its path.
    fn write(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A failing test may have left less than that.
        let _ = fs::remove_dir_all(&self.0);
    }
}
