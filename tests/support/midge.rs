//! midge in this process, through its library.

use std::net::SocketAddr;
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use midge::config::{Options, Outside, file};
use midge::log::Log;
use midge::server::{Server, StartError};

use super::Settings;
use super::settings::Value;

/// How long anything may take. Only ever waited for by a failing test.
const DEADLINE: Duration = Duration::from_secs(20);

/// How often a count is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// A running midge. It is shut down when this is dropped.
#[derive(Debug)]
pub struct Midge {
    server: Server,
}

impl Midge {
    /// Starts a server with this many workers on a free port of the loopback interface.
    pub fn start(workers: usize, settings: &Settings) -> Result<Midge, StartError> {
        Self::start_logged(workers, settings, Log::quiet())
    }

    /// The same with a log.
    pub fn start_logged(workers: usize, settings: &Settings, log: Log) -> Result<Midge, StartError> {
        let defaults = Options { host: "127.0.0.1".to_string(), port: 0, workers, ..Options::default() };
        let mut options = settings.list().iter().fold(defaults, set);
        read_lines(settings.lines(), &mut options);
        Ok(Midge { server: Server::start(options, log)? })
    }

    /// Starts a server with these options, but for host, port and workers.
    pub fn start_with(workers: usize, options: Options) -> Result<Midge, StartError> {
        let options = Options { host: "127.0.0.1".to_string(), port: 0, workers, ..options };
        Ok(Midge { server: Server::start(options, Log::quiet())? })
    }

    /// Enters lame duck mode and goes through with it in a thread of its own, up to the shutdown.
    pub fn into_lame_duck(self) -> JoinHandle<()> {
        let Midge { mut server } = self;
        server.enter_lame_duck(Instant::now());
        thread::spawn(move || {
            while let Some(at) = server.lame_duck_step(Instant::now()) {
                thread::sleep(at.saturating_duration_since(Instant::now()));
            }
            server.shutdown();
        })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.server.client_addr()
    }

    /// Where other servers of its cluster come in, if it has one.
    pub fn routes(&self) -> Option<SocketAddr> {
        self.server.route_addr()
    }

    /// Waits until no more than so many clients are connected.
    pub fn wait_connections(&self, most: usize) {
        let deadline = Instant::now() + DEADLINE;
        while self.server.shared().connections() > most {
            assert!(Instant::now() < deadline, "{} connections, not {most}", self.server.shared().connections());
            thread::sleep(LOOK);
        }
    }
}

/// Puts lines of a configuration file into the options.
fn read_lines(lines: &str, options: &mut Options) {
    if !lines.is_empty() {
        let outside = Outside { variable: &|_| None, file: &|_| Ok(lines.as_bytes().to_vec()) };
        file::read(Path::new("test.conf"), options, &outside).unwrap();
        options.check().unwrap();
    }
}

/// The options with one setting put in.
fn set(options: Options, (name, value): &(&'static str, Value)) -> Options {
    match (*name, *value) {
        ("lame_duck_duration", Value::Span(lame_duck_duration)) => Options { lame_duck_duration, ..options },
        ("lame_duck_grace_period", Value::Span(lame_duck_grace_period)) => {
            Options { lame_duck_grace_period, ..options }
        }
        ("max_connections", Value::Count(max_connections)) => Options { max_connections, ..options },
        ("max_control_line", Value::Count(max_control_line)) => Options { max_control_line, ..options },
        ("max_payload", Value::Count(max_payload)) => Options { max_payload, ..options },
        ("max_pending", Value::Count(max_pending)) => Options { max_pending, ..options },
        ("max_sub_tokens", Value::Count(max_sub_tokens)) => Options { max_sub_tokens, ..options },
        ("max_subscriptions", Value::Count(max_subscriptions)) => Options { max_subscriptions, ..options },
        ("ping_interval", Value::Span(ping_interval)) => Options { ping_interval, ..options },
        ("ping_max", Value::Count(count)) => Options { ping_max: u32::try_from(count).unwrap(), ..options },
        ("write_deadline", Value::Span(write_deadline)) => Options { write_deadline, ..options },
        (name, value) => panic!("no option {name} for {value:?}"),
    }
}
