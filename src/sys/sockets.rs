//! Socket options.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Makes what `listener` accepts from now on send small answers at once instead of after the peer's acknowledgement
/// (`TCP_NODELAY`, which accepted sockets inherit): one call for all connections.
///
/// # Errors
/// What the system says.
pub fn accept_undelayed(listener: &impl AsFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the descriptor is open while `listener` is borrowed, and `on` is read with its own size.
    let result = unsafe {
        libc::setsockopt(
            listener.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_NODELAY,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::accept_undelayed;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn accepted_connections_are_undelayed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        accept_undelayed(&listener).unwrap();
        let _peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(listener.accept().unwrap().0.nodelay().unwrap());
    }
}
