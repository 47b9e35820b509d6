//! Who is let in, without any connection.

use super::*;
use std::sync::Arc;

fn password(name: &str, password: &str) -> config::User {
    let login = Login::Password(name.into(), password.into());
    config::User { login, permissions: None, is_standard: true }
}

fn with(change: impl FnOnce(&mut Authorization)) -> Auth {
    let mut options = Options::default();
    change(&mut options.authorization);
    Auth::new(&options, None)
}

fn with_users(users: Vec<config::User>) -> Auth {
    with(|authorization| authorization.users = Some(Arc::new(users)))
}

/// The user's name, or what else is decided.
fn decide(auth: &Auth, credentials: Credentials) -> String {
    match auth.decide(&credentials, "nonce", Mapping::None) {
        Decision::Open => "open".into(),
        Decision::Refuse => "no".into(),
        Decision::Accept(user) | Decision::Assume(user) => user.name.to_string(),
        Decision::Check(user, ..) => format!("check {:?}", user.map(|user| user.name.to_string())),
    }
}

fn given(user: &str, password: &str) -> Credentials {
    Credentials { user: user.into(), password: password.into(), ..Credentials::default() }
}

fn token(token: &str) -> Credentials {
    Credentials { token: token.into(), ..Credentials::default() }
}

const HASH: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

#[test]
fn nobody_is_asked_where_nothing_is_configured() {
    let auth = with(|_| {});
    assert!(!auth.is_required() && !auth.is_shown() && !auth.has_nkeys());
    assert_eq!(decide(&auth, given("a", "b")), "open");
}

#[test]
fn a_token_is_no_user_and_no_password() {
    let auth = with(|authorization| authorization.token = "t".into());
    assert!(auth.is_required() && auth.is_shown());
    assert_eq!(decide(&auth, token("t")), "token");
    let wrong = [token("x"), token(""), given("t", ""), given("", "t"), given("t", "t"), Credentials::default()];
    for credentials in wrong {
        assert_eq!(decide(&auth, credentials.clone()), "no", "{credentials:?}");
    }
    let both = with(|authorization| {
        authorization.token = "t".into();
        authorization.user = Some("u".into());
        authorization.password = "p".into();
    });
    assert_eq!(decide(&both, token("t")), "token", "as given on the command line");
    assert_eq!(decide(&both, given("u", "p")), "no");
}

#[test]
fn a_single_user_needs_name_and_password() {
    let auth = with(|authorization| {
        authorization.user = Some("u".into());
        authorization.password = "p".into();
    });
    assert_eq!(decide(&auth, given("u", "p")), "user:u");
    for credentials in [given("u", ""), given("", "p"), given("u", "px"), given("U", "p"), token("p")] {
        assert_eq!(decide(&auth, credentials.clone()), "no", "{credentials:?}");
    }
}

#[test]
fn several_users_and_one_without_a_password() {
    let auth = with_users(vec![password("a", "1"), password("b", ""), password("c", "\u{a7}12\u{a7}")]);
    assert_eq!(decide(&auth, given("a", "1")), "user:a");
    assert_eq!(decide(&auth, given("b", "")), "user:b");
    assert_eq!(decide(&auth, given("c", "\u{a7}12\u{a7}")), "user:c");
    for credentials in [given("b", "x"), given("a", ""), given("z", "1"), given("a", "2"), token("1")] {
        assert_eq!(decide(&auth, credentials.clone()), "no", "{credentials:?}");
    }
    assert_eq!(decide(&with_users(vec![]), given("", "")), "no");
}

#[test]
fn who_is_refused_takes_as_long_as_who_is_checked() {
    let auth = with_users(vec![password("a", HASH), password("b", "plain"), password("c", "$2a$05$short")]);
    assert_eq!(decide(&auth, given("a", "x")), "check Some(\"user:a\")");
    for credentials in [given("z", "x"), given("b", "x"), given("c", "x"), given("a\0", ""), token("x")] {
        assert_eq!(decide(&auth, credentials.clone()), "check None", "{credentials:?}");
    }
    assert_eq!(decide(&auth, given("b", "plain")), "user:b");
    let Decision::Check(_, _, hash) = auth.decide(&given("z", "x"), "", Mapping::None) else { panic!("no check") };
    assert_eq!(hash.cost(), 5);
}

#[test]
fn who_says_nothing_may_be_someone() {
    let mut options = Options::default();
    options.authorization.users = Some(Arc::new(vec![password("a", "1"), password("b", HASH)]));
    options.authorization.no_auth_user = Some("b".into());
    let auth = Auth::new(&options, None);
    assert!(auth.is_required() && !auth.is_shown());
    assert_eq!(decide(&auth, Credentials::default()), "user:b");
    assert_eq!(decide(&auth, given("a", "1")), "user:a");
    assert_eq!(decide(&auth, given("a", "2")), "check None", "wrong is not nothing");
    assert_eq!(decide(&auth, token("x")), "check None");
    assert!(auth.fallback_at_first_word().is_some());
}

