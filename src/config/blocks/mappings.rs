//! `mappings { }`: subjects that stand for others.

use super::{Block, Key, Report, Takes};
use crate::config::exchange::{Choice, Mapping};
use crate::config::lang::{Data, Entry, Place};
use crate::config::options::Options;
use crate::config::value::{Kind, Value};
use crate::log::Quoted;
use crate::wire::transform::{self, Transform};

/// All that is published.
const WHOLE: u8 = 100;

/// What is said about one destination.
#[derive(Default)]
pub struct Draft {
    destination: String,
    weight: Option<u8>,
}

/// The keys of a destination.
pub const DESTINATION: Block<Draft> = Block {
    keys: &[
        Key {
            names: &["destination", "dest"],
            takes: Takes::Value(Kind::Text, |draft, value| {
                draft.destination = value.text()?;
                Ok(())
            }),
        },
        Key {
            names: &["weight"],
            takes: Takes::Data("Integer or percentage", |draft, entry, report| match weight(&entry.data) {
                Ok(weight) => draft.weight = Some(weight),
                Err(shown) => {
                    report.error(&entry.place, format!("Invalid weight {shown} for mapping destination"));
                }
            }),
        },
        Key { names: &["cluster"], takes: Takes::Value(Kind::Text, refuse_cluster) },
    ],
    unknown: |key| format!("Unknown field {key} for mapping destination"),
};

fn refuse_cluster(_: &mut Draft, _: Value) -> Result<(), String> {
    Err("cluster is not supported: messages would go elsewhere than in that cluster".to_owned())
}

/// A number, or a text with a percent sign behind it. The error is how it is shown.
fn weight(data: &Data) -> Result<u8, String> {
    let (number, shown) = match data {
        Data::Integer(number) => (u8::try_from(*number).ok(), number.to_string()),
        Data::Text(text) => (text.trim_end_matches('%').parse().ok(), Quoted(text.as_bytes()).to_string()),
        other => (None, other.kind().to_owned()),
    };
    number.filter(|number| *number <= WHOLE).ok_or(shown)
}

/// Reads the block at the top of the file.
pub fn read_global(options: &mut Options, entry: &Entry, report: &mut Report) {
    options.authorization.mappings = read(entry, report);
}

/// Reads a block.
pub fn read(entry: &Entry, report: &mut Report) -> Vec<Mapping> {
    let Data::Map(map) = &entry.data else {
        report.error(&entry.place, format!("expected a map, got {}", entry.data.kind()));
        return Vec::new();
    };
    map.entries().filter_map(|entry| read_mapping(entry, report)).collect()
}

fn read_mapping(entry: &Entry, report: &mut Report) -> Option<Mapping> {
    let source = &entry.key;
    if let Err(reason) = transform::check_source(source) {
        report.error(&entry.place, reason);
        return None;
    }
    let before = report.errors.len();
    let mut choices = Vec::new();
    match &entry.data {
        Data::Text(destination) => choices.push(Choice { destination: destination.clone(), weight: WHOLE }),
        Data::List(items) => {
            for item in items {
                choices.extend(read_choice(&item.place, &item.data, report));
            }
        }
        data => choices.extend(read_choice(&entry.place, data, report)),
    }
    if report.errors.len() > before {
        return None;
    }
    let shown = Quoted(source.as_bytes());
    for (at, Choice { destination, .. }) in choices.iter().enumerate() {
        let quoted = Quoted(destination.as_bytes());
        if choices[..at].iter().any(|earlier| earlier.destination == *destination) {
            report.error(&entry.place, format!("Error adding mapping for {shown} : duplicate entry for {quoted}"));
        }
        if let Err(reason) = Transform::new(source, destination) {
            report.error(&entry.place, format!("Error adding mapping for {shown} to {quoted} : {reason}"));
        }
    }
    let total: u32 = choices.iter().map(|choice| u32::from(choice.weight)).sum();
    if total > u32::from(WHOLE) {
        report.error(&entry.place, format!("Error adding mapping for {shown} : total weight needs to be <= 100"));
        return None;
    }
    // Where the subject itself is not among the destinations it gets the rest; where it is, the rest is meant to be lost.
    let itself = transform::numbered(source);
    if total < u32::from(WHOLE) && !choices.iter().any(|choice| choice.destination == *source) {
        choices.push(Choice { destination: itself.clone(), weight: WHOLE - total as u8 });
    }
    let choices = choices.into_iter();
    let choices =
        choices.map(|choice| if choice.destination == *source { itself_with(&itself, choice) } else { choice });
    Some(Mapping { source: source.clone(), choices: choices.collect() })
}

fn itself_with(itself: &str, choice: Choice) -> Choice {
    Choice { destination: itself.to_owned(), ..choice }
}

fn read_choice(place: &Place, data: &Data, report: &mut Report) -> Option<Choice> {
    let Data::Map(map) = data else {
        report.error(place, "Expected an entry for the mapping destination");
        return None;
    };
    let mut draft = Draft::default();
    let before = report.errors.len();
    DESTINATION.read_map(map, &mut draft, report);
    let Draft { destination, weight } = draft;
    let Some(weight) = weight else {
        if report.errors.len() == before {
            let shown = Quoted(destination.as_bytes());
            report.error(place, format!("Missing weight for mapping destination {shown}"));
        }
        return None;
    };
    Some(Choice { destination, weight })
}
