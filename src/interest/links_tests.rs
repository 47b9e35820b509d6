//! Mappings and imports against their naive definition.

use super::tests::{Dice, any_subject};
use super::*;
use crate::config::authorization::{Account as Configured, Authorization};
use crate::config::exchange::{Choice, Mapping, ServiceImport, StreamImport};
use std::collections::BTreeMap;

const NAMES: [&str; 3] = ["A", "B", "C"];

struct Sub {
    account: usize,
    pattern: String,
    queue: String,
    target: Target,
    node: NodeId,
}

/// An import, and how it makes a subject of the other account one of this, said once more and naively.
struct Import {
    importer: usize,
    exporter: usize,
    source: String,
    destination: String,
    made: Made,
}

type Made = fn(&str) -> String;

fn same(subject: &str) -> String {
    subject.to_owned()
}

fn with_prefix(subject: &str) -> String {
    format!("p.{subject}")
}

fn swapped(subject: &str) -> String {
    let (one, other) = subject.split_once('.').unwrap();
    format!("{other}.x.{one}")
}

fn any_import(dice: &mut Dice) -> Import {
    let kinds: [(&str, &str, Made); 6] = [
        (">", ">", same),
        (">", "p.>", with_prefix),
        ("a", "a", same),
        ("a.*", "p.a.$1", with_prefix),
        ("*.>", "p.$1.>", with_prefix),
        ("*.*", "$2.x.$1", swapped),
    ];
    let importer = dice.below(3);
    let (source, destination, made) = kinds[dice.below(kinds.len())];
    let exporter = (importer + 1 + dice.below(2)) % 3;
    Import { importer, exporter, source: source.into(), destination: destination.into(), made }
}

fn configured(imports: &[Import]) -> Authorization {
    let account = |number: usize| Configured {
        name: NAMES[number].to_owned(),
        streams: (imports.iter().filter(|import| import.importer == number))
            .map(|import| StreamImport {
                account: NAMES[import.exporter].to_owned(),
                source: import.source.clone(),
                destination: import.destination.clone(),
            })
            .collect(),
        ..Configured::default()
    };
    Authorization { accounts: (0..3).map(account).collect(), ..Authorization::default() }
}

type Seen = BTreeMap<(String, Target), usize>;

fn count(seen: &mut Seen, subject: &str, target: Target) {
    *seen.entry((subject.to_owned(), target)).or_default() += 1;
}

