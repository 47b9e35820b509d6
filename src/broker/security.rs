//! From accepted to secured: what a connection goes through before its first operation where there is TLS.
//!
//! The owner does the handshake and tells how it went. Here is decided when the client gets its INFO, how long all may take,
//! and what is logged.

use super::client::NEVER;
use super::deliver::Local;
use super::reason::Reason;
use super::{Broker, Occasion, Shared};
use crate::config::Options;
use crate::config::tls::{HandshakeFirst, TlsSettings};
use crate::log::Level;
use crate::wire::ProtocolError;
use crate::wire::certificate::PeerCertificate;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How a connection is protected.
#[derive(Debug)]
pub enum Security {
    /// Not at all, or not yet because the client need not.
    Plain,
    /// A handshake must come; the client has its INFO, or gets it later.
    Awaited(Greeting),
    /// By TLS.
    Up(Box<Secured>),
}

/// Whether a client has its INFO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    /// It has.
    Sent,
    /// It gets it after the handshake, or when it is clear that it waits for it.
    Withheld,
}

/// What a handshake came to.
#[derive(Debug)]
pub struct Secured {
    /// The version of TLS: `1.3`.
    pub version: &'static str,
    /// The cipher suite by its standard name.
    pub cipher: &'static str,
    /// Who the client is, if it was asked for a certificate.
    pub peer: Option<Box<PeerCertificate>>,
    /// What monitoring shows of its certificates, its own in front.
    pub certificates: Vec<ShownCertificate>,
    /// It came before the client had its INFO; known to the broker.
    pub came_first: bool,
}

/// A certificate as monitoring shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownCertificate {
    /// Whose it is, as a distinguished name.
    pub subject: String,
    /// The SHA-256 of its public key.
    pub key_digest: [u8; 32],
    /// The SHA-256 of all of it.
    pub digest: [u8; 32],
}

impl Security {
    /// What a new connection begins with.
    pub(super) fn at_first(options: &Options) -> Self {
        match &options.tls {
            Some(tls) if !options.allow_non_tls => match tls.handshake_first {
                HandshakeFirst::Never => Self::Awaited(Greeting::Sent),
                HandshakeFirst::Always | HandshakeFirst::Within(_) => Self::Awaited(Greeting::Withheld),
            },
            _ => Self::Plain,
        }
    }

    /// True while nothing but a handshake may come.
    pub fn is_awaited(&self) -> bool {
        matches!(self, Self::Awaited(_))
    }

    /// Who the client is, as its certificate says.
    pub fn certificate(&self) -> Option<&PeerCertificate> {
        match self {
            Self::Up(secured) => secured.peer.as_deref(),
            Self::Plain | Self::Awaited(_) => None,
        }
    }

    /// What monitoring shows of its certificates.
    pub(super) fn shown_certificates(&self) -> &[ShownCertificate] {
        match self {
            Self::Up(secured) => &secured.certificates,
            Self::Plain | Self::Awaited(_) => &[],
        }
    }

    /// True if the client is still to get its first INFO.
    pub(super) fn withholds(&self) -> bool {
        matches!(self, Self::Awaited(Greeting::Withheld))
    }
}

impl Local {
    /// A new connection that must begin a handshake.
    pub(super) fn await_handshake(&mut self, key: u32) {
        let options = Arc::clone(&self.options);
        let Some(tls) = &options.tls else { return };
        let client = &mut self.clients[key as usize];
        let patience = match (&client.security, tls.handshake_first) {
            (Security::Awaited(Greeting::Withheld), HandshakeFirst::Within(delay)) => delay,
            (Security::Awaited(_), _) => tls.timeout,
            _ => return,
        };
        client.due.handshake = self.now + patience.as_millis() as u64;
        self.log_start(key);
    }

    fn log_start(&self, key: u32) {
        if self.shared.log.debug_on() {
            let client = &self.clients[key as usize];
            self.shared.log.debug(format_args!("{client} - Starting TLS client connection handshake"));
        }
    }

    fn handshake_timeout(&self) -> u64 {
        self.options.tls.as_ref().map_or(Duration::ZERO, |tls| tls.timeout).as_millis() as u64
    }

    /// Refuses a connection because too many came in this second.
    pub(super) fn throttle_connection(&mut self, key: u32) {
        self.close(key, Reason::MaximumConnectionsExceeded, Some(ProtocolError::Throttled));
    }
}

impl Broker {
    /// The client has begun a handshake.
    pub fn handshake_begun(&mut self, key: u32) {
        let due = self.local.now + self.local.handshake_timeout();
        let client = &mut self.local.clients[key as usize];
        match client.security {
            Security::Awaited(Greeting::Withheld) if client.is_route() => {}
            Security::Awaited(Greeting::Withheld) => client.due.handshake = due,
            Security::Plain => {
                client.security = Security::Awaited(Greeting::Sent);
                client.due.handshake = due;
                client.due.auth = NEVER;
                self.local.log_start(key);
            }
            Security::Awaited(Greeting::Sent) | Security::Up(_) => {}
        }
        self.local.rearm(key);
    }

