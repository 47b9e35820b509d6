//! Text from peers made safe for one line of a log, in the manner of Go's `%q`.

use std::fmt::{self, Display, Formatter, Write};

/// Shows bytes of a peer with everything unprintable escaped as Go's `%q` does, without the quotes around.
///
/// Printable UTF-8 stays; `"`, `\`, control characters and bytes that are no UTF-8 become `\"`, `\\`, `\n`, `\x00` and so
/// on; unprintable characters such as direction marks become `\u202e`.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a [u8]);

/// [`Escaped`] with the quotes around: exactly Go's `%q`.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a [u8]);

/// Shows text of a peer as it stands, quotes and backslashes included; only what does not print is escaped, as in
/// [`Escaped`].
#[derive(Clone, Copy, Debug)]
pub struct Plain<'a>(pub &'a [u8]);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", Escaped(self.0))
    }
}

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        escape(self.0, |character| !matches!(character, '"' | '\\') && prints(character), f)
    }
}

impl Display for Plain<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        escape(self.0, prints, f)
    }
}

fn escape(text: &[u8], is_plain: impl Fn(char) -> bool, f: &mut Formatter<'_>) -> fmt::Result {
    for chunk in text.utf8_chunks() {
        escape_text(chunk.valid(), &is_plain, f)?;
        for byte in chunk.invalid() {
            write!(f, "\\x{byte:02x}")?;
        }
    }
    Ok(())
}

/// Writes the plain runs whole and the rest character by character.
fn escape_text(text: &str, is_plain: impl Fn(char) -> bool, f: &mut Formatter<'_>) -> fmt::Result {
    let mut plain_from = 0;
    for (at, character) in text.char_indices() {
        if is_plain(character) {
            continue;
        }
        f.write_str(&text[plain_from..at])?;
        escape_character(character, f)?;
        plain_from = at + character.len_utf8();
    }
    f.write_str(&text[plain_from..])
}

/// As Go has it: letters, marks, numbers, punctuation, symbols and SP; no other blank, and nothing that is a control or
/// format character, private or unassigned.
fn prints(character: char) -> bool {
    match character {
        ' '..='~' => true,
        '\0'..='\x7f' => false,
        // The standard library knows, and escapes the others. Behind another character, it lets marks be.
        _ => {
            let mut pair = [b'a'; 5];
            let end = 1 + character.encode_utf8(&mut pair[1..]).len();
            str::from_utf8(&pair[..end]).is_ok_and(|pair| pair.escape_debug().count() == 2)
        }
    }
}

/// Writes one character that is not plain the way Go does.
pub(super) fn escape_character(character: char, out: &mut impl Write) -> fmt::Result {
    match character {
        '"' => out.write_str("\\\""),
        '\\' => out.write_str("\\\\"),
        '\x07' => out.write_str("\\a"),
        '\x08' => out.write_str("\\b"),
        '\x0c' => out.write_str("\\f"),
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        '\x0b' => out.write_str("\\v"),
        '\0'..='\x7f' => write!(out, "\\x{:02x}", character as u32),
        '\u{80}'..='\u{ffff}' => write!(out, "\\u{:04x}", character as u32),
        _ => write!(out, "\\U{:08x}", character as u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_as_go_does() {
        for (input, expected) in [
            (&b""[..], ""),
            (b"FOO bar\r", "FOO bar\\r"),
            (b"\x00\x01\"\n", "\\x00\\x01\\\"\\n"),
            (b"a\\b'c", "a\\\\b'c"),
            (b"\x07\x08\x0c\x0b\t\x1b[31m\x7f", "\\a\\b\\f\\v\\t\\x1b[31m\\x7f"),
            ("gr\u{fc}\u{df}e \u{4f60}\u{597d}".as_bytes(), "gr\u{fc}\u{df}e \u{4f60}\u{597d}"),
            (b"\xff\xfe", "\\xff\\xfe"),
            (b"cut \xe4\xbd", "cut \\xe4\\xbd"),
            ("\u{202e}x\u{85}\u{2028}".as_bytes(), "\\u202ex\\u0085\\u2028"),
            ("\u{e0001}".as_bytes(), "\\U000e0001"),
        ] {
            assert_eq!(Escaped(input).to_string(), expected, "{input:?}");
            assert_eq!(Quoted(input).to_string(), format!("\"{expected}\""), "{input:?}");
        }
    }

    #[test]
    fn prints_what_go_prints() {
        for (printing, plain) in [
            // Marks, of all three kinds: behind a letter, and first in the text.
            ("e\u{301}", true),
            ("\u{301}", true),
            ("\u{488}", true),
            ("\u{93e}", true),
            ("\u{fe0f}", true),
            ("\u{e0100}", true),
            // Letters, numbers, punctuation and symbols.
            ("\u{ff9e}", true),
            ("\u{2028a}", true),
            ("\u{b2}", true),
            ("\u{2014}", true),
            ("\u{1f600}", true),
            ("\u{20ac}", true),
            // Blanks other than SP.
            ("\u{a0}", false),
            ("\u{2003}", false),
            ("\u{3000}", false),
            ("\u{2029}", false),
            // Control and format characters.
            ("\u{9f}", false),
            ("\u{ad}", false),
            ("\u{200b}", false),
            ("\u{200c}", false),
            ("\u{200e}", false),
            ("\u{61c}", false),
            ("\u{feff}", false),
            ("\u{fff9}", false),
            ("\u{1d173}", false),
            ("\u{e0020}", false),
            // Private, unassigned and no characters.
            ("\u{e000}", false),
            ("\u{f8ff}", false),
            ("\u{f0000}", false),
            ("\u{10ffff}", false),
            ("\u{378}", false),
            ("\u{fdd0}", false),
            ("\u{ffff}", false),
        ] {
            let shown = Escaped(printing.as_bytes()).to_string();
            assert_eq!(shown == printing, plain, "{shown:?} for {printing:?}");
            assert_eq!(Plain(printing.as_bytes()).to_string(), shown);
        }
    }

    #[test]
    fn plain_text_keeps_quotes_and_backslashes() {
        for (input, expected) in [
            (&b"fo\"o\\"[..], "fo\"o\\"),
            (b"{\"a\":\"b\\\"c\"}", "{\"a\":\"b\\\"c\"}"),
            (b"a\tb\x1b\xff", "a\\tb\\x1b\\xff"),
            ("\u{202e}\u{fc}".as_bytes(), "\\u202e\u{fc}"),
        ] {
            assert_eq!(Plain(input).to_string(), expected, "{input:?}");
        }
    }
}
