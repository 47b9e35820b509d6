//! What servers of a cluster say to each other over a route.
//!
//! [`parse()`] finds the operations in place, as the parser of client operations does, with the same outcomes;
//! [`mod@write`] puts them down; [`Connect`] and [`Info`] are the two documents of the handshake. A
//! [`RouteUrl`] says where a route leads.
//!
//! ```text
//! RS+ <account> <subject> [<queue> <weight>]             interest of the sender
//! RS- <account> <subject> [<queue>]
//! LS+ <origin> <account> <subject> [<queue> <weight>]    the same of leaf nodes of the cluster <origin>
//! LS- [<origin>] <account> <subject> [<queue>]           older servers leave the origin out
//! RMSG <account> <subject> <to> <size>                   a message; <to> is nothing, a reply subject, `|` and queue
//! HMSG <account> <subject> <to> <header> <total>         groups, or `+`, a reply subject and queue groups
//! LMSG <origin> <account> <subject> <to> <header> <total>
//! ```

pub mod address;
pub mod connect;
pub mod info;
pub mod parse;
pub mod write;

pub use address::RouteUrl;
pub use connect::Connect;
pub use info::{FORWARDED, Gossip, Info, SubjectLists};
pub use parse::{Interest, Limits, Message, Op, Outcome, Queues, parse};

#[cfg(test)]
mod tests;
