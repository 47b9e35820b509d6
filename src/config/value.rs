//! The kinds of option values and how Go writes them.

use crate::wire::Secret;
use std::fmt;
use std::time::Duration;

/// What kind of value an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// On or off; as a flag it never takes the next word.
    Switch,
    /// A whole number.
    Integer,
    /// Any text.
    Text,
    /// The name of a file or folder.
    Path,
    /// A length of time such as `2m` or `1.5s`.
    Duration,
    /// A length of time, or a number of seconds that may have a fraction.
    Seconds,
    /// A port, or a host and a port: `4222`, `127.0.0.1:4222`, `[::1]:4222`.
    Address,
    /// Texts: one, or a list of them; as a flag, separated by commas.
    Texts,
    /// Names, each with a text. Only a file can have them.
    Pairs,
    /// A text that is never shown.
    Secret,
}

/// A value of an option, not yet checked against what that option allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of [`Kind::Switch`].
    Switch(bool),
    /// Of [`Kind::Integer`].
    Integer(i64),
    /// Of [`Kind::Text`] and [`Kind::Path`].
    Text(String),
    /// Of [`Kind::Duration`] and [`Kind::Seconds`].
    Duration(Duration),
    /// Of [`Kind::Address`]: the host without brackets, None when only a port was given, and the port.
    Address(Option<String>, i64),
    /// Of [`Kind::Texts`].
    Texts(Vec<String>),
    /// Of [`Kind::Pairs`].
    Pairs(Vec<(String, String)>),
    /// Of [`Kind::Secret`].
    Secret(Secret),
}

impl Value {
    /// The switch in it.
    ///
    /// # Errors
    /// What was expected, when it is of another kind; so for the others.
    pub fn switch(self) -> Result<bool, String> {
        match self {
            Value::Switch(on) => Ok(on),
            _ => Err("expected true or false".to_owned()),
        }
    }

    /// The number in it.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn integer(self) -> Result<i64, String> {
        match self {
            Value::Integer(number) => Ok(number),
            _ => Err("expected a whole number".to_owned()),
        }
    }

    /// The text in it.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn text(self) -> Result<String, String> {
        match self {
            Value::Text(text) => Ok(text),
            _ => Err("expected a text".to_owned()),
        }
    }

    /// The length of time in it.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn duration(self) -> Result<Duration, String> {
        match self {
            Value::Duration(time) => Ok(time),
            _ => Err("expected a length of time".to_owned()),
        }
    }

    /// The host and port in it.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn address(self) -> Result<(Option<String>, i64), String> {
        match self {
            Value::Address(host, port) => Ok((host, port)),
            _ => Err("expected an address".to_owned()),
        }
    }

    /// The texts in it.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn texts(self) -> Result<Vec<String>, String> {
        match self {
            Value::Texts(texts) => Ok(texts),
            _ => Err("expected texts".to_owned()),
        }
    }

    /// The names and texts in it.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn pairs(self) -> Result<Vec<(String, String)>, String> {
        match self {
            Value::Pairs(pairs) => Ok(pairs),
            _ => Err("expected names and texts".to_owned()),
        }
    }

    /// The secret in it.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn secret(self) -> Result<Secret, String> {
        match self {
            Value::Secret(secret) => Ok(secret),
            _ => Err("expected a text".to_owned()),
        }
    }
}

impl fmt::Display for Value {
    /// As the official server writes it in its log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Switch(on) => write!(f, "{on}"),
            Value::Integer(number) => write!(f, "{number}"),
            Value::Text(text) => f.write_str(text),
            Value::Texts(texts) => write!(f, "[{}]", texts.join(" ")),
            Value::Duration(time) => f.write_str(&go_duration(*time)),
            Value::Pairs(pairs) => {
                let pairs: Vec<String> = pairs.iter().map(|(name, text)| format!("{name}:{text}")).collect();
                write!(f, "map[{}]", pairs.join(" "))
            }
            Value::Secret(secret) => write!(f, "{secret:?}"),
            Value::Address(None, port) => write!(f, "{port}"),
            Value::Address(Some(host), port) => write!(f, "{host}:{port}"),
        }
    }
}

