//! The options as the server uses them.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::ArgError;
use super::authorization::Authorization;
use super::cluster::{ClusterFlags, ClusterOptions, PING_INTERVAL_MAX};
use super::table;
use super::tls::{TlsFlags, TlsSettings};
use super::value::{Kind, Value, go_duration};
use crate::log::{Destination, Quoted, Rotation, Settings};
use crate::wire::Secret;

/// How much memory the process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxMemory {
    /// A share of what the machine has.
    Share,
    /// As much as there is.
    Endless,
    /// So many bytes.
    Bytes(usize),
}

/// An address that others are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// A name or an address, without brackets.
    pub host: String,
    /// None stands for the port listened on.
    pub port: Option<u16>,
}

impl Advertised {
    /// Reads `host` or `host:port`; an IPv6 address is in brackets. A port of 0 or -1 is none.
    ///
    /// # Errors
    /// What was expected.
    pub fn read(text: &str) -> Result<Advertised, String> {
        let wrong = || format!("expected host or host:port, not {}", Quoted(text.as_bytes()));
        if text.contains(char::is_whitespace) {
            return Err(wrong());
        }
        let is_bare = !text.contains(':') || text.ends_with(']');
        let whole = if is_bare { format!("{text}:0") } else { text.to_owned() };
        let Ok(Value::Address(Some(host), port)) = Kind::Address.read(&whole) else { return Err(wrong()) };
        let port = u16::try_from(port.max(0)).map_err(|_| wrong())?;
        if host.is_empty() { Err(wrong()) } else { Ok(Advertised { host, port: Some(port).filter(|port| *port > 0) }) }
    }
}

impl fmt::Display for Advertised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{open}{}{close}", self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// What becomes of a client that does not take in time what waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteTimeout {
    /// What suits the kind of connection: clients are closed.
    Default,
    /// It is closed.
    Close,
    /// It is logged, and given the same time again.
    Retry,
}

impl WriteTimeout {
    /// Reads one.
    ///
    /// # Errors
    /// A line that tells those that there are.
    pub(super) fn read(text: &str) -> Result<WriteTimeout, String> {
        match text {
            "default" => Ok(WriteTimeout::Default),
            "close" => Ok(WriteTimeout::Close),
            "retry" => Ok(WriteTimeout::Retry),
            _ => Err("write_timeout must be \"default\", \"close\" or \"retry\"".to_owned()),
        }
    }
}

impl fmt::Display for WriteTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WriteTimeout::Default => "default",
            WriteTimeout::Close => "close",
            WriteTimeout::Retry => "retry",
        })
    }
}

