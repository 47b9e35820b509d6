//! What the operator wants: the options, and how the command line and the configuration file set them.
//!
//! Every option is declared once, in [`table`]: its flags, its key in the configuration file, its kind, its
//! default, whether a reload may change it, and its help text. The defaults of [`Options`], the command line and the text
//! of `--help` are all made from that table, so they cannot disagree; the man pages are checked against it.
//!
//! ```text
//! words --go_flags--> getopts --> Flags --apply--> Options
//!                                                    ^
//! file --lang--> Map --file, blocks-----apply--------+
//! ```
//!
//! Flags count more than the file: they are applied again over what it says.

pub mod authorization;
pub mod blocks;
pub mod cluster;
mod convert;
pub mod exchange;
pub mod file;
mod flags;
mod go_flags;
mod help;
pub mod lang;
mod options;
pub mod reload;
pub mod report;
mod source;
pub mod table;
pub mod tls;
pub mod unsupported;
pub mod value;

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub use cluster::ClusterOptions;
pub use flags::Flags;
pub use help::help;
pub use lang::Outside;
pub use options::{Advertised, MaxMemory, Options, WriteTimeout};
pub use source::Source;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run the server.
    Run {
        /// What the file and the flags ask for.
        options: Box<Options>,
        /// What the operator should know, one line each.
        warnings: Vec<String>,
        /// Where they can be read again.
        source: Source,
    },
    /// Say on standard error that this file is valid, after the warnings, and exit with 0, if the other files that it names
    /// can be used.
    Valid {
        /// What it asks for.
        options: Box<Options>,
        /// The file as the operator calls it.
        file: PathBuf,
        /// As for [`Command::Run`].
        warnings: Vec<String>,
    },
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
    /// One line without a program name before or a line end behind it. What is wrong within a configuration file has as
    /// many lines as it takes, each with its end, as with the official server.
    pub text: String,
    /// The exit code: 2 for words that are no valid flags, 1 for what is well formed and makes no sense.
    pub code: u8,
}

/// The environment and the files of this machine.
pub const SYSTEM: Outside<'static> = Outside { variable: &system_variable, file: &system_file };

fn system_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn system_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte too many tells that a file is too long; it may well be one without an end.
    File::open(path)?.take(lang::BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
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

/// Reads the command line, `args` being the words behind the program's name, and the file that it names.
///
/// # Errors
/// The first thing wrong with it, see [`ArgError`].
pub fn parse(args: impl Iterator<Item = OsString>, outside: &Outside) -> Result<Command, ArgError> {
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
    configure(flags, outside)
}

/// The options, or what is to be said about the file alone.
fn configure(flags: Flags, outside: &Outside) -> Result<Command, ArgError> {
    let mut options = Options::default();
    let flaw = flags.apply(&mut options);
    let file = options.config_file.take();
    if flags.check {
        let Some(file) = file else {
            let text = "must specify [-c, --config] option to check configuration file syntax";
            return Err(ArgError::sense(text.to_owned()));
        };
        let mut options = Options::default();
        let problems = file::read(&file, &mut options, outside).map_err(ArgError::sense)?;
        let warnings = flags.warnings.into_iter().chain(problems.iter().map(ToString::to_string)).collect();
        return Ok(Command::Valid { options: Box::new(options), file, warnings });
    }
    flaw?;
    let source = Source::new(flags, file);
    let (options, warnings) = source.read(outside)?;
    Ok(Command::Run { options: Box::new(options), warnings, source })
}

#[cfg(test)]
mod tests;
