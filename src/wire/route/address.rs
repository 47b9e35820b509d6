//! The addresses of routes.

use crate::wire::Secret;
use std::fmt;
use std::net::IpAddr;

/// Where a route leads: `nats-route://[user:password@]host:port`, or with any other scheme. The password does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct RouteUrl {
    /// The user to give there, or empty.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// Name or address of the host, without brackets.
    pub host: String,
    /// The port there.
    pub port: u16,
}

impl RouteUrl {
    /// Without a user.
    pub fn new(host: &str, port: u16) -> Self {
        Self { user: String::new(), password: Secret::NONE, host: host.to_owned(), port }
    }

    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, without its text, which may hold a password.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        let (_, rest) = text.split_once("://").ok_or("missing scheme in URL")?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (user_info, address) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
        let [user, password] = [user, password].map(unescaped);
        let (user, password) = (user.ok_or("invalid URL escape")?, password.ok_or("invalid URL escape")?);
        let (host, port) = address.rsplit_once(':').ok_or("missing port in address")?;
        let host = match host.strip_prefix('[') {
            Some(v6) => v6.strip_suffix(']').ok_or("missing ']' in address")?,
            None if host.contains(':') => return Err("too many colons in address"),
            None => host,
        };
        let port = port.parse().map_err(|_| "invalid port")?;
        Ok(Self { user, password: password.as_str().into(), host: host.to_owned(), port })
    }

    /// Whether both lead to the same place, as far as their texts tell.
    pub fn is_same_place(&self, other: &Self) -> bool {
        self.port == other.port && self.host.eq_ignore_ascii_case(&other.host)
    }
}

/// Text without its `%` escapes; None if one is broken or no text comes out.
fn unescaped(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        out.push((high * 16 + low) as u8);
    }
    String::from_utf8(out).ok()
}

/// As it is passed on: without user and password.
impl fmt::Display for RouteUrl {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let port = self.port;
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V6(host)) => write!(f, "nats-route://[{host}]:{port}/"),
            _ => write!(f, "nats-route://{}:{port}/", self.host),
        }
    }
}

impl fmt::Debug for RouteUrl {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { user, password, host, port } = self;
        if !user.is_empty() || !password.is_empty() {
            return write!(f, "nats-route://[REDACTED]@{host}:{port}");
        }
        write!(f, "nats-route://{host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        for (text, host, port, user, password) in [
            ("nats-route://127.0.0.1:6222", "127.0.0.1", 6222, "", ""),
            ("nats://h:1/", "h", 1, "", ""),
            ("tls://u:p@h:65535/x?y#z", "h", 65535, "u", "p"),
            ("nats://u@[::1]:2", "::1", 2, "u", ""),
            ("nats://u%40x:p%3a%2F@h:2", "h", 2, "u@x", "p:/"),
            ("nats://u:p:q@h:2", "h", 2, "u", "p:q"),
            ("nats://:9", "", 9, "", ""),
        ] {
            let url = RouteUrl::read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((&url.host[..], url.port), (host, port), "{text}");
            assert_eq!((&url.user[..], url.password.reveal()), (user, password), "{text}");
            assert_eq!(RouteUrl::read(&url.to_string()).unwrap(), RouteUrl::new(host, port), "{text}");
        }
        for (text, error) in [
            ("", "missing scheme in URL"),
            ("127.0.0.1:6222", "missing scheme in URL"),
            ("nats://h", "missing port in address"),
            ("nats://h:x", "invalid port"),
            ("nats://h:65536", "invalid port"),
            ("nats://::1:2", "too many colons in address"),
            ("nats://[::1:2", "missing ']' in address"),
            ("nats://u%4:p@h:2", "invalid URL escape"),
            ("nats://u:%zz@h:2", "invalid URL escape"),
            ("nats://u:%ff@h:2", "invalid URL escape"),
        ] {
            assert_eq!(RouteUrl::read(text), Err(error), "{text}");
        }
    }

    #[test]
    fn no_password_shows() {
        let url = RouteUrl::read("nats://someone:s3cret@h:2").unwrap();
        let shown = format!("{url} {url:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("someone"), "{shown}");
    }
}
