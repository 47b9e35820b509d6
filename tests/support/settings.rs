//! The server options a test may set, in the words of the official configuration file.

use std::time::Duration;

/// What a setting's value must look like.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Count,
    Span,
}

/// Every setting a test may name, spelled as in the official configuration file.
const KNOWN: &[(&str, Form)] = &[
    ("lame_duck_duration", Form::Span),
    ("lame_duck_grace_period", Form::Span),
    ("max_connections", Form::Count),
    ("max_control_line", Form::Count),
    ("max_payload", Form::Count),
    ("max_pending", Form::Count),
    ("max_sub_tokens", Form::Count),
    ("max_subscriptions", Form::Count),
    ("ping_interval", Form::Span),
    ("ping_max", Form::Count),
    ("write_deadline", Form::Span),
];

/// One setting's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A number of things or bytes.
    Count(usize),
    /// A length of time.
    Span(Duration),
}

/// Settings that differ from a server's defaults, in the order they were given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    list: Vec<(&'static str, Value)>,
    /// Further lines of a configuration file.
    lines: String,
}

impl Settings {
    /// True if the server is to be one of a cluster.
    pub fn is_clustered(&self) -> bool {
        self.lines.lines().any(|line| line.starts_with("cluster "))
    }

    /// Reads `key=value` words separated by blanks. Spans are whole milliseconds or seconds: `400ms`, `2s`.
    pub fn parse(text: &str) -> Result<Settings, String> {
        let mut list = Vec::new();
        for word in text.split_whitespace() {
            let (key, value) = word.split_once('=').ok_or_else(|| format!("`{word}` is not key=value"))?;
            let (name, form) =
                KNOWN.iter().find(|(name, _)| *name == key).ok_or_else(|| format!("no such option: {key}"))?;
            let value = match form {
                Form::Count => value.parse().ok().map(Value::Count),
                Form::Span => span(value).map(Value::Span),
            };
            list.push((*name, value.ok_or_else(|| format!("bad value: {word}"))?));
        }
        Ok(Settings { list, lines: String::new() })
    }

    /// Adds a line of a configuration file.
    pub fn add_line(&mut self, line: &str) {
        self.lines.push_str(line);
        self.lines.push('\n');
    }

    /// The lines of a configuration file that were added.
    pub fn lines(&self) -> &str {
        &self.lines
    }

    /// The value of one setting, if it was given.
    pub fn get(&self, key: &str) -> Option<Value> {
        self.list.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    /// All settings that were given.
    pub fn list(&self) -> &[(&'static str, Value)] {
        &self.list
    }

    /// The settings as lines of an official configuration file.
    pub fn config_file(&self) -> String {
        let line = |(name, value): &(&str, Value)| match value {
            Value::Count(count) => format!("{name}: {count}\n"),
            Value::Span(span) => format!("{name}: \"{}ms\"\n", span.as_millis()),
        };
        self.list.iter().map(line).collect::<String>() + &self.lines
    }
}

/// A span such as `400ms` or `2s`.
pub fn span(text: &str) -> Option<Duration> {
    if let Some(millis) = text.strip_suffix("ms") {
        return millis.parse().ok().map(Duration::from_millis);
    }
    let seconds = text.strip_suffix('s')?;
    seconds.parse().ok().map(Duration::from_secs)
}
