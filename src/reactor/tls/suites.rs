//! The cipher suites and curves that can be had, by the names operators know them by.

use crate::config::tls::{CIPHER_SUITES, CURVES};
use rustls::crypto::ring::{cipher_suite as suite, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup, ring};
use rustls::{CipherSuite, SupportedCipherSuite};

/// In the order of [`CIPHER_SUITES`].
const SUITES: [SupportedCipherSuite; CIPHER_SUITES.len()] = [
    suite::TLS13_AES_128_GCM_SHA256,
    suite::TLS13_AES_256_GCM_SHA384,
    suite::TLS13_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// In the order of [`CURVES`].
const GROUPS: [&dyn SupportedKxGroup; CURVES.len()] = [kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];

/// The engine's parts with these suites and curves, or with those that suit this machine where none are named.
pub fn provider(suites: &[&str], curves: &[&str]) -> CryptoProvider {
    let mut cipher_suites: Vec<_> = suites.iter().filter_map(|suite| of(suite, &CIPHER_SUITES, &SUITES)).collect();
    let mut usual = SUITES.to_vec();
    if !has_aes() {
        // A stable sort: those without AES come first, and otherwise nothing moves.
        usual.sort_by_key(|suite| name(suite.suite()).contains("AES"));
    }
    for is_13 in [true, false] {
        let of_version = |suite: &SupportedCipherSuite| suite.tls13().is_some() == is_13;
        if !cipher_suites.iter().any(of_version) {
            cipher_suites.extend(usual.iter().copied().filter(of_version));
        }
    }
    let named = || curves.iter().filter_map(|curve| of(curve, &CURVES, &GROUPS)).collect();
    let kx_groups = if curves.is_empty() { GROUPS.to_vec() } else { named() };
    CryptoProvider { cipher_suites, kx_groups, ..ring::default_provider() }
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    let suite = suite::TLS13_AES_128_GCM_SHA256.tls13();
    suite.map(|suite| suite.common.hash_provider.hash(bytes).as_ref().to_vec()).unwrap_or_default()
}

fn of<T: Copy, const N: usize>(name: &str, names: &[&str; N], values: &[T; N]) -> Option<T> {
    names.iter().position(|known| *known == name).map(|at| values[at])
}

/// The standard's name of a suite.
pub fn name(suite: CipherSuite) -> &'static str {
    SUITES.iter().position(|known| known.suite() == suite).map_or("unknown", |at| CIPHER_SUITES[at])
}

/// True if the machine helps with AES, without which ChaCha20 is several times as fast.
fn has_aes() -> bool {
    #[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
    return std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")))]
    return false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_suites_and_curves_beside_them() {
        for (name, suite) in CIPHER_SUITES.iter().zip(SUITES) {
            let known = format!("{:?}", suite.suite()).replace("TLS13_", "TLS_");
            assert_eq!(*name, known);
            assert_eq!(super::name(suite.suite()), *name);
        }
        for (name, group) in CURVES.iter().zip(GROUPS) {
            let known = format!("{:?}", group.name()).to_lowercase().replace("secp256r1", "curvep256");
            assert_eq!(name.to_lowercase(), known.replace("secp384r1", "curvep384"));
        }
    }

    #[test]
    fn the_suites_of_a_version_that_none_is_named_of_are_all_offered() {
        let names = |suites: &[&str]| -> Vec<&str> {
            provider(suites, &[]).cipher_suites.iter().map(|suite| name(suite.suite())).collect()
        };
        assert_eq!(names(&[]).len(), CIPHER_SUITES.len());
        let only_one = names(&["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"]);
        assert_eq!(only_one.iter().filter(|name| name.contains("ECDHE")).count(), 1);
        assert_eq!(only_one.len(), 4);
        assert_eq!(names(&["TLS_CHACHA20_POLY1305_SHA256"]).len(), 7);
        assert_eq!(provider(&[], &["CurveP256"]).kx_groups.len(), 1);
    }
}
