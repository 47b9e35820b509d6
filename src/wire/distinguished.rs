//! Distinguished names, such as `CN=joe,O=Acme`: as certificates have them and as people write them (RFC 2253).

use super::der::Item;

/// The attributes that have a name, by their identifiers.
const ATTRIBUTES: [(&[u8], &str); 11] = [
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 5], "SERIALNUMBER"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 9], "STREET"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 17], "POSTALCODE"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], DOMAIN),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
];

/// The attribute that holds a part of a host name.
const DOMAIN: &str = "DC";

/// The attributes that Go has fields for, in the order in which it writes them.
const GO_FIELDS: [&str; 9] = ["SERIALNUMBER", "CN", "POSTALCODE", "STREET", "ST", "L", "OU", "O", "C"];

/// Tags of texts: UTF-8, three kinds of its subsets, and UTF-16.
const UTF8: [u8; 4] = [0x0c, 0x12, 0x13, 0x16];
const UTF16: u8 = 0x1e;

/// Parts in a name that is written, at most.
const PARTS_MAX: usize = 64;

/// A distinguished name: its parts, each of one attribute or several, the most specific part first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Name(pub Vec<Vec<Part>>);

/// One attribute of a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// What it is, in capitals; numbers where it has no name.
    pub kind: String,
    /// Its text.
    pub value: String,
}

