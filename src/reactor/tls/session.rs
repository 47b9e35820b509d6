//! The TLS side of one connection.

use super::acceptor::Acceptor;
use super::buffers::{Buffers, Outgoing, SEALED_BYTES};
use super::connector::Connector;
use super::engine::{Engine, Seal};
use super::failure::Failure;
use super::pins::Pins;
use super::records::{self, Worked};
use super::suites;
use crate::broker::{Secured, ShownCertificate};
use crate::reactor::socket::Step;
use crate::reactor::stream::Stream;
use crate::wire::certificate::{self, PeerCertificate};
use std::fmt;
use std::io::{self, IoSlice};
use std::sync::Arc;

/// The first byte of a handshake.
const HANDSHAKE: u8 = 0x16;

/// Bytes of records that are not whole yet, at most: one record, or the messages of a handshake with long certificates.
const KEPT_MAX: usize = 32 * 1024;

/// Bytes of records that wait for the socket, at most: those of one write, and answers to a peer that asks for new keys
/// without end and reads nothing.
const WAITING_MAX: usize = 2 * SEALED_BYTES;

/// Memory of a session beside its records: about what keys and state take.
const STATE_BYTES: usize = 4096;

/// Certificates of a client that are remembered for monitoring.
const SHOWN_MAX: usize = 4;

/// The TLS side of one connection.
#[derive(Debug)]
pub struct Session {
    stage: Stage,
    /// Input that is no whole record yet.
    kept: Vec<u8>,
    /// Plain bytes that came with the end of the handshake.
    early: Vec<u8>,
    /// The peer said that nothing more will come.
    is_ended: bool,
    /// Records that the socket has not taken.
    waiting: Vec<u8>,
    /// How many of them it has taken since.
    waiting_done: usize,
    /// How many bytes of the output the rest of them stands for.
    waiting_for: usize,
}

enum Stage {
    /// The peer has dialled, and sent nothing.
    Hello(Arc<Acceptor>),
    /// We have dialled this host, and sent nothing.
    Dialled(Arc<Connector>, Box<str>),
    /// A handshake has begun.
    Handshake(Engine, Arc<Pins>),
    /// Both sides have the keys.
    Up(Engine),
    /// It came to nothing.
    Failed,
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing of the engine: it holds the keys.
        f.write_str(match self {
            Stage::Hello(_) => "Hello",
            Stage::Dialled(..) => "Dialled",
            Stage::Handshake(..) => "Handshake",
            Stage::Up(_) => "Up",
            Stage::Failed => "Failed",
        })
    }
}

impl Session {
    /// A connection that was just accepted.
    pub fn new(acceptor: Arc<Acceptor>) -> Self {
        Self::at(Stage::Hello(acceptor))
    }

    /// One that was dialled: the server there must be this host.
    pub fn dialled(connector: Arc<Connector>, host: &str) -> Self {
        Self::at(Stage::Dialled(connector, host.into()))
    }

    fn at(stage: Stage) -> Self {
        Self {
            stage,
            kept: Vec::new(),
            early: Vec::new(),
            is_ended: false,
            waiting: Vec::new(),
            waiting_done: 0,
            waiting_for: 0,
        }
    }

    /// True until the handshake is done.
    pub fn is_entering(&self) -> bool {
        matches!(self.stage, Stage::Hello(_) | Stage::Dialled(..) | Stage::Handshake(..))
    }

    /// Memory it takes, in bytes.
    pub fn bytes(&self) -> usize {
        STATE_BYTES + self.kept.capacity() + self.early.capacity() + self.waiting.capacity()
    }

