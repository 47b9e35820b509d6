//! Keys that are known beforehand.

use super::failure::Failure;
use super::suites;
use crate::config::tls::TlsSettings;

/// The public keys that peers may have, by their SHA-256 digests; any, if there are none.
#[derive(Debug)]
pub struct Pins(Vec<[u8; 32]>);

impl Pins {
    /// As configured.
    pub fn new(settings: &TlsSettings) -> Self {
        Self(settings.pinned_certs.clone())
    }

    /// Whether a peer with this public key may come in.
    ///
    /// # Errors
    /// If it may not.
    pub fn check(&self, public_key: Option<&[u8]>) -> Result<(), Failure> {
        if self.0.is_empty() {
            return Ok(());
        }
        match public_key.map(suites::sha256) {
            Some(digest) if self.0.iter().any(|pin| pin[..] == digest[..]) => Ok(()),
            _ => Err(Failure::NotPinned),
        }
    }
}
