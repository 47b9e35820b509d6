//! The parser of client operations.
//!
//! - Cutting changes nothing: an operation is found at its last byte and means the same whatever follows it; an error
//!   stays an error of the same kind; a length that was foretold is the real one.
//! - An operation takes bytes, and no more than there are.
//! - The quick way for plain publishes says what the parser says.

use midge::wire::{Bad, Limits, Op, Outcome, Publish, parse, plain_publish};
use std::fmt::Debug;

const LIMITS: [Limits; 3] = [
    Limits { control_line_max: 4096, payload_max: 1 << 20, headers: true },
    Limits { control_line_max: 4096, payload_max: 1 << 20, headers: false },
    Limits { control_line_max: 16, payload_max: 10, headers: true },
];

/// Checks one input.
pub fn run(data: &[u8]) {
    let Some((&choice, input)) = data.split_first() else { return };
    let limits = LIMITS[usize::from(choice) % LIMITS.len()];
    let mut rest = input;
    // Operations are looked at with the bytes that follow them, as the server sees them.
    while let Some(used) = check_first(rest, &limits) {
        rest = &rest[used..];
    }
}

/// Checks the operation that the input starts with; returns its length if there is a whole one.
fn check_first(input: &[u8], limits: &Limits) -> Option<usize> {
    check_quick_way(input, limits, &parse(input, limits));
    check_cuts(input, |input| parse(input, limits))
}

/// Checks what a parser says of the first operation against what it says of its parts; returns the operation's length if
/// there is a whole one.
pub fn check_cuts<'a, T: Debug + PartialEq>(
    input: &'a [u8],
    parse: impl Fn(&'a [u8]) -> Outcome<'a, T>,
) -> Option<usize> {
    let outcome = parse(input);
    let end = match &outcome {
        Outcome::Done(_, used) => {
            assert!((1..=input.len()).contains(used), "{used} bytes of {}", input.len());
            *used
        }
        _ => input.len(),
    };
    let mut foretold = 0;
    for cut in 0..end {
        match parse(&input[..cut]) {
            Outcome::More(need) => {
                assert!(foretold == 0 || need == foretold, "the length changed from {foretold} to {need}");
                assert!(need == 0 || need > cut, "{need} bytes were there of {cut}");
                foretold = need;
            }
            Outcome::Done(op, used) => panic!("{op:?} was found in {cut} bytes, {used} of them, and then no more"),
            Outcome::Bad(early) => {
                let Outcome::Bad(late) = &outcome else { panic!("{early:?} turned into {outcome:?}") };
                assert_eq!(kind(&early), kind(late));
                return None;
            }
        }
    }
    let Outcome::Done(op, used) = outcome else { return None };
    assert!(foretold == 0 || foretold == used, "{foretold} bytes were foretold, not {used}");
    assert_eq!(parse(&input[..used]), Outcome::Done(op, used));
    Some(used)
}

/// Which error it is; the line it shows grows with what has come.
fn kind(bad: &Bad) -> (&'static str, u32) {
    match bad {
        Bad::UnknownOperation => ("unknown operation", 0),
        Bad::ControlLine => ("control line", 0),
        Bad::Payload { size } => ("payload", *size),
        Bad::Arguments { what, .. } => (what, 0),
        Bad::HeadersNotSupported => ("headers", 0),
    }
}

fn check_quick_way(input: &[u8], limits: &Limits, outcome: &Outcome) {
    let Some(plain) = plain_publish(input, limits) else { return };
    let Outcome::Done(Op::Publish(publish), used) = outcome else { panic!("{plain:?} is {outcome:?}") };
    let Publish { subject, reply, header_bytes, body, tail } = publish;
    assert_eq!((plain.used, plain.size, plain.header_bytes), (*used, body.len(), *header_bytes as usize));
    assert_eq!((plain.subject, &plain.tail[..plain.reply_bytes], Some(plain.tail)), (*subject, *reply, *tail));
}
