//! The bytes of a connection as they are on the wire, with what is known of their readiness.

use mio::net::TcpStream;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};

/// A TCP stream and its readiness. The poll tells of changes only, so it is kept here.
#[derive(Debug)]
pub struct Stream {
    stream: TcpStream,
    /// Bytes, the end or an error may be waiting.
    pub readable: bool,
    /// The peer shut its side down: a short read does not mean that all was read.
    pub ended: bool,
    /// The last write was not taken whole.
    pub blocked: bool,
}

impl Stream {
    /// A fresh connection: it may have been written to already.
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, readable: false, ended: false, blocked: false }
    }

    /// The stream, to register it.
    pub fn source(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// The first byte to read, which stays there; inside, none if the peer has ended its side. `None` if there is nothing to
    /// read now.
    #[cfg(feature = "tls")]
    pub fn first_byte(&mut self) -> io::Result<Option<Option<u8>>> {
        let mut byte = [0];
        loop {
            match self.stream.peek(&mut byte) {
                Ok(bytes) => return Ok(Some((bytes > 0).then_some(byte[0]))),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.readable = false;
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads into `first`, then into `second`. `None` if there is nothing to read now.
    pub fn read(&mut self, first: &mut [u8], second: &mut [u8]) -> io::Result<Option<usize>> {
        let room = first.len() + second.len();
        loop {
            let result = if first.is_empty() {
                self.stream.read(second)
            } else {
                self.stream.read_vectored(&mut [IoSliceMut::new(first), IoSliceMut::new(second)])
            };
            match result {
                Ok(bytes) => {
                    if bytes < room && !self.ended {
                        self.readable = false;
                    }
                    return Ok(Some(bytes));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.readable = false;
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes some of the slices. `None` if nothing can be written now.
    pub fn write(&mut self, slices: &[IoSlice]) -> io::Result<Option<usize>> {
        loop {
            // Nearly always there is one slice, for which the system has a shorter way.
            let result = match slices {
                [only] => self.stream.write(only),
                several => self.stream.write_vectored(several),
            };
            match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => return Ok(Some(bytes)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Ends our side: the peer reads the end behind what was sent.
    pub fn half_close(&mut self) {
        // A peer that is gone already needs no end.
        _ = self.stream.shutdown(std::net::Shutdown::Write);
    }
}
