//! What every TLS connection begins with that others dial.

use super::certificates::{self, Chosen};
use super::engine::Engine;
use super::pins::Pins;
use super::suites;
use crate::config::Options;
use crate::config::tls::{TlsSettings, Version};
use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, UnbufferedServerConnection, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion};
use std::sync::Arc;

/// Tickets given to a client, each good for one resumption. Clients ask for a new connection when the old one is lost, so
/// one is enough, and each costs time and bytes in every handshake.
const TICKETS: usize = 1;

/// What every TLS connection begins with: built by the main thread, used by all workers, and exchanged as a whole. A
/// connection stays with the one it began with.
#[derive(Debug)]
pub struct Acceptor {
    config: Arc<ServerConfig>,
    /// The same for monitoring, whose clients need no certificate.
    web: Arc<ServerConfig>,
    takes_plain: bool,
    pins: Arc<Pins>,
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
        let chosen = Arc::new(chosen);
        let mut config = server_config(settings, Arc::clone(&provider), Arc::clone(&chosen), settings.verifies())?;
        let mut web = server_config(settings, provider, chosen, false)?;
        give_tickets(&mut config)?;
        give_tickets(&mut web)?;
        let (config, web) = (Arc::new(config), Arc::new(web));
        let pins = Arc::new(Pins::new(settings));
        Ok(Some(Arc::new(Self { config, web, takes_plain: options.allow_non_tls, pins, expires })))
    }

    /// The same for routes: the peer's certificate is looked at each time, so nothing is resumed.
    ///
    /// # Errors
    /// As above.
    pub(super) fn of_routes(
        settings: &TlsSettings,
        provider: Arc<CryptoProvider>,
        chosen: Arc<Chosen>,
        pins: Arc<Pins>,
    ) -> Result<Arc<Self>, String> {
        let expires = chosen.expires();
        let mut config = server_config(settings, provider, chosen, true)?;
        config.send_tls13_tickets = 0;
        let config = Arc::new(config);
        Ok(Arc::new(Self { web: Arc::clone(&config), config, takes_plain: false, pins, expires }))
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
    pub(super) fn engine(&self) -> Result<Engine, rustls::Error> {
        UnbufferedServerConnection::new(Arc::clone(&self.config)).map(Engine::Server)
    }

    /// The engine of a new monitoring connection.
    pub(super) fn web_engine(&self) -> Result<ServerConnection, rustls::Error> {
        ServerConnection::new(Arc::clone(&self.web))
    }

    /// The keys that peers may have.
    pub(super) fn pins(&self) -> &Arc<Pins> {
        &self.pins
    }
}

fn server_config(
    settings: &TlsSettings,
    provider: Arc<CryptoProvider>,
    chosen: Arc<Chosen>,
    verifies: bool,
) -> Result<ServerConfig, String> {
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions(settings))
        .map_err(|error| error.to_string())?;
    let builder = if verifies {
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
    let mut config = builder.with_cert_resolver(chosen);
    config.ignore_client_order = true;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

/// The versions that are spoken.
pub(super) fn versions(settings: &TlsSettings) -> &'static [&'static SupportedProtocolVersion] {
    static ALL: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    match settings.min_version {
        Version::Tls12 => &ALL,
        Version::Tls13 => &ALL[..1],
    }
}

/// Lets clients resume their session.
fn give_tickets(config: &mut ServerConfig) -> Result<(), String> {
    // Their key lives as long as this value, so what a reload refuses cannot come back by a ticket.
    config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(|error| error.to_string())?;
    config.send_tls13_tickets = TICKETS;
    Ok(())
}
