//! A log file: appended to, opened again on request, put aside when it is large.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::escape::Quoted;
use super::line::Format;
use super::target::{Entry, Lost, Stopped, Target, write_all};
use super::{Level, backups};
use crate::sys;

/// Owner reads and writes, group reads, as with the official server.
const MODE: u32 = 0o640;

/// How large a log file may become and how many there may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// A file larger than so many bytes is put aside; 0 means never.
    pub size_max: u64,
    /// So many files are kept, the one in use counted; 0 keeps all.
    pub files_max: usize,
}

/// The target that is a file.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    format: Format,
    rotation: Rotation,
    file: File,
    size: u64,
    /// The size to put it aside at: the limit, or more while that fails.
    rotate_above: u64,
    /// The last line written has no end.
    torn: bool,
}

impl LogFile {
    /// Opens the file, created if it is missing; one that is too large already is put aside at once.
    ///
    /// # Errors
    /// What is wrong with the name, as one line.
    pub fn open(path: &Path, format: Format, rotation: Rotation) -> Result<LogFile, String> {
        let (file, size, rotate_above) = open(path, rotation)?;
        let format = Format { color: false, ..format };
        let mut target = LogFile { path: path.to_owned(), format, rotation, file, size, rotate_above, torn: false };
        target.rotate_if_large();
        Ok(target)
    }

    /// Appends lines. What a full disk leaves of a line is ended before the next one.
    fn append(&mut self, lines: &[u8]) -> Result<(), Lost> {
        if self.torn {
            self.put(b"\n").map_err(|stopped| Lost::all(lines, sys::error_text(&stopped.error)))?;
            self.torn = false;
        }
        self.put(lines).map_err(|stopped| {
            self.torn = stopped.written > 0 && lines[stopped.written - 1] != b'\n';
            stopped.lost(lines)
        })
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        let outcome = write_all(&mut self.file, bytes, None);
        self.size += outcome.as_ref().map_or_else(|stopped| stopped.written, |()| bytes.len()) as u64;
        outcome
    }

    /// The front of `lines` that goes into this file: up to the line that makes it too large.
    fn share<'a>(&self, lines: &'a [u8]) -> &'a [u8] {
        let room = usize::try_from(self.rotate_above.saturating_sub(self.size)).unwrap_or(usize::MAX);
        if room >= lines.len() {
            return lines;
        }
        // The first byte that does not fit is in the last line that goes in.
        let end = memchr::memchr(b'\n', &lines[room..]).map_or(lines.len(), |end| room + end + 1);
        &lines[..end]
    }

    fn rotate_if_large(&mut self) {
        if self.size <= self.rotate_above {
            return;
        }
        let backup = backups::name(&self.path, SystemTime::now());
        let moved = fs::rename(&self.path, &backup).map_err(|error| sys::error_text(&error));
        let opened = moved.and_then(|()| {
            open(&self.path, self.rotation).inspect_err(|_| {
                // Back to the name it had; where that fails too the lines go on into the backup.
                _ = fs::rename(&backup, &self.path);
            })
        });
        match opened {
            Ok((file, size, rotate_above)) => {
                (self.file, self.size, self.rotate_above, self.torn) = (file, size, rotate_above, false);
                self.note(Level::Info, &format!("Rotated log, backup saved as {}", quoted(&backup)));
                self.purge();
            }
            Err(error) => {
                self.rotate_above = self.rotate_above.max(self.size).saturating_mul(2);
                let next = self.rotate_above;
                let text = format!("Unable to rotate log ({error}), will attempt next rotation at size {next}");
                self.note(Level::Error, &text);
            }
        }
    }

    /// Removes the oldest backups when there are too many.
    fn purge(&mut self) {
        let Some(keep) = self.rotation.files_max.checked_sub(1) else { return };
        let backups = match backups::list(&self.path) {
            Ok(backups) => backups,
            Err(error) => {
                let text = format!("Unable to look for old log files ({})", sys::error_text(&error));
                return self.note(Level::Error, &text);
            }
        };
        for backup in &backups[..backups.len().saturating_sub(keep)] {
            if let Err(error) = fs::remove_file(backup) {
                let text = format!("Unable to remove log file {} ({})", quoted(backup), sys::error_text(&error));
                return self.note(Level::Error, &text);
            }
            self.note(
                Level::Info,
                &format!("Purged log file {}", quoted(Path::new(backup.file_name().unwrap_or_default()))),
            );
        }
    }

    /// A line of its own. If it cannot be written, the next one that others log tells so.
    fn note(&mut self, level: Level, text: &str) {
        let mut line = Vec::new();
        self.format.write(Entry { when: SystemTime::now(), level, text }, &mut line);
        _ = self.append(&line);
    }
}

impl Target for LogFile {
    fn format(&self, entry: Entry<'_>, out: &mut Vec<u8>) {
        self.format.write(entry, out);
    }

    fn write(&mut self, lines: &[u8]) -> Result<(), Lost> {
        let mut outcome = Ok(());
        let mut rest = lines;
        while !rest.is_empty() {
            let (share, after) = rest.split_at(self.share(rest).len());
            rest = after;
            match self.append(share) {
                Ok(()) => self.rotate_if_large(),
                Err(lost) => {
                    let before = outcome.map_or_else(|before: Lost| before.lines, |()| 0);
                    outcome = Err(Lost { lines: before + lost.lines, ..lost });
                }
            }
        }
        outcome
    }

    fn reopen(&mut self) -> Option<Result<(), String>> {
        let opened = open(&self.path, self.rotation).map(|(file, size, rotate_above)| {
            (self.file, self.size, self.rotate_above, self.torn) = (file, size, rotate_above, false);
            self.rotate_if_large();
        });
        Some(opened)
    }
}

/// The file, its size, and the size to put it aside at: none for what is no plain file, such as a terminal.
fn open(path: &Path, rotation: Rotation) -> Result<(File, u64, u64), String> {
    let opened = || -> io::Result<_> {
        let file = OpenOptions::new().append(true).create(true).mode(MODE).open(path)?;
        let about = file.metadata()?;
        let rotates = rotation.size_max > 0 && about.is_file();
        Ok((file, about.len(), if rotates { rotation.size_max } else { u64::MAX }))
    };
    opened().map_err(|error| format!("open {}: {}", path.display(), sys::error_text(&error)))
}

fn quoted(path: &Path) -> String {
    Quoted(path.as_os_str().as_encoded_bytes()).to_string()
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
