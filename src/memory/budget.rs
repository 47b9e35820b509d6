//! The byte budget of the whole process.
//!
//! Each worker counts what it holds and reports the sum, once a turn or when it has grown much. Sums are compared with the
//! budget by whoever wants to take more; nothing here allocates, frees or waits. What the process had in use before the
//! first client is counted as a fixed part.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Parts of the budget, of which the last is kept for what connections and subscriptions that are there already need.
const PARTS: usize = 8;

/// A worker has not said yet what its largest connection holds.
const UNKNOWN: usize = usize::MAX;

/// How much of the budget is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Pressure {
    /// There is room.
    #[default]
    Low,
    /// More than seven eighths: no new connection and no new subscription is to be taken.
    High,
    /// More than all of it: whoever holds most is to go.
    Over,
}

/// What one worker reports.
#[derive(Debug, Default)]
struct Place {
    /// Bytes it holds.
    held: AtomicUsize,
    /// Bytes its largest connection holds, while the budget is exceeded; [`UNKNOWN`] when it was asked and has not said.
    largest: AtomicUsize,
}

/// The budget, with what is in use of it.
#[derive(Debug)]
pub struct Budget {
    /// Bytes that may be in use; `usize::MAX` for no bound.
    most: AtomicUsize,
    /// Bytes that were in use before there were clients.
    base: AtomicUsize,
    /// Bytes that are in use beyond what is counted, as far as they are taken into account.
    beyond: AtomicUsize,
    places: Box<[Place]>,
    /// It is known that there is no room for more.
    is_short: AtomicBool,
}

impl Default for Budget {
    /// Without a bound.
    fn default() -> Self {
        Self::new(usize::MAX, 0)
    }
}

impl Budget {
    /// So many bytes for so many workers.
    pub fn new(most: usize, workers: usize) -> Self {
        Self {
            most: AtomicUsize::new(most),
            base: AtomicUsize::new(0),
            beyond: AtomicUsize::new(0),
            places: (0..workers).map(|_| Place::default()).collect(),
            is_short: AtomicBool::new(false),
        }
    }

