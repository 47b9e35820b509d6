//! What a user may do: `{ publish, subscribe, allow_responses }`.

use std::sync::Arc;
use std::time::Duration;

use super::{Block, Key, Report, Takes};
use crate::config::authorization::{Permissions, Responses, Rules};
use crate::config::convert;
use crate::config::lang::{Data, Entry};
use crate::config::value::{Fault, Kind, Value};
use crate::log::Quoted;
use crate::wire::subject;

/// The keys of the permissions of a user.
pub const PERMISSIONS: Block<Permissions> = Block {
    keys: &[
        Key {
            names: &["publish", "pub", "import"],
            takes: Takes::Data("String, array of strings or map", |permissions, entry, report| {
                permissions.publish = read_rules(entry, &PUBLISH, report);
            }),
        },
        Key {
            names: &["subscribe", "sub", "export"],
            takes: Takes::Data("String, array of strings or map", |permissions, entry, report| {
                permissions.subscribe = read_rules(entry, &SUBSCRIBE, report);
            }),
        },
        Key {
            names: &["allow_responses", "publish_allow_responses"],
            takes: Takes::Data("Boolean or map", |permissions, entry, report| {
                permissions.responses = read_responses(entry, report);
            }),
        },
    ],
    unknown: |key| format!("Unknown field {key} parsing permissions"),
};

/// The keys of what a user may publish.
const PUBLISH: Block<Rules> = Block {
    keys: &[
        Key { names: &["allow"], takes: Takes::Value(Kind::Texts, |rules, value| set(&mut rules.allow, value, false)) },
        Key { names: &["deny"], takes: Takes::Value(Kind::Texts, |rules, value| set(&mut rules.deny, value, false)) },
    ],
    unknown: unknown_rule,
};

/// The keys of what a user may subscribe to.
pub const SUBSCRIBE: Block<Rules> = Block {
    keys: &[
        Key { names: &["allow"], takes: Takes::Value(Kind::Texts, |rules, value| set(&mut rules.allow, value, true)) },
        Key { names: &["deny"], takes: Takes::Value(Kind::Texts, |rules, value| set(&mut rules.deny, value, true)) },
    ],
    unknown: unknown_rule,
};

/// The keys of the replies that a user may publish.
pub const RESPONSES: Block<Responses> = Block {
    keys: &[
        Key {
            names: &["max", "max_msgs", "max_messages", "max_responses"],
            takes: Takes::Value(Kind::Integer, set_max),
        },
        Key { names: &["ttl", "expires", "expiration"], takes: Takes::Value(Kind::Text, set_ttl) },
    ],
    unknown: |key| format!("Unknown field {key} parsing permissions"),
};

/// Reads the permissions of a user, or those of all users without.
pub fn read(entry: &Entry, report: &mut Report) -> Arc<Permissions> {
    let mut permissions = Permissions::default();
    PERMISSIONS.read(entry, &mut permissions, report);
    Arc::new(permissions)
}

fn unknown_rule(key: Quoted) -> String {
    format!("Unknown field name {key} parsing subject permissions, only 'allow' or 'deny' are permitted")
}

/// A list stands for what is allowed.
fn read_rules(entry: &Entry, block: &Block<Rules>, report: &mut Report) -> Rules {
    let mut rules = Rules::default();
    match (&entry.data, &block.keys[0].takes) {
        (Data::Map(map), _) => block.read_map(map, &mut rules, report),
        (_, Takes::Value(kind, set)) => {
            let outcome = convert::value(*kind, entry, report).and_then(|value| set(&mut rules, value));
            if let Err(reason) = outcome {
                report.error(&entry.place, reason);
            }
        }
        (_, Takes::Data(..)) => {}
    }
    rules
}

/// Subjects, each perhaps with a queue group behind it if `has_queues`.
fn set(list: &mut Vec<String>, value: Value, has_queues: bool) -> Result<(), String> {
    *list = value.texts()?;
    let is_valid = |text: &String| {
        let mut words = text.split_whitespace();
        let subject = words.next().unwrap_or_default();
        let words_behind = words.count();
        subject::is_valid_subscription(subject.as_bytes()) && words_behind <= usize::from(has_queues)
    };
    match list.iter().find(|text| !is_valid(text)) {
        Some(text) => Err(format!("subject {} is not a valid subject", Quoted(text.as_bytes()))),
        None => Ok(()),
    }
}

fn read_responses(entry: &Entry, report: &mut Report) -> Option<Responses> {
    let mut responses = Responses::default();
    match &entry.data {
        Data::Switch(on) => return on.then_some(responses),
        Data::Map(map) => RESPONSES.read_map(map, &mut responses, report),
        other => report.error(&entry.place, format!("expected a boolean or a map, got {}", other.kind())),
    }
    Some(responses)
}

fn set_max(responses: &mut Responses, value: Value) -> Result<(), String> {
    responses.max = match value.integer()? {
        0 => Responses::default().max,
        ..0 => None,
        max => Some(u32::try_from(max).unwrap_or(u32::MAX)),
    };
    Ok(())
}

fn set_ttl(responses: &mut Responses, value: Value) -> Result<(), String> {
    let text = value.text()?;
    // A negative one is written as any other, and what it says does not matter.
    let is_endless = text.starts_with('-');
    let time = Kind::Duration.read(text.trim_start_matches('-')).map_err(|fault| match fault {
        Fault::Syntax => "expected a duration such as \"2m\" or \"1.5s\"",
        Fault::Range => "duration is out of range",
    })?;
    responses.ttl = match time.duration()? {
        _ if is_endless => None,
        Duration::ZERO => Responses::default().ttl,
        time => Some(time),
    };
    Ok(())
}
