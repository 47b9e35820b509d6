//! Where the options come from, to read them again.

use std::path::PathBuf;

use super::flags::Flags;
use super::lang::Outside;
use super::options::Options;
use super::{ArgError, file};

/// The flags of the command line and the file they name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    flags: Flags,
    file: Option<PathBuf>,
}

impl Source {
    pub(super) fn new(flags: Flags, file: Option<PathBuf>) -> Source {
        Source { flags, file }
    }

    /// Reads the options: the defaults, what the file says over them, and what the flags say over that. With them come
    /// the warnings, one line each.
    ///
    /// # Errors
    /// What is wrong with the file, or with all of it together.
    pub fn read(&self, outside: &Outside) -> Result<(Options, Vec<String>), ArgError> {
        let mut options = Options::default();
        let mut warnings = self.flags.warnings.clone();
        if let Some(path) = &self.file {
            let problems = file::read(path, &mut options, outside).map_err(ArgError::sense)?;
            warnings.extend(problems.iter().map(ToString::to_string));
        }
        self.flags.apply(&mut options)?;
        options.follow_flags()?;
        options.check().map_err(ArgError::sense)?;
        if !options.cluster.routes.is_empty() && options.cluster.port.is_none() {
            warnings.push("routes of the cluster have no effect without a port to listen on".to_owned());
        }
        Ok((options, warnings))
    }

    /// Reads the options again while a server runs.
    ///
    /// # Errors
    /// As for [`read`](Self::read), on one line; also when there is no file.
    pub fn read_again(&self, outside: &Outside) -> Result<(Options, Vec<String>), String> {
        if self.file.is_none() {
            return Err("can only reload config when a file is provided using -c or --config".to_owned());
        }
        self.read(outside).map_err(|error| error.text.trim_end().replace('\n', "; "))
    }
}
