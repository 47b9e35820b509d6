//! TLS for clients, with rustls as the engine.
//!
//! ```text
//! files --certificates--> Acceptor (main thread) --> every worker --> Session (one for each connection)
//!                                                                        |  records
//!                                                                     Stream
//! ```
//!
//! rustls is used without buffers of its own: a worker has one set of [`Buffers`] for all its connections, in which records
//! are opened and sealed. A connection keeps what has not come whole, and records that its socket has not taken. The buffered
//! interface would keep 4 KiB more for each idle connection and copy what comes once more.

mod acceptor;
mod buffers;
mod certificates;
mod failure;
mod records;
mod session;
mod suites;

pub use acceptor::Acceptor;
pub use buffers::Buffers;
pub use session::Session;
