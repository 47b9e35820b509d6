//! Memory that is owned by someone and bounded: pooled blocks, chains of them, spare buffers.
//!
//! A [`Pool`] belongs to one worker. A connection owns a [`Chain`] of its blocks while it has output and none when it
//! has not.

pub mod chain;
pub mod copy;
pub mod spare;

pub use chain::{BLOCK_BYTES, Chain, Pool};
pub use spare::Spares;
