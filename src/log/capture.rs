//! A log that tests can read.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Level;

/// The lines of [`super::Log::capture`], each as `[TAG] text`.
#[derive(Clone)]
pub struct Captured {
    capture: Arc<Capture>,
}

#[derive(Default)]
pub(super) struct Capture {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Capture {
    pub fn push(&self, level: Level, text: &str) {
        self.lock().push(format!("[{}] {text}", level.tag()));
        self.grown.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Captured {
    pub(super) fn new(capture: Arc<Capture>) -> Self {
        Captured { capture }
    }

    /// Everything logged so far.
    pub fn lines(&self) -> Vec<String> {
        self.capture.lock().clone()
    }

    /// Everything logged since the last call of this function.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.capture.lock())
    }

    /// Waits until a line holds `part`, at most `patience`, and returns the first such line.
    pub fn wait_for(&self, part: &str, patience: Duration) -> Option<String> {
        let found = |lines: &[String]| lines.iter().find(|line| line.contains(part)).cloned();
        let (lines, _) = self
            .capture
            .grown
            .wait_timeout_while(self.capture.lock(), patience, |lines| found(lines).is_none())
            .unwrap_or_else(PoisonError::into_inner);
        found(&lines)
    }
}

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.capture.lock().iter()).finish()
    }
}
