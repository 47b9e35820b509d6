//! Subjects made of other subjects: what mappings and imports between accounts do.
//!
//! A destination is a subject whose tokens may name wildcards of the source: `$1` or `{{wildcard(1)}}` is what stood for
//! the first `*`. A source that ends with `>` needs a destination that does too.

use super::subject;
use crate::log::Quoted;

/// How subjects that a source matches become others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transform {
    parts: Vec<Part>,
}

/// One or several tokens of the new subject.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// As it is written.
    Text(Box<[u8]>),
    /// The token of the old subject at this place, counted from 0.
    Token(usize),
    /// All of them from this place on.
    Rest(usize),
}

/// A token of a destination.
enum Word {
    /// As it is written.
    Text,
    /// What stood for the wildcard with this number, counted from 1.
    Wildcard(usize),
}

impl Transform {
    /// From what `source` matches to `destination`.
    ///
    /// # Errors
    /// What is wrong with the destination, in the words of the official server.
    pub fn new(source: &str, destination: &str) -> Result<Self, String> {
        let stars: Vec<usize> = places_of_stars(source).collect();
        let rest = subject::tokens(source.as_bytes()).position(|token| token == b">");
        let mut parts = Vec::new();
        let mut has_rest = false;
        for token in destination.split('.') {
            let part = match token {
                "" => return Err("invalid mapping destination: invalid transform".to_owned()),
                _ if has_rest => return Err(INVALID.to_owned()),
                "*" => return Err(INVALID.to_owned()),
                ">" => {
                    has_rest = true;
                    Part::Rest(rest.ok_or(INVALID)?)
                }
                token => match word(token)? {
                    Word::Text => Part::Text(token.as_bytes().into()),
                    Word::Wildcard(number) => {
                        let place = number.checked_sub(1).and_then(|at| stars.get(at)).ok_or_else(|| {
                            format!("invalid mapping destination: wildcard index out of range in {token}: [{number}]")
                        })?;
                        Part::Token(*place)
                    }
                },
            };
            parts.push(part);
        }
        if has_rest != rest.is_some() {
            return Err(INVALID.to_owned());
        }
        Ok(Self { parts })
    }

    /// The same if every wildcard of the source is used.
    ///
    /// # Errors
    /// As for [`new`](Self::new), and if one is not.
    pub fn complete(source: &str, destination: &str) -> Result<Self, String> {
        let made = Self::new(source, destination)?;
        let is_used = |place| made.parts.contains(&Part::Token(place));
        match places_of_stars(source).all(is_used) {
            true => Ok(made),
            false => {
                Err(format!("invalid mapping destination: not using all of the token wildcard(s) in {destination}"))
            }
        }
    }

    /// The subject that a subject becomes which the source matches.
    pub fn apply(&self, subject: &[u8]) -> Vec<u8> {
        let tokens: Vec<&[u8]> = subject::tokens(subject).collect();
        let mut made = Vec::with_capacity(subject.len() + 16);
        let mut add = |token: &[u8]| {
            if !made.is_empty() {
                made.push(b'.');
            }
            made.extend_from_slice(token);
        };
        for part in &self.parts {
            match part {
                Part::Text(text) => add(text),
                Part::Token(at) => tokens.get(*at).into_iter().for_each(|token| add(token)),
                Part::Rest(from) => tokens.iter().skip(*from).for_each(|token| add(token)),
            }
        }
        made
    }
}

const INVALID: &str = "invalid subject";

fn places_of_stars(source: &str) -> impl Iterator<Item = usize> {
    source.split('.').enumerate().filter(|(_, token)| *token == "*").map(|(at, _)| at)
}

/// What a token of a destination stands for.
fn word(token: &str) -> Result<Word, String> {
    let number_of = |digits: &str| digits.parse::<usize>().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()));
    if let Some(number) = token.strip_prefix('$').and_then(number_of) {
        return Ok(Word::Wildcard(number));
    }
    let Some(call) = token.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")) else {
        let is_plain = !token.contains(|letter: char| letter.is_whitespace() || letter.is_control());
        return if is_plain { Ok(Word::Text) } else { Err(INVALID.to_owned()) };
    };
    let wrong = |what: &str| format!("invalid mapping destination: {what} in {token}");
    let (name, arguments) = call
        .trim()
        .strip_suffix(')')
        .and_then(|call| call.split_once('('))
        .ok_or_else(|| wrong("function argument is invalid or in the wrong format"))?;
    match name.trim().to_lowercase().as_str() {
        "wildcard" if arguments.contains(',') => Err(wrong("too many arguments passed to the function")),
        "wildcard" => match number_of(arguments.trim()) {
            Some(number) => Ok(Word::Wildcard(number)),
            None => Err(wrong("function argument is invalid or in the wrong format")),
        },
        "partition" | "split" | "splitfromleft" | "splitfromright" | "slicefromleft" | "slicefromright" | "left"
        | "right" | "random" => Err(wrong("function that is not supported")),
        _ => Err(wrong("unknown function")),
    }
}

