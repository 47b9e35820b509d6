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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn holds_digits_and_nothing_else() {
        let path = std::env::temp_dir().join(format!("midge-pid-file-{}", std::process::id()));
        fs::write(&path, "99999999999 of an earlier run\n").unwrap();
        write(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(text, std::process::id().to_string());
        write(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        fs::remove_file(&path).unwrap();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        assert_eq!(write(Path::new("/nonexistent/pid")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
