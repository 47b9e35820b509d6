//! The answer to a request.

use super::format::http_date;
use super::head::{Flaw, Request};
use std::time::SystemTime;

/// An answer, without what depends on how it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Code and reason.
    status: &'static str,
    /// Header lines, each with its end.
    headers: String,
    body: Vec<u8>,
    /// No request is to follow.
    ends: bool,
}

const TEXT: &str = "Content-Type: text/plain; charset=utf-8\r\n";
const JSON: &str = "Access-Control-Allow-Origin: *\r\nContent-Type: application/json\r\n";

impl Reply {
    /// A document.
    pub fn json(body: Vec<u8>) -> Self {
        Self { status: "200 OK", headers: JSON.into(), body: escape_marks(body), ends: false }
    }

    /// A document of another type.
    pub fn document(content_type: &str, body: Vec<u8>) -> Self {
        Self { status: "200 OK", headers: format!("Content-Type: {content_type}\r\n"), body, ends: false }
    }

    /// The request makes no sense.
    pub fn bad_request(line: String) -> Self {
        Self { status: "400 Bad Request", headers: TEXT.into(), body: line.into_bytes(), ends: false }
    }

    /// There is nothing of that name.
    pub fn not_found() -> Self {
        let headers = format!("{TEXT}X-Content-Type-Options: nosniff\r\n");
        Self { status: "404 Not Found", headers, body: b"404 page not found\n".to_vec(), ends: false }
    }

    /// There is nothing of that kind.
    pub fn none_such(line: &str) -> Self {
        Self { status: "404 Not Found", headers: TEXT.into(), body: line.into(), ends: false }
    }

    /// The same is found under another path.
    pub fn elsewhere(path: &str, query: &str) -> Self {
        let path = escape(path, "");
        let body = format!("<a href=\"{path}\">Temporary Redirect</a>.\n\n").into_bytes();
        let query = if query.is_empty() { String::new() } else { format!("?{}", escape(query, "&%?")) };
        let headers = format!("Content-Type: text/html; charset=utf-8\r\nLocation: {path}{query}\r\n");
        Self { status: "307 Temporary Redirect", headers, body, ends: false }
    }

    /// Whoever asks must say who they are.
    pub fn unauthorized() -> Self {
        let headers = format!("{TEXT}WWW-Authenticate: Basic realm=\"monitoring\", Bearer\r\n");
        Self { status: "401 Unauthorized", headers, body: b"401 unauthorized\n".to_vec(), ends: false }
    }

    /// There is no room for this connection.
    pub fn overloaded() -> Self {
        let body = b"503 too many connections\n".to_vec();
        Self { status: "503 Service Unavailable", headers: TEXT.into(), body, ends: true }
    }

    /// What was sent is no request.
    pub fn refusal(flaw: Flaw) -> Self {
        let (status, line) = match flaw {
            Flaw::Malformed => ("400 Bad Request", "400 Bad Request"),
            Flaw::TooLarge => ("431 Request Header Fields Too Large", "431 Request Header Fields Too Large"),
            Flaw::NoHost => ("400 Bad Request", "400 Bad Request: missing required Host header"),
        };
        Self { status, headers: TEXT.into(), body: line.into(), ends: true }
    }

    /// The same with another code and reason.
    pub fn with_status(self, status: &'static str) -> Self {
        Self { status, ..self }
    }

    /// The same with one header line more.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// Its code and body.
    pub fn into_parts(self) -> (u16, Vec<u8>) {
        (self.status.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or_default(), self.body)
    }

    /// True if the connection ends behind it.
    pub fn ends(&self, request: Option<&Request>) -> bool {
        self.ends || request.is_none_or(|request| !request.keep_alive)
    }

    /// All bytes to send to whoever asked.
    pub fn into_bytes(self, request: Option<&Request>, now: SystemTime) -> Vec<u8> {
        let version = if request.is_some_and(|request| request.is_old) { "1.0" } else { "1.1" };
        let end = if self.ends(request) { "Connection: close\r\n" } else { "" };
        let (date, length) = (http_date(now), self.body.len());
        let Self { status, headers, body, .. } = self;
        let mut bytes =
            format!("HTTP/{version} {status}\r\n{headers}Date: {date}\r\nContent-Length: {length}\r\n{end}\r\n")
                .into_bytes();
        if request.is_none_or(|request| !request.is_head) {
            bytes.extend_from_slice(&body);
        }
        bytes
    }
}

/// Characters that mean something to HTML, escaped as Go's encoder does. In JSON they stand in strings only.
fn escape_marks(body: Vec<u8>) -> Vec<u8> {
    let marks = memchr::memchr3_iter(b'<', b'>', b'&', &body);
    let (mut escaped, mut done) = (Vec::new(), 0);
    for at in marks {
        if done == 0 {
            escaped.reserve(body.len() + body.len() / 16);
        }
        escaped.extend_from_slice(&body[done..at]);
        escaped.extend_from_slice(match body[at] {
            b'<' => b"\\u003c",
            b'>' => b"\\u003e",
            _ => b"\\u0026",
        });
        done = at + 1;
    }
    if done == 0 {
        return body;
    }
    escaped.extend_from_slice(&body[done..]);
    escaped
}

/// A part of a URL as it may stand in a header and in HTML; `more` characters stand for themselves.
pub(super) fn escape(text: &str, more: &str) -> String {
    const PLAIN: &[u8] = b"/-._~!$()*+,;=:@";
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || PLAIN.contains(&byte) || more.as_bytes().contains(&byte);
    text.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(reply: Reply, request: &Request) -> String {
        let now = SystemTime::UNIX_EPOCH;
        String::from_utf8(reply.into_bytes(Some(request), now)).unwrap()
    }

    #[test]
    fn an_answer_says_how_long_it_is_and_whether_it_is_the_last() {
        let request = Request { keep_alive: true, ..Request::default() };
        let expected = "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Type: application/json\r\n\
                        Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 2\r\n\r\n{}";
        let reply = Reply::json(b"{}".to_vec());
        assert_eq!(sent(reply.clone(), &request), expected);
        let head = Request { is_head: true, ..request.clone() };
        assert_eq!(sent(reply.clone(), &head), expected.trim_end_matches("{}"));
        let old = Request { is_old: true, keep_alive: false, ..request.clone() };
        let text = sent(reply, &old);
        assert!(text.starts_with("HTTP/1.0 200 OK\r\n") && text.contains("\r\nConnection: close\r\n\r\n{}"), "{text}");
        let text = sent(Reply::refusal(Flaw::NoHost), &request);
        assert!(text.contains("Connection: close") && text.ends_with("missing required Host header"), "{text}");
    }

    #[test]
    fn marks_are_escaped_in_documents_and_paths() {
        assert_eq!(Reply::json(b"[\"a.>\",\"<&\"]".to_vec()).body, b"[\"a.\\u003e\",\"\\u003c\\u0026\"]");
        let reply = Reply::elsewhere("/\"<\r\n\u{e9}>", "a=%20&\"\r\n");
        assert!(reply.headers.ends_with("Location: /%22%3C%0D%0A%C3%A9%3E?a=%20&%22%0D%0A\r\n"), "{reply:?}");
        assert!(!String::from_utf8(reply.body).unwrap().contains("/\"<"));
    }
}