/// Why a text is no value of a kind; shown in the words of Go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not written as such a value is.
    Syntax,
    /// It is written well but too large or too small to be kept.
    Range,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Syntax => "parse error",
            Fault::Range => "value out of range",
        })
    }
}

impl std::error::Error for Fault {}

impl Kind {
    /// Reads a value as flags are written.
    ///
    /// # Errors
    /// When `text` is no value of this kind.
    pub fn read(self, text: &str) -> Result<Value, Fault> {
        Ok(match self {
            Kind::Switch => Value::Switch(switch(text)?),
            Kind::Integer => Value::Integer(integer(text)?),
            Kind::Text | Kind::Path => Value::Text(text.to_owned()),
            Kind::Duration => Value::Duration(duration(text)?),
            Kind::Seconds => Value::Duration(duration(text).or_else(|_| duration(&format!("{text}s")))?),
            Kind::Address => address(text)?,
            Kind::Texts => {
                let texts = text.split(',').map(|text| text.trim().to_owned());
                Value::Texts(texts.filter(|text| !text.is_empty()).collect())
            }
            Kind::Pairs => return Err(Fault::Syntax),
            Kind::Secret => Value::Secret(text.into()),
        })
    }

    /// What messages call a value of this kind.
    pub fn noun(self) -> &'static str {
        match self {
            Kind::Switch => "a boolean",
            Kind::Integer => "an integer",
            Kind::Text | Kind::Path | Kind::Secret => "a string",
            Kind::Duration => "a duration",
            Kind::Seconds => "seconds or a duration",
            Kind::Address => "a port or \"host:port\"",
            Kind::Texts => "a string or an array of strings",
            Kind::Pairs => "a map of strings",
        }
    }

    /// What the description of a key with such a value begins with in the man page.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Switch => "Boolean",
            Kind::Integer => "Integer",
            Kind::Text | Kind::Path | Kind::Secret => "String",
            Kind::Duration => "Duration",
            Kind::Seconds => "Seconds or duration",
            Kind::Address => "Integer or string",
            Kind::Texts => "String or array of strings",
            Kind::Pairs => "Map of strings",
        }
    }
}

/// A length of time as Go prints it, down to milliseconds: `2m0s`.
pub fn go_duration(duration: Duration) -> String {
    match duration.as_millis() {
        0 => "0s".into(),
        ms @ 1..1000 => format!("{ms}ms"),
        ms => {
            let (minutes, ms) = (ms / 60_000, ms % 60_000);
            let seconds = if ms % 1000 == 0 { format!("{}s", ms / 1000) } else { format!("{}s", ms as f64 / 1000.0) };
            match (minutes / 60, minutes % 60) {
                (0, 0) => seconds,
                (0, minutes) => format!("{minutes}m{seconds}"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
            }
        }
    }
}

/// Go's strconv.ParseBool.
fn switch(text: &str) -> Result<bool, Fault> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(Fault::Syntax),
    }
}

/// Go's strconv.ParseInt with base 0: a sign, a base prefix, and `_` between digits.
fn integer(text: &str) -> Result<i64, Fault> {
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (base, digits) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &unsigned[2..]),
        [b'0', b'o' | b'O', ..] => (8, &unsigned[2..]),
        [b'0', b'b' | b'B', ..] => (2, &unsigned[2..]),
        [b'0', _, ..] => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    // A separator may follow the base prefix, the bare zero of an octal included, but never begin the number.
    let prefixed = digits.len() < unsigned.len();
    let digits = if prefixed { digits.strip_prefix('_').unwrap_or(digits) } else { digits };
    // Syntax first, as in Go: what is malformed is not called too large.
    let mut groups = digits.split('_');
    if !groups.all(|group| !group.is_empty() && group.chars().all(|digit| digit.is_digit(base))) {
        return Err(Fault::Syntax);
    }
    let mut number: i64 = 0;
    for digit in digits.chars().filter_map(|digit| digit.to_digit(base)) {
        let digit = i64::from(digit);
        // Built on the side of its sign, because i64 reaches one further below zero than above.
        let next = number.checked_mul(i64::from(base));
        number = next
            .and_then(|next| if negative { next.checked_sub(digit) } else { next.checked_add(digit) })
            .ok_or(Fault::Range)?;
    }
    Ok(number)
}

