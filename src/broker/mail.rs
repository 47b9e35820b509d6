//! What one worker's broker says to another's: batches of messages, and who is held back.

use super::client::Publisher;
use super::routes::News;
use crate::interest::{AccountId, Target};
use crate::wire::Message;
use std::sync::Arc;

/// A letter from one worker to another.
#[derive(Debug)]
pub enum Mail {
    /// Messages for subscribers there.
    Messages(Batch),
    /// Stop reading from this connection.
    Hold(Publisher),
    /// One of those who stopped it no longer does.
    Release(Publisher),
    /// There is interest to announce to the peers of routes.
    Announce,
    /// What clients are to be told of the cluster from now on.
    News(Arc<News>),
    /// All workers together hold too much memory: look what you can do about it.
    Look,
}

/// Messages on their way to another worker, packed into one buffer.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    shared: Vec<Arc<[u8]>>,
    shared_bytes: usize,
}

/// Whom a message of a batch is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipients<'a> {
    /// All plain subscriptions of the receiving worker.
    Plain,
    /// One member of a queue group, and the group's name in case the member is gone.
    Member(Target, &'a [u8]),
    /// The clients of a route's peer that want it, and one member of each of these queue groups there; the names have a
    /// blank between them.
    Route(Target, &'a [u8]),
    /// One member of this queue group on another server, because the one that was chosen here is gone.
    Elsewhere(&'a [u8]),
    /// Whoever asked for it: it is the answer of a service.
    Asker,
}

impl<'a> Recipients<'a> {
    /// The number of its kind, the target in it, and the names.
    fn parts(self) -> (u32, Target, &'a [u8]) {
        let nothing = Target::new(0, 0, 0);
        match self {
            Self::Plain => (0, nothing, b""),
            Self::Member(target, name) => (1, target, name),
            Self::Route(target, names) => (2, target, names),
            Self::Elsewhere(name) => (3, nothing, name),
            Self::Asker => (4, nothing, b""),
        }
    }

    fn of(kind: u32, target: Target, names: &'a [u8]) -> Self {
        match kind {
            0 => Self::Plain,
            1 => Self::Member(target, names),
            2 => Self::Route(target, names),
            3 => Self::Elsewhere(names),
            _ => Self::Asker,
        }
    }
}

/// One message of a batch.
#[derive(Debug)]
pub struct Entry<'a> {
    /// Who published it.
    pub publisher: Publisher,
    /// The account it was published in.
    pub account: AccountId,
    /// The message; its tail is shared with other receivers if `shared` says so.
    pub message: Message<'a>,
    /// The tail, where it is large.
    pub shared: Option<&'a Arc<[u8]>>,
    /// Whom it is for.
    pub to: Recipients<'a>,
}

/// No shared tail.
const NONE: u32 = u32::MAX;

impl Batch {
    /// A batch that fills `buffer`.
    pub fn new(buffer: Vec<u8>) -> Self {
        Self { bytes: buffer, ..Self::default() }
    }

    /// Bytes of it, shared tails included.
    pub fn bytes(&self) -> usize {
        self.bytes.len() + self.shared_bytes
    }

    /// True if it holds no message.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Its buffer, to be filled again.
    pub fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }

    /// Adds a message.
    pub fn push(&mut self, entry: &Entry) {
        let message = &entry.message;
        let shared = match entry.shared {
            None => NONE,
            Some(tail) => {
                self.shared_bytes += tail.len();
                match self.shared.last() {
                    Some(last) if Arc::ptr_eq(last, tail) => {}
                    _ => self.shared.push(Arc::clone(tail)),
                }
                (self.shared.len() - 1) as u32
            }
        };
        let (kind, target, names) = entry.to.parts();
        for number in [
            message.subject.len() as u32,
            message.tail.len() as u32,
            message.reply_bytes,
            message.header_bytes,
            message.total_bytes,
            shared,
            kind,
            names.len() as u32,
            entry.account,
            entry.publisher.key,
            entry.publisher.worker.into(),
        ] {
            self.bytes.extend_from_slice(&number.to_le_bytes());
        }
        self.bytes.extend_from_slice(&entry.publisher.cid.to_le_bytes());
        self.bytes.extend_from_slice(&target.to_bytes());
        self.bytes.extend_from_slice(message.subject);
        self.bytes.extend_from_slice(names);
        if shared == NONE {
            self.bytes.extend_from_slice(message.tail);
        }
    }

    /// The first message behind the first `done` bytes of the batch, and how many bytes are done with it; messages come in
    /// the order they were added.
    pub fn entry(&self, done: usize) -> Option<(Entry<'_>, usize)> {
        let mut rest = &self.bytes[done..];
        if rest.is_empty() {
            return None;
        }
        let mut numbers = [0u32; 11];
        for number in &mut numbers {
            *number = u32::from_le_bytes(take(&mut rest));
        }
        let [subject, tail, reply_bytes, header_bytes, total_bytes, shared, kind, names, account, key, worker] =
            numbers;
        let cid = u64::from_le_bytes(take(&mut rest));
        let target = Target::from_bytes(take(&mut rest));
        let subject = take_slice(&mut rest, subject as usize);
        let to = Recipients::of(kind, target, take_slice(&mut rest, names as usize));
        let shared = self.shared.get(shared as usize);
        let tail = match shared {
            Some(shared) => &shared[..],
            None => take_slice(&mut rest, tail as usize),
        };
        let message = Message { subject, tail, reply_bytes, header_bytes, total_bytes };
        let publisher = Publisher { worker: worker as u8, key, cid };
        Some((Entry { publisher, account, message, shared, to }, self.bytes.len() - rest.len()))
    }

    /// All its messages.
    #[cfg(test)]
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut done = 0;
        std::iter::from_fn(move || {
            let (entry, next) = self.entry(done)?;
            done = next;
            Some(entry)
        })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (head, tail) = rest.split_first_chunk().expect("a batch holds whole entries");
    *rest = tail;
    *head
}

