//! The socket of a connection: plain, or with TLS between the wire and the rest.

use super::stream::Stream;
use super::tls::{Acceptor, Buffers, Connector, Session};
use crate::broker::Secured;
use mio::net::TcpStream;
use std::io::{self, IoSlice};
use std::sync::Arc;

/// A connection's bytes as the broker means them, in both directions.
#[derive(Debug)]
pub struct Socket {
    /// What is below: the stream and its readiness.
    pub stream: Stream,
    /// In a queue of the worker: of those to read, or of those with a handshake to go on with.
    pub queued: bool,
    layer: Layer,
}

#[derive(Debug)]
enum Layer {
    Plain,
    Tls(Box<Session>),
}

/// What a step of a handshake led to.
#[derive(Debug)]
#[cfg_attr(not(feature = "tls"), allow(dead_code))]
pub enum Step {
    /// Nothing yet.
    Waiting,
    /// A handshake has begun: there is more to do.
    Begun,
    /// The client does not want TLS, and need not.
    Plain,
    /// Bytes of the client may be taken, and ours be sent.
    Up(Secured),
    /// The connection is of no use any more.
    Failed {
        /// Why, for the log.
        reason: String,
        /// Whether that is what scanners do.
        is_probe: bool,
    },
}

impl Socket {
    /// A fresh connection; with an acceptor, one that is to have TLS.
    pub fn new(stream: TcpStream, acceptor: Option<&Arc<Acceptor>>) -> Self {
        let layer = match acceptor {
            Some(acceptor) => Layer::Tls(Box::new(Session::new(Arc::clone(acceptor)))),
            None => Layer::Plain,
        };
        Self { stream: Stream::new(stream), queued: false, layer }
    }

    /// A connection to this host that was dialled, and is to have TLS.
    pub fn dialled(stream: TcpStream, connector: Arc<Connector>, host: &str) -> Self {
        let mut stream = Stream::new(stream);
        // The first word is ours, so nothing is to be waited for.
        stream.readable = true;
        Self { stream, queued: false, layer: Layer::Tls(Box::new(Session::dialled(connector, host))) }
    }

    /// True while the peer may yet begin a handshake, or has: nothing else is to be read.
    pub fn is_entering(&self) -> bool {
        match &self.layer {
            Layer::Plain => false,
            Layer::Tls(session) => session.is_entering(),
        }
    }

    /// Goes on with the handshake.
    pub fn step(&mut self, buffers: &mut Buffers) -> Step {
        match &mut self.layer {
            Layer::Plain => Step::Plain,
            Layer::Tls(session) => session.step(&mut self.stream, buffers),
        }
    }

    /// From here on bytes are what they are on the wire.
    pub fn go_plain(&mut self) {
        self.layer = Layer::Plain;
    }

    /// Reads into `first`, then into `second`. `None` if there is nothing to read now.
    #[inline]
    pub fn read(&mut self, first: &mut [u8], second: &mut [u8], buffers: &mut Buffers) -> io::Result<Option<usize>> {
        match &mut self.layer {
            Layer::Plain => self.stream.read(first, second),
            Layer::Tls(session) => session.read(&mut self.stream, first, second, buffers),
        }
    }

    /// Writes some of the slices. `None` if nothing can be written now; then the same bytes are to be shown again.
    #[inline]
    pub fn write(&mut self, slices: &[IoSlice], buffers: &mut Buffers) -> io::Result<Option<usize>> {
        match &mut self.layer {
            Layer::Plain => self.stream.write(slices),
            Layer::Tls(session) => session.write(&mut self.stream, slices, buffers),
        }
    }

    /// Memory that it takes beside the stream, in bytes.
    #[inline]
    pub fn bytes(&self) -> usize {
        match &self.layer {
            Layer::Plain => 0,
            Layer::Tls(session) => session.bytes(),
        }
    }

    /// True if something of its own is to be written, whether or not there is output.
    #[inline]
    pub fn owes(&self) -> bool {
        match &self.layer {
            Layer::Plain => false,
            Layer::Tls(session) => session.owes(),
        }
    }

    /// Ends our side: the peer reads the end behind what was sent.
    pub fn half_close(&mut self, buffers: &mut Buffers) {
        self.say_end(buffers);
        self.stream.half_close();
    }

    /// Says that nothing more comes, where the layer has words for that.
    pub fn say_end(&mut self, buffers: &mut Buffers) {
        if let Layer::Tls(session) = &mut self.layer {
            session.say_end(&mut self.stream, buffers);
        }
    }
}
