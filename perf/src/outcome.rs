//! What one scenario run yields, and its line of JSON.

use std::time::Duration;

use crate::json::Object;
use crate::stats::Summary;

/// The result of one run. Times are those of the measured part, without set-up and warm-up.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What `count` counts: messages, requests, pairs, connections, subscriptions.
    pub unit: &'static str,
    pub count: u64,
    /// Messages into and out of the server (or `count` where none are exchanged): what CPU time is divided by.
    pub moved: u64,
    pub elapsed: Duration,
    pub server_cpu: Duration,
    pub own_cpu: Duration,
    /// What should have arrived and did not.
    pub lost: u64,
    pub latency: Option<Summary>,
    /// Server memory per connection or subscription, in bytes.
    pub bytes_each: Option<f64>,
    /// Resident bytes at named moments.
    pub steps: Vec<(&'static str, u64)>,
    /// Anything that should not have happened.
    pub trouble: Option<String>,
    pub resident_before: u64,
    pub resident_after: u64,
    pub resident_peak: u64,
}

impl Outcome {
    /// Units a second; 0 when nothing was timed.
    pub fn rate(&self) -> f64 {
        ratio(self.count as f64, self.elapsed.as_secs_f64())
    }

    /// Server CPU time per message moved, in microseconds.
    pub fn cpu_us(&self) -> f64 {
        ratio(self.server_cpu.as_secs_f64() * 1e6, self.moved as f64)
    }

    /// One line of JSON without the line end.
    pub fn json(&self, scenario: &str) -> String {
        self.members(Object::default().string("scenario", scenario)).finish()
    }

    /// Adds all members to `object`.
    pub fn members(&self, object: Object) -> Object {
        let mut object = object
            .string("unit", self.unit)
            .integer("messages", self.count)
            .integer("moved", self.moved)
            .number("seconds", self.elapsed.as_secs_f64(), 4)
            .number("per_second", self.rate(), 1)
            .number("server_cpu_s", self.server_cpu.as_secs_f64(), 6)
            .number("server_cpu_us_per_message", self.cpu_us(), 4)
            .number("generator_cpu_s", self.own_cpu.as_secs_f64(), 4)
            .integer("rss_before", self.resident_before)
            .integer("rss_after", self.resident_after)
            .integer("rss_peak", self.resident_peak)
            .integer("lost", self.lost);
        if let Some(latency) = self.latency {
            object = object.number("p50_us", latency.p50, 1).number("p99_us", latency.p99, 1).number(
                "p999_us",
                latency.p999,
                1,
            );
        }
        if let Some(bytes) = self.bytes_each {
            object = object.number("bytes_each", bytes, 1);
        }
        for (name, bytes) in &self.steps {
            object = object.integer(&format!("rss_{name}"), *bytes);
        }
        match &self.trouble {
            Some(trouble) => object.string("trouble", trouble),
            None => object,
        }
    }
}

fn ratio(over: f64, under: f64) -> f64 {
    if under > 0.0 { over / under } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_follow_from_counts() {
        let outcome = Outcome {
            unit: "messages",
            count: 1000,
            moved: 2000,
            elapsed: Duration::from_millis(500),
            server_cpu: Duration::from_millis(1),
            bytes_each: Some(12.0),
            ..Outcome::default()
        };
        assert_eq!(outcome.rate(), 2000.0);
        assert_eq!(outcome.cpu_us(), 0.5);
        let json = outcome.json("x");
        assert!(json.starts_with(r#"{"scenario":"x","unit":"messages","messages":1000,"#), "{json}");
        assert!(json.contains(r#""bytes_each":12.0"#) && !json.contains("p50") && !json.contains("trouble"));
        assert_eq!(Outcome::default().rate(), 0.0);
    }
}
