//! `results.json`: every run of a comparison, with medians and ratios.

use crate::compare::{Comparison, Row};
use crate::figures::Figure;
use crate::growth::Growth;
use crate::json::{self, Object};

/// The whole comparison as a JSON document.
pub fn json(comparison: &Comparison) -> String {
    let machine = &comparison.machine;
    let machine = Object::default()
        .string("cpu", &machine.cpu)
        .integer("cores", machine.cores as u64)
        .integer("memory_bytes", machine.memory_bytes)
        .string("kernel", &machine.kernel);
    let rows: Vec<String> = comparison.rows.iter().map(|row| row_json(comparison, row)).collect();
    let growth: Vec<String> = comparison.growth.iter().map(|growth| growth_json(comparison, growth)).collect();
    let mut text = Object::default()
        .string("date", &comparison.date)
        .string("command", &comparison.command)
        .integer("rounds", comparison.rounds as u64)
        .raw("machine", &machine.finish())
        .string("ours", &comparison.ours_version)
        .string("theirs", &comparison.theirs_version)
        .raw("scenarios", &json::array(&rows))
        .raw("growth", &json::array(&growth))
        .finish();
    text.push('\n');
    text
}

fn row_json(comparison: &Comparison, row: &Row) -> String {
    let mut variants = Object::default();
    for (index, variant) in comparison.variants.iter().enumerate() {
        let figure = |object: Object, name: &str, figure| match row.median(index, figure) {
            Some(value) => object.number(name, value, 4),
            None => object,
        };
        let ratio = |object: Object, name: &str, figure| match row.improvement(index, figure) {
            Some(value) if index != comparison.theirs() => object.number(name, value, 3),
            _ => object,
        };
        let mut object = figure(Object::default(), "per_second", Figure::Rate);
        object = figure(object, "server_cpu_us_per_message", Figure::Cpu);
        object = figure(object, "p50_us", Figure::P50);
        object = figure(object, "p99_us", Figure::P99);
        object = figure(object, "p999_us", Figure::P999);
        object = figure(object, "bytes_each", Figure::BytesEach);
        object = ratio(object, "rate_ratio", Figure::Rate);
        object = ratio(object, "cpu_ratio", Figure::Cpu);
        object = ratio(object, "p50_ratio", Figure::P50);
        object = ratio(object, "p99_ratio", Figure::P99);
        let runs: Vec<String> = row.runs[index]
            .iter()
            .map(|run| match run {
                Ok(outcome) => outcome.members(Object::default()).finish(),
                Err(error) => Object::default().string("failed", error).finish(),
            })
            .collect();
        variants = variants.raw(variant.label, &object.raw("runs", &json::array(&runs)).finish());
    }
    Object::default()
        .string("scenario", row.scenario.name)
        .string("about", row.scenario.about)
        .raw("variants", &variants.finish())
        .finish()
}

fn growth_json(comparison: &Comparison, growth: &Growth) -> String {
    let points: Vec<String> = growth
        .points
        .iter()
        .map(|point| {
            let ends = [&comparison.variants[0], &comparison.variants[comparison.theirs()]];
            let start = Object::default().integer("n", point.n as u64);
            let point = ends.iter().zip(&point.values).fold(start, |object, (variant, value)| match value {
                Some(value) => object.number(variant.label, *value, 1),
                None => object.raw(variant.label, "null"),
            });
            point.finish()
        })
        .collect();
    Object::default()
        .string("title", growth.title)
        .string("axis", growth.axis)
        .raw("points", &json::array(&points))
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::samples;

    #[test]
    fn braces_are_balanced_and_nothing_is_missing() {
        let text = json(&samples::comparison());
        let count = |c: char| text.chars().filter(|x| *x == c).count();
        assert_eq!(count('{'), count('}'));
        assert_eq!(count('['), count(']'));
        assert_eq!(text.matches("\"scenario\":").count(), samples::comparison().rows.len());
        assert!(text.contains("\"rate_ratio\":6.000") && !text.contains("NaN"));
    }
}
