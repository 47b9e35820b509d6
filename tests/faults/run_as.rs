//! Running as another user than the one that started the server.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::bystanders::Bystanders;
use super::scratch::Scratch;
use super::support::process::{Process, run_to_end};

/// What a line of a process's status says.
fn status(id: u32, key: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{id}/status")).expect("it is running");
    let line = text.lines().find_map(|line| line.strip_prefix(key)).expect("a known line");
    line.split_whitespace().map(str::to_owned).collect()
}

/// True if the tests run as the superuser.
fn is_superuser() -> bool {
    fs::metadata("/proc/self").expect("there is such a folder").uid() == 0
}

fn file(folder: &Scratch, text: &str) -> String {
    let path = folder.path("file.conf");
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn every_thread_becomes_the_user_and_keeps_no_right() {
    if !is_superuser() {
        // What can be seen without being the superuser: who one is already, one may be.
        let me = fs::metadata("/proc/self").unwrap();
        let folder = Scratch::new();
        let file = file(&folder, &format!("run_as: \"{}:{}\"", me.uid(), me.gid()));
        return Bystanders::connect(Process::start(&["-c", &file]).address()).exchange();
    }
    let folder = Scratch::new();
    let file = file(&folder, "run_as: \"12345:6789\"");
    let server = Process::start(&["-c", &file, "--workers", "2"]);
    assert!(server.log().contains("[INF] Running as \"12345:6789\""), "{}", server.log());
    let tasks: Vec<_> = fs::read_dir(format!("/proc/{}/task", server.id())).unwrap().collect();
    assert!(tasks.len() >= 4, "main, log and two workers");
    for task in tasks {
        let id = task.unwrap().file_name().into_string().unwrap().parse().unwrap();
        assert_eq!(status(id, "Uid:"), ["12345"; 4]);
        assert_eq!(status(id, "Gid:"), ["6789"; 4]);
        assert!(status(id, "Groups:").is_empty());
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
            assert_eq!(status(id, set), ["0000000000000000"], "{set}");
        }
    }
    Bystanders::connect(server.address()).exchange();
}

#[test]
fn who_cannot_be_is_a_reason_not_to_start() {
    let folder = Scratch::new();
    let file = file(&folder, "run_as: nobody-at-all");
    let output = run_to_end(&["-c", &file]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("[FTL] Error becoming user \"nobody-at-all\": unknown user \"nobody-at-all\""), "{text}");
    assert_eq!(output.status.code(), Some(1));
}
