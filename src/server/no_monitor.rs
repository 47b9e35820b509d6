//! In the place of monitoring in a server that was built without it. Nothing here ever exists: what asks for it is
//! refused.

use crate::broker::Shared;
use crate::config::Options;
use crate::log::Log;
use crate::reactor::tls::Acceptor;
use crate::reactor::{Clock, Desk, Mailbox};
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// Where it would be served.
#[derive(Debug)]
pub struct Doors(Infallible);

/// As in the folder `monitor`, like all others.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The address.
    pub address: SocketAddr,
}

/// That it was asked for.
#[derive(Debug)]
pub struct OpenError;

/// What the documents would be about.
#[derive(Debug)]
#[expect(dead_code, reason = "there is nobody to look at it")]
pub struct Subject {
    /// See above.
    pub shared: Arc<Shared>,
    /// See above.
    pub options: Arc<Options>,
    /// See above.
    pub acceptor: Option<Arc<Acceptor>>,
    /// See above.
    pub mailboxes: Vec<Arc<Mailbox>>,
    /// See above.
    pub clock: Clock,
}

/// The thread that would answer.
#[derive(Debug)]
pub struct Monitor;

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Can't start monitoring: this midge was built without it")
    }
}

impl std::error::Error for OpenError {}

impl Doors {
    /// None, if the options ask for no monitoring.
    ///
    /// # Errors
    /// If they do.
    pub fn open(options: &Options, _has_tls: bool, _log: &Log) -> Result<Option<Self>, OpenError> {
        if options.monitors() { Err(OpenError) } else { Ok(None) }
    }

    /// See above.
    pub fn place(&self) -> Option<Place> {
        match self.0 {}
    }
}

impl Monitor {
    /// Nobody attends to the desk: who asks there gets no answer.
    ///
    /// # Errors
    /// Never.
    pub fn start(_doors: Option<Doors>, _subject: Subject, desk: &Arc<Desk>) -> io::Result<Self> {
        desk.close();
        Ok(Self)
    }

    /// Does nothing.
    pub fn adopt(&self, _options: Arc<Options>, _acceptor: Option<Arc<Acceptor>>) {}

    /// Does nothing.
    pub fn close_to_clients(&self) {}
}
