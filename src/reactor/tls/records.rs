//! Records in both directions: the only place that drives the TLS engine.

use super::buffers::{Outgoing, RECORD_BYTES, SEALED_BYTES};
use super::engine::{Drive, Engine, Seal};
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use std::io::IoSlice;

/// What a record has beside its plain bytes, at most.
const OVERHEAD_BYTES: usize = 64;

/// What working on records came to.
#[derive(Debug)]
pub struct Worked {
    /// Bytes of the input that are done with.
    pub used: usize,
    /// The peer said that nothing more will come.
    pub is_end: bool,
    /// What is wrong with the input; the alert that says so is in the output.
    pub flaw: Option<rustls::Error>,
}

/// Works on the whole records at the start of `incoming`: what they carry goes to `take`, what they ask for is put into
/// `out`. When there is nothing left to do, `traffic` may seal bytes of ours, if the connection is that far.
pub fn work(
    engine: &mut Engine,
    incoming: &mut [u8],
    out: &mut Outgoing,
    take: impl FnMut(&[u8]),
    traffic: impl FnOnce(&mut dyn Seal, &mut Outgoing),
) -> Worked {
    match engine {
        Engine::Server(engine) => drive(&mut **engine, incoming, out, take, traffic),
        Engine::Client(engine) => drive(&mut **engine, incoming, out, take, traffic),
    }
}

fn drive(
    engine: &mut impl Drive,
    incoming: &mut [u8],
    out: &mut Outgoing,
    mut take: impl FnMut(&[u8]),
    traffic: impl FnOnce(&mut dyn Seal, &mut Outgoing),
) -> Worked {
    let mut worked = Worked { used: 0, is_end: false, flaw: None };
    loop {
        let UnbufferedStatus { discard, state } = engine.process(&mut incoming[worked.used..]);
        let mut more = true;
        match state {
            Ok(ConnectionState::ReadTraffic(mut records)) => {
                while let Some(Ok(record)) = records.next_record() {
                    worked.used += record.discard;
                    take(record.payload);
                }
            }
            Ok(ConnectionState::EncodeTlsData(mut data)) => encode(out, |room| data.encode(room)),
            Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
            Ok(ConnectionState::PeerClosed) => worked.is_end = true,
            Ok(ConnectionState::WriteTraffic(mut writer)) => {
                worked.used += discard;
                traffic(&mut writer, out);
                return worked;
            }
            Ok(_) => more = false,
            Err(error) => {
                worked.flaw = Some(error);
                more = false;
            }
        }
        worked.used += discard;
        if !more {
            break;
        }
    }
    if worked.flaw.is_some()
        && let Ok(ConnectionState::EncodeTlsData(mut data)) = engine.process(&mut incoming[worked.used..]).state
    {
        encode(out, |room| data.encode(room));
    }
    worked
}

fn encode(out: &mut Outgoing, mut into: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>) {
    let mut wanted = OVERHEAD_BYTES;
    // Twice at most: the first answer says how much room it takes.
    for _ in 0..2 {
        match into(out.room(wanted)) {
            Ok(bytes) => return out.advance(bytes),
            Err(EncodeError::InsufficientSize(size)) => wanted = size.required_size,
            Err(EncodeError::AlreadyEncoded) => return,
        }
    }
}

/// Seals the first bytes of the slices in full records, as many as one write should have. Returns how many they were;
/// none if no more may be sealed with the keys of this connection.
pub fn seal(writer: &mut dyn Seal, slices: &[IoSlice], record: &mut Vec<u8>, out: &mut Outgoing) -> usize {
    let mut sealed = 0;
    record.clear();
    for slice in slices {
        let mut rest: &[u8] = slice;
        while !rest.is_empty() && sealed + record.len() < SEALED_BYTES {
            let (now, later) = rest.split_at(rest.len().min(RECORD_BYTES - record.len()));
            rest = later;
            // A slice that fills a record needs no copy.
            if now.len() == RECORD_BYTES {
                if !encrypt(writer, now, out) {
                    return sealed;
                }
                sealed += now.len();
                continue;
            }
            record.extend_from_slice(now);
            if record.len() == RECORD_BYTES {
                if !encrypt(writer, record, out) {
                    return sealed;
                }
                sealed += record.len();
                record.clear();
            }
        }
    }
    if !record.is_empty() && encrypt(writer, record, out) {
        sealed += record.len();
    }
    sealed
}

fn encrypt(writer: &mut dyn Seal, bytes: &[u8], out: &mut Outgoing) -> bool {
    let mut wanted = bytes.len() + OVERHEAD_BYTES;
    for _ in 0..2 {
        match writer.encrypt(bytes, out.room(wanted)) {
            Ok(bytes) => {
                out.advance(bytes);
                return true;
            }
            // What the engine had to send first takes more.
            Err(EncryptError::InsufficientSize(size)) => wanted = size.required_size,
            Err(EncryptError::EncryptExhausted) => return false,
        }
    }
    false
}

/// Says that nothing more will come from us.
pub fn say_end(writer: &mut dyn Seal, out: &mut Outgoing) {
    encode(out, |room| {
        writer.end(room).map_err(|error| match error {
            EncryptError::InsufficientSize(size) => EncodeError::InsufficientSize(size),
            EncryptError::EncryptExhausted => EncodeError::AlreadyEncoded,
        })
    });
}
