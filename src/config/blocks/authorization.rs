//! `authorization { }`: who may connect.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::permissions;
use super::{Block, Key, Report, Takes, list, unknown_field};
use crate::config::authorization::{Authorization, LONG_TIMEOUT, Login, Permissions, User};
use crate::config::lang::{Data, Entry, Item, Place};
use crate::config::options::Options;
use crate::config::value::{Kind, Value, go_duration};
use crate::log::Quoted;
use crate::wire::nkey::{self, PublicKey};

/// The kinds of connections that the official server knows; a user may be limited to some.
const CONNECTION_TYPES: [&str; 7] =
    ["STANDARD", "WEBSOCKET", "LEAFNODE", "LEAFNODE_WS", "MQTT", "MQTT_WS", "IN_PROCESS"];

/// What the block says, before the users have got the permissions of those that have none of their own.
#[derive(Default)]
pub struct Draft {
    authorization: Authorization,
    users: Option<UserDrafts>,
    default_permissions: Option<Arc<Permissions>>,
}

/// The keys of the block.
pub const AUTHORIZATION: Block<Draft> = Block {
    keys: &[
        Key {
            names: &["user", "username"],
            takes: Takes::Value(Kind::Text, |draft, value| {
                draft.authorization.user = Some(value.text()?);
                Ok(())
            }),
        },
        Key {
            names: &["password", "pass"],
            takes: Takes::Value(Kind::Text, |draft, value| {
                draft.authorization.password = value.text()?.into();
                Ok(())
            }),
        },
        Key {
            names: &["token"],
            takes: Takes::Value(Kind::Text, |draft, value| {
                draft.authorization.token = value.text()?.into();
                Ok(())
            }),
        },
        Key { names: &["timeout"], takes: Takes::Value(Kind::Seconds, set_timeout) },
        Key {
            names: &["users"],
            takes: Takes::Data("Array of maps", |draft, entry, report| {
                draft.users = Some(read_users(entry, report));
            }),
        },
        Key {
            names: &["default_permissions", "default_permission", "permissions"],
            takes: Takes::Data("Map", |draft, entry, report| {
                draft.default_permissions = Some(permissions::read(entry, report));
            }),
        },
    ],
    unknown: unknown_field,
};

/// What is said about one user.
#[derive(Default)]
pub struct UserDraft {
    name: Option<String>,
    password: Option<String>,
    nkey: Option<PublicKey>,
    permissions: Option<Arc<Permissions>>,
    types: Vec<String>,
}

/// The keys of one user.
pub const USER: Block<UserDraft> = Block {
    keys: &[
        Key {
            names: &["user", "username"],
            takes: Takes::Value(Kind::Text, |user: &mut UserDraft, value| {
                user.name = Some(value.text()?);
                Ok(())
            }),
        },
        Key {
            names: &["password", "pass"],
            takes: Takes::Value(Kind::Text, |user: &mut UserDraft, value| {
                user.password = Some(value.text()?);
                Ok(())
            }),
        },
        Key { names: &["nkey"], takes: Takes::Value(Kind::Text, set_nkey) },
        Key {
            names: &["permissions", "permission", "authorization"],
            takes: Takes::Data("Map", |user: &mut UserDraft, entry, report| {
                user.permissions = Some(permissions::read(entry, report));
            }),
        },
        Key {
            names: &["allowed_connection_types", "connection_types", "clients"],
            takes: Takes::Value(Kind::Texts, set_types),
        },
    ],
    unknown: unknown_field,
};

