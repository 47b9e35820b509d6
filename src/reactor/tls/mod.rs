//! TLS for clients and routes, with rustls as the engine.
//!
//! ```text
//! files --certificates--> Acceptor (main thread) --> every worker -----> Session (one for each connection)
//!                         RouteTls (the same) -----> that of the routes --^ |  records
//!                                                                        Stream
//! ```
//!
//! rustls is used without buffers of its own: a worker has one set of [`Buffers`] for all its connections, in which records
//! are opened and sealed. A connection keeps what has not come whole, and records that its socket has not taken. The buffered
//! interface would keep 4 KiB more for each idle connection and copy what comes once more.

mod acceptor;
mod buffers;
mod certificates;
mod connector;
mod engine;
mod failure;
mod pins;
mod records;
mod session;
mod suites;
mod web;

pub use acceptor::Acceptor;
pub use buffers::Buffers;
pub use connector::{Connector, RouteTls};
pub use session::Session;
pub use web::WebStream;
