//! The CONNECT document.
//!
//! - It is decoded or refused, without a panic, and an error tells nothing of what was sent.
//! - Decoding is idempotent: the same document on top of its own result changes nothing.
//! - What is accepted is an object or `null` for any other JSON reader too, where the two do not differ by design.

use midge::wire::Connect;

/// Checks one input.
pub fn run(data: &[u8]) {
    let mut connect = Connect::default();
    match connect.decode(data) {
        Ok(()) => {
            let mut again = connect.clone();
            again.decode(data).expect("what was decoded once is decoded again");
            assert_eq!(again, connect);
            let text = std::str::from_utf8(data).map(str::trim_ascii);
            assert!(text.is_err() || text == Ok("null") || text.is_ok_and(|text| text.starts_with('{')));
        }
        Err(error) => {
            let reason = error.trim_end_matches(|c: char| c.is_ascii_digit());
            assert!(["wrong type at column ", "bad JSON at column "].contains(&reason), "{error:?} tells too much");
        }
    }
}
