//! Options about help, version and orders to other servers.

use super::set::*;

/// In the order `--help` shows them.
pub(super) const OPTIONS: &[Spec] = &[
    Spec {
        flags: &["sl", "signal"],
        kind: Kind::Text,
        operand: "<cmd>",
        group: Group::Common,
        help: "Signal a server: ldm|stop|quit|term|reopen|reload[=pid]",
        effect: Effect::Signal,
        ..COMMON
    },
    Spec {
        flags: &["h", "help"],
        kind: Kind::Switch,
        group: Group::Common,
        help: "Show this text",
        effect: Effect::Help,
        ..COMMON
    },
    Spec {
        flags: &["v", "version"],
        kind: Kind::Switch,
        group: Group::Common,
        help: "Show the version",
        effect: Effect::Version,
        ..COMMON
    },
];
