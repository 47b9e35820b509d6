//! The scenarios by name. Each drives a running server once and reports an [`Outcome`].

mod churn;
mod memory;
mod paced;
mod request;
mod stream;
mod tls;

use std::io;
use std::net::SocketAddrV4;
use std::time::Duration;

use crate::outcome::Outcome;
use crate::proc::Process;

/// The server to drive and how.
#[derive(Clone, Debug)]
pub struct Setup {
    pub addr: SocketAddrV4,
    pub server: Process,
    /// Another server that has a route to it, for scenarios that need a pair.
    pub peer: Option<(SocketAddrV4, Process)>,
    /// Length of the measured part.
    pub time: Duration,
    /// The same load before it, not measured, so that buffers and caches are in their working state.
    pub warm_up: Duration,
    /// Connections, subscriptions or subscribers, where a scenario leaves the number open.
    pub count: Option<usize>,
    /// Payload bytes, where a scenario leaves them open.
    pub size: Option<usize>,
}

/// What a scenario is run against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Servers {
    One,
    /// One that is started with TLS.
    Tls,
    /// Two with a route between them.
    Pair,
}

/// A named piece of work.
pub struct Scenario {
    pub name: &'static str,
    pub about: &'static str,
    /// Whether a comparison runs it by itself (the others are points of growth curves).
    pub compared: bool,
    pub servers: Servers,
    run: fn(&Setup) -> io::Result<Outcome>,
}

impl Scenario {
    /// Runs it once, with the server's memory read before the first connection and after the last is closed.
    pub fn run(&self, setup: &Setup) -> io::Result<Outcome> {
        setup.server.forget_peak();
        let resident_before = setup.server.resident()?;
        let mut outcome = (self.run)(setup)?;
        outcome.resident_before = resident_before;
        outcome.resident_after = setup.server.resident_settled(Duration::from_millis(500))?;
        outcome.resident_peak = setup.server.resident_peak()?;
        Ok(outcome)
    }
}

