//! The place where connections come in.

use crate::log::Log;
use mio::net::{TcpListener, TcpStream};
use std::io;
use std::net::SocketAddr;

/// Connections taken in one turn, so that a storm of them does not stop the others.
const ACCEPTS_MAX: usize = 64;

/// First pause after a failed accept, in milliseconds; it doubles up to the last.
const PAUSE_MIN_MS: u64 = 10;
const PAUSE_MAX_MS: u64 = 1000;

/// A listening socket that survives the lack of descriptors.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    /// Connections may be waiting.
    ready: bool,
    /// Not before this time, in milliseconds.
    paused_until: u64,
    pause_ms: u64,
}

impl Listener {
    /// Wraps a bound socket.
    pub fn new(socket: TcpListener) -> Self {
        Self { socket, ready: false, paused_until: 0, pause_ms: PAUSE_MIN_MS }
    }

    /// The socket, to register it.
    pub fn socket(&mut self) -> &mut TcpListener {
        &mut self.socket
    }

    /// The poll says that connections wait.
    pub fn set_ready(&mut self) {
        self.ready = true;
    }

    /// Milliseconds until there is something to do here; none if only the poll can tell.
    pub fn wait(&self, now: u64) -> Option<u64> {
        self.ready.then(|| self.paused_until.saturating_sub(now))
    }

    /// Takes waiting connections.
    pub fn accept(&mut self, now: u64, log: &Log, mut take: impl FnMut(TcpStream, SocketAddr)) {
        if !self.ready || now < self.paused_until {
            return;
        }
        for _ in 0..ACCEPTS_MAX {
            match self.socket.accept() {
                Ok((stream, peer)) => {
                    self.pause_ms = PAUSE_MIN_MS;
                    take(stream, peer);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ready = false;
                    return;
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    log.error(format_args!("Temporary Client Accept Error ({error}), sleeping {}ms", self.pause_ms));
                    self.paused_until = now + self.pause_ms;
                    self.pause_ms = (self.pause_ms * 2).min(PAUSE_MAX_MS);
                    return;
                }
            }
        }
    }
}