impl Part {
    /// As a certificate has it.
    pub fn of(kind: &[u8], value: &Item) -> Self {
        let name = ATTRIBUTES.iter().find(|(id, _)| *id == kind).map(|(_, name)| *name);
        let text = match value.tag {
            tag if UTF8.contains(&tag) => std::str::from_utf8(value.content).ok().map(str::to_owned),
            UTF16 => {
                let units =
                    value.content.chunks(2).map(|unit| unit.iter().fold(0, |unit, byte| unit << 8 | u16::from(*byte)));
                char::decode_utf16(units).collect::<Result<_, _>>().ok()
            }
            _ => None,
        };
        let value = text.unwrap_or_else(|| format!("#{}", hex(value.whole)));
        Self { kind: name.map_or_else(|| dotted(kind), str::to_owned), value }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A value with `\` before what means something in a name.
fn escape(value: &str) -> String {
    let end = value.len() - 1.min(value.len());
    let mut text = String::new();
    for (at, character) in value.char_indices() {
        let is_special = match character {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => true,
            '#' => at == 0,
            ' ' => at == 0 || at == end,
            _ => false,
        };
        if is_special {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

/// An identifier in numbers.
fn dotted(id: &[u8]) -> String {
    let mut text = String::new();
    let mut number = 0u64;
    for &byte in id {
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        if text.is_empty() {
            let first = (number / 40).min(2);
            text = format!("{first}.{}", number - first * 40);
        } else {
            text += &format!(".{number}");
        }
        number = 0;
    }
    text
}

impl Name {
    /// Reads a name as people write it, the most specific part first: attributes with `=`, commas between parts, `+` within
    /// them, blanks around both, `\` before what would end a value. None if it is not such a name.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let (mut parts, mut part) = (Vec::new(), Vec::new());
        loop {
            let (kind, behind) = rest.split_once('=')?;
            let kind = kind.trim();
            let is_kind = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-');
            if kind.is_empty() || !kind.chars().all(is_kind) {
                return None;
            }
            let (value, end) = value(behind)?;
            part.push(Part { kind: kind.to_ascii_uppercase(), value });
            let mut behind = behind.get(end..)?.chars();
            let separator = behind.next();
            rest = behind.as_str();
            if separator != Some('+') {
                parts.push(std::mem::take(&mut part));
            }
            if separator.is_none() {
                return Some(Self(parts));
            }
            if parts.len() + part.len() >= PARTS_MAX {
                return None;
            }
        }
    }

    /// True if it has the same parts as another, in whatever order.
    pub fn has_same_parts(&self, other: &Self) -> bool {
        self.sorted() == other.sorted()
    }

    /// The name without its domain components.
    pub fn without_domain(&self) -> Self {
        let is_domain = |part: &&Vec<Part>| part.iter().any(|part| part.kind == DOMAIN);
        Self(self.0.iter().filter(|part| !is_domain(part)).cloned().collect())
    }

    /// The name as Go writes it: what it has a field for by field, then the rest by number.
    pub fn go_text(&self) -> String {
        let all = || self.0.iter().flatten();
        let field = |kind: &str| {
            // The parts are in reverse order here.
            let values: Vec<&Part> = all().filter(|part| part.kind == kind).collect();
            let written = values.iter().rev().map(|part| format!("{kind}={}", escape(&part.value)));
            (!values.is_empty()).then(|| written.collect::<Vec<_>>().join("+"))
        };
        let others = all().filter(|part| !GO_FIELDS.contains(&&*part.kind)).map(|part| {
            let id = ATTRIBUTES.iter().find(|(_, name)| *name == part.kind);
            let kind = id.map_or_else(|| part.kind.clone(), |(id, _)| dotted(id));
            format!("{kind}={}", escape(&part.value))
        });
        GO_FIELDS.into_iter().filter_map(field).chain(others).collect::<Vec<_>>().join(",")
    }

    fn sorted(&self) -> Vec<Vec<Part>> {
        let mut parts = self.0.clone();
        parts.iter_mut().for_each(|part| part.sort());
        parts.sort();
        parts
    }
}

/// The value that a text starts with, and where it ends.
fn value(text: &str) -> Option<(String, usize)> {
    let mut bytes = Vec::new();
    // What is written so is kept even if it is a blank at the end.
    let mut kept = 0;
    let mut quoted = false;
    let mut at = text.len() - text.trim_start().len();
    let raw = text.as_bytes();
    while let Some(&byte) = raw.get(at) {
        at += 1;
        match byte {
            b'"' => quoted = !quoted,
            b',' | b';' | b'+' if !quoted => {
                at -= 1;
                break;
            }
            b'\\' => {
                let next = *raw.get(at)?;
                let code = raw.get(at..at + 2).and_then(|code| std::str::from_utf8(code).ok());
                match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
                    Some(byte) if next.is_ascii_hexdigit() => {
                        bytes.push(byte);
                        at += 2;
                    }
                    _ => {
                        bytes.push(next);
                        at += 1;
                    }
                }
                kept = bytes.len();
            }
            other => {
                bytes.push(other);
                if quoted || other != b' ' {
                    kept = bytes.len();
                }
            }
        }
    }
    bytes.truncate(kept);
    (!quoted).then(|| String::from_utf8(bytes).ok()).flatten().map(|value| (value, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(parts: &[&[(&str, &str)]]) -> Name {
        let part = |(kind, value): &(&str, &str)| Part { kind: kind.to_string(), value: value.to_string() };
        Name(parts.iter().map(|attributes| attributes.iter().map(part).collect()).collect())
    }

    #[test]
    fn names_are_read_as_people_write_them() {
        let plain = name(&[&[("CN", "joe")], &[("O", "Acme")]]);
        for text in ["CN=joe,O=Acme", "CN=joe, O=Acme", " cn = joe ; o=Acme ", "CN=\"joe\",O=Acme", "CN=\\6aoe,O=Acme"]
        {
            assert_eq!(Name::parse(text), Some(plain.clone()), "{text}");
        }
        let special = name(&[&[("CN", "a,b+c\\ "), ("UID", "7")], &[("2.5.4.4", "é")]]);
        assert_eq!(Name::parse("CN=a\\,b\\+c\\\\\\ +UID=7,2.5.4.4=\\c3\\a9"), Some(special));
        assert_eq!(Name::parse("CN="), Some(name(&[&[("CN", "")]])));
        for text in ["", "joe", "=joe", "CN=joe,", "CN=joe,O", "C N=joe", "CN=\"joe", "CN=joe\\", "CN=\\ff"] {
            assert_eq!(Name::parse(text), None, "{text}");
        }
        assert_eq!(Name::parse(&vec!["A=b"; PARTS_MAX + 1].join(",")), None);
    }

    #[test]
    fn order_matters_only_where_it_is_asked_for() {
        let (one, two) = (Name::parse("CN=joe,O=Acme").unwrap(), Name::parse("O=Acme,CN=joe").unwrap());
        assert!(one != two && one.has_same_parts(&two));
        assert!(!one.has_same_parts(&Name::parse("CN=joe").unwrap()));
        assert_eq!(Name::parse("CN=joe,DC=b,O=Acme,DC=com").unwrap().without_domain(), one);
    }

    #[test]
    fn names_are_written_as_go_writes_them() {
        for (parts, text) in [
            (name(&[&[("CN", "joe")], &[("O", "Acme")], &[("C", "DE")]]), "CN=joe,O=Acme,C=DE"),
            (name(&[&[("C", "DE")], &[("O", "Acme")], &[("CN", "joe")]]), "CN=joe,O=Acme,C=DE"),
            (name(&[&[("OU", "b")], &[("OU", "a")]]), "OU=a+OU=b"),
            (name(&[&[("CN", "#a,b+c\\ <\"> d; ")]]), "CN=\\#a\\,b\\+c\\\\ \\<\\\"\\> d\\;\\ "),
            (name(&[&[("DC", "com")], &[("CN", "é")]]), "CN=é,0.9.2342.19200300.100.1.25=com"),
            (name(&[&[("2.5.4.4", "a_b")]]), "2.5.4.4=a_b"),
            (name(&[]), ""),
        ] {
            assert_eq!(parts.go_text(), text);
        }
    }

    #[test]
    fn identifiers_without_a_name_are_numbers() {
        assert_eq!(dotted(&[0x55, 4, 4]), "2.5.4.4");
        assert_eq!(dotted(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1]), "1.2.840.113549.1.9.1");
        assert_eq!(dotted(&[]), "");
    }
}
