//! `README.md` of the results: tables for people.

use crate::compare::{Comparison, Row};
use crate::figures::{Figure, bytes, floors, short};

/// Memory figures: text, scenario, figure, and the most it may be in bytes.
pub const MEMORY: &[(&str, &str, Figure, Option<f64>)] = &[
    ("resident at start", "conns", Figure::Step("start"), Some(3.0 * 1024.0 * 1024.0)),
    ("per idle connection with one subscription, of 10,000", "conns", Figure::BytesEach, Some(1024.0)),
    ("per subscription, of 100,000", "subs", Figure::BytesEach, Some(150.0)),
    ("per idle TLS connection with one subscription, of 1,000", "tls-conns", Figure::BytesEach, Some(8.0 * 1024.0)),
    ("resident before the flood", "given-back", Figure::Step("start"), None),
    ("after a flood, 1:100", "given-back", Figure::Step("flood"), None),
    ("after connection churn", "given-back", Figure::Step("churn"), None),
    ("with 10,000 idle connections", "given-back", Figure::Step("idle"), None),
    ("at most 5 s after all have closed", "given-back", Figure::Step("end"), None),
];

/// The whole page.
pub fn markdown(comparison: &Comparison) -> String {
    let mut text = head(comparison);
    text.push_str(&speed(comparison));
    text.push_str(&latency(comparison));
    text.push_str(&memory(comparison));
    text.push_str(&faults(comparison));
    text
}

fn head(comparison: &Comparison) -> String {
    let machine = &comparison.machine;
    format!(
        "# Results\n\n\
         Written by `midge-perf compare`; [what is measured and how](../README.md). Every run is in \
         [results.json](results.json).\n\n\
         - midge: `{}`\n- official server: `{}`\n- machine: {}, {} cores, {} of memory, {}; servers and load share it, \
         nothing is pinned\n- date: {}\n- rounds: {}, medians; ratios are medians of the ratios within a round\n\
         - command: `{}`\n\n\
         ![Speed](speed.svg)\n\n![Memory](memory.svg)\n\n![Growth](growth.svg)\n\n",
        comparison.ours_version,
        comparison.theirs_version,
        machine.cpu,
        machine.cores,
        bytes(machine.memory_bytes as f64),
        machine.kernel,
        comparison.date,
        comparison.rounds,
        comparison.command,
    )
}

/// Rates and CPU time with their floors.
fn speed(comparison: &Comparison) -> String {
    let ours = comparison.ours();
    let labels: Vec<&str> = comparison.variants.iter().map(|variant| variant.label).collect();
    let theirs = labels[comparison.theirs()];
    let columns = |what: &str| labels.iter().map(|label| format!("{what} {label}")).collect::<Vec<_>>();
    let ratios = |what: &str| ours.clone().map(|i| format!("{what} {} : {theirs}", labels[i])).collect::<Vec<_>>();
    let mut header = vec!["work".to_string()];
    header.extend(columns("msg/s"));
    header.extend(ratios("msg/s"));
    header.extend(columns("CPU us/msg"));
    header.extend(ratios("CPU"));
    header.extend(["floor".to_string(), "reached".to_string()]);
    let rows = comparison.rows.iter().filter(|row| !floors(row.scenario.name).is_empty());
    let rows = rows.map(|row| {
        let medians = |figure| (0..labels.len()).map(move |i| cell(row.median(i, figure).map(short)));
        let ratios = |figure: Figure| {
            ours.clone().map(move |i| cell(row.improvement(i, figure).map(|times| figure.improvement_text(times))))
        };
        let mut cells = vec![row.scenario.about.to_string()];
        cells.extend(medians(Figure::Rate));
        cells.extend(ratios(Figure::Rate));
        cells.extend(medians(Figure::Cpu));
        cells.extend(ratios(Figure::Cpu));
        cells.extend([floor_text(row.scenario.name), verdict(comparison, row)]);
        cells
    });
    format!(
        "## Speed\n\n{}\nmsg/s counts deliveries (publications where nobody subscribes, requests, SUB/UNSUB pairs, \
         connections). CPU is the server's time per message in or out (per pair, per connection).\n\n",
        table(&header, rows)
    )
}

/// The floors of a scenario in one cell.
fn floor_text(scenario: &str) -> String {
    let texts: Vec<String> = floors(scenario)
        .iter()
        .map(|(figure, times)| match figure {
            Figure::Rate | Figure::Cpu => figure.improvement_text(*times).replace(".0", ""),
            _ if *times == 1.0 => format!("{} no worse", figure.name()),
            _ => format!("{} {}", figure.name(), figure.improvement_text(*times).replace(".0", "")),
        })
        .collect();
    texts.join(", ")
}

