//! Transcript files: their header, their cases, their steps.

use std::time::Duration;

use super::text::{self, Bytes};
use crate::support::settings::{Settings, span};

/// One transcript file.
#[derive(Debug)]
pub struct Script {
    /// The file's name, for messages.
    pub name: String,
    /// Options of the server it needs.
    pub settings: Settings,
    /// True when the official server is known to answer differently.
    pub midge_only: bool,
    /// True when it is only so among the connections of one worker.
    pub one_worker: bool,
    /// True when time matters: the cases are only played as written.
    pub whole_only: bool,
    /// True when the file states every PING the server sends; otherwise they are ignored.
    pub pings_stated: bool,
    /// What the connections say first that are asked for a PONG between pieces, where that is not enough.
    pub probe: Option<Vec<u8>>,
    /// The cases, in the order of the file.
    pub cases: Vec<Case>,
}

/// One case: it has a server or at least its connections to itself.
#[derive(Debug)]
pub struct Case {
    /// Its name, unique within the file.
    pub name: String,
    /// The names of its connections; steps refer to them by position.
    pub connections: Vec<String>,
    /// True when the official server answers as stated only if it reads each operation in one piece.
    pub official_whole: bool,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One step of a case.
#[derive(Clone, Debug)]
pub struct Step {
    /// Line in the file, from 1.
    pub line: usize,
    /// The connection it is about, as a position in [`Case::connections`].
    pub connection: usize,
    /// What is done or must be seen.
    pub act: Act,
}

/// What a step does or wants to see.
#[derive(Clone, Debug)]
pub enum Act {
    /// Connect, and read the first INFO, which must meet the conditions.
    Opens(Document),
    /// Send these bytes.
    Send(Bytes),
    /// Exactly these bytes come next.
    Expect(Vec<u8>),
    /// An INFO line comes next, and meets the conditions.
    ExpectInfo(Document),
    /// Each of these comes next, in whatever order.
    AnyOrder(Vec<Vec<u8>>),
    /// Exactly one of these comes, each on the connection it names; the others see nothing.
    OneOf(Vec<(usize, Vec<u8>)>),
    /// The connection is alive and nothing else came: PING is answered by PONG.
    Open,
    /// The server closes the connection, and nothing else came.
    Closed,
    /// The client closes its sending half.
    Shuts,
    /// The client goes away in the middle of something; nothing more is checked.
    Leaves,
    /// At least the first and at most the second span has passed since the connection was opened.
    After(Duration, Duration),
    /// For this long, again and again: send the first, and exactly the second comes back.
    For(Duration, Vec<u8>, Vec<u8>),
}

/// Conditions an INFO document must meet, besides those that hold for every INFO.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// Keys that must be present, with the value as JSON text if it matters.
    pub present: Vec<(String, Option<serde_json::Value>)>,
    /// Keys that must be absent.
    pub absent: Vec<String>,
}

/// Reads a transcript file. The error names the line.
pub fn parse(name: &str, content: &str) -> Result<Script, String> {
    let mut script = Script {
        name: name.to_string(),
        settings: Settings::default(),
        midge_only: false,
        one_worker: false,
        whole_only: false,
        pings_stated: false,
        probe: None,
        cases: Vec::new(),
    };
    for (index, line) in content.lines().enumerate() {
        let line_number = index + 1;
        take_line(&mut script, line_number, line.trim_end())
            .map_err(|error| format!("{name}:{line_number}: {error}"))?;
    }
    for (position, case) in script.cases.iter().enumerate() {
        if case.steps.is_empty() {
            return Err(format!("{name}: case `{}` does nothing", case.name));
        }
        let same_name = |other: &Case| other.name == case.name;
        if script.cases[..position].iter().any(same_name) {
            return Err(format!("{name}: two cases named `{}`", case.name));
        }
    }
    Ok(script)
}

/// Adds one line to the script.
fn take_line(script: &mut Script, line_number: usize, line: &str) -> Result<(), String> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(());
    }
    if let Some(name) = line.strip_prefix("== ") {
        script.cases.push(Case {
            name: name.trim().to_string(),
            connections: Vec::new(),
            official_whole: false,
            steps: Vec::new(),
        });
        return Ok(());
    }
    match script.cases.last_mut() {
        None => take_header(script, line),
        Some(case) => take_step(case, line_number, line),
    }
}

/// A line before the first case.
fn take_header(script: &mut Script, line: &str) -> Result<(), String> {
    match line {
        "midge-only" => script.midge_only = true,
        "one-worker" => script.one_worker = true,
        "whole-only" => script.whole_only = true,
        "pings-stated" => script.pings_stated = true,
        _ if line.starts_with("config: ") => script.settings.add_line(&line["config: ".len()..]),
        _ if line.starts_with("probe: ") => {
            let mut first = text::decode(&line["probe: ".len()..])?.bytes;
            first.extend_from_slice(b"\r\n");
            script.probe = Some(first);
        }
        _ => {
            let options = line.strip_prefix("options: ").ok_or("unknown header")?;
            script.settings = Settings::parse(options)?;
        }
    }
    Ok(())
}

