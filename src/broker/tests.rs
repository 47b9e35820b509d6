//! Brokers driven without sockets, threads or a real clock.
//!
//! - [`world`]: brokers, and what the reactor would be to them: pipes, mailboxes, timers
//! - [`model`]: the naive broker, a list of subscriptions and a loop
//! - [`delivery`]: random work for both, from a seed
//! - [`timing`]: what becomes due, by a clock turned by hand
//! - [`accounts`]: subject spaces of their own
//! - [`login`]: saying who one is
//! - [`permissions`]: what a user may do, and what one gets who may not get everything
//! - [`recheck`]: other users and permissions while clients are connected
//! - [`linked`]: what accounts have to do with each other, and what the server itself answers
//! - [`lame_duck`]: the way out
//! - [`memory`]: the byte budget of all workers, and the limits of one address
//! - [`limits`]: what a connection may cost, and what is left when it is gone
//! - [`mesh`]: several servers, and routes between them
//! - [`reload`]: other options while clients are connected
//! - [`routes`]: routes before they are secured
//! - [`security`]: what comes before the first operation where there is TLS

mod accounts;
mod delivery;
mod dice;
mod lame_duck;
mod limits;
mod linked;
mod login;
mod memory;
mod mesh;
mod model;
mod operations;
mod permissions;
mod recheck;
mod reload;
mod report;
mod routes;
mod security;
mod timing;
mod world;