/// What the cache says: the plain subscriptions with the subjects they see, and the members of each queue group.
fn found(matched: &Matched, subject: &str) -> (Seen, BTreeMap<String, Seen>) {
    let (mut plain, mut groups) = (Seen::new(), BTreeMap::<String, Seen>::new());
    let mut add = |matched: &Matched, subject: &str| {
        matched.plain.iter().for_each(|target| count(&mut plain, subject, *target));
        for group in matched.groups() {
            let seen = groups.entry(text(group.name)).or_default();
            group.members.iter().for_each(|member| count(seen, subject, *member));
        }
    };
    match matched.linked() {
        None => add(matched, subject),
        Some(linked) => {
            linked.legs.iter().for_each(|leg| add(&leg.matched, &text(&leg.subject)));
            for group in &linked.groups {
                assert!(!groups.contains_key(&text(&group.name)), "a group is either one leg's or all legs'");
                let seen = groups.entry(text(&group.name)).or_default();
                group.members.iter().for_each(|(leg, member)| count(seen, &text(&linked.legs[*leg].subject), *member));
            }
        }
    }
    (plain, groups)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn importers_hear_what_the_naive_definition_says_under_churn() {
    for seed in 1..40u64 {
        let mut dice = Dice(seed * 0x9e37_79b9);
        let interest = Interest::new(seed);
        let mut imports: Vec<Import> = (0..1 + dice.below(4)).map(|_| any_import(&mut dice)).collect();
        interest.link(&configured(&imports));
        let ids = NAMES.map(|name| interest.account_number(name).unwrap());
        let mut cache = Cache::new(0);
        let mut subs: Vec<Sub> = Vec::new();
        for step in 0..300u32 {
            if step % 100 == 99 {
                imports = (0..dice.below(4)).map(|_| any_import(&mut dice)).collect();
                interest.link(&configured(&imports));
            }
            if dice.below(3) > 0 || subs.is_empty() {
                let pattern = any_subject(&mut dice, &["a", "b", "p", "x", "*", ">"]);
                if subject::is_valid_subscription(pattern.as_bytes()) {
                    let (account, target) = (dice.below(3), Target::new(0, step, 0));
                    let queue = dice.pick(&["", "", "q", "r"]).to_owned();
                    let node = interest.insert(ids[account], pattern.as_bytes(), queue.as_bytes(), target);
                    subs.push(Sub { account, pattern, queue, target, node });
                }
            } else {
                let sub = subs.swap_remove(dice.below(subs.len()));
                interest.remove(ids[sub.account], sub.node, sub.queue.as_bytes(), sub.target);
            }
            let (account, subject) = (dice.below(3), any_subject(&mut dice, &["a", "b", "p", "x"]));
            let mut plain = Seen::new();
            let mut groups = BTreeMap::<String, Seen>::new();
            let mut meet = |account: usize, subject: &str| {
                let hits = subs.iter().filter(|sub| sub.account == account);
                for sub in hits.filter(|sub| subject::matches(sub.pattern.as_bytes(), subject.as_bytes())) {
                    match sub.queue.is_empty() {
                        true => count(&mut plain, subject, sub.target),
                        false => count(groups.entry(sub.queue.clone()).or_default(), subject, sub.target),
                    }
                }
            };
            meet(account, &subject);
            let is_meant = |import: &&Import| {
                import.exporter == account && subject::matches(import.source.as_bytes(), subject.as_bytes())
            };
            for import in imports.iter().filter(is_meant) {
                meet(import.importer, &(import.made)(&subject));
            }
            let place = cache.place(&interest, ids[account], subject.as_bytes(), dice.below(64) as u32);
            assert_eq!(found(cache.matched(place), &subject), (plain, groups), "seed {seed} step {step} {subject}");
        }
    }
}

#[test]
fn an_account_without_links_has_results_as_ever() {
    let interest = Interest::new(1);
    let import = Import { importer: 0, exporter: 1, source: "a".into(), destination: "a".into(), made: same };
    interest.link(&configured(&[import]));
    let mut cache = Cache::new(0);
    let b = interest.account_number("B").unwrap();
    for (account, subject, shape) in [
        (GLOBAL_ACCOUNT, "a", Shape::Nobody),
        (b, "b", Shape::Nobody),
        (b, "a", Shape::Linked),
        (View::Served.of(b), "a", Shape::Nobody),
        (View::Alone.of(b), "a", Shape::Nobody),
        (GLOBAL_ACCOUNT, "$SYS.REQ.USER.INFO", Shape::Linked),
        (View::Alone.of(GLOBAL_ACCOUNT), "$SYS.REQ.USER.INFO", Shape::Nobody),
    ] {
        let place = cache.place(&interest, account, subject.as_bytes(), 0);
        assert_eq!(cache.matched(place).shape, shape, "{account:x} {subject}");
    }
    interest.link(&Authorization { no_system_account: true, ..Authorization::default() });
    for (account, subject) in [(b, "a"), (GLOBAL_ACCOUNT, "$SYS.REQ.USER.INFO")] {
        let place = cache.place(&interest, account, subject.as_bytes(), 0);
        assert_eq!(cache.matched(place).shape, Shape::Nobody, "{subject}: nothing is linked any more");
    }
}

#[test]
fn mappings_choose_by_weight_and_the_most_literal_first() {
    let choice = |destination: &str, weight| Choice { destination: destination.to_owned(), weight };
    let mapping = |source: &str, choices: &[Choice]| Mapping { source: source.to_owned(), choices: choices.to_vec() };
    let mappings = vec![
        mapping("a.*", &[choice("b.$1", 30), choice("c.$1", 60)]),
        mapping("a.>", &[choice("never.>", 100)]),
        mapping("a.x", &[choice("d", 0), choice("e", 100)]),
    ];
    let interest = Interest::new(1);
    interest.link(&Authorization { mappings, ..Authorization::default() });
    let mut cache = Cache::new(0);
    let mut chosen = |subject: &str, number| {
        let place = cache.place(&interest, GLOBAL_ACCOUNT, subject.as_bytes(), 0);
        let linked = cache.matched(place).linked().expect("it is mapped");
        assert_eq!(cache.matched(place).shape, Shape::Mapped);
        linked.choose(number).map(text)
    };
    for (number, expected) in [(0, Some("b.y")), (29, Some("b.y")), (30, Some("c.y")), (89, Some("c.y")), (90, None)] {
        assert_eq!(chosen("a.y", number).as_deref(), expected, "{number}");
    }
    assert_eq!((chosen("a.x", 0), chosen("a.x", 99)), (Some("e".to_owned()), Some("e".to_owned())));
    let place = cache.place(&interest, View::Mapped.of(GLOBAL_ACCOUNT), b"a.y", 0);
    assert!(cache.matched(place).linked().is_none(), "what is mapped is not mapped again");
}

#[test]
fn services_are_found_under_their_own_names_there() {
    let service = |source: &str, destination: &str| ServiceImport {
        account: "B".into(),
        source: source.into(),
        destination: destination.into(),
        is_shared: false,
        answers: Default::default(),
    };
    let services = vec![service("q.*.*", "there.$2.$1"), service("q.>", "all.>")];
    let accounts = vec![Configured { name: "A".into(), services, ..Configured::default() }];
    let interest = Interest::new(1);
    interest.link(&Authorization { accounts, ..Authorization::default() });
    let mut cache = Cache::new(0);
    let a = interest.account_number("A").unwrap();
    for view in [View::Published, View::Mapped, View::Served] {
        let place = cache.place(&interest, view.of(a), b"q.1.2", 0);
        let linked = cache.matched(place).linked().unwrap();
        let subjects: Vec<String> = linked.services.iter().map(|(_, subject)| text(subject)).collect();
        assert_eq!(subjects, ["there.2.1", "all.1.2"]);
        assert_eq!(linked.services[0].0.exporter, interest.account_number("B").unwrap());
    }
}
