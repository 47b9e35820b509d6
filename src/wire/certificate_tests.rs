use super::*;
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, PublicKeyData, SanType, date_time_ymd};

/// The identifiers of attributes that the generator has no names for.
const DOMAIN: &[u64] = &[0, 9, 2342, 19_200_300, 100, 1, 25];
const TITLE: &[u64] = &[2, 5, 4, 12];

fn certificate(subject: &[(DnType, &str)], names: Vec<SanType>) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for (kind, value) in subject {
        params.distinguished_name.push(kind.clone(), *value);
    }
    params.subject_alt_names = names;
    params.not_after = date_time_ymd(2031, 3, 1);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn joe() -> Vec<u8> {
    certificate(
        &[(DnType::OrganizationName, "Acme"), (DnType::CommonName, "joe")],
        vec![
            SanType::URI("spiffe://x/y".try_into().unwrap()),
            SanType::DnsName("app.x.com".try_into().unwrap()),
            SanType::IpAddress([127, 0, 0, 1].into()),
            SanType::Rfc822Name("joe@x.com".try_into().unwrap()),
            SanType::DnsName("b.x.com".try_into().unwrap()),
        ],
    )
}

fn found<'a>(certificate: &[u8], users: &[&'a str]) -> Option<&'a str> {
    PeerCertificate::read(certificate).unwrap().find(users.iter().copied())
}

#[test]
fn names_come_by_kind_and_then_in_their_order() {
    let certificate = joe();
    let peer = PeerCertificate::read(&certificate).unwrap();
    assert_eq!(peer.names, ["joe@x.com", "app.x.com", "b.x.com", "spiffe://x/y"]);
    assert_eq!(Some(peer.subject), Name::parse("CN=joe,O=Acme"));
    let parts = read(&certificate).unwrap();
    assert_eq!(parts.dns_names().collect::<Vec<_>>(), ["app.x.com", "b.x.com"]);
    assert_eq!(parts.not_after, Some(1_930_089_600));
}

#[test]
fn the_public_key_is_the_whole_of_it() {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::default().self_signed(&key).unwrap();
    assert_eq!(read(certificate.der()).unwrap().public_key, key.subject_public_key_info());
}

#[test]
fn users_are_found_by_every_identity_in_order() {
    let joe = joe();
    for user in ["joe@x.com", "b.x.com", "spiffe://x/y", "CN=joe,O=Acme", "O=Acme, CN=joe", "cn=joe , o=Acme"] {
        assert_eq!(found(&joe, &["nobody", user]), Some(user));
    }
    for user in ["joe", "CN=joe", "CN=Joe,O=Acme", "CN=joe,O=Acme,C=x", "127.0.0.1", "JOE@x.com", ""] {
        assert_eq!(found(&joe, &[user]), None, "{user}");
    }
    let order = ["O=Acme,CN=joe", "CN=joe,O=Acme", "spiffe://x/y", "b.x.com", "app.x.com", "joe@x.com"];
    for most in (1..=order.len()).rev() {
        assert_eq!(found(&joe, &order[..most]), Some(order[most - 1]));
    }
}

#[test]
fn domain_components_may_be_left_out() {
    let domain = || DnType::CustomDnType(DOMAIN.to_vec());
    // rcgen keeps one attribute of a kind.
    let subject = [(domain(), "com"), (DnType::OrganizationName, "Acme"), (DnType::CommonName, "joe")];
    let certificate = certificate(&subject, vec![]);
    for user in ["CN=joe,O=Acme,DC=com", "DC=com,O=Acme,CN=joe", "CN=joe,O=Acme"] {
        assert_eq!(found(&certificate, &[user]), Some(user));
    }
    assert_eq!(found(&certificate, &["O=Acme,CN=joe"]), None);
    assert_eq!(found(&certificate, &["CN=joe,O=Acme", "DC=com,CN=joe,O=Acme"]), Some("DC=com,CN=joe,O=Acme"));
}

#[test]
fn texts_of_other_kinds_are_read_or_shown_as_they_are() {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, DnValue::BmpString("Jo€".try_into().unwrap()));
    params
        .distinguished_name
        .push(DnType::CustomDnType(TITLE.to_vec()), DnValue::TeletexString("x".try_into().unwrap()));
    let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let subject = PeerCertificate::read(certificate.der()).unwrap().subject;
    assert_eq!(Some(subject), Name::parse("2.5.4.12=#140178,CN=Jo€"));
}

#[test]
fn what_is_cut_off_or_changed_is_refused_or_read_without_harm() {
    let joe = joe();
    for end in 0..joe.len() {
        assert!(PeerCertificate::read(&joe[..end]).is_none(), "{end}");
    }
    for at in 0..joe.len() {
        let mut changed = joe.clone();
        for bit in 0..8 {
            changed[at] ^= 1 << bit;
            _ = PeerCertificate::read(&changed).map(|peer| peer.find(["CN=joe,O=Acme"].into_iter()).is_some());
        }
    }
}

#[test]
fn times_are_seconds() {
    let time = |tag, text: &'static [u8]| seconds(Item { tag, content: text, whole: text });
    assert_eq!(time(der::UTC_TIME, b"700101000000Z"), Some(0));
    assert_eq!(time(der::UTC_TIME, b"491231235959Z"), Some(2_524_607_999));
    assert_eq!(time(der::UTC_TIME, b"500101000000Z"), Some(-631_152_000));
    assert_eq!(time(der::GENERAL_TIME, b"20240229120000Z"), Some(1_709_208_000));
    assert_eq!(time(der::GENERAL_TIME, b"20991231235959Z"), Some(4_102_444_799));
    for text in [&b"20240229120000"[..], b"240229120000+0100", b"2402291200Z", b"2402291200x0Z", b"Z", b""] {
        assert_eq!(time(der::GENERAL_TIME, text), None);
        assert_eq!(time(der::UTC_TIME, text), None);
    }
}
