//! The one table of options.
//!
//! To add an option: add a field to [`Options`] and an entry here. The command line and `--help` follow; the man page's test
//! then asks for its description.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::options::{Advertised, Options, WriteTimeout};
use super::value::{Kind, Value, go_duration};

/// Everything known about one option.
#[derive(Debug)]
pub struct Spec {
    /// Its names on the command line, without dashes; none when it is only in the file. One of them has two letters or
    /// more, because getopts wants such a name.
    pub flags: &'static [&'static str],
    /// Its names in the configuration file, the usual one first; none when it is only a flag.
    pub keys: &'static [&'static str],
    /// What it takes.
    pub kind: Kind,
    /// What `--help` calls the value; empty for switches.
    pub operand: &'static str,
    /// Its default as the operator would write it; empty when it has none.
    pub default: &'static str,
    /// A value that also stands for the default, as the official server has it.
    pub stands_for_default: Option<Value>,
    /// What a reload does with a changed value.
    pub reload: Reload,
    /// Where `--help` shows it.
    pub group: Group,
    /// What it is for, in one line; without the default, which is added.
    pub help: &'static str,
    /// What giving it does.
    pub effect: Effect,
}

/// Whether a reload may change an option of the running server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// Applied to the running server.
    Applied,
    /// Refused, and the whole reload with it. The name is what the official server calls the option then.
    Refused(&'static str),
    /// Cannot be in a file, or is another way to say what other options are.
    Never,
}

/// The sections of `--help` and the man pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Where it listens and what it is called.
    Server,
    /// What it logs.
    Logging,
    /// How connections are protected.
    Security,
    /// What a client may cost.
    Limits,
    /// Who may connect.
    Access,
    /// Help and version.
    Common,
}

impl Group {
    /// Every group in the order shown.
    pub const ALL: [Group; 6] =
        [Group::Server, Group::Logging, Group::Security, Group::Limits, Group::Access, Group::Common];

    /// The heading in `--help`.
    pub fn title(self) -> &'static str {
        match self {
            Group::Server => "Server options",
            Group::Logging => "Logging options",
            Group::Security => "TLS options",
            Group::Limits => "Limits",
            Group::Access => "Authorization options",
            Group::Common => "Common options",
        }
    }
}

/// What giving an option does.
#[derive(Clone, Copy, Debug)]
pub enum Effect {
    /// Sets something in the options.
    Set {
        /// Puts a value of the option's kind in; the error is a whole line that names the option.
        set: fn(&mut Options, Value) -> Result<(), String>,
        /// What is in; None when nothing is.
        get: fn(&Options) -> Option<Value>,
    },
    /// Prints help.
    Help,
    /// Prints the version.
    Version,
    /// Sends a signal to a running server.
    Signal,
    /// Checks the configuration file, and nothing else.
    Check,
    /// Nothing but a warning: the flag is known because scripts for the official server give it.
    Ignored,
}

impl Spec {
    /// The name getopts knows it by; empty when it is only in the file.
    pub fn long_flag(&self) -> &'static str {
        self.flags.iter().copied().find(|flag| flag.len() > 1).unwrap_or_default()
    }

    /// Puts `value` into `options`, or the default where the value stands for it.
    ///
    /// # Errors
    /// A line that says what the option allows.
    pub fn apply(&self, options: &mut Options, value: Value) -> Result<(), String> {
        let Effect::Set { set, .. } = self.effect else { return Ok(()) };
        if self.stands_for_default.as_ref() == Some(&value) {
            self.set_default(options);
            return Ok(());
        }
        set(options, value)
    }

    /// Puts the default into `options`; leaves them alone when there is none.
    pub(super) fn set_default(&self, options: &mut Options) {
        if let Effect::Set { set, .. } = self.effect
            && !self.default.is_empty()
        {
            let outcome = self.kind.read(self.default).map(|value| set(options, value));
            debug_assert_eq!(outcome, Ok(Ok(())), "{:?} is no value of {:?}", self.default, self.keys);
        }
    }
}

impl PartialEq for Spec {
    /// No two options have a name in common.
    fn eq(&self, other: &Self) -> bool {
        (self.flags, self.keys) == (other.flags, other.keys)
    }
}

impl Eq for Spec {}

/// The option whose flag is `name` (without dashes).
pub fn by_flag(name: &str) -> Option<&'static Spec> {
    OPTIONS.iter().find(|spec| spec.flags.contains(&name))
}

/// The option whose key in the file is `key`, in any case.
pub fn by_key(key: &str) -> Option<&'static Spec> {
    OPTIONS.iter().find(|spec| spec.keys.iter().any(|known| known.eq_ignore_ascii_case(key)))
}

/// What most entries have in common: an optional text.
const COMMON: Spec = Spec {
    flags: &[],
    keys: &[],
    kind: Kind::Text,
    operand: "",
    default: "",
    stands_for_default: None,
    reload: Reload::Never,
    group: Group::Server,
    help: "",
    effect: Effect::Help,
};

