//! Subjects: dot-separated tokens, `*` for one token and a final `>` for one or more.
//!
//! A subscription's subject is checked when it is made. A published subject is always literal: its wildcard
//! characters match only wildcards, and one with an empty token matches nothing.

/// The tokens of `subject`, empty ones included.
pub fn tokens(subject: &[u8]) -> impl Iterator<Item = &[u8]> {
    subject.split(|&byte| byte == b'.')
}

/// True if no token is empty. An empty subject has one empty token.
pub fn is_well_formed(subject: &[u8]) -> bool {
    tokens(subject).all(|token| !token.is_empty())
}

/// True if a SUB may use the subject: no empty token, and `>` only as the last one.
pub fn is_valid_subscription(subject: &[u8]) -> bool {
    let mut rest = tokens(subject).peekable();
    while let Some(token) = rest.next() {
        if token.is_empty() || (token == b">" && rest.peek().is_some()) {
            return false;
        }
    }
    true
}

/// True if a token is a wildcard; inside a longer token `*` and `>` are ordinary characters.
pub fn has_wildcard(subject: &[u8]) -> bool {
    tokens(subject).any(|token| token == b"*" || token == b">")
}

/// What a pedantic client may publish to: no empty token and no wildcard token.
pub fn is_valid_publish(subject: &[u8]) -> bool {
    is_well_formed(subject) && !has_wildcard(subject)
}

/// The first token of `subject`, the whole if it has no dot.
pub fn first_token(subject: &[u8]) -> &[u8] {
    &subject[..memchr::memchr(b'.', subject).unwrap_or(subject.len())]
}

/// Whether a subscription to `pattern` gets a message published to `subject`: the plain definition, which the
/// index is tested against.
pub fn matches(pattern: &[u8], subject: &[u8]) -> bool {
    if !is_well_formed(subject) {
        return false;
    }
    let mut literal = tokens(subject);
    let mut wanted = tokens(pattern).peekable();
    while let Some(want) = wanted.next() {
        let Some(token) = literal.next() else { return false };
        if want == b">" && wanted.peek().is_none() {
            return true;
        }
        if want != b"*" && want != token {
            return false;
        }
    }
    literal.next().is_none()
}

/// Whether every subject that `pattern` matches is also matched by `wider`. Both must be valid for SUB.
pub fn is_subset(pattern: &[u8], wider: &[u8]) -> bool {
    let mut narrow = tokens(pattern);
    for want in tokens(wider) {
        let Some(token) = narrow.next() else { return false };
        match want {
            b">" => return true,
            b"*" if token != b">" => {}
            _ if want != token || token == b">" => return false,
            _ => {}
        }
    }
    narrow.next().is_none()
}

/// Whether there is a subject that both patterns match. Both must be valid for SUB.
pub fn overlap(one: &[u8], other: &[u8]) -> bool {
    let (mut one, mut other) = (tokens(one), tokens(other));
    loop {
        match (one.next(), other.next()) {
            (None, None) => return true,
            (None, _) | (_, None) => return false,
            (Some(b">"), _) | (_, Some(b">")) => return true,
            (Some(b"*"), _) | (_, Some(b"*")) => {}
            (Some(token), Some(same)) if token == same => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscription_subjects() {
        for good in ["a", "a.b", "*", ">", "a.*.c", "a.>", "foo*", "*x.a>", "a.\u{e9}"] {
            assert!(is_valid_subscription(good.as_bytes()), "{good}");
        }
        for bad in ["", ".", "a.", ".a", "a..b", ">.a", "a.>.b"] {
            assert!(!is_valid_subscription(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn publish_subjects() {
        assert!(is_valid_publish(b"foo.bar,*,>,baz"));
        for bad in ["", "a..b", "a.*", ">", "*.b"] {
            assert!(!is_valid_publish(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn matching() {
        for (pattern, subject, want) in [
            ("foo", "foo", true),
            ("foo", "Foo", false),
            ("foo.>", "foo", false),
            ("foo.>", "foo.a.b", true),
            ("*", "foo.a", false),
            ("foo.*", "foo.*", true),
            ("foo.*", "foo.>", true),
            ("foo.bar", "foo.*", false),
            (">", "a..b", false),
            (">", "a.>.b", true),
            ("a.*.b", "a.>.b", true),
            ("a>", "a>", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), subject.as_bytes()), want, "{pattern} {subject}");
        }
    }

    /// All patterns or subjects of up to so many tokens out of few.
    fn all(tokens: &[&str], count: usize) -> Vec<String> {
        let mut all: Vec<String> = tokens.iter().map(|token| token.to_string()).collect();
        for _ in 1..count {
            let longer = all.iter().flat_map(|front| tokens.iter().map(move |token| format!("{front}.{token}")));
            all.extend(longer.collect::<Vec<_>>());
        }
        all.sort();
        all.dedup();
        all.retain(|pattern| is_valid_subscription(pattern.as_bytes()));
        all
    }

    #[test]
    fn relations_of_patterns_are_those_of_the_subjects_they_match() {
        // One token more than the patterns name, and longer than they are.
        let subjects = all(&["a", "b", "c"], 4);
        let patterns = all(&["a", "b", "*", ">"], 3);
        for one in &patterns {
            for other in &patterns {
                let (one, other) = (one.as_bytes(), other.as_bytes());
                let mut both = subjects.iter().filter(|subject| matches(one, subject.as_bytes()));
                let is_subset_naive = both.clone().all(|subject| matches(other, subject.as_bytes()));
                let overlap_naive = both.any(|subject| matches(other, subject.as_bytes()));
                let shown = format!("{} {}", one.escape_ascii(), other.escape_ascii());
                assert_eq!(overlap(one, other), overlap_naive, "{shown}");
                assert_eq!(is_subset(one, other), is_subset_naive, "{shown}");
            }
        }
    }
}
