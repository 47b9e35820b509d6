//! Runs every scenario against two servers in turn and collects what they did.
//!
//! Interleaved: within a round all servers do the same work one after the other, the first one changing from round to
//! round, each run with a fresh process. Ratios are taken within a round, so that a machine that is slower for a minute
//! is slower for both.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::charts;
use crate::figures::{Figure, short};
use crate::growth::{self, Growth};
use crate::machine::{Machine, today};
use crate::outcome::Outcome;
use crate::report;
use crate::results;
use crate::scenarios::{self, Scenario, Servers, Setup};
use crate::server::{self, Server};
use crate::stats::median;
use crate::tls;

/// What to compare and how thoroughly.
pub struct Plan {
    pub ours: PathBuf,
    pub theirs: PathBuf,
    pub rounds: usize,
    pub quick: bool,
    /// Scenario names (`growth` for the curves); empty means all.
    pub only: Vec<String>,
    /// Where results go.
    pub out: PathBuf,
    /// The command line, for the record.
    pub command: String,
}

/// A server with its options.
pub struct Variant {
    pub label: &'static str,
    path: PathBuf,
    args: Vec<String>,
}

/// Everything measured, and the circumstances.
pub struct Comparison {
    pub machine: Machine,
    pub date: String,
    pub ours_version: String,
    pub theirs_version: String,
    pub command: String,
    pub rounds: usize,
    /// Ours first, the official server last.
    pub variants: Vec<Variant>,
    pub rows: Vec<Row>,
    pub growth: Vec<Growth>,
}

/// All runs of one scenario.
pub struct Row {
    pub scenario: &'static Scenario,
    /// By variant, then by round.
    pub runs: Vec<Vec<Result<Outcome, String>>>,
}

/// Compares and writes `results.json`, `README.md` and the charts. Errors are those of starting at all or of writing;
/// failed runs are part of the results.
pub fn run(plan: &Plan) -> Result<(), String> {
    let comparison = measure(plan)?;
    let write = |name: &str, text: String| {
        let path = plan.out.join(name);
        fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
    };
    fs::create_dir_all(&plan.out).map_err(|e| format!("{}: {e}", plan.out.display()))?;
    write("results.json", results::json(&comparison))?;
    write("README.md", report::markdown(&comparison))?;
    write("speed.svg", charts::speed(&comparison))?;
    write("memory.svg", charts::memory(&comparison))?;
    write("growth.svg", charts::growth(&comparison))
}

fn measure(plan: &Plan) -> Result<Comparison, String> {
    let ask = |path: &Path| server::version(path).map_err(|e| format!("{}: {e}", path.display()));
    let (ours_version, theirs_version) = (ask(&plan.ours)?, ask(&plan.theirs)?);
    let variants = plan.variants()?;
    let mut rows: Vec<Row> = plan.scenarios().map(|scenario| Row::new(scenario, variants.len())).collect();
    for round in 0..plan.rounds {
        for row in &mut rows {
            for turn in 0..variants.len() {
                let index = (turn + round) % variants.len();
                row.runs[index].push(plan.run(&variants[index], row.scenario.name, None));
            }
            eprintln!("round {} of {}, {}", round + 1, plan.rounds, row.progress(&variants));
        }
    }
    let growth = if plan.wants("growth") {
        growth::measure(plan, &[&variants[0], &variants[variants.len() - 1]])
    } else {
        Vec::new()
    };
    Ok(Comparison {
        machine: Machine::this(),
        date: today(),
        ours_version,
        theirs_version,
        command: plan.command.clone(),
        rounds: plan.rounds,
        variants,
        rows,
        growth,
    })
}

impl Plan {
    /// One run of a scenario against a fresh server.
    pub fn run(&self, variant: &Variant, scenario: &str, count: Option<usize>) -> Result<Outcome, String> {
        let scenario = scenarios::find(scenario).ok_or(format!("no scenario {scenario:?}"))?;
        let route = server::free_address().map_err(|e| e.to_string())?;
        let more = match scenario.servers {
            Servers::One => Vec::new(),
            Servers::Tls => tls::flags(&self.out).map_err(|e| format!("certificate: {e}"))?,
            Servers::Pair => server::member_flags(&route, None),
        };
        let start = |more: &[String]| {
            let args = [&variant.args[..], more].concat();
            Server::start(&variant.path, &args).map_err(|e| e.to_string())
        };
        let server = start(&more)?;
        let peer = match scenario.servers {
            Servers::Pair => Some(start(&server::member_flags("127.0.0.1:-1", Some(&route)))?),
            Servers::One | Servers::Tls => None,
        };
        let (time, warm_up) = if self.quick { (400, 100) } else { (1000, 200) };
        let setup = Setup {
            addr: server.addr,
            server: server.process(),
            peer: peer.as_ref().map(|peer| (peer.addr, peer.process())),
            time: Duration::from_millis(time),
            warm_up: Duration::from_millis(warm_up),
            count,
            size: None,
        };
        scenario.run(&setup).map_err(|e| e.to_string())
    }

    fn variants(&self) -> Result<Vec<Variant>, String> {
        let variant = |label, path: &PathBuf, args: &[&str]| Variant {
            label,
            path: path.clone(),
            args: args.iter().map(|arg| arg.to_string()).collect(),
        };
        let mut variants = vec![variant("midge", &self.ours, &[])];
        if server::knows(&self.ours, "--workers").map_err(|e| format!("{}: {e}", self.ours.display()))? {
            variants.push(variant("midge, 1 worker", &self.ours, &["--workers", "1"]));
        }
        variants.push(variant("nats-server", &self.theirs, &[]));
        Ok(variants)
    }

