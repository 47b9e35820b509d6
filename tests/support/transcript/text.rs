//! The text of a transcript line: escapes, repeats and named pieces become bytes; bytes become readable text.

use std::fmt::Write;

/// Pieces of text that many transcripts need, by the name they are written with.
const NAMED: &[(&str, &str)] = &[
    ("{CON}", r#"CONNECT {"verbose":false,"pedantic":false,"protocol":1,"headers":true,"no_responders":true}"#),
    ("{CON0}", r#"CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}"#),
];

/// How many bytes at each end of a repeat are worth cutting at; what lies between is all the same.
const REPEAT_EDGE_BYTES: usize = 2;

/// Bytes to send or expect, and the places where a cut is worth trying.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bytes {
    /// The bytes themselves.
    pub bytes: Vec<u8>,
    /// Positions strictly inside `bytes`, ascending: all of them except deep inside a repeat.
    pub cuts: Vec<usize>,
}

impl Bytes {
    /// Appends other bytes; the seam becomes a cut.
    pub fn append(&mut self, other: &Bytes) {
        let base = self.bytes.len();
        if base > 0 && !other.bytes.is_empty() {
            self.cuts.push(base);
        }
        self.cuts.extend(other.cuts.iter().map(|cut| base + cut));
        self.bytes.extend_from_slice(&other.bytes);
    }
}

/// Turns written text into bytes: `\r \n \t \s \\ \xNN`, `{count*text}`, and the named pieces.
pub fn decode(text: &str) -> Result<Bytes, String> {
    let mut text = text.to_string();
    for (name, value) in NAMED {
        text = text.replace(name, value);
    }
    let mut out = Bytes::default();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let start = out.bytes.len();
        let mut edge = usize::MAX;
        if let Some((count, inner, used)) = repeat(rest)? {
            out.bytes.extend(inner.repeat(count));
            edge = REPEAT_EDGE_BYTES;
            rest = &rest[used..];
        } else {
            rest = single(rest, &mut out.bytes)?;
        }
        let end = out.bytes.len();
        let near_edge = |cut: &usize| cut - start <= edge || end - cut <= edge;
        out.cuts.extend((start.max(1)..end).filter(near_edge));
    }
    Ok(out)
}

/// Reads `{count*text}` at the start of `text`: the count, the bytes to repeat, and the length of the notation.
fn repeat(text: &str) -> Result<Option<(usize, Vec<u8>, usize)>, String> {
    let Some(inside) = text.strip_prefix('{') else {
        return Ok(None);
    };
    let digits = inside.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 || !inside[digits..].starts_with('*') {
        return Ok(None);
    }
    let count = inside[..digits].parse().map_err(|_| "count too large")?;
    let end = inside.find('}').ok_or("repeat without its `}`")?;
    let mut piece = Vec::new();
    let mut rest = &inside[digits + 1..end];
    while !rest.is_empty() {
        rest = single(rest, &mut piece)?;
    }
    Ok(Some((count, piece, end + 2)))
}

/// Appends the first character or escape of `text` to `out`; the rest of the text comes back.
fn single<'t>(text: &'t str, out: &mut Vec<u8>) -> Result<&'t str, String> {
    let mut chars = text.chars();
    let first = chars.next().unwrap_or_default();
    if first != '\\' {
        out.extend_from_slice(&text.as_bytes()[..first.len_utf8()]);
        return Ok(chars.as_str());
    }
    let byte = match chars.next() {
        Some('r') => b'\r',
        Some('n') => b'\n',
        Some('t') => b'\t',
        Some('s') => b' ',
        Some('\\') => b'\\',
        Some('x') => {
            let digits = chars.as_str().get(..2).ok_or("\\x needs two digits")?;
            chars.nth(1);
            u8::from_str_radix(digits, 16).map_err(|_| "\\x needs two hexadecimal digits")?
        }
        _ => return Err("unknown escape".to_string()),
    };
    out.push(byte);
    Ok(chars.as_str())
}

/// The longest text [`show`] writes before it leaves something out.
const SHOWN_BYTES_MAX: usize = 600;

/// Bytes as a transcript would write them, each line end followed by a real one.
pub fn show(bytes: &[u8]) -> String {
    let mut out = String::new();
    for &byte in bytes.iter().take(SHOWN_BYTES_MAX) {
        match byte {
            b'\r' => out.push_str("\\r"),
            b'\n' => out.push_str("\\n\n        "),
            b'\\' => out.push_str("\\\\"),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => write!(out, "\\x{byte:02x}").expect("writing to a string"),
        }
    }
    if bytes.len() > SHOWN_BYTES_MAX {
        write!(out, "... ({} bytes)", bytes.len()).expect("writing to a string");
    }
    let shown = out.trim_end();
    if shown.is_empty() { "(nothing)".to_string() } else { shown.to_string() }
}
