//! The three charts of a comparison.

use crate::chart::{Anchor, COLOURS, LogScale, Svg, linear_ticks, wrap};
use crate::compare::{Comparison, Row};
use crate::figures::{Figure, bytes, floors, short};
use crate::growth::Growth;
use crate::report::MEMORY;

const WIDTH: f64 = 960.0;
const BAR: f64 = 14.0;
const GAP: f64 = 16.0;
/// Where bars begin; labels end left of it.
const BARS_X: f64 = 290.0;
/// Room right of the longest bar for its label.
const BAR_LABEL: f64 = 150.0;
/// Characters of a row's label on one line.
const LABEL_CHARS: usize = 36;

/// Rates, as multiples of the official server's.
pub fn speed(comparison: &Comparison) -> String {
    let rows: Vec<&Row> = comparison.rows.iter().filter(|row| !floors(row.scenario.name).is_empty()).collect();
    let times = |row: &Row, variant: usize| row.improvement(variant, Figure::Rate);
    let all = rows.iter().flat_map(|row| (0..comparison.variants.len()).filter_map(|v| times(row, v)));
    let ticks = linear_ticks(all.fold(1.0, f64::max));
    let scale = (WIDTH - BARS_X - BAR_LABEL) / ticks[ticks.len() - 1];
    let group = BAR * comparison.variants.len() as f64 + GAP;

    let mut svg = Svg::new(
        WIDTH,
        "Messages a second",
        "Bars: times the rate of the official server in the same round (medians). Labels: messages a second.",
    );
    svg.legend(24.0, 80.0, &legend(comparison));
    let (top, bottom) = (120.0, 120.0 + group * rows.len() as f64);
    for tick in ticks {
        let x = BARS_X + tick * scale;
        svg.grid_line((x, top - 6.0), (x, bottom));
        svg.text(x, top - 12.0, &format!("{tick}x"), Anchor::Middle);
    }
    for (index, row) in rows.iter().enumerate() {
        let y = top + group * index as f64 + GAP / 2.0;
        row_label(&mut svg, y + (group - GAP) / 2.0, row.scenario.about);
        for variant in 0..comparison.variants.len() {
            let (Some(times), Some(rate)) = (times(row, variant), row.median(variant, Figure::Rate)) else { continue };
            let y = y + BAR * variant as f64;
            let text = format!("{}  ({times:.1}x)", short(rate));
            bar(&mut svg, y, times * scale, &text, colour(comparison, variant));
        }
    }
    svg.finish(bottom + 20.0)
}

/// Memory: each group on a scale of its own.
pub fn memory(comparison: &Comparison) -> String {
    let mut svg =
        Svg::new(WIDTH, "Server memory", "Resident bytes (medians). Each group of bars has a scale of its own.");
    svg.legend(24.0, 80.0, &legend(comparison));
    let mut y = 110.0;
    for (text, scenario, figure, _) in MEMORY {
        let Some(row) = comparison.row(scenario) else { continue };
        let values: Vec<Option<f64>> = (0..comparison.variants.len()).map(|v| row.median(v, *figure)).collect();
        let Some(max) = values.iter().flatten().copied().reduce(f64::max) else { continue };
        let height = BAR * values.len() as f64;
        row_label(&mut svg, y + height / 2.0, text);
        for (variant, value) in values.iter().enumerate() {
            let Some(value) = value else { continue };
            let width = value / max * (WIDTH - BARS_X - BAR_LABEL);
            bar(&mut svg, y + BAR * variant as f64, width, &bytes(*value), colour(comparison, variant));
        }
        y += height + GAP;
    }
    svg.finish(y + 10.0)
}

/// Curves over growing numbers, both axes logarithmic, two panels in a row.
pub fn growth(comparison: &Comparison) -> String {
    const PANEL: (f64, f64) = (470.0, 300.0);
    let mut svg = Svg::new(WIDTH, "Growth", "Both axes are logarithmic. One run per point; default number of workers.");
    let ends = [0, comparison.theirs()];
    let names = ends.map(|v| (comparison.variants[v].label, colour(comparison, v)));
    svg.legend(24.0, 80.0, &names);
    for (index, growth) in comparison.growth.iter().enumerate() {
        let corner = (10.0 + PANEL.0 * (index % 2) as f64, 100.0 + PANEL.1 * (index / 2) as f64);
        panel(&mut svg, corner, PANEL, growth, &names.map(|(_, colour)| colour));
    }
    svg.finish(110.0 + PANEL.1 * comparison.growth.len().div_ceil(2) as f64)
}

