//! What a file says: maps, arrays and scalars with their places.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use crate::log::Escaped;

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file as the operator or the include called it.
    pub file: Rc<str>,
    /// Counted from 1.
    pub line: usize,
    /// In bytes, counted from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", Escaped(self.file.as_bytes()), self.line, self.column)
    }
}

/// Something to say about a place; shown as one line, `file:line:column: reason`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key for what makes no sense, the offending byte for what is not well formed.
    pub place: Place,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

impl std::error::Error for Problem {}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// `true`, `off` and so on.
    Switch(bool),
    /// A whole number with its size suffix multiplied in.
    Integer(i64),
    /// A number with a point; finite.
    Float(f64),
    /// A text of any spelling.
    Text(String),
    /// `[ ]`
    List(Vec<Item>),
    /// `{ }`
    Map(Map),
}

impl Data {
    /// What kind of value it is, as messages call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Data::Switch(_) => "a boolean",
            Data::Integer(_) => "an integer",
            Data::Float(_) => "a float",
            Data::Text(_) => "a string",
            Data::List(_) => "an array",
            Data::Map(_) => "a map",
        }
    }

    /// Roughly the bytes that a copy takes, and how deep it is nested: 0 for a scalar.
    pub(super) fn measure(&self) -> (usize, usize) {
        const EACH: usize = 16;
        let below = |items: &mut dyn Iterator<Item = (usize, usize)>| {
            let (bytes, depth) = items.fold((EACH, 0), |sum, (bytes, depth)| (sum.0 + bytes, sum.1.max(depth)));
            (bytes, depth + 1)
        };
        match self {
            Data::Switch(_) | Data::Integer(_) | Data::Float(_) => (EACH, 0),
            Data::Text(text) => (EACH + text.len(), 0),
            Data::List(items) => below(&mut items.iter().map(|item| item.data.measure())),
            Data::Map(map) => below(&mut map.entries().map(|entry| {
                let (bytes, depth) = entry.data.measure();
                (bytes + entry.key.len(), depth)
            })),
        }
    }
}

/// A value in an array.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Where it begins.
    pub place: Place,
    /// The value.
    pub data: Data,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// As written, without quotes.
    pub key: String,
    /// Where the key begins.
    pub place: Place,
    /// The value.
    pub data: Data,
    /// A variable below refers to it, so it need not be the name of an option.
    pub is_used: bool,
}

/// The entries of a file or of a `{ }`. Of those with the same key only the last is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    /// None where an entry was replaced by a later one.
    slots: Vec<Option<Entry>>,
    /// The slot of each key, once there are too many to look at all of them.
    index: HashMap<String, usize>,
}

/// Entries from which on a map has an index. Most maps are small, and of some kinds there may be very many in a file.
const INDEX_MIN: usize = 16;

impl Map {
    /// The entries in the order of the file.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.slots.iter().flatten()
    }

    /// The entry with exactly this key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.slot(key).and_then(|slot| self.slots[slot].as_ref())
    }

    fn slot(&self, key: &str) -> Option<usize> {
        if self.index.is_empty() {
            return self.slots.iter().position(|entry| entry.as_ref().is_some_and(|entry| entry.key == key));
        }
        self.index.get(key).copied()
    }

    /// Puts an entry behind the others, in place of an earlier one with the same key.
    pub(super) fn insert(&mut self, mut entry: Entry) {
        if let Some(slot) = self.slot(&entry.key)
            && let Some(earlier) = self.slots[slot].take()
        {
            entry.is_used |= earlier.is_used;
        }
        let at = self.slots.len();
        if !self.index.is_empty() {
            self.index.insert(entry.key.clone(), at);
        } else if at >= INDEX_MIN {
            let there = self.slots.iter().enumerate();
            let there = there.filter_map(|(slot, entry)| Some((entry.as_ref()?.key.clone(), slot)));
            self.index = there.chain([(entry.key.clone(), at)]).collect();
        }
        self.slots.push(Some(entry));
    }

    /// The value that a variable of this name stands for; its entry counts as used from now on.
    pub(super) fn refer(&mut self, name: &str) -> Option<&Data> {
        let slot = self.slot(name)?;
        let entry = self.slots[slot].as_mut()?;
        entry.is_used = true;
        Some(&entry.data)
    }

    /// Moves all entries out.
    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry> {
        self.slots.into_iter().flatten()
    }
}