    /// From now on so many bytes may be in use.
    pub fn set_most(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// So many bytes are in use whatever clients do.
    pub fn set_base(&self, base: usize) {
        self.base.store(base, Ordering::Relaxed);
    }

    /// Bytes that may be in use; `usize::MAX` for no bound.
    pub fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    /// Bytes that are in use.
    pub fn used(&self) -> usize {
        self.counted().saturating_add(self.beyond.load(Ordering::Relaxed))
    }

    fn counted(&self) -> usize {
        let held = |place: &Place| place.held.load(Ordering::Relaxed);
        self.places.iter().map(held).fold(self.base.load(Ordering::Relaxed), usize::saturating_add)
    }

    /// The system says that so many bytes are in use. What of them is not counted, the allocator keeps, or tables that were
    /// larger: it counts too, up to a quarter of the budget. More than that nobody should be closed for, because it helps
    /// little. To be called while memory is short.
    pub fn note_resident(&self, bytes: usize) {
        let beyond = bytes.saturating_sub(self.counted()).min(self.most() / 4);
        self.beyond.store(beyond, Ordering::Relaxed);
    }

    /// How much of it is in use.
    pub fn pressure(&self) -> Pressure {
        let (most, used) = (self.most(), self.used());
        match used {
            _ if used > most => Pressure::Over,
            _ if used > most - most / PARTS => Pressure::High,
            _ => Pressure::Low,
        }
    }

    /// A worker holds so many bytes now.
    pub fn report(&self, worker: u8, held: usize) {
        if let Some(place) = self.places.get(usize::from(worker)) {
            place.held.store(held, Ordering::Relaxed);
        }
    }

    /// The largest connection of a worker holds so many bytes; 0 if it has none, or none is looked for.
    pub fn report_largest(&self, worker: u8, bytes: usize) {
        if let Some(place) = self.places.get(usize::from(worker)) {
            place.largest.store(bytes.min(UNKNOWN - 1), Ordering::Relaxed);
        }
    }

    /// A worker wants to know from all others what their largest connections hold.
    pub fn ask_others(&self, worker: u8) {
        self.others(worker).for_each(|place| place.largest.store(UNKNOWN, Ordering::Relaxed));
    }

    /// What the largest connection of all other workers holds; none until all have said.
    pub fn largest_elsewhere(&self, worker: u8) -> Option<usize> {
        let largest = self.others(worker).map(|place| place.largest.load(Ordering::Relaxed)).max().unwrap_or_default();
        (largest != UNKNOWN).then_some(largest)
    }

    fn others(&self, worker: u8) -> impl Iterator<Item = &Place> {
        let others = self.places.iter().enumerate().filter(move |(number, _)| *number != usize::from(worker));
        others.map(|(_, place)| place)
    }

    /// True while it is noted that there is no room for more.
    pub fn is_short(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
    }

    /// Notes that there is no room for more, or that there is again. True for the first who does.
    pub fn note_short(&self, is_short: bool) -> bool {
        if !is_short {
            self.beyond.store(0, Ordering::Relaxed);
        }
        self.is_short.swap(is_short, Ordering::Relaxed) != is_short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_workers_hold_counts() {
        let budget = Budget::new(1000, 3);
        budget.set_base(100);
        assert_eq!((budget.used(), budget.pressure()), (100, Pressure::Low));
        budget.report(0, 400);
        budget.report(1, 375);
        assert_eq!((budget.used(), budget.pressure()), (875, Pressure::Low));
        budget.report(2, 1);
        assert_eq!(budget.pressure(), Pressure::High);
        budget.report(1, 499);
        assert_eq!((budget.used(), budget.pressure()), (1000, Pressure::High));
        budget.report(1, 500);
        assert_eq!(budget.pressure(), Pressure::Over);
        budget.set_most(2000);
        assert_eq!(budget.pressure(), Pressure::Low);
        budget.report(7, 5000);
        assert_eq!(budget.used(), 1001, "nobody has that number");
    }

    #[test]
    fn without_a_bound_there_is_always_room() {
        let budget = Budget::new(usize::MAX, 2);
        budget.report(0, usize::MAX - 1);
        budget.report(1, usize::MAX - 1);
        assert_ne!(budget.pressure(), Pressure::Over);
        assert_eq!(Budget::default().pressure(), Pressure::Low);
    }

    #[test]
    fn the_largest_of_others_is_known() {
        let budget = Budget::new(1000, 3);
        budget.report_largest(0, 5);
        budget.report_largest(2, 9);
        assert_eq!([0, 1, 2].map(|worker| budget.largest_elsewhere(worker)), [Some(9), Some(9), Some(5)]);
        budget.ask_others(1);
        budget.report_largest(2, 4);
        assert_eq!([0, 1, 2].map(|worker| budget.largest_elsewhere(worker)), [Some(4), None, None]);
        budget.report_largest(0, usize::MAX);
        assert_eq!(budget.largest_elsewhere(1), Some(usize::MAX - 1));
        assert_eq!(Budget::new(1000, 1).largest_elsewhere(0), Some(0));
    }

    #[test]
    fn what_is_not_counted_counts_in_part_while_memory_is_short() {
        let budget = Budget::new(1000, 1);
        budget.set_base(100);
        budget.report(0, 800);
        budget.note_short(true);
        budget.note_resident(850);
        assert_eq!(budget.used(), 900);
        budget.note_resident(1010);
        assert_eq!((budget.used(), budget.pressure()), (1010, Pressure::Over));
        budget.report(0, 500);
        budget.note_resident(1010);
        assert_eq!(budget.used(), 600 + 250);
        budget.note_short(false);
        assert_eq!(budget.used(), 600);
    }

    #[test]
    fn a_change_is_told_once() {
        let budget = Budget::new(1000, 1);
        assert_eq!([true, true, false, false].map(|short| budget.note_short(short)), [true, false, true, false]);
    }
}
