//! Transcripts: what connections send and what must come back, read from text files and replayed against a server.
//!
//! `tests/transcripts/README.md` describes the files. [`parse`](script::parse) reads one, [`replay`](replay::replay)
//! plays one of its cases in one [`Mode`](replay::Mode).

pub mod peer;
pub mod plan;
pub mod replay;
pub mod script;
pub mod text;
