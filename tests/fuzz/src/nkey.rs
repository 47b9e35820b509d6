//! Public keys, signatures and hashes as text.
//!
//! - What is taken for a key is exactly what that key is written as.
//! - A signature is 86 characters, or 86 and two signs of equality.
//! - A hash is read or not, without a panic.

use midge::broker::auth::check::Hash;
use midge::wire::{Secret, nkey};

/// Checks one input.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for kind in [nkey::USER, nkey::SERVER] {
        if let Some(key) = nkey::decode(kind, text) {
            assert_eq!(nkey::encode(kind, &key), text);
        }
    }
    if nkey::signature(text).is_some() {
        assert_eq!(text.len(), if text.ends_with("==") { 88 } else { 86 });
    }
    if Hash::parse(&Secret::from(text)).is_some() {
        assert_eq!(text.len(), 60);
    }
    if let Ok(key) = <[u8; 32]>::try_from(data) {
        assert_eq!(nkey::decode(nkey::USER, &nkey::encode(nkey::USER, &key)), Some(key));
    }
}
