//! Writing JSON: objects with members in the order given.

use std::fmt::Write as _;

/// One JSON object under construction.
#[derive(Default)]
pub struct Object {
    text: String,
}

impl Object {
    pub fn string(self, name: &str, value: &str) -> Object {
        self.raw(name, &quoted(value))
    }

    pub fn integer(self, name: &str, value: u64) -> Object {
        self.raw(name, &value.to_string())
    }

    /// A number with at most `digits` decimals; `null` if it is not finite.
    pub fn number(self, name: &str, value: f64, digits: usize) -> Object {
        let text = if value.is_finite() { format!("{value:.digits$}") } else { "null".to_string() };
        self.raw(name, &text)
    }

    /// A member whose value is JSON already.
    pub fn raw(mut self, name: &str, json: &str) -> Object {
        self.text.push(if self.text.is_empty() { '{' } else { ',' });
        self.text.push_str(&quoted(name));
        self.text.push(':');
        self.text.push_str(json);
        self
    }

    /// The object's text, on one line.
    pub fn finish(mut self) -> String {
        self.text.push_str(if self.text.is_empty() { "{}" } else { "}" });
        self.text
    }
}

/// A JSON array of JSON values, one on each line.
pub fn array(items: &[String]) -> String {
    if items.is_empty() { "[]".to_string() } else { format!("[\n{}\n]", items.join(",\n")) }
}

fn quoted(value: &str) -> String {
    let mut text = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            // Writing to a String cannot fail.
            c if c < ' ' => drop(write!(text, "\\u{:04x}", c as u32)),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects() {
        assert_eq!(Object::default().finish(), "{}");
        let text =
            Object::default().string("a\"b", "x\n\\").integer("n", 7).number("f", 1.25, 1).number("x", f64::NAN, 1);
        assert_eq!(text.raw("l", &array(&[])).finish(), r#"{"a\"b":"x\u000a\\","n":7,"f":1.2,"x":null,"l":[]}"#);
    }
}
