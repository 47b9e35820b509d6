//! The log: levels, the official line format, one thread that writes.
//!
//! A statement is formatted by the thread that makes it and put in a bounded queue; the log thread takes the whole queue
//! at once, adds time and tag, and writes. So a terminal that is stopped, a full pipe or a slow disk costs lines, never a
//! worker's time: what finds the queue full is dropped, counted, and reported in one warning once there is room again.
//!
//! ```text
//! worker --statement--> throttle (ERR, WRN) --> queue (bounded bytes) --> log thread --> target
//! ```
//!
//! The target is standard error, a file ([`Rotation`]) or a log daemon. Lines it could not write are counted too, and told
//! in the same way.
//!
//! One statement is one line of at most [`LINE_BYTES_MAX`] bytes: longer text is cut and marked, and control characters
//! are escaped, whatever the caller passed. Text that comes from a peer should go through [`Escaped`] or [`Quoted`] all
//! the same, so that its quotes and backslashes are unambiguous too.

mod address;
mod backups;
mod capture;
mod escape;
mod file;
mod line;
mod link;
mod queue;
mod syslog;
mod target;
mod throttle;

use std::fmt::{self, Arguments, Display};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use capture::Captured;
pub use escape::{Escaped, Plain, Quoted};
pub use file::Rotation;
pub use line::LINE_BYTES_MAX;
pub use queue::QUEUE_BYTES_MAX;

use address::Address;
use capture::Capture;
use file::LogFile;
use line::Format;
use queue::Queue;
use syslog::Syslog;
use target::{Stream, Target};
use throttle::Throttle;

use crate::sys;

/// How much a statement matters; shown as a three-letter tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `INF`: what an operator wants to know in normal running.
    Info,
    /// `WRN`: something to look at; the server goes on as configured.
    Warning,
    /// `ERR`: something failed; the server goes on without it.
    Error,
    /// `FTL`: the server cannot go on. The caller exits, after [`Log::flush`].
    Fatal,
    /// `DBG`: the life of connections, only with debug on.
    Debug,
    /// `TRC`: every operation, only with trace on.
    Trace,
}

impl Level {
    /// The three letters of the log line.
    pub fn tag(self) -> &'static str {
        match self {
            Level::Info => "INF",
            Level::Warning => "WRN",
            Level::Error => "ERR",
            Level::Fatal => "FTL",
            Level::Debug => "DBG",
            Level::Trace => "TRC",
        }
    }
}

/// Where lines go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// To standard error.
    #[default]
    Stderr,
    /// To the end of the file of this name, made if it is missing.
    File(PathBuf, Rotation),
    /// To the log daemon of this machine.
    Syslog,
    /// To a log daemon at `udp://host:port`, `tcp://host:port` or `unix:///path`.
    RemoteSyslog(String),
}

/// What is logged, where to, and how a line begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where lines go.
    pub destination: Destination,
    /// Let `DBG` statements through.
    pub debug: bool,
    /// Let `TRC` statements through.
    pub trace: bool,
    /// Begin lines with date and time.
    pub time: bool,
    /// Date and time in UTC instead of the local zone.
    pub utc: bool,
    /// Colour the tags on standard error: `None` means if it is a terminal.
    pub color: Option<bool>,
}

impl Default for Settings {
    fn default() -> Self {
        let destination = Destination::Stderr;
        Settings { destination, debug: false, trace: false, time: true, utc: false, color: None }
    }
}

impl Settings {
    /// Opens the destination.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn open(&self) -> Result<Opened, OpenError> {
        open(self).map(Opened).map_err(OpenError)
    }

    /// True if these settings need no other destination opened than `other` has: at most the levels differ.
    pub fn writes_like(&self, other: &Settings) -> bool {
        Settings { debug: self.debug, trace: self.trace, ..other.clone() } == *self
    }
}

/// A destination that is open, and how lines for it are written.
pub struct Opened(Box<dyn Target>);

/// A handle to the log; clones are cheap and share everything. The log thread ends when the last clone is dropped and
/// everything queued is written.
#[derive(Clone)]
pub struct Log {
    /// None in the quiet log.
    shared: Option<Arc<Shared>>,
}

struct Shared {
    debug: AtomicBool,
    trace: AtomicBool,
    throttle: Mutex<Throttle>,
    sink: Sink,
}

enum Sink {
    Queue(Arc<Queue>),
    Capture(Arc<Capture>),
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Sink::Queue(queue) = &self.sink {
            queue.close();
        }
    }
}

impl Log {
    /// A log that drops everything and costs nothing.
    pub fn quiet() -> Log {
        Log { shared: None }
    }

    /// A log with a thread of its own that writes.
    ///
    /// Signals must be blocked before ([`crate::sys::signals::block`]), as before any thread.
    ///
    /// # Errors
    /// When the destination cannot be opened or the thread cannot be started.
    pub fn start(settings: Settings) -> Result<Log, OpenError> {
        let opened = settings.open()?;
        let thread_error = |error: io::Error| OpenError(format!("error starting the log: {}", sys::error_text(&error)));
        let queue = Queue::start(opened.0).map_err(thread_error)?;
        Ok(Self::with(&settings, Sink::Queue(queue)))
    }

    /// A log for tests that keeps every line in memory, with debug and trace on.
    pub fn capture() -> (Log, Captured) {
        let capture = Arc::new(Capture::default());
        let settings = Settings { debug: true, trace: true, ..Settings::default() };
        (Self::with(&settings, Sink::Capture(capture.clone())), Captured::new(capture))
    }

    fn with(settings: &Settings, sink: Sink) -> Log {
        let shared = Shared {
            debug: AtomicBool::new(settings.debug),
            trace: AtomicBool::new(settings.trace),
            throttle: Mutex::new(Throttle::default()),
            sink,
        };
        Log { shared: Some(Arc::new(shared)) }
    }