    /// True if records wait for the socket.
    pub fn owes(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes the handshake one read further. Once it fails, what can be read is thrown away, so that the peer gets the
    /// alert and no reset.
    pub fn step(&mut self, stream: &mut Stream, buffers: &mut Buffers) -> Step {
        let step = match &self.stage {
            Stage::Hello(acceptor) => {
                let acceptor = Arc::clone(acceptor);
                self.begin(stream, acceptor)
            }
            Stage::Dialled(connector, host) => match connector.engine(host) {
                Ok(engine) => {
                    let pins = Arc::clone(connector.pins());
                    self.begin_ourselves(stream, engine, pins, buffers)
                }
                Err(failure) => Err(failure),
            },
            Stage::Handshake(..) => self.shake(stream, buffers),
            Stage::Up(_) | Stage::Failed => Ok(Step::Waiting),
        };
        step.unwrap_or_else(|failure| {
            self.stage = Stage::Failed;
            buffers.begin(&[]);
            // Whatever comes of it, the connection ends.
            _ = stream.read(&mut [], &mut buffers.incoming);
            Step::Failed { reason: failure.to_string(), is_probe: failure.is_probe() }
        })
    }

    /// Looks at the client's first byte.
    fn begin(&mut self, stream: &mut Stream, acceptor: Arc<Acceptor>) -> Result<Step, Failure> {
        match stream.first_byte()? {
            None => Ok(Step::Waiting),
            Some(Some(HANDSHAKE)) => {
                self.stage = Stage::Handshake(acceptor.engine()?, Arc::clone(acceptor.pins()));
                Ok(Step::Begun)
            }
            Some(_) if acceptor.takes_plain() => Ok(Step::Plain),
            Some(Some(_)) => Err(Failure::NotTls),
            Some(None) => Err(Failure::Ended),
        }
    }

    /// Sends the first record, for which the peer waits.
    fn begin_ourselves(
        &mut self,
        stream: &mut Stream,
        mut engine: Engine,
        pins: Arc<Pins>,
        buffers: &mut Buffers,
    ) -> Result<Step, Failure> {
        buffers.begin(&[]);
        let Worked { flaw, .. } = records::work(&mut engine, &mut [], &mut buffers.outgoing, |_| {}, |_, _| {});
        self.stage = Stage::Handshake(engine, pins);
        match flaw {
            Some(error) => Err(error.into()),
            None => {
                self.send_own(stream, buffers)?;
                Ok(Step::Begun)
            }
        }
    }

    fn shake(&mut self, stream: &mut Stream, buffers: &mut Buffers) -> Result<Step, Failure> {
        let Stage::Handshake(engine, pins) = &mut self.stage else { return Ok(Step::Waiting) };
        buffers.begin(&self.kept);
        let have = self.kept.len();
        let bytes = match stream.read(&mut [], &mut buffers.incoming[have..])? {
            None => return Ok(Step::Waiting),
            Some(0) => return Err(if have == 0 { Failure::Ended } else { Failure::EndedWithin }),
            Some(bytes) => have + bytes,
        };
        let (incoming, early) = (&mut buffers.incoming[..bytes], &mut self.early);
        let take = |bytes: &[u8]| early.extend_from_slice(bytes);
        let Worked { used, is_end, flaw } = records::work(engine, incoming, &mut buffers.outgoing, take, |_, _| {});
        self.is_ended = is_end;
        let failure = match flaw {
            Some(error) => Some(Failure::Tls(error)),
            None if is_end => Some(Failure::Ended),
            None if bytes - used > KEPT_MAX => Some(Failure::TooLong),
            None => None,
        };
        if let Some(failure) = failure {
            // The alert, for which there is room unless the peer has read nothing.
            _ = stream.write(&[IoSlice::new(buffers.outgoing.filled())]);
            return Err(failure);
        }
        let secured = if engine.common().is_handshaking() { None } else { Some(secured(engine, pins)?) };
        self.keep(&buffers.incoming[used..bytes]);
        self.send_own(stream, buffers)?;
        let Some(secured) = secured else { return Ok(Step::Waiting) };
        self.stage = match std::mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Handshake(engine, _) => Stage::Up(engine),
            other => other,
        };
        Ok(Step::Up(secured))
    }

