//! Permissions against the words of the specification, read literally, and against each message one by one.

use super::*;

/// What the configuration would say.
fn rules(allow: &[&str], deny: &[&str]) -> Rules {
    let texts = |list: &[&str]| list.iter().map(|text| text.to_string()).collect();
    Rules { allow: texts(allow), deny: texts(deny) }
}

fn publishing(allow: &[&str], deny: &[&str], responses: Option<Responses>) -> Permissions {
    Permissions::new(&config::Permissions { publish: rules(allow, deny), responses, ..Default::default() }, 1)
}

fn subscribing(allow: &[&str], deny: &[&str]) -> Permissions {
    Permissions::new(&config::Permissions { subscribe: rules(allow, deny), ..Default::default() }, 1)
}

#[test]
fn publishing_needs_a_pattern_that_allows_it_and_none_that_denies_it() {
    let may = |permissions: Permissions, subject: &str| permissions.may_publish(subject.as_bytes());
    assert!(may(publishing(&[], &[], None), "any"));
    assert!(!may(publishing(&[], &[], Some(Responses::default())), "any"));
    for (allow, deny, subject, expected) in [
        (&["foo", "bar.*"][..], &[][..], "foo", true),
        (&["foo", "bar.*"], &[], "bar.x", true),
        (&["foo", "bar.*"], &[], "bar.x.y", false),
        (&["foo", "bar.*"], &[], "baz", false),
        (&["foo.*"], &[], "foo.*", true),
        (&["foo.*"], &[], "foo.>", true),
        (&[">"], &["a.>"], "a", true),
        (&[">"], &["a.>"], "a.b", false),
        (&[], &["a.>"], "a.b", false),
        (&[], &["a.>"], "b", true),
        (&[">"], &[], "a..b", false),
    ] {
        assert_eq!(may(publishing(allow, deny, None), subject), expected, "{allow:?} {deny:?} {subject}");
        assert_eq!(
            may(publishing(allow, deny, Some(Responses::default())), subject),
            expected && !allow.is_empty(),
            "{allow:?} {deny:?} {subject}"
        );
    }
}

#[test]
fn subscribing_needs_a_pattern_that_allows_all_of_it() {
    use MaySubscribe::{InPart, No, Yes};
    for (allow, deny, subject, queue, expected) in [
        (&["foo.*"][..], &[][..], "foo.bar", "", Yes),
        (&["foo.*"], &[], "foo.*", "", Yes),
        // The official server accepts these two, and delivers all there is.
        (&["foo.*"], &[], "foo.>", "", No),
        (&["*"], &[], ">", "", No),
        (&["foo.>"], &[], "foo.>", "", Yes),
        (&["foo.>"], &[], "foo.*.x", "", Yes),
        (&["foo.>"], &[], ">", "", No),
        (&[], &["no.>"], "no.x", "", No),
        (&[], &["no.>"], "no.>", "", No),
        (&[], &["no.>"], "no", "", Yes),
        (&[], &["no.>"], ">", "", InPart),
        (&[], &["no.>"], "*.*", "", InPart),
        (&[], &["no.x"], "yes.>", "", Yes),
        (&[], &["foo.*"], "foo.>", "", InPart),
        // Queue groups.
        (&["foo v1.*"], &[], "foo", "", No),
        (&["foo v1.*"], &[], "foo", "v1.a", Yes),
        (&["foo v1.*"], &[], "foo", "v1.*", Yes),
        (&["foo v1.*"], &[], "foo", "v2.a", No),
        (&["foo >"], &[], "foo", "a.b", Yes),
        (&["foo >"], &[], "foo", "", No),
        (&["foo"], &[], "foo", "q", Yes),
        (&["foo", "foo v1"], &[], "foo", "", Yes),
        (&["foo", "foo v1"], &[], "foo", "v1", Yes),
        (&["foo", "foo v1"], &[], "foo", "v2", No),
        (&[], &["foo dq"], "foo", "dq", No),
        (&[], &["foo dq"], "foo", "", Yes),
        (&[], &["foo dq"], "foo", "other", Yes),
        (&[], &["foo dq"], ">", "dq", InPart),
        (&[], &["foo dq"], ">", "", Yes),
        // The official server lets the group make up for the first pattern.
        (&[], &["foo", "foo dq"], "foo", "other", No),
        (&[], &["foo *.d"], "foo", "q.d", No),
    ] {
        let may = subscribing(allow, deny).may_subscribe(subject.as_bytes(), queue.as_bytes());
        assert_eq!(may, expected, "{allow:?} {deny:?} {subject} {queue}");
    }
    assert!(subscribing(&[], &["foo dq"]).withholds(b"foo", b"dq"));
    assert!(!subscribing(&[], &["foo dq"]).withholds(b"foo", b""));
    assert!(!subscribing(&[], &["foo dq"]).withholds(b"bar", b"dq"));
}

