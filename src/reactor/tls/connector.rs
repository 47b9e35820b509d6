//! What TLS begins with on connections to other servers.

use super::acceptor::{Acceptor, versions};
use super::certificates::{self, Chosen};
use super::engine::{Engine, is_other_name};
use super::failure::Failure;
use super::pins::Pins;
use super::suites;
use crate::config::Options;
use crate::config::tls::TlsSettings;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, UnbufferedClientConnection, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use std::net::IpAddr;
use std::sync::Arc;

/// What routes begin TLS with: built by the main thread, used by the worker that owns them, and exchanged as a whole. A route
/// stays with what it began with.
#[derive(Debug)]
pub struct RouteTls {
    /// For those that others dial.
    pub acceptor: Arc<Acceptor>,
    /// For those that we dial.
    pub connector: Arc<Connector>,
}

impl RouteTls {
    /// What the options ask for; none if routes have no TLS.
    ///
    /// # Errors
    /// A line that says which file or setting cannot be used.
    pub fn build(options: &Options) -> Result<Option<Arc<Self>>, String> {
        let Some(settings) = &options.cluster.tls else { return Ok(None) };
        let provider = Arc::new(suites::provider(&settings.cipher_suites, &settings.curve_preferences));
        let chosen = Arc::new(certificates::load(&settings.certificates, &provider)?);
        let pins = Arc::new(Pins::new(settings));
        let hosts = options.cluster.routes.iter().filter(|route| route.host.parse::<IpAddr>().is_err());
        let names = hosts.filter_map(|route| ServerName::try_from(route.host.clone()).ok()).collect();
        let config = client_config(settings, Arc::clone(&provider), &chosen, names)?;
        let connector = Arc::new(Connector { config: Arc::new(config), pins: Arc::clone(&pins) });
        let acceptor = Acceptor::of_routes(settings, provider, chosen, pins)?;
        Ok(Some(Arc::new(Self { acceptor, connector })))
    }

    /// When the first of the certificates expires, in seconds since 1970; none if that cannot be read.
    pub fn expires(&self) -> Option<i64> {
        self.acceptor.expires()
    }
}

/// What a route that we dial begins with.
#[derive(Debug)]
pub struct Connector {
    config: Arc<ClientConfig>,
    pins: Arc<Pins>,
}

impl Connector {
    /// The engine of a new connection to this host.
    pub(super) fn engine(&self, host: &str) -> Result<Engine, Failure> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| Failure::Host)?;
        let engine = UnbufferedClientConnection::new(Arc::clone(&self.config), name)?;
        Ok(Engine::Client(engine))
    }

    /// The keys that peers may have.
    pub(super) fn pins(&self) -> &Arc<Pins> {
        &self.pins
    }
}

fn client_config(
    settings: &TlsSettings,
    provider: Arc<CryptoProvider>,
    chosen: &Chosen,
    names: Vec<ServerName<'static>>,
) -> Result<ClientConfig, String> {
    let roots = Arc::new(certificates::roots(settings.ca_file.as_deref())?);
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
    let verifier = RouteVerifier { verifier: verifier.map_err(|error| error.to_string())?, names };
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions(settings));
    let builder = builder.map_err(|error| error.to_string())?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let own = chosen.first().ok_or("missing 'cert_file' in TLS configuration")?;
    let mut config = builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    // The peer's certificate is looked at each time.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Verifies a peer's certificate as any client would. Where a route leads to an address, as others tell of it, the
/// certificate may be for one of the hosts instead that configured routes name: there is nothing that knows its name.
#[derive(Debug)]
struct RouteVerifier {
    verifier: Arc<WebPkiServerVerifier>,
    names: Vec<ServerName<'static>>,
}

impl ServerCertVerifier for RouteVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verify =
            |name: &ServerName| self.verifier.verify_server_cert(end_entity, intermediates, name, ocsp_response, now);
        let outcome = verify(server_name);
        match (&outcome, server_name) {
            (Err(error), ServerName::IpAddress(_)) if is_other_name(error) => {
                self.names.iter().find_map(|name| verify(name).ok()).map_or(outcome, Ok)
            }
            _ => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
