//! Options about what it logs.

use super::set::*;

/// In the order `--help` shows them.
pub(super) const OPTIONS: &[Spec] = &[
    Spec {
        flags: &["D", "debug"],
        keys: &["debug"],
        kind: Kind::Switch,
        default: "false",
        reload: Reload::Applied,
        group: Group::Logging,
        help: "Log the life of connections",
        effect: switch!(debug),
        ..COMMON
    },
    Spec {
        flags: &["V", "trace"],
        keys: &["trace"],
        kind: Kind::Switch,
        default: "false",
        reload: Reload::Applied,
        group: Group::Logging,
        help: "Log every protocol operation",
        effect: switch!(trace),
        ..COMMON
    },
    Spec {
        flags: &["DV"],
        kind: Kind::Switch,
        group: Group::Logging,
        help: "Debug and trace",
        effect: switch!(debug, trace),
        ..COMMON
    },
    Spec {
        flags: &["VV"],
        keys: &["trace_verbose"],
        kind: Kind::Switch,
        default: "false",
        reload: Reload::Applied,
        group: Group::Logging,
        help: "Trace, also what the server does for itself",
        effect: switch!(trace_verbose),
        ..COMMON
    },
    Spec {
        flags: &["DVV"],
        kind: Kind::Switch,
        group: Group::Logging,
        help: "Debug, and trace as with -VV",
        effect: switch!(debug, trace_verbose),
        ..COMMON
    },
    Spec {
        keys: &["trace_headers"],
        kind: Kind::Switch,
        default: "false",
        reload: Reload::Applied,
        group: Group::Logging,
        help: "Trace, and of messages show only the headers",
        effect: switch!(trace_headers),
        ..COMMON
    },
    Spec {
        flags: &["l", "log"],
        keys: &["log_file", "logfile"],
        kind: Kind::Path,
        operand: "<file>",
        reload: Reload::Applied,
        group: Group::Logging,
        help: "Log to the end of this file",
        effect: place!(log_file),
        ..COMMON
    },
    Spec {
        flags: &["T", "logtime"],
        keys: &["logtime"],
        kind: Kind::Switch,
        default: "true",
        reload: Reload::Applied,
        group: Group::Logging,
        help: "Begin log lines with date and time (default: true)",
        effect: switch!(logtime),
        ..COMMON
    },
    Spec {
        flags: &["logtime_utc"],
        keys: &["logtime_utc"],
        kind: Kind::Switch,
        default: "false",
        reload: Reload::Applied,
        group: Group::Logging,
        help: "Date and time in UTC instead of the local zone",
        effect: switch!(logtime_utc),
        ..COMMON
    },
    Spec {
        flags: &["s", "syslog"],
        keys: &["syslog"],
        kind: Kind::Switch,
        default: "false",
        reload: Reload::Applied,
        group: Group::Logging,
        help: "Log to the log daemon of this machine",
        effect: switch!(syslog),
        ..COMMON
    },
    Spec {
        flags: &["r", "remote_syslog"],
        keys: &["remote_syslog"],
        operand: "<url>",
        reload: Reload::Applied,
        group: Group::Logging,
        help: "Log to this log daemon, such as udp://localhost:514",
        effect: text!(remote_syslog),
        ..COMMON
    },
    Spec {
        flags: &["log_size_limit"],
        keys: &["logfile_size_limit", "log_size_limit"],
        kind: Kind::Integer,
        operand: "<bytes>",
        default: "0",
        reload: Reload::Refused("LogSizeLimit"),
        group: Group::Logging,
        help: "Put a larger log file aside; 0 is never",
        effect: number!(log_size_limit, 0..=i64::MAX),
        ..COMMON
    },
    Spec {
        keys: &["logfile_max_num", "log_max_num"],
        kind: Kind::Integer,
        default: "0",
        reload: Reload::Refused("LogMaxFiles"),
        group: Group::Logging,
        help: "Most log files to keep, the one in use counted; 0 keeps all",
        effect: number!(logfile_max_num, 0..=BYTES_MAX),
        ..COMMON
    },
    Spec {
        flags: &["max_traced_msg_len"],
        keys: &["max_traced_msg_len"],
        kind: Kind::Integer,
        operand: "<bytes>",
        default: "0",
        reload: Reload::Applied,
        group: Group::Logging,
        help: "Most bytes shown of a payload; 0 is all",
        effect: number!(max_traced_msg_len, 0..=BYTES_MAX),
        ..COMMON
    },
];
