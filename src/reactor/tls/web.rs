//! HTTPS, with the buffered interface of the engine: monitoring has few connections, and they last for a moment.

use super::acceptor::Acceptor;
use mio::net::TcpStream;
use rustls::ServerConnection;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::Shutdown;

/// The first byte of a handshake.
const HANDSHAKE: u8 = 0x16;

/// What somebody is told who speaks HTTP without TLS.
const PLAIN: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// Bytes of such a request that are read, so that its sender reads the answer and not a reset.
const PLAIN_BYTES: usize = 8 * 1024;

/// A connection over TLS that is read and written like any other. It does not block.
pub struct WebStream {
    engine: ServerConnection,
    socket: TcpStream,
    /// Nothing has come yet.
    is_fresh: bool,
}

impl fmt::Debug for WebStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing of the engine: it holds the keys.
        f.debug_struct("WebStream").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl WebStream {
    /// A connection that was just accepted.
    ///
    /// # Errors
    /// If the engine cannot be set up.
    pub fn new(socket: TcpStream, acceptor: &Acceptor) -> io::Result<Self> {
        let engine = acceptor.web_engine().map_err(io::Error::other)?;
        Ok(Self { engine, socket, is_fresh: true })
    }

    /// What a poll registers.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Ends our side.
    pub fn half_close(&mut self) {
        self.engine.send_close_notify();
        // A peer that is gone already, or takes nothing, needs no end.
        _ = self.send();
        _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Writes the records that wait.
    fn send(&mut self) -> io::Result<()> {
        while self.engine.wants_write() {
            self.engine.write_tls(&mut self.socket)?;
        }
        Ok(())
    }

    /// Looks at the first byte: whoever does not begin a handshake is told what to do.
    fn look(&mut self) -> io::Result<()> {
        let mut first = [0];
        if self.socket.peek(&mut first)? == 1 && first[0] != HANDSHAKE {
            _ = self.socket.read(&mut [0; PLAIN_BYTES]);
            _ = self.socket.write(PLAIN);
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.is_fresh = false;
        Ok(())
    }
}

impl Read for WebStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_fresh {
            self.look()?;
        }
        loop {
            match self.engine.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            if self.engine.read_tls(&mut self.socket)? == 0 {
                return Ok(0);
            }
            let worked = self.engine.process_new_packets();
            // Answers of the handshake, or the alert. What the socket does not take is sent when it does.
            let sent = self.send();
            worked.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            unless_blocked(sent)?;
        }
    }
}

impl Write for WebStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The engine takes more only once the socket has what it took before.
        self.send()?;
        let taken = self.engine.writer().write(bytes)?;
        unless_blocked(self.send())?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}

fn unless_blocked(sent: io::Result<()>) -> io::Result<()> {
    match sent {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        other => other,
    }
}