#[test]
fn a_user_may_be_for_other_connections() {
    let auth = with_users(vec![config::User { is_standard: false, ..password("a", "1") }]);
    assert_eq!(decide(&auth, given("a", "1")), "no");
}

#[test]
fn a_certificate_counts_in_place_of_a_name() {
    use crate::wire::certificate::PeerCertificate;
    let mut options = Options::default();
    options.authorization.users = Some(Arc::new(vec![password("joe@x.com", ""), password("b", "2")]));
    options.authorization.no_auth_user = Some("b".into());
    let auth = Auth::new(&options, None);
    let decide = |names: Option<&[&str]>, credentials: Credentials| {
        let names = names.map(|names| names.iter().map(|name| name.to_string()).collect());
        let certificate = names.map(|names| PeerCertificate { names, subject: Default::default() });
        match auth.decide(&credentials, "", Mapping::Certificate(certificate.as_ref())) {
            Decision::Accept(user) => user.name.to_string(),
            Decision::Refuse => "no".into(),
            other => panic!("{other:?}"),
        }
    };
    let joe = &["x", "joe@x.com"][..];
    assert_eq!(decide(Some(joe), Credentials::default()), "user:joe@x.com");
    assert_eq!(decide(Some(joe), given("b", "")), "user:joe@x.com");
    assert_eq!(decide(Some(joe), given("b", "2")), "no", "the password is that of another");
    assert_eq!(decide(Some(&["b"]), given("", "2")), "user:b");
    assert_eq!(decide(Some(&["b"]), Credentials::default()), "no", "a password is wanted all the same");
    assert_eq!(decide(Some(&["y"]), given("b", "2")), "no");
    assert_eq!(decide(None, given("b", "2")), "no", "there must be a certificate");
}

#[cfg(feature = "tls")]
#[test]
fn a_key_counts_more_than_a_name() {
    use crate::wire::base64;
    use ring::signature::{Ed25519KeyPair, KeyPair};
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let key: PublicKey = pair.public_key().as_ref().try_into().unwrap();
    let user = config::User { login: Login::Nkey(key), permissions: None, is_standard: true };
    let mut options = Options::default();
    let text = nkey::encode(nkey::USER, &key);
    options.authorization.users = Some(Arc::new(vec![password("a", "1"), user]));
    options.authorization.no_auth_user = Some(text.clone());
    let auth = Auth::new(&options, None);
    assert!(auth.has_nkeys());
    let sign = |nonce: &str| base64::encode(pair.sign(nonce.as_bytes()).as_ref(), base64::URL_SAFE);
    let with_key = |nkey: &str, signature: String| Credentials {
        nkey: nkey.into(),
        signature: signature.into(),
        ..given("a", "1")
    };
    assert_eq!(decide(&auth, with_key(&text, sign("nonce"))), format!("nkey:{text}"));
    for (key, signature) in [
        (text.clone(), sign("n0nce")),
        (text.clone(), String::new()),
        (nkey::encode(nkey::USER, &[9; 32]), sign("nonce")),
        (nkey::encode(nkey::SERVER, &key), sign("nonce")),
        ("x".to_owned(), sign("nonce")),
    ] {
        assert_eq!(decide(&auth, with_key(&key, signature)), "no", "{key}");
    }
    assert_eq!(decide(&auth, given("a", "1")), "user:a");
    assert_eq!(decide(&auth, Credentials::default()), format!("nkey:{text}"), "no signature is asked for");
    assert!(auth.fallback_at_first_word().is_none());
}

#[test]
fn the_same_permissions_are_one_set_and_no_number_comes_again() {
    let set = |subject: &str| {
        let mut permissions = config::Permissions::default();
        permissions.publish.allow.push(subject.into());
        Some(Arc::new(permissions))
    };
    let user = |name: &str, permissions| config::User { permissions, ..password(name, "") };
    let mut options = Options::default();
    let nothing = Some(Arc::new(config::Permissions::default()));
    options.authorization.users =
        Some(Arc::new(vec![user("a", set("x")), user("b", set("x")), user("c", set("y")), user("d", nothing)]));
    let auth = Auth::new(&options, None);
    let id = |auth: &Auth, name: &str| {
        let user = auth.user(&Name::User(name.into())).unwrap();
        user.permissions.as_ref().map(|permissions| permissions.id)
    };
    let ids = ["a", "b", "c", "d"].map(|name| id(&auth, name));
    assert_eq!((ids[0], ids[3]), (ids[1], None));
    assert_ne!(ids[0], ids[2]);
    options.authorization.users = Some(Arc::new(vec![user("a", set("x")), user("b", set("z"))]));
    let after = Auth::new(&options, Some(&auth));
    assert_eq!(id(&after, "a"), ids[0], "what is the same stays the same");
    assert!(id(&after, "b") > ids.into_iter().max().unwrap());
}
