//! The parser of what clients send: one operation at a time from a byte slice, in place.
//!
//! It keeps no state. A caller that gets [`Outcome::More`] calls again with the same bytes and those that came
//! since; errors are found as soon as the byte that makes them is there, not at the end of the line.

use super::line::{Arguments, arguments, blank_then, spelled, text, token_end};
use super::number;

/// What a connection may send.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a line's argument part, blanks before it and the line end not counted.
    pub control_line_max: usize,
    /// Bytes of headers and payload together.
    pub payload_max: usize,
    /// Whether HPUB was negotiated.
    pub headers: bool,
}

/// What the bytes at hand are; the operations are those of clients, or those of [routes](super::route).
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<'a, T = Op<'a>> {
    /// One whole operation, and the number of bytes it took.
    Done(T, usize),
    /// The operation goes on. The number is its whole length where that is known already, else 0.
    More(usize),
    /// The connection cannot go on.
    Bad(Bad<'a>),
}

/// One operation of a client; everything in it borrows from the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Op<'a> {
    /// PUB or HPUB with its payload.
    Publish(Publish<'a>),
    /// SUB; an empty queue means a plain subscription.
    Subscribe {
        /// Subject, unchecked.
        subject: &'a [u8],
        /// Queue group, or empty.
        queue: &'a [u8],
        /// The client's name for the subscription.
        sid: &'a [u8],
    },
    /// UNSUB; 0 removes at once (also when the limit was missing or no number).
    Unsubscribe {
        /// The client's name for the subscription.
        sid: &'a [u8],
        /// Messages since SUB after which it ends.
        max: u32,
    },
    /// PING.
    Ping,
    /// PONG.
    Pong,
    /// CONNECT with its document.
    Connect(&'a [u8]),
    /// INFO with its document.
    Info(&'a [u8]),
    /// +OK.
    Okay,
    /// -ERR with its text.
    Error(&'a [u8]),
}

/// A PUB or HPUB, whole.
#[derive(Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Subject, unchecked.
    pub subject: &'a [u8],
    /// Reply subject, or empty.
    pub reply: &'a [u8],
    /// Bytes of the header block at the start of `body`; 0 for none.
    pub header_bytes: u32,
    /// Headers and payload.
    pub body: &'a [u8],
    /// Everything after the subject's blank up to the payload's CRLF, if the line is written canonically: single
    /// spaces, CRLF, no header length of 0. A receiver's MSG ends with exactly these bytes.
    pub tail: Option<&'a [u8]>,
}

/// Why a connection cannot go on.
#[derive(Debug, PartialEq, Eq)]
pub enum Bad<'a> {
    /// Answered with `Unknown Protocol Operation`.
    UnknownOperation,
    /// Answered with `maximum control line exceeded`.
    ControlLine,
    /// Answered with `Maximum Payload Violation`.
    Payload {
        /// Bytes announced.
        size: u32,
    },
    /// Closed without an answer; the log gets `<what>: "<line>"`.
    Arguments {
        /// The log's words.
        what: &'static str,
        /// The argument part of the line.
        line: &'a [u8],
    },
    /// HPUB without negotiated headers: closed without an answer.
    HeadersNotSupported,
}

use Outcome::{Done, More};

/// Finds the operation at the start of `input`.
#[inline]
pub fn parse<'a>(input: &'a [u8], limits: &Limits) -> Outcome<'a> {
    if let Some(b"PUB ") = input.first_chunk::<4>() {
        return publish(input, 4, limits);
    }
    other(input, limits)
}

/// A PUB or HPUB as nearly all are: upper case, single spaces, CRLF, and the whole payload there.
#[derive(Debug, PartialEq, Eq)]
pub struct PlainPublish<'a> {
    /// Subject, unchecked and not empty.
    pub subject: &'a [u8],
    /// Everything behind the subject's space, payload and CRLF included.
    pub tail: &'a [u8],
    /// Bytes of the reply subject; 0 for none.
    pub reply_bytes: usize,
    /// Bytes of the header block; 0 for PUB, never 0 for HPUB.
    pub header_bytes: usize,
    /// Bytes of headers and payload.
    pub size: usize,
    /// Bytes of the whole operation.
    pub used: usize,
}

