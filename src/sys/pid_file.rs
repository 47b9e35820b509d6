//! The file that tells others the number of our process.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes our process id to `path`: decimal digits and nothing else, because some readers take the content as it is. The
/// file is readable by its owner only and stays when we end.
///
/// # Errors
/// What the system says; an old file may then be empty.
pub fn write(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    write!(file, "{}", std::process::id())
}
