//! One log line: its text, bounded and on one line, and what is put before it.

use std::cell::RefCell;
use std::fmt::{self, Arguments, Display, Write};
use std::io::Write as _;

use super::Level;
use super::escape::escape_character;
use super::target::Entry;
use crate::sys::clock::CalendarTime;

/// The longest text of one line in bytes, the mark of a cut text included.
pub const LINE_BYTES_MAX: usize = 8 * 1024;

/// What the end of a text that was cut says.
const CUT_MARK: &str = "... (cut)";

/// How a line begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    /// The process id shown.
    pub pid: u32,
    /// Date and time are shown.
    pub time: bool,
    /// ... in UTC.
    pub utc: bool,
    /// Tags are coloured.
    pub color: bool,
}

impl Format {
    /// Appends a whole line to `out`: `[pid] date time [TAG] text`.
    pub fn write(self, Entry { when, level, text }: Entry<'_>, out: &mut Vec<u8>) {
        // Writing to a vector cannot fail.
        let _ = write!(out, "[{}] ", self.pid);
        if self.time {
            let time = if self.utc { CalendarTime::utc(when) } else { CalendarTime::local(when) };
            let _ = write!(out, "{time} ");
        }
        let tag = level.tag();
        let _ = match self.color {
            true => write!(out, "[\x1b[{}m{tag}\x1b[0m] ", color(level)),
            false => write!(out, "[{tag}] "),
        };
        out.extend_from_slice(text.as_bytes());
        out.push(b'\n');
    }
}

fn color(level: Level) -> &'static str {
    match level {
        Level::Info => "32",
        Level::Debug => "36",
        Level::Warning => "0;93",
        Level::Error | Level::Fatal => "31",
        Level::Trace => "33",
    }
}

/// Formats `label - text` and passes it on, together with the part after the label.
pub(super) fn compose(label: Option<&dyn Display>, text: Arguments<'_>, then: impl FnOnce(&str, &str)) {
    thread_local! {
        static SCRATCH: RefCell<String> = const { RefCell::new(String::new()) };
    }
    // Taken out while in use: an argument that logs while it is shown finds an empty string, not a borrowed one.
    let mut bounded = Bounded { text: SCRATCH.take(), cut: false };
    bounded.text.clear();
    if let Some(label) = label {
        // An error only says that the text is full, and then it is marked so below.
        let _ = write!(OneLine(&mut bounded), "{label} - ");
    }
    let statement_from = bounded.text.len();
    let _ = OneLine(&mut bounded).write_fmt(text);
    if bounded.cut {
        bounded.text.push_str(CUT_MARK);
    }
    then(&bounded.text, &bounded.text[statement_from..]);
    SCRATCH.set(bounded.text);
}

/// Text that stops at its limit. The error it then returns ends the formatting, so that a statement about a megabyte of
/// payload costs no more than what is kept of it.
struct Bounded {
    text: String,
    cut: bool,
}

impl Write for Bounded {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = (LINE_BYTES_MAX - CUT_MARK.len()).saturating_sub(self.text.len());
        if self.cut {
            return Err(fmt::Error);
        }
        if part.len() <= room {
            self.text.push_str(part);
            return Ok(());
        }
        self.cut = true;
        let end = (0..=room).rev().find(|end| part.is_char_boundary(*end)).unwrap_or(0);
        self.text.push_str(&part[..end]);
        Err(fmt::Error)
    }
}

/// Escapes control characters on their way into the text, so that no statement can pass for two lines.
struct OneLine<'a>(&'a mut Bounded);

impl Write for OneLine<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let mut plain_from = 0;
        for (at, byte) in part.bytes().enumerate() {
            if byte.is_ascii_control() {
                self.0.write_str(&part[plain_from..at])?;
                escape_character(char::from(byte), self.0)?;
                plain_from = at + 1;
            }
        }
        self.0.write_str(&part[plain_from..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn composed(label: Option<&dyn Display>, text: Arguments<'_>) -> (String, String) {
        let mut answer = None;
        compose(label, text, |line, statement| answer = Some((line.to_owned(), statement.to_owned())));
        answer.unwrap()
    }

    #[test]
    fn the_official_line_format() {
        let when = UNIX_EPOCH + Duration::new(1_795_425_953, 383_160_000);
        let shown = |format: Format, level| {
            let mut out = Vec::new();
            format.write(Entry { when, level, text: "Starting" }, &mut out);
            String::from_utf8(out).unwrap()
        };
        let plain = Format { pid: 10943, time: true, utc: true, color: false };
        assert_eq!(shown(plain, Level::Info), "[10943] 2026/11/23 09:25:53.383160 [INF] Starting\n");
        let timeless = Format { time: false, ..plain };
        assert_eq!(shown(timeless, Level::Fatal), "[10943] [FTL] Starting\n");
        let colored = Format { time: false, color: true, ..plain };
        for (level, code, tag) in [
            (Level::Info, "32", "INF"),
            (Level::Debug, "36", "DBG"),
            (Level::Warning, "0;93", "WRN"),
            (Level::Error, "31", "ERR"),
            (Level::Fatal, "31", "FTL"),
            (Level::Trace, "33", "TRC"),
        ] {
            assert_eq!(shown(colored, level), format!("[10943] [\x1b[{code}m{tag}\x1b[0m] Starting\n"));
        }
    }

    #[test]
    fn the_label_is_joined_and_the_statement_known() {
        let label: &dyn Display = &"127.0.0.1:5 - cid:7";
        let (line, statement) = composed(Some(label), format_args!("closed: {}", 1));
        assert_eq!(line, "127.0.0.1:5 - cid:7 - closed: 1");
        assert_eq!(statement, "closed: 1");
        assert_eq!(composed(None, format_args!("x")), ("x".into(), "x".into()));
    }

    #[test]
    fn control_characters_never_reach_a_line() {
        let (line, _) = composed(None, format_args!("a{}b\t", "\r\n[1] [INF] forged\x1b[0m\x7f"));
        assert_eq!(line, "a\\r\\n[1] [INF] forged\\x1b[0m\\x7fb\\t");
    }

    #[test]
    fn long_text_is_cut_at_a_character_and_marked() {
        for pad in 0..4 {
            let text = format!("{}{}", "x".repeat(pad), "\u{4f60}".repeat(LINE_BYTES_MAX));
            let (line, _) = composed(None, format_args!("{text}"));
            assert!(line.len() <= LINE_BYTES_MAX && line.len() > LINE_BYTES_MAX - 8, "{}", line.len());
            assert!(line.ends_with("\u{4f60}... (cut)"));
        }
        let (line, statement) = composed(Some(&"l".repeat(LINE_BYTES_MAX)), format_args!("x"));
        assert!(line.len() <= LINE_BYTES_MAX && line.ends_with("l... (cut)"));
        assert_eq!(statement, "... (cut)");
    }

    #[test]
    fn text_that_just_fits_is_whole() {
        let text = "y".repeat(LINE_BYTES_MAX - CUT_MARK.len());
        assert_eq!(composed(None, format_args!("{text}")).0, text);
    }

    #[test]
    fn an_argument_may_log_itself() {
        struct Nested;
        impl Display for Nested {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&composed(None, format_args!("inner")).0)
            }
        }
        assert_eq!(composed(None, format_args!("outer {Nested}")).0, "outer inner");
    }
}
