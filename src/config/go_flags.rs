//! The command line as Go's flag package reads it, rewritten for getopts.
//!
//! Go knows one kind of flag: a name behind one dash or two, its value behind `=` or, unless it is a switch, in the next
//! word. getopts would take `-DV` for `-D -V` and `-p=1` for a port called `=1`. So each flag becomes the one long form
//! both agree on, `--name=value`, with the first long name of its option whichever alias was used.

use std::ffi::OsString;

use super::ArgError;
use super::table::{self, Spec};
use super::value::Kind;
use crate::log::{Escaped, Quoted};

/// Rewrites `args`; behind a `--` follow the words that are no flags.
///
/// # Errors
/// The first word that Go's flag package would refuse, in its words.
pub(super) fn normalize(args: impl Iterator<Item = OsString>) -> Result<Vec<String>, ArgError> {
    let mut args = args.map(|word| word.into_string().map_err(not_text));
    let mut normal = Vec::new();
    while let Some(word) = args.next().transpose()? {
        let Some(flag) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) else {
            // The first word that is no flag ends the flags; a lone dash is such a word.
            normal.extend(["--".to_owned(), word]);
            break;
        };
        let flag = flag.strip_prefix('-').unwrap_or(flag);
        if flag.is_empty() {
            normal.push("--".to_owned());
            break;
        }
        if flag.starts_with(['-', '=']) {
            return Err(ArgError::syntax(format!("bad flag syntax: {}", Escaped(word.as_bytes()))));
        }
        let (name, attached) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (flag, None),
        };
        let Some(spec) = table::by_flag(name) else {
            return Err(ArgError::syntax(format!("flag provided but not defined: -{}", Escaped(name.as_bytes()))));
        };
        let value = match (attached, spec.kind) {
            (Some(value), _) => value,
            (None, Kind::Switch) => "true".to_owned(),
            (None, _) => match args.next().transpose()? {
                Some(value) => value,
                None => return Err(ArgError::syntax(format!("flag needs an argument: -{name}"))),
            },
        };
        check(spec, name, &value)?;
        normal.push(format!("--{}={value}", spec.long_flag()));
    }
    for word in args {
        normal.push(word?);
    }
    Ok(normal)
}

/// Refuses a value that is not written as the option's kind is. Checked here and not when the value is used, because the
/// error names the alias that was used, and because of two wrong flags the first is to be told.
fn check(spec: &Spec, name: &str, value: &str) -> Result<(), ArgError> {
    let Err(fault) = spec.kind.read(value) else { return Ok(()) };
    let quoted = Quoted(value.as_bytes());
    Err(ArgError::syntax(match spec.kind {
        Kind::Switch => format!("invalid boolean value {quoted} for -{name}: {fault}"),
        _ => format!("invalid value {quoted} for flag -{name}: {fault}"),
    }))
}

fn not_text(word: OsString) -> ArgError {
    ArgError::syntax(format!("argument is no UTF-8 text: {}", Quoted(word.as_encoded_bytes())))
}
