//! The ways in: what is listened on, and the streams that come of it.

use crate::reactor::tls::{Acceptor, WebStream};
use mio::event::Source;
use mio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use std::fs;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::path::{Path, PathBuf};

/// A listening socket.
#[derive(Debug)]
pub enum Door {
    /// HTTP over TCP.
    Tcp(TcpListener),
    /// HTTPS.
    Tls(TcpListener),
    /// HTTP over a Unix socket.
    Unix {
        /// The socket.
        listener: UnixListener,
        /// Kept as long as that.
        _file: SocketFile,
    },
}

/// The name of a Unix socket, which goes when this does.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl SocketFile {
    /// Listens under this name. A socket there that nobody listens on any more makes way.
    ///
    /// # Errors
    /// As bind(2).
    pub fn bind(path: &Path) -> io::Result<Door> {
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_behind(path) => {
                fs::remove_file(path)?;
                UnixListener::bind(path)
            }
            bound => bound,
        };
        Ok(Door::Unix { listener: listener?, _file: Self(path.to_owned()) })
    }
}

/// True if this is a socket that refuses connections.
fn is_left_behind(path: &Path) -> bool {
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    std::os::unix::net::UnixStream::connect(path).err().is_some_and(refused)
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Somebody may have removed it already.
        _ = fs::remove_file(&self.0);
    }
}

/// A connection.
#[derive(Debug)]
pub enum Stream {
    /// See [`Door::Tcp`].
    Tcp(TcpStream),
    /// See [`Door::Tls`].
    Tls(Box<WebStream>),
    /// See [`Door::Unix`].
    Unix(UnixStream),
}

impl Door {
    /// The next connection that waits; one over TLS begins with `acceptor`.
    ///
    /// # Errors
    /// As accept(2), `WouldBlock` if none does.
    pub fn accept(&self, acceptor: Option<&Acceptor>) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => listener.accept().map(|(stream, _)| Stream::Tcp(stream)),
            Self::Tls(listener) => {
                let (stream, _) = listener.accept()?;
                // Without one there would be no such door.
                let acceptor = acceptor.ok_or(io::ErrorKind::ConnectionAborted)?;
                Ok(Stream::Tls(Box::new(WebStream::new(stream, acceptor)?)))
            }
            Self::Unix { listener, .. } => listener.accept().map(|(stream, _)| Stream::Unix(stream)),
        }
    }

    /// What a poll registers.
    pub fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(listener) | Self::Tls(listener) => listener,
            Self::Unix { listener, .. } => listener,
        }
    }
}

impl Stream {
    /// What a poll registers.
    pub fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream.socket(),
            Self::Unix(stream) => stream,
        }
    }

    /// Ends our side.
    pub fn half_close(&mut self) {
        // A peer that is gone already needs no end.
        _ = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Tls(stream) => {
                stream.half_close();
                Ok(())
            }
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tls(stream) => stream.flush(),
            Self::Tcp(_) | Self::Unix(_) => Ok(()),
        }
    }
}
