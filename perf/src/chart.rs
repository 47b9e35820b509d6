//! Building blocks of SVG charts: a card with a background of its own, scales, text, bars, lines.
//!
//! The card is opaque, so that its colours suit any page, light or dark.

use std::fmt::Write as _;

/// One colour per variant, told apart by most colour-blind readers too; the official server has the last.
pub const COLOURS: [&str; 3] = ["#0072b2", "#56b4e9", "#d55e00"];
const INK: &str = "#24292f";
const FAINT: &str = "#57606a";
const GRID: &str = "#d8dee4";
const CARD: &str = "#ffffff";

/// Where a text stands relative to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// An SVG document under construction; sizes in pixels.
pub struct Svg {
    width: f64,
    body: String,
}

impl Svg {
    /// An empty card of that width with a title; the height is given at the end.
    pub fn new(width: f64, title: &str, subtitle: &str) -> Svg {
        let mut svg = Svg { width, body: String::new() };
        svg.styled(24.0, 34.0, title, Anchor::Start, 18, INK, "600");
        svg.text(24.0, 54.0, subtitle, Anchor::Start);
        svg
    }

    /// Small text.
    pub fn text(&mut self, x: f64, y: f64, text: &str, anchor: Anchor) {
        self.styled(x, y, text, anchor, 12, FAINT, "400");
    }

    /// Text that names something.
    pub fn label(&mut self, x: f64, y: f64, text: &str, anchor: Anchor) {
        self.styled(x, y, text, anchor, 13, INK, "400");
    }

    /// The heading of a part.
    pub fn heading(&mut self, x: f64, y: f64, text: &str) {
        self.styled(x, y, text, Anchor::Start, 14, INK, "600");
    }

    pub fn bar(&mut self, x: f64, y: f64, width: f64, height: f64, colour: &str) {
        self.put(format_args!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{:.1}" height="{height:.1}" fill="{colour}" rx="1.5"/>"#,
            width.max(1.0)
        ));
    }

    pub fn grid_line(&mut self, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.put(format_args!(r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="{GRID}"/>"#));
    }

    /// A curve through `points` with a dot on each.
    pub fn curve(&mut self, points: &[(f64, f64)], colour: &str) {
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.put(format_args!(
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"/>"#,
            path.join(" ")
        ));
        for (x, y) in points {
            self.put(format_args!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="3" fill="{colour}"/>"#));
        }
    }

    /// Coloured squares with names, from left to right.
    pub fn legend(&mut self, x: f64, y: f64, entries: &[(&str, &str)]) {
        let mut x = x;
        for (name, colour) in entries {
            self.bar(x, y - 10.0, 12.0, 12.0, colour);
            self.label(x + 18.0, y, name, Anchor::Start);
            x += 18.0 + text_width(name) + 24.0;
        }
    }

    /// The document, `height` pixels high.
    pub fn finish(self, height: f64) -> String {
        let width = self.width;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"-apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, \
             Arial, sans-serif\">\n<rect x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\" fill=\"{CARD}\" \
             stroke=\"{GRID}\"/>\n{}</svg>\n",
            width - 1.0,
            height - 1.0,
            self.body
        )
    }

    #[allow(clippy::too_many_arguments)]
    fn styled(&mut self, x: f64, y: f64, text: &str, anchor: Anchor, size: u32, colour: &str, weight: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        self.put(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" font-size="{size}" font-weight="{weight}" fill="{colour}" text-anchor="{anchor}">{}</text>"#,
            escape(text)
        ));
    }

    fn put(&mut self, element: std::fmt::Arguments) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.body, "{element}");
    }
}

/// A logarithmic scale over whole decades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogScale {
    first: i32,
    last: i32,
}

impl LogScale {
    /// The smallest scale that holds all positive `values`, at least one decade.
    pub fn over(values: impl Iterator<Item = f64>) -> LogScale {
        let logs: Vec<f64> = values.filter(|v| *v > 0.0).map(f64::log10).collect();
        let first = logs.iter().copied().fold(f64::INFINITY, f64::min).floor();
        let last = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max).ceil();
        if logs.is_empty() {
            return LogScale { first: 0, last: 1 };
        }
        LogScale { first: first as i32, last: (last as i32).max(first as i32 + 1) }
    }

    /// Where `value` lies between the ends, 0 to 1.
    pub fn at(self, value: f64) -> f64 {
        (value.log10() - f64::from(self.first)) / f64::from(self.last - self.first)
    }

    /// The powers of ten.
    pub fn ticks(self) -> impl Iterator<Item = f64> {
        (self.first..=self.last).map(|power| 10f64.powi(power))
    }
}

/// Round steps from 0 to at least `max`, at most about eight of them.
pub fn linear_ticks(max: f64) -> Vec<f64> {
    let rough = max.max(1e-9) / 8.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|step| *step >= rough).unwrap_or(power);
    (0..=(max / step).ceil() as usize).map(|i| i as f64 * step).collect()
}

/// Breaks `text` between words into lines of at most `chars_max` characters.
pub fn wrap(text: &str, chars_max: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= chars_max => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}

/// About as wide as `text` becomes as a label, on the safe side.
fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * 7.8
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_scales_end_on_decades() {
        let scale = LogScale::over([13.0, 4200.0].into_iter());
        assert_eq!(scale.ticks().collect::<Vec<_>>(), [10.0, 100.0, 1000.0, 10_000.0]);
        assert_eq!(scale.at(10.0), 0.0);
        assert!((scale.at(1000.0) - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!(LogScale::over([10.0].into_iter()).ticks().count(), 2);
        assert_eq!(LogScale::over(std::iter::empty()).at(1.0), 0.0);
    }

    #[test]
    fn linear_ticks_are_round_and_cover() {
        assert_eq!(linear_ticks(7.3), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        assert_eq!(linear_ticks(20.0).last(), Some(&20.0));
        for max in [0.1, 1.0, 9.9, 33.0, 1234.0] {
            let ticks = linear_ticks(max);
            assert!(ticks.len() <= 10 && *ticks.last().unwrap() >= max - 1e-9, "{max}: {ticks:?}");
        }
    }

    #[test]
    fn texts_are_wrapped_and_escaped() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("unbreakable", 3), ["unbreakable"]);
        assert_eq!(escape("a<b>&c"), "a&lt;b&gt;&amp;c");
    }
}
