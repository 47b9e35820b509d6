//! The TLS engine of a connection, whichever end of it we are.

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{EncryptError, UnbufferedConnectionCommon, UnbufferedStatus, WriteTraffic};
use rustls::{CertificateError, CommonState, Error};

/// The engine of one connection.
pub enum Engine {
    /// The peer dialled.
    Server(UnbufferedServerConnection),
    /// We dialled.
    Client(UnbufferedClientConnection),
}

impl Engine {
    /// What is the same for both ends.
    pub fn common(&self) -> &CommonState {
        match self {
            Self::Server(engine) => engine,
            Self::Client(engine) => engine,
        }
    }
}

/// One end's engine, as records are worked on.
pub trait Drive {
    /// What the engine has of its end alone.
    type Data;

    /// The next thing to do with the records.
    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;
}

impl Drive for UnbufferedConnectionCommon<ServerConnectionData> {
    type Data = ServerConnectionData;

    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }
}

impl Drive for UnbufferedConnectionCommon<ClientConnectionData> {
    type Data = ClientConnectionData;

    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }
}

/// What seals bytes of ours, at either end.
pub trait Seal {
    /// Puts a record with these bytes into the room, and returns its length.
    ///
    /// # Errors
    /// If there is too little room, or the keys must not be used any more.
    fn encrypt(&mut self, bytes: &[u8], room: &mut [u8]) -> Result<usize, EncryptError>;

    /// The same with the word that nothing more will come.
    ///
    /// # Errors
    /// As above.
    fn end(&mut self, room: &mut [u8]) -> Result<usize, EncryptError>;
}

impl<D> Seal for WriteTraffic<'_, D> {
    fn encrypt(&mut self, bytes: &[u8], room: &mut [u8]) -> Result<usize, EncryptError> {
        WriteTraffic::encrypt(self, bytes, room)
    }

    fn end(&mut self, room: &mut [u8]) -> Result<usize, EncryptError> {
        self.queue_close_notify(room)
    }
}

/// True if it is only the name that a certificate is not for.
pub fn is_other_name(error: &Error) -> bool {
    use CertificateError::{NotValidForName, NotValidForNameContext};
    matches!(error, Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_end_makes_no_connection_of_a_client_larger() {
        assert_eq!(size_of::<Engine>(), size_of::<UnbufferedServerConnection>());
    }
}