/// The same destination with wildcards numbered that are written as `*`.
pub fn numbered(destination: &str) -> String {
    let mut next = 0;
    let token = |token: &str| match token {
        "*" => {
            next += 1;
            format!("${next}")
        }
        token => token.to_owned(),
    };
    destination.split('.').map(token).collect::<Vec<_>>().join(".")
}

/// A subject whose wildcards may be written as references, as a pattern; and of each of the pattern's `*`, in their order,
/// which wildcard it is, counted from 1.
///
/// # Errors
/// What is wrong with a reference.
pub fn pattern(subject: &str) -> Result<(String, Vec<usize>), String> {
    let mut numbers = Vec::new();
    let mut tokens = Vec::new();
    for token in subject.split('.') {
        let number = match token {
            "*" => Some(numbers.len() + 1),
            token => match word(token)? {
                Word::Text => None,
                Word::Wildcard(number) => Some(number),
            },
        };
        tokens.push(if number.is_some() { "*" } else { token });
        numbers.extend(number);
    }
    Ok((tokens.join("."), numbers))
}

/// A destination whose references are to the wildcards in `numbers`, with references to their places there. None if it
/// refers to a wildcard that is not among them.
pub fn renumbered(destination: &str, numbers: &[usize]) -> Option<String> {
    let token = |token: &str| match word(token).ok()? {
        Word::Text => Some(token.to_owned()),
        Word::Wildcard(number) => numbers.iter().position(|known| *known == number).map(|at| format!("${}", at + 1)),
    };
    Some(destination.split('.').map(token).collect::<Option<Vec<_>>>()?.join("."))
}

/// Looks whether a subject of the configuration can be used as a pattern.
///
/// # Errors
/// That it cannot.
pub fn check_source(source: &str) -> Result<(), String> {
    let is_plain = !source.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    match is_plain && subject::is_valid_subscription(source.as_bytes()) {
        true => Ok(()),
        false => Err(format!("Subject {} is not a valid subject", Quoted(source.as_bytes()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(source: &str, destination: &str, subject: &str) -> String {
        String::from_utf8(Transform::new(source, destination).unwrap().apply(subject.as_bytes())).unwrap()
    }

    #[test]
    fn tokens_move_where_they_are_referred_to() {
        for (source, destination, subject, expected) in [
            ("a", "b", "a", "b"),
            ("a.*", "b", "a.x", "b"),
            ("a.*", "b.$1", "a.x", "b.x"),
            ("a.*", "b.{{wildcard(1)}}.$1", "a.x", "b.x.x"),
            ("a.*", "b.{{ Wildcard( 1 ) }}", "a.x", "b.x"),
            ("a.*.*", "b.$2.$1", "a.x.y", "b.y.x"),
            ("*", "b.$1c.x$1.$1", "*", "b.$1c.x$1.*"),
            ("a.>", "b.>", "a.x.y", "b.x.y"),
            ("a.*.>", "$1.>", "a.x.y.z", "x.y.z"),
            (">", "b.>", "x", "b.x"),
        ] {
            assert_eq!(made(source, destination, subject), expected, "{source} {destination}");
        }
    }

    #[test]
    fn what_cannot_be_made_is_refused_in_the_usual_words() {
        for (source, destination, reason) in [
            ("a.*", "b.$2", "invalid mapping destination: wildcard index out of range in $2: [2]"),
            ("a.*", "b.$0", "invalid mapping destination: wildcard index out of range in $0: [0]"),
            (
                "a.*",
                "b.{{wildcard(1,2)}}",
                "invalid mapping destination: too many arguments passed to the function in {{wildcard(1,2)}}",
            ),
            ("a.*", "b.{{foo(1)}}", "invalid mapping destination: unknown function in {{foo(1)}}"),
            ("a.*", "b.*", "invalid subject"),
            ("a.>", "b", "invalid subject"),
            ("a", "b.>", "invalid subject"),
            ("a.>", "b.>.c", "invalid subject"),
            ("a", "b..c", "invalid mapping destination: invalid transform"),
            ("a", "b c", "invalid subject"),
            ("a", "b\r\nPUB", "invalid subject"),
        ] {
            assert_eq!(Transform::new(source, destination), Err(reason.to_owned()), "{source} {destination}");
        }
        let partition = Transform::new("a.*", "b.{{partition(3,1)}}").unwrap_err();
        assert!(partition.contains("not supported"), "{partition}");
        assert_eq!(
            Transform::complete("a.*.*", "b.$2"),
            Err("invalid mapping destination: not using all of the token wildcard(s) in b.$2".to_owned())
        );
        assert!(Transform::complete("a.*.*", "$2.$1").is_ok());
    }

    #[test]
    fn references_and_wildcards_stand_for_each_other() {
        assert_eq!(numbered("a.*.b.*.>"), "a.$1.b.$2.>");
        assert_eq!(pattern("x.$2.y.{{wildcard(1)}}"), Ok(("x.*.y.*".to_owned(), vec![2, 1])));
        assert_eq!(pattern("x.*.y.*"), Ok(("x.*.y.*".to_owned(), vec![1, 2])));
        assert_eq!(renumbered("s.$1.$2", &[2, 1]), Some("s.$2.$1".to_owned()));
        assert_eq!(renumbered("s.$3", &[2, 1]), None);
    }
}
