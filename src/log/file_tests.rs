use super::*;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU32, Ordering};

const FORMAT: Format = Format { pid: 7, time: false, utc: false, color: true };

/// A folder of a test's own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("midge-log-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn log(&self) -> PathBuf {
        self.0.join("a.log")
    }

    /// Names of what is in it, sorted.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn backups(&self) -> Vec<PathBuf> {
        backups::list(&self.log()).unwrap()
    }

    fn text(&self) -> String {
        fs::read_to_string(self.log()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn open_log(folder: &Folder, size_max: u64, files_max: usize) -> LogFile {
    LogFile::open(&folder.log(), FORMAT, Rotation { size_max, files_max }).unwrap()
}

#[test]
fn lines_are_appended_and_never_coloured() {
    let folder = Folder::new();
    let mut log = open_log(&folder, 0, 0);
    let mut out = Vec::new();
    log.format(Entry { when: SystemTime::UNIX_EPOCH, level: Level::Error, text: "x" }, &mut out);
    log.write(&out).unwrap();
    drop(log);
    open_log(&folder, 0, 0).write(b"more\n").unwrap();
    assert_eq!(folder.text(), "[7] [ERR] x\nmore\n");
    let mode = fs::metadata(folder.log()).unwrap().permissions().mode();
    assert_eq!(mode & !0o640 & 0o777, 0, "{mode:o}");
    assert_eq!(mode & 0o600, 0o600);
}

#[test]
fn a_name_that_cannot_be_opened_is_told() {
    let error = LogFile::open(Path::new("/nonexistent/x"), FORMAT, Rotation::default()).unwrap_err();
    assert_eq!(error, "open /nonexistent/x: no such file or directory");
}

#[test]
fn the_line_that_makes_it_too_large_is_its_last() {
    let folder = Folder::new();
    let mut log = open_log(&folder, 1000, 0);
    let full = [vec![b'x'; 499], vec![b'\n'], vec![b'y'; 499], vec![b'\n']].concat();
    // Exactly the limit is not too large.
    log.write(&full).unwrap();
    assert_eq!(folder.names(), ["a.log"]);
    log.write(b"over\nnext\n").unwrap();
    let backups = folder.backups();
    assert_eq!(backups.len(), 1);
    assert_eq!(fs::read(&backups[0]).unwrap(), [&full[..], b"over\n"].concat());
    let saved = backups[0].to_str().unwrap();
    assert_eq!(folder.text(), format!("[7] [INF] Rotated log, backup saved as \"{saved}\"\nnext\n"));
}

#[test]
fn one_write_may_fill_many_files() {
    let folder = Folder::new();
    let mut log = open_log(&folder, 300, 0);
    let lines: String = (0..100).map(|number| format!("line {number:043}\n")).collect();
    log.write(lines.as_bytes()).unwrap();
    let mut text = String::new();
    for path in folder.backups().iter().chain([&folder.log()]) {
        let part = fs::read_to_string(path).unwrap();
        assert!(part.len() <= 350, "{}", part.len());
        text.extend(part.lines().filter(|line| line.starts_with("line")).map(|line| format!("{line}\n")));
    }
    assert!(folder.backups().len() > 10);
    assert_eq!(text, lines);
}

#[test]
fn the_oldest_backups_go_and_nothing_else() {
    let folder = Folder::new();
    let others = ["a.log.1", "a.log.2020.01.01.00.00.00", "a.logs.2020.01.01.00.00.00.000000000"];
    for name in others {
        fs::write(folder.0.join(name), "").unwrap();
    }
    fs::write(folder.0.join("a.log.2020.01.01.00.00.00.000000000"), "old").unwrap();
    let mut log = open_log(&folder, 10, 3);
    for _ in 0..5 {
        log.write(b"a line that is too long\n").unwrap();
    }
    assert_eq!(folder.backups().len(), 2);
    assert_eq!(folder.names().len(), 3 + others.len());
    assert!(!folder.names().contains(&"a.log.2020.01.01.00.00.00.000000000".to_owned()));
    let purged = folder.text().lines().filter(|line| line.contains("Purged log file \"a.log.2")).count();
    assert_eq!(purged, 1, "{}", folder.text());
    // One file means no backup at all.
    drop(log);
    open_log(&folder, 10, 1).write(b"a line that is too long\n").unwrap();
    assert_eq!(folder.backups(), [] as [PathBuf; 0]);
}

#[test]
fn a_file_too_large_already_is_put_aside_at_the_start() {
    let folder = Folder::new();
    fs::write(folder.log(), "0123456789\n").unwrap();
    let _log = open_log(&folder, 10, 0);
    assert_eq!(folder.backups().len(), 1);
    assert!(folder.text().contains("Rotated log"));
}

#[test]
fn after_a_rename_a_reopen_makes_a_new_file_with_the_same_limits() {
    let folder = Folder::new();
    let mut log = open_log(&folder, 100, 2);
    log.write(b"old\n").unwrap();
    let moved = folder.0.join("moved");
    fs::rename(folder.log(), &moved).unwrap();
    log.write(b"still old\n").unwrap();
    assert_eq!(log.reopen(), Some(Ok(())));
    log.write(b"new\n").unwrap();
    assert_eq!(fs::read_to_string(&moved).unwrap(), "old\nstill old\n");
    assert_eq!(folder.text(), "new\n");
    for _ in 0..4 {
        log.write(&[b"x".repeat(100), b"\n".to_vec()].concat()).unwrap();
    }
    assert_eq!(folder.backups().len(), 1, "both limits hold after it");
}

#[test]
fn a_reopen_that_fails_keeps_the_old_file() {
    let folder = Folder::new();
    let mut log = open_log(&folder, 0, 0);
    let moved = folder.0.join("moved");
    fs::rename(folder.log(), &moved).unwrap();
    fs::create_dir(folder.log()).unwrap();
    let fault = log.reopen().unwrap().unwrap_err();
    assert!(fault.ends_with("a.log: is a directory"), "{fault}");
    log.write(b"on\n").unwrap();
    assert_eq!(fs::read_to_string(&moved).unwrap(), "on\n");
}

#[test]
fn a_rotation_that_fails_is_told_and_tried_later() {
    let folder = Folder::new();
    let mut log = open_log(&folder, 20, 0);
    // Its name is gone, so it cannot be put aside.
    let moved = folder.0.join("moved");
    fs::rename(folder.log(), &moved).unwrap();
    log.write(b"123456789\n123456789\nover\n").unwrap();
    let text = fs::read_to_string(&moved).unwrap();
    assert!(text.ends_with("will attempt next rotation at size 50\n"), "{text}");
    fs::write(folder.log(), "").unwrap();
    log.write(b"next\n").unwrap();
    assert_eq!(folder.backups().len(), 1);
}

#[test]
fn a_full_disk_loses_lines_and_counts_them() {
    let mut log = LogFile::open(Path::new("/dev/full"), FORMAT, Rotation::default()).unwrap();
    let lost = log.write(b"one\ntwo\nthree\n").unwrap_err();
    assert_eq!(lost.lines, 3);
    assert_eq!(lost.fault, "no space left on device");
}

#[test]
fn what_is_no_plain_file_is_never_put_aside() {
    let folder = Folder::new();
    std::os::unix::fs::symlink("/dev/null", folder.log()).unwrap();
    let mut log = open_log(&folder, 5, 1);
    log.write(b"too long for it\n").unwrap();
    assert_eq!(folder.names(), ["a.log"]);
    assert!(folder.log().is_symlink());
}

#[test]
fn a_torn_line_is_ended_before_the_next() {
    let folder = Folder::new();
    let mut log = open_log(&folder, 0, 0);
    log.write(b"one\ntw").unwrap();
    log.torn = true;
    log.write(b"three\n").unwrap();
    assert_eq!(folder.text(), "one\ntw\nthree\n");
}
