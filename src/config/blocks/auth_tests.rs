//! Who may connect, as a file says it.

use std::path::Path;
use std::time::Duration;

use super::*;
#[cfg(feature = "tls")]
use crate::config::authorization::Login;
use crate::config::authorization::{AccountLimits, Authorization, Permissions, Responses, Rules, User};
use crate::config::file;
use crate::config::lang;
use crate::config::tests::NOTHING;
use crate::wire::nkey;

pub(super) fn read(text: &str) -> (Options, Report) {
    let map = lang::parse(Path::new("c.conf"), text.as_bytes(), &NOTHING).unwrap();
    let mut options = Options::default();
    let report = file::apply(&map, &mut options);
    (options, report)
}

/// What a file without errors says.
fn authorization(text: &str) -> Authorization {
    let (options, report) = read(text);
    assert_eq!(report, Report::default(), "{text}");
    options.authorization
}

fn users(text: &str) -> Vec<User> {
    authorization(&format!("authorization {{ {text} }}")).users.expect("users").to_vec()
}

fn permissions(text: &str) -> Permissions {
    let user = users(&format!("users: [ {{user: a, permissions: {{ {text} }} }} ]")).remove(0);
    (*user.permissions.expect("permissions")).clone()
}

fn errors(text: &str) -> Vec<String> {
    read(text).1.errors.iter().map(ToString::to_string).collect()
}

fn rules(allow: &[&str], deny: &[&str]) -> Rules {
    let texts = |list: &[&str]| list.iter().map(|text| text.to_string()).collect();
    Rules { allow: texts(allow), deny: texts(deny) }
}

#[test]
fn single_users_and_tokens() {
    let single = authorization("authorization { username: u, pass: p, timeout: 1.5 }");
    assert_eq!((single.user.as_deref(), single.password.reveal()), (Some("u"), "p"));
    assert_eq!(single.timeout, Some(Duration::from_millis(1500)));
    assert!(single.is_required() && single.has_plain_text());
    let token = authorization("Authorization { TOKEN: $2a$11$abc, timeout: '3s' }");
    assert_eq!((token.token.reveal(), token.timeout), ("$2a$11$abc", Some(Duration::from_secs(3))));
    assert!(token.is_required() && !token.has_plain_text());
    assert!(!authorization("authorization {}").is_required());
    assert!(users("users: []").is_empty());
    assert!(authorization("authorization { users: [] }").is_required());
}

#[cfg(feature = "tls")]
#[test]
fn users_of_every_kind() {
    let key = nkey::encode(nkey::USER, &[7; 32]);
    let text = format!(
        "ADMIN {{ publish: '>' }}
         users: [
           {{user: a, password: 1x, permissions: $ADMIN}}
           {{username: b, clients: [standard, mqtt]}}
           {{nkey: {key}, allowed_connection_types: WEBSOCKET}}
         ]
         default_permissions {{ sub: foo }}"
    );
    let users = users(&text);
    let expected =
        [Login::Password("a".into(), "1x".into()), Login::Password("b".into(), "".into()), Login::Nkey([7; 32])];
    assert!(users.iter().map(|user| &user.login).eq(&expected));
    assert!(users.iter().map(|user| user.is_standard).eq([true, true, false]));
    let of = |at: usize| users[at].permissions.as_deref().cloned();
    assert_eq!(of(0), Some(Permissions { publish: rules(&[">"], &[]), ..Permissions::default() }));
    assert_eq!(of(1), Some(Permissions { subscribe: rules(&["foo"], &[]), ..Permissions::default() }));
    assert_eq!(of(1), of(2));
}

#[test]
fn permissions_of_every_shape() {
    assert_eq!(permissions(""), Permissions::default());
    for (text, expected) in [
        ("publish: a.b", rules(&["a.b"], &[])),
        ("pub: [a, b.*, '>']", rules(&["a", "b.*", ">"], &[])),
        ("import: []", rules(&[], &[])),
        ("publish: { allow: a, deny: [b, c] }", rules(&["a"], &["b", "c"])),
        ("publish: { deny: b }", rules(&[], &["b"])),
    ] {
        assert_eq!(permissions(text), Permissions { publish: expected, ..Permissions::default() }, "{text}");
    }
    for text in ["subscribe: [foo, 'foo v1.*']", "sub: { ALLOW: [foo, 'foo v1.*'] }", "export: [foo, \"foo v1.*\"]"] {
        let expected = rules(&["foo", "foo v1.*"], &[]);
        assert_eq!(permissions(text), Permissions { subscribe: expected, ..Permissions::default() }, "{text}");
    }
    let responses = |max, ttl_ms: Option<u64>| Some(Responses { max, ttl: ttl_ms.map(Duration::from_millis) });
    for (text, expected) in [
        ("true", responses(Some(1), Some(120_000))),
        ("false", None),
        ("{}", responses(Some(1), Some(120_000))),
        ("{ max: 3, ttl: '1s' }", responses(Some(3), Some(1000))),
        ("{ max_msgs: 0, expires: '0s' }", responses(Some(1), Some(120_000))),
        ("{ max_responses: -1, expiration: '-1s' }", responses(None, None)),
    ] {
        assert_eq!(permissions(&format!("allow_responses: {text}")).responses, expected, "{text}");
        assert_eq!(permissions(&format!("publish_allow_responses: {text}")).responses, expected, "{text}");
    }
}

