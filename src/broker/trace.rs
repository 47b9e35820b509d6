//! Protocol trace lines, for operators who asked for them.

use super::deliver::Local;
use crate::interest::Target;
use crate::wire::errors::quoted;
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
        let line = |text: String| self.shared.log.trace(format_args!("{client} - <<- {text}"));
        match op {
            Op::Publish(publish) => {
                let name = if publish.header_bytes > 0 { "HPUB" } else { "PUB" };
                let mut words = vec![name.to_owned(), plain(publish.subject)];
                words.extend((!publish.reply.is_empty()).then(|| plain(publish.reply)));
                words.extend((publish.header_bytes > 0).then(|| publish.header_bytes.to_string()));
                words.push(publish.body.len().to_string());
                line(format!("[{}]", words.join(" ")));
                if !publish.body.is_empty() {
                    line(format!("MSG_PAYLOAD: [{}]", quoted(publish.body)));
                }
            }
            Op::Subscribe { subject, queue: b"", sid } => line(format!("[SUB {} {}]", plain(subject), plain(sid))),
            Op::Subscribe { subject, queue, sid } => {
                line(format!("[SUB {} {} {}]", plain(subject), plain(queue), plain(sid)));
            }
            Op::Unsubscribe { sid, max: 0 } => line(format!("[UNSUB {}]", plain(sid))),
            Op::Unsubscribe { sid, max } => line(format!("[UNSUB {} {max}]", plain(sid))),
            Op::Ping => line("[PING]".into()),
            Op::Pong => line("[PONG]".into()),
            // The document may hold credentials.
            Op::Connect(_) => line("[CONNECT {[REDACTED]}]".into()),
            Op::Info(_) => line("[INFO]".into()),
            Op::Okay => line("[+OK]".into()),
            Op::Error(text) => line(format!("[-ERR {}]", plain(text))),
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
        let hidden = if with_headers { 0 } else { message.header_bytes };
        words.push((message.total_bytes - hidden).to_string());
        let name = if with_headers { "HMSG" } else { "MSG" };
        self.shared.log.trace(format_args!("{client} - ->> [{name} {}]", words.join(" ")));
    }
}

/// Peer text as it stands, but for bytes that would break the line.
fn plain(text: &[u8]) -> String {
    let quoted = quoted(text);
    quoted[1..quoted.len() - 1].to_owned()
}