fn panel(svg: &mut Svg, (left, top): (f64, f64), (width, height): (f64, f64), growth: &Growth, colours: &[&str]) {
    let (x0, x1) = (left + 76.0, left + width - 24.0);
    let (y0, y1) = (top + height - 54.0, top + 32.0);
    let across = LogScale::over(growth.points.iter().map(|point| point.n as f64));
    let up = LogScale::over(growth.points.iter().flat_map(|point| point.values.iter().flatten().copied()));
    let x = |n: f64| x0 + across.at(n) * (x1 - x0);
    let y = |value: f64| y0 + up.at(value) * (y1 - y0);
    let is_rate = growth.figure == Figure::Rate;
    svg.heading(left + 14.0, top + 16.0, growth.title);
    for tick in across.ticks() {
        svg.grid_line((x(tick), y0), (x(tick), y1));
        svg.text(x(tick), y0 + 18.0, &plain(tick, ""), Anchor::Middle);
    }
    for tick in up.ticks() {
        svg.grid_line((x0, y(tick)), (x1, y(tick)));
        svg.text(x0 - 8.0, y(tick) + 4.0, &plain(tick, if is_rate { "/s" } else { "B" }), Anchor::End);
    }
    svg.text((x0 + x1) / 2.0, y0 + 38.0, growth.axis, Anchor::Middle);
    for (variant, colour) in colours.iter().enumerate() {
        let points = growth.points.iter().filter_map(|point| Some((x(point.n as f64), y(point.values[variant]?))));
        svg.curve(&points.collect::<Vec<_>>(), colour);
    }
}

/// A power of ten as an axis shows it: `100`, `10 k`, `1 M`, with a unit.
fn plain(value: f64, unit: &str) -> String {
    let (scaled, prefix) = match value {
        v if v >= 1e9 => (v / 1e9, "G"),
        v if v >= 1e6 => (v / 1e6, "M"),
        v if v >= 1e3 => (v / 1e3, "k"),
        v => (v, ""),
    };
    let suffix = format!("{prefix}{unit}");
    if suffix.is_empty() { format!("{scaled:.0}") } else { format!("{scaled:.0} {suffix}") }
}

fn bar(svg: &mut Svg, y: f64, width: f64, text: &str, colour: &str) {
    svg.bar(BARS_X, y + 1.0, width, BAR - 2.0, colour);
    svg.text(BARS_X + width + 6.0, y + BAR - 3.0, text, Anchor::Start);
}

/// A label of one or more lines left of the bars, centred on `y`.
fn row_label(svg: &mut Svg, y: f64, text: &str) {
    let lines = wrap(text, LABEL_CHARS);
    let first = y + 4.0 - (lines.len() - 1) as f64 * 7.5;
    for (index, line) in lines.iter().enumerate() {
        svg.label(BARS_X - 12.0, first + 15.0 * index as f64, line, Anchor::End);
    }
}

fn legend(comparison: &Comparison) -> Vec<(&str, &'static str)> {
    let entry = |(index, variant): (usize, &crate::compare::Variant)| (variant.label, colour(comparison, index));
    comparison.variants.iter().enumerate().map(entry).collect()
}

fn colour(comparison: &Comparison, variant: usize) -> &'static str {
    if variant == comparison.theirs() { COLOURS[2] } else { COLOURS[variant.min(1)] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::samples;

    #[test]
    fn every_floor_has_its_bars() {
        let comparison = samples::comparison();
        let svg = speed(&comparison);
        assert_eq!(svg.matches("(6.0x)").count(), 22);
        assert_eq!(svg.matches("(1.0x)").count(), 22);
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>") && !svg.contains("NaN"));
        assert!(memory(&comparison).contains("3.0 MiB"));
    }

    #[test]
    fn empty_comparisons_still_draw() {
        let mut comparison = samples::comparison();
        comparison.rows.clear();
        for svg in [speed(&comparison), memory(&comparison), growth(&comparison)] {
            assert!(svg.contains("</svg>") && !svg.contains("NaN") && !svg.contains("inf"));
        }
    }

    #[test]
    fn axis_numbers() {
        assert_eq!([1.0, 1000.0, 1e6].map(|v| plain(v, "")), ["1", "1 k", "1 M"]);
        assert_eq!(plain(1e7, "B"), "10 MB");
        assert_eq!(plain(1e6, "/s"), "1 M/s");
    }
}
