//! The query behind a path: names and values, and what they mean, with errors in the words of the official server.

use crate::log::Quoted;

/// Names and values in their order; what is not well formed is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads what stands behind the `?`.
    pub fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';'));
        Self(
            pairs
                .filter_map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    Some((unescape(name, true)?, unescape(value, true)?))
                })
                .collect(),
        )
    }

    /// Names and values that come in another way.
    pub fn from_pairs(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// The first value with this name, empty if there is none.
    pub fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// A switch; off if it is missing or empty.
    ///
    /// # Errors
    /// A line for the client.
    pub fn switch(&self, name: &str) -> Result<bool, String> {
        let text = self.text(name);
        match text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
            "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
            _ => Err(format!(
                "Error decoding boolean for '{name}': strconv.ParseBool: parsing {}: invalid syntax",
                Quoted(text.as_bytes())
            )),
        }
    }

    /// A whole number; 0 if it is missing or empty.
    ///
    /// # Errors
    /// A line for the client.
    pub fn int(&self, name: &str) -> Result<i64, String> {
        let text = self.text(name);
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        self.number(text, digits, "int", name, "Atoi")
    }

    /// A number that is not negative; 0 if it is missing or empty.
    ///
    /// # Errors
    /// A line for the client.
    pub fn unsigned(&self, name: &str) -> Result<u64, String> {
        let text = self.text(name);
        self.number(text, text, "uint64", name, "ParseUint")
    }

    fn number<N: std::str::FromStr + Default>(
        &self,
        text: &str,
        digits: &str,
        kind: &str,
        name: &str,
        parser: &str,
    ) -> Result<N, String> {
        if text.is_empty() {
            return Ok(N::default());
        }
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let fault = if is_number { "value out of range" } else { "invalid syntax" };
        let number = text.parse().ok().filter(|_| is_number);
        number.ok_or_else(|| {
            let text = Quoted(text.as_bytes());
            format!("Error decoding {kind} for '{name}': strconv.{parser}: parsing {text}: {fault}")
        })
    }
}

/// Text with its `%hh` put back to bytes, and with `plus`, blanks for `+`. None if it is not well formed. What is no
/// UTF-8 then becomes replacement characters.
pub fn unescape(text: &str, plus: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            b'+' if plus => b' ',
            other => other,
        });
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_several_values_counts_and_bad_pairs_are_left_out() {
        let query = Query::parse("subs=1&a=b%20c+d&&subs=2&bad=%zz&%=1&x;y=1&empty=&flag&e=%ff&n%61me=v=w");
        for (name, value) in [
            ("subs", "1"),
            ("a", "b c d"),
            ("bad", ""),
            ("x;y", ""),
            ("empty", ""),
            ("flag", ""),
            ("e", "\u{fffd}"),
            ("name", "v=w"),
        ] {
            assert_eq!(query.text(name), value, "{name}");
        }
        assert_eq!(Query::parse(""), Query::default());
    }

    #[test]
    fn values_mean_what_they_mean_to_go() {
        let switch = |text: &str| Query::parse(&format!("x={text}")).switch("x");
        assert!(["1", "t", "T", "true", "TRUE", "True"].map(switch).iter().all(|on| on == &Ok(true)));
        assert!(["", "0", "f", "F", "false", "FALSE", "False"].map(switch).iter().all(|on| on == &Ok(false)));
        let fault = "Error decoding boolean for 'x': strconv.ParseBool: parsing \"zz\": invalid syntax";
        assert_eq!(switch("zz"), Err(fault.to_owned()));
        let int = |text: &str| Query::parse(&format!("x={text}")).int("x");
        for (text, number) in [("", 0), ("7", 7), ("-7", -7), ("%2B7", 7), ("007", 7)] {
            assert_eq!(int(text), Ok(number), "{text}");
        }
        let fault = |text: &str, fault: &str| {
            Err(format!("Error decoding int for 'x': strconv.Atoi: parsing \"{text}\": {fault}"))
        };
        for text in ["x", "-", "1.0", "0x1", "1_0", "--1"] {
            assert_eq!(int(text), fault(text, "invalid syntax"));
        }
        assert_eq!(int("99999999999999999999"), fault("99999999999999999999", "value out of range"));
        let unsigned = |text: &str| Query::parse(&format!("x={text}")).unsigned("x");
        assert_eq!((unsigned(""), unsigned("18446744073709551615")), (Ok(0), Ok(u64::MAX)));
        for text in ["-1", "%2B1"] {
            let shown = text.replace("%2B", "+");
            let line = format!("Error decoding uint64 for 'x': strconv.ParseUint: parsing \"{shown}\": invalid syntax");
            assert_eq!(unsigned(text), Err(line));
        }
    }
}
