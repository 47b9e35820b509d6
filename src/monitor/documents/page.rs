//! `/`: the page for people.

use super::{Answer, Context};
use crate::monitor::reply::Reply;

const PAGE: &str = include_str!("status.html");

impl Context {
    pub(super) fn page(&mut self) -> Answer {
        Ok(Reply::document("text/html; charset=utf-8", PAGE.into()))
    }
}
