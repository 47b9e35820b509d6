//! What the data of a file is as a value of an option.

use super::lang::{Data, Entry};
use super::report::Report;
use super::value::{Fault, Kind, Value};
use crate::wire::Secret;

/// The value of `entry` for an option of this kind.
///
/// # Errors
/// What was expected, as a line without the place.
pub(super) fn value(kind: Kind, entry: &Entry, report: &mut Report) -> Result<Value, String> {
    if let (Kind::Duration, Data::Integer(seconds)) = (kind, &entry.data) {
        let key = entry.key.to_lowercase();
        let reason = format!("invalid use of field {key:?}: {key} should be converted to a duration");
        report.warning(&entry.place, reason);
        return seconds_value(&seconds.to_string());
    }
    from_data(kind, &entry.data)
}

/// Seconds without a unit, with the bounds of those that have one.
fn seconds_value(seconds: &str) -> Result<Value, String> {
    Kind::Duration.read(&format!("{seconds}s")).map_err(|_| "duration is out of range".to_owned())
}

fn from_data(kind: Kind, data: &Data) -> Result<Value, String> {
    match (kind, data) {
        (Kind::Switch, Data::Switch(on)) => return Ok(Value::Switch(*on)),
        (Kind::Integer, Data::Integer(number)) => return Ok(Value::Integer(*number)),
        (Kind::Text | Kind::Path, Data::Text(text)) => return Ok(Value::Text(text.clone())),
        (Kind::Secret, Data::Text(text)) => return Ok(Value::Secret(Secret::from(text.as_str()))),
        (Kind::Pairs, Data::Map(map)) => {
            let pair = |entry: &Entry| Ok((entry.key.clone(), text_of(&entry.data, "map")?));
            return map.entries().map(pair).collect::<Result<_, _>>().map(Value::Pairs);
        }
        (Kind::Texts, Data::Text(text)) => return Ok(Value::Texts(vec![text.clone()])),
        (Kind::Texts, Data::List(items)) => {
            return items.iter().map(|item| text_of(&item.data, "array")).collect::<Result<_, _>>().map(Value::Texts);
        }
        (Kind::Seconds, Data::Integer(seconds)) => return seconds_value(&seconds.to_string()),
        (Kind::Seconds, Data::Float(seconds)) => return seconds_value(&seconds.to_string()),
        (Kind::Duration | Kind::Seconds, Data::Text(text)) => {
            return Kind::Duration.read(text).map_err(|fault| match fault {
                Fault::Syntax => "expected a duration such as \"2m\" or \"1.5s\"".to_owned(),
                Fault::Range => "duration is out of range".to_owned(),
            });
        }
        (Kind::Address, Data::Integer(port)) => return Ok(Value::Address(None, *port)),
        (Kind::Address, Data::Text(text)) => {
            // A text with a port alone is refused as the official server refuses it.
            let address = kind.read(text).ok().filter(|address| matches!(address, Value::Address(Some(_), _)));
            return address.ok_or_else(|| "expected a port or \"host:port\"".to_owned());
        }
        _ => {}
    }
    Err(format!("expected {}, got {}", kind.noun(), data.kind()))
}

/// The text that stands in a list or map.
fn text_of(data: &Data, container: &str) -> Result<String, String> {
    match data {
        Data::Text(text) => Ok(text.clone()),
        other => Err(format!("expected strings in the {container}, got {}", other.kind())),
    }
}
