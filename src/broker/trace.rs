//! Protocol trace lines, for operators who asked for them.

use super::client::Client;
use super::deliver::Local;
use crate::interest::Target;
use crate::log::{Escaped, Plain, Quoted};
use crate::wire::redact::redacted;
use crate::wire::{Message, Op};

impl Local {
    /// True if operations are to be traced.
    #[inline]
    pub(super) fn traces(&self) -> bool {
        self.trace
    }

    /// An operation that came.
    #[inline(never)]
    pub(super) fn trace_in(&self, key: u32, op: &Op) {
        let client = &self.clients[key as usize];
        let line = |text: String| self.shared.log.trace(format_args!("{client} - <<- [{text}]"));
        match op {
            Op::Publish(publish) => {
                let name = if publish.header_bytes > 0 { "HPUB" } else { "PUB" };
                let mut words = vec![name.to_owned(), plain(publish.subject)];
                words.extend((!publish.reply.is_empty()).then(|| plain(publish.reply)));
                words.extend((publish.header_bytes > 0).then(|| publish.header_bytes.to_string()));
                words.push(publish.body.len().to_string());
                line(words.join(" "));
                self.trace_payload(client, "<<-", publish.body, publish.header_bytes as usize);
            }
            Op::Subscribe { subject, queue: b"", sid } => line(format!("SUB {} {}", Plain(subject), Plain(sid))),
            Op::Subscribe { subject, queue, sid } => {
                line(format!("SUB {} {} {}", Plain(subject), Plain(queue), Plain(sid)));
            }
            Op::Unsubscribe { sid, max: 0 } => line(format!("UNSUB {}", Plain(sid))),
            Op::Unsubscribe { sid, max } => line(format!("UNSUB {} {max}", Plain(sid))),
            Op::Ping => line("PING".into()),
            Op::Pong => line("PONG".into()),
            Op::Connect(document) => line(format!("CONNECT {}", Plain(redacted(document).as_bytes()))),
            // The official server does not trace these.
            Op::Info(_) | Op::Okay | Op::Error(_) => {}
        }
    }

    /// A line of the server's own that goes out.
    pub(super) fn trace_out(&self, key: u32, text: &str) {
        if self.traces() {
            let client = &self.clients[key as usize];
            self.shared.log.trace(format_args!("{client} - ->> [{text}]"));
        }
    }

    /// A message that goes out to a subscription.
    #[inline(never)]
    pub(super) fn trace_delivery(&mut self, key: u32, target: Target, message: &Message) {
        let Some(sub) = self.subs.get_mut(target) else { return };
        let client = &self.clients[key as usize];
        let mut words = vec![plain(message.subject), plain(sub.sid.bytes())];
        words.extend((message.reply_bytes > 0).then(|| plain(message.reply())));
        let with_headers = message.header_bytes > 0 && client.headers;
        words.extend(with_headers.then(|| message.header_bytes.to_string()));
        let (hidden, shown) = if with_headers { (0, message.header_bytes) } else { (message.header_bytes, 0) };
        words.push((message.total_bytes - hidden).to_string());
        let name = if with_headers { "HMSG" } else { "MSG" };
        self.shared.log.trace(format_args!("{client} - ->> [{name} {}]", words.join(" ")));
        self.trace_payload(client, "->>", &message.body()[hidden as usize..], shown as usize);
    }

    /// A subscription that ended.
    #[inline(never)]
    pub(super) fn trace_end(&self, key: u32, sid: &[u8]) {
        let client = &self.clients[key as usize];
        self.shared.log.trace(format_args!("{client} - <-> [DELSUB {}]", Plain(sid)));
    }

    /// What an operation carries, if it is anything; the headers are the first bytes of it.
    pub(super) fn trace_payload(&self, client: &Client, way: &str, body: &[u8], header_bytes: usize) {
        let log = &self.shared.log;
        let body = match self.options.trace_headers {
            true => body[..header_bytes].strip_suffix(b"\r\n\r\n").unwrap_or(&body[..header_bytes]),
            false => body,
        };
        match self.options.max_traced_msg_len {
            _ if body.is_empty() => {}
            most @ 1.. if body.len() > most => {
                log.trace(format_args!("{client} - {way} MSG_PAYLOAD: [\"{}...\"]", Escaped(&body[..most])));
            }
            _ => log.trace(format_args!("{client} - {way} MSG_PAYLOAD: [{}]", Quoted(body))),
        }
    }
}

/// Peer text as it stands, but for what would break the line.
fn plain(text: &[u8]) -> String {
    Plain(text).to_string()
}
