//! How servers behave as connections, subscriptions and fan-out grow: one run per point.

use crate::compare::{Plan, Variant};
use crate::figures::Figure;

/// One curve per server over a growing number.
pub struct Growth {
    pub title: &'static str,
    /// What the number counts.
    pub axis: &'static str,
    scenario: &'static str,
    pub figure: Figure,
    pub points: Vec<Point>,
}

/// The figure of each server at one number; `None` where the run failed.
pub struct Point {
    pub n: usize,
    pub values: Vec<Option<f64>>,
}

/// Measures all curves with the servers `variants`.
pub fn measure(plan: &Plan, variants: &[&Variant]) -> Vec<Growth> {
    let mut all = curves();
    for growth in &mut all {
        let points =
            numbers(growth.scenario).iter().filter(|n| !plan.quick || n.ilog10().is_multiple_of(2) || **n >= 5000);
        for n in points {
            let values: Vec<Option<f64>> = variants
                .iter()
                .map(|variant| {
                    let run = plan.run(variant, growth.scenario, Some(*n));
                    run.map_err(|e| eprintln!("growth, {} {n}: {}: {e}", growth.scenario, variant.label)).ok()
                })
                .map(|outcome| outcome.and_then(|o| growth.figure.of(&o)))
                .collect();
            eprintln!("growth, {} {n}: {values:?}", growth.scenario);
            growth.points.push(Point { n: *n, values });
        }
    }
    all
}

fn curves() -> Vec<Growth> {
    let curve = |title, axis, scenario, figure| Growth { title, axis, scenario, figure, points: Vec::new() };
    vec![
        curve("Memory by connections", "idle connections, one subscription each", "conns", Figure::Step("open")),
        curve("Memory by subscriptions", "subscriptions on one connection", "subs", Figure::Step("open")),
        curve("Deliveries a second by fan-out", "subscribers of one subject, 16 B", "fan", Figure::Rate),
        curve(
            "Deliveries a second by subscriptions",
            "subscriptions, random publishes, 16 B",
            "subs-speed",
            Figure::Rate,
        ),
    ]
}

fn numbers(scenario: &str) -> &'static [usize] {
    match scenario {
        "conns" => &[10, 100, 1000, 10_000],
        "fan" => &[1, 3, 10, 30, 100, 300, 1000, 5000],
        _ => &[1, 10, 100, 1000, 10_000, 100_000, 1_000_000],
    }
}
