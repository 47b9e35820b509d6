//! Options about where it shows what it does, and to whom.

use super::set::*;

/// A port to listen on where that is not done by default: 0 is off, -1 picks a free one.
macro_rules! port {
    ($field:ident) => {
        Effect::Set {
            set: |options, value| {
                options.$field = optional_port(within(stringify!($field), value, -1..=65535)?);
                Ok(())
            },
            get: |options| Some(Value::Integer(shown_optional_port(options.$field))),
        }
    };
}

/// The same with the host for monitoring.
macro_rules! monitoring_address {
    ($field:ident) => {
        Effect::Set {
            set: |options, value| {
                let (host, port) = value.address()?;
                options.$field = optional_port(within(stringify!($field), Value::Integer(port), -1..=65535)?);
                options.http_host = host.filter(|host| !host.is_empty()).or(options.http_host.take());
                Ok(())
            },
            get: |options| Some(Value::Address(options.http_host.clone(), shown_optional_port(options.$field))),
        }
    };
}

fn optional_port(number: i64) -> Option<u16> {
    match number {
        0 => None,
        -1 => Some(0),
        port => Some(port as u16),
    }
}

fn shown_optional_port(port: Option<u16>) -> i64 {
    match port {
        None => 0,
        Some(0) => -1,
        Some(port) => i64::from(port),
    }
}

/// A text that is not shown; an empty one is none.
macro_rules! hidden {
    ($field:ident) => {
        Effect::Set {
            set: |options, value| {
                options.$field = Some(value.secret()?).filter(|secret| !secret.is_empty());
                Ok(())
            },
            get: |options| options.$field.clone().map(Value::Secret),
        }
    };
}

/// In the order `--help` shows them.
pub(super) const OPTIONS: &[Spec] = &[
    Spec {
        flags: &["m", "http_port"],
        keys: &["http_port", "monitor_port"],
        kind: Kind::Integer,
        operand: "<port>",
        reload: Reload::Refused("HTTPPort"),
        group: Group::Monitoring,
        help: "Serve monitoring over HTTP on this port; -1 picks a free one",
        effect: port!(http_port),
        ..COMMON
    },
    Spec {
        flags: &["ms", "https_port"],
        keys: &["https_port"],
        kind: Kind::Integer,
        operand: "<port>",
        reload: Reload::Refused("HTTPSPort"),
        group: Group::Monitoring,
        help: "The same over HTTPS",
        effect: port!(https_port),
        ..COMMON
    },
    Spec {
        keys: &["http"],
        kind: Kind::Address,
        reload: Reload::Refused("HTTPHost"),
        group: Group::Monitoring,
        help: "Serve monitoring documents over HTTP on this port, or on this host and port",
        effect: monitoring_address!(http_port),
        ..COMMON
    },
    Spec {
        keys: &["https"],
        kind: Kind::Address,
        reload: Reload::Refused("HTTPHost"),
        group: Group::Monitoring,
        help: "The same over HTTPS",
        effect: monitoring_address!(https_port),
        ..COMMON
    },
    Spec {
        keys: &["http_socket"],
        kind: Kind::Path,
        reload: Reload::Refused("HTTPSocket"),
        group: Group::Monitoring,
        help: "Serve monitoring documents on a Unix socket of this name",
        effect: place!(http_socket),
        ..COMMON
    },
    Spec {
        keys: &["http_base_path"],
        reload: Reload::Refused("HTTPBasePath"),
        group: Group::Monitoring,
        help: "What stands before the path of every monitoring document",
        effect: Effect::Set {
            set: |options, value| {
                options.http_base_path = value.text()?;
                Ok(())
            },
            get: |options| Some(Value::Text(options.http_base_path.clone())),
        },
        ..COMMON
    },
    Spec {
        keys: &["http_token"],
        kind: Kind::Secret,
        reload: Reload::Applied,
        group: Group::Monitoring,
        help: "Show monitoring documents only to who brings this token",
        effect: hidden!(http_token),
        ..COMMON
    },
    Spec {
        keys: &["http_user"],
        reload: Reload::Applied,
        group: Group::Monitoring,
        help: "Show monitoring documents only to this user",
        effect: text!(http_user),
        ..COMMON
    },
    Spec {
        keys: &["http_password"],
        kind: Kind::Secret,
        reload: Reload::Applied,
        group: Group::Monitoring,
        help: "The password of that user",
        effect: hidden!(http_password),
        ..COMMON
    },
    Spec {
        keys: &["max_closed_clients"],
        kind: Kind::Integer,
        default: "10000",
        stands_for_default: Some(Value::Integer(0)),
        reload: Reload::Refused("MaxClosedClients"),
        group: Group::Monitoring,
        help: "Most records of closed connections",
        effect: number!(max_closed_clients, 1..=BYTES_MAX),
        ..COMMON
    },
    Spec {
        keys: &["server_tags"],
        kind: Kind::Texts,
        reload: Reload::Applied,
        group: Group::Monitoring,
        help: "What this server is called by, shown by monitoring",
        effect: Effect::Set {
            set: |options, value| {
                options.server_tags = value.texts()?;
                Ok(())
            },
            get: |options| Some(Value::Texts(options.server_tags.clone())),
        },
        ..COMMON
    },
    Spec {
        keys: &["server_metadata"],
        kind: Kind::Pairs,
        reload: Reload::Applied,
        group: Group::Monitoring,
        help: "More about this server, shown by monitoring",
        effect: Effect::Set {
            set: |options, value| {
                options.server_metadata = value.pairs()?;
                Ok(())
            },
            get: |options| Some(Value::Pairs(options.server_metadata.clone())),
        },
        ..COMMON
    },
];
