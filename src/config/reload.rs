//! What a reload may change.

use std::fmt;

use super::options::Options;
use super::table::{Effect, OPTIONS, Reload, Spec};
use super::value::Value;

/// An option that has another value than before; shown as the end of the line that the log has for it.
#[derive(Debug)]
pub struct Change {
    spec: &'static Spec,
    /// None when the option is unset now.
    value: Option<Value>,
}

impl Change {
    /// True if it is about the option with this key.
    pub fn is_of(&self, key: &str) -> bool {
        self.spec.keys.contains(&key)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.spec.keys[0], shown(self.value.as_ref()))
    }
}

/// The options that differ, in the order of the table.
///
/// # Errors
/// The first of them that cannot change while the server runs, in the words of the official server.
pub fn changes(old: &Options, new: &Options) -> Result<Vec<Change>, String> {
    let mut changes = Vec::new();
    for spec in OPTIONS {
        let Effect::Set { get, .. } = spec.effect else { continue };
        let (before, after) = (get(old), get(new));
        if before == after {
            continue;
        }
        match spec.reload {
            Reload::Never => {}
            Reload::Applied => changes.push(Change { spec, value: after }),
            Reload::Refused(name) => {
                let (before, after) = (shown(before.as_ref()), shown(after.as_ref()));
                return Err(format!("config reload not supported for {name}: old={before}, new={after}"));
            }
        }
    }
    Ok(changes)
}

/// As the official server writes it; nothing for an option that is not set.
fn shown(value: Option<&Value>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}
