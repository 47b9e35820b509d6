//! Percentiles and medians.

/// Latencies of one run, collected as nanoseconds.
#[derive(Default)]
pub struct Latencies {
    nanos: Vec<u32>,
}

/// The summary of latencies, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
}

impl Latencies {
    /// Room for `count` values, so that a run does not stop to grow.
    pub fn with_room(count: usize) -> Latencies {
        Latencies { nanos: Vec::with_capacity(count) }
    }

    /// Adds one value; more than four seconds count as four.
    pub fn add(&mut self, nanos: u64) {
        self.nanos.push(nanos.min(u32::MAX as u64) as u32);
    }

    pub fn len(&self) -> usize {
        self.nanos.len()
    }

    /// `None` without values.
    pub fn summary(mut self) -> Option<Summary> {
        self.nanos.sort_unstable();
        let at = |permille: usize| percentile(&self.nanos, permille).map(|n| f64::from(n) / 1000.0);
        Some(Summary { p50: at(500)?, p99: at(990)?, p999: at(999)? })
    }
}

/// The value below or at which `permille` thousandths of the sorted values lie (nearest rank).
fn percentile(sorted: &[u32], permille: usize) -> Option<u32> {
    let rank = (sorted.len() * permille).div_ceil(1000).max(1);
    sorted.get(rank - 1).copied()
}

/// The middle value, or the mean of the two middle ones; `None` without values or with one that is not a number.
pub fn median(values: &[f64]) -> Option<f64> {
    if values.is_empty() || values.iter().any(|v| v.is_nan()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    Some(if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let values: Vec<u32> = (1..=1000).collect();
        assert_eq!(percentile(&values, 500), Some(500));
        assert_eq!(percentile(&values, 990), Some(990));
        assert_eq!(percentile(&values, 999), Some(999));
        assert_eq!(percentile(&[7], 999), Some(7));
        assert_eq!(percentile(&[7, 9], 500), Some(7));
        assert_eq!(percentile(&[], 500), None);
    }

    #[test]
    fn summaries_are_in_microseconds() {
        let mut latencies = Latencies::with_room(4);
        for nanos in [4_000, 1_000, 2_000, 10_000_000_000] {
            latencies.add(nanos);
        }
        let summary = latencies.summary().unwrap();
        assert_eq!(summary.p50, 2.0);
        assert_eq!(summary.p99, f64::from(u32::MAX) / 1000.0);
        assert!(Latencies::default().summary().is_none());
    }

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[1.0, f64::NAN]), None);
    }
}
