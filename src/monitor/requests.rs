//! Answers to what clients ask about the server in messages: the documents that monitoring has, in the form of the official
//! server's system account.

use super::documents::{self, Context};
use super::query::Query;
use crate::broker::system::{Answer, Kind, Request};
use crate::reactor::Desk;
use crate::sys::priority;
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::{Mutex, PoisonError};

/// What is wrong with a request.
#[derive(Serialize)]
struct Fault {
    code: u16,
    description: String,
}

/// Answers requests until the desk is closed.
pub fn serve(desk: &Desk, context: &Mutex<Context>) {
    priority::step_back();
    while let Some((worker, request)) = desk.next() {
        let document = answer(&mut context.lock().unwrap_or_else(PoisonError::into_inner), &request);
        if let Some(document) = document {
            let Request { account, reply, .. } = *request;
            desk.answer(worker, Answer { account, reply, document });
        }
    }
}

/// The document that answers a request; None if it is not for this server, or there is nothing to say.
fn answer(context: &mut Context, request: &Request) -> Option<Vec<u8>> {
    context.update();
    context.workers.begin();
    let body = request.body.trim_ascii();
    let asked: Result<Map<String, Value>, _> =
        if body.is_empty() { Ok(Map::new()) } else { serde_json::from_slice(body) };
    let mut asked = match asked {
        Ok(asked) => asked,
        Err(error) => {
            let description = format!("bad JSON at column {}", error.column());
            return Some(wrapped(context, None, Some(Fault { code: 400, description })));
        }
    };
    if !is_meant(context, &asked) {
        return None;
    }
    let outcome = match request.kind {
        Kind::Idz => return Some(context.idz()),
        Kind::Statsz => return Some(context.statsz()),
        Kind::AccountConns => return context.account_connections(request.of.as_deref()?),
        Kind::AccountInfo => context.account_info(request.of.as_deref()?),
        Kind::AccountStatz => {
            let unused = asked.get("include_unused").and_then(Value::as_bool) == Some(true);
            let accounts = match &request.of {
                Some(account) => Some(vec![account.clone()]),
                None => asked.remove("accounts").and_then(|names| serde_json::from_value(names).ok()),
            };
            if request.of.as_ref().is_some_and(|account| !context.has_account(account)) {
                return None;
            }
            context.account_statz(accounts.as_deref(), unused || request.of.is_some())
        }
        Kind::Page(path) => page(context, path, &query(path, request.of.as_deref(), &asked)),
    };
    Some(match outcome {
        Ok(data) => wrapped(context, Some(data), None),
        Err(description) => wrapped(context, Some(b"null".to_vec()), Some(Fault { code: 500, description })),
    })
}

/// A document of monitoring.
fn page(context: &mut Context, path: &str, query: &Query) -> Result<Vec<u8>, String> {
    let (code, body) = documents::answer(context, path, query, false).into_parts();
    match (path, code) {
        ("/healthz", code @ (200 | 500)) => {
            let mut body = compact(&body);
            body.truncate(body.len().saturating_sub(1));
            body.extend_from_slice(format!(",\"status_code\":{code}}}").as_bytes());
            Ok(body)
        }
        (_, 200) => Ok(compact(&body)),
        _ => Err(String::from_utf8_lossy(&body).into_owned()),
    }
}

/// `{"server": ..., "data": ..., "error": ...}`, of which each may be missing but the first.
fn wrapped(context: &Context, data: Option<Vec<u8>>, fault: Option<Fault>) -> Vec<u8> {
    let mut document = b"{\"server\":".to_vec();
    document.extend_from_slice(&context.server_info());
    if let Some(data) = data {
        document.extend_from_slice(b",\"data\":");
        document.extend_from_slice(&data);
    }
    if let Some(fault) = fault {
        document.extend_from_slice(b",\"error\":");
        // Serializing into memory fails for no type of ours.
        document.extend_from_slice(&serde_json::to_vec(&fault).unwrap_or_default());
    }
    document.push(b'}');
    document
}

/// Whether this server is among those that the filters in a request name.
fn is_meant(context: &Context, asked: &Map<String, Value>) -> bool {
    let text = |name: &str| asked.get(name).and_then(Value::as_str).unwrap_or_default();
    let is_exact = asked.get("exact_match").and_then(Value::as_bool) == Some(true);
    let fits = |wanted: &str, is: &str| wanted.is_empty() || if is_exact { is == wanted } else { is.contains(wanted) };
    let identity = &context.subject.shared.identity;
    let tags = &context.subject.options.server_tags;
    let has_tags = asked.get("tags").and_then(Value::as_array).is_none_or(|wanted| {
        wanted
            .iter()
            .all(|tag| tag.as_str().is_some_and(|tag| tags.iter().any(|known| known.eq_ignore_ascii_case(tag))))
    });
    fits(text("server_name"), &identity.name)
        && fits(text("host"), &identity.host)
        && fits(text("cluster"), context.cluster_name())
        && text("domain").is_empty()
        && has_tags
}

/// The options in a request as the query of a page. What it is about is said by its subject, whatever the options say.
fn query(path: &str, of: Option<&str>, asked: &Map<String, Value>) -> Query {
    let mut pairs: Vec<(String, String)> =
        of.map(|account| ("acc".to_owned(), account.to_owned())).into_iter().collect();
    let mut add = |name: &str, value: &str| pairs.push((name.to_owned(), value.to_owned()));
    for (name, value) in asked {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => continue,
        };
        match (path, name.as_str()) {
            (_, "subscriptions_detail") if text == "true" => add("subs", "detail"),
            (_, "subscriptions") => add("subs", &text),
            (_, "account") => add("acc", &text),
            ("/connz", "state") => match text.as_str() {
                "1" => add("state", "closed"),
                "2" => add("state", "any"),
                "0" => add("state", "open"),
                other => add("state", other),
            },
            (_, name) => add(name, &text),
        }
    }
    // Both may be there, and the detailed one counts.
    pairs.sort_by_key(|(name, value)| name == "subs" && value != "detail");
    Query::from_pairs(pairs)
}

/// The same JSON without blanks between its parts.
fn compact(json: &[u8]) -> Vec<u8> {
    let (mut out, mut is_text, mut is_escaped) = (Vec::with_capacity(json.len()), false, false);
    for &byte in json {
        if is_text || !byte.is_ascii_whitespace() {
            out.push(byte);
        }
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_text,
            b'"' => is_text = !is_text,
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_go_but_for_those_in_texts() {
        let json = b"{\n  \"a b\": [ 1, \"c \\\" \\\\\", { } ]\n}\n";
        assert_eq!(compact(json), b"{\"a b\":[1,\"c \\\" \\\\\",{}]}");
    }

    #[test]
    fn options_become_queries_and_cannot_change_whom_it_is_about() {
        let asked = |json: &str| serde_json::from_str::<Map<String, Value>>(json).unwrap();
        let query = query(
            "/connz",
            Some("A"),
            &asked(
                r#"{"acc":"B","account":"C","state":1,"limit":5,"auth":true,"subscriptions":true,"subscriptions_detail":true}"#,
            ),
        );
        for (name, value) in [("acc", "A"), ("state", "closed"), ("limit", "5"), ("auth", "true"), ("subs", "detail")] {
            assert_eq!(query.text(name), value, "{name}");
        }
    }
}
