//! In the place of TLS in a server that was built without it. Nothing here ever exists: what asks for TLS is refused.

use super::socket::Step;
use super::stream::Stream;
use crate::config::Options;
use mio::net::TcpStream;
use std::convert::Infallible;
use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

/// What whoever asks for TLS is told.
const MISSING: &str = "TLS is not supported: this midge was built without it";

/// What every TLS connection would begin with.
#[derive(Debug)]
pub struct Acceptor(Infallible);

/// What a route that is dialled would begin with.
#[derive(Debug)]
pub struct Connector(Infallible);

/// What routes would begin with.
#[derive(Debug)]
pub struct RouteTls {
    /// For those that others dial.
    pub acceptor: Arc<Acceptor>,
    /// For those that we dial.
    pub connector: Arc<Connector>,
}

/// The TLS side of one connection.
#[derive(Debug)]
pub struct Session(Infallible);

/// A monitoring connection over TLS.
#[derive(Debug)]
pub struct WebStream(Infallible);

impl WebStream {
    /// See the module of the same name.
    ///
    /// # Errors
    /// None, because it cannot be called.
    pub fn new(_: TcpStream, acceptor: &Acceptor) -> io::Result<Self> {
        match acceptor.0 {}
    }

    /// See above.
    pub fn socket(&mut self) -> &mut TcpStream {
        match self.0 {}
    }

    /// See above.
    pub fn half_close(&mut self) {
        match self.0 {}
    }
}

impl Read for WebStream {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }
}

impl Write for WebStream {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match self.0 {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0 {}
    }
}

/// What TLS connections would share.
#[derive(Debug, Default)]
pub struct Buffers(());

impl Acceptor {
    /// None, if the options ask for no TLS.
    ///
    /// # Errors
    /// If they do.
    pub fn build(options: &Options) -> Result<Option<Arc<Self>>, String> {
        match &options.tls {
            Some(_) => Err(MISSING.to_owned()),
            None => Ok(None),
        }
    }
}

impl RouteTls {
    /// None, if the options ask for no TLS on routes.
    ///
    /// # Errors
    /// If they do.
    pub fn build(options: &Options) -> Result<Option<Arc<Self>>, String> {
        match &options.cluster.tls {
            Some(_) => Err(MISSING.to_owned()),
            None => Ok(None),
        }
    }

    /// See the module of the same name.
    pub fn expires(&self) -> Option<i64> {
        self.acceptor.expires()
    }
}

impl Session {
    /// See the module of the same name.
    pub fn new(acceptor: Arc<Acceptor>) -> Self {
        match acceptor.0 {}
    }

    /// See above.
    pub fn dialled(connector: Arc<Connector>, _: &str) -> Self {
        match connector.0 {}
    }

    /// As [`new`](Self::new), like all others.
    pub fn is_entering(&self) -> bool {
        match self.0 {}
    }

    /// See above.
    pub fn bytes(&self) -> usize {
        match self.0 {}
    }

    /// See above.
    pub fn owes(&self) -> bool {
        match self.0 {}
    }

    /// See above.
    pub fn step(&mut self, _: &mut Stream, _: &mut Buffers) -> Step {
        match self.0 {}
    }

    /// See above.
    pub fn read(&mut self, _: &mut Stream, _: &mut [u8], _: &mut [u8], _: &mut Buffers) -> io::Result<Option<usize>> {
        match self.0 {}
    }

    /// See above.
    pub fn write(&mut self, _: &mut Stream, _: &[IoSlice], _: &mut Buffers) -> io::Result<Option<usize>> {
        match self.0 {}
    }

    /// See above.
    pub fn say_end(&mut self, _: &mut Stream, _: &mut Buffers) {
        match self.0 {}
    }
}

impl Acceptor {
    /// When the first of the server's certificates expires.
    pub fn expires(&self) -> Option<i64> {
        match self.0 {}
    }
}

impl Buffers {
    /// Gives the memory back.
    pub fn trim(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::cluster::ClusterOptions;

    #[test]
    fn who_asks_for_tls_is_refused() {
        assert!(Acceptor::build(&Options::default()).is_ok_and(|acceptor| acceptor.is_none()));
        let options = Options { tls: Some(Box::default()), ..Options::default() };
        assert!(Acceptor::build(&options).is_err_and(|reason| reason.contains("built without it")));
        assert!(RouteTls::build(&options).is_ok_and(|tls| tls.is_none()));
        let cluster = ClusterOptions { tls: Some(Box::default()), ..ClusterOptions::default() };
        let options = Options { cluster, ..Options::default() };
        assert!(RouteTls::build(&options).is_err_and(|reason| reason.contains("built without it")));
    }
}