/// Texts out of few tokens, from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % bound
    }

    fn subject(&mut self, tokens: &[&str]) -> String {
        let count = 1 + self.below(3);
        let picked: Vec<&str> = (0..count).map(|_| tokens[self.below(tokens.len() as u64) as usize]).collect();
        picked.join(".")
    }

    fn pattern(&mut self) -> String {
        loop {
            let pattern = self.subject(&["a", "b", "*", ">"]);
            if subject::is_valid_subscription(pattern.as_bytes()) {
                return pattern;
            }
        }
    }

    fn list(&mut self, with_queues: bool) -> Vec<String> {
        let count = self.below(4);
        (0..count)
            .map(|_| match with_queues && self.below(3) == 0 {
                true => format!("{} {}", self.pattern(), ["q", "q.*", ">", "r"][self.below(4) as usize]),
                false => self.pattern(),
            })
            .collect()
    }
}

/// Whether a pattern matches a subject, token by token.
fn naive_matches(pattern: &str, subject: &str) -> bool {
    let (pattern, subject): (Vec<&str>, Vec<&str>) = (pattern.split('.').collect(), subject.split('.').collect());
    match pattern.last() {
        Some(&">") => {
            subject.len() >= pattern.len()
                && pattern.iter().zip(&subject).all(|(want, token)| ["*", ">", token].contains(want))
        }
        _ => {
            pattern.len() == subject.len()
                && pattern.iter().zip(&subject).all(|(want, token)| ["*", token].contains(want))
        }
    }
}

fn naive_group(entry: &str, queue: &str) -> Option<bool> {
    let (_, groups) = entry.split_once(' ')?;
    Some(!queue.is_empty() && (groups == queue || naive_matches(groups, queue)))
}

#[test]
fn random_permissions_decide_as_the_plain_words_do() {
    let subjects: Vec<String> = {
        let tokens = ["a", "b", "c"];
        let two: Vec<String> = tokens.iter().flat_map(|one| tokens.map(|two| format!("{one}.{two}"))).collect();
        let three: Vec<String> = two.iter().flat_map(|two| tokens.map(|three| format!("{two}.{three}"))).collect();
        let four: Vec<String> = three.iter().flat_map(|three| tokens.map(|four| format!("{three}.{four}"))).collect();
        tokens.iter().map(|token| token.to_string()).chain(two).chain(three).chain(four).collect()
    };
    let mut dice = Dice(7);
    for _ in 0..3000 {
        let (allow, deny) = (dice.list(false), dice.list(false));
        let rules = Rules { allow: allow.clone(), deny: deny.clone() };
        let publish = Permissions::new(&config::Permissions { publish: rules, ..Default::default() }, 1);
        for subject in &subjects {
            let expected = (allow.is_empty() || allow.iter().any(|pattern| naive_matches(pattern, subject)))
                && !deny.iter().any(|pattern| naive_matches(pattern, subject));
            assert_eq!(publish.may_publish(subject.as_bytes()), expected, "{allow:?} {deny:?} {subject}");
        }
        let (allow, deny) = (dice.list(true), dice.list(true));
        let rules = Rules { allow: allow.clone(), deny: deny.clone() };
        let subscribe = Permissions::new(&config::Permissions { subscribe: rules, ..Default::default() }, 1);
        let (pattern, queue) = (dice.pattern(), ["", "", "q", "q.x", "r", "s"][dice.below(6) as usize]);
        let shown = format!("{allow:?} {deny:?} {pattern} {queue}");
        let got: Vec<&String> = subjects.iter().filter(|subject| naive_matches(&pattern, subject)).collect();
        let covers = |entry: &String| {
            let subject = entry.split(' ').next().unwrap();
            got.iter().all(|got| naive_matches(subject, got))
        };
        let fitting: Vec<&String> = allow.iter().filter(|entry| covers(entry)).collect();
        let groups: Vec<bool> = fitting.iter().filter_map(|entry| naive_group(entry, queue)).collect();
        let is_plain = fitting.iter().any(|entry| !entry.contains(' '));
        let is_allowed = match queue.is_empty() || groups.is_empty() {
            true => is_plain,
            false => groups.contains(&true),
        };
        let concerned: Vec<&String> = deny.iter().filter(|entry| naive_group(entry, queue).unwrap_or(true)).collect();
        let withheld =
            |subject: &str| concerned.iter().any(|entry| naive_matches(entry.split(' ').next().unwrap(), subject));
        let may = subscribe.may_subscribe(pattern.as_bytes(), queue.as_bytes());
        if (!allow.is_empty() && !is_allowed) || concerned.iter().any(|entry| covers(entry)) {
            assert_eq!(may, MaySubscribe::No, "{shown}");
            continue;
        }
        let is_in_part = got.iter().any(|subject| withheld(subject));
        assert_eq!(may, if is_in_part { MaySubscribe::InPart } else { MaySubscribe::Yes }, "{shown}");
        for subject in got {
            let withholds = subscribe.withholds(subject.as_bytes(), queue.as_bytes());
            assert_eq!(withholds, withheld(subject), "{shown} {subject}");
        }
    }
}