/// Reads the block into the options.
pub fn read(options: &mut Options, entry: &Entry, report: &mut Report) {
    let mut draft = Draft::default();
    AUTHORIZATION.read(entry, &mut draft, report);
    let mut authorization = draft.authorization;
    let has_user = authorization.user.is_some() || !authorization.password.is_empty();
    let conflicts = [
        (has_user && !authorization.token.is_empty(), "Cannot have a user/pass and token"),
        (has_user && draft.users.is_some(), "Can not have a single user/pass and a users array"),
        (!authorization.token.is_empty() && draft.users.is_some(), "Can not have a token and a users array"),
    ];
    for (_, reason) in conflicts.iter().filter(|(is_one, _)| *is_one) {
        report.error(&entry.place, *reason);
    }
    if let Some(timeout) = authorization.timeout.filter(|timeout| *timeout > LONG_TIMEOUT) {
        let reason = format!("timeout of {} is long, 60s should be enough", go_duration(timeout));
        report.warning(&entry.place, reason);
    }
    if let Some(users) = draft.users {
        check_unique(&users, report);
        authorization.users = Some(Arc::new(with_default(users, draft.default_permissions.as_ref())));
    }
    // What other keys say.
    let Authorization { no_auth_user, accounts, mappings, system_account, no_system_account, .. } =
        std::mem::take(&mut options.authorization);
    options.authorization =
        Authorization { no_auth_user, accounts, mappings, system_account, no_system_account, ..authorization };
}

/// Users before they have got the permissions of those that have none of their own, with their places.
pub(super) type UserDrafts = Vec<(User, Place)>;

/// The users as they are.
pub(super) fn with_default(users: UserDrafts, permissions: Option<&Arc<Permissions>>) -> Vec<User> {
    let finished =
        |(user, _): (User, Place)| User { permissions: user.permissions.or_else(|| permissions.cloned()), ..user };
    users.into_iter().map(finished).collect()
}

fn set_timeout(draft: &mut Draft, value: Value) -> Result<(), String> {
    let time = value.duration()?;
    if time < Duration::from_millis(1) {
        return Err("timeout must be 1ms or more".to_owned());
    }
    draft.authorization.timeout = Some(time);
    Ok(())
}

fn set_nkey(user: &mut UserDraft, value: Value) -> Result<(), String> {
    if cfg!(not(feature = "tls")) {
        return Err("nkeys are not supported by this build, which has no cryptography".to_owned());
    }
    let key = nkey::decode(nkey::USER, &value.text()?).ok_or("Not a valid public nkey for a user")?;
    user.nkey = Some(key);
    Ok(())
}

fn set_types(user: &mut UserDraft, value: Value) -> Result<(), String> {
    user.types = value.texts()?.iter().map(|name| name.to_uppercase()).collect();
    let mut unknown = user.types.iter().filter(|name| !CONNECTION_TYPES.contains(&name.as_str())).peekable();
    if unknown.peek().is_none() {
        return Ok(());
    }
    let unknown = unknown.map(|name| Quoted(name.as_bytes()).to_string()).collect::<Vec<_>>().join(" ");
    Err(format!("invalid connection types [{unknown}]"))
}

pub(super) fn read_users(entry: &Entry, report: &mut Report) -> UserDrafts {
    list(entry, report).iter().filter_map(|item| Some((read_user(item, report)?, item.place.clone()))).collect()
}

fn read_user(item: &Item, report: &mut Report) -> Option<User> {
    let mut draft = UserDraft::default();
    let before = report.errors.len();
    USER.read_data(&item.place, &item.data, &mut draft, report);
    if report.errors.len() > before || !matches!(item.data, Data::Map(_)) {
        return None;
    }
    let UserDraft { name, password, nkey, permissions, types } = draft;
    let login = match (nkey, name, password) {
        (Some(key), None, None) => Login::Nkey(key),
        (Some(_), ..) => {
            report.error(&item.place, "Nkey users do not take usernames or passwords");
            return None;
        }
        (None, Some(name), password) if !name.is_empty() => Login::Password(name, password.unwrap_or_default().into()),
        _ => {
            report.error(&item.place, "User entry requires a user");
            return None;
        }
    };
    Some(User { login, permissions, is_standard: types.is_empty() || types.iter().any(|name| name == "STANDARD") })
}

/// Names and keys must be of one user each.
fn check_unique(users: &[(User, Place)], report: &mut Report) {
    let (mut names, mut keys) = (HashSet::new(), HashSet::new());
    for (user, place) in users {
        match &user.login {
            Login::Password(name, _) if !names.insert(name) => {
                report.error(place, format!("Duplicate user {} detected", Quoted(name.as_bytes())));
            }
            Login::Nkey(key) if !keys.insert(key) => {
                let shown = nkey::encode(nkey::USER, key);
                report.error(place, format!("Duplicate nkey {shown} detected"));
            }
            _ => {}
        }
    }
}
