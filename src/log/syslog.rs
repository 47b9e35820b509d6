//! The system's log, on this machine or another one.
//!
//! A line that cannot be sent soon is lost: the connection is then given up, and made anew after a pause. So a log daemon
//! that is dead or does not read costs lines and, at most, the log thread's time.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::Level;
use super::address::{Address, refusal};
use super::escape::Plain;
use super::link::Link;
use super::target::{Entry, Lost, Target};
use crate::sys::{self, clock::CalendarTime};

/// How long nothing is tried after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Facility `daemon` as it stands in the priority; lines for another machine have facility 0, as with the official
/// server.
const DAEMON: u8 = 3 << 3;

/// The target that is a log daemon.
#[derive(Debug)]
pub(super) struct Syslog {
    address: Address,
    /// What stands between the time and the text.
    origin: String,
    link: Option<Link>,
    /// Why there is no link, and when to try again.
    down: Option<(String, Instant)>,
}

impl Syslog {
    /// Connects. `program` is the first word of the command line.
    ///
    /// # Errors
    /// Why the daemon cannot be reached, as one line.
    pub fn open(address: Address, program: Option<OsString>) -> Result<Syslog, String> {
        let link = Link::connect(&address).map_err(|fault| refusal(&fault))?;
        let program = program.unwrap_or_default();
        let tag = Path::new(&program).file_name().unwrap_or("midge".as_ref());
        let mut origin = format!("{}[{}]: ", Plain(tag.as_encoded_bytes()), std::process::id());
        if address.is_remote() {
            origin.insert_str(0, &format!("{} ", sys::host_name()));
        }
        Ok(Syslog { address, origin, link: Some(link), down: None })
    }

    /// A link, made anew if need be and if it is time.
    fn link(&mut self) -> Result<&mut Link, String> {
        if self.link.is_none() {
            if let Some((fault, until)) = &self.down
                && Instant::now() < *until
            {
                return Err(fault.clone());
            }
            let link = Link::connect(&self.address).inspect_err(|fault| self.pause(fault))?;
            self.link = Some(link);
        }
        self.link.as_mut().ok_or_else(String::new)
    }

    fn pause(&mut self, fault: &str) {
        self.link = None;
        self.down = Some((fault.to_owned(), Instant::now() + PAUSE));
    }
}

impl Target for Syslog {
    fn format(&self, Entry { when, level, text }: Entry<'_>, out: &mut Vec<u8>) {
        let facility = if self.address.is_own() { DAEMON } else { 0 };
        let time = if self.address.is_remote() { internet_time(when) } else { short_time(when) };
        out.extend_from_slice(format!("<{}>{time} {}", facility | severity(level), self.origin).as_bytes());
        out.extend_from_slice(text.as_bytes());
        out.push(b'\n');
    }

    fn write(&mut self, lines: &[u8]) -> Result<(), Lost> {
        let mut rest = lines;
        let mut first = true;
        loop {
            let link = self.link().map_err(|fault| Lost::all(rest, fault))?;
            let Err(stopped) = link.send(rest) else { return Ok(()) };
            // A line that was cut is sent whole to whoever is next.
            rest = &rest[memchr::memrchr(b'\n', &rest[..stopped.written]).map_or(0, |end| end + 1)..];
            // A daemon that was restarted gets what its predecessor did not take; one that does not read gets a rest.
            if !first || stopped.error.kind() == io::ErrorKind::TimedOut {
                let fault = sys::error_text(&stopped.error);
                self.pause(&fault);
                return Err(Lost::all(rest, fault));
            }
            (self.link, self.down, first) = (None, None, false);
        }
    }
}

/// The numbers of syslog. Information is a notice and so are trace lines, as with the official server.
fn severity(level: Level) -> u8 {
    match level {
        Level::Fatal => 2,
        Level::Error => 3,
        Level::Warning => 4,
        Level::Info | Level::Trace => 5,
        Level::Debug => 7,
    }
}

/// `Nov  3 09:46:46` in local time.
fn short_time(when: SystemTime) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let CalendarTime { month, day, hour, minute, second, .. } = CalendarTime::local(when);
    let month = MONTHS[usize::from(month - 1) % MONTHS.len()];
    format!("{month} {day:2} {hour:02}:{minute:02}:{second:02}")
}

/// `2026-11-23T09:35:30Z`.
fn internet_time(when: SystemTime) -> String {
    let CalendarTime { year, month, day, hour, minute, second, .. } = CalendarTime::utc(when);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
#[path = "syslog_tests.rs"]
mod tests;
