//! A message on its way to subscribers.
//!
//! What follows the sid in a `MSG` or `HMSG` line is the same for every receiver, and in canonical form it is the
//! same bytes that followed the subject in the publisher's own line: this is the message's *tail*.

use super::number;
use super::parse::Publish;

/// One message: its subject and the tail that each receiver gets.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The literal subject it was published to.
    pub subject: &'a [u8],
    /// `[reply SP] [hdrlen SP] total CRLF headers payload CRLF`.
    pub tail: &'a [u8],
    /// Bytes of the reply subject at the start of the tail; 0 for none.
    pub reply_bytes: u32,
    /// Bytes of the header block; 0 for none (then the tail carries no header length).
    pub header_bytes: u32,
    /// Bytes of headers and payload together.
    pub total_bytes: u32,
}

impl<'a> Message<'a> {
    /// The reply subject, empty if there is none.
    pub fn reply(&self) -> &'a [u8] {
        &self.tail[..self.reply_bytes as usize]
    }

    /// Headers and payload without the final CRLF.
    pub fn body(&self) -> &'a [u8] {
        let end = self.tail.len() - 2;
        &self.tail[end - self.total_bytes as usize..end]
    }

    /// The tail for a receiver that takes no headers, written to `out`: the header block is left away.
    pub fn tail_without_headers(&self, out: &mut Vec<u8>) {
        write_tail(out, self.reply(), 0, &self.body()[self.header_bytes as usize..]);
    }
}

/// The tail of a PUB or HPUB that was not written canonically.
pub fn rewrite_tail(publish: &Publish, out: &mut Vec<u8>) {
    out.clear();
    write_tail(out, publish.reply, publish.header_bytes, publish.body);
}

/// The message of a PUB or HPUB, with the tail of its own line or a rewritten one.
#[inline]
pub fn from_publish<'a>(publish: &Publish<'a>, tail: &'a [u8]) -> Message<'a> {
    Message {
        subject: publish.subject,
        tail,
        reply_bytes: publish.reply.len() as u32,
        header_bytes: publish.header_bytes,
        total_bytes: publish.body.len() as u32,
    }
}

pub(super) fn write_tail(out: &mut Vec<u8>, reply: &[u8], header_bytes: u32, body: &[u8]) {
    let mut digits = [0; 10];
    if !reply.is_empty() {
        out.extend_from_slice(reply);
        out.push(b' ');
    }
    if header_bytes > 0 {
        out.extend_from_slice(number::format(header_bytes, &mut digits));
        out.push(b' ');
    }
    out.extend_from_slice(number::format(body.len() as u32, &mut digits));
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    out.extend_from_slice(b"\r\n");
}

/// The header of a request to a service of another account, which says who asks.
pub const REQUEST_INFO: &str = "Nats-Request-Info";

/// The line that a header block of ours begins with.
const STATUS: &[u8] = b"NATS/1.0";

/// The tail of a message as a service of another account gets it: with another reply subject, and with `info` in the header
/// that says who asks, whoever said so before. Returns the bytes of the header block.
pub fn write_request(message: &Message, reply: &[u8], info: &[u8], out: &mut Vec<u8>) -> u32 {
    let (headers, payload) = message.body().split_at(message.header_bytes as usize);
    let mut body = Vec::with_capacity(message.body().len() + info.len() + 64);
    let mut lines = headers.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let is_info = |line: &[u8]| {
        let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(REQUEST_INFO.as_bytes())
    };
    body.extend_from_slice(lines.next().filter(|line| line.starts_with(STATUS)).unwrap_or(STATUS));
    body.extend_from_slice(b"\r\n");
    for line in lines.filter(|line| !line.is_empty() && !is_info(line)) {
        body.extend_from_slice(line);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(REQUEST_INFO.as_bytes());
    body.extend_from_slice(b": ");
    body.extend_from_slice(info);
    body.extend_from_slice(b"\r\n\r\n");
    let header_bytes = body.len() as u32;
    body.extend_from_slice(payload);
    write_tail(out, reply, header_bytes, &body);
    header_bytes
}

/// The tail of a message of the server's own, without headers.
pub fn plain_tail(reply: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut tail = Vec::with_capacity(reply.len() + payload.len() + 16);
    write_tail(&mut tail, reply, 0, payload);
    tail
}

/// The notice that a request found nobody, for subscription `sid` of the requester: a whole `HMSG` operation.
pub fn no_responders(reply: &[u8], sid: &[u8], subject: &[u8]) -> Vec<u8> {
    let mut head = b"NATS/1.0 503\r\nNats-Subject: ".to_vec();
    head.extend_from_slice(subject);
    head.extend_from_slice(b"\r\n\r\n");
    let mut out = b"HMSG ".to_vec();
    out.extend_from_slice(reply);
    out.push(b' ');
    out.extend_from_slice(sid);
    out.extend_from_slice(format!(" {0} {0}\r\n", head.len()).as_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(b"\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_responders_has_the_exact_bytes() {
        assert_eq!(
            no_responders(b"_INBOX.1", b"9", b"nobody"),
            b"HMSG _INBOX.1 9 38 38\r\nNATS/1.0 503\r\nNats-Subject: nobody\r\n\r\n\r\n"
        );
    }

    #[test]
    fn a_request_says_who_asks_and_no_one_else_does() {
        let request = |tail: &[u8], header_bytes, total_bytes| {
            let message = Message { subject: b"a", tail, reply_bytes: 0, header_bytes, total_bytes };
            let mut out = Vec::new();
            let header_bytes = write_request(&message, b"_R_.x", b"{}", &mut out);
            (String::from_utf8(out).unwrap(), header_bytes)
        };
        let expected = "_R_.x 35 37\r\nNATS/1.0\r\nNats-Request-Info: {}\r\n\r\nhi\r\n";
        assert_eq!(request(b"2\r\nhi\r\n", 0, 2), (expected.to_owned(), 35));
        let lines = b"x\r\nNATS/1.0 1\r\nA: b\r\nnats-request-INFO : forged\r\n\r\nhi\r\n";
        let header_bytes = lines.len() as u32 - 7;
        let (text, _) = request(lines, header_bytes, header_bytes + 2);
        assert_eq!(text, "_R_.x 43 45\r\nNATS/1.0 1\r\nA: b\r\nNats-Request-Info: {}\r\n\r\nhi\r\n");
        let folded = b"x\r\nNATS/1.0\nnats-request-info: forged\n\nhi\r\n";
        let (text, _) = request(folded, 37, 39);
        assert!(text.matches("-Info").count() == 1 && !text.contains("forged"), "{text}");
    }

    #[test]
    fn headers_are_stripped() {
        let message = Message {
            subject: b"a",
            tail: b"r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n",
            reply_bytes: 1,
            header_bytes: 12,
            total_bytes: 14,
        };
        let mut out = Vec::new();
        message.tail_without_headers(&mut out);
        assert_eq!(out, b"r 2\r\nhi\r\n");
        assert_eq!(message.body(), b"NATS/1.0\r\n\r\nhi");
    }
}
