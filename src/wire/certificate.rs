//! What an X.509 certificate says of its owner: names, public key, end of its time. Whether that is true was found out
//! before, by the TLS engine.
//!
//! rustls checks certificates but tells neither e-mail addresses nor the subject nor the time; crates that do bring a dozen
//! more with them. All that is needed is a walk over some nested values.

use super::der::{self, Item, Items};
use super::distinguished::{Name, Part};

/// The tags of names: an e-mail address, a host name, a URI.
const EMAIL: u8 = 0x81;
const HOST: u8 = 0x82;
const URI: u8 = 0x86;

/// The identifier of the extension that has names: 2.5.29.17.
const NAMES_EXTENSION: &[u8] = &[0x55, 0x1d, 0x11];

/// Parts of a certificate.
#[derive(Debug, Clone)]
pub struct Certificate<'a> {
    /// When it expires, in seconds since 1970; none if that cannot be read.
    pub not_after: Option<i64>,
    /// Its public key, whole: what pinned digests are made of.
    pub public_key: &'a [u8],
    subject: &'a [u8],
    names: &'a [u8],
}

/// Finds the parts of a certificate in DER form; none if it is not built like one.
pub fn read(certificate: &[u8]) -> Option<Certificate<'_>> {
    let whole = Items(certificate).expect(der::SEQUENCE)?;
    let mut parts = Items(Items(whole.content).expect(der::SEQUENCE)?.content);
    // The version, which the first one has not; serial number, algorithm, issuer.
    parts.accept(0xa0);
    parts.nth(2)?;
    let time = parts.expect(der::SEQUENCE)?;
    let subject = parts.expect(der::SEQUENCE)?.content;
    let public_key = parts.expect(der::SEQUENCE)?.whole;
    let extensions = parts.find(|part| part.tag == 0xa3);
    let not_after = Items(time.content).nth(1).and_then(seconds);
    let names = extensions.and_then(|all| names_in(all.content)).unwrap_or_default();
    Some(Certificate { not_after, public_key, subject, names })
}

/// The names, in the extensions of a certificate.
fn names_in(extensions: &[u8]) -> Option<&[u8]> {
    for extension in Items(Items(extensions).expect(der::SEQUENCE)?.content) {
        let mut parts = Items(extension.content);
        let is_names = parts.expect(der::OID).is_some_and(|id| id.content == NAMES_EXTENSION);
        if is_names {
            parts.accept(der::BOOLEAN);
            return Some(Items(parts.expect(der::OCTETS)?.content).expect(der::SEQUENCE)?.content);
        }
    }
    None
}

impl<'a> Certificate<'a> {
    /// The host names it is for.
    pub fn dns_names(&self) -> impl Iterator<Item = &'a str> {
        self.names(HOST)
    }

    fn names(&self, kind: u8) -> impl Iterator<Item = &'a str> {
        let of_kind = Items(self.names).filter(move |name| name.tag == kind);
        of_kind.filter_map(|name| std::str::from_utf8(name.content).ok()).filter(|name| !name.is_empty())
    }
}

/// Who the peer is, as its certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// E-mail addresses, host names and URIs, in this order.
    pub names: Vec<String>,
    /// The subject, the most specific part first, as people write it.
    pub subject: Name,
}

impl PeerCertificate {
    /// What a certificate in DER form says; none if it is not built like one.
    pub fn read(certificate: &[u8]) -> Option<Self> {
        let certificate = read(certificate)?;
        let names = [EMAIL, HOST, URI].into_iter().flat_map(|kind| certificate.names(kind));
        let names = names.map(str::to_owned).collect();
        let mut parts: Vec<Vec<Part>> = Items(certificate.subject).map(|set| attributes(&set)).collect();
        parts.reverse();
        Some(Self { names, subject: Name(parts) })
    }

    /// The first of the users whom the certificate names: by an e-mail address, else by a host name, by a URI, by the
    /// subject in its order, by the subject in any order, by the subject without its domain components.
    pub fn find<'u>(&self, users: impl Iterator<Item = &'u str> + Clone) -> Option<&'u str> {
        let by_name = self.names.iter().find_map(|name| users.clone().find(|user| user == name));
        if by_name.is_some() || self.subject.0.is_empty() {
            return by_name;
        }
        let named = || {
            let written_as_names = users.clone().filter(|user| user.contains('='));
            written_as_names.filter_map(|user| Some((user, Name::parse(user)?)))
        };
        let bare = self.subject.without_domain();
        let in_order = named().find(|(_, name)| *name == self.subject);
        let found = in_order.or_else(|| named().find(|(_, name)| name.has_same_parts(&self.subject)));
        found.or_else(|| named().find(|(_, name)| !bare.0.is_empty() && *name == bare)).map(|(user, _)| user)
    }
}

/// The attributes of one part of a subject.
fn attributes(set: &Item) -> Vec<Part> {
    let attribute = |pair: Item| {
        let mut pair = Items(pair.content);
        let kind = pair.expect(der::OID)?;
        Some(Part::of(kind.content, &pair.next()?))
    };
    Items(set.content).filter_map(attribute).collect()
}

/// A time as seconds since 1970.
fn seconds(time: Item) -> Option<i64> {
    let digits = time.content.strip_suffix(b"Z")?;
    let number = |at: usize, len: usize| -> Option<i64> {
        let digits = digits.get(at..at + len)?;
        digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))
    };
    let (year, at) = match (time.tag, digits.len()) {
        (der::UTC_TIME, 12) => match number(0, 2)? {
            year @ 50.. => (1900 + year, 2),
            year => (2000 + year, 2),
        },
        (der::GENERAL_TIME, 14) => (number(0, 4)?, 4),
        _ => return None,
    };
    let (month, day) = (number(at, 2)?, number(at + 2, 2)?);
    let (hour, minute, second) = (number(at + 4, 2)?, number(at + 6, 2)?, number(at + 8, 2)?);
    // Years that begin in March, so that the day that some years have more is their last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = year * 365 + leaps + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
#[path = "certificate_tests.rs"]
mod tests;
