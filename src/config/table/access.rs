//! Options about who may connect.

use super::set::*;
use crate::config::authorization::GLOBAL;

/// A text that is not to be seen.
macro_rules! secret {
    ($field:ident) => {
        Effect::Set {
            set: |options, value| {
                options.authorization.$field = value.text()?.into();
                Ok(())
            },
            get: |options| {
                let secret = &options.authorization.$field;
                (!secret.is_empty()).then(|| Value::Text(secret.reveal().to_owned()))
            },
        }
    };
}

/// In the order `--help` shows them.
pub(super) const OPTIONS: &[Spec] = &[
    Spec {
        flags: &["user"],
        operand: "<name>",
        group: Group::Access,
        help: "Name of the only user",
        effect: Effect::Set {
            set: |options, value| {
                options.authorization.user = Some(value.text()?).filter(|name| !name.is_empty());
                Ok(())
            },
            get: |options| options.authorization.user.clone().map(Value::Text),
        },
        ..COMMON
    },
    Spec {
        flags: &["pass"],
        operand: "<password>",
        group: Group::Access,
        help: "Password of that user",
        effect: secret!(password),
        ..COMMON
    },
    Spec {
        flags: &["auth"],
        operand: "<token>",
        group: Group::Access,
        help: "Token that every client has to give",
        effect: secret!(token),
        ..COMMON
    },
    Spec {
        keys: &["no_auth_user"],
        reload: Reload::Applied,
        group: Group::Access,
        help: "User that clients are which do not say who they are",
        effect: Effect::Set {
            set: |options, value| {
                options.authorization.no_auth_user = Some(value.text()?).filter(|name| !name.is_empty());
                Ok(())
            },
            get: |options| options.authorization.no_auth_user.clone().map(Value::Text),
        },
        ..COMMON
    },
    Spec {
        keys: &["system_account", "system"],
        reload: Reload::Refused("SystemAccount"),
        group: Group::Access,
        help: "Account of those who look after the server",
        effect: Effect::Set {
            set: |options, value| {
                let name = value.text()?;
                if name == GLOBAL {
                    return Err(format!("system_account cannot be {GLOBAL}, the account of everyone"));
                }
                options.authorization.system_account = Some(name).filter(|name| !name.is_empty());
                Ok(())
            },
            get: |options| options.authorization.system_account.clone().map(Value::Text),
        },
        ..COMMON
    },
    Spec {
        keys: &["no_system_account", "no_system", "no_sys_acc"],
        kind: Kind::Switch,
        default: "false",
        reload: Reload::Refused("NoSystemAccount"),
        group: Group::Access,
        help: "There is no such account, and nobody to ask about the server",
        effect: Effect::Set {
            set: |options, value| {
                options.authorization.no_system_account = value.switch()?;
                Ok(())
            },
            get: |options| Some(Value::Switch(options.authorization.no_system_account)),
        },
        ..COMMON
    },
];