    /// Reads what records carry into `first`, then into `second`, which must have room for as much as the incoming buffer.
    /// `None` if there is nothing now; whether it may be read again, the stream says.
    pub fn read(
        &mut self,
        stream: &mut Stream,
        first: &mut [u8],
        second: &mut [u8],
        buffers: &mut Buffers,
    ) -> io::Result<Option<usize>> {
        let Stage::Up(engine) = &mut self.stage else { return stream.read(first, second) };
        let mut plain = Plain { first, second, len: 0 };
        if !self.early.is_empty() {
            plain.take(&std::mem::take(&mut self.early));
            return Ok(Some(plain.len));
        }
        if self.is_ended {
            return Ok(Some(0));
        }
        buffers.begin(&self.kept);
        let have = self.kept.len();
        let bytes = match stream.read(&mut [], &mut buffers.incoming[have..])? {
            None => return Ok(None),
            Some(0) => return Ok(Some(0)),
            Some(bytes) => have + bytes,
        };
        let incoming = &mut buffers.incoming[..bytes];
        let Worked { used, is_end, flaw } =
            records::work(engine, incoming, &mut buffers.outgoing, |bytes| plain.take(bytes), |_, _| {});
        let len = plain.len;
        let failure = match flaw {
            Some(error) => Some(Failure::Tls(error)),
            None if bytes - used > KEPT_MAX => Some(Failure::TooLong),
            None => None,
        };
        if let Some(failure) = failure {
            // The alert, as far as there is room.
            _ = stream.write(&[IoSlice::new(buffers.outgoing.filled())]);
            return Err(io::Error::new(io::ErrorKind::InvalidData, failure.to_string()));
        }
        self.keep(&buffers.incoming[used..bytes]);
        self.send_own(stream, buffers)?;
        if is_end {
            self.is_ended = true;
            stream.readable = true;
        }
        Ok(if len > 0 || is_end { Some(len) } else { None })
    }

    /// Seals and writes some of the slices. `None` if nothing can be written now, else how many of their bytes need not be
    /// shown again.
    ///
    /// Bytes count as written when the socket has taken their records, so that a connection's progress is the peer's. Until
    /// then the same slices are shown again, and what is sealed of them is not sealed twice.
    pub fn write(
        &mut self,
        stream: &mut Stream,
        slices: &[IoSlice],
        buffers: &mut Buffers,
    ) -> io::Result<Option<usize>> {
        if self.owes() {
            let written = self.write_waiting(stream)?;
            if written.is_some_and(|bytes| bytes > 0) || self.owes() {
                return Ok(written);
            }
        }
        match &mut self.stage {
            Stage::Hello(_) => return stream.write(slices),
            Stage::Up(_) if !slices.is_empty() => {}
            Stage::Up(_) => return Ok(Some(0)),
            Stage::Dialled(..) | Stage::Handshake(..) | Stage::Failed => return Ok(None),
        }
        let mut sealed = 0;
        self.seal(buffers, |writer, record, out| sealed = records::seal(writer, slices, record, out))?;
        if sealed == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.send(stream, buffers.outgoing.filled(), sealed)
    }

    /// Tells the peer that nothing more comes, if it can be told now.
    pub fn say_end(&mut self, stream: &mut Stream, buffers: &mut Buffers) {
        let Stage::Up(engine) = &mut self.stage else { return };
        if !self.waiting.is_empty() {
            return;
        }
        buffers.outgoing.clear();
        records::work(engine, &mut self.kept, &mut buffers.outgoing, |_| {}, records::say_end);
        // A peer that is gone already needs no end.
        _ = stream.write(&[IoSlice::new(buffers.outgoing.filled())]);
        self.stage = Stage::Failed;
    }

    /// Has `by` seal bytes behind what the engine itself wants to send.
    fn seal(
        &mut self,
        buffers: &mut Buffers,
        by: impl FnOnce(&mut dyn Seal, &mut Vec<u8>, &mut Outgoing),
    ) -> io::Result<()> {
        let Stage::Up(engine) = &mut self.stage else { return Ok(()) };
        let Buffers { record, outgoing, .. } = buffers;
        outgoing.clear();
        // What is kept was looked at already: the engine only wants to see it again.
        let worked = records::work(engine, &mut self.kept, outgoing, |_| {}, |writer, out| by(writer, record, out));
        match worked.flaw {
            Some(_) => Err(io::ErrorKind::InvalidData.into()),
            None => Ok(()),
        }
    }

