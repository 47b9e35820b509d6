//! A block made up for the purpose, through the whole reader.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::config::lang;
use crate::config::tests::NOTHING;

#[derive(Debug, Default, PartialEq)]
struct Fence {
    height: i64,
    colors: Vec<String>,
    patience: Option<Duration>,
    gates: Vec<Gate>,
}

#[derive(Debug, Default, PartialEq)]
struct Gate {
    is_open: bool,
}

const FENCE: Block<Fence> = Block {
    keys: &[
        Key {
            names: &["height", "high"],
            takes: Takes::Value(Kind::Integer, |fence, value| {
                fence.height = value.integer()?;
                if fence.height > 9 { Err("it would fall over".to_owned()) } else { Ok(()) }
            }),
        },
        Key {
            names: &["colors"],
            takes: Takes::Value(Kind::Texts, |fence: &mut Fence, value| value.texts().map(|all| fence.colors = all)),
        },
        Key {
            names: &["patience"],
            takes: Takes::Value(Kind::Seconds, |fence: &mut Fence, value| {
                value.duration().map(|time| fence.patience = Some(time))
            }),
        },
        Key { names: &["gates"], takes: Takes::Data("Array of maps", read_gates) },
    ],
    unknown: |key| format!("no {key} in a fence"),
};

const GATE: Block<Gate> = Block {
    keys: &[Key {
        names: &["open"],
        takes: Takes::Value(Kind::Switch, |gate: &mut Gate, value| value.switch().map(|on| gate.is_open = on)),
    }],
    unknown: unknown_field,
};

fn read_gates(fence: &mut Fence, entry: &Entry, report: &mut Report) {
    fence.gates = list(entry, report)
        .iter()
        .map(|item| {
            let mut gate = Gate::default();
            GATE.read_data(&item.place, &item.data, &mut gate, report);
            gate
        })
        .collect();
}

/// What `fence` in a file says, and what is said about it.
fn read(text: &str) -> (Fence, Vec<String>) {
    let map = lang::parse(Path::new("c.conf"), text.as_bytes(), &NOTHING).unwrap();
    let (mut fence, mut report) = (Fence::default(), Report::default());
    FENCE.read(map.get("fence").unwrap(), &mut fence, &mut report);
    (fence, report.sorted().errors.iter().map(ToString::to_string).collect())
}

#[test]
fn values_of_every_shape_reach_their_fields() {
    let patience = |text| read(&format!("fence {{ patience: {text} }}")).0.patience;
    assert_eq!(read("fence {}"), (Fence::default(), vec![]));
    assert_eq!(read("fence { HIGH: 3, height = 4 }").0.height, 4);
    assert_eq!(read("fence { colors: red }").0.colors, ["red"]);
    assert_eq!(read("fence { colors: [red, 'light blue'] }").0.colors, ["red", "light blue"]);
    assert_eq!(patience("2"), Some(Duration::from_secs(2)));
    assert_eq!(patience("0.25"), Some(Duration::from_millis(250)));
    assert_eq!(patience("'1m'"), Some(Duration::from_secs(60)));
    let gates = read("fence { gates: [ {open: yes}, {} ] }").0.gates;
    assert_eq!(gates, [Gate { is_open: true }, Gate { is_open: false }]);
}

#[test]
fn variables_are_no_keys() {
    let used = "fence { H: 7\n W: 8\n height: $H }";
    assert_eq!(read(used).0.height, 7);
    assert_eq!(read(used).1, ["c.conf:2:2: no \"W\" in a fence"]);
}

#[test]
fn everything_wrong_is_told_with_its_place() {
    for (text, expected) in [
        ("fence: 1", &["c.conf:1:1: expected a map, got an integer"][..]),
        (
            "fence {\n height: x\n colors: [red, 1]\n\"a\\nb\": 1\n gates: [\n {open: 1}\n 5\n {shut: no} ] }",
            &[
                "c.conf:2:2: expected an integer, got a string",
                "c.conf:3:2: expected strings in the array, got an integer",
                "c.conf:4:1: no \"a\\\\nb\" in a fence",
                "c.conf:6:3: expected a boolean, got an integer",
                "c.conf:7:2: expected a map, got an integer",
                "c.conf:8:3: unknown field \"shut\"",
            ],
        ),
        ("fence { height: 10 }", &["c.conf:1:9: it would fall over"]),
        ("fence { gates: {} }", &["c.conf:1:9: expected an array, got a map"]),
        ("fence { colors: 1 }", &["c.conf:1:9: expected a string or an array of strings, got an integer"]),
        ("fence { patience: no }", &["c.conf:1:9: expected seconds or a duration, got a boolean"]),
        ("fence { patience: -1 }", &["c.conf:1:9: duration is out of range"]),
        ("fence { patience: x }", &["c.conf:1:9: expected a duration such as \"2m\" or \"1.5s\""]),
    ] {
        assert_eq!(read(text).1, expected, "{text:?}");
    }
}

#[test]
fn keys_are_described_with_their_kinds() {
    let described: Vec<_> = FENCE.described().iter().map(|key| (key.names[0], key.kind)).collect();
    let expected = [
        ("height", "Integer"),
        ("colors", "String or array of strings"),
        ("patience", "Seconds or duration"),
        ("gates", "Array of maps"),
    ];
    assert_eq!(described, expected);
}
