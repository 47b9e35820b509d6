//! Permissions, from the text of a file to decisions.
//!
//! The input is what stands between the braces of a user's permissions, and behind a zero byte a subject and a queue group
//! to subscribe to.
//!
//! - What may be subscribed to whole has no message withheld, and what may not be at all is denied or not allowed.
//! - What may be published is allowed by a pattern that matches and by none that denies it.

use midge::broker::auth::Permissions;
use midge::broker::auth::permissions::MaySubscribe;
use midge::config::report::Report;
use midge::config::{Options, Outside, file, lang};
use midge::wire::subject;
use std::path::Path;

/// Checks one input.
pub fn run(data: &[u8]) {
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let (text, name, queue) = (parts.next(), parts.next().unwrap_or(b"a.b"), parts.next().unwrap_or_default());
    let text = [b"authorization { users: [{user: u, permissions: {\n", text.unwrap_or_default(), b"\n}}] }"].concat();
    let outside = Outside { variable: &|_| None, file: &|_| Err(std::io::ErrorKind::NotFound.into()) };
    let Ok(map) = lang::parse(Path::new("c.conf"), &text, &outside) else { return };
    let mut options = Options::default();
    let Report { errors, .. } = file::apply(&map, &mut options);
    let Some(user) = options.authorization.users.as_ref().and_then(|users| users.first()) else { return };
    let Some(config) = user.permissions.as_ref().filter(|_| errors.is_empty()) else { return };
    let permissions = Permissions::new(config, 1);
    let is_in = |list: &[String], subject: &[u8]| list.iter().any(|text| subject::matches(first(text), subject));
    let rules = &config.publish;
    let is_allowed = is_in(&rules.allow, name) || (rules.allow.is_empty() && config.responses.is_none());
    assert_eq!(permissions.may_publish(name), is_allowed && !is_in(&rules.deny, name));
    if !subject::is_valid_subscription(name) {
        return;
    }
    let sample: Vec<u8> = name.iter().map(|byte| if matches!(byte, b'*' | b'>') { b'a' } else { *byte }).collect();
    let is_literal = !subject::has_wildcard(name);
    match permissions.may_subscribe(name, queue) {
        MaySubscribe::Yes => assert!(!permissions.withholds(&sample, queue) || !subject::matches(name, &sample)),
        MaySubscribe::InPart => assert!(!is_literal, "one subject is allowed or not"),
        MaySubscribe::No => assert!(!config.subscribe.allow.is_empty() || !config.subscribe.deny.is_empty()),
    }
}

/// The subject of an entry, without its queue group.
fn first(text: &str) -> &[u8] {
    text.split_whitespace().next().unwrap_or_default().as_bytes()
}