#[test]
fn everything_wrong_is_told_and_no_secret_with_it() {
    for (text, expected) in [
        ("authorization: s3cret", &["c.conf:1:1: expected a map, got a string"][..]),
        ("authorization { tokn: s3cret }", &["c.conf:1:17: unknown field \"tokn\""]),
        ("authorization { token: 12345 }", &["c.conf:1:17: expected a string, got an integer"]),
        ("authorization { user: a, pass: s3cret, token: b }", &["c.conf:1:1: Cannot have a user/pass and token"]),
        ("authorization { user: a, users: [] }", &["c.conf:1:1: Can not have a single user/pass and a users array"]),
        ("authorization { token: a, users: [] }", &["c.conf:1:1: Can not have a token and a users array"]),
        ("authorization { timeout: 0 }", &["c.conf:1:17: timeout must be 1ms or more"]),
        ("authorization { users: {user: a} }", &["c.conf:1:17: expected an array, got a map"]),
        (
            "authorization { users: [\n{pass: s3cret}\n{user: ''}\n{user: a}\n{user: b}\n{user: a}\n5\n{user: c, nkey: x}\n{user: d, proxy_required: true}] }",
            &[
                "c.conf:2:1: User entry requires a user",
                "c.conf:3:1: User entry requires a user",
                "c.conf:6:1: Duplicate user \"a\" detected",
                "c.conf:7:1: expected a map, got an integer",
                "c.conf:8:11: Not a valid public nkey for a user",
                "c.conf:9:11: unknown field \"proxy_required\"",
            ],
        ),
        (
            "authorization { users: [{user: a, clients: [standard, foo, BAR]}] }",
            &["c.conf:1:35: invalid connection types [\"FOO\" \"BAR\"]"],
        ),
        (
            "authorization { users: [{user: a, permissions: { pubb: a, publish: { alow: b } }}] }",
            &[
                "c.conf:1:50: Unknown field \"pubb\" parsing permissions",
                "c.conf:1:70: Unknown field name \"alow\" parsing subject permissions, only 'allow' or 'deny' are permitted",
            ],
        ),
        (
            "authorization { default_permissions: {\nsub: 'a b c'\npub: 'a q'\nimport: [a, b..c]\nexport: {deny: '>.a'}\nallow_responses: 1 } }",
            &[
                "c.conf:2:1: subject \"a b c\" is not a valid subject",
                "c.conf:3:1: subject \"a q\" is not a valid subject",
                "c.conf:4:1: subject \"b..c\" is not a valid subject",
                "c.conf:5:10: subject \">.a\" is not a valid subject",
                "c.conf:6:1: expected a boolean or a map, got an integer",
            ],
        ),
        (
            "authorization { permissions: { allow_responses: {ttl: 5, max: x, ttll: 1} } }",
            &[
                "c.conf:1:50: expected a string, got an integer",
                "c.conf:1:58: expected an integer, got a string",
                "c.conf:1:66: Unknown field \"ttll\" parsing permissions",
            ],
        ),
    ] {
        let expected: Vec<&str> = match cfg!(feature = "tls") {
            true => expected.to_vec(),
            false => expected.iter().copied().filter(|line| !line.contains("nkey")).collect(),
        };
        let found: Vec<String> = errors(text).into_iter().filter(|line| !line.contains("this build")).collect();
        assert_eq!(found, expected, "{text}");
    }
    let warned = read("authorization { token: a, timeout: 90 }").1.warnings;
    assert_eq!(warned[0].to_string(), "c.conf:1:1: timeout of 1m30s is long, 60s should be enough");
}

#[test]
fn a_key_is_of_one_user() {
    let key = nkey::encode(nkey::USER, &[7; 32]);
    let twice =
        errors(&format!("authorization {{ users: [\n{{nkey: {key}}}\n{{nkey: {key}}}\n{{nkey: {key}, pass: a}}] }}"));
    if cfg!(feature = "tls") {
        let expected = [
            format!("c.conf:3:1: Duplicate nkey {key} detected"),
            "c.conf:4:1: Nkey users do not take usernames or passwords".to_owned(),
        ];
        assert_eq!(twice, expected);
    } else {
        let reason = "nkeys are not supported by this build, which has no cryptography";
        assert!(twice.len() == 3 && twice.iter().all(|line| line.ends_with(reason)), "{twice:?}");
    }
}

