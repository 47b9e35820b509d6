//! `/metrics` is what Prometheus reads: checked by a parser that takes nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::http::{Monitored, ask, connect};
use super::peer::Peer;
use super::with_each_worker_count;

/// Samples by name and labels.
type Samples = BTreeMap<(String, String), f64>;

/// Reads a whole text of either format, strictly.
fn parse(text: &str, open_metrics: bool) -> Result<Samples, String> {
    let (mut samples, mut families) = (Samples::new(), BTreeSet::new());
    let (mut help, mut family) = (None, None);
    let mut lines = text.strip_suffix('\n').ok_or("no end")?.split('\n').peekable();
    while let Some(line) = lines.next() {
        if line == "# EOF" {
            return if open_metrics && lines.peek().is_none() { Ok(samples) } else { Err("too early an end".into()) };
        }
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, text) = rest.split_once(' ').ok_or(line)?;
            if text.is_empty() || !is_name(name) || !families.insert(name.to_owned()) {
                return Err(format!("bad or second help: {line}"));
            }
            help = Some(name.to_owned());
            family = None;
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or(line)?;
            if help.as_deref() != Some(name) || !["gauge", "counter"].contains(&kind) {
                return Err(format!("no help before, or no type: {line}"));
            }
            family = Some((name.to_owned(), kind.to_owned()));
        } else {
            let (series, value) = line.rsplit_once(' ').ok_or(line)?;
            let (name, labels) = match series.split_once('{') {
                Some((name, labels)) => (name, labels.strip_suffix('}').ok_or(line)?),
                None => (series, ""),
            };
            let (family, kind) = family.as_ref().ok_or(format!("no type before: {line}"))?;
            let expected = match (kind.as_str(), open_metrics) {
                ("counter", true) => format!("{family}_total"),
                _ => family.clone(),
            };
            if name != expected || (kind == "counter") != name.ends_with("_total") {
                return Err(format!("{name} is not of {family}"));
            }
            check_labels(labels).ok_or(format!("bad labels: {line}"))?;
            let value: f64 = value.parse().map_err(|_| format!("no number: {line}"))?;
            if samples.insert((name.to_owned(), labels.to_owned()), value).is_some() {
                return Err(format!("a second time: {line}"));
            }
        }
    }
    if open_metrics { Err("no # EOF".into()) } else { Ok(samples) }
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn check_labels(labels: &str) -> Option<()> {
    let mut rest = labels;
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"")?;
        is_name(name).then_some(())?;
        let mut chars = value.char_indices();
        let end = loop {
            match chars.next()? {
                (_, '\\') => matches!(chars.next()?.1, '\\' | '"' | 'n').then_some(())?,
                (at, '"') => break at,
                _ => {}
            }
        };
        rest = &value[end + 1..];
        rest = if rest.is_empty() { rest } else { rest.strip_prefix(',').filter(|rest| !rest.is_empty())? };
    }
    Some(())
}

#[test]
fn the_parser_is_strict() {
    let good = "# HELP a_total b c\n# TYPE a_total counter\na_total{x=\"y\\\"\",z=\"\"} 1\n";
    assert!(parse(good, false).is_ok(), "{:?}", parse(good, false));
    for bad in [
        "a 1\n",
        "# HELP a b\na 1\n",
        "# HELP a b\n# TYPE a gauge\na 1",
        "# HELP a b\n# TYPE a gauge\nb 1\n",
        "# HELP a b\n# TYPE a gauge\na x\n",
        "# HELP a b\n# TYPE a gauge\na 1\na 1\n",
        "# HELP a b\n# TYPE a gauge\na{x=y} 1\n",
        "# HELP a b\n# TYPE a gauge\na{x=\"y\",} 1\n",
        "# HELP a b\n# TYPE a counter\na 1\n",
        "# HELP a b\n# TYPE a gauge\na 1\n# HELP a b\n# TYPE a gauge\n",
        "# HELP a b\n# TYPE a gauge\na 1\n# EOF\n",
    ] {
        assert!(parse(bad, false).is_err(), "{bad}");
    }
    assert!(parse("# HELP a b\n# TYPE a counter\na_total 1\n# EOF\n", true).is_ok());
    assert!(parse("# HELP a b\n# TYPE a counter\na_total 1\n", true).is_err());
}

#[test]
fn both_formats_say_what_varz_says() {
    with_each_worker_count(|workers| {
        let server = Monitored::start(&["--workers", &workers.to_string(), "-n", "a\"b\\c"]);
        let mut reader = Peer::connect(server.process.address());
        reader.subscribe("a");
        let mut publisher = Peer::connect(server.process.address());
        for _ in 0..7 {
            publisher.publish("a", b"12345");
        }
        publisher.round_trip();
        let plain = server.get("/metrics");
        assert_eq!(plain.header("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        let request = "GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\
                       Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n\r\n";
        let open = ask(connect(server.http), request);
        let expected = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        assert_eq!(open.header("Content-Type"), Some(expected));
        let plain = parse(plain.text(), false).unwrap();
        let open = parse(open.text(), true).unwrap();
        let names = |samples: &Samples| samples.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&plain), names(&open));
        let varz = server.json("/varz");
        let number = |name: &str| varz[name].as_f64().unwrap();
        for (name, labels, value) in [
            ("midge_messages_total", "direction=\"in\"", number("in_msgs")),
            ("midge_messages_total", "direction=\"out\"", number("out_msgs")),
            ("midge_message_bytes_total", "direction=\"in\"", number("in_bytes")),
            ("midge_message_bytes_total", "direction=\"out\"", number("out_bytes")),
            ("midge_connections", "", number("connections")),
            ("midge_accepted_connections_total", "", number("total_connections")),
            ("midge_subscriptions", "", number("subscriptions")),
            ("midge_max_payload_bytes", "", number("max_payload")),
            ("midge_ping_interval_seconds", "", number("ping_interval") / 1e9),
            ("midge_slow_consumers_total", "kind=\"client\"", number("slow_consumers")),
            ("midge_workers", "", workers as f64),
            ("midge_healthy", "", 1.0),
        ] {
            assert_eq!(plain.get(&(name.to_owned(), labels.to_owned())), Some(&value), "{name} {labels}");
        }
        let turns = plain.iter().filter(|((name, _), turns)| name == "midge_worker_turns_total" && **turns > 0.0);
        assert_eq!(turns.count(), workers);
    });
}
