//! What the operator wants: the options, and how the command line sets them.
//!
//! Every option is declared once, in [`table::OPTIONS`]: its flags, its key in the configuration file, its kind, its
//! default, whether a reload may change it, and its help text. The defaults of [`Options`], the command line and the text
//! of `--help` are all made from that table, so they cannot disagree; the man page is checked against it.
//!
//! ```text
//! words --go_flags--> getopts --> Flags --apply--> Options
//! ```

mod flags;
mod go_flags;
mod help;
mod options;
pub mod table;
pub mod value;

use std::ffi::OsString;
use std::fmt;

pub use flags::Flags;
pub use help::help;
pub use options::Options;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run the server.
    Run(Box<Options>),
    /// Print this text on standard output and exit with 0.
    Help(String),
    /// Print the version on standard output and exit with 0.
    Version,
    /// Send a signal to a running server: the command, and perhaps behind `=` which server.
    Signal(String),
}

/// Why the command line cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgError {
    /// One line without a program name before or a line end behind it.
    pub text: String,
    /// The exit code: 2 for words that are no valid flags, 1 for what is well formed and makes no sense.
    pub code: u8,
}

impl ArgError {
    fn syntax(text: String) -> Self {
        ArgError { text, code: 2 }
    }

    fn sense(text: String) -> Self {
        ArgError { text, code: 1 }
    }
}

impl fmt::Display for ArgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for ArgError {}

/// Reads the command line: `args` are the words behind the program's name.
///
/// # Errors
/// The first thing wrong with it, see [`ArgError`].
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, ArgError> {
    let flags = Flags::read(args)?;
    // In this order whatever their order was: the official server looks at the version first, then at help, then at the
    // other words.
    if flags.version {
        return Ok(Command::Version);
    }
    if flags.help {
        return Ok(Command::Help(help()));
    }
    if let Some(word) = flags.words.first() {
        return match word.to_lowercase().as_str() {
            "version" => Ok(Command::Version),
            "help" => Ok(Command::Help(help())),
            _ => Err(ArgError::sense(format!("unrecognized command: {}", crate::log::Quoted(word.as_bytes())))),
        };
    }
    if let Some(signal) = flags.signal {
        return Ok(Command::Signal(signal));
    }
    let mut options = Options::default();
    flags.apply(&mut options)?;
    options.check().map_err(ArgError::sense)?;
    Ok(Command::Run(Box::new(options)))
}

#[cfg(test)]
mod tests;
