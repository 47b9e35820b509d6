//! NATS connections with TLS as cheap as they can be had on this side: the server's certificate is not looked at, and what
//! comes is counted without being deciphered.

use std::io::{self, Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};

use crate::clients::{CONNECT, Client};

/// Bytes of a record's head, and those that its body has beside the plain ones in TLS 1.3.
const HEAD_BYTES: usize = 5;
const SEAL_BYTES: u64 = 17;

/// Makes a certificate with its key for servers under test; returns the flags with which they use it.
pub fn flags(folder: &Path) -> io::Result<Vec<String>> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_string()]).map_err(io::Error::other)?;
    std::fs::create_dir_all(folder)?;
    let write = |name: &str, text: String| -> io::Result<PathBuf> {
        let path = folder.join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    };
    let certificate = write("perf.pem", made.cert.pem())?;
    let key = write("perf.key", made.signing_key.serialize_pem())?;
    let [certificate, key] = [certificate, key].map(|path| path.to_string_lossy().into_owned());
    Ok(["--tls", "--tlscert", &certificate, "--tlskey", &key].map(str::to_string).to_vec())
}

/// TLS 1.3 with AES-128, which both servers prefer, without resumption and without looking at certificates.
pub fn config() -> Arc<ClientConfig> {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites = vec![rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256];
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13]).expect("the suite is one of 1.3");
    let trusting = builder.dangerous().with_custom_certificate_verifier(Arc::new(Trusting));
    let mut config = trusting.with_no_client_auth();
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

#[derive(Debug)]
struct Trusting;

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::RSA_PSS_SHA256, SignatureScheme::ED25519]
    }
}

/// One connection; blocking.
pub struct TlsClient {
    tls: ClientConnection,
    pub stream: TcpStream,
}

impl TlsClient {
    /// Connects from the `n`th loopback address and shakes hands.
    pub fn open(n: usize, addr: SocketAddrV4, config: &Arc<ClientConfig>) -> io::Result<TlsClient> {
        let mut client = Client::open_from(n, addr)?;
        client.read_info()?;
        let mut stream = client.stream;
        let name = ServerName::try_from("localhost").expect("a host name");
        let mut tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        tls.set_buffer_limit(None);
        while tls.is_handshaking() {
            tls.complete_io(&mut stream)?;
        }
        Ok(TlsClient { tls, stream })
    }

    /// The same, with CONNECT and these lines, all in force.
    pub fn connect(n: usize, addr: SocketAddrV4, config: &Arc<ClientConfig>, lines: &str) -> io::Result<TlsClient> {
        let mut client = Self::open(n, addr, config)?;
        client.send(format!("{CONNECT}{lines}PING\r\n").as_bytes())?;
        client.read_pong()?;
        Ok(client)
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tls.writer().write_all(bytes)?;
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.stream)?;
        }
        Ok(())
    }

    /// Waits for a PONG, which must be what comes next.
    pub fn read_pong(&mut self) -> io::Result<()> {
        let mut pong = [0; 6];
        let mut stream = rustls::Stream::new(&mut self.tls, &mut self.stream);
        stream.read_exact(&mut pong)?;
        if &pong == b"PONG\r\n" { Ok(()) } else { Err(io::Error::other("no PONG")) }
    }

    /// From here on what comes is only counted.
    pub fn into_counter(self) -> Counter {
        Counter { stream: self.stream, buffer: vec![0; 256 * 1024], body: 0, head: Vec::new() }
    }
}

/// Counts the plain bytes of records.
pub struct Counter {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Bytes of the record under way that are still to come.
    body: usize,
    /// What has come of the head of the next one.
    head: Vec<u8>,
}

impl Counter {
    /// Waits for more and returns how many plain bytes were announced with it.
    pub fn more(&mut self) -> io::Result<u64> {
        let len = match self.stream.read(&mut self.buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            len => len,
        };
        let (mut at, mut plain) = (0, 0);
        while at < len {
            let skip = self.body.min(len - at);
            self.body -= skip;
            at += skip;
            if self.body > 0 || at == len {
                break;
            }
            let take = (HEAD_BYTES - self.head.len()).min(len - at);
            self.head.extend_from_slice(&self.buffer[at..at + take]);
            at += take;
            if let [_, _, _, high, low] = self.head[..] {
                self.body = usize::from(high) << 8 | usize::from(low);
                plain += (self.body as u64).saturating_sub(SEAL_BYTES);
                self.head.clear();
            }
        }
        Ok(plain)
    }
}
