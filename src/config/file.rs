//! What a configuration file says, put into the options through the table.

use std::path::Path;

use super::lang::{self, Data, Entry, Map, Outside, Place, Problem};
use super::options::Options;
use super::table::{self, Spec};
use super::unsupported;
use super::value::{Fault, Kind, Value};
use crate::log::Quoted;

/// What is to be said about a file, sorted by position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Why it cannot be used.
    pub errors: Vec<Problem>,
    /// What the operator should know.
    pub warnings: Vec<Problem>,
}

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
        report.warnings.push(Problem { place, reason: "config has no values or is empty".to_owned() });
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
            if let Err(reason) = apply_entry(spec, entry, options, &mut report) {
                report.errors.push(Problem { place: entry.place.clone(), reason });
            }
        } else if let Some(missing) = unsupported::by_key(&entry.key) {
            let key = Quoted(entry.key.as_bytes());
            let place = entry.place.clone();
            if missing.danger.is_empty() {
                let reason = format!("{key} is not supported and is ignored");
                report.warnings.push(Problem { place, reason });
            } else {
                let reason = format!("{key} is not supported: {}", missing.danger);
                report.errors.push(Problem { place, reason });
            }
        } else if !entry.is_used {
            let reason = format!("unknown field {}", Quoted(entry.key.as_bytes()));
            report.errors.push(Problem { place: entry.place.clone(), reason });
        }
    }
    check_sizes(map, options, &mut report);
    report.errors.sort_by(|one, other| one.place.cmp(&other.place));
    report.warnings.sort_by(|one, other| one.place.cmp(&other.place));
    report
}

fn apply_entry(spec: &Spec, entry: &Entry, options: &mut Options, report: &mut Report) -> Result<(), String> {
    let value = match (spec.kind, &entry.data) {
        (Kind::Duration, Data::Integer(seconds)) => {
            let key = entry.key.to_lowercase();
            let reason = format!("invalid use of field {key:?}: {key} should be converted to a duration");
            report.warnings.push(Problem { place: entry.place.clone(), reason });
            seconds_value(*seconds)?
        }
        (kind, data) => value(kind, data)?,
    };
    spec.apply(options, value)
}

/// Seconds without a unit, with the bounds of those that have one.
fn seconds_value(seconds: i64) -> Result<Value, String> {
    Kind::Duration.read(&format!("{seconds}s")).map_err(|_| "duration is out of range".to_owned())
}

/// The value for an option of this kind.
fn value(kind: Kind, data: &Data) -> Result<Value, String> {
    let expected = match (kind, data) {
        (Kind::Switch, Data::Switch(on)) => return Ok(Value::Switch(*on)),
        (Kind::Integer, Data::Integer(number)) => return Ok(Value::Integer(*number)),
        (Kind::Text | Kind::Path, Data::Text(text)) => return Ok(Value::Text(text.clone())),
        (Kind::Duration, Data::Text(text)) => {
            return kind.read(text).map_err(|fault| match fault {
                Fault::Syntax => "expected a duration such as \"2m\" or \"1.5s\"".to_owned(),
                Fault::Range => "duration is out of range".to_owned(),
            });
        }
        (Kind::Address, Data::Integer(port)) => return Ok(Value::Address(None, *port)),
        (Kind::Address, Data::Text(text)) => {
            // A text with a port alone is refused as the official server refuses it.
            let address = kind.read(text).ok().filter(|address| matches!(address, Value::Address(Some(_), _)));
            return address.ok_or_else(|| "expected a port or \"host:port\"".to_owned());
        }
        (Kind::Switch, _) => "a boolean",
        (Kind::Integer, _) => "an integer",
        (Kind::Text | Kind::Path, _) => "a string",
        (Kind::Duration, _) => "a duration",
        (Kind::Address, _) => "a port or \"host:port\"",
    };
    Err(format!("expected {expected}, got {}", data.kind()))
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
        report.errors.push(Problem { place, reason });
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
