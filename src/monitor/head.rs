//! The head of an HTTP request.

use super::query::unescape;
use std::str;

/// Bytes of the longest head.
pub const HEAD_MAX: usize = 8 * 1024;

/// Header lines at most.
const HEADERS_MAX: usize = 64;

/// Bytes of a body that is read and thrown away; a longer one ends the connection.
const BODY_MAX: usize = 64 * 1024;

/// What the bytes of a connection begin with.
#[derive(Debug, PartialEq, Eq)]
pub enum Head {
    /// The end of the head has not come.
    More,
    /// A request, and the bytes of its head.
    Done(Request, usize),
    /// No request that can be answered.
    Bad(Flaw),
}

/// What is wrong with a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// It is no HTTP.
    Malformed,
    /// It is too long or has too many lines.
    TooLarge,
    /// HTTP/1.1 asks for a `Host`.
    NoHost,
}

/// A request for a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The path, its escapes put back.
    pub path: String,
    /// What stands behind the `?`.
    pub query: String,
    /// Only the head of the answer is wanted.
    pub is_head: bool,
    /// The client speaks HTTP/1.0.
    pub is_old: bool,
    /// More requests may follow.
    pub keep_alive: bool,
    /// Bytes of a body that follow and mean nothing.
    pub body_bytes: usize,
    /// The value of `Authorization`.
    pub authorization: Option<String>,
    /// OpenMetrics is wanted where there is a choice.
    pub open_metrics: bool,
}

/// Reads the head that `input` begins with.
pub fn parse(input: &[u8]) -> Head {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let used = match parsed.parse(input) {
        Ok(httparse::Status::Complete(used)) if used <= HEAD_MAX => used,
        Ok(httparse::Status::Partial) if input.len() < HEAD_MAX => return Head::More,
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Head::Bad(Flaw::TooLarge),
        Err(_) => return Head::Bad(Flaw::Malformed),
    };
    match request(&parsed) {
        Ok(request) => Head::Done(request, used),
        Err(flaw) => Head::Bad(flaw),
    }
}

fn request(parsed: &httparse::Request) -> Result<Request, Flaw> {
    let target = parsed.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        path: unescape(without_origin(path), false).ok_or(Flaw::Malformed)?,
        query: query.split('#').next().unwrap_or_default().to_owned(),
        is_head: parsed.method == Some("HEAD"),
        is_old: parsed.version == Some(0),
        keep_alive: parsed.version == Some(1),
        ..Request::default()
    };
    let mut has_host = false;
    for header in parsed.headers.iter() {
        let value = str::from_utf8(header.value).map_or("", str::trim);
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("Host") {
            has_host = true;
        } else if is("Connection") {
            request.keep_alive &= !has_token(value, "close");
        } else if is("Content-Length") {
            request.body_bytes = value.parse().map_err(|_| Flaw::Malformed)?;
            request.keep_alive &= request.body_bytes <= BODY_MAX;
        } else if is("Transfer-Encoding") {
            request.keep_alive = false;
        } else if is("Authorization") {
            request.authorization = Some(value.to_owned());
        } else if is("Accept") {
            request.open_metrics |= value.contains("application/openmetrics-text");
        }
    }
    if request.is_old || has_host { Ok(request) } else { Err(Flaw::NoHost) }
}

/// The path of a target that may be a whole URL.
fn without_origin(path: &str) -> &str {
    match path.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => rest.find('/').map_or("/", |at| &rest[at..]),
        _ => path,
    }
}

fn has_token(list: &str, token: &str) -> bool {
    list.split(',').any(|item| item.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(text: &str) -> Request {
        match parse(text.as_bytes()) {
            Head::Done(request, used) => {
                assert_eq!(used, text.len(), "{text:?}");
                request
            }
            other => panic!("{text:?} gave {other:?}"),
        }
    }

    #[test]
    fn a_head_is_read_once_its_end_has_come_and_not_before() {
        let text = "GET /connz?subs=1&sort=a%20b HTTP/1.1\r\nHost: h\r\nauthorization:  Bearer x \r\n\
                    Accept: text/plain, application/openmetrics-text;version=1\r\n\r\n";
        for cut in 0..text.len() {
            assert_eq!(parse(&text.as_bytes()[..cut]), Head::More, "{:?}", &text[..cut]);
        }
        let whole = format!("{text}GET /varz");
        let expected = Request {
            path: "/connz".into(),
            query: "subs=1&sort=a%20b".into(),
            keep_alive: true,
            authorization: Some("Bearer x".into()),
            open_metrics: true,
            ..Request::default()
        };
        assert_eq!(parse(whole.as_bytes()), Head::Done(expected, text.len()));
    }

    #[test]
    fn every_method_and_form_of_target_is_taken() {
        for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS"] {
            let request = done(&format!("{method} /varz HTTP/1.1\r\nHost:\r\n\r\n"));
            assert_eq!((request.path.as_str(), request.is_head), ("/varz", false));
        }
        assert!(done("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n").is_head);
        for (target, path) in [
            ("http://h:1/varz?x", "/varz"),
            ("http://h", "/"),
            ("/var%7A", "/varz"),
            ("//varz", "//varz"),
            ("/a+b://c", "/a+b://c"),
            ("*", "*"),
        ] {
            assert_eq!(done(&format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n")).path, path, "{target}");
        }
    }

    #[test]
    fn a_connection_goes_on_where_both_sides_can() {
        for (head, keeps) in [
            ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", true),
            ("GET / HTTP/1.1\nHost: h\n\n", true),
            ("GET / HTTP/1.1\r\nHost: h\r\nConnection: Close\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nHost: h\r\nConnection: x, close\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n", true),
            ("GET / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false),
            ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 65536\r\n\r\n", true),
            ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n", false),
            ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", false),
        ] {
            assert_eq!(done(head).keep_alive, keeps, "{head:?}");
        }
    }

    #[test]
    fn what_is_no_request_is_told_from_what_is_too_large() {
        let lines = |count| format!("GET / HTTP/1.1\r\n{}\r\n", "Host: h\r\n".repeat(count));
        let long = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(HEAD_MAX));
        let endless = format!("GET /{}", "x".repeat(HEAD_MAX - 5));
        for (text, flaw) in [
            ("CONNECT {\"verbose\":false}\r\nPING\r\n", Flaw::Malformed),
            ("GET /varz\r\n\r\n", Flaw::Malformed),
            ("GET /varz HTTP/2.0\r\n\r\n", Flaw::Malformed),
            ("\x16\x03\x01\x02", Flaw::Malformed),
            ("GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", Flaw::Malformed),
            ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", Flaw::Malformed),
            ("GET /varz HTTP/1.1\r\n\r\n", Flaw::NoHost),
            (&lines(HEADERS_MAX + 1), Flaw::TooLarge),
            (&long, Flaw::TooLarge),
            (&endless, Flaw::TooLarge),
        ] {
            assert_eq!(parse(text.as_bytes()), Head::Bad(flaw), "{text:?}");
        }
        assert!(matches!(parse(lines(HEADERS_MAX).as_bytes()), Head::Done(..)));
    }
}