/// Go's time.ParseDuration without negative lengths, which no option has a use for.
fn duration(text: &str) -> Result<Duration, Fault> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.is_empty() {
        return Err(Fault::Syntax);
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let (part, after) = duration_part(rest)?;
        total = total.checked_add(part).ok_or(Fault::Range)?;
        rest = after;
    }
    Ok(total)
}

/// Reads one number with its unit off the front of `text`.
fn duration_part(text: &str) -> Result<(Duration, &str), Fault> {
    let digits_of = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, mut rest) = text.split_at(digits_of(text));
    let mut fraction = "";
    if let Some(after_dot) = rest.strip_prefix('.') {
        (fraction, rest) = after_dot.split_at(digits_of(after_dot));
    }
    if whole.is_empty() && fraction.is_empty() {
        return Err(Fault::Syntax);
    }
    let unit_end = rest.find(|next: char| next == '.' || next.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_end);
    let unit_nanos: u128 = match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(Fault::Syntax),
    };
    let number = |digits: &str| match digits {
        "" => Ok(0),
        digits => digits.parse::<u64>().map(u128::from).map_err(|_| Fault::Range),
    };
    // Digits of a fraction beyond the ninth are less than a nanosecond of any unit up to the second, and no more than
    // some microseconds of an hour: they do not count.
    let fraction = &fraction[..fraction.len().min(9)];
    let scale = 10u128.pow(fraction.len() as u32);
    let nanos = number(whole)? * unit_nanos + number(fraction)? * unit_nanos / scale;
    Ok((Duration::from_nanos(u64::try_from(nanos).map_err(|_| Fault::Range)?), rest))
}

