//! The worker loop: readiness, sockets, timers, mail between workers, the listener.
//!
//! Each [`Worker`] is one thread with its own poll, sockets, timers and [`Broker`](crate::broker::Broker). A connection
//! lives and dies on one worker.

mod desk;
mod helper;
mod listen;
mod listener;
mod mailbox;
mod resolver;
mod socket;
mod stream;
mod timers;
#[cfg_attr(not(feature = "tls"), path = "no_tls.rs")]
pub mod tls;
mod worker;

pub use desk::Desk;
pub use helper::Helper;
pub use listen::{host_port, listen, prepare};
pub use listener::Listener;
pub use mailbox::{Letter, Mailbox};
pub use worker::{Clock, RouteDoor, Turns, Worker};
