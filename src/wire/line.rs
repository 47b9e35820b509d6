//! What all operations have in common: how they are named, and how their lines are cut into arguments.

use super::parse::Outcome::{Done, More};
use super::parse::{Bad, Outcome};

/// Goes on behind `name` if the input starts with it in any case; a wrong byte is an error even before the rest
/// has come.
pub fn spelled<'a, T>(input: &'a [u8], name: &[u8], then: impl FnOnce(usize) -> Outcome<'a, T>) -> Outcome<'a, T> {
    let there = input.len().min(name.len());
    if !input[..there].eq_ignore_ascii_case(&name[..there]) {
        return Outcome::Bad(Bad::UnknownOperation);
    }
    if there < name.len() { More(0) } else { then(name.len()) }
}

/// Goes on behind one blank.
pub fn blank_then<'a, T>(input: &'a [u8], at: usize, then: impl FnOnce(usize) -> Outcome<'a, T>) -> Outcome<'a, T> {
    match input.get(at) {
        None => More(0),
        Some(b' ' | b'\t') => then(at + 1),
        Some(_) => Outcome::Bad(Bad::UnknownOperation),
    }
}

/// An operation whose argument is the rest of its line.
pub fn text<'a, T>(
    input: &'a [u8],
    at: usize,
    control_line_max: usize,
    op: impl FnOnce(&'a [u8]) -> T,
) -> Outcome<'a, T> {
    let start = at + input[at..].iter().take_while(|&&byte| byte == b' ' || byte == b'\t').count();
    // As for other operations, blanks do not count, but they may not go on for ever either.
    if start - at > control_line_max {
        return Outcome::Bad(Bad::ControlLine);
    }
    let rest = &input[start..];
    // One byte more than the limit for a CR.
    let reach = rest.len().min(control_line_max + 2);
    match memchr::memchr(b'\n', &rest[..reach]) {
        Some(end) => {
            let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
            if line.len() > control_line_max {
                return Outcome::Bad(Bad::ControlLine);
            }
            Done(op(line), start + end + 1)
        }
        None if rest.len() > control_line_max + 1 => Outcome::Bad(Bad::ControlLine),
        None => More(0),
    }
}

/// The blank-separated arguments of a line, the first `N` of them with their places.
pub struct Arguments<const N: usize> {
    /// Start and end of each.
    pub at: [(usize, usize); N],
    /// How many there are.
    pub count: usize,
    /// Start and end of the argument part.
    pub line: (usize, usize),
    /// Where the next line starts.
    pub next: usize,
    /// Single spaces between the arguments and CRLF right behind the last.
    pub canonical: bool,
}

impl<const N: usize> Arguments<N> {
    /// One of the first `N`.
    #[inline]
    pub fn get<'a>(&self, input: &'a [u8], index: usize) -> &'a [u8] {
        let (start, end) = self.at[index];
        &input[start..end]
    }

    /// They are wrong.
    pub fn bad<'a, T>(&self, input: &'a [u8], what: &'static str) -> Outcome<'a, T> {
        Outcome::Bad(Bad::Arguments { what, line: &input[self.line.0..self.line.1] })
    }
}

/// Splits the line that starts at `start` (behind the operation's name and one blank).
#[inline(always)]
pub fn arguments<'a, T, const N: usize>(
    input: &'a [u8],
    start: usize,
    control_line_max: usize,
) -> Result<Arguments<N>, Outcome<'a, T>> {
    let mut found = Arguments { at: [(0, 0); N], count: 0, line: (start, start), next: 0, canonical: true };
    let mut at = start;
    loop {
        let end = token_end(input, at);
        if found.count == 0 {
            // Blanks before the first argument do not count, but they may not go on for ever either.
            if at - start > control_line_max {
                return Err(Outcome::Bad(Bad::ControlLine));
            }
            found.line.0 = at;
        }
        if end - found.line.0 > control_line_max {
            return Err(Outcome::Bad(Bad::ControlLine));
        }
        if end > at {
            if found.count < N {
                found.at[found.count] = (at, end);
            }
            found.count += 1;
        }
        match input.get(end) {
            None => return Err(More(0)),
            Some(b' ') => {
                found.canonical &= end > at;
                at = end + 1;
            }
            Some(b'\t') => {
                found.canonical = false;
                at = end + 1;
            }
            Some(b'\n') => {
                found.canonical = false;
                found.line.1 = end;
                found.next = end + 1;
                return Ok(found);
            }
            // A CR anywhere but before the LF would let one client forge lines for another.
            Some(b'\r') => match input.get(end + 1) {
                None => return Err(More(0)),
                Some(b'\n') => {
                    found.canonical &= end > at;
                    found.line.1 = end;
                    found.next = end + 2;
                    return Ok(found);
                }
                Some(_) => return Err(Outcome::Bad(Bad::UnknownOperation)),
            },
            Some(_) => return Err(Outcome::Bad(Bad::UnknownOperation)),
        }
    }
}

/// Where the token at `at` ends: the next SP, HT, CR, LF or NUL, or the end of the input. Other control bytes are
/// ordinary.
#[inline(always)]
pub fn token_end(input: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    while let Some(word) = input.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*word);
        // The lowest byte marked is the first one below 0x21.
        let low = word.wrapping_sub(ONES * 0x21) & !word & HIGH;
        if low == 0 {
            at += 8;
            continue;
        }
        at += low.trailing_zeros() as usize / 8;
        if is_delimiter(input[at]) {
            return at;
        }
        at += 1;
    }
    while at < input.len() && !is_delimiter(input[at]) {
        at += 1;
    }
    at
}

pub fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0)
}
