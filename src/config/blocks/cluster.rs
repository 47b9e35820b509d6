//! `cluster { }`: which servers it forms a cluster with, and how.

use std::time::Duration;

use super::{Block, Key, Report, Takes, permissions, tls, unknown_field};
use crate::config::authorization::{LONG_TIMEOUT, Rules};
use crate::config::cluster::{ClusterOptions, PING_INTERVAL_MAX, read_route};
use crate::config::convert;
use crate::config::lang::{Data, Entry, Item};
use crate::config::options::{Options, WriteTimeout};
use crate::config::table::set::{TIME_MIN, count};
use crate::config::value::{Kind, Value, go_duration};
use crate::log::Quoted;
use crate::wire::route::SubjectLists;

/// The keys of the block.
pub const CLUSTER: Block<ClusterOptions> = Block {
    keys: &[
        Key { names: &["name"], takes: Takes::Value(Kind::Text, |cluster, value| cluster.set_name(value.text()?)) },
        Key { names: &["listen"], takes: Takes::Value(Kind::Address, set_listen) },
        Key {
            names: &["host", "net"],
            takes: Takes::Value(Kind::Text, |cluster, value| value.text().map(|host| cluster.host = host)),
        },
        Key {
            names: &["port"],
            takes: Takes::Value(Kind::Integer, |cluster, value| cluster.set_port(value.integer()?)),
        },
        Key {
            names: &["cluster_advertise", "advertise"],
            takes: Takes::Value(Kind::Text, |cluster, value| cluster.set_advertise(&value.text()?)),
        },
        Key {
            names: &["no_advertise"],
            takes: Takes::Value(Kind::Switch, |cluster, value| value.switch().map(|on| cluster.no_advertise = on)),
        },
        Key { names: &["routes"], takes: Takes::Data("Array of strings", read_routes) },
        Key {
            names: &["wait_for_routes"],
            takes: Takes::Value(Kind::Switch, |cluster, value| value.switch().map(|on| cluster.wait_for_routes = on)),
        },
        Key {
            names: &["connect_retries"],
            takes: Takes::Value(Kind::Integer, |cluster, value| {
                count("connect_retries", value).map(|count| cluster.connect_retries = count)
            }),
        },
        Key {
            names: &["connect_backoff"],
            takes: Takes::Value(Kind::Switch, |cluster, value| value.switch().map(|on| cluster.connect_backoff = on)),
        },
        Key { names: &["authorization"], takes: Takes::Data("Map", read_authorization) },
        Key { names: &["permissions"], takes: Takes::Data("Map", read_permissions) },
        Key {
            names: &["tls"],
            takes: Takes::Data("Map", |cluster, entry, report| cluster.tls = tls::read_for_routes(entry, report)),
        },
        Key { names: &["ping_interval"], takes: Takes::Data("Duration", read_ping_interval) },
        Key {
            names: &["ping_max"],
            takes: Takes::Value(Kind::Integer, |cluster, value| {
                count("ping_max", value).map(|count| cluster.ping_max = Some(count).filter(|count| *count > 0))
            }),
        },
        Key {
            names: &["write_deadline"],
            takes: Takes::Value(Kind::Duration, |cluster, value| {
                time("write_deadline", value).map(|time| cluster.write_deadline = time)
            }),
        },
        Key {
            names: &["write_timeout"],
            takes: Takes::Value(Kind::Text, |cluster, value| {
                cluster.write_timeout = Some(WriteTimeout::read(&value.text()?)?);
                Ok(())
            }),
        },
        // What follows is about how an official server spreads what it has to say over connections.
        Key { names: &["pool_size"], takes: Takes::Value(Kind::Integer, |_, value| value.integer().map(drop)) },
        Key { names: &["accounts"], takes: Takes::Data("String or array of strings", read_accounts) },
        Key { names: &["compression"], takes: Takes::Data("Boolean, string or map", read_compression) },
    ],
    unknown: unknown_field,
};

/// The keys of what a peer must say.
pub const AUTHORIZATION: Block<ClusterOptions> = Block {
    keys: &[
        Key {
            names: &["user", "username"],
            takes: Takes::Value(Kind::Text, |cluster, value| value.text().map(|user| cluster.user = Some(user))),
        },
        Key {
            names: &["password", "pass"],
            takes: Takes::Value(Kind::Text, |cluster, value| value.text().map(|text| cluster.password = text.into())),
        },
        Key { names: &["timeout"], takes: Takes::Data("Seconds or duration", read_timeout) },
        Key {
            names: &["permissions", "default_permissions", "default_permission"],
            takes: Takes::Data("Map", |cluster, entry, report| {
                let reason = "invalid use of field \"authorization\": setting \"permissions\" within cluster \
                              authorization block is deprecated";
                report.warning(&entry.place, reason);
                read_permissions(cluster, entry, report);
            }),
        },
    ],
    unknown: |key| match key.to_string().to_lowercase().trim_matches('"') {
        "token" => "Cluster authorization does not support tokens".to_owned(),
        "users" => "Cluster authorization does not allow multiple users".to_owned(),
        _ => unknown_field(key),
    },
};

/// Reads the block into the options.
pub fn read(options: &mut Options, entry: &Entry, report: &mut Report) {
    options.cluster = ClusterOptions::default();
    CLUSTER.read(entry, &mut options.cluster, report);
}

fn set_listen(cluster: &mut ClusterOptions, value: Value) -> Result<(), String> {
    let (host, port) = value.address()?;
    cluster.set_port(port)?;
    if let Some(host) = host {
        cluster.host = host;
    }
    Ok(())
}

