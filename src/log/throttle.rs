//! Which warnings and errors were logged a moment ago.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// How long a statement is not repeated.
const QUIET: Duration = Duration::from_secs(1);

/// How many statements are remembered.
const SLOTS: usize = 64;

/// Remembers the last warnings and errors by their hash, one per slot. Two texts that share a slot push each other out:
/// then one is logged once more than needed, and the memory stays bounded.
#[derive(Default)]
pub(super) struct Throttle {
    hasher: RandomState,
    /// Empty until the first warning.
    slots: Vec<Option<(u64, Instant)>>,
}

impl Throttle {
    /// True when `statement` was not admitted within the last second before `now`.
    pub fn admits(&mut self, statement: &str, now: Instant) -> bool {
        self.slots.resize(SLOTS, None);
        let hash = self.hasher.hash_one(statement);
        let slot = &mut self.slots[hash as usize % SLOTS];
        if let Some((last, at)) = *slot
            && last == hash
            && now.saturating_duration_since(at) < QUIET
        {
            return false;
        }
        *slot = Some((hash, now));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_admitted_once_a_second() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        assert!(throttle.admits("a", start));
        assert!(!throttle.admits("a", start + Duration::from_millis(1)));
        // Being suppressed does not prolong the silence.
        assert!(!throttle.admits("a", start + Duration::from_millis(999)));
        assert!(throttle.admits("a", start + Duration::from_millis(1000)));
        assert!(!throttle.admits("a", start + Duration::from_millis(1500)));
    }

    #[test]
    fn other_statements_do_not_count() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..10_000 {
            assert!(throttle.admits(&number.to_string(), now));
        }
        assert_eq!(throttle.slots.len(), SLOTS);
    }
}
