//! What is known of a connection whose client has to say who it is.

use super::User;
use super::grants::Grants;
use super::permissions::Permissions;
use crate::broker::reason::Reason;
use crate::wire::ProtocolError;
use std::sync::Arc;

/// What is known of a connection whose client has to say who it is.
#[derive(Debug)]
pub struct Access {
    /// What it may sign.
    pub nonce: Box<str>,
    /// How far it has come.
    pub stage: Stage,
    /// Who it is, once that is clear.
    pub user: Option<Arc<User>>,
    /// It has shown that; otherwise it is who clients are that say nothing.
    pub is_proven: bool,
    /// Replies that it may publish.
    pub grants: Option<Box<Grants>>,
    /// Some of its subscriptions do not get everything.
    pub is_filtered: bool,
}

/// How far a client has come with saying who it is.
#[derive(Debug)]
pub enum Stage {
    /// It has said nothing; only CONNECT is taken.
    Asked,
    /// Its password is being checked; nothing is taken.
    Checking(Box<Pending>),
    /// It was refused and will be told; nothing is taken.
    Refused,
    /// It was let in.
    Granted,
}

/// A CONNECT that waits for the check of its password.
#[derive(Debug)]
pub struct Pending {
    /// Who it would be.
    pub user: Option<Arc<User>>,
    /// What its log lines call it.
    pub claim: String,
    /// What else there is in the CONNECT.
    pub outcome: Outcome,
    /// As long as this is here, the answer matters.
    pub waits: Arc<()>,
}

/// What comes of a CONNECT that can be read, if the client may connect at all.
#[derive(Debug, Clone, Copy)]
pub enum Outcome {
    /// It is refused for what it asks for.
    Refusal(ProtocolError<'static>, Reason),
    /// It is accepted, with this protocol.
    Protocol(u8),
}

impl Access {
    /// Of a connection that has said nothing.
    pub fn asked(nonce: String) -> Self {
        Self {
            nonce: nonce.into(),
            stage: Stage::Asked,
            user: None,
            is_proven: false,
            grants: None,
            is_filtered: false,
        }
    }

    /// What the client may do; None if everything.
    pub fn permissions(&self) -> Option<&Permissions> {
        self.user.as_ref()?.permissions.as_deref()
    }

    /// True if each delivery needs a look at what the client may get, or is asked for.
    pub fn is_watched(&self) -> bool {
        self.is_filtered || self.grants.is_some()
    }
}
