//! The one table of options.
//!
//! To add an option: add a field to [`Options`] and an entry to the file of its group here. The command line and `--help`
//! follow; the man page's test then asks for its description.

mod access;
mod cluster;
mod common;
mod limits;
mod logging;
mod monitoring;
mod security;
mod server;
pub(in crate::config) mod set;

use super::options::Options;
use super::value::{Kind, Value};

/// Everything known about one option.
#[derive(Debug)]
pub struct Spec {
    /// Its names on the command line, without dashes; none when it is only in the file. One of them has two letters or
    /// more, because getopts wants such a name.
    pub flags: &'static [&'static str],
    /// Its names in the configuration file, the usual one first; none when it is only a flag.
    pub keys: &'static [&'static str],
    /// What it takes.
    pub kind: Kind,
    /// What `--help` calls the value; empty for switches.
    pub operand: &'static str,
    /// Its default as the operator would write it; empty when it has none.
    pub default: &'static str,
    /// A value that also stands for the default, as the official server has it.
    pub stands_for_default: Option<Value>,
    /// What a reload does with a changed value.
    pub reload: Reload,
    /// Where `--help` shows it.
    pub group: Group,
    /// What it is for, in one line; without the default, which is added.
    pub help: &'static str,
    /// What giving it does.
    pub effect: Effect,
}

/// Whether a reload may change an option of the running server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// Applied to the running server.
    Applied,
    /// Refused, and the whole reload with it. The name is what the official server calls the option then.
    Refused(&'static str),
    /// Cannot be in a file, or is another way to say what other options are.
    Never,
}

/// The sections of `--help` and the man pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Where it listens and what it is called.
    Server,
    /// Which servers it forms a cluster with.
    Cluster,
    /// What it logs.
    Logging,
    /// How connections are protected.
    Security,
    /// Where it shows what it does, and to whom.
    Monitoring,
    /// What a client may cost.
    Limits,
    /// Who may connect.
    Access,
    /// Help and version.
    Common,
}

impl Group {
    /// The options in it.
    fn options(self) -> &'static [Spec] {
        match self {
            Group::Server => server::OPTIONS,
            Group::Cluster => cluster::OPTIONS,
            Group::Logging => logging::OPTIONS,
            Group::Security => security::OPTIONS,
            Group::Monitoring => monitoring::OPTIONS,
            Group::Limits => limits::OPTIONS,
            Group::Access => access::OPTIONS,
            Group::Common => common::OPTIONS,
        }
    }

    /// Every group in the order shown.
    pub const ALL: [Group; 8] = [
        Group::Server,
        Group::Cluster,
        Group::Logging,
        Group::Security,
        Group::Monitoring,
        Group::Limits,
        Group::Access,
        Group::Common,
    ];

    /// The heading in `--help`.
    pub fn title(self) -> &'static str {
        match self {
            Group::Server => "Server options",
            Group::Cluster => "Cluster options",
            Group::Logging => "Logging options",
            Group::Security => "TLS options",
            Group::Monitoring => "Monitoring options",
            Group::Limits => "Limits",
            Group::Access => "Authorization options",
            Group::Common => "Common options",
        }
    }
}

/// What giving an option does.
#[derive(Clone, Copy, Debug)]
pub enum Effect {
    /// Sets something in the options.
    Set {
        /// Puts a value of the option's kind in; the error is a whole line that names the option.
        set: fn(&mut Options, Value) -> Result<(), String>,
        /// What is in; None when nothing is.
        get: fn(&Options) -> Option<Value>,
    },
    /// Prints help.
    Help,
    /// Prints the version.
    Version,
    /// Sends a signal to a running server.
    Signal,
    /// Checks the configuration file, and nothing else.
    Check,
    /// Nothing but a warning: the flag is known because scripts for the official server give it.
    Ignored,
}

impl Spec {
    /// The name getopts knows it by; empty when it is only in the file.
    pub fn long_flag(&self) -> &'static str {
        self.flags.iter().copied().find(|flag| flag.len() > 1).unwrap_or_default()
    }

    /// Puts `value` into `options`, or the default where the value stands for it.
    ///
    /// # Errors
    /// A line that says what the option allows.
    pub fn apply(&self, options: &mut Options, value: Value) -> Result<(), String> {
        let Effect::Set { set, .. } = self.effect else { return Ok(()) };
        if self.stands_for_default.as_ref() == Some(&value) {
            self.set_default(options);
            return Ok(());
        }
        set(options, value)
    }

    /// Puts the default into `options`; leaves them alone when there is none.
    pub(super) fn set_default(&self, options: &mut Options) {
        if let Effect::Set { set, .. } = self.effect
            && !self.default.is_empty()
        {
            let outcome = self.kind.read(self.default).map(|value| set(options, value));
            debug_assert_eq!(outcome, Ok(Ok(())), "{:?} is no value of {:?}", self.default, self.keys);
        }
    }
}

impl PartialEq for Spec {
    /// No two options have a name in common.
    fn eq(&self, other: &Self) -> bool {
        (self.flags, self.keys) == (other.flags, other.keys)
    }
}

impl Eq for Spec {}

/// Every option, in the order of the groups and within them.
pub fn all() -> impl Iterator<Item = &'static Spec> {
    Group::ALL.into_iter().flat_map(|group| group.options())
}

/// The option whose flag is `name` (without dashes).
pub fn by_flag(name: &str) -> Option<&'static Spec> {
    all().find(|spec| spec.flags.contains(&name))
}

/// The option whose key in the file is `key`, in any case.
pub fn by_key(key: &str) -> Option<&'static Spec> {
    all().find(|spec| spec.keys.iter().any(|known| known.eq_ignore_ascii_case(key)))
}