fn take_slice<'a>(rest: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (head, tail) = rest.split_at(len);
    *rest = tail;
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_out_as_they_went_in() {
        let publisher = Publisher { worker: 3, key: 7, cid: 1 << 40 };
        let large: Arc<[u8]> = Arc::from(&b"r 5000\r\n..."[..]);
        let message = |tail| Message { subject: b"a.b", tail, reply_bytes: 1, header_bytes: 2, total_bytes: 3 };
        let member = Target::new(9, 10, 11);
        let mut batch = Batch::default();
        let route = Target::route(1, 2, 0, 0);
        let cases = [
            (&b"r 1\r\nx\r\n"[..], None, Recipients::Plain),
            (&large[..], Some(&large), Recipients::Member(member, b"group")),
            (&b""[..], None, Recipients::Member(member, b"")),
            (&b"1\r\ny\r\n"[..], None, Recipients::Route(route, b"")),
            (&b"2\r\nyz\r\n"[..], None, Recipients::Route(route, b"one two")),
            (&large[..], Some(&large), Recipients::Elsewhere(b"q")),
            (&b"1\r\nz\r\n"[..], None, Recipients::Asker),
        ];
        for _ in 0..3 {
            for (tail, shared, to) in cases {
                batch.push(&Entry { publisher, account: 4, message: message(tail), shared, to });
            }
        }
        let got: Vec<_> = batch.entries().collect();
        assert_eq!(got.len(), 3 * cases.len());
        for (at, entry) in got.iter().enumerate() {
            assert_eq!((entry.publisher, entry.account, entry.message.subject), (publisher, 4, &b"a.b"[..]));
            assert_eq!((entry.message.reply_bytes, entry.message.header_bytes, entry.message.total_bytes), (1, 2, 3));
            let (tail, shared, to) = cases[at % cases.len()];
            assert_eq!((entry.message.tail, entry.to, entry.shared.is_some()), (tail, to, shared.is_some()));
        }
    }
}
