//! Certificates made for a test, and gone with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, PublicKeyData, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

/// A folder with an authority (`ca`) and certificates of it. It is removed with this.
pub struct Certificates {
    folder: PathBuf,
    authority: Issuer<'static, KeyPair>,
}

impl Certificates {
    /// An authority, and a certificate called `server` for `localhost` and 127.0.0.1.
    pub fn new() -> Certificates {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("midge-certificates-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder can be made");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, format!("test authority {number}"));
        let certificate = params.self_signed(&key).expect("a certificate");
        fs::write(folder.join("ca.pem"), certificate.pem()).expect("a file can be written");
        let certificates = Certificates { folder, authority: Issuer::new(params, key) };
        certificates.issue("server", &[], &[dns("localhost"), SanType::IpAddress([127, 0, 0, 1].into())]);
        certificates
    }

    /// Puts a certificate with its key into `NAME.pem` and `NAME.key`, over what is there.
    pub fn issue(&self, name: &str, subject: &[(DnType, &str)], names: &[SanType]) {
        self.issue_until(name, subject, names, (2070, 1, 1));
    }

    /// The same for one that expires on this day.
    pub fn issue_until(&self, name: &str, subject: &[(DnType, &str)], names: &[SanType], end: (i32, u8, u8)) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in subject {
            params.distinguished_name.push(kind.clone(), *value);
        }
        params.subject_alt_names = names.to_vec();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.not_after = rcgen::date_time_ymd(end.0, end.1, end.2);
        let certificate = params.signed_by(&key, &self.authority).expect("a certificate");
        fs::write(self.path(&format!("{name}.pem")), certificate.pem()).expect("a file can be written");
        fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).expect("a file can be written");
    }

    /// The path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The same as a text.
    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("a path in UTF-8").to_owned()
    }

    /// What makes midge, or the official server, use the certificate called `server`.
    pub fn flags(&self) -> Vec<String> {
        let (certificate, key) = (self.text("server.pem"), self.text("server.key"));
        ["--tls", "--tlscert", &certificate, "--tlskey", &key].map(str::to_owned).to_vec()
    }

    /// The digest of a certificate's key, as `pinned_certs` takes it.
    pub fn pin(&self, name: &str) -> String {
        let text = fs::read_to_string(self.path(&format!("{name}.key"))).expect("a key");
        let key = KeyPair::from_pem(&text).expect("a key").subject_public_key_info();
        let suites = rustls::crypto::ring::default_provider().cipher_suites;
        let hashes = suites.iter().filter_map(|suite| suite.tls13()).map(|suite| suite.common.hash_provider);
        let sha256 = hashes.into_iter().find(|hash| hash.output_len() == 32).expect("SHA-256");
        sha256.hash(&key).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A client that trusts the authority, with one of the certificates if one is named.
    pub fn client(&self, name: Option<&str>) -> Arc<ClientConfig> {
        self.client_of(name, rustls::ALL_VERSIONS)
    }

    /// The same for some versions only.
    pub fn client_of(&self, name: Option<&str>, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate(&self.path("ca.pem"))).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(versions).expect("versions").with_root_certificates(roots);
        Arc::new(match name {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let key = PrivateKeyDer::from_pem_file(self.path(&format!("{name}.key"))).expect("a key");
                let chain = vec![certificate(&self.path(&format!("{name}.pem")))];
                builder.with_client_auth_cert(chain, key).expect("a certificate and its key")
            }
        })
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        // What is left behind is in the folder for what nobody needs any more.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A host name for a certificate.
pub fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().expect("a host name"))
}

fn certificate(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).expect("a certificate")
}
