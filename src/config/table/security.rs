//! Options about how connections are protected.

use super::set::*;

/// In the order `--help` shows them.
pub(super) const OPTIONS: &[Spec] = &[
    Spec {
        flags: &["tls"],
        kind: Kind::Switch,
        reload: Reload::Never,
        group: Group::Security,
        help: "Clients must use TLS",
        effect: Effect::Set {
            set: |options, value| {
                options.tls_flags.on = Some(value.switch()?);
                Ok(())
            },
            get: |options| options.tls_flags.on.map(Value::Switch),
        },
        ..COMMON
    },
    Spec {
        flags: &["tlscert"],
        kind: Kind::Path,
        operand: "<file>",
        reload: Reload::Never,
        group: Group::Security,
        help: "Certificate of the server",
        effect: place!(tls_flags.certificate),
        ..COMMON
    },
    Spec {
        flags: &["tlskey"],
        kind: Kind::Path,
        operand: "<file>",
        reload: Reload::Never,
        group: Group::Security,
        help: "Private key of that certificate",
        effect: place!(tls_flags.key),
        ..COMMON
    },
    Spec {
        flags: &["tlsverify"],
        kind: Kind::Switch,
        reload: Reload::Never,
        group: Group::Security,
        help: "Clients must have a certificate of the authority",
        effect: Effect::Set {
            set: |options, value| {
                options.tls_flags.verify = value.switch()?;
                Ok(())
            },
            get: |options| Some(Value::Switch(options.tls_flags.verify)),
        },
        ..COMMON
    },
    Spec {
        flags: &["tlscacert"],
        kind: Kind::Path,
        operand: "<file>",
        reload: Reload::Never,
        group: Group::Security,
        help: "Certificates of the authority for that",
        effect: place!(tls_flags.authority),
        ..COMMON
    },
    Spec {
        keys: &["allow_non_tls"],
        kind: Kind::Switch,
        default: "false",
        reload: Reload::Refused("AllowNonTLS"),
        group: Group::Security,
        help: "Clients may do without TLS where there is TLS",
        effect: switch!(allow_non_tls),
        ..COMMON
    },
];
