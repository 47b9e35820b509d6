//! Options about what a client may cost.

use super::set::*;
use crate::config::options::{MaxMemory, WriteTimeout};

/// In the order `--help` shows them.
pub(super) const OPTIONS: &[Spec] = &[
    Spec {
        keys: &["max_control_line"],
        kind: Kind::Integer,
        default: "4096",
        stands_for_default: Some(Value::Integer(0)),
        reload: Reload::Applied,
        group: Group::Limits,
        help: "Longest line of one operation in bytes, its payload not counted",
        effect: number!(max_control_line, 1..=BYTES_MAX),
        ..COMMON
    },
    Spec {
        keys: &["max_payload"],
        kind: Kind::Integer,
        default: "1048576",
        stands_for_default: Some(Value::Integer(0)),
        reload: Reload::Applied,
        group: Group::Limits,
        help: "Largest payload in bytes, headers included",
        effect: number!(max_payload, 1..=BYTES_MAX),
        ..COMMON
    },
    Spec {
        keys: &["max_pending"],
        kind: Kind::Integer,
        default: "67108864",
        stands_for_default: Some(Value::Integer(0)),
        reload: Reload::Refused("MaxPending"),
        group: Group::Limits,
        help: "Most bytes that may wait for one client",
        effect: number!(max_pending, 1..=BYTES_MAX),
        ..COMMON
    },
    Spec {
        keys: &["max_memory"],
        kind: Kind::Integer,
        default: "0",
        reload: Reload::Applied,
        group: Group::Limits,
        help: "Most bytes of memory in use; 0 is half of the machine's, -1 no limit",
        effect: Effect::Set {
            set: |options, value| {
                options.max_memory = match within("max_memory", value, -1..=i64::MAX)? {
                    0 => MaxMemory::Share,
                    -1 => MaxMemory::Endless,
                    bytes => MaxMemory::Bytes(usize::try_from(bytes).unwrap_or(usize::MAX)),
                };
                Ok(())
            },
            get: |options| {
                Some(Value::Integer(match options.max_memory {
                    MaxMemory::Share => 0,
                    MaxMemory::Endless => -1,
                    MaxMemory::Bytes(bytes) => i64::try_from(bytes).unwrap_or(i64::MAX),
                }))
            },
        },
        ..COMMON
    },
    Spec {
        keys: &["write_deadline"],
        kind: Kind::Duration,
        default: "10s",
        stands_for_default: Some(Value::Duration(Duration::ZERO)),
        reload: Reload::Applied,
        group: Group::Limits,
        help: "How long a write to a client may make no progress",
        effect: time!(write_deadline),
        ..COMMON
    },
    Spec {
        keys: &["max_connections", "max_conn"],
        kind: Kind::Integer,
        default: "65536",
        reload: Reload::Applied,
        group: Group::Limits,
        help: "Most clients at a time; 0 or less refuses every one",
        effect: Effect::Set {
            set: |options, value| {
                let number = within("max_connections", value, i64::MIN..=BYTES_MAX)?;
                options.max_connections = number.max(0) as usize;
                Ok(())
            },
            get: |options| Some(Value::Integer(options.max_connections as i64)),
        },
        ..COMMON
    },
    Spec {
        keys: &["max_connections_per_address"],
        kind: Kind::Integer,
        default: "0",
        reload: Reload::Applied,
        group: Group::Limits,
        help: "Most clients of one address at a time; 0 is no limit",
        effect: number!(max_connections_per_address, 0..=BYTES_MAX),
        ..COMMON
    },
    Spec {
        keys: &["connection_rate_per_address"],
        kind: Kind::Integer,
        default: "0",
        reload: Reload::Applied,
        group: Group::Limits,
        help: "Most new clients of one address in a second; 0 is no limit",
        effect: number!(connection_rate_per_address, 0..=BYTES_MAX),
        ..COMMON
    },
    Spec {
        keys: &["max_subscriptions", "max_subs"],
        kind: Kind::Integer,
        default: "0",
        stands_for_default: Some(Value::Integer(-1)),
        reload: Reload::Refused("MaxSubs"),
        group: Group::Limits,
        help: "Most subscriptions of one client; 0 or -1 is no limit",
        effect: number!(max_subscriptions, 0..=BYTES_MAX),
        ..COMMON
    },
    Spec {
        keys: &["max_sub_tokens", "max_subscription_tokens"],
        kind: Kind::Integer,
        default: "0",
        reload: Reload::Refused("MaxSubTokens"),
        group: Group::Limits,
        help: "Most tokens in the subject of a subscription, up to 255; 0 is no limit",
        effect: number!(max_sub_tokens, 0..=255),
        ..COMMON
    },
    Spec {
        keys: &["ping_interval"],
        kind: Kind::Duration,
        default: "2m",
        stands_for_default: Some(Value::Duration(Duration::ZERO)),
        reload: Reload::Applied,
        group: Group::Limits,
        help: "Time between two pings to a silent client",
        effect: time!(ping_interval),
        ..COMMON
    },
    Spec {
        keys: &["ping_max"],
        kind: Kind::Integer,
        default: "2",
        stands_for_default: Some(Value::Integer(0)),
        reload: Reload::Applied,
        group: Group::Limits,
        help: "Pings that may go unanswered",
        effect: number!(ping_max, 1..=BYTES_MAX),
        ..COMMON
    },
    Spec {
        keys: &["no_fast_producer_stall"],
        kind: Kind::Switch,
        default: "false",
        reload: Reload::Applied,
        group: Group::Limits,
        help: "Never slow a publisher down for a subscriber that is behind",
        effect: switch!(no_fast_producer_stall),
        ..COMMON
    },
    Spec {
        keys: &["write_timeout"],
        default: "default",
        reload: Reload::Refused("WriteTimeout"),
        group: Group::Limits,
        help: "What becomes of a client past its write_deadline: close, or retry to go on",
        effect: Effect::Set {
            set: |options, value| {
                options.write_timeout = WriteTimeout::read(&value.text()?)?;
                Ok(())
            },
            get: |options| Some(Value::Text(options.write_timeout.to_string())),
        },
        ..COMMON
    },
    Spec {
        keys: &["no_header_support"],
        kind: Kind::Switch,
        default: "false",
        reload: Reload::Refused("NoHeaderSupport"),
        group: Group::Limits,
        help: "Do without message headers",
        effect: switch!(no_header_support),
        ..COMMON
    },
];