/// A switch in the file and perhaps on the command line.
macro_rules! switch {
    ($($field:ident),+) => {
        Effect::Set {
            set: |options, value| {
                let on = value.switch()?;
                $(options.$field = on;)+
                Ok(())
            },
            get: |options| Some(Value::Switch($(options.$field)&&+)),
        }
    };
}

/// A whole number in a range.
macro_rules! number {
    ($field:ident, $range:expr) => {
        Effect::Set {
            set: |options, value| {
                options.$field = within(stringify!($field), value, $range)? as _;
                Ok(())
            },
            get: |options| Some(Value::Integer(options.$field as i64)),
        }
    };
}

/// A length of time.
macro_rules! time {
    ($field:ident) => {
        Effect::Set {
            set: |options, value| {
                let time = value.duration()?;
                if time < TIME_MIN {
                    return Err(format!("{} must be 1ms or more", stringify!($field)));
                }
                options.$field = time;
                Ok(())
            },
            get: |options| Some(Value::Duration(options.$field)),
        }
    };
}

/// The name of a file or folder; an empty one is none.
macro_rules! path {
    ($($field:ident).+) => {
        Effect::Set {
            set: |options, value| {
                options.$($field).+ = Some(PathBuf::from(value.text()?)).filter(|path| !path.as_os_str().is_empty());
                Ok(())
            },
            get: |options| options.$($field).+.as_ref().map(|path| Value::Text(path.to_string_lossy().into_owned())),
        }
    };
}

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

/// The number in `value` when `range` holds it; the error calls it `name`.
fn within(name: &str, value: Value, range: RangeInclusive<i64>) -> Result<i64, String> {
    let number = value.integer()?;
    if range.contains(&number) {
        return Ok(number);
    }
    Err(format!("{name} must be between {} and {}, not {number}", range.start(), range.end()))
}

/// The shortest length of time an option can ask for: timers count milliseconds.
const TIME_MIN: Duration = Duration::from_millis(1);

/// The largest number of bytes an option can ask for, as with the official server.
const BYTES_MAX: i64 = i32::MAX as i64;

/// The least time a lame duck may take: less would not spread the clients over other servers.
const LAME_DUCK_MIN: Duration = Duration::from_secs(30);

/// The port as an operator would write it.
fn shown_port(options: &Options) -> i64 {
    if options.port == 0 { -1 } else { i64::from(options.port) }
}

/// Every option, in the order `--help` shows them within their group.
pub const OPTIONS: &[Spec] = &[
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
        effect: path!(pid_file),
        ..COMMON
    },
    Spec {
        flags: &["ports_file_dir"],
        keys: &["ports_file_dir"],
        kind: Kind::Path,
        operand: "<dir>",
        reload: Reload::Applied,
        help: "Write the addresses listened on to a file in this folder",
        effect: path!(ports_file_dir),
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
        effect: path!(config_file),
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
        flags: &["cluster", "cluster_listen"],
        operand: "<url>",
        help: "Ignored: there are no clusters",
        effect: Effect::Ignored,
        ..COMMON
    },
    Spec {
        flags: &["routes"],
        operand: "<urls>",
        help: "Ignored: there are no clusters",
        effect: Effect::Ignored,
        ..COMMON
    },
    Spec {
        flags: &["cluster_name"],
        operand: "<name>",
        help: "Ignored: there are no clusters",
        effect: Effect::Ignored,
        ..COMMON
    },
    Spec {
        flags: &["no_advertise"],
        kind: Kind::Switch,
        help: "Ignored: there are no clusters",
        effect: Effect::Ignored,
        ..COMMON
    },
    Spec {
        flags: &["cluster_advertise"],
        operand: "<address>",
        help: "Ignored: there are no clusters",
        effect: Effect::Ignored,
        ..COMMON
    },
    Spec {
        flags: &["connect_retries"],
        kind: Kind::Integer,
        operand: "<number>",
        help: "Ignored: there are no clusters",
        effect: Effect::Ignored,
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
        effect: path!(log_file),
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
        effect: Effect::Set {
            set: |options, value| {
                options.remote_syslog = Some(value.text()?).filter(|url| !url.is_empty());
                Ok(())
            },
            get: |options| options.remote_syslog.clone().map(Value::Text),
        },
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
        effect: path!(tls_flags.certificate),
        ..COMMON
    },
    Spec {
        flags: &["tlskey"],
        kind: Kind::Path,
        operand: "<file>",
        reload: Reload::Never,
        group: Group::Security,
        help: "Private key of that certificate",
        effect: path!(tls_flags.key),
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
        effect: path!(tls_flags.authority),
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
                options.write_timeout = match value.text()?.as_str() {
                    "default" => WriteTimeout::Default,
                    "close" => WriteTimeout::Close,
                    "retry" => WriteTimeout::Retry,
                    _ => return Err("write_timeout must be \"default\", \"close\" or \"retry\"".to_owned()),
                };
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
