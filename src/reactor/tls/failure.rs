//! Why a handshake came to nothing, in words that say it as the official server does where tools or people look for them.

use rustls::{AlertDescription, Error, InvalidMessage, PeerIncompatible};
use std::fmt;
use std::io;

/// Why a handshake came to nothing.
#[derive(Debug)]
pub enum Failure {
    /// The peer speaks something else.
    NotTls,
    /// The peer went away before it said anything, or between two records.
    Ended,
    /// The peer went away within a record.
    EndedWithin,
    /// The peer sent more without an end than any handshake needs.
    TooLong,
    /// The certificate's names cannot be read.
    Certificate,
    /// No pinned certificate.
    NotPinned,
    /// The socket failed.
    Io(io::Error),
    /// No certificate can be for a host of this name.
    Host,
    /// What the engine says.
    Tls(Error),
}

impl Failure {
    /// True for what scanners do: not worth more than a line for those who look for it.
    pub fn is_probe(&self) -> bool {
        matches!(self, Failure::NotTls)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Tls(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::NotTls => f.write_str("tls: first record does not look like a TLS handshake"),
            Failure::Ended => f.write_str("EOF"),
            Failure::EndedWithin => f.write_str("unexpected EOF"),
            Failure::TooLong => f.write_str("tls: handshake message is too long"),
            Failure::Certificate => f.write_str("tls: the names in the certificate cannot be read"),
            Failure::NotPinned => f.write_str("tls: the certificate is not pinned"),
            Failure::Host => f.write_str("tls: the host's name is none that a certificate can be for"),
            Failure::Io(error) => f.write_str(&crate::sys::error_text(error)),
            Failure::Tls(error) => write_engine(error, f),
        }
    }
}

fn write_engine(error: &Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        Error::NoCertificatesPresented => f.write_str("tls: client didn't provide a certificate"),
        Error::AlertReceived(alert) => write!(f, "remote error: tls: {}", alert_words(*alert)),
        Error::PeerIncompatible(
            PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::SupportedVersionsExtensionRequired
            // Clients that have heard of 1.2 say which signatures they know.
            | PeerIncompatible::SignatureAlgorithmsExtensionRequired,
        ) => f.write_str("tls: client offered only unsupported versions"),
        Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon) => {
            f.write_str("tls: no cipher suite supported by both client and server")
        }
        Error::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
            f.write_str("tls: first record does not look like a TLS handshake")
        }
        Error::DecryptError => f.write_str("local error: tls: bad record MAC"),
        other => write!(f, "tls: {other}"),
    }
}

/// The name of an alert in words: `BadCertificate` is `bad certificate`.
fn alert_words(alert: AlertDescription) -> String {
    if alert == AlertDescription::UnknownCA {
        return "unknown certificate authority".to_owned();
    }
    let name = format!("{alert:?}");
    let mut words = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_named_as_other_servers_name_them() {
        let failure = Failure::Tls(Error::AlertReceived(AlertDescription::BadCertificate));
        assert_eq!(failure.to_string(), "remote error: tls: bad certificate");
        let failure = Failure::Tls(Error::AlertReceived(AlertDescription::UnknownCA));
        assert_eq!(failure.to_string(), "remote error: tls: unknown certificate authority");
        assert_eq!(Failure::Ended.to_string(), "EOF");
    }
}