/// The PUB at the start of `input` if it is a plain one; anything else, mistakes included, is for [`parse()`].
#[inline(always)]
pub fn plain_publish<'a>(input: &'a [u8], limits: &Limits) -> Option<PlainPublish<'a>> {
    const START: usize = 4;
    if input.first_chunk::<START>() != Some(b"PUB ") {
        return plain_header_publish(input, limits);
    }
    let subject_end = token_end(input, START);
    if subject_end == START || *input.get(subject_end)? != b' ' {
        return None;
    }
    let tail_start = subject_end + 1;
    let (mut size, mut end) = digits(input, tail_start);
    let mut reply_bytes = 0;
    if end == tail_start || *input.get(end)? != b'\r' {
        let reply_end = token_end(input, end);
        if reply_end == tail_start || *input.get(reply_end)? != b' ' {
            return None;
        }
        reply_bytes = reply_end - tail_start;
        (size, end) = digits(input, reply_end + 1);
        if end == reply_end + 1 {
            return None;
        }
    }
    let line = PlainLine { start: START, subject_end, reply_bytes, header_bytes: 0, size, end };
    line.with_payload(input, limits)
}

#[inline(never)]
fn plain_header_publish<'a>(input: &'a [u8], limits: &Limits) -> Option<PlainPublish<'a>> {
    const START: usize = 5;
    if input.first_chunk::<START>() != Some(b"HPUB ") || !limits.headers {
        return None;
    }
    // Three arguments, or four with a reply; the last one is ended by the CR.
    let mut ends = [0; 4];
    let mut count = 0;
    let mut at = START;
    loop {
        let end = token_end(input, at);
        if end == at || count == ends.len() {
            return None;
        }
        ends[count] = end;
        count += 1;
        match *input.get(end)? {
            b' ' => at = end + 1,
            b'\r' => break,
            _ => return None,
        }
    }
    let (reply_bytes, header_end) = match count {
        3 => (0, ends[1]),
        4 => (ends[1] - ends[0] - 1, ends[2]),
        _ => return None,
    };
    let (header_start, end) = (ends[count - 3] + 1, ends[count - 1]);
    let header_bytes = number::parse(&input[header_start..header_end])? as usize;
    let size = number::parse(&input[header_end + 1..end])? as usize;
    let line = PlainLine { start: START, subject_end: ends[0], reply_bytes, header_bytes, size, end };
    if header_bytes == 0 || header_bytes > size { None } else { line.with_payload(input, limits) }
}

/// What the line of a plain publish says.
struct PlainLine {
    start: usize,
    subject_end: usize,
    reply_bytes: usize,
    header_bytes: usize,
    size: usize,
    /// Where its CRLF should be.
    end: usize,
}

impl PlainLine {
    #[inline(always)]
    fn with_payload<'a>(self, input: &'a [u8], limits: &Limits) -> Option<PlainPublish<'a>> {
        let Self { start, subject_end, reply_bytes, header_bytes, size, end } = self;
        let body = end + 2;
        let used = body + size + 2;
        let whole = input.get(..used)?;
        let is_plain = end - start <= limits.control_line_max
            && size <= limits.payload_max
            && whole[end..body] == *b"\r\n"
            && whole[body + size..] == *b"\r\n";
        // Not with a closure: that would be a call for each message.
        if !is_plain {
            return None;
        }
        let (subject, tail) = (&whole[start..subject_end], &whole[subject_end + 1..]);
        Some(PlainPublish { subject, tail, reply_bytes, header_bytes, size, used })
    }
}

/// The number whose digits start at `at`, and where they end; no more digits than a size may have are read.
#[inline(always)]
fn digits(input: &[u8], at: usize) -> (usize, usize) {
    let mut value = 0;
    let mut end = at;
    for &byte in input[at..].iter().take(number::DIGITS_MAX) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value * 10 + usize::from(digit);
        end += 1;
    }
    (value, end)
}

#[inline(never)]
fn other<'a>(input: &'a [u8], limits: &Limits) -> Outcome<'a> {
    let Some(first) = input.first() else { return More(0) };
    match first.to_ascii_uppercase() {
        b'P' => match input.get(1).map(u8::to_ascii_uppercase) {
            None => More(0),
            Some(b'U') => spelled(input, b"PUB", |at| blank_then(input, at, |at| publish(input, at, limits))),
            Some(b'I') => spelled(input, b"PING", |at| text(input, at, limits.control_line_max, |_| Op::Ping)),
            _ => spelled(input, b"PONG", |at| text(input, at, limits.control_line_max, |_| Op::Pong)),
        },
        b'H' => spelled(input, b"HPUB", |at| blank_then(input, at, |at| header_publish(input, at, limits))),
        b'S' => spelled(input, b"SUB", |at| blank_then(input, at, |at| subscribe(input, at, limits))),
        b'U' => spelled(input, b"UNSUB", |at| blank_then(input, at, |at| unsubscribe(input, at, limits))),
        b'C' => spelled(input, b"CONNECT", |at| text(input, at, limits.control_line_max, Op::Connect)),
        b'I' => spelled(input, b"INFO", |at| text(input, at, limits.control_line_max, Op::Info)),
        b'+' => spelled(input, b"+OK", |at| text(input, at, limits.control_line_max, |_| Op::Okay)),
        b'-' => spelled(input, b"-ERR", |at| text(input, at, limits.control_line_max, Op::Error)),
        _ => Outcome::Bad(Bad::UnknownOperation),
    }
}

