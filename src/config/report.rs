//! What is to be said about a configuration file.

use super::lang::{Place, Problem};

/// What is to be said about a file, sorted by position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Why it cannot be used.
    pub errors: Vec<Problem>,
    /// What the operator should know.
    pub warnings: Vec<Problem>,
}

impl Report {
    /// A reason not to use the file. It must not show what may be a secret.
    pub fn error(&mut self, place: &Place, reason: impl Into<String>) {
        self.errors.push(Problem { place: place.clone(), reason: reason.into() });
    }

    /// Something that the operator should know.
    pub fn warning(&mut self, place: &Place, reason: impl Into<String>) {
        self.warnings.push(Problem { place: place.clone(), reason: reason.into() });
    }

    /// What is said, in the order of the file.
    pub(super) fn sorted(mut self) -> Self {
        self.errors.sort_by(|one, other| one.place.cmp(&other.place));
        self.warnings.sort_by(|one, other| one.place.cmp(&other.place));
        self
    }
}