#[test]
fn a_user_for_those_who_say_nothing_must_be_there() {
    let check = |text: &str| read(text).0.check();
    let missing = "no_auth_user: \"x\" present, but users/nkeys are not defined".to_owned();
    assert_eq!(check("no_auth_user: x"), Err(missing.clone()));
    assert_eq!(check("no_auth_user: x\nauthorization { token: t }"), Err(missing));
    let unknown = "no_auth_user: \"x\" not present as user or nkey in authorization block or account".to_owned();
    assert_eq!(check("no_auth_user: x\nauthorization { users: [{user: a}] }"), Err(unknown));
    assert_eq!(check("no_auth_user: a\nauthorization { users: [{user: a}] }"), Ok(()));
    assert_eq!(check("authorization { users: [{user: a}] }\nno_auth_user: a"), Ok(()));
}

#[test]
fn options_with_secrets_do_not_show_them() {
    let text = "authorization { users: [{user: a, pass: s3cret}, {user: b, pass: '$2a$11$h4sh'}] }";
    let shown = format!("{:?}", read(text).0);
    assert!(!shown.contains("s3cret") && !shown.contains("h4sh"), "{shown}");
    let shown = format!("{:?}", read("authorization { user: a, pass: s3cret }").0);
    assert!(shown.contains("REDACTED") && !shown.contains("s3cret"), "{shown}");
}

#[test]
fn accounts_have_users_and_limits_of_their_own() {
    let read_all = authorization(
        "accounts {
           A { users: [{user: a}, {user: b, permissions: {pub: x}}], default_permissions: {sub: y} }
           B { users: [{user: c}], limits: {max_conn: 2, max_subs: -1, max_payload: 1k, max_leafs: 3} }
           C {}
         }
         authorization { users: [{user: d}] }",
    );
    let named: Vec<(&str, usize)> =
        read_all.accounts.iter().map(|account| (account.name.as_str(), account.users.len())).collect();
    assert_eq!(named, [("A", 2), ("B", 1), ("C", 0)]);
    let limits = AccountLimits { connections: Some(2), subscriptions: None, payload: Some(1000) };
    assert_eq!(read_all.accounts[1].limits, limits);
    assert_eq!(read_all.all_users().map(|(account, ..)| account).collect::<Vec<_>>(), ["$G", "A", "A", "B"]);
    let sub = Permissions { subscribe: rules(&["y"], &[]), ..Permissions::default() };
    assert_eq!(read_all.accounts[0].users[0].permissions.as_deref(), Some(&sub));
    assert!(read_all.is_required() && !read_all.is_for_system_only());
    assert!(!authorization("accounts [A, B]").is_required());
    assert!(authorization("accounts { $SYS { users: [{user: s}] } }").is_for_system_only());
    let (options, report) = read("accounts { A { jetstream: enabled } }");
    assert_eq!((options.authorization.accounts.len(), report.warnings.len(), report.errors.len()), (1, 1, 0));
}

#[test]
fn accounts_that_make_no_sense_are_refused() {
    let user = "accounts { A { users: [{user: a}] } }";
    for (text, expected) in [
        ("accounts: 1", &["c.conf:1:1: expected a map or an array, got an integer"][..]),
        ("accounts: [A, 1]", &["c.conf:1:15: expected the name of an account, got an integer"]),
        ("accounts: [A, A]", &["c.conf:1:15: Duplicate account \"A\" detected"]),
        ("accounts { $G {} }", &["c.conf:1:12: \"$G\" is a Reserved Account"]),
        ("accounts { 'a b' {} }", &["c.conf:1:12: the name of an account cannot be empty or have blanks"]),
        ("accounts { A: 1 }", &["c.conf:1:12: expected a map, got an integer"]),
        (
            "accounts { A { exports: [], Imports: [], mappings: {}, zork: 1 } }",
            &["c.conf:1:56: unknown field \"zork\""],
        ),
        (&format!("{user}\nauthorization {{ token: t }}"), &["c.conf:1:1: Can not have a token and accounts"]),
        (
            &format!("{user}\nauthorization {{ user: u, pass: p }}"),
            &["c.conf:1:1: Can not have a single user/pass and accounts"],
        ),
        (&format!("{user}\nauthorization {{ users: [{{user: a}}] }}"), &["c.conf:1:1: Duplicate user \"a\" detected"]),
        (
            "accounts { A { users: [{user: a}] }, B { users: [{user: a}] } }",
            &["c.conf:1:1: Duplicate user \"a\" detected"],
        ),
    ] {
        assert_eq!(errors(text), expected, "{text}");
    }
}
