//! The flags that were given, kept apart from the options so that they can be applied again over a reloaded file.

use std::ffi::OsString;

use super::ArgError;
use super::go_flags;
use super::options::Options;
use super::table::{self, Effect, Spec};
use super::value::Value;

/// What stands on the command line, well formed but not yet checked for sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flags {
    /// Options with the last value given, in the order of those last values.
    given: Vec<(&'static Spec, Value)>,
    /// Help was asked for by flag.
    pub help: bool,
    /// The version was asked for by flag.
    pub version: bool,
    /// What `--signal` asks for.
    pub signal: Option<String>,
    /// Only the configuration file is to be checked.
    pub check: bool,
    /// One line for each flag that was given and has no effect.
    pub warnings: Vec<String>,
    /// The words that are no flags.
    pub words: Vec<String>,
}

impl Flags {
    /// Reads the words behind the program's name.
    ///
    /// # Errors
    /// The first word that is no flag of ours or has a value that is none.
    pub fn read(args: impl Iterator<Item = OsString>) -> Result<Flags, ArgError> {
        let normal = go_flags::normalize(args)?;
        let mut parser = getopts::Options::new();
        for spec in table::all().filter(|spec| !spec.flags.is_empty()) {
            // Switches have a value too in the normal form, and every flag may be repeated.
            parser.optmulti("", spec.long_flag(), spec.help, spec.operand);
        }
        let matches = parser.parse(normal).map_err(|error| ArgError::syntax(error.to_string()))?;
        let mut flags = Flags {
            given: Vec::new(),
            help: false,
            version: false,
            signal: None,
            check: false,
            warnings: Vec::new(),
            words: matches.free.clone(),
        };
        let mut placed = Vec::new();
        for spec in table::all().filter(|spec| !spec.flags.is_empty()) {
            // Of repeated flags the last one wins, under whatever alias.
            let Some((place, text)) = matches.opt_strs_pos(spec.long_flag()).pop() else { continue };
            let value = spec.kind.read(&text).map_err(|fault| ArgError::syntax(fault.to_string()))?;
            match spec.effect {
                Effect::Help => flags.help = value == Value::Switch(true),
                Effect::Version => flags.version = value == Value::Switch(true),
                // An empty text asks for nothing.
                Effect::Signal => flags.signal = value.text().ok().filter(|text| !text.is_empty()),
                Effect::Check => flags.check = value == Value::Switch(true),
                Effect::Ignored if value == Value::Switch(false) => {}
                Effect::Ignored => {
                    let warning = format!("--{} is not supported and is ignored", spec.long_flag());
                    flags.warnings.push(warning);
                }
                Effect::Set { .. } => placed.push((place, spec, value)),
            }
        }
        placed.sort_by_key(|(place, ..)| *place);
        flags.given = placed.into_iter().map(|(_, spec, value)| (spec, value)).collect();
        Ok(flags)
    }

    /// Puts the values given into `options`, over what is in them.
    ///
    /// # Errors
    /// The first value that its option does not allow.
    pub fn apply(&self, options: &mut Options) -> Result<(), ArgError> {
        for (spec, value) in &self.given {
            spec.apply(options, value.clone()).map_err(ArgError::sense)?;
        }
        Ok(())
    }
}
