//! In the place of TLS in a server that was built without it. Nothing here ever exists: what asks for TLS is refused.

use super::socket::Step;
use super::stream::Stream;
use crate::config::Options;
use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::sync::Arc;

/// What every TLS connection would begin with.
#[derive(Debug)]
pub struct Acceptor(Infallible);

/// The TLS side of one connection.
#[derive(Debug)]
pub struct Session(Infallible);

/// What TLS connections would share.
#[derive(Debug, Default)]
pub struct Buffers;

impl Acceptor {
    /// None, if the options ask for no TLS.
    ///
    /// # Errors
    /// If they do.
    pub fn build(options: &Options) -> Result<Option<Arc<Self>>, String> {
        match &options.tls {
            Some(_) => Err("TLS is not supported: this midge was built without it".to_owned()),
            None => Ok(None),
        }
    }
}

impl Session {
    /// See the module of the same name.
    pub fn new(acceptor: Arc<Acceptor>) -> Self {
        match acceptor.0 {}
    }

    /// As [`new`](Self::new), like all others.
    pub fn is_entering(&self) -> bool {
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

impl Buffers {
    /// Gives the memory back.
    pub fn trim(&mut self) {}
}