    /// The handshake is done: operations may come.
    pub fn secured(&mut self, key: u32, secured: Secured) {
        let client = &mut self.local.clients[key as usize];
        let withheld = client.security.withholds();
        if self.shared.log.debug_on() {
            let Secured { version, cipher, .. } = secured;
            self.shared.log.debug(format_args!("{client} - TLS handshake complete"));
            self.shared.log.debug(format_args!("{client} - TLS version {version}, cipher suite {cipher}"));
        }
        client.security = Security::Up(Box::new(Secured { came_first: withheld, ..secured }));
        client.due.handshake = NEVER;
        if client.is_route() {
            return self.introduce_route(key);
        }
        self.expect_connect(key);
        if withheld {
            self.send_info(key, Occasion::Greeting);
        }
    }

    /// The handshake came to nothing, for this reason. A probe is somebody who wants to know what listens here; among servers
    /// that are to form a cluster it is more likely that their options differ.
    pub fn handshake_failed(&mut self, key: u32, reason: &dyn Display, is_probe: bool) {
        let client = &self.local.clients[key as usize];
        let (is_probe, whose) = if client.is_route() { (false, "route ") } else { (is_probe, "") };
        let text = format_args!("TLS {whose}handshake error: {reason}");
        if !is_probe {
            self.shared.log.about(Level::Error, client, text);
        } else if self.shared.log.debug_on() {
            self.shared.log.debug(format_args!("{client} - {text}"));
        }
        self.broken(key, Reason::TlsHandshakeFailure);
    }

    /// What comes over TLS cannot be read, for this reason. A peer that refuses our certificate may say so only when our side of
    /// the handshake is done, so for a route that is worth an error.
    pub fn refused_by_tls(&mut self, key: u32, reason: &dyn Display) {
        let client = &self.local.clients[key as usize];
        if client.is_route() {
            self.shared.log.about(Level::Error, client, format_args!("TLS route error: {reason}"));
        } else if self.shared.log.debug_on() {
            self.shared.log.debug(format_args!("{client} - TLS error: {reason}"));
        }
    }

    /// A handshake is not done in time, or has not begun in the time after which the client is taken for one that waits for
    /// its INFO.
    pub(super) fn handshake_due(&mut self, key: u32) {
        let due = self.local.now + self.local.handshake_timeout();
        let first = self.local.options.tls.as_ref().map(|tls| tls.handshake_first);
        let client = &mut self.local.clients[key as usize];
        client.due.handshake = NEVER;
        if !client.is_open() || !client.security.is_awaited() {
            return;
        }
        if client.security.withholds() && !client.is_route() && matches!(first, Some(HandshakeFirst::Within(_))) {
            client.security = Security::Awaited(Greeting::Sent);
            client.due.handshake = due;
            return self.send_info(key, Occasion::Greeting);
        }
        self.handshake_failed(key, &"i/o timeout", true);
    }
}

/// Counts the TLS connections of a second, to hold back more than there should be.
#[derive(Debug, Default)]
pub struct ConnectionRate(Mutex<Second>);

#[derive(Debug, Default)]
struct Second {
    began: u64,
    admitted: usize,
    refused: usize,
}

impl ConnectionRate {
    /// Whether one connection more may come, and how many were refused in the second that is over with this one.
    fn admit(&self, now: u64, most: usize) -> (bool, usize) {
        let mut second = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut refused = 0;
        if now.saturating_sub(second.began) >= 1000 {
            refused = second.refused;
            *second = Second { began: now, admitted: 0, refused: 0 };
        }
        let admits = second.admitted < most;
        if admits {
            second.admitted += 1;
        } else {
            second.refused += 1;
        }
        (admits, refused)
    }
}

impl Shared {
    /// Whether another connection that needs a handshake may come now.
    pub(super) fn admits_handshake(&self, now: u64, tls: &TlsSettings) -> bool {
        if tls.connection_rate_limit == 0 {
            return true;
        }
        let (admits, refused) = self.connection_rate.admit(now, tls.connection_rate_limit);
        if refused > 0 {
            self.log.warn(format_args!("Rejected {refused} connections due to TLS rate limiting"));
        }
        admits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_connections_come_in_a_second_and_no_more() {
        let rate = ConnectionRate::default();
        let admitted = |now| rate.admit(now, 2);
        assert_eq!([admitted(5000), admitted(5001), admitted(5999)], [(true, 0), (true, 0), (false, 0)]);
        assert_eq!([admitted(6000), admitted(6500)], [(true, 1), (true, 0)]);
        assert_eq!([admitted(6999), admitted(9000)], [(false, 0), (true, 1)]);
    }
}
