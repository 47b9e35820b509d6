//! What is announced to routes of the interest of our own clients.
//!
//! Each account keeps a log of what its clients began and ceased to want, as long as somebody reads it. An
//! [`Announcer`], one for each route and account, walks over the index in parts, and each time it first tells what is new in
//! the log. So all it has told is at that moment as the index is, though it may not have told all: a snapshot of any size stops
//! nobody, and no change is lost or out of order, whichever workers made it. Of what it has not come to yet it may tell a
//! change early, be it that nobody wants it, which is no news to the peer then.
//!
//! Plain interest is told when the first subscription comes and when the last one goes; of a queue group each new number of
//! members is. Several changes of one subject that an announcer finds together are told once, in the last state.

use super::index::Walk;
use slab::Slab;
use std::collections::BTreeMap;

/// Bytes of changes at most that wait for announcers. One that is further behind is told so.
pub const LOG_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What clients of this server want of one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Subject or pattern.
    pub subject: &'a [u8],
    /// Queue group, or empty.
    pub queue: &'a [u8],
    /// Members of the queue group, 1 for any number of plain subscriptions; 0 for none any more.
    pub weight: u32,
}

/// How far an announcer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There is more to walk.
    More,
    /// It has said all there was.
    Done,
    /// It was not asked for so long that changes were thrown away: the route is to be closed.
    Behind,
}

/// The place of one route in what is to be announced of one account. To be given to [`super::Interest::stop_announcing`]
/// in the end.
#[derive(Debug)]
pub struct Announcer {
    pub(super) reader: usize,
    pub(super) walk: Walk,
}

/// The changes of one account that somebody has not read yet.
#[derive(Debug, Default)]
pub struct Log {
    bytes: Vec<u8>,
    /// Bytes that were thrown away before those.
    start: u64,
    /// Up to where each reader has read, as a count of all bytes ever.
    readers: Slab<u64>,
}

/// Numbers in front of each change: members, bytes of the subject and of the queue group.
const HEAD: usize = 12;

impl Log {
    /// True if anybody reads it.
    pub fn is_read(&self) -> bool {
        !self.readers.is_empty()
    }

    /// A reader of all that comes from now on.
    pub fn add_reader(&mut self) -> usize {
        self.readers.insert(self.end())
    }

    /// The reader is gone.
    pub fn remove_reader(&mut self, reader: usize) {
        self.readers.remove(reader);
        self.discard();
    }

    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Appends a change.
    pub fn push(&mut self, wanted: &Wanted) {
        let Wanted { subject, queue, weight } = *wanted;
        if self.bytes.len() + HEAD + subject.len() + queue.len() > LOG_BYTES_MAX {
            self.start = self.end();
            self.bytes = Vec::new();
        }
        for number in [weight, subject.len() as u32, queue.len() as u32] {
            self.bytes.extend_from_slice(&number.to_le_bytes());
        }
        self.bytes.extend_from_slice(subject);
        self.bytes.extend_from_slice(queue);
    }

    /// Gives a reader what it has not read, the last state of each subject only, in the order of these last changes.
    /// False if some of it is gone.
    pub fn read(&mut self, reader: usize, mut say: impl FnMut(&Wanted)) -> bool {
        let end = self.end();
        let from = std::mem::replace(&mut self.readers[reader], end);
        let Some(done) = from.checked_sub(self.start) else { return false };
        let mut rest = &self.bytes[done as usize..];
        if rest.is_empty() {
            return true;
        }
        let mut last: BTreeMap<(&[u8], &[u8]), usize> = BTreeMap::new();
        let mut changes = Vec::new();
        while let Some((change, behind)) = next(rest) {
            rest = behind;
            last.insert((change.subject, change.queue), changes.len());
            changes.push(change);
        }
        for (at, wanted) in changes.iter().enumerate() {
            if last[&(wanted.subject, wanted.queue)] == at {
                say(wanted);
            }
        }
        self.discard();
        true
    }

    /// Throws away what all have read.
    fn discard(&mut self) {
        let end = self.end();
        let read = self.readers.iter().map(|(_, &read)| read).min().unwrap_or(end);
        let done = read.saturating_sub(self.start) as usize;
        if done == self.bytes.len() {
            (self.bytes, self.start) = (Vec::new(), end);
        } else if done > self.bytes.len() / 2 {
            self.bytes.drain(..done);
            self.start += done as u64;
        }
    }

    /// Bytes that wait.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

/// The first change of several, and the others.
fn next(bytes: &[u8]) -> Option<(Wanted<'_>, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
    let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (subject, rest) = rest.split_at_checked(number(4) as usize)?;
    let (queue, rest) = rest.split_at_checked(number(8) as usize)?;
    Some((Wanted { subject, queue, weight: number(0) }, rest))
}
