//! JSON documents that peers send, read as tolerantly as Go reads them: unknown keys are ignored, keys match in any case,
//! `null` leaves what was there, of a repeated key the last wins, invalid UTF-8 becomes U+FFFD, and `null` for the whole
//! equals `{}`. A wrong type or broken JSON is an error.

use serde::de::{Deserializer, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// What a document is read into, on top of the values at hand.
pub trait Document {
    /// Takes the value of one key, which is in lower case.
    fn value<'de, M: MapAccess<'de>>(&mut self, key: &str, map: &mut M) -> Result<(), M::Error>;
}

/// Decodes `document` on top of `into`, which on an error may hold a part of it.
///
/// # Errors
/// What is wrong with the JSON, with its place in the document but none of its values.
pub fn decode(document: &[u8], into: &mut impl Document) -> Result<(), String> {
    let text = without_lone_surrogates(String::from_utf8_lossy(document));
    let mut json = serde_json::Deserializer::from_str(&text);
    json.deserialize_option(Whole(into)).and_then(|()| json.end()).map_err(|error| {
        let kind = match error.classify() {
            serde_json::error::Category::Data => "wrong type",
            _ => "bad JSON",
        };
        format!("{kind} at column {}", error.column())
    })
}

/// Sets a field to the value that comes, unless that is `null`.
pub fn set<'de, T: serde::Deserialize<'de>, M: MapAccess<'de>>(field: &mut T, map: &mut M) -> Result<(), M::Error> {
    if let Some(value) = map.next_value::<Option<T>>()? {
        *field = value;
    }
    Ok(())
}

/// Replaces each `\u` escape of half a surrogate pair by U+FFFD, as Go does, where our JSON reader gives up.
fn without_lone_surrogates(text: Cow<str>) -> Cow<str> {
    let unit = |at: usize| {
        let escape = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(escape, 16).ok()
    };
    let mut mended = None;
    let mut at = 0;
    while let Some(step) = text[at..].find('\\') {
        at += step;
        let next = match unit(at) {
            Some(0xd800..0xdc00) if matches!(unit(at + 6), Some(0xdc00..0xe000)) => at + 12,
            Some(0xd800..0xe000) => {
                mended.get_or_insert_with(|| text.clone().into_owned()).replace_range(at..at + 6, "\\ufffd");
                at + 6
            }
            // Whatever it escapes, a backslash included, is one ASCII character or an error for the reader.
            _ => (at + 2).min(text.len()),
        };
        if !text.is_char_boundary(next) {
            break;
        }
        at = next;
    }
    mended.map_or(text, Cow::Owned)
}

/// The document as a whole: an object, or `null`.
struct Whole<'c, D>(&'c mut D);

impl<'de, D: Document> Visitor<'de> for Whole<'_, D> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<J: Deserializer<'de>>(self, json: J) -> Result<(), J::Error> {
        json.deserialize_map(self)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(mut key) = map.next_key::<String>()? {
            key.make_ascii_lowercase();
            self.0.value(&key, &mut map)?;
        }
        Ok(())
    }
}
