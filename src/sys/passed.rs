//! Sockets that the service manager opened for us: what sd_listen_fds(3) does, without its library.

use std::fmt;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// The first descriptor that is passed.
const FIRST: RawFd = 3;

/// More than can be passed; what announces more is no service manager.
const PASSED_MAX: u32 = 65_536;

/// A descriptor has one owner: it is taken once.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Why what was passed cannot be listened on.
#[derive(Debug, PartialEq, Eq)]
pub enum Unusable {
    /// None of so many descriptors is a stream socket.
    NoStream(u32),
    /// This descriptor is a stream socket, but not one that listens.
    NotListening(RawFd),
    /// This descriptor listens, but not for TCP connections.
    NotTcp(RawFd),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusable::NoStream(count) => write!(f, "no stream socket among {count} passed descriptors"),
            Unusable::NotListening(fd) => write!(f, "passed descriptor {fd} is not a listening socket"),
            Unusable::NotTcp(fd) => write!(f, "passed descriptor {fd} is not a TCP socket"),
        }
    }
}

impl std::error::Error for Unusable {}

/// Takes the first stream socket passed to this process, as `LISTEN_PID` and `LISTEN_FDS` tell; `None` when nothing was
/// passed, or the socket was taken before. The socket does not block.
///
/// Call it before anything else opens descriptors, which would take the numbers of those that were announced but are
/// not there.
///
/// # Errors
/// When that socket cannot take TCP connections.
pub fn listener() -> Result<Option<TcpListener>, Unusable> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u32>().ok());
    let count = match number("LISTEN_FDS") {
        Some(count @ 1..=PASSED_MAX) if number("LISTEN_PID") == Some(std::process::id()) => count,
        _ => return Ok(None),
    };
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Ok(None);
    }
    let is_stream = |fd: &RawFd| option(*fd, libc::SO_TYPE).is_ok_and(|kind| kind == libc::SOCK_STREAM);
    let fd = (FIRST..).take(count as usize).find(is_stream).ok_or(Unusable::NoStream(count))?;
    // SAFETY: the descriptor is open, for it has just told its type, and passed to this process to own; nobody else took
    // it, for that is done once.
    adopt(unsafe { OwnedFd::from_raw_fd(fd) }, fd).map(Some)
}

/// Makes a stream socket our listener; `number` is what errors call it.
fn adopt(socket: OwnedFd, number: RawFd) -> Result<TcpListener, Unusable> {
    if !option(socket.as_raw_fd(), libc::SO_ACCEPTCONN).is_ok_and(|listens| listens != 0) {
        return Err(Unusable::NotListening(number));
    }
    let listener = TcpListener::from(socket);
    // Its address is one of the internet, or it cannot be told.
    let usable = listener.local_addr().and_then(|_| listener.set_nonblocking(true));
    usable.map(|()| listener).map_err(|_| Unusable::NotTcp(number))
}

/// A number that the system knows of a socket; an error if `fd` is none.
fn option(fd: RawFd, name: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut bytes = size_of_val(&value) as libc::socklen_t;
    // SAFETY: `value` and `bytes` are valid places for the answer and its length.
    match unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, name, (&raw mut value).cast(), &mut bytes) } {
        0 => Ok(value),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn only_a_listening_tcp_socket_will_do() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = TcpStream::connect(address).unwrap();
        assert_eq!(adopt(stream.into(), 7).unwrap_err(), Unusable::NotListening(7));
        assert_eq!(adopt(UnixStream::pair().unwrap().0.into(), 8).unwrap_err(), Unusable::NotListening(8));
        let path = std::env::temp_dir().join(format!("midge-passed-{}", std::process::id()));
        let unix = UnixListener::bind(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(adopt(unix.into(), 9).unwrap_err(), Unusable::NotTcp(9));
        let adopted = adopt(listener.into(), 3).unwrap();
        assert_eq!(adopted.local_addr().unwrap(), address);
        assert!(adopted.accept().is_ok(), "the one that connected");
        assert_eq!(adopted.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn what_is_no_socket_has_no_type() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(option(file.as_raw_fd(), libc::SO_TYPE).is_err());
        assert!(option(-1, libc::SO_TYPE).is_err());
    }
}