/// The scenario of that name.
pub fn find(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

/// All scenarios, in the order in which they are compared.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "pub-16",
        about: "publish only, 16 B, 1 client",
        compared: true,
        servers: Servers::One,
        run: |s| stream::publish_only(s, 16),
    },
    Scenario {
        name: "one-16",
        about: "1:1, 16 B",
        compared: true,
        servers: Servers::One,
        run: |s| stream::one_to_one(s, 16, false),
    },
    Scenario {
        name: "one-128",
        about: "1:1, 128 B",
        compared: true,
        servers: Servers::One,
        run: |s| stream::one_to_one(s, 128, false),
    },
    Scenario {
        name: "one-128h",
        about: "1:1, HPUB 128 B",
        compared: true,
        servers: Servers::One,
        run: |s| stream::one_to_one(s, 128, true),
    },
    Scenario {
        name: "one-1k",
        about: "1:1, 1 KiB",
        compared: true,
        servers: Servers::One,
        run: |s| stream::one_to_one(s, 1024, false),
    },
    Scenario {
        name: "one-64k",
        about: "1:1, 64 KiB",
        compared: true,
        servers: Servers::One,
        run: |s| stream::one_to_one(s, 65536, false),
    },
    Scenario {
        name: "pairs-16",
        about: "4:4 pairs, 16 B",
        compared: true,
        servers: Servers::One,
        run: |s| stream::pairs(s, 4, 16),
    },
    Scenario {
        name: "fan-10-16",
        about: "fan-out 1:10, 16 B",
        compared: true,
        servers: Servers::One,
        run: |s| stream::fan_out(s, 10, 16),
    },
    Scenario {
        name: "fan-100-128",
        about: "fan-out 1:100, 128 B",
        compared: true,
        servers: Servers::One,
        run: |s| stream::fan_out(s, 100, 128),
    },
    Scenario {
        name: "fan-1000-16",
        about: "fan-out 1:1000, 16 B",
        compared: true,
        servers: Servers::One,
        run: |s| stream::fan_out(s, 1000, 16),
    },
    Scenario {
        name: "queue-16",
        about: "queue group, 4 publishers, 4 members, 16 B",
        compared: true,
        servers: Servers::One,
        run: |s| stream::queue(s, 4, 4, 16),
    },
    Scenario {
        name: "wild-10k",
        about: "10,000 subjects, one wildcard subscriber",
        compared: true,
        servers: Servers::One,
        run: |s| stream::many_subjects(s, 10_000, 16),
    },
    Scenario {
        name: "req-1",
        about: "request/reply, 1 requester",
        compared: true,
        servers: Servers::One,
        run: |s| request::run(s, 1),
    },
    Scenario {
        name: "req-16",
        about: "request/reply, 16 requesters",
        compared: true,
        servers: Servers::One,
        run: |s| request::run(s, 16),
    },
    Scenario {
        name: "subs-100k",
        about: "100,000 subscriptions (a tenth wildcards), random publishes",
        compared: true,
        servers: Servers::One,
        run: |s| stream::many_subscriptions(s, 100_000, 16),
    },
    Scenario {
        name: "sub-unsub",
        about: "SUB/UNSUB pairs on one connection",
        compared: true,
        servers: Servers::One,
        run: churn::subscriptions,
    },
    Scenario {
        name: "churn",
        about: "connect, SUB, PUB, PING, close",
        compared: true,
        servers: Servers::One,
        run: churn::connections,
    },
    Scenario {
        name: "paced",
        about: "a paced flow's latency beside a 1:1 flood, 16 B",
        compared: true,
        servers: Servers::One,
        run: paced::run,
    },
    Scenario {
        name: "conns",
        about: "memory of --count (10,000) idle connections with one subscription each",
        compared: true,
        servers: Servers::One,
        run: |s| memory::connections(s, s.count.unwrap_or(10_000)),
    },
    Scenario {
        name: "subs",
        about: "memory of --count (100,000) subscriptions on one connection",
        compared: true,
        servers: Servers::One,
        run: |s| memory::subscriptions(s, s.count.unwrap_or(100_000)),
    },
    Scenario {
        name: "given-back",
        about: "memory after a flood, after churn, with --count (10,000) idle connections, and after all",
        compared: true,
        servers: Servers::One,
        run: |s| memory::given_back(s, s.count.unwrap_or(10_000)),
    },
    Scenario {
        name: "tls-128",
        about: "TLS 1:1, 128 B",
        compared: true,
        servers: Servers::Tls,
        run: |s| tls::one_to_one(s, 128),
    },
    Scenario {
        name: "tls-4k",
        about: "TLS 1:1, 4 KiB",
        compared: true,
        servers: Servers::Tls,
        run: |s| tls::one_to_one(s, 4096),
    },
    Scenario {
        name: "tls-handshakes",
        about: "connect, full TLS handshake, CONNECT, PING, close",
        compared: true,
        servers: Servers::Tls,
        run: tls::handshakes,
    },
    Scenario {
        name: "tls-conns",
        about: "memory of --count (1,000) idle TLS connections with one subscription each",
        compared: true,
        servers: Servers::Tls,
        run: |s| tls::connections(s, s.count.unwrap_or(1000)),
    },
    Scenario {
        name: "route-16",
        about: "1:1 over a route, 16 B",
        compared: true,
        servers: Servers::Pair,
        run: |s| stream::over_a_route(s, 16),
    },
    Scenario {
        name: "route-1k",
        about: "1:1 over a route, 1 KiB",
        compared: true,
        servers: Servers::Pair,
        run: |s| stream::over_a_route(s, 1024),
    },
    Scenario {
        name: "fan",
        about: "fan-out 1:--count (10), --size (16) bytes",
        compared: false,
        servers: Servers::One,
        run: |s| stream::fan_out(s, s.count.unwrap_or(10), s.size.unwrap_or(16)),
    },
    Scenario {
        name: "subs-speed",
        about: "random publishes to --count (1,000) subscriptions (a tenth wildcards), 16 B",
        compared: false,
        servers: Servers::One,
        run: |s| stream::many_subscriptions(s, s.count.unwrap_or(1000), 16),
    },
];
