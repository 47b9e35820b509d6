//! From a request to the document it asks for.

use super::Subject;
use super::access::Access;
use super::documents::{self, Context};
use super::head::Request;
use super::query::Query;
use super::reply::Reply;
use crate::config::Options;
use crate::log::Log;
use crate::reactor::tls::Acceptor;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All documents under their paths.
#[derive(Debug)]
pub struct Site {
    /// What stands before every path: empty, or with a slash in front and none behind.
    base: String,
    access: Access,
    /// Those that this follows.
    options: Arc<Options>,
    acceptor: Option<Arc<Acceptor>>,
    log: Log,
    context: Arc<Mutex<Context>>,
}

impl Site {
    /// The documents of `context`.
    pub fn new(context: Arc<Mutex<Context>>) -> Self {
        let (options, acceptor, log) = {
            let Subject { options, acceptor, shared, .. } = &lock(&context).subject;
            (Arc::clone(options), acceptor.clone(), shared.log.clone())
        };
        let base = clean(&format!("/{}", options.http_base_path)).trim_end_matches('/').to_owned();
        Self { base, access: Access::new(&options), options, acceptor, log, context }
    }

    /// The log of the server.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Looks which options are in force.
    pub fn update(&mut self) {
        let mut context = lock(&self.context);
        context.update();
        let Subject { options, acceptor, .. } = &context.subject;
        if !Arc::ptr_eq(&self.options, options) {
            self.options = Arc::clone(options);
            self.access = Access::new(options);
        }
        self.acceptor = acceptor.clone();
    }

    /// What connections over TLS begin with.
    pub fn acceptor(&self) -> Option<&Acceptor> {
        self.acceptor.as_deref()
    }

    /// Answers a request.
    pub fn answer(&mut self, request: &Request) -> Reply {
        self.update();
        if !self.access.allows(request.authorization.as_deref()) {
            return Reply::unauthorized();
        }
        let clean = clean(&request.path);
        if clean != request.path {
            return Reply::elsewhere(&clean, &request.query);
        }
        let path = match request.path.strip_prefix(&self.base) {
            Some("") => "/",
            // Only the bare base is the first page.
            Some("/") if !self.base.is_empty() => return Reply::not_found(),
            Some(path) => path,
            None => return Reply::not_found(),
        };
        let mut context = lock(&self.context);
        context.workers.begin();
        context.is_hit = true;
        let reply = documents::answer(&mut context, path, &Query::parse(&request.query), request.open_metrics);
        match context.workers.missed().len() {
            0 => reply,
            missed => {
                let note = format!("{missed} of {} workers did not answer", context.workers.count());
                reply.with_header("Midge-Incomplete", &note)
            }
        }
    }
}

fn lock(context: &Mutex<Context>) -> MutexGuard<'_, Context> {
    context.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The path without empty and dotted parts; what ends with a slash still does.
fn clean(path: &str) -> String {
    if !path.starts_with('/') {
        return path.to_owned();
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    let is_folder = parts.is_empty() || path.ends_with(['/']) || path.ends_with("/.") || path.ends_with("/..");
    let end = if is_folder && !parts.is_empty() { "/" } else { "" };
    format!("/{}{end}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn paths_are_made_clean() {
        for (path, expected) in [
            ("/", "/"),
            ("/varz", "/varz"),
            ("/varz/", "/varz/"),
            ("//varz", "/varz"),
            ("//", "/"),
            ("/./varz", "/varz"),
            ("/a/../varz", "/varz"),
            ("/../..", "/"),
            ("/a//b/./c/..", "/a/b/"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(clean(path), expected, "{path}");
        }
    }
}
