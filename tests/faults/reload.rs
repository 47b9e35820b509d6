//! SIGHUP: the file is read again, and what it says holds at once for those who are connected, or nothing changes.

use std::fs;

use super::bystanders::Bystanders;
use super::peer::Peer;
use super::scratch::{Scratch, wait_until};
use super::support::process::Process;
use super::{support, with_each_worker_count};

/// A server with a file that can be changed.
struct Reloaded {
    server: Process,
    folder: Scratch,
    reloads: usize,
    failures: usize,
}

impl Reloaded {
    fn start(text: &str, args: &[&str]) -> Reloaded {
        Self::start_by(text, args, Process::start)
    }

    fn start_by(text: &str, args: &[&str], start: impl FnOnce(&[&str]) -> Process) -> Reloaded {
        let folder = Scratch::new();
        let path = folder.path("file.conf");
        fs::write(&path, in_folder(text, &folder)).unwrap();
        let args = [&["-c", &path][..], args].concat();
        Reloaded { server: start(&args), folder, reloads: 0, failures: 0 }
    }

    fn ask(&self, text: &str) {
        fs::write(self.folder.path("file.conf"), in_folder(text, &self.folder)).unwrap();
        self.server.signal("HUP");
    }

    /// Has it go on with another file.
    fn reload(&mut self, text: &str) {
        self.ask(text);
        self.reloads += 1;
        self.server.wait_log_times("Reloaded server configuration", self.reloads);
    }

    /// Has it refuse another file.
    fn refuse(&mut self, text: &str) {
        self.ask(text);
        self.failures += 1;
        self.server.wait_log_times("Failed to reload server configuration", self.failures);
    }

    /// The lines of all reloads so far.
    fn lines(&self) -> Vec<String> {
        let log = self.server.log();
        let texts = log.lines().filter_map(|line| Some((line.find("[INF] ").or(line.find("[ERR] "))?, line)));
        let texts = texts.map(|(at, line)| line[at..].replace(self.folder.folder().to_str().unwrap(), "FOLDER"));
        texts.filter(|text| text.contains("eload") || text.contains("Closed ")).map(normal).collect()
    }
}

/// The text of a file; it calls the test's folder FOLDER.
fn in_folder(text: &str, folder: &Scratch) -> String {
    text.replace("FOLDER", folder.folder().to_str().unwrap())
}

/// Without what only one of the two servers says, or what differs from run to run.
fn normal(line: String) -> String {
    line.split(" (sha256:").next().unwrap_or_default().to_owned()
}

