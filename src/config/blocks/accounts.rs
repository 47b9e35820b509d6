//! `accounts { }`: subject spaces of their own, each with its users.

use std::collections::HashSet;
use std::sync::Arc;

use super::authorization::{UserDrafts, read_users, with_default};
use super::exchange::Drafts;
use super::{Block, Key, Report, Takes, exchange, mappings, permissions};
use crate::config::authorization::{Account, AccountLimits, GLOBAL, Login, Permissions};
use crate::config::exchange::Mapping;
use crate::config::lang::{Data, Entry, Map, Place};
use crate::config::options::Options;
use crate::config::value::{Kind, Value};
use crate::log::Quoted;
use crate::wire::nkey;

/// What is said about one account.
#[derive(Default)]
pub struct Draft {
    users: UserDrafts,
    default_permissions: Option<Arc<Permissions>>,
    limits: AccountLimits,
    mappings: Vec<Mapping>,
    exchange: Drafts,
}

/// The keys of one account.
pub const ACCOUNT: Block<Draft> = Block {
    keys: &[
        Key {
            names: &["users"],
            takes: Takes::Data("Array of maps", |draft, entry, report| {
                draft.users = read_users(entry, report);
            }),
        },
        Key {
            names: &["default_permissions", "default_permission", "permissions"],
            takes: Takes::Data("Map", |draft, entry, report| {
                draft.default_permissions = Some(permissions::read(entry, report));
            }),
        },
        Key {
            names: &["limits"],
            takes: Takes::Data("Map", |draft, entry, report| LIMITS.read(entry, &mut draft.limits, report)),
        },
        Key {
            names: &["exports"],
            takes: Takes::Data("Array of maps", |draft, entry, report| draft.exchange.read_exports(entry, report)),
        },
        Key {
            names: &["imports"],
            takes: Takes::Data("Array of maps", |draft, entry, report| draft.exchange.read_imports(entry, report)),
        },
        Key {
            names: &["mappings", "maps"],
            takes: Takes::Data("Map", |draft, entry, report| draft.mappings = mappings::read(entry, report)),
        },
        Key {
            names: &["jetstream"],
            takes: Takes::Data("Anything", |_, entry, report| {
                report.warning(&entry.place, "\"jetstream\" is not supported and is ignored");
            }),
        },
    ],
    unknown: super::unknown_field,
};

/// The keys of the limits of an account.
pub const LIMITS: Block<AccountLimits> = Block {
    keys: &[
        Key {
            names: &["max_connections", "max_conn"],
            takes: Takes::Value(Kind::Integer, |limits, value| set(&mut limits.connections, value)),
        },
        Key {
            names: &["max_subscriptions", "max_subs"],
            takes: Takes::Value(Kind::Integer, |limits, value| set(&mut limits.subscriptions, value)),
        },
        Key {
            names: &["max_payload", "max_pay"],
            takes: Takes::Value(Kind::Integer, |limits, value| set(&mut limits.payload, value)),
        },
        Key {
            names: &["max_leafnodes", "max_leafs"],
            takes: Takes::Value(Kind::Integer, |_, value| value.integer().map(drop)),
        },
    ],
    unknown: super::unknown_field,
};

/// A number, or none if it is negative.
fn set(limit: &mut Option<usize>, value: Value) -> Result<(), String> {
    *limit = usize::try_from(value.integer()?).ok();
    Ok(())
}

/// Reads the block into the options: a map of accounts, or an array of names.
pub fn read(options: &mut Options, entry: &Entry, report: &mut Report) {
    let (mut accounts, mut places, mut drafts) = (Vec::new(), Vec::new(), Vec::new());
    match &entry.data {
        Data::Map(map) => {
            let is_variable = |entry: &&Entry| entry.is_used && !matches!(entry.data, Data::Map(_));
            for entry in map.entries().filter(|entry| !is_variable(entry)) {
                let mut draft = Draft::default();
                ACCOUNT.read(entry, &mut draft, report);
                let Draft { users, default_permissions, limits, mappings, exchange } = draft;
                let users = with_default(users, default_permissions.as_ref());
                accounts.push(Account { name: entry.key.clone(), users, limits, mappings, ..Account::default() });
                places.push(&entry.place);
                drafts.push(exchange);
            }
        }
        Data::List(items) => {
            for item in items {
                match &item.data {
                    Data::Text(name) => {
                        accounts.push(Account { name: name.clone(), ..Account::default() });
                        places.push(&item.place);
                    }
                    other => {
                        report.error(&item.place, format!("expected the name of an account, got {}", other.kind()))
                    }
                }
            }
        }
        other => report.error(&entry.place, format!("expected a map or an array, got {}", other.kind())),
    }
    check_names(&accounts, &places, report);
    exchange::finish(&mut accounts, drafts, report);
    options.authorization.accounts = accounts;
}

fn check_names(accounts: &[Account], places: &[&Place], report: &mut Report) {
    let mut names = HashSet::new();
    for (Account { name, .. }, place) in accounts.iter().zip(places) {
        if name == GLOBAL {
            report.error(place, format!("{} is a Reserved Account", Quoted(name.as_bytes())));
        } else if name.is_empty() || name.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
            report.error(place, "the name of an account cannot be empty or have blanks");
        } else if !names.insert(name) {
            report.error(place, format!("Duplicate account {} detected", Quoted(name.as_bytes())));
        }
    }
}

/// Looks whether the accounts go together with the rest of the file: users are unique in all of it.
pub fn check(map: &Map, options: &Options, report: &mut Report) {
    let Some(entry) = map.entries().find(|entry| entry.key.eq_ignore_ascii_case("accounts")) else { return };
    let authorization = &options.authorization;
    if authorization.accounts.iter().all(|account| account.users.is_empty()) {
        return;
    }
    let (has_user, has_token) = (authorization.user.is_some(), !authorization.token.is_empty());
    for (_, reason) in
        [(has_user, "Can not have a single user/pass and accounts"), (has_token, "Can not have a token and accounts")]
            .iter()
            .filter(|(is_one, _)| *is_one)
    {
        report.error(&entry.place, *reason);
    }
    let mut logins = HashSet::new();
    for (_, user, _) in authorization.all_users() {
        let (is_new, shown) = match &user.login {
            Login::Password(name, _) => {
                (logins.insert((Some(name), None)), format!("user {}", Quoted(name.as_bytes())))
            }
            Login::Nkey(key) => (logins.insert((None, Some(key))), format!("nkey {}", nkey::encode(nkey::USER, key))),
        };
        if !is_new {
            report.error(&entry.place, format!("Duplicate {shown} detected"));
        }
    }
}