    fn scenarios(&self) -> impl Iterator<Item = &'static Scenario> {
        scenarios::ALL.iter().filter(|scenario| scenario.compared && self.wants(scenario.name))
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == name)
    }
}

impl Comparison {
    /// The row of a scenario, if it was run.
    pub fn row(&self, scenario: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.scenario.name == scenario)
    }

    /// Indices of the variants of ours.
    pub fn ours(&self) -> std::ops::Range<usize> {
        0..self.theirs()
    }

    /// Index of the official server.
    pub fn theirs(&self) -> usize {
        self.variants.len() - 1
    }
}

impl Row {
    pub fn new(scenario: &'static Scenario, variants: usize) -> Row {
        Row { scenario, runs: (0..variants).map(|_| Vec::new()).collect() }
    }

    /// The outcomes of a variant's runs that did not fail.
    pub fn outcomes(&self, variant: usize) -> impl Iterator<Item = &Outcome> {
        self.runs[variant].iter().filter_map(|run| run.as_ref().ok())
    }

    /// The median over the rounds.
    pub fn median(&self, variant: usize, figure: Figure) -> Option<f64> {
        median(&self.outcomes(variant).filter_map(|outcome| figure.of(outcome)).collect::<Vec<_>>())
    }

    /// The median over the rounds of how many times better `variant` was than the last variant in the same round.
    pub fn improvement(&self, variant: usize, figure: Figure) -> Option<f64> {
        let value = |run: &Result<Outcome, String>| run.as_ref().ok().and_then(|outcome| figure.of(outcome));
        let pairs = self.runs[variant].iter().zip(self.runs.last()?);
        let ratios = pairs.filter_map(|(ours, theirs)| Some(figure.improvement(value(ours)?, value(theirs)?)));
        median(&ratios.collect::<Vec<_>>())
    }

    /// Messages lost in all runs of a variant, and every trouble.
    pub fn faults(&self, variant: usize) -> (u64, Vec<&str>) {
        let lost = self.outcomes(variant).map(|outcome| outcome.lost).sum();
        let trouble = self.runs[variant].iter().filter_map(|run| match run {
            Ok(outcome) => outcome.trouble.as_deref(),
            Err(error) => Some(error.as_str()),
        });
        (lost, trouble.collect())
    }

    fn progress(&self, variants: &[Variant]) -> String {
        let mut line = format!("{}:", self.scenario.name);
        for (variant, runs) in variants.iter().zip(&self.runs) {
            let run = match runs.last() {
                Some(Ok(outcome)) => match (outcome.bytes_each, &outcome.trouble) {
                    (_, Some(trouble)) => format!("trouble: {trouble}"),
                    (Some(bytes), None) => format!("{bytes:.0} B each"),
                    (None, None) => format!("{}/s at {} us", short(outcome.rate()), short(outcome.cpu_us())),
                },
                Some(Err(error)) => format!("failed: {error}"),
                None => "not run".to_string(),
            };
            line.push_str(&format!(" | {} {run}", variant.label));
        }
        line
    }
}

/// Comparisons made up for the tests of reports and charts.
#[cfg(test)]
pub mod samples {
    use super::*;
    use crate::stats::Summary;

    fn outcome(rate: u64, cpu_us: f64) -> Outcome {
        Outcome {
            unit: "messages",
            count: rate,
            moved: rate,
            elapsed: Duration::from_secs(1),
            server_cpu: Duration::from_secs_f64(cpu_us * 1e-6 * rate as f64),
            latency: Some(Summary { p50: 10.0, p99: 20.0, p999: 30.0 }),
            bytes_each: Some(cpu_us * 1000.0),
            steps: vec![("start", 3 << 20), ("open", 9 << 20), ("end", 4 << 20)],
            ..Outcome::default()
        }
    }

    /// All scenarios, two variants, two rounds: ours 8 times as fast in one round and 4 times in the other, at an
    /// eighth of the CPU time.
    pub fn comparison() -> Comparison {
        let variant = |label| Variant { label, path: PathBuf::new(), args: Vec::new() };
        let row = |scenario: &'static Scenario| Row {
            scenario,
            runs: vec![
                vec![Ok(outcome(8_000_000, 0.03)), Ok(outcome(4_000_000, 0.03))],
                vec![Ok(outcome(1_000_000, 0.24)), Ok(outcome(1_000_000, 0.24))],
            ],
        };
        Comparison {
            machine: Machine { cpu: "Test <CPU>".into(), cores: 2, memory_bytes: 1 << 30, kernel: "Linux 1".into() },
            date: "2026-01-01".into(),
            ours_version: "midge: v1".into(),
            theirs_version: "nats-server: v2".into(),
            command: "midge-perf compare".into(),
            rounds: 2,
            variants: vec![variant("midge"), variant("nats-server")],
            rows: scenarios::ALL.iter().filter(|s| s.compared).map(row).collect(),
            growth: Vec::new(),
        }
    }

    #[test]
    fn medians_of_ratios_are_taken_within_rounds() {
        let comparison = comparison();
        let row = comparison.row("one-16").unwrap();
        assert_eq!(row.median(0, Figure::Rate), Some(6_000_000.0));
        assert_eq!(row.improvement(0, Figure::Rate), Some(6.0));
        assert!((row.improvement(0, Figure::Cpu).unwrap() - 8.0).abs() < 1e-6);
        assert_eq!(row.faults(0), (0, vec![]));
    }

    #[test]
    fn failed_runs_do_not_count_as_pairs() {
        let mut comparison = comparison();
        let row = &mut comparison.rows[0];
        row.runs[0][0] = Err("broken".into());
        assert_eq!(row.improvement(0, Figure::Rate), Some(4.0));
        assert_eq!(row.faults(0), (0, vec!["broken"]));
    }
}
