//! A connection to a log daemon, bounded in all it does.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::address::Address;
use super::target::{Stopped, write_all};
use crate::sys;

/// How long making a connection may take, for each address of the host's name.
const CONNECT_PATIENCE: Duration = Duration::from_secs(1);

/// How long a daemon may take nothing while we have something for it.
const SEND_PATIENCE: Duration = Duration::from_secs(1);

/// A connection of any kind. All sockets are non-blocking.
#[derive(Debug)]
pub(super) enum Link {
    /// Not connected: whether anybody listens is then none of its business.
    Udp(UdpSocket, SocketAddr),
    Datagram(UnixDatagram),
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Link {
    /// Connects.
    ///
    /// # Errors
    /// What went wrong, in the words of the official server.
    pub fn connect(address: &Address) -> Result<Link, String> {
        match address {
            Address::Local(paths) => local(paths).ok_or("Unix syslog delivery error".to_owned()),
            Address::Udp(address) => udp(address).map_err(|fault| format!("dial udp{fault}")),
            Address::Tcp(address) => tcp(address).map_err(|fault| format!("dial tcp{fault}")),
            Address::Unix(path) => unix(path)
                .map_err(|error| format!("dial unix {}: connect: {}", path.display(), sys::error_text(&error))),
        }
    }

    /// Sends whole lines.
    pub fn send(&mut self, lines: &[u8]) -> Result<(), Stopped> {
        match self {
            Link::Udp(socket, to) => send_each(&*socket, lines, |line| socket.send_to(line, *to)),
            Link::Datagram(socket) => send_each(&*socket, lines, |line| socket.send(line)),
            Link::Tcp(stream) => send_stream(stream, lines),
            Link::Unix(stream) => send_stream(stream, lines),
        }
    }
}

/// Sends each line as a datagram.
fn send_each(socket: &impl AsFd, lines: &[u8], send: impl Fn(&[u8]) -> io::Result<usize>) -> Result<(), Stopped> {
    let mut written = 0;
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        loop {
            let outcome = match send(line) {
                Ok(_) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => sys::wait_writable(socket, Some(SEND_PATIENCE)),
                Err(error) => Err(error),
            };
            outcome.map_err(|error| Stopped { written, error })?;
        }
        written += line.len();
    }
    Ok(())
}

/// Sends lines unless the daemon has hung up: what is written to a connection that was closed is lost without an error.
fn send_stream(stream: &mut (impl Read + Write + AsFd), lines: &[u8]) -> Result<(), Stopped> {
    match stream.read(&mut [0; 512]) {
        Ok(0) => return Err(Stopped { written: 0, error: ErrorKind::BrokenPipe.into() }),
        Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            return Err(Stopped { written: 0, error });
        }
        // Nothing came, as it should be, or something that is of no interest.
        _ => {}
    }
    write_all(stream, lines, Some(SEND_PATIENCE))
}

/// The first socket that takes a connection; datagram sockets are usual, streams an old custom.
fn local(paths: &[PathBuf]) -> Option<Link> {
    let datagram = |path: &PathBuf| {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        socket.set_nonblocking(true)?;
        io::Result::Ok(Link::Datagram(socket))
    };
    let first = paths.iter().find_map(|path| datagram(path).ok());
    first.or_else(|| paths.iter().find_map(|path| unix(path).ok()))
}

fn unix(path: &Path) -> io::Result<Link> {
    // Non-blocking from the start: with a daemon that accepts nobody, the standard library's connect never returns.
    let stream = mio::net::UnixStream::connect(path)?;
    Ok(Link::Unix(UnixStream::from(OwnedFd::from(stream))))
}

fn udp(address: &str) -> Result<Link, String> {
    let to = *resolve(address)?.first().ok_or(": no address")?;
    let own =
        if to.is_ipv4() { SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)) } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let fault = |error: io::Error| format!(" {to}: {}", sys::error_text(&error));
    let socket = UdpSocket::bind(own).map_err(fault)?;
    socket.set_nonblocking(true).map_err(fault)?;
    Ok(Link::Udp(socket, to))
}

fn tcp(address: &str) -> Result<Link, String> {
    let connect = |to: &SocketAddr| {
        let stream = TcpStream::connect_timeout(to, CONNECT_PATIENCE)?;
        stream.set_nonblocking(true)?;
        io::Result::Ok(stream)
    };
    let mut fault = ": no address".to_owned();
    for to in resolve(address)? {
        match connect(&to) {
            Ok(stream) => return Ok(Link::Tcp(stream)),
            Err(error) => fault = format!(" {to}: connect: {}", sys::error_text(&error)),
        }
    }
    Err(fault)
}

fn resolve(address: &str) -> Result<Vec<SocketAddr>, String> {
    let addresses = address.to_socket_addrs().map_err(|_| {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        format!(": lookup {host}: no such host")
    })?;
    Ok(addresses.collect())
}