    /// True when `DBG` statements are wanted: ask before preparing an expensive one.
    pub fn debug_on(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.debug.load(Ordering::Relaxed))
    }

    /// True when `TRC` statements are wanted: ask before preparing an expensive one.
    pub fn trace_on(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.trace.load(Ordering::Relaxed))
    }

    /// Switches `DBG` statements on or off, for every clone, from now on.
    pub fn set_debug(&self, on: bool) {
        if let Some(shared) = &self.shared {
            shared.debug.store(on, Ordering::Relaxed);
        }
    }

    /// Switches `TRC` statements on or off, for every clone, from now on.
    pub fn set_trace(&self, on: bool) {
        if let Some(shared) = &self.shared {
            shared.trace.store(on, Ordering::Relaxed);
        }
    }

    /// Logs at `INF`.
    pub fn info(&self, text: Arguments<'_>) {
        self.statement(Level::Info, None, text);
    }

    /// Logs at `WRN`, unless the same text was logged at `WRN` or `ERR` within the last second.
    pub fn warn(&self, text: Arguments<'_>) {
        self.statement(Level::Warning, None, text);
    }

    /// Logs at `ERR`, unless the same text was logged at `WRN` or `ERR` within the last second.
    pub fn error(&self, text: Arguments<'_>) {
        self.statement(Level::Error, None, text);
    }

    /// Logs at `ERR` why an operator's order was not followed, every time.
    pub fn refusal(&self, text: Arguments<'_>) {
        self.push(Level::Error, None, text, |_| true);
    }

    /// Logs at `FTL`. Ending the process is left to the caller, after [`Log::flush`].
    pub fn fatal(&self, text: Arguments<'_>) {
        self.statement(Level::Fatal, None, text);
    }

    /// Logs at `DBG` when debug is on.
    pub fn debug(&self, text: Arguments<'_>) {
        self.statement(Level::Debug, None, text);
    }

    /// Logs at `TRC` when trace is on.
    pub fn trace(&self, text: Arguments<'_>) {
        self.statement(Level::Trace, None, text);
    }

    /// Logs `label - text` at `level`, for statements about one connection.
    ///
    /// Repeated warnings and errors are recognised by the text alone: a thousand connections that fail alike in one
    /// second give one line, as with the official server.
    pub fn about(&self, level: Level, label: &dyn Display, text: Arguments<'_>) {
        self.statement(level, Some(label), text);
    }

    /// Waits until everything logged before the call is written, at most `patience`. False when that did not happen.
    pub fn flush(&self, patience: Duration) -> bool {
        match self.shared.as_deref() {
            Some(Shared { sink: Sink::Queue(queue), .. }) => queue.flush(patience),
            _ => true,
        }
    }

    /// Goes on with other lines and to another destination. What was logged before is written where it went before; for
    /// that it waits `patience` at most.
    pub fn switch(&self, opened: Opened, patience: Duration) {
        if let Some(Shared { sink: Sink::Queue(queue), .. }) = self.shared.as_deref() {
            queue.switch(opened.0);
            queue.flush(patience);
        }
    }

    /// Has the log thread open its file again, behind what was logged before, and log that it did; where lines go to no
    /// file it logs that.
    pub fn reopen(&self) {
        if let Some(Shared { sink: Sink::Queue(queue), .. }) = self.shared.as_deref() {
            queue.reopen();
        }
    }

    fn statement(&self, level: Level, label: Option<&dyn Display>, text: Arguments<'_>) {
        let Some(shared) = self.shared.as_deref() else { return };
        let wanted = match level {
            Level::Debug => shared.debug.load(Ordering::Relaxed),
            Level::Trace => shared.trace.load(Ordering::Relaxed),
            _ => true,
        };
        if !wanted {
            return;
        }
        self.push(level, label, text, |statement| {
            let is_throttled = matches!(level, Level::Warning | Level::Error);
            let throttle = || shared.throttle.lock().unwrap_or_else(PoisonError::into_inner);
            !is_throttled || throttle().admits(statement, Instant::now())
        });
    }

    /// Writes the line, if `admits` lets the statement through, which is the line without its label.
    fn push(&self, level: Level, label: Option<&dyn Display>, text: Arguments<'_>, admits: impl Fn(&str) -> bool) {
        let Some(shared) = self.shared.as_deref() else { return };
        line::compose(label, text, |line, statement| match &shared.sink {
            _ if !admits(statement) => {}
            Sink::Queue(queue) => queue.push(level, line),
            Sink::Capture(capture) => capture.push(level, line),
        });
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.shared.as_deref() {
            None => "quiet",
            Some(Shared { sink: Sink::Queue(_), .. }) => "queue",
            Some(Shared { sink: Sink::Capture(_), .. }) => "capture",
        };
        write!(f, "Log({kind})")
    }
}

/// Why a log could not be started: one line in the words of the official server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenError(String);

impl Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OpenError {}

fn open(settings: &Settings) -> Result<Box<dyn Target>, String> {
    let format = Format { pid: std::process::id(), time: settings.time, utc: settings.utc, color: false };
    let program = || std::env::args_os().next();
    Ok(match &settings.destination {
        Destination::Stderr => Box::new(Stream::new(io::stderr(), format, settings.color)),
        Destination::File(path, rotation) => {
            let file = LogFile::open(path, format, *rotation);
            Box::new(file.map_err(|fault| format!("error opening file: {fault}"))?)
        }
        Destination::Syslog => Box::new(Syslog::open(Address::local(), program())?),
        Destination::RemoteSyslog(url) => Box::new(Syslog::open(Address::parse(url)?, program())?),
    })
}

#[cfg(test)]
mod tests;
