//! The parser of what routes send: one operation at a time from a byte slice, in place.
//!
//! It keeps no state and uses no memory: the queue groups of a message are found again in its line when they are asked for.

use super::super::line::{Arguments, arguments, blank_then, is_delimiter, spelled, text};
use super::super::number;
use super::super::parse::{self, Bad};

/// What a route may send.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a line's argument part, blanks before it and the line end not counted.
    pub control_line_max: usize,
    /// Bytes of headers and payload together. Routes carry what the clients of any server may publish, so this is no
    /// client's limit.
    pub payload_max: usize,
    /// Whether the peer names the origin in LS-.
    pub origin_in_unsubscribe: bool,
}

/// What the bytes at hand are.
pub type Outcome<'a> = parse::Outcome<'a, Op<'a>>;

/// One operation of a route; everything in it borrows from the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Op<'a> {
    /// RMSG, HMSG or LMSG with its payload.
    Message(Message<'a>),
    /// RS+ or LS+.
    Subscribe(Interest<'a>),
    /// RS- or LS-; its weight is 0.
    Unsubscribe(Interest<'a>),
    /// A+ or A-, which mean something between clusters only.
    AccountInterest,
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

/// What a peer wants, or no longer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interest<'a> {
    /// The cluster of the leaf nodes that want it; empty for RS+ and RS-, and for LS- without origin.
    pub origin: &'a [u8],
    /// Account name.
    pub account: &'a [u8],
    /// Subject, unchecked.
    pub subject: &'a [u8],
    /// Queue group, or empty.
    pub queue: &'a [u8],
    /// Members of the queue group; 0 without a group, and for what is no number.
    pub weight: u32,
}

/// A message of another server's client, whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// The cluster of the leaf node that published it; empty for RMSG and HMSG.
    pub origin: &'a [u8],
    /// Account name.
    pub account: &'a [u8],
    /// Subject, unchecked.
    pub subject: &'a [u8],
    /// Reply subject, or empty.
    pub reply: &'a [u8],
    /// The queue groups that are to give it to one member each.
    pub queues: Queues<'a>,
    /// Bytes of the header block at the start of `body`; 0 for none.
    pub header_bytes: u32,
    /// Headers and payload.
    pub body: &'a [u8],
    /// What a receiver's MSG ends with, if the line has it in one piece: `[reply SP] [header SP] total CRLF`, headers,
    /// payload, CRLF, with single spaces.
    pub tail: Option<&'a [u8]>,
}

/// Names of queue groups, as they stand in a line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Queues<'a>(&'a [u8]);

impl<'a> Queues<'a> {
    /// Names that are separated by blanks.
    pub fn new(names: &'a [u8]) -> Self {
        Self(names)
    }

    /// Each name, in the order of the line.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.0.split(|&byte| is_delimiter(byte)).filter(|name| !name.is_empty())
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl PartialEq for Queues<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Queues<'_> {}

use parse::Outcome::{Done, More};

/// Finds the operation at the start of `input`.
#[inline]
pub fn parse<'a>(input: &'a [u8], limits: &Limits) -> Outcome<'a> {
    if let Some(b"RMSG ") = input.first_chunk::<5>() {
        return message(input, 5, limits, Kind::Plain);
    }
    other(input, limits)
}

