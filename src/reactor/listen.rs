//! Binding to an address that is given as host and port.

use crate::sys;
use mio::net::TcpListener;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

/// Listens on the first address of `host`, with brackets or without, that can be had.
///
/// # Errors
/// What the system said, in the words of the official server, which scripts look for.
pub fn listen(host: &str, port: u16) -> Result<(TcpListener, SocketAddr), String> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let candidates = (bare, port).to_socket_addrs().map_err(|_| format!("listen tcp: lookup {bare}: no such host"))?;
    let mut refused = String::new();
    for candidate in candidates {
        match TcpListener::bind(candidate).and_then(prepare) {
            Ok(bound) => return Ok(bound),
            Err(error) => refused = sys::error_text(&error),
        }
    }
    Err(format!("listen tcp {}: bind: {refused}", host_port(host, port)))
}

/// Makes a socket that listens ready for our use.
///
/// # Errors
/// What the system says.
pub fn prepare(socket: TcpListener) -> io::Result<(TcpListener, SocketAddr)> {
    sys::sockets::prepare_accepted(&socket)?;
    let bound = socket.local_addr()?;
    Ok((socket, bound))
}

/// `host:port`, with brackets around an IPv6 host.
pub fn host_port(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_bracketed_when_they_need_it() {
        assert_eq!(host_port("::", 4222), "[::]:4222");
        assert_eq!(host_port("[::1]", 4222), "[::1]:4222");
        assert_eq!(host_port("0.0.0.0", 4222), "0.0.0.0:4222");
    }

    #[test]
    fn an_address_in_use_is_told_in_the_words_of_go() {
        let (_socket, bound) = listen("127.0.0.1", 0).unwrap();
        let error = listen("127.0.0.1", bound.port()).unwrap_err();
        assert_eq!(error, format!("listen tcp {bound}: bind: address already in use"));
    }
}
