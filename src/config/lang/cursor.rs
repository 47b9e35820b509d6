//! Walks over the text of one file and knows where it is.

use std::rc::Rc;

use super::tree::{Place, Problem};

/// A position in a text. It moves forward only, by whole bytes; what the parser cuts out ends at ASCII bytes, so that
/// every piece is text again.
#[derive(Debug)]
pub(super) struct Cursor<'t> {
    file: Rc<str>,
    text: &'t str,
    at: usize,
    line: usize,
    /// Where the current line begins.
    line_from: usize,
}

impl<'t> Cursor<'t> {
    /// Begins a file, behind a byte order mark if it has one.
    ///
    /// # Errors
    /// Where the bytes are no UTF-8.
    pub fn new(file: Rc<str>, bytes: &'t [u8]) -> Result<Cursor<'t>, Problem> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Cursor { file, text, at: 0, line: 1, line_from: 0 }),
            Err(error) => {
                let valid = &bytes[..error.valid_up_to()];
                let line_from = memchr::memrchr(b'\n', valid).map_or(0, |end| end + 1);
                let line = 1 + memchr::memchr_iter(b'\n', valid).count();
                let place = Place { file, line, column: 1 + valid.len() - line_from };
                Err(Problem { place, reason: "expected UTF-8 text, found a byte that is none".to_owned() })
            }
        }
    }

    /// The next byte, if there is one.
    pub fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// True when `text` is next.
    pub fn sees(&self, text: &str) -> bool {
        self.text.as_bytes()[self.at..].starts_with(text.as_bytes())
    }

    /// Takes the next byte.
    pub fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        if byte == b'\n' {
            self.line += 1;
            self.line_from = self.at;
        }
        Some(byte)
    }

    /// Takes the next byte if it is this one.
    pub fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        if is_next {
            self.next();
        }
        is_next
    }

    /// Takes bytes as long as they are wanted; both ends must be at ASCII bytes or the end.
    pub fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'t str {
        let from = self.at;
        while self.peek().is_some_and(&wanted) {
            self.next();
        }
        &self.text[from..self.at]
    }

    /// What was taken since the cursor was at `from`.
    pub fn since(&self, from: usize) -> &'t str {
        &self.text[from..self.at]
    }

    /// How many bytes were taken.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// True when this is the beginning of a line that has nothing but `text`.
    pub fn sees_line(&self, text: &str) -> bool {
        let rest = self.text.as_bytes()[self.at..].strip_prefix(text.as_bytes());
        let ends = |rest: &[u8]| rest.is_empty() || rest.starts_with(b"\n") || rest.starts_with(b"\r\n");
        self.at == self.line_from && rest.is_some_and(ends)
    }

    pub fn file(&self) -> &Rc<str> {
        &self.file
    }

    pub fn place(&self) -> Place {
        Place { file: Rc::clone(&self.file), line: self.line, column: 1 + self.at - self.line_from }
    }

    /// An error here: what was expected, and the one character that is there instead.
    pub fn expected(&self, what: &str) -> Problem {
        let found = match self.text[self.at..].chars().next() {
            None => "the end of the file".to_owned(),
            Some('\n' | '\r') => "the end of the line".to_owned(),
            Some(character) => format!("{character:?}"),
        };
        Problem { place: self.place(), reason: format!("expected {what}, found {found}") }
    }
}