#[inline(never)]
fn other<'a>(input: &'a [u8], limits: &Limits) -> Outcome<'a> {
    let line_max = limits.control_line_max;
    let upper = |at: usize| input.get(at).map(u8::to_ascii_uppercase);
    let Some(first) = upper(0) else { return More(0) };
    let second = upper(1);
    match (first, second) {
        (b'R' | b'H' | b'L' | b'P' | b'A', None) => More(0),
        (b'R', Some(b'M')) => named(input, b"RMSG", |at| message(input, at, limits, Kind::Plain)),
        (b'H', _) => named(input, b"HMSG", |at| message(input, at, limits, Kind::Headers)),
        (b'L', Some(b'M')) => named(input, b"LMSG", |at| message(input, at, limits, Kind::Origin)),
        (b'R' | b'L', _) => match input.get(2) {
            None if second == Some(b'S') => More(0),
            Some(b'+') => {
                let name = if first == b'R' { b"RS+" } else { b"LS+" };
                named(input, name, |at| subscribe(input, at, limits, first == b'L'))
            }
            _ => {
                let name = if first == b'R' { b"RS-" } else { b"LS-" };
                named(input, name, |at| unsubscribe(input, at, limits, first == b'L'))
            }
        },
        (b'P', Some(b'I')) => spelled(input, b"PING", |at| text(input, at, line_max, |_| Op::Ping)),
        (b'P', _) => spelled(input, b"PONG", |at| text(input, at, line_max, |_| Op::Pong)),
        (b'A', Some(b'+' | b'-')) => blank_then(input, 2, |at| text(input, at, line_max, |_| Op::AccountInterest)),
        (b'C', _) => spelled(input, b"CONNECT", |at| text(input, at, line_max, Op::Connect)),
        (b'I', _) => spelled(input, b"INFO", |at| text(input, at, line_max, Op::Info)),
        (b'+', _) => spelled(input, b"+OK", |at| text(input, at, line_max, |_| Op::Okay)),
        (b'-', _) => spelled(input, b"-ERR", |at| text(input, at, line_max, Op::Error)),
        _ => Outcome::Bad(Bad::UnknownOperation),
    }
}

fn named<'a>(input: &'a [u8], name: &[u8], then: impl FnOnce(usize) -> Outcome<'a>) -> Outcome<'a> {
    spelled(input, name, |at| blank_then(input, at, then))
}

/// Most arguments whose places are needed, and one to tell that there are more.
const ARGUMENTS_MAX: usize = 6;

type Line = Arguments<ARGUMENTS_MAX>;

fn subscribe<'a>(input: &'a [u8], start: usize, limits: &Limits, has_origin: bool) -> Outcome<'a> {
    let line: Line = match arguments(input, start, limits.control_line_max) {
        Ok(line) => line,
        Err(outcome) => return outcome,
    };
    let base = usize::from(has_origin);
    let (queue, weight) = match line.count - base.min(line.count) {
        2 => (&input[..0], 0),
        4 => (line.get(input, base + 2), number::parse(line.get(input, base + 3)).unwrap_or(0)),
        _ => return line.bad(input, "processRemoteSub Parse Error"),
    };
    let origin = if has_origin { line.get(input, 0) } else { &input[..0] };
    let (account, subject) = (line.get(input, base), line.get(input, base + 1));
    Done(Op::Subscribe(Interest { origin, account, subject, queue, weight }), line.next)
}

fn unsubscribe<'a>(input: &'a [u8], start: usize, limits: &Limits, is_leaf: bool) -> Outcome<'a> {
    let line: Line = match arguments(input, start, limits.control_line_max) {
        Ok(line) => line,
        Err(outcome) => return outcome,
    };
    let has_origin = is_leaf && limits.origin_in_unsubscribe;
    let base = usize::from(has_origin);
    let queue = match line.count - base.min(line.count) {
        2 => &input[..0],
        3 => line.get(input, base + 2),
        _ => return line.bad(input, "processRemoteUnsub Parse Error"),
    };
    let origin = if has_origin { line.get(input, 0) } else { &input[..0] };
    let (account, subject) = (line.get(input, base), line.get(input, base + 1));
    Done(Op::Unsubscribe(Interest { origin, account, subject, queue, weight: 0 }), line.next)
}

/// The three ways to write a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// RMSG: one size.
    Plain,
    /// HMSG: the header's size and the total.
    Headers,
    /// LMSG: an origin in front, both sizes, the header's perhaps 0.
    Origin,
}

