//! Texts that nobody may see.

use super::redact::REDACTED;
use std::fmt;
use std::hint::black_box;

/// A password, token or signature. It does not show in debug output.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// An empty one.
    pub const NONE: Secret = Secret(String::new());

    /// The text itself, to be compared or checked and for nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// True if it is empty, as one that was not given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True if it is a hash of bcrypt: `$2a$`, `$2b$`, `$2x$` or `$2y$`, two digits and `$`.
    pub fn is_bcrypt(&self) -> bool {
        matches!(self.0.as_bytes(), [b'$', b'2', b'a' | b'b' | b'x' | b'y', b'$', b'0'..=b'9', b'0'..=b'9', b'$', ..])
    }

    /// Whether `given` is this text. The time it takes depends on the length of `given` only.
    pub fn is(&self, given: &Secret) -> bool {
        let (known, given) = (self.0.as_bytes(), given.0.as_bytes());
        let mut difference = known.len() ^ given.len();
        for (at, byte) in given.iter().enumerate() {
            let other = known.get(at % known.len().max(1)).copied().unwrap_or_default();
            difference |= usize::from(black_box(byte ^ other));
        }
        black_box(difference) == 0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        String::deserialize(json).map(Self)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { REDACTED })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_text_is_the_same() {
        let texts = ["", "a", "b", "aa", "ab", "aaa", "s3cret", "s3creT", "\u{a7}12\u{a7}"].map(Secret::from);
        for one in &texts {
            for other in &texts {
                assert_eq!(one.is(other), one.reveal() == other.reveal(), "{:?} {:?}", one.reveal(), other.reveal());
            }
        }
    }

    #[test]
    fn hashes_are_known_by_their_prefix() {
        for text in ["$2a$10$x", "$2b$04$", "$2x$11$abc", "$2y$31$"] {
            assert!(Secret::from(text).is_bcrypt(), "{text}");
        }
        for text in ["", "$2a$", "$2z$10$x", "$2a$1$xx", "$2a$1x$x", "x$2a$10$x", "$1a$10$x", "$2a10$xx"] {
            assert!(!Secret::from(text).is_bcrypt(), "{text}");
        }
    }

    #[test]
    fn it_does_not_show() {
        assert_eq!(format!("{:?} {:?}", Secret::from("s3cret"), Secret::default()), "[REDACTED] none");
    }
}