    fn keep(&mut self, rest: &[u8]) {
        // Idle connections keep nothing, so this gives the memory back.
        self.kept = rest.to_vec();
    }

    /// Sends what the engine wants to send: its part of the handshake, tickets, new keys.
    fn send_own(&mut self, stream: &mut Stream, buffers: &mut Buffers) -> io::Result<()> {
        let own = buffers.outgoing.filled();
        if own.is_empty() {
            return Ok(());
        }
        if self.owes() {
            if self.waiting.len() > WAITING_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.waiting.extend_from_slice(own);
            return Ok(());
        }
        self.send(stream, own, 0).map(|_| ())
    }

    /// Writes records that stand for so many bytes; what the socket does not take waits.
    fn send(&mut self, stream: &mut Stream, records: &[u8], stand_for: usize) -> io::Result<Option<usize>> {
        let mut done = 0;
        while done < records.len() {
            match stream.write(&[IoSlice::new(&records[done..])])? {
                Some(bytes) => done += bytes,
                None => break,
            }
        }
        let written = share(stand_for, done, records.len());
        if done < records.len() {
            self.waiting = records[done..].to_vec();
            self.waiting_done = 0;
            self.waiting_for = stand_for - written;
            return Ok(Some(written).filter(|bytes| *bytes > 0));
        }
        Ok(Some(written))
    }

    fn write_waiting(&mut self, stream: &mut Stream) -> io::Result<Option<usize>> {
        let rest = &self.waiting[self.waiting_done..];
        let Some(bytes) = stream.write(&[IoSlice::new(rest)])? else { return Ok(None) };
        let written = share(self.waiting_for, bytes, rest.len());
        self.waiting_done += bytes;
        self.waiting_for -= written;
        if self.waiting_done == self.waiting.len() {
            self.waiting = Vec::new();
            self.waiting_done = 0;
        }
        Ok(Some(written))
    }
}

/// How many of `all` plain bytes are written when `done` of `total` record bytes are.
fn share(all: usize, done: usize, total: usize) -> usize {
    (all as u64 * done as u64 / total.max(1) as u64) as usize
}

/// What is known of the peer once the handshake is done.
fn secured(engine: &Engine, pins: &Pins) -> Result<Secured, Failure> {
    let engine = engine.common();
    let version = match engine.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "1.3",
        _ => "1.2",
    };
    let cipher = engine.negotiated_cipher_suite().map_or("", |suite| suites::name(suite.suite()));
    let first = engine.peer_certificates().and_then(|certificates| certificates.first());
    let peer = match first {
        Some(certificate) => Some(PeerCertificate::read(certificate).ok_or(Failure::Certificate)?),
        None => None,
    };
    let certificate = first.and_then(|first| certificate::read(first));
    pins.check(certificate.map(|certificate| certificate.public_key))?;
    let chain = engine.peer_certificates().unwrap_or_default();
    let certificates = chain.iter().take(SHOWN_MAX).filter_map(|certificate| shown(certificate)).collect();
    Ok(Secured { version, cipher, peer: peer.map(Box::new), certificates, came_first: false })
}

/// What monitoring shows of a certificate; none if it is not built like one.
fn shown(whole: &[u8]) -> Option<ShownCertificate> {
    let subject = PeerCertificate::read(whole)?.subject.go_text();
    let digest = |bytes: &[u8]| suites::sha256(bytes).try_into().ok();
    Some(ShownCertificate {
        subject,
        key_digest: digest(certificate::read(whole)?.public_key)?,
        digest: digest(whole)?,
    })
}

/// Where plain bytes go.
struct Plain<'a> {
    first: &'a mut [u8],
    second: &'a mut [u8],
    len: usize,
}

impl Plain<'_> {
    fn take(&mut self, bytes: &[u8]) {
        let room = self.first.len().saturating_sub(self.len);
        let (one, two) = bytes.split_at(bytes.len().min(room));
        if !one.is_empty() {
            self.first[self.len..self.len + one.len()].copy_from_slice(one);
        }
        if !two.is_empty() {
            let at = self.len + one.len() - self.first.len();
            self.second[at..at + two.len()].copy_from_slice(two);
        }
        self.len += bytes.len();
    }
}