impl Kind {
    /// The log's words for a wrong number of arguments, a wrong indicator, and wrong sizes.
    fn words(self) -> [&'static str; 4] {
        match self {
            Self::Plain => [
                "processRoutedMsgArgs Parse Error",
                "processRoutedMsgArgs Bad or Missing Reply Indicator",
                "processRoutedMsgArgs Bad or Missing Size",
                "processRoutedMsgArgs Bad or Missing Size",
            ],
            Self::Headers => [
                "processRoutedHeaderMsgArgs Parse Error",
                "processRoutedHeaderMsgArgs Bad or Missing Reply Indicator",
                "processRoutedHeaderMsgArgs Bad or Missing Header Size",
                "processRoutedHeaderMsgArgs Bad or Missing Size",
            ],
            Self::Origin => [
                "processRoutedOriginClusterMsgArgs Parse Error",
                "processRoutedOriginClusterMsgArgs Bad or Missing Reply Indicator",
                "processRoutedOriginClusterMsgArgs Bad or Missing Header Size",
                "processRoutedOriginClusterMsgArgs Bad or Missing Size",
            ],
        }
    }
}

#[inline(always)]
fn message<'a>(input: &'a [u8], start: usize, limits: &Limits, kind: Kind) -> Outcome<'a> {
    let line: Line = match arguments(input, start, limits.control_line_max) {
        Ok(line) => line,
        Err(outcome) => return outcome,
    };
    let [arity, indicator, header_size, total_size] = kind.words();
    let base = usize::from(kind == Kind::Origin);
    let sizes = 1 + usize::from(kind != Kind::Plain);
    // What stands between the subject and the sizes.
    let Some(between) = line.count.checked_sub(base + 2 + sizes) else { return line.bad(input, arity) };
    let mut last = LastArguments { input, end: line.line.1 };
    let (total, total_start) = last.next();
    let (header, first_size_start) = if sizes == 2 { last.next() } else { (&input[..0], total_start) };
    let subject_end = line.at[base + 1].1;
    let mut reply = &input[..0];
    let mut queues = Queues::default();
    // Where a tail in one piece starts.
    let mut tail_start = Some(first_size_start);
    match between {
        0 => {}
        1 => {
            reply = line.get(input, base + 2);
            tail_start = Some(subject_end + 1);
        }
        _ => {
            // The queue groups begin behind the indicator, or behind the reply subject that follows it.
            let names_start = match line.get(input, base + 2) {
                b"|" => line.at[base + 2].1,
                b"+" => {
                    reply = line.get(input, base + 3);
                    tail_start = None;
                    line.at[base + 3].1
                }
                _ => return line.bad(input, indicator),
            };
            queues = Queues(&input[names_start..first_size_start]);
        }
    }
    let header_bytes = match kind {
        Kind::Plain => 0,
        _ => match number::parse(header) {
            Some(size) => size,
            None => return line.bad(input, header_size),
        },
    };
    let Some(size) = number::parse(total) else { return line.bad(input, total_size) };
    if header_bytes > size {
        return line.bad(input, header_size);
    }
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
    let in_one_piece = line.canonical && (header_bytes > 0 || kind == Kind::Plain);
    Done(
        Op::Message(Message {
            origin: if base == 1 { line.get(input, 0) } else { &input[..0] },
            account: line.get(input, base),
            subject: line.get(input, base + 1),
            reply,
            queues,
            header_bytes,
            body: &input[line.next..end],
            tail: tail_start.filter(|_| in_one_piece).map(|start| &input[start..used]),
        }),
        used,
    )
}

/// Goes through the arguments of a line from the last one on. There must be as many as are asked for.
struct LastArguments<'a> {
    input: &'a [u8],
    end: usize,
}

impl<'a> LastArguments<'a> {
    /// The next one towards the front, and where it starts.
    fn next(&mut self) -> (&'a [u8], usize) {
        let before = |from: usize, blank: bool| {
            let line = &self.input[..from];
            line.iter().rposition(|&byte| is_delimiter(byte) != blank).map_or(0, |at| at + 1)
        };
        let end = before(self.end, true);
        let start = before(end, false);
        self.end = start;
        (&self.input[start..end], start)
    }
}
