//! The figures of an outcome that are compared, and the floors they must reach.

use crate::outcome::Outcome;

/// One figure of an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Units a second.
    Rate,
    /// Server CPU time per message moved, in microseconds.
    Cpu,
    /// Latencies in microseconds.
    P50,
    P99,
    P999,
    /// Server bytes per connection or subscription.
    BytesEach,
    /// Resident bytes at a named moment.
    Step(&'static str),
}

impl Figure {
    /// Its value; `None` if the outcome has none.
    pub fn of(self, outcome: &Outcome) -> Option<f64> {
        let value = match self {
            Figure::Rate => outcome.rate(),
            Figure::Cpu => outcome.cpu_us(),
            Figure::P50 => outcome.latency?.p50,
            Figure::P99 => outcome.latency?.p99,
            Figure::P999 => outcome.latency?.p999,
            Figure::BytesEach => outcome.bytes_each?,
            Figure::Step(name) => outcome.steps.iter().find(|(step, _)| *step == name)?.1 as f64,
        };
        (value > 0.0).then_some(value)
    }

    /// How many times better `ours` is than `theirs`: a higher rate, or less of anything else.
    pub fn improvement(self, ours: f64, theirs: f64) -> f64 {
        if self == Figure::Rate { ours / theirs } else { theirs / ours }
    }

    /// An improvement as readers know it: `4.0x` for a rate, `1/6.0` for costs.
    pub fn improvement_text(self, times: f64) -> String {
        if self == Figure::Rate { format!("{times:.1}x") } else { format!("1/{times:.1}") }
    }

    pub fn name(self) -> &'static str {
        match self {
            Figure::Rate => "rate",
            Figure::Cpu => "CPU",
            Figure::P50 => "p50",
            Figure::P99 => "p99",
            Figure::P999 => "p99.9",
            Figure::BytesEach => "bytes each",
            Figure::Step(name) => name,
        }
    }
}

/// How many times better than the official server a scenario's figure must be.
pub type Floor = (Figure, f64);

/// The floors of a scenario.
pub fn floors(scenario: &str) -> &'static [Floor] {
    use Figure::{Cpu, P50, P99, Rate};
    match scenario {
        "pub-16" => &[(Rate, 5.0), (Cpu, 5.0)],
        "one-16" | "pairs-16" | "queue-16" => &[(Rate, 4.0), (Cpu, 6.0)],
        "one-128" | "one-128h" => &[(Rate, 3.5), (Cpu, 5.0)],
        "one-1k" => &[(Rate, 1.6), (Cpu, 2.0)],
        "one-64k" => &[(Rate, 1.3), (Cpu, 2.0)],
        "fan-10-16" | "fan-1000-16" => &[(Rate, 4.0), (Cpu, 8.0)],
        "fan-100-128" => &[(Rate, 2.5), (Cpu, 6.0)],
        "wild-10k" => &[(Rate, 8.0), (Cpu, 10.0)],
        "req-1" => &[(P50, 1.0), (Cpu, 3.0)],
        "req-16" => &[(Rate, 1.5), (P99, 2.0), (Cpu, 3.0)],
        "subs-100k" => &[(Rate, 6.0), (Cpu, 8.0)],
        "sub-unsub" => &[(Rate, 4.0), (Cpu, 5.0)],
        "churn" => &[(Rate, 2.0), (Cpu, 8.0)],
        "route-16" => &[(Rate, 3.0), (Cpu, 4.0)],
        "route-1k" => &[(Rate, 1.4), (Cpu, 2.0)],
        "tls-128" | "tls-4k" => &[(Rate, 1.5)],
        "tls-handshakes" => &[(Rate, 1.5), (Cpu, 1.0)],
        _ => &[],
    }
}

/// A number with three digits and a suffix: `14.9 M`, `270 k`, `0.0240`.
pub fn short(value: f64) -> String {
    let (scaled, suffix) = match value.abs() {
        v if v >= 999.5e6 => (value / 1e9, " G"),
        v if v >= 999.5e3 => (value / 1e6, " M"),
        v if v >= 9995.0 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let digits = match scaled.abs() {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        v if v >= 0.9995 => 2,
        v if v >= 0.09995 => 3,
        _ => 4,
    };
    format!("{scaled:.digits$}{suffix}")
}

/// Bytes in the unit that suits them: `618 B`, `44.1 KiB`, `13.2 MiB`.
pub fn bytes(value: f64) -> String {
    const KIB: f64 = 1024.0;
    match value {
        v if v < KIB => format!("{v:.0} B"),
        v if v < KIB * KIB => format!("{:.1} KiB", v / KIB),
        v if v < KIB * KIB * KIB => format!("{:.1} MiB", v / KIB / KIB),
        v => format!("{:.2} GiB", v / KIB / KIB / KIB),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios;

    #[test]
    fn better_is_more_than_one_either_way() {
        assert_eq!(Figure::Rate.improvement(8.0, 2.0), 4.0);
        assert_eq!(Figure::Cpu.improvement(0.5, 2.0), 4.0);
        assert_eq!(Figure::Cpu.improvement_text(4.0), "1/4.0");
        assert_eq!(Figure::Rate.improvement_text(1.25), "1.2x");
    }

    #[test]
    fn figures_are_absent_where_nothing_was_measured() {
        let outcome = Outcome { steps: vec![("end", 7)], ..Outcome::default() };
        assert_eq!(Figure::Step("end").of(&outcome), Some(7.0));
        assert_eq!(Figure::Step("start").of(&outcome), None);
        assert_eq!(Figure::P50.of(&outcome), None);
        assert_eq!(Figure::Rate.of(&outcome), None);
    }

    #[test]
    fn twenty_two_scenarios_have_floors() {
        assert_eq!(scenarios::ALL.iter().filter(|s| !floors(s.name).is_empty()).count(), 22);
    }

    #[test]
    fn numbers_have_three_digits() {
        let all: Vec<String> =
            [14_934_000.0, 270_100.0, 9_400.0, 178.54, 56.73, 1.0, 0.2380, 0.0241, 2.5e9].map(short).into();
        assert_eq!(all, ["14.9 M", "270 k", "9400", "179", "56.7", "1.00", "0.238", "0.0241", "2.50 G"]);
        let all: Vec<String> = [618.2, 45_158.0, 13_841_203.0, 1.5e9].map(bytes).into();
        assert_eq!(all, ["618 B", "44.1 KiB", "13.2 MiB", "1.40 GiB"]);
    }
}
