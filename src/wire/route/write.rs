//! Operations of routes as bytes, appended to a buffer.

use super::super::message;
use super::super::number;
use super::{Interest, Message};

/// PING.
pub const PING: &[u8] = b"PING\r\n";
/// PONG.
pub const PONG: &[u8] = b"PONG\r\n";

/// RS+, or LS+ if the interest has an origin.
pub fn subscribe(interest: &Interest, out: &mut Vec<u8>) {
    subject(interest, [b"RS+ ", b"LS+ "], true, out);
    if !interest.queue.is_empty() {
        out.push(b' ');
        out.extend_from_slice(interest.queue);
        out.push(b' ');
        size(interest.weight, out);
    }
    out.extend_from_slice(b"\r\n");
}

/// RS-, or LS- if the interest has an origin; `with_origin` if the peer expects it there.
pub fn unsubscribe(interest: &Interest, with_origin: bool, out: &mut Vec<u8>) {
    subject(interest, [b"RS- ", b"LS- "], with_origin, out);
    if !interest.queue.is_empty() {
        out.push(b' ');
        out.extend_from_slice(interest.queue);
    }
    out.extend_from_slice(b"\r\n");
}

fn subject(interest: &Interest, names: [&[u8]; 2], with_origin: bool, out: &mut Vec<u8>) {
    let is_leaf = !interest.origin.is_empty();
    out.extend_from_slice(names[usize::from(is_leaf)]);
    if is_leaf && with_origin {
        out.extend_from_slice(interest.origin);
        out.push(b' ');
    }
    out.extend_from_slice(interest.account);
    out.push(b' ');
    out.extend_from_slice(interest.subject);
}

/// To whom a message goes.
#[derive(Debug, Clone, Copy)]
pub struct Address<'a> {
    /// The cluster of the leaf node that published it, or empty.
    pub origin: &'a [u8],
    /// Account name.
    pub account: &'a [u8],
    /// The queue groups of which the receiver has the chosen member, with a blank between their names.
    pub queues: &'a [u8],
}

/// The start of a message, up to where its tail, or the rest of it, can follow. Returns how many bytes of the tail are
/// not to follow, because they are written here in another place.
pub fn message_head(to: &Address, message: &message::Message, out: &mut Vec<u8>) -> usize {
    let Address { origin, account, queues } = *to;
    let has_origin = !origin.is_empty();
    out.extend_from_slice(match message.header_bytes {
        _ if has_origin => b"LMSG ",
        0 => b"RMSG ",
        _ => b"HMSG ",
    });
    for name in [origin, account, message.subject] {
        if !name.is_empty() {
            out.extend_from_slice(name);
            out.push(b' ');
        }
    }
    let reply = message.reply();
    // LMSG always has a header size, and a tail without headers has none.
    let lacks_header_size = has_origin && message.header_bytes == 0;
    let moves_reply = !reply.is_empty() && (!queues.is_empty() || lacks_header_size);
    if !queues.is_empty() {
        out.extend_from_slice(if reply.is_empty() { b"| " } else { b"+ " });
    }
    if moves_reply {
        out.extend_from_slice(reply);
        out.push(b' ');
    }
    if !queues.is_empty() {
        out.extend_from_slice(queues);
        out.push(b' ');
    }
    if lacks_header_size {
        out.extend_from_slice(b"0 ");
    }
    if moves_reply { reply.len() + 1 } else { 0 }
}

/// The tail that the receivers of a message get, for one whose line does not have it in one piece.
pub fn message_tail(message: &Message, out: &mut Vec<u8>) {
    out.clear();
    message::write_tail(out, message.reply, message.header_bytes, message.body);
}

fn size(value: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(number::format(value, &mut [0; 10]));
}
