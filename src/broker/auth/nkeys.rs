//! Nonces, and whether they were signed. Both need the cryptography that a build without the feature `tls` lacks; there the
//! configuration refuses users with nkeys.

use crate::wire::base64;
use crate::wire::nkey::PublicKey;

/// Bytes of a nonce before they are text.
const NONCE_BYTES: usize = 11;

/// Nonces that nobody can foretell, a fresh one for each connection.
#[derive(Debug)]
pub struct Nonces(#[cfg(feature = "tls")] ring::hmac::Key);

#[cfg(feature = "tls")]
impl Nonces {
    /// From two numbers that are secret.
    pub fn new(seeds: [u64; 2]) -> Self {
        let bytes = seeds.map(u64::to_le_bytes);
        Self(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, bytes.as_flattened()))
    }

    /// The nonce of a connection: 15 characters.
    pub fn of(&self, cid: u64) -> String {
        let tag = ring::hmac::sign(&self.0, &cid.to_le_bytes());
        base64::encode(&tag.as_ref()[..NONCE_BYTES], base64::URL_SAFE)
    }
}

/// Whether the signature of `message` is one by `key`.
#[cfg(feature = "tls")]
pub fn is_signed(key: &PublicKey, message: &[u8], signature: &[u8; 64]) -> bool {
    ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key).verify(message, signature).is_ok()
}

#[cfg(not(feature = "tls"))]
impl Nonces {
    /// Does nothing.
    pub fn new(_seeds: [u64; 2]) -> Self {
        Self()
    }

    /// Never used, and of no use.
    pub fn of(&self, _cid: u64) -> String {
        base64::encode(&[0; NONCE_BYTES], base64::URL_SAFE)
    }
}

/// Never true.
#[cfg(not(feature = "tls"))]
pub fn is_signed(_key: &PublicKey, _message: &[u8], _signature: &[u8; 64]) -> bool {
    false
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use super::*;

    #[test]
    fn nonces_are_fresh_and_of_the_usual_length() {
        let nonces = Nonces::new([1, 2]);
        assert_eq!((nonces.of(1).len(), nonces.of(1)), (15, nonces.of(1)));
        assert_ne!(nonces.of(1), nonces.of(2));
        assert_ne!(nonces.of(1), Nonces::new([2, 1]).of(1));
        let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        assert!((0..100).all(|cid| nonces.of(cid).bytes().all(is_safe)));
    }

    #[test]
    fn only_the_right_key_signs() {
        use ring::signature::{Ed25519KeyPair, KeyPair};
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let key: PublicKey = pair.public_key().as_ref().try_into().unwrap();
        let signature: [u8; 64] = pair.sign(b"nonce").as_ref().try_into().unwrap();
        assert!(is_signed(&key, b"nonce", &signature));
        assert!(!is_signed(&key, b"n0nce", &signature));
        assert!(!is_signed(&[7; 32], b"nonce", &signature));
        let mut other = signature;
        other[5] ^= 1;
        assert!(!is_signed(&key, b"nonce", &other));
    }
}
