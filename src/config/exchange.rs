//! What accounts have to do with each other, and with subjects of their own, as the configuration says it: mappings,
//! exports and imports. All of it has been looked at: subjects can be used, wildcards are numbered, imports are allowed.

use std::time::Duration;

/// Messages of clients that are published to other subjects than the clients say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The subject that clients say, perhaps with wildcards.
    pub source: String,
    /// Where the messages go. The weights are at most 100 together; what is missing to that is lost.
    pub choices: Vec<Choice>,
}

/// One destination of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// See [`Transform`](crate::wire::transform::Transform).
    pub destination: String,
    /// How many messages of a hundred go there.
    pub weight: u8,
}

/// What other accounts may import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Perhaps with wildcards.
    pub subject: String,
    /// In what way.
    pub kind: ExportKind,
    /// Which accounts; None for all.
    pub accounts: Option<Vec<String>>,
}

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportKind {
    /// Messages to hear.
    Stream,
    /// Requests to answer.
    Service(Answers),
}

/// How a service answers a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers {
    /// With one message; otherwise with several, of which an empty one is the last.
    pub is_single: bool,
    /// How long a single answer is waited for.
    pub time: Duration,
}

impl Default for Answers {
    fn default() -> Self {
        Self { is_single: true, time: Duration::from_secs(2 * 60) }
    }
}

/// Messages of another account that the subscriptions of this one get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamImport {
    /// The other account.
    pub account: String,
    /// Their subject there, perhaps with wildcards.
    pub source: String,
    /// Their subject here.
    pub destination: String,
}

/// Requests that another account answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceImport {
    /// The other account.
    pub account: String,
    /// Their subject here, perhaps with wildcards.
    pub source: String,
    /// Their subject there.
    pub destination: String,
    /// Who answers is told who asks.
    pub is_shared: bool,
    /// How they are answered.
    pub answers: Answers,
}