/// A line of a case: `A> ...`, `A< ...`, or `A` and a verb.
fn take_step(case: &mut Case, line_number: usize, line: &str) -> Result<(), String> {
    if line == "official-whole" && case.steps.is_empty() {
        case.official_whole = true;
        return Ok(());
    }
    let name_len = line.bytes().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let (name, rest) = line.split_at(name_len);
    if !name.starts_with(|first: char| first.is_ascii_uppercase()) {
        return Err("a step starts with the name of a connection".to_string());
    }
    let connection = connection_index(case, name);
    let act = if let Some(sent) = rest.strip_prefix('>') {
        Act::Send(line_bytes(sent)?)
    } else if let Some(wanted) = rest.strip_prefix("<*") {
        let item = line_bytes(wanted)?.bytes;
        if let Some(Step { connection: same, act: Act::AnyOrder(items), .. }) = case.steps.last_mut()
            && *same == connection
        {
            items.push(item);
            return Ok(());
        }
        Act::AnyOrder(vec![item])
    } else if let Some(wanted) = rest.strip_prefix("<1") {
        let item = (connection, line_bytes(wanted)?.bytes);
        if let Some(Step { act: Act::OneOf(items), .. }) = case.steps.last_mut() {
            items.push(item);
            return Ok(());
        }
        Act::OneOf(vec![item])
    } else if let Some(wanted) = rest.strip_prefix('<') {
        match document(wanted.trim_start())? {
            Some(document) => Act::ExpectInfo(document),
            None => Act::Expect(line_bytes(wanted)?.bytes),
        }
    } else {
        verb(rest.trim_start())?
    };
    case.steps.push(Step { line: line_number, connection, act });
    Ok(())
}

/// The position of a connection's name, which is new when it was not seen before.
fn connection_index(case: &mut Case, name: &str) -> usize {
    if let Some(index) = case.connections.iter().position(|known| known == name) {
        return index;
    }
    case.connections.push(name.to_string());
    case.connections.len() - 1
}

/// The bytes of a line: with CRLF at the end, or without after a `~`. One blank after the mark is dropped.
fn line_bytes(written: &str) -> Result<Bytes, String> {
    let (written, end) = match written.strip_prefix('~') {
        Some(raw) => (raw, ""),
        None => (written, "\\r\\n"),
    };
    let written = written.strip_prefix(' ').unwrap_or(written);
    text::decode(&format!("{written}{end}"))
}

/// The steps that are a word: `A open`.
fn verb(written: &str) -> Result<Act, String> {
    let (word, rest) = written.split_once(' ').unwrap_or((written, ""));
    match (word, rest) {
        ("opens", "") => Ok(Act::Opens(Document::default())),
        ("opens", conditions) => {
            let document = document(conditions)?.ok_or("`opens` may be followed by INFO{...}")?;
            Ok(Act::Opens(document))
        }
        ("open", "") => Ok(Act::Open),
        ("closed", "") => Ok(Act::Closed),
        ("shuts", "") => Ok(Act::Shuts),
        ("leaves", "") => Ok(Act::Leaves),
        ("after", spans) => {
            let (least, most) = spans.split_once("..").ok_or("`after` needs two spans")?;
            let (least, most) = (span(least), span(most));
            Ok(Act::After(least.ok_or("bad span")?, most.ok_or("bad span")?))
        }
        ("for", exchange) => repeated_exchange(exchange),
        _ => Err(format!("unknown step `{written}`")),
    }
}

/// `SPAN sent => wanted`.
fn repeated_exchange(written: &str) -> Result<Act, String> {
    let (length, rest) = written.split_once(' ').ok_or("`for` needs a span")?;
    let length = span(length).ok_or("bad span")?;
    let (sent, wanted) = rest.split_once(" => ").ok_or("`for` needs `=>`")?;
    let (sent, wanted) = (text::decode(sent)?, text::decode(wanted)?);
    Ok(Act::For(length, sent.bytes, wanted.bytes))
}

/// `INFO{key, key=json, !key}`, if the text starts like one.
fn document(written: &str) -> Result<Option<Document>, String> {
    let Some(inside) = written.strip_prefix("INFO{") else {
        return Ok(None);
    };
    let inside = inside.strip_suffix('}').ok_or("INFO{ without its }")?;
    let mut document = Document::default();
    for condition in inside.split(',').map(str::trim) {
        if let Some(key) = condition.strip_prefix('!') {
            document.absent.push(key.to_string());
        } else if let Some((key, value)) = condition.split_once('=') {
            let value = serde_json::from_str(value).map_err(|error| error.to_string())?;
            document.present.push((key.to_string(), Some(value)));
        } else if !condition.is_empty() {
            document.present.push((condition.to_string(), None));
        }
    }
    Ok(Some(document))
}
