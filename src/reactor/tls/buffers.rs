//! What the TLS connections of a worker use one after the other, so that none of them owns a buffer while it is idle.

/// Bytes of records taken from a socket at once, those kept from before included: the largest record fits several times.
pub const INCOMING_BYTES: usize = 64 * 1024;

/// Plain bytes of a full record.
pub const RECORD_BYTES: usize = 16 * 1024;

/// Plain bytes sealed for one write.
pub const SEALED_BYTES: usize = 64 * 1024;

/// The buffers of a worker; empty until the first TLS connection needs them.
#[derive(Debug, Default)]
pub struct Buffers {
    /// Records as they came, opened in place.
    pub incoming: Vec<u8>,
    /// Plain bytes on their way into a record.
    pub record: Vec<u8>,
    /// Records for one write.
    pub outgoing: Outgoing,
}

/// Records for one write.
#[derive(Debug, Default)]
pub struct Outgoing {
    bytes: Vec<u8>,
    len: usize,
}

impl Buffers {
    /// Puts `kept` at the start of the incoming bytes, which are made as many as they may be.
    pub fn begin(&mut self, kept: &[u8]) {
        self.incoming.resize(INCOMING_BYTES, 0);
        self.incoming[..kept.len()].copy_from_slice(kept);
        self.outgoing.clear();
    }

    /// Gives the memory back.
    pub fn trim(&mut self) {
        *self = Self::default();
    }
}

impl Outgoing {
    /// What is in it.
    pub fn filled(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Room for at least so many bytes more; say with [`advance`](Self::advance) how many were put in.
    pub fn room(&mut self, bytes: usize) -> &mut [u8] {
        if self.bytes.len() < self.len + bytes {
            self.bytes.resize(self.len + bytes, 0);
        }
        &mut self.bytes[self.len..]
    }

    /// So many bytes were put into the room.
    pub fn advance(&mut self, bytes: usize) {
        self.len += bytes;
    }
}
