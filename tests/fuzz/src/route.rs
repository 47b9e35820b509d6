//! The parser of route operations, and the two documents of the handshake.
//!
//! - Cutting changes nothing, as for the operations of clients.
//! - What an operation says, written down again, is read as the same.
//! - A document is read or refused; written down again, it is read as the same, and errors tell nothing of it.

use crate::parse::check_cuts;
use midge::wire::Message;
use midge::wire::route::write::{self, Address};
use midge::wire::route::{Connect, Info, Interest, Limits, Op, Outcome, parse};

const LIMITS: [Limits; 3] = [
    Limits { control_line_max: 65_536, payload_max: 1 << 20, origin_in_unsubscribe: true },
    Limits { control_line_max: 65_536, payload_max: 1 << 20, origin_in_unsubscribe: false },
    Limits { control_line_max: 24, payload_max: 10, origin_in_unsubscribe: true },
];

/// Checks one input.
pub fn run(data: &[u8]) {
    let Some((&choice, input)) = data.split_first() else { return };
    let limits = LIMITS[usize::from(choice) % LIMITS.len()];
    let mut rest = input;
    while let Some(used) = check_cuts(rest, |input| parse(input, &limits)) {
        if let Outcome::Done(op, _) = parse(rest, &limits) {
            check_meaning(&op);
        }
        rest = &rest[used..];
    }
}

fn check_meaning(op: &Op) {
    // Single spaces may make a line longer than it was with tabs only, so the limits are wider.
    let read = |bytes: &[u8], origin_in_unsubscribe| {
        let limits = Limits { control_line_max: 1 << 20, payload_max: 1 << 20, origin_in_unsubscribe };
        match parse(bytes, &limits) {
            Outcome::Done(again, used) => {
                assert_eq!(used, bytes.len());
                assert!(is_same(op, &again), "{op:?} was read again as {again:?}");
            }
            other => panic!("{op:?} was read again as {other:?}"),
        }
    };
    let mut out = Vec::new();
    match op {
        Op::Subscribe(interest) => {
            write::subscribe(interest, &mut out);
            read(&out, true);
        }
        Op::Unsubscribe(interest) => {
            write::unsubscribe(interest, true, &mut out);
            read(&out, true);
        }
        Op::Message(message) => {
            let mut tail = Vec::new();
            write::message_tail(message, &mut tail);
            if let Some(given) = message.tail {
                check_tail(message, given);
            }
            let relayed = Message {
                subject: message.subject,
                tail: &tail,
                reply_bytes: message.reply.len() as u32,
                header_bytes: message.header_bytes,
                total_bytes: message.body.len() as u32,
            };
            let queues = message.queues.iter().collect::<Vec<_>>().join(&b' ');
            let to = Address { origin: message.origin, account: message.account, queues: &queues };
            let skip = write::message_head(&to, &relayed, &mut out);
            out.extend_from_slice(&tail[skip..]);
            read(&out, true);
        }
        Op::Connect(document) => check_connect(document),
        Op::Info(document) => check_info(document),
        Op::AccountInterest | Op::Ping | Op::Pong | Op::Okay | Op::Error(_) => {}
    }
}

/// The tail of a line is what follows the subject in a message without queue groups; zeros may stand before its sizes.
fn check_tail(message: &midge::wire::route::Message, tail: &[u8]) {
    let op: &[u8] = if message.header_bytes > 0 { b"HMSG $G a " } else { b"RMSG $G a " };
    let line = [op, tail].concat();
    let Outcome::Done(Op::Message(again), used) = parse(&line, &LIMITS[0]) else { panic!("{tail:?} is no tail") };
    assert_eq!(used, line.len());
    assert_eq!((again.reply, again.body), (message.reply, message.body));
    assert_eq!((again.header_bytes, again.queues.is_empty()), (message.header_bytes, true));
}

/// The tail may be in one piece where it was not.
fn is_same(op: &Op, again: &Op) -> bool {
    match (op, again) {
        (Op::Message(before), Op::Message(after)) => {
            *before == midge::wire::route::Message { tail: before.tail, ..*after }
        }
        // LS- without origin is written like RS-.
        (Op::Unsubscribe(before), Op::Unsubscribe(after)) => before == &Interest { origin: before.origin, ..*after },
        _ => op == again,
    }
}

fn check_connect(document: &[u8]) {
    let mut connect = Connect::default();
    match connect.decode(document) {
        Ok(()) => {
            let line = connect.line();
            let mut again = Connect::default();
            again.decode(&line[b"CONNECT ".len()..]).expect("what was written is read");
            // We are neither a client nor a gateway.
            assert_eq!(again, Connect { lang: String::new(), gateway: String::new(), ..connect });
        }
        Err(error) => check_error(&error),
    }
}

fn check_info(document: &[u8]) {
    let mut info = Info::default();
    match info.decode(document) {
        Ok(()) => {
            let line = info.line();
            let mut again = Info::default();
            again.decode(&line[b"INFO ".len()..]).expect("what was written is read");
            assert_eq!(again, info);
        }
        Err(error) => check_error(&error),
    }
}

fn check_error(error: &str) {
    let reason = error.trim_end_matches(|c: char| c.is_ascii_digit());
    assert!(["wrong type at column ", "bad JSON at column "].contains(&reason), "{error:?} tells too much");
}
