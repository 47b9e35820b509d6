//! Certificates and keys from files, and which certificate a client is shown.

use crate::config::tls::KeyPair;
use crate::sys::error_text;
use crate::wire::certificate;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::path::Path;
use std::sync::Arc;

/// The largest certificate or key file, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The server's certificates.
#[derive(Debug)]
pub struct Chosen {
    certificates: Vec<Certificate>,
}

#[derive(Debug)]
struct Certificate {
    /// The host names it is for.
    names: Vec<String>,
    /// When it expires, in seconds since 1970.
    expires: Option<i64>,
    key: Arc<CertifiedKey>,
}

/// Loads the server's certificates.
///
/// # Errors
/// A line in the words of the official server.
pub fn load(pairs: &[KeyPair], provider: &CryptoProvider) -> Result<Chosen, String> {
    let certificates = pairs.iter().map(|pair| {
        pair_of(pair, provider).map_err(|reason| format!("error parsing X509 certificate/key pair: {reason}"))
    });
    Ok(Chosen { certificates: certificates.collect::<Result<_, _>>()? })
}

fn pair_of(pair: &KeyPair, provider: &CryptoProvider) -> Result<Certificate, String> {
    let chain_text = read(&pair.certificate)?;
    let key_text = read(&pair.key)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain_text)
        .collect::<Result<_, _>>()
        .map_err(|_| "tls: failed to parse the PEM data in certificate input")?;
    let Some(first) = chain.first() else {
        return Err("tls: failed to find any PEM data in certificate input".to_owned());
    };
    let parsed = certificate::read(first).ok_or("x509: malformed certificate")?;
    let names = parsed.dns_names().map(str::to_ascii_lowercase).collect();
    let expires = parsed.not_after;
    let key = PrivateKeyDer::from_pem_slice(&key_text)
        .map_err(|_| "tls: failed to find PEM block with a private key in key input")?;
    let key = provider.key_provider.load_private_key(key).map_err(|_| "tls: failed to parse private key")?;
    let key = CertifiedKey::new(chain, key);
    match key.keys_match() {
        // A key that does not tell its public half is taken as it is.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
        Err(_) => return Err("tls: private key does not match public key".to_owned()),
    }
    Ok(Certificate { names, expires, key: Arc::new(key) })
}

/// The authorities in a file.
///
/// # Errors
/// A line in the words of the official server.
pub fn roots(path: Option<&Path>) -> Result<RootCertStore, String> {
    let Some(path) = path else {
        return Err("missing 'ca_file' in TLS configuration: certificates cannot be verified".to_owned());
    };
    let text = read(path)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text).flatten() {
        roots.add(certificate).map_err(|_| "failed to parse root ca certificate")?;
    }
    if roots.is_empty() {
        return Err("failed to parse root ca certificate".to_owned());
    }
    Ok(roots)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: &std::io::Error| format!("open {}: {}", path.display(), error_text(error));
    let size = std::fs::metadata(path).map_err(|error| failed(&error))?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("open {}: file is too large", path.display()));
    }
    std::fs::read(path).map_err(|error| failed(&error))
}

impl Chosen {
    /// When the first of them expires, in seconds since 1970.
    pub fn expires(&self) -> Option<i64> {
        self.certificates.iter().filter_map(|certificate| certificate.expires).min()
    }

    /// The first, to be shown where nobody asks for a name.
    pub fn first(&self) -> Option<Arc<CertifiedKey>> {
        self.certificates.first().map(|certificate| Arc::clone(&certificate.key))
    }

    /// The certificate for a host name, in lower case; the first one if none is for it.
    fn by_name(&self, name: Option<&str>) -> Option<&Certificate> {
        let named = name.and_then(|name| {
            self.certificates.iter().find(|certificate| certificate.names.iter().any(|known| is_for(known, name)))
        });
        named.or(self.certificates.first())
    }
}

impl ResolvesServerCert for Chosen {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        self.by_name(name.as_deref()).map(|certificate| Arc::clone(&certificate.key))
    }
}

/// Whether a certificate's name, perhaps one with a wildcard for its first label, is for this host.
fn is_for(known: &str, host: &str) -> bool {
    match known.strip_prefix("*.") {
        Some(domain) => host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == domain),
        None => known == host,
    }
}

#[cfg(test)]
mod tests {
    use super::is_for;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        assert!(is_for("a.example", "a.example") && is_for("*.example", "a.example"));
        assert!(
            !is_for("*.example", "b.a.example") && !is_for("*.example", "example") && !is_for("*.example", ".example")
        );
        assert!(!is_for("a.example", "b.example"));
    }
}
