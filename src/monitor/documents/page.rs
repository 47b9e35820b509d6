//! `/`: the page for people. It needs nothing but the documents beside it, and their links alone without JavaScript.

use super::{Answer, Context};
use crate::monitor::reply::Reply;

const PAGE: &str = include_str!("status.html");

/// Where the page says where its links begin.
const BASE: &str = "<!--base-->";

impl Context {
    pub(super) fn page(&mut self) -> Answer {
        let base = self.subject.options.http_base_path.trim_matches('/');
        // The page is beside the folder of the other documents, unless it is in it.
        let base = match base.rsplit('/').next().unwrap_or_default() {
            "" => String::new(),
            last => format!("<base href=\"./{}/\">", crate::monitor::reply::escape(last, "")),
        };
        Ok(Reply::document("text/html; charset=utf-8", PAGE.replacen(BASE, &base, 1).into_bytes()))
    }
}