/// Each file, and the lines that the log has for the step from the one before. Options of one step are sorted: the two
/// servers have their own order. An error of a file begins with its place, which they write differently.
const STEPS: &[(&str, &[&str])] = &[
    ("ping_interval: 30s", &["[INF] Reloaded: ping_interval = 30s"]),
    ("ping_interval: \"2m\"", &["[INF] Reloaded: ping_interval = 2m0s"]),
    ("debug: true, trace: true", &["[INF] Reloaded: debug = true", "[INF] Reloaded: trace = true"]),
    (
        "ping_max: 3, max_payload: 1KB, max_control_line: 2048, write_deadline: \"1500ms\", max_traced_msg_len: 9",
        &[
            "[INF] Reloaded: debug = false",
            "[INF] Reloaded: max_control_line = 2048",
            "[INF] Reloaded: max_payload = 1024",
            "[INF] Reloaded: max_traced_msg_len = 9",
            "[INF] Reloaded: ping_max = 3",
            "[INF] Reloaded: trace = false",
            "[INF] Reloaded: write_deadline = 1.5s",
        ],
    ),
    (
        "pid_file: \"FOLDER/pid\"",
        &[
            "[INF] Reloaded: max_control_line = 4096",
            "[INF] Reloaded: max_payload = 1048576",
            "[INF] Reloaded: max_traced_msg_len = 0",
            "[INF] Reloaded: pid_file = FOLDER/pid",
            "[INF] Reloaded: ping_max = 2",
            "[INF] Reloaded: write_deadline = 10s",
        ],
    ),
    ("logtime: false, pid_file: \"FOLDER/pid\"", &["[INF] Reloaded: logtime = false"]),
    (
        "max_pending: 1MB",
        &[
            "[ERR] Failed to reload server configuration: config reload not supported for MaxPending: old=67108864, new=1048576",
        ],
    ),
    (
        "max_subs: 5",
        &["[ERR] Failed to reload server configuration: config reload not supported for MaxSubs: old=0, new=5"],
    ),
    (
        "max_sub_tokens: 5",
        &["[ERR] Failed to reload server configuration: config reload not supported for MaxSubTokens: old=0, new=5"],
    ),
    (
        "lame_duck_duration: \"40s\"",
        &[
            "[ERR] Failed to reload server configuration: config reload not supported for LameDuckDuration: old=2m0s, new=40s",
        ],
    ),
    (
        "lame_duck_grace_period: \"1s\"",
        &[
            "[ERR] Failed to reload server configuration: config reload not supported for LameDuckGracePeriod: old=10s, new=1s",
        ],
    ),
    (
        "logfile_size_limit: 5MB",
        &[
            "[ERR] Failed to reload server configuration: config reload not supported for LogSizeLimit: old=0, new=5242880",
        ],
    ),
    (
        "logfile_max_num: 5",
        &["[ERR] Failed to reload server configuration: config reload not supported for LogMaxFiles: old=0, new=5"],
    ),
    (
        "server_name: other",
        &[
            "[ERR] Failed to reload server configuration: config reload not supported for ServerName: old=name, new=other",
        ],
    ),
    (
        "ping_max: 9, server_name: other",
        &[
            "[ERR] Failed to reload server configuration: config reload not supported for ServerName: old=name, new=other",
        ],
    ),
    ("logtime: true, pid_file: \"FOLDER/pid\"", &["[INF] Reloaded: logtime = true"]),
    ("max_connections: 3, pid_file: \"FOLDER/pid\"", &["[INF] Reloaded: max_connections = 3"]),
    (
        "max_connections: 3, pid_file: \"FOLDER/pid\", authorization { token: t }",
        &["[INF] Reloaded: authorization token"],
    ),
    (
        "max_connections: 3, pid_file: \"FOLDER/pid\", authorization { user: u, password: p, timeout: 3 }",
        &[
            "[INF] Reloaded: authorization password",
            "[INF] Reloaded: authorization timeout = 3",
            "[INF] Reloaded: authorization token",
            "[INF] Reloaded: authorization username",
        ],
    ),
];

/// Plays the steps and compares.
fn play(start: impl FnOnce(&[&str]) -> Process) {
    let whole =
        |text: &str| if text.contains("server_name") { text.to_owned() } else { format!("server_name: name, {text}") };
    let mut server = Reloaded::start_by("server_name: name", &[], start);
    let mut seen = 0;
    for (text, expected) in STEPS {
        if expected[0].starts_with("[ERR]") {
            server.refuse(&whole(text));
        } else {
            server.reload(&whole(text));
        }
        let lines = server.lines();
        // Of users and accounts the official server says that they were reloaded whether there are any or not.
        let is_told = |line: &String| !line.ends_with(" users") && !line.ends_with(" accounts");
        let mut told: Vec<String> = lines[seen..].iter().filter(|line| is_told(line)).cloned().collect();
        seen = lines.len();
        if !expected[0].starts_with("[ERR]") {
            assert_eq!(told.pop().as_deref(), Some("[INF] Reloaded server configuration"), "{text}");
        }
        told.sort();
        assert_eq!(told, *expected, "{text}");
    }
}

#[test]
fn each_changed_option_is_told_and_each_fixed_one_refused() {
    play(Process::start);
}

#[test]
fn the_official_server_tells_and_refuses_the_same() {
    let Some(program) = support::reference_path() else {
        println!("NOT RUN: set NATS_REF to the path of an official nats-server");
        return;
    };
    play(|args| Process::start_program(&program, args));
}

