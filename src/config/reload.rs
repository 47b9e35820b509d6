//! What a reload may change.

use std::fmt;

use super::authorization::Authorization;
use super::cluster::ClusterOptions;
use super::options::Options;
use super::table::{self, Effect, Reload};
use super::value::Value;

/// An option that has another value than before; shown as the end of the line that the log has for it.
#[derive(Debug)]
pub struct Change {
    /// The names of the key in the file.
    keys: &'static [&'static str],
    text: String,
}

impl Change {
    /// True if it is about the option with this key; a key of a block has the name of the block and a point before it.
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
    for spec in table::all() {
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
    changes.extend(cluster_changes(&old.cluster, &new.cluster)?);
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
        (old.accounts != new.accounts, "accounts".to_owned()),
    ];
    let changed = parts.into_iter().filter(|(is_changed, _)| *is_changed);
    changed.map(|(_, text)| Change { keys: &["authorization"], text })
}

/// What may be another in a cluster after a reload, by its keys, and whether it is.
type ClusterPart = ([&'static str; 2], fn(&ClusterOptions, &ClusterOptions) -> bool);

const CLUSTER_PARTS: [ClusterPart; 14] = [
    (["cluster", "cluster.name"], |old, new| old.name != new.name),
    (["cluster", "cluster.advertise"], |old, new| old.advertise != new.advertise),
    (["cluster", "cluster.no_advertise"], |old, new| old.no_advertise != new.no_advertise),
    (["cluster", "cluster.routes"], |old, new| old.routes != new.routes),
    (["cluster", "cluster.wait_for_routes"], |old, new| old.wait_for_routes != new.wait_for_routes),
    (["cluster", "cluster.connect_retries"], |old, new| old.connect_retries != new.connect_retries),
    (["cluster", "cluster.connect_backoff"], |old, new| old.connect_backoff != new.connect_backoff),
    (["cluster", "cluster.authorization"], |old, new| {
        (&old.user, &old.password, old.auth_timeout) != (&new.user, &new.password, new.auth_timeout)
    }),
    (["cluster", "cluster.permissions"], |old, new| (&old.import, &old.export) != (&new.import, &new.export)),
    (["cluster", "cluster.tls"], |old, new| old.tls != new.tls),
    (["cluster", "cluster.ping_interval"], |old, new| old.ping_interval != new.ping_interval),
    (["cluster", "cluster.ping_max"], |old, new| old.ping_max != new.ping_max),
    (["cluster", "cluster.write_deadline"], |old, new| old.write_deadline != new.write_deadline),
    (["cluster", "cluster.write_timeout"], |old, new| old.write_timeout != new.write_timeout),
];

/// What differs in the cluster, each a line of the log, without what is secret.
///
/// # Errors
/// As for [`changes`]: peers know where this server listens, and may be connected.
fn cluster_changes(old: &ClusterOptions, new: &ClusterOptions) -> Result<impl Iterator<Item = Change>, String> {
    let host = |options: &ClusterOptions| options.listen().map(|(host, _)| host.to_owned()).unwrap_or_default();
    let port = |options: &ClusterOptions| match options.port {
        Some(0) => "-1".to_owned(),
        port => port.unwrap_or_default().to_string(),
    };
    for (what, before, after) in [("host", host(old), host(new)), ("port", port(old), port(new))] {
        if before != after {
            return Err(format!("config reload not supported for cluster {what}: old={before}, new={after}"));
        }
    }
    let changed = CLUSTER_PARTS.iter().filter(|(_, differs)| differs(old, new));
    Ok(changed.map(|(keys, _)| Change { keys, text: keys[1].replace('.', " ") }))
}

/// As the official server writes it; nothing for an option that is not set.
fn shown(value: Option<&Value>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}
