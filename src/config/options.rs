//! The options as the server uses them.

use std::path::PathBuf;
use std::time::Duration;

use super::table;

/// Everything an operator can set. [`Options::default`] gives the defaults of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The configuration file that was read, as the operator calls it.
    pub config_file: Option<PathBuf>,
    /// The host to listen on for clients: a name, an IPv4 or an IPv6 address without brackets.
    pub host: String,
    /// The port to listen on for clients; 0 picks a free one.
    pub port: u16,
    /// The name of this server; None means its generated id.
    pub server_name: Option<String>,
    /// Where to write the process id.
    pub pid_file: Option<PathBuf>,
    /// Log the life of connections.
    pub debug: bool,
    /// Log every operation.
    pub trace: bool,
    /// Begin log lines with date and time.
    pub logtime: bool,
    /// Show date and time of log lines in UTC, not in the local zone.
    pub logtime_utc: bool,
    /// Worker threads, 1 to 256; 0 leaves the number to the server.
    pub workers: usize,
    /// The longest line of one operation without its payload, in bytes.
    pub max_control_line: usize,
    /// The largest payload, headers included, in bytes.
    pub max_payload: usize,
    /// The most bytes that may wait for one client.
    pub max_pending: usize,
    /// How long a client may take for what was waiting for it when a write could not go on.
    pub write_deadline: Duration,
    /// The most clients at a time; 0 refuses every one.
    pub max_connections: usize,
    /// The most subscriptions of one client; 0 means no limit.
    pub max_subscriptions: usize,
    /// The most tokens in the subject of a subscription, 0 to 255; 0 means no limit.
    pub max_sub_tokens: usize,
    /// The time between two pings to a client that is silent.
    pub ping_interval: Duration,
    /// How many pings may go unanswered.
    pub ping_max: u32,
    /// Never slow a publisher down for a subscriber that is behind.
    pub no_fast_producer_stall: bool,
}

impl Options {
    /// Every field empty, for the table to fill.
    const BLANK: Options = Options {
        config_file: None,
        host: String::new(),
        port: 0,
        server_name: None,
        pid_file: None,
        debug: false,
        trace: false,
        logtime: false,
        logtime_utc: false,
        workers: 0,
        max_control_line: 0,
        max_payload: 0,
        max_pending: 0,
        write_deadline: Duration::ZERO,
        max_connections: 0,
        max_subscriptions: 0,
        max_sub_tokens: 0,
        ping_interval: Duration::ZERO,
        ping_max: 0,
        no_fast_producer_stall: false,
    };
}

impl Default for Options {
    fn default() -> Self {
        let mut options = Options::BLANK;
        for spec in table::OPTIONS {
            spec.set_default(&mut options);
        }
        options
    }
}
