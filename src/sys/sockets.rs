//! Socket options.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Seconds without a word from the peer after which the system asks whether it is still there.
const IDLE_SECONDS: libc::c_int = 60;

/// Seconds between two such questions.
const INTERVAL_SECONDS: libc::c_int = 15;

/// Questions without an answer after which the peer counts as gone.
const QUESTIONS_MAX: libc::c_int = 6;

/// Milliseconds that what was sent may stay unacknowledged: as long as it takes to find a silent peer gone.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNACKNOWLEDGED_MS: libc::c_int = (IDLE_SECONDS + QUESTIONS_MAX * INTERVAL_SECONDS) * 1000;

/// Prepares what `listener` accepts from now on, which inherits its options: one call each for all connections.
///
/// Small answers go out at once and not after the peer's acknowledgement. A peer that vanished without a word, because
/// its machine or a router in between did, is found within two and a half minutes, whatever `ping_interval` is.
///
/// # Errors
/// What the system says.
pub fn prepare_accepted(listener: &impl AsFd) -> io::Result<()> {
    set(listener, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
    set(listener, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        set(listener, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, IDLE_SECONDS)?;
        set(listener, libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, INTERVAL_SECONDS)?;
        set(listener, libc::IPPROTO_TCP, libc::TCP_KEEPCNT, QUESTIONS_MAX)?;
        set(listener, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)?;
    }
    Ok(())
}

fn set(socket: &impl AsFd, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the descriptor is open while `socket` is borrowed, and `value` is read with its own size.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    fn get(socket: &impl AsFd, level: libc::c_int, option: libc::c_int) -> libc::c_int {
        let mut value: libc::c_int = -1;
        let mut bytes = size_of_val(&value) as libc::socklen_t;
        let fd = socket.as_fd().as_raw_fd();
        // SAFETY: both pointers are valid for the call, and `bytes` is the size of the place for the answer.
        let result = unsafe { libc::getsockopt(fd, level, option, (&raw mut value).cast(), &mut bytes) };
        assert_eq!(result, 0);
        value
    }

    #[test]
    fn accepted_connections_are_undelayed_and_watched() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        prepare_accepted(&listener).unwrap();
        let _peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let accepted = listener.accept().unwrap().0;
        assert!(accepted.nodelay().unwrap());
        assert_ne!(get(&accepted, libc::SOL_SOCKET, libc::SO_KEEPALIVE), 0);
        #[cfg(target_os = "linux")]
        {
            let option = |option| get(&accepted, libc::IPPROTO_TCP, option);
            assert_eq!(option(libc::TCP_KEEPIDLE), 60);
            assert_eq!((option(libc::TCP_KEEPINTVL), option(libc::TCP_KEEPCNT)), (15, 6));
            assert_eq!(option(libc::TCP_USER_TIMEOUT), 150_000);
        }
    }
}
