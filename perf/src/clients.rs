//! A NATS connection as the generator uses it: handshake, flush barrier, fixed-width messages.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::time::Duration;

use crate::sys;

/// Longest silence of a server before a run counts as failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Protocol 0: the server then sends no INFO after the first PONG, so that every later byte is a message or a PONG.
pub const CONNECT: &str = "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"protocol\":0,\
                           \"name\":\"perf\",\"lang\":\"rust\",\"version\":\"0.1.0\"}\r\n";

/// Length of `PING\r\n` and of `PONG\r\n`.
pub const PONG_BYTES: u64 = 6;

/// One connection; blocking, with `PATIENCE` as the limit of every wait.
pub struct Client {
    pub stream: TcpStream,
}

impl Client {
    /// Connects, sends CONNECT and PING and waits for the PONG.
    pub fn connect(addr: SocketAddrV4) -> io::Result<Client> {
        let mut client = Client::open(addr)?;
        client.read_info()?;
        client.send(CONNECT.as_bytes())?;
        client.barrier()?;
        Ok(client)
    }

    /// Opens the TCP connection only.
    pub fn open(addr: SocketAddrV4) -> io::Result<Client> {
        Client::with_stream(TcpStream::connect(addr)?)
    }

    /// Opens the TCP connection only, from the `n`th of 250 loopback addresses, so that many thousand connections
    /// do not run out of ports.
    pub fn open_from(n: usize, addr: SocketAddrV4) -> io::Result<Client> {
        let source = Ipv4Addr::new(127, 0, 0, 2 + (n % 250) as u8);
        Client::with_stream(sys::connect_from(source, addr)?)
    }

    fn with_stream(stream: TcpStream) -> io::Result<Client> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client { stream })
    }

    /// Reads the INFO line that a server sends first.
    pub fn read_info(&mut self) -> io::Result<()> {
        let mut line = [0u8; 4096];
        let mut len = 0;
        while !line[..len].ends_with(b"\r\n") {
            len += read_some(&mut self.stream, &mut line[len..])?;
        }
        if line.starts_with(b"INFO ") { Ok(()) } else { Err(unexpected(&line[..len])) }
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends PING and waits for its PONG: everything sent before has then been processed.
    /// Only for a connection on which no message is due.
    pub fn barrier(&mut self) -> io::Result<()> {
        self.send(b"PING\r\n")?;
        self.read_pong()
    }

    /// Waits for one PONG, passing over PINGs of the server.
    pub fn read_pong(&mut self) -> io::Result<()> {
        let mut frames = Frames::new(1024);
        loop {
            match frames.next(PONG_BYTES as usize) {
                Some(b"PONG\r\n") => return Ok(()),
                Some(other) => return Err(unexpected(other)),
                None => frames.fill(&mut self.stream)?,
            }
        }
    }

    /// Reads one message and compares it with what must come.
    pub fn expect(&mut self, message: &[u8]) -> io::Result<()> {
        let mut frames = Frames::new(message.len() + PONG_BYTES as usize);
        loop {
            match frames.next(message.len()) {
                Some(got) if got == message => return Ok(()),
                Some(got) => return Err(unexpected(got)),
                None => frames.fill(&mut self.stream)?,
            }
        }
    }
}

/// A read buffer cut into frames of known width. PINGs of the server between frames are skipped.
pub struct Frames {
    buf: Vec<u8>,
    start: usize,
    end: usize,
}

impl Frames {
    /// A buffer of `capacity` bytes, which must be more than the widest frame.
    pub fn new(capacity: usize) -> Frames {
        Frames { buf: vec![0; capacity], start: 0, end: 0 }
    }

    /// The next frame of `width` bytes, if it has arrived whole.
    pub fn next(&mut self, width: usize) -> Option<&[u8]> {
        // Same first letter as PONG, other second letter: one compare in the common case.
        if self.end - self.start >= 6 && self.buf[self.start..].starts_with(b"PING\r\n") {
            self.start += 6;
        }
        if self.end - self.start < width {
            // Never hides an error: a refusal is shorter than most frames.
            return None;
        }
        self.start += width;
        Some(&self.buf[self.start - width..self.start])
    }

    /// Reads once from `source` behind what is there. An error line or the end of the stream is an error.
    pub fn fill(&mut self, source: &mut TcpStream) -> io::Result<()> {
        self.buf.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        self.end += read_some(source, &mut self.buf[self.end..])?;
        if self.buf[..self.end].starts_with(b"-ERR") { Err(unexpected(&self.buf[..self.end])) } else { Ok(()) }
    }
}

fn read_some(stream: &mut TcpStream, buf: &mut [u8]) -> io::Result<usize> {
    match stream.read(buf) {
        Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")),
        other => other,
    }
}

fn unexpected(bytes: &[u8]) -> io::Error {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
    io::Error::new(io::ErrorKind::InvalidData, format!("unexpected from the server: {shown:?}"))
}
