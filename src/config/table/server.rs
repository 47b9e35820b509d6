//! Options about where it listens and what it is called.

use super::by_key;
use super::set::*;
use crate::config::options::{Advertised, Options};
use crate::config::value::go_duration;

/// The least time a lame duck may take: less would not spread the clients over other servers.
const LAME_DUCK_MIN: Duration = Duration::from_secs(30);

/// The port as an operator would write it.
fn shown_port(options: &Options) -> i64 {
    if options.port == 0 { -1 } else { i64::from(options.port) }
}

/// In the order `--help` shows them.
pub(super) const OPTIONS: &[Spec] = &[
    Spec {
        flags: &["a", "addr", "net"],
        keys: &["host", "net"],
        operand: "<host>",
        default: "0.0.0.0",
        stands_for_default: Some(Value::Text(String::new())),
        reload: Reload::Refused("Host"),
        help: "Listen on this host or address",
        effect: Effect::Set {
            set: |options, value| {
                options.host = value.text()?;
                Ok(())
            },
            get: |options| Some(Value::Text(options.host.clone())),
        },
        ..COMMON
    },
    Spec {
        flags: &["p", "port"],
        keys: &["port"],
        kind: Kind::Integer,
        operand: "<port>",
        default: "4222",
        stands_for_default: Some(Value::Integer(0)),
        reload: Reload::Refused("Port"),
        help: "Listen on this port; -1 picks a free one",
        effect: Effect::Set {
            set: |options, value| {
                options.port = match within("port", value, -1..=65535)? {
                    -1 => 0,
                    port => port as u16,
                };
                Ok(())
            },
            get: |options| Some(Value::Integer(shown_port(options))),
        },
        ..COMMON
    },
    Spec {
        keys: &["listen"],
        kind: Kind::Address,
        help: "Listen on this port, or on this host and port",
        effect: Effect::Set {
            set: |options, value| {
                let (host, port) = value.address()?;
                let set =
                    |options: &mut Options, key, value| by_key(key).map_or(Ok(()), |spec| spec.apply(options, value));
                set(options, "port", Value::Integer(port))?;
                host.map_or(Ok(()), |host| set(options, "host", Value::Text(host)))
            },
            get: |options| Some(Value::Address(Some(options.host.clone()), shown_port(options))),
        },
        ..COMMON
    },
    Spec {
        flags: &["n", "name", "server_name"],
        keys: &["server_name"],
        operand: "<name>",
        reload: Reload::Refused("ServerName"),
        help: "Name of this server (default: its generated id)",
        effect: Effect::Set {
            set: |options, value| {
                let name = value.text()?;
                if name.contains(|character: char| character.is_whitespace() || character.is_control()) {
                    return Err("server name cannot contain spaces".to_owned());
                }
                options.server_name = Some(name).filter(|name| !name.is_empty());
                Ok(())
            },
            get: |options| options.server_name.clone().map(Value::Text),
        },
        ..COMMON
    },
    Spec {
        flags: &["P", "pid"],
        keys: &["pid_file", "pidfile"],
        kind: Kind::Path,
        operand: "<file>",
        reload: Reload::Applied,
        help: "Write the process id to this file",
        effect: place!(pid_file),
        ..COMMON
    },
    Spec {
        flags: &["ports_file_dir"],
        keys: &["ports_file_dir"],
        kind: Kind::Path,
        operand: "<dir>",
        reload: Reload::Applied,
        help: "Write the addresses listened on to a file in this folder",
        effect: place!(ports_file_dir),
        ..COMMON
    },
    Spec {
        flags: &["workers"],
        keys: &["workers"],
        kind: Kind::Integer,
        operand: "<number>",
        reload: Reload::Refused("Workers"),
        help: "Worker threads, 1 to 256 (default: chosen for this machine)",
        effect: number!(workers, 1..=256),
        ..COMMON
    },
    Spec {
        flags: &["c", "config"],
        kind: Kind::Path,
        operand: "<file>",
        help: "Read this configuration file",
        effect: place!(config_file),
        ..COMMON
    },
    Spec {
        flags: &["t", "check"],
        kind: Kind::Switch,
        help: "Check the configuration file and exit",
        effect: Effect::Check,
        ..COMMON
    },
    Spec {
        keys: &["run_as"],
        reload: Reload::Refused("run_as"),
        help: "Become this user, or user:group, once the sockets are open",
        effect: Effect::Set {
            set: |options, value| {
                options.run_as = Some(value.text()?).filter(|user| !user.is_empty());
                Ok(())
            },
            get: |options| options.run_as.clone().map(Value::Text),
        },
        ..COMMON
    },
    Spec {
        flags: &["client_advertise"],
        keys: &["client_advertise"],
        operand: "<host[:port]>",
        reload: Reload::Applied,
        help: "Tell clients this address instead of the one listened on",
        effect: Effect::Set {
            set: |options, value| {
                let text = value.text()?;
                options.client_advertise = if text.is_empty() { None } else { Some(Advertised::read(&text)?) };
                Ok(())
            },
            get: |options| options.client_advertise.as_ref().map(|address| Value::Text(address.to_string())),
        },
        ..COMMON
    },
    Spec {
        flags: &["profile"],
        kind: Kind::Integer,
        operand: "<port>",
        help: "Ignored: there is no profiling port",
        effect: Effect::Ignored,
        ..COMMON
    },
    Spec {
        flags: &["jetstream", "js"],
        kind: Kind::Switch,
        help: "Ignored: there is no JetStream",
        effect: Effect::Ignored,
        ..COMMON
    },
    Spec {
        flags: &["store_dir", "sd"],
        kind: Kind::Path,
        operand: "<folder>",
        help: "Ignored: nothing is stored",
        effect: Effect::Ignored,
        ..COMMON
    },
    Spec {
        keys: &["lame_duck_duration"],
        kind: Kind::Duration,
        default: "2m",
        reload: Reload::Refused("LameDuckDuration"),
        group: Group::Server,
        help: "Time from the request to go until the last client is sent away, at least 30s",
        effect: Effect::Set {
            set: |options, value| {
                let time = value.duration()?;
                if time < LAME_DUCK_MIN {
                    let (given, least) = (go_duration(time), LAME_DUCK_MIN.as_secs());
                    return Err(format!("invalid lame_duck_duration of {given}, minimum is {least} seconds"));
                }
                options.lame_duck_duration = time;
                Ok(())
            },
            get: |options| Some(Value::Duration(options.lame_duck_duration)),
        },
        ..COMMON
    },
    Spec {
        keys: &["lame_duck_grace_period"],
        kind: Kind::Duration,
        default: "10s",
        reload: Reload::Refused("LameDuckGracePeriod"),
        group: Group::Server,
        help: "Time of it before the first client is sent away",
        effect: Effect::Set {
            set: |options, value| {
                options.lame_duck_grace_period = value.duration()?;
                Ok(())
            },
            get: |options| Some(Value::Duration(options.lame_duck_grace_period)),
        },
        ..COMMON
    },
];