/// Everything an operator can set. [`Options::default`] gives the defaults of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The configuration file that was read, as the operator calls it.
    pub config_file: Option<PathBuf>,
    /// The host to listen on for clients: a name, an IPv4 or an IPv6 address without brackets.
    pub host: String,
    /// The port to listen on for clients; 0 picks a free one.
    pub port: u16,
    /// TLS for clients; None for plain connections.
    pub tls: Option<Box<TlsSettings>>,
    /// The flags for it, not followed yet.
    pub tls_flags: TlsFlags,
    /// Clients may do without TLS where there is TLS.
    pub allow_non_tls: bool,
    /// The name of this server; None means its generated id.
    pub server_name: Option<String>,
    /// The address that clients are told instead of the one listened on.
    pub client_advertise: Option<Advertised>,
    /// The other servers that it forms a cluster with.
    pub cluster: ClusterOptions,
    /// The flags for that, not followed yet.
    pub cluster_flags: ClusterFlags,
    /// Of how many failed tries in a row to connect to a peer the first and the last is an error in the log, while none
    /// has succeeded.
    pub connect_error_reports: u32,
    /// The same after one has.
    pub reconnect_error_reports: u32,
    /// The host to listen on for monitoring; None means the one for clients.
    pub http_host: Option<String>,
    /// The port to listen on for monitoring; 0 picks a free one, None means that there is none.
    pub http_port: Option<u16>,
    /// The same for monitoring with TLS.
    pub https_port: Option<u16>,
    /// The file name of a socket for monitoring.
    pub http_socket: Option<PathBuf>,
    /// What stands before the path of every monitoring document, with slashes or without.
    pub http_base_path: String,
    /// A token that opens the monitoring documents.
    pub http_token: Option<Secret>,
    /// The name that goes with the password.
    pub http_user: Option<String>,
    /// A password that opens the monitoring documents.
    pub http_password: Option<Secret>,
    /// The most records of closed connections.
    pub max_closed_clients: usize,
    /// What the operator calls this server, shown by monitoring.
    pub server_tags: Vec<String>,
    /// More about this server, shown by monitoring.
    pub server_metadata: Vec<(String, String)>,
    /// Where to write the process id.
    pub pid_file: Option<PathBuf>,
    /// The user to become once the sockets are open, perhaps with `:` and a group.
    pub run_as: Option<String>,
    /// The folder for a file with the addresses listened on.
    pub ports_file_dir: Option<PathBuf>,
    /// Log the life of connections.
    pub debug: bool,
    /// Log every operation.
    pub trace: bool,
    /// The same, also of what the server does for itself.
    pub trace_verbose: bool,
    /// The same, but of messages only the headers.
    pub trace_headers: bool,
    /// The file to log to; before every other place.
    pub log_file: Option<PathBuf>,
    /// Log lines begin with date and time.
    pub logtime: bool,
    /// ... in UTC.
    pub logtime_utc: bool,
    /// Log to the daemon of this machine.
    pub syslog: bool,
    /// The URL of a log daemon; before the one of this machine.
    pub remote_syslog: Option<String>,
    /// The size in bytes above which the log file is put aside; 0 means never.
    pub log_size_limit: u64,
    /// The most log files, the one in use counted; 0 keeps all.
    pub logfile_max_num: usize,
    /// The most bytes of a payload that a trace line shows; 0 means all that a line has room for.
    pub max_traced_msg_len: usize,
    /// Worker threads, 1 to 256; 0 leaves the number to the server.
    pub workers: usize,
    /// The longest line of one operation without its payload, in bytes.
    pub max_control_line: usize,
    /// The largest payload, headers included, in bytes.
    pub max_payload: usize,
    /// The most bytes that may wait for one client.
    pub max_pending: usize,
    /// The most memory that may be in use.
    pub max_memory: MaxMemory,
    /// How long a client may take for what was waiting for it when a write could not go on.
    pub write_deadline: Duration,
    /// What becomes of a client that takes longer.
    pub write_timeout: WriteTimeout,
    /// The most clients at a time; 0 refuses every one.
    pub max_connections: usize,
    /// The most clients of one address at a time; 0 means no limit.
    pub max_connections_per_address: u32,
    /// The most new clients of one address in a second; 0 means no limit.
    pub connection_rate_per_address: u32,
    /// The most subscriptions of one client; 0 means no limit.
    pub max_subscriptions: usize,
    /// The most tokens in the subject of a subscription, 0 to 255; 0 means no limit.
    pub max_sub_tokens: usize,
    /// The time between two pings to a client that is silent.
    pub ping_interval: Duration,
    /// How many pings may go unanswered.
    pub ping_max: u32,
    /// Clients can neither send nor get message headers.
    pub no_header_support: bool,
    /// Never slow a publisher down for a subscriber that is behind.
    pub no_fast_producer_stall: bool,
    /// How long a lame duck takes, from the request until the last client is sent away.
    pub lame_duck_duration: Duration,
    /// How much of that passes before the first client is sent away.
    pub lame_duck_grace_period: Duration,
    /// Who may connect.
    pub authorization: Authorization,
}

/// The smallest `max_memory` that can be asked for: with less there would be little left for clients.
const MEMORY_MIN: usize = 16 << 20;