/// Most arguments a client's operation takes, and one to tell that there are too many.
const ARGUMENTS_MAX: usize = 5;

type Line = Arguments<ARGUMENTS_MAX>;

#[inline(always)]
fn publish<'a>(input: &'a [u8], start: usize, limits: &Limits) -> Outcome<'a> {
    let line: Line = match arguments(input, start, limits.control_line_max) {
        Ok(line) => line,
        Err(outcome) => return outcome,
    };
    let (reply, size_at) = match line.count {
        2 => (&input[..0], 1),
        3 => (line.get(input, 1), 2),
        _ => return line.bad(input, "processPub Parse Error"),
    };
    let Some(size) = number::parse(line.get(input, size_at)) else {
        return line.bad(input, "processPub Bad or Missing Size");
    };
    with_payload(input, &line, reply, 0, size, line.canonical, limits)
}

fn header_publish<'a>(input: &'a [u8], start: usize, limits: &Limits) -> Outcome<'a> {
    let line: Line = match arguments(input, start, limits.control_line_max) {
        Ok(line) => line,
        Err(outcome) => return outcome,
    };
    if !limits.headers {
        return Outcome::Bad(Bad::HeadersNotSupported);
    }
    let (reply, header_at) = match line.count {
        3 => (&input[..0], 1),
        4 => (line.get(input, 1), 2),
        _ => return line.bad(input, "processHeaderPub Parse Error"),
    };
    let Some(header_bytes) = number::parse(line.get(input, header_at)) else {
        return line.bad(input, "processHeaderPub Bad or Missing Header Size");
    };
    let Some(size) = number::parse(line.get(input, header_at + 1)) else {
        return line.bad(input, "processHeaderPub Bad or Missing Total Size");
    };
    if header_bytes > size {
        return line.bad(input, "processHeaderPub Header Size larger then TotalSize");
    }
    with_payload(input, &line, reply, header_bytes, size, line.canonical && header_bytes > 0, limits)
}

#[inline(always)]
fn with_payload<'a>(
    input: &'a [u8],
    line: &Line,
    reply: &'a [u8],
    header_bytes: u32,
    size: u32,
    canonical: bool,
    limits: &Limits,
) -> Outcome<'a> {
    if size as usize > limits.payload_max {
        return Outcome::Bad(Bad::Payload { size });
    }
    let end = line.next + size as usize;
    let used = end + 2;
    let Some(rest) = input.get(end..) else { return More(used) };
    match rest {
        [b'\r', b'\n', ..] => {}
        [] | [b'\r'] => return More(used),
        _ => return Outcome::Bad(Bad::UnknownOperation),
    }
    let tail = if canonical { Some(&input[line.at[0].1 + 1..used]) } else { None };
    let publish = Publish { subject: line.get(input, 0), reply, header_bytes, body: &input[line.next..end], tail };
    Done(Op::Publish(publish), used)
}

fn subscribe<'a>(input: &'a [u8], start: usize, limits: &Limits) -> Outcome<'a> {
    let line: Line = match arguments(input, start, limits.control_line_max) {
        Ok(line) => line,
        Err(outcome) => return outcome,
    };
    let (queue, sid_at) = match line.count {
        2 => (&input[..0], 1),
        3 => (line.get(input, 1), 2),
        _ => return line.bad(input, "processSub Parse Error"),
    };
    Done(Op::Subscribe { subject: line.get(input, 0), queue, sid: line.get(input, sid_at) }, line.next)
}

fn unsubscribe<'a>(input: &'a [u8], start: usize, limits: &Limits) -> Outcome<'a> {
    let line: Line = match arguments(input, start, limits.control_line_max) {
        Ok(line) => line,
        Err(outcome) => return outcome,
    };
    let max = match line.count {
        1 => 0,
        2 => number::parse(line.get(input, 1)).unwrap_or(0),
        _ => return line.bad(input, "processUnsub Parse Error"),
    };
    Done(Op::Unsubscribe { sid: line.get(input, 0), max }, line.next)
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
