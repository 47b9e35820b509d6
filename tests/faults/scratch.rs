//! Files of a test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::peer::DEADLINE;

/// How often a file is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// A folder below the system's one for such things, removed at the end with all that is in it.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new one, empty.
    pub fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("midge-faults-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a folder can be made");
        Scratch(path)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// The path of a file in it, which need not exist.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path that is text").to_owned()
    }

    /// The paths of all files in it that begin with `name`, sorted.
    pub fn paths(&self, name: &str) -> Vec<String> {
        let files = fs::read_dir(&self.0).expect("the folder is there").map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = files.map(|file| file.into_string().unwrap()).collect();
        names.retain(|file| file.starts_with(name));
        names.sort();
        names.iter().map(|file| self.path(file)).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A failing test may have taken it away.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Waits until files are as wanted.
pub fn wait_until(mut wanted: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !wanted() {
        assert!(Instant::now() < deadline, "it does not come");
        thread::sleep(LOOK);
    }
}
