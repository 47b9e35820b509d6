//! Options about the cluster that are flags, or stand at the top of the file. The others are keys of its block.

use super::set::*;

/// A URL or several, which may hold a password; followed with the file's block in hand.
macro_rules! urls {
    ($field:ident) => {
        Effect::Set {
            set: |options, value| {
                options.cluster_flags.$field = Some(value.secret()?);
                Ok(())
            },
            get: |options| options.cluster_flags.$field.clone().map(Value::Secret),
        }
    };
}

/// In the order `--help` shows them.
pub(super) const OPTIONS: &[Spec] = &[
    Spec {
        flags: &["cluster", "cluster_listen"],
        kind: Kind::Secret,
        operand: "<url>",
        group: Group::Cluster,
        help: "Listen here for other servers, as in nats://host:port",
        effect: urls!(listen),
        ..COMMON
    },
    Spec {
        flags: &["routes"],
        kind: Kind::Secret,
        operand: "<urls>",
        group: Group::Cluster,
        help: "Connect to these servers, with commas in between",
        effect: urls!(routes),
        ..COMMON
    },
    Spec {
        flags: &["cluster_name"],
        operand: "<name>",
        group: Group::Cluster,
        help: "Name of the cluster (default: made up by its servers)",
        effect: Effect::Set {
            set: |options, value| options.cluster.set_name(value.text()?),
            get: |options| options.cluster.name.clone().map(Value::Text),
        },
        ..COMMON
    },
    Spec {
        flags: &["no_advertise"],
        kind: Kind::Switch,
        group: Group::Cluster,
        help: "Tell nobody where clients can connect",
        effect: switch!(cluster.no_advertise),
        ..COMMON
    },
    Spec {
        flags: &["cluster_advertise"],
        operand: "<host[:port]>",
        group: Group::Cluster,
        help: "Tell servers this address instead of the one listened on",
        effect: Effect::Set {
            set: |options, value| options.cluster.set_advertise(&value.text()?),
            get: |options| options.cluster.advertise.as_ref().map(|address| Value::Text(address.to_string())),
        },
        ..COMMON
    },
    Spec {
        flags: &["connect_retries"],
        kind: Kind::Integer,
        operand: "<number>",
        group: Group::Cluster,
        help: "Tries to connect again to a server that others told of",
        effect: Effect::Set {
            set: |options, value| {
                options.cluster.connect_retries = count("connect_retries", value)?;
                Ok(())
            },
            get: |options| Some(Value::Integer(options.cluster.connect_retries.into())),
        },
        ..COMMON
    },
    Spec {
        keys: &["connect_error_reports"],
        kind: Kind::Integer,
        default: "3600",
        stands_for_default: Some(Value::Integer(0)),
        reload: Reload::Applied,
        group: Group::Cluster,
        help: "Of how many failed connects to a new server one more is logged",
        effect: number!(connect_error_reports, 1..=BYTES_MAX),
        ..COMMON
    },
    Spec {
        keys: &["reconnect_error_reports"],
        kind: Kind::Integer,
        default: "1",
        stands_for_default: Some(Value::Integer(0)),
        reload: Reload::Applied,
        group: Group::Cluster,
        help: "The same for a server that was connected before",
        effect: number!(reconnect_error_reports, 1..=BYTES_MAX),
        ..COMMON
    },
];
