//! `/healthz`: whether the server does what it is for.

use super::{Answer, Context};
use crate::monitor::query::Query;
use crate::monitor::reply::Reply;
use serde::Serialize;
use std::sync::atomic::Ordering;

/// What a server says that takes no more clients.
const NOT_READY: &str = "failed to be ready for connections after 1ms: server";

#[derive(Debug, Default, Serialize)]
struct Healthz<'a> {
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<[Trouble<'a>; 1]>,
}

#[derive(Debug, Serialize)]
struct Trouble<'a> {
    r#type: &'a str,
    error: &'a str,
}

impl Context {
    pub(super) fn healthz(&mut self, query: &Query) -> Answer {
        for name in ["js-enabled-only", "js-enabled", "js-server-only", "js-meta-only"] {
            query.switch(name)?;
        }
        let details = query.switch("details")?;
        let has = |name| !query.text(name).is_empty();
        let (status, kind, error) = if has("stream") && !has("account") {
            ("400 Bad Request", "BAD_REQUEST", "\"account\" must not be empty when checking stream health")
        } else if has("consumer") && !has("stream") {
            ("400 Bad Request", "BAD_REQUEST", "\"stream\" must not be empty when checking consumer health")
        } else if self.orders.closed_to_clients.load(Ordering::Acquire) {
            ("500 Internal Server Error", "CONNECTION", NOT_READY)
        } else {
            return Ok(compact(&Healthz { status: "ok", ..Healthz::default() }));
        };
        self.subject.shared.log.warn(format_args!("Healthcheck failed: \"{error}\""));
        let (error, errors) = match details {
            true => (None, Some([Trouble { r#type: kind, error }])),
            false => (Some(error), None),
        };
        Ok(compact(&Healthz { status: "error", error, errors }).with_status(status))
    }
}

fn compact(document: &Healthz) -> Reply {
    // Serializing into memory fails for no type of ours.
    Reply::json(serde_json::to_vec(document).unwrap_or_default())
}
