//! Mappings, exports and imports: what is read and what is refused. The texts are those of the official server.

use super::auth_tests::read;
use crate::config::exchange::{Answers, Choice, Mapping, ServiceImport, StreamImport};
use std::time::Duration;

fn errors(text: &str) -> Vec<String> {
    read(text).1.errors.iter().map(ToString::to_string).collect()
}

fn mappings(text: &str) -> Vec<Mapping> {
    let (options, report) = read(&format!("mappings {{ {text} }}"));
    assert_eq!(report.errors, [], "{text}");
    options.authorization.mappings
}

fn choice(destination: &str, weight: u8) -> Choice {
    Choice { destination: destination.to_owned(), weight }
}

#[test]
fn weights_that_are_no_hundred_leave_the_rest_to_the_subject_itself() {
    for (text, expected) in [
        ("a: b", &[choice("b", 100)][..]),
        ("'a.*': 'b.$1'", &[choice("b.$1", 100)]),
        ("a: {dest: b, weight: 10}", &[choice("b", 10), choice("a", 90)]),
        ("'a.*': [{destination: b, weight: '10%'}]", &[choice("b", 10), choice("a.$1", 90)]),
        ("a: [{dest: b, weight: 50%}, {dest: c, weight: 50}]", &[choice("b", 50), choice("c", 50)]),
        ("a: [{dest: a, weight: 1}, {dest: c, weight: 2}]", &[choice("a", 1), choice("c", 2)]),
        ("a: [{dest: b, weight: 0}]", &[choice("b", 0), choice("a", 100)]),
    ] {
        assert_eq!(mappings(text)[0].choices, expected, "{text}");
    }
}

#[test]
fn mappings_that_make_no_sense_are_refused() {
    for (text, expected) in [
        ("mappings: [a]", "c.conf:1:1: expected a map, got an array"),
        ("mappings { 'a..b': c }", "c.conf:1:12: Subject \"a..b\" is not a valid subject"),
        (
            "mappings { 'a.*': 'b.$2' }",
            "c.conf:1:12: Error adding mapping for \"a.*\" to \"b.$2\" : invalid mapping destination: wildcard index out of \
             range in $2: [2]",
        ),
        ("mappings { 'a.>': b }", "c.conf:1:12: Error adding mapping for \"a.>\" to \"b\" : invalid subject"),
        ("mappings { a: 5 }", "c.conf:1:12: Expected an entry for the mapping destination"),
        ("mappings { a: [b] }", "c.conf:1:16: Expected an entry for the mapping destination"),
        ("mappings { a: [{dest: b}] }", "c.conf:1:16: Missing weight for mapping destination \"b\""),
        ("mappings { a: [{dest: b, weight: 101}] }", "c.conf:1:26: Invalid weight 101 for mapping destination"),
        ("mappings { a: [{dest: b, weight: x}] }", "c.conf:1:26: Invalid weight \"x\" for mapping destination"),
        ("mappings { a: [{dest: b, weight: 1, zz: 1}] }", "c.conf:1:37: Unknown field \"zz\" for mapping destination"),
        (
            "mappings { a: [{dest: b, weight: 60}, {dest: c, weight: 50}] }",
            "c.conf:1:12: Error adding mapping for \"a\" : total weight needs to be <= 100",
        ),
        (
            "mappings { a: [{dest: b, weight: 1}, {dest: b, weight: 1}] }",
            "c.conf:1:12: Error adding mapping for \"a\" : duplicate entry for \"b\"",
        ),
        (
            "mappings { a: [{dest: b, weight: 1, cluster: C}] }",
            "c.conf:1:37: cluster is not supported: messages would go elsewhere than in that cluster",
        ),
        ("system_account: '$G'", "c.conf:1:1: system_account cannot be $G, the account of everyone"),
    ] {
        assert_eq!(errors(text), [expected], "{text}");
    }
}

#[test]
fn imports_have_their_wildcards_numbered() {
    let answers = Answers { is_single: false, time: Duration::from_secs(5) };
    let text = "accounts { A { exports: [{stream: 's.>'}, {service: 'q.*.*', response: chunk, threshold: 5s}] }, \
                B { imports: [{stream: {account: A, subject: 's.*.>'}, prefix: p}, \
                {stream: {account: A, subject: 's.*.*'}, to: 't.$2.$1'}, {stream: {account: A, subject: 's.a'}}, \
                {service: {account: A, subject: 'q.*.*'}, to: 'z.$2.$1', share: true}, \
                {service: {account: A, subject: 'q.x.*'}}, {service: {account: A, subject: 'q.$2.$1'}, to: 'y.*.*'}] } }";
    let (options, report) = read(text);
    assert_eq!(report.errors, []);
    let account = &options.authorization.accounts[1];
    let stream = |source: &str, destination: &str| StreamImport {
        account: "A".into(),
        source: source.into(),
        destination: destination.into(),
    };
    assert_eq!(account.streams, [stream("s.*.>", "p.s.$1.>"), stream("s.*.*", "t.$2.$1"), stream("s.a", "s.a")]);
    let service = |source: &str, destination: &str, is_shared| ServiceImport {
        account: "A".into(),
        source: source.into(),
        destination: destination.into(),
        is_shared,
        answers,
    };
    let expected =
        [service("z.*.*", "q.$2.$1", true), service("q.x.*", "q.x.$1", false), service("y.*.*", "q.$2.$1", false)];
    assert_eq!(account.services, expected);
}

