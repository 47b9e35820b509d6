//! The configuration file, with the input as its text, as the text of the files it includes, and as the environment.
//!
//! - Any bytes are read or refused, without a panic, and the same way each time.
//! - What is said about a file is said about a place in it, in one line.
//! - A file with values that cannot be has errors; without errors the options are within their bounds.

use midge::config::file::apply;
use midge::config::lang::{Map, NESTING_MAX, Outside, Problem, parse};
use midge::config::report::Report;
use midge::config::{Options, lang::Data};
use std::path::Path;

/// Between the parts of an input: the file, what it includes, the environment.
const PART: u8 = 0;

/// Checks one input.
pub fn run(data: &[u8]) {
    let mut parts = data.split(|byte| *byte == PART);
    let mut next = || parts.next().unwrap_or_default();
    let (main, included, variable) = (next(), next(), next());
    let variable = |name: &str| (name.len() < 3).then(|| String::from_utf8_lossy(variable).into_owned());
    let file = |path: &Path| match path.to_str() {
        Some("folder/included") => Ok(included.to_vec()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    };
    let outside = Outside { variable: &variable, file: &file };
    let read = || parse(Path::new("folder/main"), main, &outside).map(|map| (apply_to_defaults(&map), map));
    let outcome = read();
    assert_eq!(shown(&outcome), shown(&read()), "the same file means something else");
    match outcome {
        Ok(((options, report), map)) => {
            let depth = map.entries().map(|entry| depth(&entry.data)).max();
            assert!(depth <= Some(NESTING_MAX), "{depth:?} deep");
            report.errors.iter().chain(&report.warnings).for_each(|problem| check_problem(problem, main, included));
            assert!(report.errors.is_sorted_by_key(|problem| &problem.place));
            if report.errors.is_empty() {
                assert!((1..=options.max_pending).contains(&options.max_payload), "{options:?}");
                assert!(options.workers <= 256 && options.ping_max > 0 && options.max_control_line > 0, "{options:?}");
            }
        }
        Err(problem) => check_problem(&problem, main, included),
    }
}

fn apply_to_defaults(map: &Map) -> (Options, Report) {
    let mut options = Options::default();
    let report = apply(map, &mut options);
    (options, report)
}

/// Everything about an outcome. Maps of the same entries differ in the order of their index, which is not shown.
fn shown(outcome: &Result<((Options, Report), Map), Problem>) -> String {
    match outcome {
        Ok((applied, map)) => format!("{applied:?} {:?}", map.entries().map(|entry| &entry.key).collect::<Vec<_>>()),
        Err(problem) => problem.to_string(),
    }
}

fn depth(data: &Data) -> usize {
    match data {
        Data::List(items) => 1 + items.iter().map(|item| depth(&item.data)).max().unwrap_or(0),
        Data::Map(map) => 1 + map.entries().map(|entry| depth(&entry.data)).max().unwrap_or(0),
        _ => 0,
    }
}

/// The place is in the file, or right behind the end of one of its lines.
fn check_problem(problem: &Problem, main: &[u8], included: &[u8]) {
    let text = match &*problem.place.file {
        "folder/main" => main,
        "folder/included" => included,
        other => panic!("{other:?} is none of the files"),
    };
    let line = text.split(|byte| *byte == b'\n').nth(problem.place.line - 1);
    let bytes = line.unwrap_or_else(|| panic!("{problem}: there is no such line")).len();
    assert!((1..=bytes + 1).contains(&problem.place.column), "{problem}: the line has {bytes} bytes");
    assert!(!problem.to_string().contains(['\n', '\r', '\x1b']), "{problem:?}");
}
