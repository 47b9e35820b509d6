//! Memory that is owned by someone and bounded: pooled blocks, chains of them, spare buffers, short
//! texts, a table to find places by, and the budget that all of it comes out of.
//!
//! A [`Pool`] belongs to one worker. A connection owns a [`Chain`] of its blocks while it has output and none when it
//! has not.

pub mod budget;
pub mod chain;
pub mod copy;
pub mod spare;
pub mod table;
pub mod text;

pub use budget::{Budget, Pressure};
pub use chain::{BLOCK_BYTES, Chain, Pool};
pub use spare::Spares;
pub use table::Table;
pub use text::Text;
