//! `--signal`, always with the id of a process that the test has started: names and patterns are left to the tests of the
//! choice itself, because here they would reach whatever runs on this machine.

use std::fs;
use std::os::unix::process::ExitStatusExt;

use super::scratch::Scratch;
use super::support::process::{Process, run_to_end};

#[test]
fn each_command_reaches_the_process() {
    let server = Process::with_workers(1);
    for (command, name) in [("reload", "hangup"), ("reopen", "user defined signal 1")] {
        order(&format!("{command}={}", server.id()));
        server.wait_log(&format!("Trapped \"{name}\" signal"));
    }
    for (command, name) in [("quit", "interrupt"), ("term", "terminated"), ("ldm", "user defined signal 2")] {
        let mut server = Process::with_workers(1);
        order(&format!("{command}={}", server.id()));
        assert_eq!(server.wait_end().code(), Some(0), "{command}");
        assert!(server.log().contains(&format!("Trapped \"{name}\" signal")), "{}", server.log());
    }
    let mut server = server;
    order(&format!("stop={}", server.id()));
    assert_eq!(server.wait_end().signal(), Some(9));
}

#[test]
fn a_pid_file_names_the_process_with_or_without_a_line_end() {
    let folder = Scratch::new();
    let file = folder.path("midge.pid");
    let server = Process::start(&["-P", &file]);
    order(&format!("reload={}", file));
    server.wait_log("Trapped \"hangup\" signal");
    fs::write(&file, format!("{}\n", server.id())).unwrap();
    order(&format!("reopen={}", file));
    server.wait_log("Trapped \"user defined signal 1\" signal");
}

#[test]
fn an_order_that_cannot_be_followed_is_told() {
    // No process has it: Linux gives out no ids that large.
    const NOBODY: &str = "2147483647";
    let folder = Scratch::new();
    let file = folder.path("bad.pid");
    fs::write(&file, "12\n\n").unwrap();
    let server = Process::with_workers(1);
    let cases = [
        (format!("reload={NOBODY}"), format!("\nsignal \"reload\" {NOBODY}: no such process")),
        (format!("foo={}", server.id()), "unknown signal \"foo\"".to_owned()),
        (format!("foo={NOBODY}"), "unknown signal \"foo\"".to_owned()),
        ("stop=abc".to_owned(), "invalid pid: abc".to_owned()),
        ("stop=-1".to_owned(), "invalid pid: -1".to_owned()),
        ("stop=0".to_owned(), "invalid pid: 0".to_owned()),
        (format!("stop={}", file), "invalid pid: 12\\n".to_owned()),
        (
            format!("stop={}/missing.pid", folder.folder().display()),
            format!("invalid pid: {}/missing.pid", folder.folder().display()),
        ),
        (format!("stop={NOBODY}=2"), "invalid signal parameters: [2]".to_owned()),
    ];
    for (request, reason) in cases {
        let output = run_to_end(&["--signal", &request]);
        assert_eq!(output.status.code(), Some(1), "{request}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("midge: {reason}\n"), "{request}");
        assert_eq!(output.stdout, b"", "{request}");
    }
    assert!(!server.log().contains("Trapped"), "{}", server.log());
}

/// Gives an order that can be followed.
fn order(request: &str) {
    let output = run_to_end(&["--signal", request]);
    assert_eq!(output.status.code(), Some(0), "{request}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{request}");
}
