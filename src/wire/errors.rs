//! Every `-ERR` text a client can receive, in one table.
//!
//! Clients classify errors by their text (some by lower-cased prefix, some by the whole), so wording and case are
//! part of the protocol.

use crate::log::Quoted;
use std::borrow::Cow;

/// What a client is told in a `-ERR`. [`text`](Self::text) is the one table of wordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolError<'a> {
    /// A byte that starts no operation, a payload without its CRLF, or a server-only operation.
    UnknownOperation,
    /// The argument part of a line is longer than `max_control_line`.
    ControlLine,
    /// A message is larger than the connection's `max_payload`.
    Payload,
    /// CONNECT asks for a protocol other than 0 or 1.
    ClientProtocol,
    /// CONNECT asks for `no_responders` without `headers`.
    NoRespondersWithoutHeaders,
    /// Bad or obsolete credentials.
    Authorization,
    /// The client took too long to say who it is.
    AuthenticationTimeout,
    /// The server has `max_connections` clients.
    Connections,
    /// The client's address has `max_connections_per_address` clients.
    AddressConnections,
    /// There is no memory for another client.
    ConnectionMemory,
    /// There is no memory for another subscription.
    SubscriptionMemory,
    /// There were `tls.connection_rate_limit` connections in this second.
    Throttled,
    /// The account has as many clients as it may have.
    AccountConnections,
    /// The connection has `max_subscriptions` subscriptions.
    Subscriptions,
    /// SUB with an empty token or a `>` that is not last.
    Subject,
    /// Pedantic PUB to a subject with an empty token or a wildcard.
    PublishSubject,
    /// Too many pings without an answer.
    Stale,
    /// Publishing to this subject is not allowed.
    PublishPermission(&'a [u8]),
    /// Publishing with this reply subject is not allowed.
    ReplyPermission(&'a [u8]),
    /// Subscribing to this subject, as a member of this queue group unless it is empty, is not allowed.
    SubscriptionPermission(&'a [u8], &'a [u8]),
    /// Having subscribed to this subject, as a member of this queue group unless it is empty, is no longer allowed; this was
    /// the subscription.
    SubscriptionRemoved(&'a [u8], &'a [u8], &'a [u8]),
    /// The subscription's subject has more tokens than `max_sub_tokens`.
    Tokens(&'a [u8]),
}

impl ProtocolError<'_> {
    /// The text between the single quotes of the `-ERR` line.
    pub fn text(&self) -> Cow<'static, str> {
        use ProtocolError::*;
        let fixed = match self {
            UnknownOperation => "Unknown Protocol Operation",
            ControlLine => "maximum control line exceeded",
            Payload => "Maximum Payload Violation",
            ClientProtocol => "invalid client protocol",
            NoRespondersWithoutHeaders => "no responders requires headers support",
            Authorization => "Authorization Violation",
            AuthenticationTimeout => "Authentication Timeout",
            AccountConnections => "maximum account active connections exceeded",
            Connections => "maximum connections exceeded",
            // They begin as clients know them.
            AddressConnections => "maximum connections exceeded for this address",
            ConnectionMemory => "maximum connections exceeded: the server is short of memory",
            SubscriptionMemory => "maximum subscriptions exceeded: the server is short of memory",
            Throttled => "Connection throttling is active. Please try again later.",
            Subscriptions => "maximum subscriptions exceeded",
            Subject => "Invalid Subject",
            PublishSubject => "Invalid Publish Subject",
            Stale => "Stale Connection",
            PublishPermission(subject) => {
                return format!("Permissions Violation for Publish to {}", Quoted(subject)).into();
            }
            ReplyPermission(reply) => {
                return format!("Permissions Violation for Publish with Reply of {}", Quoted(reply)).into();
            }
            SubscriptionPermission(subject, b"") => {
                return format!("Permissions Violation for Subscription to {}", Quoted(subject)).into();
            }
            SubscriptionPermission(subject, queue) => {
                return format!(
                    "Permissions Violation for Subscription to {} using queue {}",
                    Quoted(subject),
                    Quoted(queue)
                )
                .into();
            }
            SubscriptionRemoved(subject, queue, sid) => {
                let refused = SubscriptionPermission(subject, queue).text();
                return format!("{refused} (sid {})", Quoted(sid)).into();
            }
            Tokens(subject) => {
                return format!("Permissions Violation for Subscription to {}, too many tokens", Quoted(subject))
                    .into();
            }
        };
        fixed.into()
    }

    /// The whole line, `-ERR '<text>'` with its CRLF.
    pub fn line(&self) -> Vec<u8> {
        format!("-ERR '{}'\r\n", self.text()).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_single_quoted() {
        assert_eq!(ProtocolError::Stale.line(), b"-ERR 'Stale Connection'\r\n");
        assert_eq!(
            ProtocolError::SubscriptionPermission(b"a.b", b"").text(),
            "Permissions Violation for Subscription to \"a.b\""
        );
        assert_eq!(
            ProtocolError::SubscriptionRemoved(b"a", b"q", b"7").text(),
            "Permissions Violation for Subscription to \"a\" using queue \"q\" (sid \"7\")"
        );
        assert_eq!(
            ProtocolError::SubscriptionPermission(b"a.b", b"_sys_").text(),
            "Permissions Violation for Subscription to \"a.b\" using queue \"_sys_\""
        );
    }
}