/// URLs. A text that is no list is one, too.
fn read_routes(cluster: &mut ClusterOptions, entry: &Entry, report: &mut Report) {
    cluster.routes.clear();
    let alone;
    let items = match &entry.data {
        Data::List(items) => items.as_slice(),
        Data::Text(_) => {
            alone = Item { place: entry.place.clone(), data: entry.data.clone() };
            std::slice::from_ref(&alone)
        }
        other => return report.error(&entry.place, format!("expected an array of strings, got {}", other.kind())),
    };
    for Item { place, data } in items {
        let Data::Text(text) = data else {
            report.error(place, format!("expected strings in the array, got {}", data.kind()));
            continue;
        };
        match read_route(text) {
            Ok(route) if cluster.routes.contains(&route) => report.warning(place, "Duplicate route entry detected"),
            Ok(route) => cluster.routes.push(route),
            Err(reason) => report.error(place, reason),
        }
    }
}

fn read_authorization(cluster: &mut ClusterOptions, entry: &Entry, report: &mut Report) {
    AUTHORIZATION.read(entry, cluster, report);
}

fn read_timeout(cluster: &mut ClusterOptions, entry: &Entry, report: &mut Report) {
    match convert::value(Kind::Seconds, entry, report).and_then(|value| time("timeout", value)) {
        Ok(time) => cluster.auth_timeout = time,
        Err(reason) => report.error(&entry.place, reason),
    }
    if let Some(time) = cluster.auth_timeout.filter(|time| *time > LONG_TIMEOUT) {
        report.warning(&entry.place, format!("timeout of {} is long, 60s should be enough", go_duration(time)));
    }
}

/// Subjects of interest, written like what a user may do.
fn read_permissions(cluster: &mut ClusterOptions, entry: &Entry, report: &mut Report) {
    let permissions = permissions::read(entry, report);
    if permissions.responses.is_some() {
        report.error(&entry.place, "Cluster permissions do not support dynamic responses");
    }
    for (what, rules) in [("import", &permissions.publish), ("export", &permissions.subscribe)] {
        for (list, subjects) in [("allow", &rules.allow), ("deny", &rules.deny)] {
            // A queue group behind the subject is for users.
            for text in subjects.iter().filter(|text| text.contains(char::is_whitespace)) {
                let text = Quoted(text.as_bytes());
                report.error(&entry.place, format!("cluster {what} {list}: subject {text} is not a valid subject"));
            }
        }
    }
    (cluster.import, cluster.export) = (lists(&permissions.publish), lists(&permissions.subscribe));
}

/// As peers are told; None for rules that allow everything.
fn lists(rules: &Rules) -> Option<SubjectLists> {
    let list = |subjects: &Vec<String>| Some(subjects.clone()).filter(|subjects| !subjects.is_empty());
    let lists = SubjectLists { allow: list(&rules.allow), deny: list(&rules.deny) };
    (lists != SubjectLists::default()).then_some(lists)
}

fn read_ping_interval(cluster: &mut ClusterOptions, entry: &Entry, report: &mut Report) {
    match convert::value(Kind::Duration, entry, report).and_then(|value| time("ping_interval", value)) {
        Ok(Some(time)) if time > PING_INTERVAL_MAX => {
            report.warning(&entry.place, "Cluster 'ping_interval' will reset to 30s which is the max for routes");
            cluster.ping_interval = Some(PING_INTERVAL_MAX);
        }
        Ok(time) => cluster.ping_interval = time,
        Err(reason) => report.error(&entry.place, reason),
    }
}

/// A length of time; none at all stands for what is so elsewhere.
fn time(name: &str, value: Value) -> Result<Option<Duration>, String> {
    match value.duration()? {
        Duration::ZERO => Ok(None),
        time if time < TIME_MIN => Err(format!("{name} must be 1ms or more")),
        time => Ok(Some(time)),
    }
}

/// Accounts that are to have a connection of their own.
fn read_accounts(_: &mut ClusterOptions, entry: &Entry, report: &mut Report) {
    match convert::value(Kind::Texts, entry, report).and_then(Value::texts) {
        Ok(names) if names.is_empty() => {}
        Ok(_) => report.warning(&entry.place, "\"accounts\" is ignored: all accounts share one route"),
        Err(reason) => report.error(&entry.place, reason),
    }
}

/// Whether routes are compressed; an operator who asks for it may count on it.
fn read_compression(_: &mut ClusterOptions, entry: &Entry, report: &mut Report) {
    let mode = match &entry.data {
        Data::Map(map) => map.entries().find(|entry| entry.key.eq_ignore_ascii_case("mode")).map(|entry| &entry.data),
        other => Some(other),
    };
    let is_wanted = match mode {
        None => false,
        Some(Data::Switch(on)) => *on,
        Some(Data::Text(mode)) => match mode.to_lowercase().as_str() {
            "off" | "disabled" | "false" | "not supported" | "not_supported" | "accept" => false,
            "on" | "enabled" | "true" | "s2_uncompressed" | "fast" | "s2_fast" | "better" | "s2_better" | "best"
            | "s2_best" | "auto" | "s2_auto" => true,
            _ => {
                let mode = Quoted(mode.as_bytes());
                return report.error(&entry.place, format!("unsupported compression mode {mode}"));
            }
        },
        Some(other) => {
            return report.error(&entry.place, format!("expected a boolean, a string or a map, got {}", other.kind()));
        }
    };
    if is_wanted {
        report.warning(&entry.place, "\"compression\" is ignored: routes are not compressed");
    }
}

#[cfg(test)]
#[path = "cluster_tests.rs"]
mod tests;
