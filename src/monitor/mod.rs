//! Monitoring: documents over HTTP about what the server does.
//!
//! ```text
//!  clients -- Service -- Connection -- head, query --> Site --> documents --> Reply
//!                                                       |
//!                              Workers -- letters --> mailboxes of the workers, answers in pieces
//! ```
//!
//! One thread does all of it, away from the path of messages. It locks nothing that a worker waits for: it asks the
//! workers by letter, and puts what they answer together. Its clients are bounded in number, in the size and time of their
//! requests, and in the memory and time of their answers.

mod access;
mod ask;
mod connection;
mod documents;
mod format;
pub mod head;
mod listen;
pub mod query;
mod reply;
mod requests;
mod service;
mod site;
mod stream;

pub use listen::{Doors, OpenError, Place};

use crate::broker::Shared;
use crate::config::Options;
use crate::reactor::tls::Acceptor;
use crate::reactor::{Clock, Desk, Mailbox};
use crate::sys::priority;
use documents::Context;
use mio::Waker;
use service::Service;
use site::Site;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

/// What the documents are about.
#[derive(Debug)]
pub struct Subject {
    /// What the workers share.
    pub shared: Arc<Shared>,
    /// The options it starts with.
    pub options: Arc<Options>,
    /// What connections over TLS begin with, where there is TLS.
    pub acceptor: Option<Arc<Acceptor>>,
    /// The workers' mailboxes.
    pub mailboxes: Vec<Arc<Mailbox>>,
    /// Their clock.
    pub clock: Clock,
}

/// What the server tells the monitoring thread while both run.
#[derive(Debug)]
struct Orders {
    /// What is in force.
    force: Mutex<Force>,
    /// Clients are no longer accepted.
    closed_to_clients: AtomicBool,
    /// The thread is to end.
    over: AtomicBool,
}

/// What a reload changes.
#[derive(Debug, Clone)]
struct Force {
    options: Arc<Options>,
    /// When they were read.
    since: SystemTime,
    acceptor: Option<Arc<Acceptor>>,
}

/// What makes the documents, and the running monitoring thread if there are doors. It ends when this is dropped.
#[derive(Debug)]
pub struct Monitor {
    orders: Arc<Orders>,
    thread: Option<(Arc<Waker>, JoinHandle<()>)>,
}

impl Monitor {
    /// Begins to answer those who come through the doors, if there are any, and those who ask at the desk.
    ///
    /// # Errors
    /// If the system has no more descriptors or threads.
    pub fn start(doors: Option<Doors>, subject: Subject, desk: &Arc<Desk>) -> io::Result<Self> {
        let (options, acceptor) = (Arc::clone(&subject.options), subject.acceptor.clone());
        let force = Mutex::new(Force { options, since: subject.clock.date(0), acceptor });
        let (closed_to_clients, over) = (AtomicBool::new(false), AtomicBool::new(false));
        let orders = Arc::new(Orders { force, closed_to_clients, over });
        let place = doors.as_ref().and_then(Doors::place);
        let context = Arc::new(Mutex::new(Context::new(subject, place, Arc::clone(&orders))));
        attend(desk, Arc::clone(&context));
        let Some(doors) = doors else { return Ok(Self { orders, thread: None }) };
        let (service, waker) = Service::new(doors.into_list(), Site::new(context))?;
        let told = Arc::clone(&orders);
        let is_over = move || told.over.load(Ordering::Acquire);
        let thread = thread::Builder::new().name("monitor".into()).spawn(move || {
            // A large document is work for many milliseconds, in which messages are not to wait for a processor.
            priority::step_back();
            service.run(is_over);
        })?;
        Ok(Self { orders, thread: Some((waker, thread)) })
    }

    /// From now on these are in force.
    pub fn adopt(&self, options: Arc<Options>, acceptor: Option<Arc<Acceptor>>) {
        let mut force = self.orders.force.lock().unwrap_or_else(PoisonError::into_inner);
        // Certificates change without the options.
        let since = if Arc::ptr_eq(&force.options, &options) { force.since } else { SystemTime::now() };
        *force = Force { options, since, acceptor };
    }

    /// From now on the server is reported as not accepting clients.
    pub fn close_to_clients(&self) {
        self.orders.closed_to_clients.store(true, Ordering::Release);
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.orders.over.store(true, Ordering::Release);
        if let Some((waker, thread)) = self.thread.take() {
            // Waking can only fail if the descriptor is bad, and then the thread has ended.
            _ = waker.wake();
            _ = thread.join();
        }
    }
}

/// Has requests at the desk answered by a thread of their own, from the first one on. If there can be none, they are not
/// answered.
fn attend(desk: &Arc<Desk>, context: Arc<Mutex<Context>>) {
    let its = Arc::downgrade(desk);
    desk.open(move || {
        let serve = move || its.upgrade().into_iter().for_each(|desk| requests::serve(&desk, &context));
        _ = thread::Builder::new().name("requests".into()).spawn(serve);
    });
}
