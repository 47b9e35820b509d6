//! What a configuration file says, put into the options through the table.

use std::path::Path;

use super::blocks;
use super::convert;
use super::lang::{self, Entry, Map, Outside, Place, Problem};
use super::options::Options;
use super::report::Report;
use super::table;
use super::unsupported;
use crate::log::Quoted;

/// Reads the file and puts what it says into `options`; returns the warnings.
///
/// # Errors
/// Everything that is wrong with it, each in one line with its end: `file:line:column: reason`. Of a file that cannot be
/// read only that, without a line end. The options are then of no use.
pub fn read(path: &Path, options: &mut Options, outside: &Outside) -> Result<Vec<Problem>, String> {
    let text = (outside.file)(path).map_err(|error| lang::read_error(path, &error))?;
    let map = lang::parse(path, &text, outside).map_err(|problem| format!("{problem}\n"))?;
    let mut report = apply(&map, options);
    if map.entries().next().is_none() {
        let place = Place { file: path.to_string_lossy().into(), line: 1, column: 1 };
        report.warning(&place, "config has no values or is empty");
    }
    if report.errors.is_empty() {
        return Ok(report.warnings);
    }
    Err(report.errors.iter().map(|problem| format!("{problem}\n")).collect())
}

/// Puts every entry into `options`, in the order of the file, and checks what the options have to do with each other.
pub fn apply(map: &Map, options: &mut Options) -> Report {
    let mut report = Report::default();
    for entry in map.entries() {
        if let Some(spec) = table::by_key(&entry.key) {
            let value = convert::value(spec.kind, entry, &mut report);
            if let Err(reason) = value.and_then(|value| spec.apply(options, value)) {
                report.error(&entry.place, reason);
            }
        } else if let Some(key) = blocks::TOP.key(&entry.key) {
            key.read(entry, options, &mut report);
        } else if let Some(missing) = unsupported::by_key(&entry.key) {
            let key = Quoted(entry.key.as_bytes());
            if missing.danger.is_empty() {
                report.warning(&entry.place, format!("{key} is not supported and is ignored"));
            } else {
                report.error(&entry.place, format!("{key} is not supported: {}", missing.danger));
            }
        } else if !entry.is_used {
            report.error(&entry.place, (blocks::TOP.unknown)(Quoted(entry.key.as_bytes())));
        }
    }
    check_sizes(map, options, &mut report);
    blocks::check(map, options, &mut report);
    report.sorted()
}

/// A payload that never fits into what may wait for a client could not be delivered.
fn check_sizes(map: &Map, options: &Options, report: &mut Report) {
    let Options { max_payload, max_pending, .. } = options;
    if max_payload <= max_pending {
        return;
    }
    let place_of = |option: &str| {
        let named = |entry: &&Entry| table::by_key(&entry.key).is_some_and(|spec| spec.keys.contains(&option));
        map.entries().filter(named).last().map(|entry| entry.place.clone())
    };
    // Only a file can have changed one of the two.
    if let Some(place) = place_of("max_payload").or_else(|| place_of("max_pending")) {
        let reason = format!("max_payload ({max_payload}) cannot be higher than max_pending ({max_pending})");
        report.error(&place, reason);
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
