//! What the operator wants of TLS; what is in the files named here is the reactor's business.

use std::path::PathBuf;
use std::time::Duration;

/// How long a handshake may take unless `timeout` says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(2);

/// How long `handshake_first: auto` waits for a client to begin before it gets its INFO.
pub const AUTO_DELAY: Duration = Duration::from_millis(50);

/// The cipher suites that can be offered.
pub const CIPHER_SUITES: [&str; 9] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

/// Those that the official server knows too and that are not offered, because there are better ones for every client.
pub const WEAK_CIPHER_SUITES: [&str; 13] = [
    "TLS_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
];

/// The curves that can be offered.
pub const CURVES: [&str; 3] = ["X25519", "CurveP256", "CurveP384"];

/// Those that the official server knows too and that are not offered.
pub const MISSING_CURVES: [&str; 4] = ["CurveP521", "X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024"];

/// The `tls {}` block of clients, or the flags for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The server's certificates; the first is for clients that ask for no name of another.
    pub certificates: Vec<KeyPair>,
    /// The authorities whose client certificates are accepted.
    pub ca_file: Option<PathBuf>,
    /// What is wanted of the client's certificate.
    pub client_certificates: ClientCertificates,
    /// How long a handshake may take.
    pub timeout: Duration,
    /// When the client gets its INFO.
    pub handshake_first: HandshakeFirst,
    /// The oldest version that is spoken.
    pub min_version: Version,
    /// The cipher suites to offer, of [`CIPHER_SUITES`], the preferred first; empty for what suits this machine. Those of a
    /// version that none is named of are all offered.
    pub cipher_suites: Vec<&'static str>,
    /// The curves to offer, of [`CURVES`], the preferred first; empty for all.
    pub curve_preferences: Vec<&'static str>,
    /// SHA-256 digests of the public keys that clients may have; empty for any.
    pub pinned_certs: Vec<[u8; 32]>,
    /// The most connections in a second; 0 is no limit.
    pub connection_rate_limit: usize,
}

/// The files of one certificate, both in PEM form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPair {
    /// The certificate, and those that lead from it to its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What is wanted of the client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// None is asked for.
    NotAsked,
    /// It must be there and be good.
    Verified,
    /// And its names say which user the client is.
    Mapped,
}

/// When a client gets its INFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeFirst {
    /// At once and in plain text.
    Never,
    /// After the handshake.
    Always,
    /// After the handshake if the client begins one in this time, otherwise in plain text.
    Within(Duration),
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 1.2
    Tls12,
    /// 1.3
    Tls13,
}

/// What the flags say, before they are followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFlags {
    /// `--tls`
    pub on: Option<bool>,
    /// `--tlsverify`
    pub verify: bool,
    /// `--tlscert`
    pub certificate: Option<PathBuf>,
    /// `--tlskey`
    pub key: Option<PathBuf>,
    /// `--tlscacert`
    pub authority: Option<PathBuf>,
}

impl TlsFlags {
    /// Puts what the flags ask for in the place of what the file does: `--tls=false` is no TLS, and any other flag is TLS
    /// with nothing but what the flags say.
    ///
    /// # Errors
    /// A line that says which flag is missing.
    pub fn follow(&self, settings: &mut Option<Box<TlsSettings>>) -> Result<(), String> {
        let Self { on, verify, certificate, key, authority } = self.clone();
        if on == Some(false) {
            *settings = None;
            return Ok(());
        }
        if on.is_none() && !verify && [&certificate, &key, &authority].iter().all(|path| path.is_none()) {
            return Ok(());
        }
        let certificate = certificate.ok_or("TLS Server certificate must be present and valid")?;
        let key = key.ok_or("TLS Server private key must be present and valid")?;
        *settings = Some(Box::new(TlsSettings {
            certificates: vec![KeyPair { certificate, key }],
            ca_file: authority,
            client_certificates: if verify { ClientCertificates::Verified } else { ClientCertificates::NotAsked },
            ..TlsSettings::default()
        }));
        Ok(())
    }
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            certificates: Vec::new(),
            ca_file: None,
            client_certificates: ClientCertificates::NotAsked,
            timeout: TIMEOUT,
            handshake_first: HandshakeFirst::Never,
            min_version: Version::Tls12,
            cipher_suites: Vec::new(),
            curve_preferences: Vec::new(),
            pinned_certs: Vec::new(),
            connection_rate_limit: 0,
        }
    }
}

impl TlsSettings {
    /// True if clients must have a certificate.
    pub fn verifies(&self) -> bool {
        self.client_certificates != ClientCertificates::NotAsked
    }
}
