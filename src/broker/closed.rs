//! Records of connections that were closed.
//!
//! All workers put theirs into one queue, which has its lock for no longer than that takes; whoever reads it takes
//! them all out and keeps them. So nobody waits for a reader.

use super::client::Label;
use super::deliver::Local;
use super::reason::Reason;
use super::report::{Row, SubRows};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Bytes of all records together.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// Subscriptions of one connection that its record lists.
const SUBS_MAX: usize = 64;

/// A connection as it was when it was closed.
#[derive(Debug)]
pub struct Record {
    /// Its figures.
    pub row: Row,
    /// When, in microseconds.
    pub stop_us: u64,
    /// Why, in the words of [`Reason::text`].
    pub reason: &'static str,
    /// What it said of itself.
    pub label: Option<Box<Label>>,
    /// Its first subscriptions.
    pub subs: SubRows,
}

impl Record {
    /// Memory it takes, in bytes.
    fn bytes(&self) -> usize {
        let label = self
            .label
            .as_ref()
            .map_or(0, |label| size_of::<Label>() + label.name.len() + label.lang.len() + label.version.len());
        size_of::<Self>() + label + self.subs.bytes()
    }
}

/// The last records, bounded in number and bytes.
#[derive(Debug, Default)]
pub struct Records {
    queue: VecDeque<Record>,
    bytes: usize,
}

impl Records {
    /// Adds records behind those that are there; of more than `most` the first are dropped.
    pub fn add(&mut self, records: Records, most: usize) {
        records.queue.into_iter().for_each(|record| self.push(record, most));
    }

    fn push(&mut self, record: Record, most: usize) {
        self.bytes += record.bytes();
        self.queue.push_back(record);
        while self.queue.len() > most || self.bytes > BYTES_MAX {
            let Some(first) = self.queue.pop_front() else { break };
            self.bytes -= first.bytes();
        }
    }

    /// All of them, those that were closed first in front.
    pub fn iter(&self) -> impl Iterator<Item = &Record> {
        self.queue.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

/// Where the workers put their records.
#[derive(Debug, Default)]
pub struct Closed {
    /// How many are kept; 0 keeps none at all.
    most: usize,
    records: Mutex<Records>,
}

impl Closed {
    /// Keeps so many records.
    pub fn new(most: usize) -> Self {
        Self { most, records: Mutex::default() }
    }

    /// How many are kept.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Takes all that are there.
    pub fn take(&self) -> Records {
        std::mem::take(&mut self.records.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, record: Record) {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(record, self.most);
    }
}

impl Local {
    /// Keeps a record of a connection that is about to be closed, with the subscriptions that it still has.
    pub(super) fn keep_record(&self, key: u32, reason: Reason) {
        if self.shared.closed.most() == 0 {
            return;
        }
        let client = &self.clients[key as usize];
        let mut subs = SubRows::default();
        client.sids.places().take(SUBS_MAX).for_each(|slot| self.add_sub(slot, &mut subs));
        self.shared.closed.push(Record {
            row: Row::new(key, client),
            stop_us: self.now_us,
            reason: reason.text(),
            label: client.label.clone(),
            subs,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::report::tests::row;

    fn record(cid: u64, name_bytes: usize) -> Record {
        let label = Some(Box::new(Label { name: "n".repeat(name_bytes), ..Label::default() }));
        Record { row: row(cid), stop_us: cid, reason: "Client Closed", label, subs: SubRows::default() }
    }

    fn cids(records: &Records) -> Vec<u64> {
        records.iter().map(|record| record.row.cid).collect()
    }

    #[test]
    fn the_last_records_are_kept_and_no_more_than_asked_for() {
        let closed = Closed::new(3);
        (1..=5).for_each(|cid| closed.push(record(cid, 1)));
        let mut kept = closed.take();
        assert_eq!(cids(&kept), [3, 4, 5]);
        assert!(closed.take().is_empty());
        closed.push(record(6, 1));
        kept.add(closed.take(), closed.most());
        assert_eq!(cids(&kept), [4, 5, 6]);
    }

    #[test]
    fn large_records_are_bounded_by_their_bytes() {
        let mut kept = Records::default();
        for cid in 0..100 {
            kept.push(record(cid, BYTES_MAX / 8), 1000);
            assert!(kept.bytes <= BYTES_MAX);
        }
        assert_eq!(kept.len(), 7, "seven eighths and what is around them");
        while let Some(record) = kept.queue.pop_front() {
            kept.bytes -= record.bytes();
        }
        assert_eq!(kept.bytes, 0);
    }
}