#[test]
fn clients_that_are_connected_feel_the_new_limits_and_hear_nothing_of_them() {
    with_each_worker_count(|workers| {
        let mut server = Reloaded::start("", &["--workers", &workers.to_string()]);
        let address = server.server.address();
        // One more than there are workers, so that every worker has one.
        let mut peers: Vec<Peer> = (0..=workers).map(|_| Peer::connect(address)).collect();
        let mut bystanders = Bystanders::connect(address);
        server.reload("max_payload: 10, max_control_line: 100");
        for mut peer in peers.drain(..) {
            peer.send("PUB foo 10\r\n0123456789\r\n");
            peer.round_trip();
            peer.send("PUB foo 11\r\n");
            peer.expect_line("-ERR 'Maximum Payload Violation'");
        }
        assert!(Peer::dial(address).info().contains("\"max_payload\":10,"));
        let mut peer = Peer::connect(address);
        peer.send(format!("PUB {} 0\r\n\r\n", "x".repeat(100)));
        peer.expect_line("-ERR 'maximum control line exceeded'");
        bystanders.exchange();
        server.reload("");
        bystanders.exchange();
        let mut peer = Peer::connect(address);
        peer.send(format!("PUB {} 11\r\n01234567890\r\n", "x".repeat(100)));
        peer.round_trip();
    });
}

#[test]
fn pings_come_at_the_new_interval_and_are_counted_against_the_new_maximum() {
    // The first PING comes soon after CONNECT in any case; the one after it is told by the new interval.
    let mut server = Reloaded::start("ping_interval: \"100ms\"", &["-D"]);
    let peer = Peer::connect(server.server.address());
    server.reload("ping_interval: \"50ms\", ping_max: 1");
    server.server.wait_log("Stale Client Connection - Closing");
    drop(peer);
}

#[test]
fn connections_past_a_lower_maximum_are_closed_and_those_below_it_are_not() {
    with_each_worker_count(|workers| {
        let mut server = Reloaded::start("max_connections: 100", &["--workers", &workers.to_string()]);
        let mut peers: Vec<Peer> = (0..20).map(|_| Peer::connect(server.server.address())).collect();
        server.reload("max_connections: 5");
        server.server.wait_log("[INF] Closed 15 connections to fall within max_connections");
        let mut left = 0;
        for peer in &mut peers {
            peer.send_anyhow(b"PING\r\n");
            match peer.answer().as_str() {
                "PONG" => left += 1,
                other => assert_eq!(other, "-ERR 'maximum connections exceeded'"),
            }
        }
        assert_eq!(left, 5);
        let mut late = Peer::open(server.server.address());
        late.expect_line("-ERR 'maximum connections exceeded'");
        server.reload("max_connections: 6");
        Peer::connect(server.server.address());
        assert!(!server.server.log().contains("Closed 1 "), "there were none too many");
    });
}

#[test]
fn trace_begins_and_ends_at_once() {
    with_each_worker_count(|workers| {
        let mut server = Reloaded::start("", &["--workers", &workers.to_string()]);
        let mut peers: Vec<Peer> = (0..=workers).map(|_| Peer::connect(server.server.address())).collect();
        let mut speak = |subject: &str| {
            peers.iter_mut().for_each(|peer| peer.publish(subject, b"x"));
            peers.iter_mut().for_each(Peer::round_trip);
        };
        speak("before");
        server.reload("trace: true");
        speak("meanwhile");
        server.reload("trace: false");
        speak("after");
        server.reload("");
        server.server.wait_log_times("<<- [PUB meanwhile 1]", workers + 1);
        let log = server.server.log();
        assert!(!log.contains("[PUB before 1]") && !log.contains("[PUB after 1]"), "{log}");
    });
}

