use std::path::Path;

use super::*;
use crate::config::file;
use crate::config::lang;
use crate::config::tests::NOTHING;

/// What a file with a block of these lines says, errors, and warnings.
fn read(keys: &str) -> (TlsSettings, Vec<String>, Vec<String>) {
    let text = format!("tls {{\n{keys}\n}}");
    let map = lang::parse(Path::new("c.conf"), text.as_bytes(), &NOTHING).unwrap();
    let mut options = Options::default();
    let report = file::apply(&map, &mut options);
    let shown = |problems: &[lang::Problem]| problems.iter().map(ToString::to_string).collect();
    (*options.tls.unwrap_or_default(), shown(&report.errors), shown(&report.warnings))
}

fn good(keys: &str) -> TlsSettings {
    let (settings, errors, warnings) = read(&format!("cert_file: a.pem, key_file: a.key\n{keys}"));
    assert_eq!((errors, warnings), (vec![], vec![]), "{keys}");
    settings
}

fn pair(certificate: &str, key: &str) -> KeyPair {
    KeyPair { certificate: certificate.into(), key: key.into() }
}

#[test]
fn a_certificate_is_all_that_is_needed() {
    let settings = good("");
    assert_eq!(settings, TlsSettings { certificates: vec![pair("a.pem", "a.key")], ..TlsSettings::default() });
    assert_eq!((settings.timeout, settings.min_version), (Duration::from_secs(2), Version::Tls12));
}

#[test]
fn every_key_reaches_its_setting() {
    assert_eq!(good("ca_file: ca").ca_file.as_deref(), Some(Path::new("ca")));
    assert_eq!(good("ca_file: ca, verify: true").client_certificates, ClientCertificates::Verified);
    for both in ["verify: true, verify_and_map: true", "verify_and_map: true, verify: true", "verify_and_map: true"] {
        assert_eq!(good(&format!("ca_file: ca\n{both}")).client_certificates, ClientCertificates::Mapped);
    }
    assert_eq!(good("verify: false").client_certificates, ClientCertificates::NotAsked);
    assert_eq!(good("timeout: 0.5").timeout, Duration::from_millis(500));
    assert_eq!(good("timeout: '3s'").timeout, Duration::from_secs(3));
    assert_eq!(good("min_version: '1.3'").min_version, Version::Tls13);
    let suites = good("cipher_suites: [tls_aes_256_gcm_sha384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]").cipher_suites;
    assert_eq!(suites, ["TLS_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]);
    assert_eq!(good("curve_preferences: [CurveP256]").curve_preferences, ["CurveP256"]);
    assert_eq!(good("connection_rate_limit: 7").connection_rate_limit, 7);
    assert_eq!(good("connection_rate_limit: -7").connection_rate_limit, 0);
    let pin = "0f".repeat(32);
    assert_eq!(good(&format!("pinned_certs: [{pin:?}]")).pinned_certs, [[15; 32]]);
    for (text, first) in [
        ("true", HandshakeFirst::Always),
        ("false", HandshakeFirst::Never),
        ("auto", HandshakeFirst::Within(AUTO_DELAY)),
        ("'300ms'", HandshakeFirst::Within(Duration::from_millis(300))),
    ] {
        assert_eq!(good(&format!("handshake_first: {text}")).handshake_first, first);
        assert_eq!(good(&format!("immediate: {text}")).handshake_first, first);
    }
}

#[test]
fn there_may_be_several_certificates() {
    let (settings, errors, _) = read("certs: [ {cert_file: a, key_file: b}, {cert_file: c, key_file: d} ]");
    assert_eq!((settings.certificates, errors), (vec![pair("a", "b"), pair("c", "d")], vec![]));
}

#[test]
fn what_is_wrong_is_told() {
    for (keys, expected) in [
        ("", "c.conf:1:1: missing 'cert_file' in TLS configuration"),
        ("cert_file: a", "c.conf:1:1: missing 'key_file' in TLS configuration"),
        ("key_file: a", "c.conf:1:1: missing 'cert_file' in TLS configuration"),
        ("cert_file: a, key_file: b, verify: true", "c.conf:1:1: missing 'ca_file' in TLS configuration"),
        (
            "cert_file: a, key_file: b, certs: [{cert_file: a, key_file: b}]",
            "c.conf:1:1: error parsing tls config, cannot combine 'cert_file' option with 'certs' option",
        ),
        (
            "cert_file: a, key_file: b\ncerts: [{cert_file: a}]",
            "c.conf:3:9: error parsing certificates config: both 'cert_file' and 'key_file' options are required",
        ),
    ] {
        assert_eq!(read(keys).1, [expected], "{keys}");
    }
    for (key, expected) in [
        ("foo: 1", "error parsing tls config, unknown field \"foo\""),
        ("min_version: '1.1'", "unsupported TLS version: \"1.1\""),
        ("min_version: 1.3", "expected a string, got a float"),
        ("timeout: 0", "timeout must be 1ms or more"),
        ("verify: 1", "expected a boolean, got an integer"),
        ("cipher_suites: []", "error parsing tls config, 'cipher_suites' cannot be empty"),
        ("cipher_suites: [FOO]", "unrecognized cipher \"FOO\""),
        ("curve_preferences: [FOO]", "unrecognized curve preference \"FOO\""),
        ("curve_preferences: [CurveP521]", "no curve preference of these can be offered"),
        ("handshake_first: 5", "field \"handshake_first\" should be a boolean or a string, got an integer"),
        ("first: foo", "field \"first\" must be a boolean, \"auto\" or a duration"),
        (
            "pinned_certs: [abc]",
            "'pinned_certs' key \"abc\" is no hex-encoded sha256 of a DER encoded SubjectPublicKeyInfo",
        ),
    ] {
        let (_, errors, _) = read(&format!("cert_file: a, key_file: b\n{key}"));
        assert_eq!(errors.len(), 1, "{key}: {errors:?}");
        assert!(errors[0].ends_with(expected), "{key}: {errors:?}");
    }
}

#[test]
fn names_that_are_not_offered_are_warned_of() {
    let keys = "cert_file: a, key_file: b\ncipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA, TLS_AES_128_GCM_SHA256]";
    let (settings, errors, warnings) = read(keys);
    assert_eq!((settings.cipher_suites, errors), (vec!["TLS_AES_128_GCM_SHA256"], vec![]));
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].ends_with("cipher TLS_RSA_WITH_AES_128_CBC_SHA is not offered"), "{warnings:?}");
}
