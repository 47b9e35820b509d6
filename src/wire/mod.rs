//! Bytes to meaning and back: operations of clients and of [routes](route), the INFO and CONNECT documents, subjects, error
//! texts, the names in certificates.
//!
//! Everything here borrows its input and keeps nothing. [`parse()`] looks at a byte slice and answers with one of
//! three outcomes: an operation and its length, a wish for more bytes, or what is wrong with them.

pub mod base64;
pub mod certificate;
pub mod client_info;
pub mod connect;
pub mod date;
mod der;
pub mod distinguished;
pub mod errors;
pub mod info;
mod json;
mod line;
pub mod message;
pub mod nkey;
pub mod number;
pub mod parse;
pub mod redact;
pub mod route;
pub mod secret;
pub mod subject;
pub mod transform;

pub use connect::{Connect, Credentials};
pub use errors::ProtocolError;
pub use info::Info;
pub use message::Message;
pub use parse::{Bad, Limits, Op, Outcome, PlainPublish, Publish, parse, plain_publish};
pub use secret::Secret;
