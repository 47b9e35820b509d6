//! Blocks of the configuration file: keys whose value is a map with keys of its own.
//!
//! A block is a small table like the one of the options: for each key its names, the kind of its value and what that
//! sets in the `T` that the block describes. To add a block at the top of the file, write its table in a file here and
//! put it into [`TOP`]; to describe its keys, put it into [`DESCRIBED`], and the test of the man page asks for the text.
//! A key with a shape of its own, such as a list of maps, reads its data itself ([`Takes::Data`]) and may use
//! further blocks for the maps in it.
//!
//! Everything that is wrong is told at once, each with its place; a key that is only there as a variable is no error.

mod accounts;
mod authorization;
mod cluster;
mod exchange;
mod mappings;
mod permissions;
mod tls;

use super::convert;
use super::lang::{Data, Entry, Item, Map, Place};
use super::options::Options;
use super::report::Report;
use super::value::{Kind, Value};
use crate::log::Quoted;

/// The blocks at the top of the file, and what else there has a shape of its own.
pub const TOP: Block<Options> = Block {
    keys: &[
        Key { names: &["authorization"], takes: Takes::Data("Map", authorization::read) },
        Key { names: &["accounts"], takes: Takes::Data("Map or array of strings", accounts::read) },
        Key { names: &["mappings", "maps"], takes: Takes::Data("Map", mappings::read_global) },
        Key { names: &["tls"], takes: Takes::Data("Map", tls::read) },
        Key { names: &["cluster"], takes: Takes::Data("Map", cluster::read) },
    ],
    unknown: unknown_field,
};

/// Looks whether blocks go together, once all have been read.
pub fn check(map: &Map, options: &Options, report: &mut Report) {
    accounts::check(map, options, report);
}

/// The sections of the man page about keys in blocks.
pub const DESCRIBED: &[Section] = &[
    Section { title: "Blocks", keys: || TOP.described() },
    Section { title: "Keys of tls", keys: tls::described },
    Section { title: "Keys of authorization", keys: || authorization::AUTHORIZATION.described() },
    Section { title: "Keys of cluster", keys: || cluster::CLUSTER.described() },
    Section { title: "Keys of authorization of a cluster", keys: || cluster::AUTHORIZATION.described() },
    Section { title: "Keys of an account", keys: || accounts::ACCOUNT.described() },
    Section { title: "Keys of an export", keys: || exchange::EXPORT.described() },
    Section { title: "Keys of an import", keys: || exchange::IMPORT.described() },
    Section { title: "Keys of stream and service in an import", keys: || exchange::SOURCE.described() },
    Section { title: "Keys of a destination in mappings", keys: || mappings::DESTINATION.described() },
    Section { title: "Keys of limits", keys: || accounts::LIMITS.described() },
    Section { title: "Keys of a user", keys: || authorization::USER.described() },
    Section { title: "Keys of permissions", keys: || permissions::PERMISSIONS.described() },
    Section { title: "Keys of publish and subscribe", keys: || permissions::SUBSCRIBE.described() },
    Section { title: "Keys of allow_responses", keys: || permissions::RESPONSES.described() },
];

/// The keys of a map that fill a `T`.
pub struct Block<T: 'static> {
    /// Every key that may be there, in the order in which the man page describes them.
    pub keys: &'static [Key<T>],
    /// What is said about any other; it gets the key in quotes.
    pub unknown: fn(Quoted) -> String,
}

/// One key of a block.
pub struct Key<T: 'static> {
    /// Its names, the usual one first; their case does not matter.
    pub names: &'static [&'static str],
    /// What its value is and does.
    pub takes: Takes<T>,
}

/// What the value of a key is and does.
pub enum Takes<T: 'static> {
    /// A value of a kind. The error is a whole line without the place, and without the value if that is a secret.
    Value(Kind, fn(&mut T, Value) -> Result<(), String>),
    /// Data of another shape, called so by the man page. What is wrong with it goes into the report.
    Data(&'static str, fn(&mut T, &Entry, &mut Report)),
}

/// A section of the man page about the keys of a block.
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// The keys that it describes.
    pub keys: fn() -> Vec<Described>,
}

/// A key as the man page knows it.
#[derive(Debug)]
pub struct Described {
    /// Its names.
    pub names: &'static [&'static str],
    /// The word or words that its description begins with.
    pub kind: &'static str,
}

impl<T> Block<T> {
    /// The key called `name`, in any case.
    pub fn key(&self, name: &str) -> Option<&'static Key<T>> {
        self.keys.iter().find(|key| key.names.iter().any(|known| known.eq_ignore_ascii_case(name)))
    }

    /// Reads the value of `entry`, which must be a map, into `into`.
    pub fn read(&self, entry: &Entry, into: &mut T, report: &mut Report) {
        self.read_data(&entry.place, &entry.data, into, report);
    }

    /// The same for data that stands at `place`, such as one map of a list.
    pub fn read_data(&self, place: &Place, data: &Data, into: &mut T, report: &mut Report) {
        match data {
            Data::Map(map) => self.read_map(map, into, report),
            other => report.error(place, format!("expected a map, got {}", other.kind())),
        }
    }

    /// Reads the entries of a map, in the order of the file.
    pub fn read_map(&self, map: &Map, into: &mut T, report: &mut Report) {
        for entry in map.entries() {
            match self.key(&entry.key) {
                Some(key) => key.read(entry, into, report),
                None if entry.is_used => {}
                None => report.error(&entry.place, (self.unknown)(Quoted(entry.key.as_bytes()))),
            }
        }
    }

    /// Its keys as the man page describes them.
    pub fn described(&self) -> Vec<Described> {
        let described = |key: &Key<T>| {
            let kind = match key.takes {
                Takes::Value(kind, _) => kind.title(),
                Takes::Data(kind, _) => kind,
            };
            Described { names: key.names, kind }
        };
        self.keys.iter().map(described).collect()
    }
}

impl<T> Key<T> {
    /// Reads the value of an entry with this key.
    pub fn read(&self, entry: &Entry, into: &mut T, report: &mut Report) {
        match self.takes {
            Takes::Value(kind, set) => {
                let outcome = convert::value(kind, entry, report).and_then(|value| set(into, value));
                if let Err(reason) = outcome {
                    report.error(&entry.place, reason);
                }
            }
            Takes::Data(_, read) => read(into, entry, report),
        }
    }
}

/// The items of an entry whose value must be an array; none if it is not.
pub fn list<'a>(entry: &'a Entry, report: &mut Report) -> &'a [Item] {
    match &entry.data {
        Data::List(items) => items,
        other => {
            report.error(&entry.place, format!("expected an array, got {}", other.kind()));
            &[]
        }
    }
}

/// What is usually said about a key that is not there.
pub fn unknown_field(key: Quoted) -> String {
    format!("unknown field {key}")
}

#[cfg(test)]
mod auth_tests;
#[cfg(test)]
mod exchange_tests;
#[cfg(test)]
mod tests;
