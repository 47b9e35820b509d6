//! How a case is cut into writes: as it stands, line by line, byte by byte, merged, or merged and cut in two.

use std::fmt;

use super::script::{Act, Case, Step};
use super::text::Bytes;

/// A way to play a case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// One write for all that a connection sends until something is looked at.
    Whole,
    /// One write for each line.
    Lines,
    /// One write for each byte (a long repeat's middle goes in one).
    Bytes,
    /// One write for everything a connection sends before another one's turn.
    Merged,
    /// Merged, and one of these writes split in two at the n-th of all possible places.
    Cut(usize),
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Mode::Whole => write!(f, "whole"),
            Mode::Lines => write!(f, "line by line"),
            Mode::Bytes => write!(f, "byte by byte"),
            Mode::Merged => write!(f, "merged"),
            Mode::Cut(place) => write!(f, "merged, cut at place {place}"),
        }
    }
}

/// One thing to do.
#[derive(Debug)]
pub enum Task<'c> {
    /// Write these pieces, each in its own write that the server is given time to read.
    Write { line: usize, connection: usize, pieces: Vec<Vec<u8>> },
    /// Do anything but writing.
    Check(&'c Step),
}

/// The tasks of a case in one mode, in order.
pub fn plan(case: &Case, mode: Mode) -> Vec<Task<'_>> {
    match mode {
        Mode::Lines | Mode::Bytes => as_written(case, mode),
        Mode::Whole | Mode::Merged | Mode::Cut(_) => merged(case, mode),
    }
}

/// The number of places where [`Mode::Cut`] can cut.
pub fn cut_count(case: &Case) -> usize {
    let turns = turns(case, is_passive);
    turns.iter().map(|turn| turn.bytes.cuts.len()).sum()
}

/// Every step becomes one task.
fn as_written<'c>(case: &'c Case, mode: Mode) -> Vec<Task<'c>> {
    let task = |step: &'c Step| match &step.act {
        Act::Send(sent) => Task::Write {
            line: step.line,
            connection: step.connection,
            pieces: match mode {
                Mode::Bytes => split(sent, &sent.cuts),
                _ => vec![sent.bytes.clone()],
            },
        },
        _ => Task::Check(step),
    };
    case.steps.iter().map(task).collect()
}

/// Every turn becomes one write and the checks that follow it.
fn merged(case: &Case, mode: Mode) -> Vec<Task<'_>> {
    let mut tasks = Vec::new();
    let mut place_base = 0;
    let may_wait = match mode {
        Mode::Whole => |_: &Act| false,
        _ => is_passive,
    };
    for turn in turns(case, may_wait) {
        if !turn.bytes.bytes.is_empty() {
            let here = match mode {
                Mode::Cut(place) => place.checked_sub(place_base),
                _ => None,
            };
            let cut = here.and_then(|index| turn.bytes.cuts.get(index));
            tasks.push(Task::Write {
                line: turn.line,
                connection: turn.connection,
                pieces: split(&turn.bytes, cut.map(std::slice::from_ref).unwrap_or_default()),
            });
            place_base += turn.bytes.cuts.len();
        }
        tasks.extend(turn.checks.into_iter().map(Task::Check));
    }
    tasks
}

/// Everything one connection sends before something happens that may not come later, and the checks in between.
struct Turn<'c> {
    line: usize,
    connection: usize,
    bytes: Bytes,
    checks: Vec<&'c Step>,
}

/// Splits a case into turns. Checks that `may_wait` come after later sending on the same connection; nothing may
/// overtake another connection's sending, nor a step that acts.
fn turns(case: &Case, may_wait: fn(&Act) -> bool) -> Vec<Turn<'_>> {
    let mut turns: Vec<Turn> = Vec::new();
    let mut joinable = false;
    for step in &case.steps {
        match (&step.act, turns.last_mut()) {
            (Act::Send(sent), Some(turn)) if joinable && turn.connection == step.connection => {
                turn.bytes.append(sent);
            }
            (Act::Send(sent), _) => {
                turns.push(Turn {
                    line: step.line,
                    connection: step.connection,
                    bytes: sent.clone(),
                    checks: Vec::new(),
                });
                joinable = true;
            }
            (_, Some(turn)) => {
                turn.checks.push(step);
                joinable = joinable && may_wait(&step.act);
            }
            (_, None) => turns.push(Turn {
                line: step.line,
                connection: step.connection,
                bytes: Bytes::default(),
                checks: vec![step],
            }),
        }
    }
    turns
}

/// True for steps that only look at what came back, which they can do later as well.
fn is_passive(act: &Act) -> bool {
    matches!(act, Act::Expect(_) | Act::ExpectInfo(_) | Act::AnyOrder(_) | Act::Closed)
}

/// The bytes between the cuts.
fn split(sent: &Bytes, cuts: &[usize]) -> Vec<Vec<u8>> {
    let mut start = 0;
    let mut pieces = Vec::with_capacity(cuts.len() + 1);
    for &end in cuts.iter().chain([&sent.bytes.len()]) {
        pieces.push(sent.bytes[start..end].to_vec());
        start = end;
    }
    pieces
}
