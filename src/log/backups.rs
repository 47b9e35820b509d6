//! The names of old log files, and which of them are to go.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::sys::clock::CalendarTime;

/// The name that the file at `path` gets when it is put aside at `when`: `<path>.YYYY.MM.DD.hh.mm.ss.nnnnnnnnn` in local
/// time, as the official server names it.
pub(super) fn name(path: &Path, when: SystemTime) -> PathBuf {
    let CalendarTime { year, month, day, hour, minute, second, nanos } = CalendarTime::local(when);
    let mut name = OsString::from(path);
    name.push(format!(".{year:04}.{month:02}.{day:02}.{hour:02}.{minute:02}.{second:02}.{nanos:09}"));
    PathBuf::from(name)
}

/// The backups of the file at `path`, the oldest first. Files whose names do not end in a time are none.
///
/// # Errors
/// When its folder cannot be read.
pub(super) fn list(path: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(own) = path.file_name().and_then(|name| name.to_str()) else { return Ok(Vec::new()) };
    let mut backups = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let stamp = name.to_str().and_then(|name| name.strip_prefix(own)?.strip_prefix('.'));
        if stamp.is_some_and(is_stamp) && entry.file_type()?.is_file() {
            backups.push(entry.path());
        }
    }
    backups.sort();
    Ok(backups)
}

/// True for what [`name`] puts behind the dot.
fn is_stamp(text: &str) -> bool {
    const FIELDS: [(usize, std::ops::RangeInclusive<u32>); 7] =
        [(4, 0..=9999), (2, 1..=12), (2, 1..=31), (2, 0..=23), (2, 0..=59), (2, 0..=60), (9, 0..=999_999_999)];
    let parts: Vec<&str> = text.split('.').collect();
    let fits = |part: &str, digits: usize, range: &std::ops::RangeInclusive<u32>| {
        part.len() == digits
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && part.parse().is_ok_and(|number| range.contains(&number))
    };
    parts.len() == FIELDS.len() && parts.iter().zip(&FIELDS).all(|(part, (digits, range))| fits(part, *digits, range))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn names_end_in_a_time_that_is_recognised() {
        let when = UNIX_EPOCH + Duration::new(1_795_425_953, 383_160_007);
        let name = name(Path::new("/x/a.log"), when);
        let stamp = name.to_str().unwrap().strip_prefix("/x/a.log.").unwrap();
        assert!(is_stamp(stamp), "{stamp}");
        assert!(stamp.starts_with("2026.11.2") && stamp.ends_with(".53.383160007"), "{stamp}");
    }

    #[test]
    fn almost_times_are_none() {
        assert!(is_stamp("2026.11.23.09.25.53.000000000"));
        for text in [
            "",
            "gz",
            "2026.11.23.09.25.53",
            "2026.11.23.09.25.53.0",
            "2026.11.23.09.25.53.000000000.gz",
            "2026.13.23.09.25.53.000000000",
            "2026.11.00.09.25.53.000000000",
            "2026.11.23.24.25.53.000000000",
            "2026.11.23.09.60.53.000000000",
            "2026.11.23.9.25.53.000000000",
            "2026.11.23.09.25.+3.000000000",
            "2026-11-23-09-25-53-000000000",
        ] {
            assert!(!is_stamp(text), "{text}");
        }
    }
}
