//! What a user may publish and subscribe to.
//!
//! The rules are those of the official server but for one: a subscription is allowed only if all that it can get is allowed,
//! where that server looks at its subject as if it were published and so lets `foo.>` pass where `foo.*` is allowed.

use crate::config::authorization::{self as config, Responses, Rules};
use crate::wire::subject;

/// What some users may do.
#[derive(Debug)]
pub struct Permissions {
    /// Its number, different from that of any other in this run of the server, and not 0.
    pub id: u64,
    publish: Filter,
    subscribe: Filter,
    /// Replies to messages that were delivered may be published.
    pub responses: Option<Responses>,
    /// Nothing may be published but what is allowed, even if nothing is.
    is_mute: bool,
}

/// Whether a subscription may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaySubscribe {
    /// It may not.
    No,
    /// It may, and gets everything.
    Yes,
    /// It may, but some of its messages are withheld.
    InPart,
}

impl Permissions {
    /// What the configuration says, as set number `id`.
    pub fn new(config: &config::Permissions, id: u64) -> Self {
        Self {
            id,
            publish: Filter::new(&config.publish),
            subscribe: Filter::new(&config.subscribe),
            responses: config.responses,
            is_mute: config.responses.is_some(),
        }
    }

    /// Whether a message may be published to this subject, whose wildcards are none.
    pub fn may_publish(&self, subject: &[u8]) -> bool {
        let Filter { allow, deny } = &self.publish;
        let is_allowed = match allow.is_empty() {
            true => !self.is_mute,
            false => allow.iter().any(|pattern| subject::matches(&pattern.subject, subject)),
        };
        is_allowed && !deny.iter().any(|pattern| subject::matches(&pattern.subject, subject))
    }

    /// What is allowed and denied to be published, as configured.
    pub fn publish_lists(&self) -> [Vec<String>; 2] {
        self.publish.lists()
    }

    /// What is allowed and denied to be subscribed to, as configured.
    pub fn subscribe_lists(&self) -> [Vec<String>; 2] {
        self.subscribe.lists()
    }

    /// Whether a subscription may be made, in a queue group unless `queue` is empty.
    pub fn may_subscribe(&self, subject: &[u8], queue: &[u8]) -> MaySubscribe {
        let Filter { allow, deny } = &self.subscribe;
        if !allow.is_empty() && !is_allowed(allow, subject, queue) {
            return MaySubscribe::No;
        }
        let concerned = || deny.iter().filter(|pattern| pattern.concerns(queue));
        if concerned().any(|pattern| subject::is_subset(subject, &pattern.subject)) {
            return MaySubscribe::No;
        }
        match concerned().any(|pattern| subject::overlap(subject, &pattern.subject)) {
            true => MaySubscribe::InPart,
            false => MaySubscribe::Yes,
        }
    }

    /// Whether a message is withheld from a subscription that may be made in part.
    pub fn withholds(&self, subject: &[u8], queue: &[u8]) -> bool {
        self.subscribe.deny.iter().any(|pattern| pattern.concerns(queue) && subject::matches(&pattern.subject, subject))
    }
}

/// Where patterns with a queue group allow the subject, the group must be one of theirs; else any will do, and none.
fn is_allowed(allow: &[Pattern], subject: &[u8], queue: &[u8]) -> bool {
    let mut fitting = allow.iter().filter(|pattern| subject::is_subset(subject, &pattern.subject)).peekable();
    if fitting.peek().is_none() {
        return false;
    }
    let (mut is_plain, mut is_grouped, mut is_member) = (false, false, false);
    for pattern in fitting {
        match &pattern.queue {
            None => is_plain = true,
            Some(groups) => {
                is_grouped = true;
                is_member |= is_group(groups, queue);
            }
        }
    }
    match queue.is_empty() || !is_grouped {
        true => is_plain,
        false => is_member,
    }
}

/// Whether a group is meant by the name of one, or by a pattern for names.
fn is_group(groups: &[u8], queue: &[u8]) -> bool {
    !queue.is_empty() && (groups == queue || subject::matches(groups, queue))
}

#[derive(Debug)]
struct Filter {
    allow: Vec<Pattern>,
    deny: Vec<Pattern>,
}

impl Filter {
    fn new(rules: &Rules) -> Self {
        let patterns = |list: &[String]| list.iter().map(|text| Pattern::new(text)).collect();
        Self { allow: patterns(&rules.allow), deny: patterns(&rules.deny) }
    }

    fn lists(&self) -> [Vec<String>; 2] {
        [&self.allow, &self.deny].map(|list| list.iter().map(Pattern::shown).collect())
    }
}

/// A subject, perhaps with wildcards, and a queue group, perhaps with wildcards.
#[derive(Debug)]
struct Pattern {
    subject: Box<[u8]>,
    queue: Option<Box<[u8]>>,
}

impl Pattern {
    fn new(text: &str) -> Self {
        let mut words = text.split_whitespace().map(|word| Box::from(word.as_bytes()));
        Self { subject: words.next().unwrap_or_default(), queue: words.next() }
    }

    fn shown(&self) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match &self.queue {
            None => text(&self.subject),
            Some(queue) => format!("{} {}", text(&self.subject), text(queue)),
        }
    }

    /// Whether a denial is meant for a subscription in this group, or in none.
    fn concerns(&self, queue: &[u8]) -> bool {
        self.queue.as_ref().is_none_or(|groups| is_group(groups, queue))
    }
}

#[cfg(test)]
#[path = "permissions_tests.rs"]
mod tests;
