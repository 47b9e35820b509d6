//! What every TLS connection of the server begins with.

use super::certificates::{self, Chosen};
use super::failure::Failure;
use super::suites;
use crate::config::Options;
use crate::config::tls::{TlsSettings, Version};
use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, UnbufferedServerConnection, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use std::sync::Arc;

/// Tickets given to a client, each good for one resumption. Clients ask for a new connection when the old one is lost, so
/// one is enough, and each costs time and bytes in every handshake.
const TICKETS: usize = 1;

/// What every TLS connection begins with: built by the main thread, used by all workers, and exchanged as a whole. A
/// connection stays with the one it began with.
#[derive(Debug)]
pub struct Acceptor {
    config: Arc<ServerConfig>,
    takes_plain: bool,
    pins: Vec<[u8; 32]>,
    expires: Option<i64>,
}

impl Acceptor {
    /// What the options ask for; none if they ask for no TLS.
    ///
    /// # Errors
    /// A line that says which file or setting cannot be used.
    pub fn build(options: &Options) -> Result<Option<Arc<Self>>, String> {
        let Some(settings) = &options.tls else { return Ok(None) };
        let provider = Arc::new(suites::provider(&settings.cipher_suites, &settings.curve_preferences));
        let chosen = certificates::load(&settings.certificates, &provider)?;
        let expires = chosen.expires();
        let config = server_config(settings, provider, chosen)?;
        let pins = settings.pinned_certs.clone();
        Ok(Some(Arc::new(Self { config: Arc::new(config), takes_plain: options.allow_non_tls, pins, expires })))
    }

    /// When the first of the server's certificates expires, in seconds since 1970; none if that cannot be read.
    pub fn expires(&self) -> Option<i64> {
        self.expires
    }

    /// True if clients need not use TLS.
    pub(super) fn takes_plain(&self) -> bool {
        self.takes_plain
    }

    /// The engine of a new connection.
    pub(super) fn engine(&self) -> Result<UnbufferedServerConnection, rustls::Error> {
        UnbufferedServerConnection::new(Arc::clone(&self.config))
    }

    /// Whether a client with this certificate may come in, as far as pinned keys go.
    pub(super) fn check_pin(&self, public_key: Option<&[u8]>) -> Result<(), Failure> {
        if self.pins.is_empty() {
            return Ok(());
        }
        match public_key.map(suites::sha256) {
            Some(digest) if self.pins.iter().any(|pin| pin[..] == digest[..]) => Ok(()),
            _ => Err(Failure::NotPinned),
        }
    }
}

fn server_config(
    settings: &TlsSettings,
    provider: Arc<CryptoProvider>,
    chosen: Chosen,
) -> Result<ServerConfig, String> {
    let versions: &[&SupportedProtocolVersion] = match settings.min_version {
        Version::Tls12 => &[&TLS13, &TLS12],
        Version::Tls13 => &[&TLS13],
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|error| error.to_string())?;
    let builder = if settings.verifies() {
        let roots = Arc::new(certificates::roots(settings.ca_file.as_deref())?);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
        builder.with_client_cert_verifier(verifier.map_err(|error| error.to_string())?)
    } else {
        // A file that is named is looked at even if nobody needs it.
        if settings.ca_file.is_some() {
            certificates::roots(settings.ca_file.as_deref())?;
        }
        builder.with_no_client_auth()
    };
    let mut config = builder.with_cert_resolver(Arc::new(chosen));
    config.ignore_client_order = true;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    // Their key lives as long as this value, so what a reload refuses cannot come back by a ticket.
    config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(|error| error.to_string())?;
    config.send_tls13_tickets = TICKETS;
    Ok(config)
}