/// A port alone, or a host, which may be empty or in brackets, and a port.
fn address(text: &str) -> Result<Value, Fault> {
    let Some((host, port)) = text.rsplit_once(':') else {
        return Ok(Value::Address(None, integer(text)?));
    };
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').ok_or(Fault::Syntax)?,
        None if host.contains(':') => return Err(Fault::Syntax),
        None => host,
    };
    if host.contains(['[', ']']) {
        return Err(Fault::Syntax);
    }
    Ok(Value::Address(Some(host.to_owned()), port.parse().map_err(|_| Fault::Syntax)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_gos() {
        for (ms, text) in [
            (0, "0s"),
            (50, "50ms"),
            (1000, "1s"),
            (1500, "1.5s"),
            (10_000, "10s"),
            (120_000, "2m0s"),
            (3_600_000, "1h0m0s"),
            (93_784_005, "26h3m4.005s"),
        ] {
            assert_eq!(go_duration(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn switches_are_those_of_go() {
        for text in ["1", "t", "T", "true", "TRUE", "True"] {
            assert_eq!(Kind::Switch.read(text), Ok(Value::Switch(true)));
        }
        for text in ["0", "f", "F", "false", "FALSE", "False"] {
            assert_eq!(Kind::Switch.read(text), Ok(Value::Switch(false)));
        }
        for text in ["", "yes", "no", "on", "off", "tRUE", " true", "2", "01"] {
            assert_eq!(Kind::Switch.read(text), Err(Fault::Syntax), "{text:?}");
        }
    }

    #[test]
    fn integers_are_those_of_go() {
        for (text, expected) in [
            ("0", 0),
            ("-0", 0),
            ("4222", 4222),
            ("-1", -1),
            ("+1", 1),
            ("0x4EE8", 20200),
            ("0X4ee8", 20200),
            ("-0x10", -16),
            ("0o17", 15),
            ("0O17", 15),
            ("017", 15),
            ("00", 0),
            ("0_17", 15),
            ("0b101", 5),
            ("0B1_01", 5),
            ("20_200", 20200),
            ("0x_4E_E8", 20200),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("0x7fffffffffffffff", i64::MAX),
        ] {
            assert_eq!(integer(text), Ok(expected), "{text:?}");
        }
        let malformed = [
            "",
            "-",
            "+",
            "x",
            "1k",
            "1.5",
            "1e3",
            " 1",
            "1 ",
            "--1",
            "+-1",
            "0x",
            "0b",
            "0o",
            "0x_",
            "0_",
            "08",
            "0b2",
            "0o8",
            "0xg",
            "_1",
            "1_",
            "1__2",
            "0__1",
            "0x__1",
            "-_1",
            "1_k",
            "\u{661}",
            "99999999999999999999x",
        ];
        for text in malformed {
            assert_eq!(integer(text), Err(Fault::Syntax), "{text:?}");
        }
        for text in ["9223372036854775808", "-9223372036854775809", "99999999999999999999", "0xffffffffffffffff"] {
            assert_eq!(integer(text), Err(Fault::Range), "{text:?}");
        }
    }

    #[test]
    fn durations_are_those_of_go() {
        for (text, nanos) in [
            ("0", 0),
            ("0s", 0),
            ("2m", 120_000_000_000),
            ("10s", 10_000_000_000),
            ("1h2m3.5s", 3_723_500_000_000),
            ("100ms", 100_000_000),
            ("1.s", 1_000_000_000),
            (".5s", 500_000_000),
            ("7us", 7_000),
            ("7\u{b5}s", 7_000),
            ("9ns", 9),
            ("0.1234567899s", 123_456_789),
            ("1m1m", 120_000_000_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_nanos(nanos)), "{text:?}");
        }
        for text in ["", "1", "s", ".", ".s", "1 s", "1x", "-1s", "1s2", "1d", "1S", "1..5s"] {
            assert_eq!(duration(text), Err(Fault::Syntax), "{text:?}");
        }
        for text in ["99999999999999999999s", "18446744073709551615h", "99999999999h"] {
            assert_eq!(duration(text), Err(Fault::Range), "{text:?}");
        }
    }

    #[test]
    fn seconds_may_go_without_a_unit() {
        for (text, ms) in [("2", 2000), ("0.25", 250), ("3s", 3000), ("1m", 60_000), ("0", 0)] {
            assert_eq!(Kind::Seconds.read(text), Ok(Value::Duration(Duration::from_millis(ms))), "{text:?}");
        }
        for text in ["", "x", "-1", "1d"] {
            assert_eq!(Kind::Seconds.read(text), Err(Fault::Syntax), "{text:?}");
        }
    }

    #[test]
    fn texts_of_a_flag_stand_between_commas() {
        for (text, expected) in [("", &[][..]), ("a", &["a"]), (" a , b,,", &["a", "b"])] {
            let expected = expected.iter().map(|text: &&str| text.to_string()).collect();
            assert_eq!(Kind::Texts.read(text), Ok(Value::Texts(expected)), "{text:?}");
        }
    }

    #[test]
    fn addresses_have_a_port_and_perhaps_a_host() {
        let address = |host: Option<&str>, port| Ok(Value::Address(host.map(str::to_owned), port));
        for (text, expected) in [
            ("4222", address(None, 4222)),
            ("-1", address(None, -1)),
            (":4222", address(Some(""), 4222)),
            ("127.0.0.1:-1", address(Some("127.0.0.1"), -1)),
            ("localhost:1", address(Some("localhost"), 1)),
            ("[::1]:4222", address(Some("::1"), 4222)),
            ("[h]:1", address(Some("h"), 1)),
            ("h:99999", address(Some("h"), 99999)),
        ] {
            assert_eq!(Kind::Address.read(text), expected, "{text:?}");
        }
        for text in ["", "h", "h:", "h:x", "::1:4222", "[::1]", "[::1:1", "::1]:1", "[[::1]]:1", "h:0x10"] {
            assert_eq!(Kind::Address.read(text), Err(Fault::Syntax), "{text:?}");
        }
    }
}
