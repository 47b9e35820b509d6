//! The head of a monitoring request and its query.
//!
//! - Any bytes are a request, the start of one, or refused; never a panic.
//! - A head is whole at its end and not before: with one byte less, more is asked for or it was refused already.
//! - What follows a head changes nothing about it.
//! - A query gives the same values however it is asked, and its errors are one line of printable text.

use midge::monitor::head::{HEAD_MAX, Head, parse};
use midge::monitor::query::Query;

/// Checks one input.
pub fn run(data: &[u8]) {
    match parse(data) {
        Head::Done(request, used) => {
            assert!(used <= data.len() && used <= HEAD_MAX);
            assert_eq!(parse(&data[..used]), Head::Done(request.clone(), used));
            assert!(!matches!(parse(&data[..used - 1]), Head::Done(..)), "done before its end");
            check_query(&request.query);
        }
        Head::More => assert!(data.len() < HEAD_MAX),
        Head::Bad(_) => {}
    }
    if let Ok(text) = std::str::from_utf8(data) {
        check_query(text);
    }
}

fn check_query(text: &str) {
    let query = Query::parse(text);
    for name in ["subs", "limit", "", "a"] {
        let first = query.text(name);
        assert_eq!(Query::parse(text).text(name), first);
        let errors = [query.switch(name).err(), query.int(name).err(), query.unsigned(name).err()];
        for error in errors.into_iter().flatten() {
            assert!(error.starts_with("Error decoding ") && !error.contains(['\n', '\r', '\x1b']), "{error:?}");
        }
        if let Ok(number) = query.unsigned(name) {
            assert!(first.is_empty() || first.parse() == Ok(number));
        }
    }
}