#[test]
fn the_log_moves_to_where_the_new_file_says() {
    let mut server = Reloaded::start("", &[]);
    let path = |server: &Reloaded, name: &str| server.folder.path(name);
    let read = |path: String| fs::read_to_string(path).unwrap_or_default();
    server.ask("log_file: \"FOLDER/one\", logtime: false");
    let last = format!("[{}] [INF] Reloaded server configuration\n", server.server.id());
    let one = path(&server, "one");
    wait_until(|| read(one.clone()) == last);
    let told = server.server.wait_log("Reloaded: log_file = ");
    assert!(told.ends_with("[INF] Reloaded: logtime = false\n"), "{told}");
    server.ask("log_file: \"FOLDER/two\", logtime: false");
    let two = path(&server, "two");
    wait_until(|| read(two.clone()) == last);
    assert!(read(one).ends_with("/two\n"));
    assert_eq!(server.server.log(), told, "nothing more on standard error");
    // A place that cannot be had is refused before anything changes.
    server.ask("log_file: \"/nonexistent/log\", logtime: false, max_payload: 5");
    let refused = "Failed to reload server configuration: error opening file: open /nonexistent/log: \
        no such file or directory\n";
    wait_until(|| read(two.clone()).ends_with(refused));
    assert!(Peer::dial(server.server.address()).info().contains("\"max_payload\":1048576,"));
    server.reload("logtime: false");
    assert!(server.server.log().ends_with(&last));
}

#[test]
fn a_process_id_goes_to_the_new_place_too() {
    let mut server = Reloaded::start("pid_file: \"FOLDER/unused\"", &[]);
    server.reload("pid_file: \"FOLDER/pid\"");
    assert_eq!(fs::read_to_string(server.folder.path("pid")).unwrap(), server.server.id().to_string());
    server.refuse("pid_file: \"/nonexistent/pid\", max_payload: 5");
    server.server.wait_log("could not write pidfile: open /nonexistent/pid: no such file or directory");
    assert!(Peer::dial(server.server.address()).info().contains("\"max_payload\":1048576,"));
}

#[test]
fn the_ports_file_moves() {
    let mut server = Reloaded::start("", &[]);
    server.reload("ports_file_dir: \"FOLDER\"");
    let file = server.folder.paths("midge_");
    assert_eq!(file.len(), 1);
    assert!(fs::read_to_string(&file[0]).unwrap().contains(&server.server.address().to_string()));
    server.reload("");
    assert!(server.folder.paths("midge_").is_empty());
}

#[test]
fn a_flag_counts_more_than_the_new_file_too() {
    let mut server = Reloaded::start("", &["-D", "-T=false"]);
    server.reload("debug: false, logtime: true, port: 1, host: \"::1\"");
    assert_eq!(server.lines(), ["[INF] Reloaded server configuration"]);
    drop(Peer::connect(server.server.address()));
    server.server.wait_log("Client connection closed: Client Closed");
}

#[test]
fn a_file_with_errors_changes_nothing_and_all_of_them_are_told_on_one_line() {
    let mut server = Reloaded::start("max_payload: 10", &[]);
    let cases = [
        ("max_payload: 20, nonsense: 1\nping_max: \"x\"", "nonsense", "expected an integer"),
        ("max_payload: 20, {", "file.conf:1:", ""),
        ("max_payload: 20, lame_duck_grace_period: \"1h\"", "lame duck grace period (1h0m0s) should be", ""),
    ];
    for (text, one, other) in cases {
        server.refuse(text);
        let lines = server.lines();
        let last = lines.last().unwrap();
        assert!(last.contains(one) && last.contains(other), "{last}");
    }
    fs::remove_file(server.folder.path("file.conf")).unwrap();
    server.server.signal("HUP");
    server.server.wait_log("file.conf: no such file or directory");
    assert!(Peer::dial(server.server.address()).info().contains("\"max_payload\":10,"));
    // Without a file there is nothing to read again.
    let server = Process::start(&[]);
    server.signal("HUP");
    server.wait_log(
        "[ERR] Failed to reload server configuration: can only reload config when a file is provided using -c or --config",
    );
}

#[test]
fn warnings_of_the_new_file_are_told() {
    let mut server = Reloaded::start("", &[]);
    server.reload("gateway {}, max_payload: 5");
    assert!(server.server.log().contains("[WRN] ") && server.server.log().contains("\"gateway\" is not supported"));
}
