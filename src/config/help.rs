//! The text of `--help`, from the table.

use std::fmt::Write;

use super::table::{self, Group, Spec};
use super::value::Kind;

/// The whole text with its line ends, beginning and ending with an empty line as the official server's does.
pub fn help() -> String {
    let shown = || table::all().filter(|spec| !spec.flags.is_empty());
    let width = shown().map(|spec| names(spec).len()).max().unwrap_or_default();
    let mut text = String::from("\nUsage: midge [options]\n\n");
    for group in Group::ALL {
        let mut in_group = shown().filter(|spec| spec.group == group).peekable();
        if in_group.peek().is_none() {
            continue;
        }
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}:", group.title());
        for spec in in_group {
            let _ = writeln!(text, "    {:width$}  {}{}", names(spec), spec.help, default_note(spec));
        }
        text.push('\n');
    }
    text
}

/// The flags of an option with their dashes and its operand: `-p, --port <port>`.
fn names(spec: &Spec) -> String {
    let mut names = spec.flags.iter().map(|flag| dashed(flag)).collect::<Vec<_>>().join(", ");
    if names.starts_with("--") {
        names.insert_str(0, "    ");
    }
    if !spec.operand.is_empty() {
        names.push(' ');
        names.push_str(spec.operand);
    }
    names
}

/// The flag as it is usually written: short and upper-case names such as `-DV` with one dash, words with two.
pub(super) fn dashed(flag: &str) -> String {
    let single = flag.len() == 1 || flag.bytes().all(|byte| byte.is_ascii_uppercase());
    format!("{}{flag}", if single { "-" } else { "--" })
}

fn default_note(spec: &Spec) -> String {
    match spec.kind {
        // Switches are off unless their help says otherwise.
        Kind::Switch => String::new(),
        _ if spec.default.is_empty() => String::new(),
        _ => format!(" (default: {})", spec.default),
    }
}
