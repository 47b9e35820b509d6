//! Passwords behind bcrypt. To check one takes a good part of a second, on purpose; so it is not done by the worker, but
//! by whoever the owner of the broker gives a [`Check`] to.

use crate::wire::{Secret, base64};
use std::fmt;
use std::sync::Weak;

/// Bytes of a password that bcrypt looks at.
const PASSWORD_BYTES: usize = 72;

/// A hash of bcrypt.
#[derive(PartialEq, Eq)]
pub struct Hash {
    cost: u32,
    salt: [u8; 16],
    digest: [u8; 23],
}

impl Hash {
    /// Reads `$2b$11$`, 22 letters of salt and 31 of hash; what follows the `$2` makes no difference. None if it is no such
    /// hash.
    pub fn parse(text: &Secret) -> Option<Self> {
        let text = text.reveal().as_bytes();
        let cost = std::str::from_utf8(text.get(4..6)?).ok()?.parse().ok()?;
        let (salt, digest) = text.get(7..)?.split_at_checked(22)?;
        let hash =
            Self { cost, salt: base64::decode(salt, base64::BCRYPT)?, digest: base64::decode(digest, base64::BCRYPT)? };
        (4..=31).contains(&hash.cost).then_some(hash)
    }

    /// The logarithm of the number of rounds.
    pub fn cost(&self) -> u32 {
        self.cost
    }

    /// Whether the password has this hash. Takes long.
    fn is_of(&self, password: &Secret) -> bool {
        let password = password.reveal().as_bytes();
        let kept = password.len().min(PASSWORD_BYTES);
        let mut ended = [0; PASSWORD_BYTES];
        ended[..kept].copy_from_slice(&password[..kept]);
        let found = bcrypt::bcrypt(self.cost, self.salt, &ended[..(kept + 1).min(PASSWORD_BYTES)]);
        let difference = found.iter().zip(&self.digest).fold(0, |all, (one, other)| all | (one ^ other));
        std::hint::black_box(difference) == 0
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Hash(cost {})", self.cost)
    }
}

/// A password to be checked against a hash.
#[derive(Debug)]
pub struct Check {
    /// The connection that gave it, for the answer.
    pub key: u32,
    /// Its number, because keys are used again.
    pub cid: u64,
    /// Nothing is known against the address it comes from: it goes before others.
    pub is_trusted: bool,
    pub(super) password: Secret,
    pub(super) hash: std::sync::Arc<Hash>,
    /// Gone when the answer does not matter any more.
    pub(super) wanted: Weak<()>,
}

/// What came of a [`Check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The password has the hash.
    Right,
    /// It does not.
    Wrong,
    /// There was no time to look.
    Unknown,
}

impl Check {
    /// A check for another server, and what keeps it wanted.
    pub fn of_route(key: u32, cid: u64, password: Secret, hash: Hash) -> (Self, std::sync::Arc<()>) {
        let waits = std::sync::Arc::new(());
        let wanted = std::sync::Arc::downgrade(&waits);
        (Self { key, cid, is_trusted: true, password, hash: std::sync::Arc::new(hash), wanted }, waits)
    }

    /// Looks. Takes a good part of a second, or no time if nobody waits for the answer.
    pub fn run(&self) -> Verdict {
        if self.wanted.upgrade().is_none() {
            return Verdict::Unknown;
        }
        if self.hash.is_of(&self.password) { Verdict::Right } else { Verdict::Wrong }
    }
}

impl PartialEq for Check {
    fn eq(&self, other: &Self) -> bool {
        self.cid == other.cid && self.password == other.password && self.hash == other.hash
    }
}

impl Eq for Check {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_hashes_are_understood() {
        // From the test vectors that came with the first implementations.
        for (password, hash) in [
            ("", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkY8jIucDrjc8deX1s."),
            ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            ("U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
        ] {
            let hash = Secret::from(hash);
            let Some(hash) = Hash::parse(&hash) else {
                assert_eq!(hash.reveal().len(), 59, "the first is a letter short");
                continue;
            };
            assert!(hash.is_of(&password.into()), "{password:?}");
            assert!(!hash.is_of(&format!("{password}x").into()), "{password:?}");
        }
    }

    #[test]
    fn a_prefix_makes_no_difference_and_long_passwords_end_somewhere() {
        let long = "x".repeat(PASSWORD_BYTES);
        let digest = bcrypt::bcrypt(4, [7; 16], long.as_bytes());
        let body =
            format!("{}{}", base64::encode(&[7; 16], base64::BCRYPT), base64::encode(&digest[..23], base64::BCRYPT));
        for prefix in ["$2a$", "$2b$", "$2x$", "$2y$"] {
            let hash = Hash::parse(&format!("{prefix}04${body}").into()).unwrap();
            assert!(hash.is_of(&long.clone().into()));
            assert!(hash.is_of(&format!("{long}y").into()), "as with the official server, what is behind 72 bytes");
            assert!(!hash.is_of(&long[1..].into()));
            assert!(!format!("{hash:?}").contains(&body));
        }
        for text in [
            format!("$2a$03${body}"),
            format!("$2a$32${body}"),
            format!("$2a$04${}", &body[1..]),
            format!("$2a$04${body}x"),
        ] {
            assert_eq!(Hash::parse(&text.into()), None);
        }
        assert_eq!(Hash::parse(&"$2a$04$".into()), None);
        assert_eq!(Hash::parse(&format!("$2a$04$\u{e9}{}", &body[2..]).into()), None);
    }

    #[test]
    fn nobody_waits_in_vain_and_nobody_works_in_vain() {
        let waits = std::sync::Arc::new(());
        let digest = bcrypt::bcrypt(4, [7; 16], b"s\0");
        let hash = Hash { cost: 4, salt: [7; 16], digest: digest[..23].try_into().unwrap() };
        let wanted = std::sync::Arc::downgrade(&waits);
        let mut check =
            Check { key: 1, cid: 1, is_trusted: true, password: "s".into(), hash: std::sync::Arc::new(hash), wanted };
        assert_eq!(check.run(), Verdict::Right);
        check.password = "t".into();
        assert_eq!(check.run(), Verdict::Wrong);
        drop(waits);
        assert_eq!(check.run(), Verdict::Unknown);
    }
}
