//! midge in this process, through its library.

use std::net::SocketAddr;

use midge::config::Options;
use midge::log::Log;
use midge::server::{Server, StartError};

use super::Settings;
use super::settings::Value;

/// A running midge. It is shut down when this is dropped.
#[derive(Debug)]
pub struct Midge {
    server: Server,
}

impl Midge {
    /// Starts a server with this many workers on a free port of the loopback interface.
    pub fn start(workers: usize, settings: &Settings) -> Result<Midge, StartError> {
        let defaults = Options { host: "127.0.0.1".to_string(), port: 0, workers, ..Options::default() };
        let options = settings.list().iter().fold(defaults, set);
        Ok(Midge { server: Server::start(options, Log::quiet())? })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.server.client_addr()
    }
}

/// The options with one setting put in.
fn set(options: Options, (name, value): &(&'static str, Value)) -> Options {
    match (*name, *value) {
        ("max_connections", Value::Count(max_connections)) => Options { max_connections, ..options },
        ("max_control_line", Value::Count(max_control_line)) => Options { max_control_line, ..options },
        ("max_payload", Value::Count(max_payload)) => Options { max_payload, ..options },
        ("max_sub_tokens", Value::Count(max_sub_tokens)) => Options { max_sub_tokens, ..options },
        ("max_subscriptions", Value::Count(max_subscriptions)) => Options { max_subscriptions, ..options },
        ("ping_interval", Value::Span(ping_interval)) => Options { ping_interval, ..options },
        ("ping_max", Value::Count(count)) => Options { ping_max: u32::try_from(count).unwrap(), ..options },
        (name, value) => panic!("no option {name} for {value:?}"),
    }
}
