//! What a reload may change.

use std::fmt;

use super::authorization::Authorization;
use super::options::Options;
use super::table::{Effect, OPTIONS, Reload};
use super::value::Value;

/// An option that has another value than before; shown as the end of the line that the log has for it.
#[derive(Debug)]
pub struct Change {
    /// The names of the key in the file.
    keys: &'static [&'static str],
    text: String,
}

impl Change {
    /// True if it is about the option with this key.
    pub fn is_of(&self, key: &str) -> bool {
        self.keys.contains(&key)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
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
            Reload::Applied => {
                let text = format!("{} = {}", spec.keys[0], shown(after.as_ref()));
                changes.push(Change { keys: spec.keys, text });
            }
            Reload::Refused(name) => {
                let (before, after) = (shown(before.as_ref()), shown(after.as_ref()));
                return Err(format!("config reload not supported for {name}: old={before}, new={after}"));
            }
        }
    }
    changes.extend(authorization_changes(&old.authorization, &new.authorization));
    Ok(changes)
}

/// What differs in who may connect; never what it was or is, which is secret.
fn authorization_changes(old: &Authorization, new: &Authorization) -> impl Iterator<Item = Change> {
    let timeout = new.timeout.unwrap_or(Authorization::TIMEOUT).as_secs_f64();
    let parts = [
        (old.user != new.user, "authorization username".to_owned()),
        (old.password != new.password, "authorization password".to_owned()),
        (old.token != new.token, "authorization token".to_owned()),
        (old.timeout != new.timeout, format!("authorization timeout = {timeout}")),
        (old.users != new.users, "authorization users".to_owned()),
    ];
    let changed = parts.into_iter().filter(|(is_changed, _)| *is_changed);
    changed.map(|(_, text)| Change { keys: &["authorization"], text })
}

/// As the official server writes it; nothing for an option that is not set.
fn shown(value: Option<&Value>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}
