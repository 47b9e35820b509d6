//! The names in a client's certificate, and which user it is for.
//!
//! The input is a certificate and behind it, from the last zero byte on, the name of a user.
//!
//! - Both are read or refused, without a panic.
//! - A certificate is only for users that are asked about, and for every one that its names spell.
//! - A name has the same parts as itself, in whatever order.

use midge::wire::certificate::{self, PeerCertificate};
use midge::wire::distinguished::Name;

/// Checks one input.
pub fn run(data: &[u8]) {
    let cut = data.iter().rposition(|&byte| byte == 0).map_or(data.len(), |at| at + 1);
    let (certificate, user) = data.split_at(cut);
    let user = String::from_utf8_lossy(user);
    if let Some(mut name) = Name::parse(&user) {
        let before = name.clone();
        name.0.reverse();
        assert!(name.has_same_parts(&before));
        assert!(name.without_domain().0.len() <= before.0.len());
    }
    if let Some(parts) = certificate::read(certificate) {
        assert!(parts.public_key.len() <= certificate.len());
        assert!(parts.dns_names().all(|name| !name.is_empty()));
    }
    let Some(peer) = PeerCertificate::read(certificate) else { return };
    let users = ["nobody", &user];
    assert!(peer.find(users.into_iter()).is_none_or(|found| users.contains(&found)));
    for name in &peer.names {
        assert_eq!(peer.find([name.as_str()].into_iter()), Some(name.as_str()));
    }
}
