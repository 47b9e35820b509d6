//! The language of configuration files: text to a tree of values that know where they stand.
//!
//! ```text
//! bytes --cursor--> parser --scalar--> Data in a Map of Entry
//!                     |  ^
//!                     v  |
//!          variables and included files, from Outside
//! ```
//!
//! It is the language of the official server, read a little more kindly: a byte order mark is skipped, `[1,2]` is an
//! array, `12-34` is text and not a broken date, an absolute path of an include is absolute. What that server drops or
//! wraps silently is an error: numbers out of range and odd size suffixes.
//!
//! Nothing that can be in a file makes the reader use much more memory than the file has bytes, or recurse deeper than
//! [`NESTING_MAX`]. Errors tell where and what was expected; they never show a value, which may be a secret.

mod cursor;
mod parser;
mod scalar;
mod tree;

use std::io;
use std::path::Path;

use crate::log::Escaped;
use crate::sys::error_text;

pub use tree::{Data, Entry, Item, Map, Place, Problem};

use parser::{Bounds, Parser};

/// The most bytes of a file, of all the files it includes together with it, and of what its variables stand for.
pub const BYTES_MAX: usize = 16 << 20;

/// How deep maps and arrays may be nested, those that variables stand for included.
pub const NESTING_MAX: usize = 64;

/// How deep files may include each other.
pub const INCLUDE_DEPTH_MAX: usize = 16;

/// The most includes that one file may cause.
pub const INCLUDES_MAX: usize = 1000;

/// What a file can refer to outside of itself. Functions, so that tests need neither environment nor disk.
#[derive(Clone, Copy)]
pub struct Outside<'a> {
    /// The value of an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The content of a file; of longer ones a little more than [`BYTES_MAX`] is enough.
    pub file: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
}

/// Reads `text`, the content of the file that the operator calls `file`.
///
/// # Errors
/// The first place where it is not written as it must be.
pub fn parse(file: &Path, text: &[u8], outside: &Outside) -> Result<Map, Problem> {
    Parser::for_file(file, text, 0, &mut Bounds::new(outside))?.file()
}

/// What the system says about a file that cannot be read, in the words of the official server.
pub(super) fn read_error(path: &Path, error: &io::Error) -> String {
    let action = if error.kind() == io::ErrorKind::IsADirectory { "read" } else { "open" };
    format!("{action} {}: {}", Escaped(path.as_os_str().as_encoded_bytes()), error_text(error))
}

#[cfg(test)]
mod tests;
