//! The CONNECT document: what a client says of itself.
//!
//! Decoding is as tolerant as Go's: unknown keys are ignored, keys match in any case, `null` leaves what was there, and
//! so on; a wrong type or broken JSON is an error.

use super::Secret;
use super::json::{self, Document, set};
use serde::de::{IgnoredAny, MapAccess};

/// A client's options. Decoding goes on top of the values at hand, so that a repeated CONNECT keeps what it does not
/// mention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// `+OK` after each accepted operation.
    pub verbose: bool,
    /// Publish subjects are checked.
    pub pedantic: bool,
    /// Own messages come back to own subscriptions.
    pub echo: bool,
    /// The client sends HPUB and takes HMSG.
    pub headers: bool,
    /// Requests that find nobody are answered with a 503.
    pub no_responders: bool,
    /// 0, or 1 for a client that takes further INFOs.
    pub protocol: i64,
    /// The client's name.
    pub name: String,
    /// The client library's language.
    pub lang: String,
    /// The client library's version.
    pub version: String,
    /// Obsolete; refused unless empty.
    pub account: String,
    /// Obsolete; refused if true.
    pub new_account: bool,
    /// Who the client says it is, and its proof.
    pub credentials: Credentials,
}

/// Who a client says it is, and its proof. What is not given is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The name of a user.
    pub user: String,
    /// The password of that user.
    pub password: Secret,
    /// The token that all clients share.
    pub token: Secret,
    /// The public key of a user.
    pub nkey: String,
    /// That user's signature of the nonce.
    pub signature: Secret,
}

impl Credentials {
    /// True if nothing is given that could be looked at.
    pub fn are_absent(&self) -> bool {
        let Self { user, password, token, nkey, .. } = self;
        user.is_empty() && password.is_empty() && token.is_empty() && nkey.is_empty()
    }
}

impl Default for Connect {
    /// What a client gets that never sends CONNECT.
    fn default() -> Self {
        Self {
            verbose: true,
            pedantic: true,
            echo: true,
            headers: false,
            no_responders: false,
            protocol: 0,
            name: String::new(),
            lang: String::new(),
            version: String::new(),
            account: String::new(),
            new_account: false,
            credentials: Credentials::default(),
        }
    }
}

impl Connect {
    /// Decodes `document` on top of `self`. On an error `self` may hold a part of the document: the connection is to be
    /// closed.
    ///
    /// # Errors
    /// What is wrong with the JSON, with its place in the document but none of its values.
    pub fn decode(&mut self, document: &[u8]) -> Result<(), String> {
        json::decode(document, self)
    }
}

impl Document for Connect {
    fn value<'de, M: MapAccess<'de>>(&mut self, key: &str, map: &mut M) -> Result<(), M::Error> {
        match key {
            "verbose" => set(&mut self.verbose, map),
            "pedantic" => set(&mut self.pedantic, map),
            "echo" => set(&mut self.echo, map),
            "headers" => set(&mut self.headers, map),
            "no_responders" => set(&mut self.no_responders, map),
            "protocol" => set(&mut self.protocol, map),
            "name" => set(&mut self.name, map),
            "lang" => set(&mut self.lang, map),
            "version" => set(&mut self.version, map),
            "account" => set(&mut self.account, map),
            "new_account" => set(&mut self.new_account, map),
            "tls_required" => map.next_value::<Option<bool>>().map(drop),
            "user" => set(&mut self.credentials.user, map),
            "pass" => set(&mut self.credentials.password, map),
            "auth_token" => set(&mut self.credentials.token, map),
            "nkey" => set(&mut self.credentials.nkey, map),
            "sig" => set(&mut self.credentials.signature, map),
            "jwt" => map.next_value::<Option<String>>().map(drop),
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(document: &str) -> Connect {
        let mut connect = Connect::default();
        connect.decode(document.as_bytes()).unwrap_or_else(|error| panic!("{document}: {error}"));
        connect
    }

    #[test]
    fn tolerates_what_go_tolerates() {
        let default = Connect::default();
        for document in ["{}", "null", " {} ", "{\"unknown\":[1,{\"a\":null}]}", "{\"verbose\":null,\"name\":null}"] {
            assert_eq!(decoded(document), default, "{document}");
        }
        assert!(!decoded("{\"VERBOSE\":false}").verbose);
        assert!(!decoded("{\"verbose\":true,\"Verbose\":false}").verbose);
        assert_eq!(decoded("{\"protocol\":1,\"name\":\"\\u00e9\"}").name, "\u{e9}");
        for (escapes, text) in [
            ("\\ud83d\\ude00", "\u{1f600}"),
            ("\\ud83dx", "\u{fffd}x"),
            ("\\ude00\\ud83d", "\u{fffd}\u{fffd}"),
            ("\\ud83d\\ud83d\\ude00", "\u{fffd}\u{1f600}"),
            ("\\\\ud83d", "\\ud83d"),
            ("\u{e9}\\uDFFF\u{e9}", "\u{e9}\u{fffd}\u{e9}"),
        ] {
            assert_eq!(decoded(&format!("{{\"name\":\"{escapes}\"}}")).name, text);
        }
        assert!(Connect::default().decode("{\"name\":\"\\\u{e9}\"}".as_bytes()).is_err());
        let mut connect = Connect::default();
        connect.decode(b"{\"name\":\"a\xffb\"}").unwrap();
        assert_eq!(connect.name, "a\u{fffd}b");
    }

    #[test]
    fn merges_with_what_was_there() {
        let mut connect = decoded("{\"echo\":false,\"name\":\"x\"}");
        connect.decode(b"{\"verbose\":false}").unwrap();
        assert!(!connect.echo && !connect.verbose && connect.name == "x");
    }

    #[test]
    fn refuses_what_go_refuses() {
        for document in [
            "",
            "{",
            "{bad",
            "[]",
            "\"x\"",
            "1",
            "true",
            "{} x",
            "{}{}",
            "{\"verbose\":1}",
            "{\"verbose\":\"true\"}",
            "{\"protocol\":\"1\"}",
            "{\"protocol\":1.0}",
            "{\"name\":1}",
            "{\"pass\":1}",
            "{\"a\":}",
            "{\"a\":1,}",
        ] {
            assert!(Connect::default().decode(document.as_bytes()).is_err(), "{document}");
        }
    }

    #[test]
    fn credentials_are_read_and_do_not_show() {
        let connect =
            decoded("{\"user\":\"u\",\"pass\":\"s3cret\",\"auth_token\":\"t0ken\",\"nkey\":\"UX\",\"sig\":\"s1g\"}");
        let Credentials { user, password, token, nkey, signature } = &connect.credentials;
        let secrets = [password, token, signature].map(Secret::reveal);
        assert_eq!((user.as_str(), nkey.as_str(), secrets), ("u", "UX", ["s3cret", "t0ken", "s1g"]));
        let shown = format!("{connect:?}");
        assert!(!["s3cret", "t0ken", "s1g"].iter().any(|secret| shown.contains(secret)), "{shown}");
    }

    #[test]
    fn errors_hold_no_values() {
        let error = Connect::default().decode(b"{\"pass\":\"s3cret\",\"user\":12345}").unwrap_err();
        assert!(!error.contains("s3cret") && !error.contains("12345"), "{error}");
    }
}