/// `yes`, or what is missing with which variant.
fn verdict(comparison: &Comparison, row: &Row) -> String {
    let mut missing = Vec::new();
    for variant in comparison.ours() {
        for (figure, times) in floors(row.scenario.name) {
            let reached = row.improvement(variant, *figure);
            if reached.is_none_or(|reached| reached < *times) {
                let reached = cell(reached.map(|reached| figure.improvement_text(reached)));
                missing.push(format!("{} {reached} ({})", figure.name(), comparison.variants[variant].label));
            }
        }
    }
    if missing.is_empty() { "yes".to_string() } else { format!("no: {}", missing.join(", ")) }
}

fn latency(comparison: &Comparison) -> String {
    let figures = [Figure::P50, Figure::P99, Figure::P999];
    let mut header = vec!["work".to_string()];
    for variant in &comparison.variants {
        header.extend(figures.map(|figure| format!("{} {}", figure.name(), variant.label)));
    }
    let rows = comparison.rows.iter().filter(|row| row.median(comparison.theirs(), Figure::P50).is_some());
    let rows = rows.map(|row| {
        let mut cells = vec![row.scenario.about.to_string()];
        for variant in 0..comparison.variants.len() {
            cells.extend(figures.map(|figure| cell(row.median(variant, figure).map(short))));
        }
        cells
    });
    format!("## Latency, microseconds\n\n{}\n", table(&header, rows))
}

fn memory(comparison: &Comparison) -> String {
    let mut header = vec!["memory of the server".to_string()];
    header.extend(comparison.variants.iter().map(|variant| variant.label.to_string()));
    header.extend(["at most".to_string(), "reached".to_string()]);
    let rows = MEMORY.iter().filter_map(|(text, scenario, figure, most)| {
        let row = comparison.row(scenario)?;
        let mut cells = vec![text.to_string()];
        cells.extend((0..comparison.variants.len()).map(|i| cell(row.median(i, *figure).map(bytes))));
        cells.push(most.map_or(String::new(), bytes));
        let within = |most: f64| comparison.ours().all(|i| row.median(i, *figure).is_some_and(|value| value <= most));
        cells.push(most.map_or(String::new(), |most| if within(most) { "yes".into() } else { "no".into() }));
        Some(cells)
    });
    format!("## Memory\n\n{}\n", table(&header, rows))
}

fn faults(comparison: &Comparison) -> String {
    let mut text = String::from("## Lost messages and failed runs\n\n");
    let empty = text.len();
    for row in &comparison.rows {
        for (index, variant) in comparison.variants.iter().enumerate() {
            let (lost, trouble) = row.faults(index);
            if lost > 0 || !trouble.is_empty() {
                let about = row.scenario.about;
                text.push_str(&format!("- {about}, {}: {lost} lost; {}\n", variant.label, trouble.join("; ")));
            }
        }
    }
    if text.len() == empty {
        text.push_str("None: every subscriber got every message of every run.\n");
    }
    text
}

fn cell(value: Option<String>) -> String {
    value.unwrap_or_else(|| "-".to_string())
}

fn table(header: &[String], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(header);
    text.push_str(&format!("|---|{}\n", "---:|".repeat(header.len() - 1)));
    rows.for_each(|cells| text.push_str(&line(&cells)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::samples;

    #[test]
    fn the_page_has_all_tables_with_full_rows() {
        let page = markdown(&samples::comparison());
        assert!(
            page.contains("| 1:1, 16 B | 6.00 M | 1.00 M | 6.0x | 0.0300 | 0.240 | 1/8.0 | 4x, 1/6 | yes |"),
            "{page}"
        );
        assert!(page.contains("no: rate 6.0x (midge), CPU 1/8.0 (midge)"), "{page}");
        assert!(page.contains("| p50 no worse, 1/3 |") && page.contains("1.5x, p99 1/2, 1/3"));
        assert!(page.contains("None: every subscriber got every message"));
        let mut width = 0;
        for line in page.lines().filter(|line| line.starts_with('|')) {
            let cells = line.matches('|').count();
            if line.starts_with("|---") {
                assert_eq!(cells, width, "{line}");
            }
            width = cells;
        }
    }

    #[test]
    fn faults_are_listed() {
        let mut comparison = samples::comparison();
        comparison.rows[1].runs[0][1] = Err("it ended".into());
        assert!(markdown(&comparison).contains("- 1:1, 16 B, midge: 0 lost; it ended\n"));
    }
}