#[test]
fn exports_and_imports_that_make_no_sense_are_refused() {
    let pair = |exports: &str, imports: &str| {
        format!("accounts {{ A {{ exports: [{exports}] }}, B {{ imports: [{imports}] }} }}")
    };
    let both = |text: &str| text.to_owned();
    for (text, expected) in [
        (both("accounts { A { exports: {stream: a} } }"), "Exports should be an array, got a map"),
        (pair("{foo: s}", ""), "unknown field \"foo\""),
        (pair("{stream: s, service: b}", ""), "Detected service \"b\" but already saw a stream"),
        (pair("{stream: s, response: single}", ""), "Detected response directive on non-service"),
        (pair("{service: s, response_type: zz}", ""), "Unknown response type: \"zz\""),
        (pair("{service: s, accounts: [C]}", ""), "\"C\" account not defined for service export"),
        (pair("{stream: 'a..b'}", ""), "Subject \"a..b\" is not a valid subject"),
        (
            pair("{service: 'a.*', account_token_position: 2}", ""),
            "account_token_position is not supported: every account could import all of it",
        ),
        (
            pair("{service: s, accounts: [A]}", "{service: {account: A, subject: s}}"),
            "Error adding service import \"s\": service import not authorized",
        ),
        (
            pair("{stream: s}", "{service: {account: A, subject: s}}"),
            "Error adding service import \"s\": service import not authorized",
        ),
        (
            pair("{stream: 's.*'}", "{stream: {account: A, subject: 's.>'}}"),
            "Error adding stream import \"s.>\": stream import not authorized",
        ),
        (
            pair("{stream: 's.>'}", "{stream: {account: A, subject: 's.*'}, to: x}"),
            "Error adding stream import \"s.*\": failed to create mapping transform for stream import subject from \
             \"s.*\" to \"x\": invalid mapping destination: not using all of the token wildcard(s) in x",
        ),
        (
            pair("{stream: 's.>'}", "{stream: {account: A, subject: 's.>'}, prefix: 'x.*'}"),
            "Error adding stream import \"s.>\": stream import prefix can not contain wildcard tokens",
        ),
        (
            pair("{stream: s}", "{stream: {account: A, subject: s}, prefix: x, to: y}"),
            "Stream import can not have a 'prefix' and a 'to' property",
        ),
        (
            pair("{service: 's.*'}", "{service: {account: A, subject: 's.*'}, to: x}"),
            "Error adding service import \"s.*\": failed to create mapping transform for service import subject from \
             \"x\" to \"s.*\": invalid mapping destination: not using all of the token wildcard(s) in x",
        ),
        (pair("{service: s}", "{service: {account: Z, subject: s}}"), "\"Z\" account not defined for service import"),
        (pair("{service: s}", "{service: {account: A}}"), "Expect an account name and a subject"),
        (pair("{service: s}", "{service: s}"), "Service entry should be an account map, got a string"),
        (
            pair("{service: s}", "{service: {account: A, subject: 's..x'}}"),
            "Error adding service import \"s..x\": sublist: invalid subject",
        ),
        (
            pair(
                "{service: a}",
                "{service: {account: A, subject: a}, to: b}, {service: {account: A, subject: a}, to: b}",
            ),
            "Duplicate service import subject \"b\", previously used in import for account \"A\", subject \"a\"",
        ),
        (
            pair("{stream: a}", "{stream: {account: A, subject: a}}, {stream: {account: A, subject: a}}"),
            "Error adding stream import \"a\": stream import already exists",
        ),
    ] {
        let told = errors(&text);
        let reasons: Vec<_> = told.iter().filter_map(|line| line.splitn(4, ':').nth(3)).map(str::trim).collect();
        assert_eq!(reasons, [expected], "{text}");
    }
}

#[test]
fn imports_that_lead_back_are_refused_and_others_are_not() {
    let ring = |kind: &str, there: &str| {
        format!(
            "accounts {{ A {{ exports: [{{{kind}: 'a.>'}}], imports: [{{{kind}: {{account: C, subject: '{there}'}}, to: \
             'a.x'}}] }}, B {{ exports: [{{{kind}: 'b.>'}}], imports: [{{{kind}: {{account: A, subject: 'a.x'}}, to: 'b.x'}}] \
             }}, C {{ exports: [{{{kind}: 'c.>'}}], imports: [{{{kind}: {{account: B, subject: 'b.x'}}, to: 'c.x'}}] }} }}"
        )
    };
    for kind in ["stream", "service"] {
        let told = errors(&ring(kind, "c.x"));
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told.iter().all(
            |line| line.contains(&format!("Error adding {kind} import")) && line.ends_with("import forms a cycle")
        ));
        assert_eq!(errors(&ring(kind, "c.y")), [""; 0]);
    }
    let itself = "accounts { A { exports: [{service: a}], imports: [{service: {account: A, subject: a}, to: ";
    assert_eq!(errors(&format!("{itself} b}}] }} }}")), [""; 0]);
    assert_eq!(errors(&format!("{itself} a}}] }} }}")).len(), 1);
}