impl Options {
    /// Every field empty, for the table to fill.
    const BLANK: Options = Options {
        config_file: None,
        host: String::new(),
        port: 0,
        tls: None,
        tls_flags: TlsFlags { on: None, verify: false, certificate: None, key: None, authority: None },
        allow_non_tls: false,
        server_name: None,
        client_advertise: None,
        cluster: ClusterOptions::NONE,
        cluster_flags: ClusterFlags { listen: None, routes: None },
        connect_error_reports: 0,
        reconnect_error_reports: 0,
        http_host: None,
        http_port: None,
        https_port: None,
        http_socket: None,
        http_base_path: String::new(),
        http_token: None,
        http_user: None,
        http_password: None,
        max_closed_clients: 0,
        server_tags: Vec::new(),
        server_metadata: Vec::new(),
        pid_file: None,
        run_as: None,
        ports_file_dir: None,
        debug: false,
        trace: false,
        trace_verbose: false,
        trace_headers: false,
        log_file: None,
        logtime: false,
        logtime_utc: false,
        syslog: false,
        remote_syslog: None,
        log_size_limit: 0,
        logfile_max_num: 0,
        max_traced_msg_len: 0,
        workers: 0,
        max_control_line: 0,
        max_payload: 0,
        max_pending: 0,
        max_memory: MaxMemory::Share,
        write_deadline: Duration::ZERO,
        write_timeout: WriteTimeout::Default,
        max_connections: 0,
        max_connections_per_address: 0,
        connection_rate_per_address: 0,
        max_subscriptions: 0,
        max_sub_tokens: 0,
        ping_interval: Duration::ZERO,
        ping_max: 0,
        no_header_support: false,
        no_fast_producer_stall: false,
        lame_duck_duration: Duration::ZERO,
        lame_duck_grace_period: Duration::ZERO,
        authorization: Authorization::NOBODY_ASKED,
    };

    /// What is logged and where to: of several places the first counts.
    pub fn log_settings(&self) -> Settings {
        let rotation = Rotation { size_max: self.log_size_limit, files_max: self.logfile_max_num };
        let destination = match (&self.log_file, &self.remote_syslog, self.syslog) {
            (Some(path), ..) => Destination::File(path.clone(), rotation),
            (None, Some(url), _) => Destination::RemoteSyslog(url.clone()),
            (None, None, true) => Destination::Syslog,
            (None, None, false) => Destination::Stderr,
        };
        let trace = self.trace || self.trace_verbose || self.trace_headers;
        let Options { debug, logtime: time, logtime_utc: utc, .. } = *self;
        Settings { destination, debug, trace, time, utc, color: None }
    }

    /// Follows those flags that only make sense together.
    ///
    /// # Errors
    /// A line that names those that do not.
    pub fn follow_flags(&mut self) -> Result<(), ArgError> {
        let flags = std::mem::take(&mut self.tls_flags);
        flags.follow(&mut self.tls).map_err(ArgError::sense)?;
        let flags = std::mem::take(&mut self.cluster_flags);
        flags.follow(&mut self.cluster).map_err(ArgError::sense)
    }

    /// How long a client may take to say who it is: with TLS a little longer than for the handshake.
    pub fn auth_timeout(&self) -> Duration {
        let usual = || match &self.tls {
            Some(tls) => tls.timeout + Duration::from_secs(1),
            None => Authorization::TIMEOUT,
        };
        self.authorization.timeout.unwrap_or_else(usual)
    }

    /// The time between two pings to a peer.
    pub fn cluster_ping_interval(&self) -> Duration {
        self.cluster.ping_interval.unwrap_or(self.ping_interval).min(PING_INTERVAL_MAX)
    }

    /// How many pings to a peer may go unanswered.
    pub fn cluster_ping_max(&self) -> u32 {
        self.cluster.ping_max.unwrap_or(self.ping_max)
    }

    /// How long a write to a peer may make no progress.
    pub fn cluster_write_deadline(&self) -> Duration {
        self.cluster.write_deadline.unwrap_or(self.write_deadline)
    }

    /// Looks whether the options make sense together, once all of them are set.
    ///
    /// # Errors
    /// A line that names those that do not.
    pub fn check(&self) -> Result<(), String> {
        let (grace, duration) = (self.lame_duck_grace_period, self.lame_duck_duration);
        if grace >= duration {
            let (grace, duration) = (go_duration(grace), go_duration(duration));
            return Err(format!(
                "lame duck grace period ({grace}) should be strictly lower than lame duck duration ({duration})"
            ));
        }
        if let MaxMemory::Bytes(bytes) = self.max_memory
            && bytes < MEMORY_MIN
        {
            return Err(format!("max_memory must be 0, -1, or at least {MEMORY_MIN}, not {bytes}"));
        }
        if self.http_user.is_some() != self.http_password.is_some() {
            return Err("http_user and http_password must be set together".to_owned());
        }
        self.authorization.check()
    }

    /// True if monitoring is wanted in any way.
    pub fn monitors(&self) -> bool {
        self.http_port.is_some() || self.https_port.is_some() || self.http_socket.is_some()
    }
}

impl Default for Options {
    fn default() -> Self {
        let mut options = Options::BLANK;
        for spec in table::all() {
            spec.set_default(&mut options);
        }
        options
    }
}
