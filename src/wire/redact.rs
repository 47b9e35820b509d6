//! CONNECT documents without their secrets, for the log.

use std::borrow::Cow;
use std::ops::Range;

/// What stands for a secret.
pub const REDACTED: &str = "[REDACTED]";

/// A key that contains one of these, in any case, has a secret for its value.
const SECRETS: [&str; 8] = ["pass", "token", "jwt", "sig", "nkey", "secret", "seed", "cred"];

/// The document as it came, but with `[REDACTED]` in place of each secret: between its quotes if it is a text, in place
/// of all of it otherwise. A document that cannot be read with certainty is one secret as a whole.
pub fn redacted(document: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(document);
    let Some(secrets) = secrets(&text) else { return REDACTED.into() };
    if secrets.is_empty() {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut kept = 0;
    for secret in secrets {
        out.push_str(&text[kept..secret.start]);
        out.push_str(REDACTED);
        kept = secret.end;
    }
    out.push_str(&text[kept..]);
    out.into()
}

/// Where the secrets of an object are, in order; None if it is no object, or no valid JSON.
fn secrets(text: &str) -> Option<Vec<Range<usize>>> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    match text.trim_start().as_bytes().first() {
        Some(b'{') => {}
        // `null` for the whole.
        Some(b'n') => return Some(Vec::new()),
        _ => return None,
    }
    let bytes = text.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        if bytes[at] != b'"' {
            at += 1;
            continue;
        }
        let end = string_end(bytes, at)?;
        let colon = skip_blanks(bytes, end);
        // Only a key is followed by a colon.
        if bytes.get(colon) != Some(&b':') {
            at = end;
            continue;
        }
        let key = &text[at..end];
        at = skip_blanks(bytes, colon + 1);
        if is_secret(key) {
            let end = value_end(bytes, at)?;
            found.push(if bytes[at] == b'"' { at + 1..end - 1 } else { at..end });
            at = end;
        }
    }
    Some(found)
}

/// True for a key, in its quotes, that has a secret for its value, or that cannot be read.
fn is_secret(key: &str) -> bool {
    let Ok(key) = serde_json::from_str::<String>(key) else { return true };
    // Through both cases, because Go's reader takes a long s for an s and a Kelvin sign for a k.
    let key = key.to_uppercase().to_lowercase();
    SECRETS.iter().any(|secret| key.contains(secret))
}

fn skip_blanks(bytes: &[u8], from: usize) -> usize {
    from + bytes[from..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count()
}

/// The end of the text whose opening quote is at `from`.
fn string_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The end of the value that begins at `from`.
fn value_end(bytes: &[u8], from: usize) -> Option<usize> {
    let (mut at, mut open) = (from, 0);
    loop {
        match bytes.get(at)? {
            b'"' => at = string_end(bytes, at)?,
            b'{' | b'[' => (open, at) = (open + 1, at + 1),
            b'}' | b']' if open > 0 => (open, at) = (open - 1, at + 1),
            b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n' if open == 0 => return Some(at),
            _ => {
                at += 1;
                continue;
            }
        }
        if open == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_shown_but_for_their_secrets() {
        for (document, shown) in [
            ("{}", "{}"),
            ("null", "null"),
            (" { \"name\" : \"a\\u0041\" } ", " { \"name\" : \"a\\u0041\" } "),
            (
                "{\"user\":\"u\",\"pass\":\"p\",\"auth_token\":\"t\",\"lang\":\"go\"}",
                "{\"user\":\"u\",\"pass\":\"[REDACTED]\",\"auth_token\":\"[REDACTED]\",\"lang\":\"go\"}",
            ),
            (
                "{\"jwt\":\"J\",\"nkey\":\"N\",\"sig\":\"S\",\"protocol\":1}",
                "{\"jwt\":\"[REDACTED]\",\"nkey\":\"[REDACTED]\",\"sig\":\"[REDACTED]\",\"protocol\":1}",
            ),
            ("{\"pass\":\"\"}", "{\"pass\":\"[REDACTED]\"}"),
            ("{\"pass\" \t:\r\n \"p\" }", "{\"pass\" \t:\r\n \"[REDACTED]\" }"),
            ("{\"PASS\":\"p\",\"pass\":\"q\"}", "{\"PASS\":\"[REDACTED]\",\"pass\":\"[REDACTED]\"}"),
            ("{\"pa\\u0073s\":\"p\"}", "{\"pa\\u0073s\":\"[REDACTED]\"}"),
            (
                "{\"pa\u{17f}\u{17f}\":\"p\",\"n\u{212a}ey\":\"p\"}",
                "{\"pa\u{17f}\u{17f}\":\"[REDACTED]\",\"n\u{212a}ey\":\"[REDACTED]\"}",
            ),
            ("{\"\\ud800\":\"p\"}", "{\"\\ud800\":\"[REDACTED]\"}"),
            ("{\"pass\":\"a\\\"b,c}\\\\\",\"x\":1}", "{\"pass\":\"[REDACTED]\",\"x\":1}"),
            ("{\"pass\":123,\"x\":{\"Sig\":null}}", "{\"pass\":[REDACTED],\"x\":{\"Sig\":[REDACTED]}}"),
            ("{\"pass\":{\"a\":[\"}\",\"p\"]},\"x\":\"y\"}", "{\"pass\":[REDACTED],\"x\":\"y\"}"),
            ("{\"x\":[{\"pass\":[true] }]}", "{\"x\":[{\"pass\":[REDACTED] }]}"),
            ("{\"name\":\"pass\",\"lang\":\"token\"}", "{\"name\":\"pass\",\"lang\":\"token\"}"),
        ] {
            assert_eq!(redacted(document.as_bytes()), shown, "{document}");
        }
        assert_eq!(
            redacted(b"{\"name\":\"\xff\",\"pass\":\"\xff\"}"),
            "{\"name\":\"\u{fffd}\",\"pass\":\"[REDACTED]\"}"
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_shown() {
        for document in [
            "",
            "p",
            "\"p\"",
            "[\"pass\",\"p\"]",
            "12",
            "{\"pass\":\"p\"",
            "{\"pass\":p}",
            "{pass:\"p\"}",
            "{'pass':'p'}",
            "{\"pass\":\"p\"}}",
            "{\"pass\" \"p\"}",
            "{\"pass\u{1}\":\"p\"}",
            "null p",
        ] {
            assert_eq!(redacted(document.as_bytes()), REDACTED, "{document}");
        }
    }

    #[test]
    fn no_secret_is_shown_however_a_document_is_cut_or_changed() {
        let document = b"{\"a\":\"b\\\"\",\"pass\":\"hunter\\u0032\\\"hunter\",\"c\":[{\"jwt\" : \"hunter\"}]}";
        let text = str::from_utf8(document).unwrap();
        let keys = ["pass", "jwt"].map(|key| text.find(key).map(|at| at..at + key.len()).unwrap());
        for at in 0..document.len() {
            assert!(!redacted(&document[..at]).contains("hunter"), "cut at {at}");
            for with in [b'"', b'\\', b'{', b'}', b':', b',', b' ', b'x', 0xff] {
                let mut changed = document.to_vec();
                changed[at] = with;
                let shown = redacted(&changed);
                // A change within a key makes it another key, whose value is shown.
                let key_changed = keys.iter().any(|key| key.contains(&at));
                assert!(key_changed || !shown.contains("hunter"), "{at} {}: {shown}", char::from(with));
            }
        }
    }
}
