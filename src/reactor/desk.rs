//! Where workers hand in what clients ask about the server. One thread makes the documents, so that no worker waits for
//! them; it begins with the first request, and answers come back as letters.

use super::mailbox::{Letter, Mailbox};
use crate::broker::system::{Answer, Request};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Requests that wait. Who asks when there are so many gets no answer, as if the server were slow.
const REQUESTS_MAX: usize = 256;

/// The requests of all workers.
#[derive(Debug)]
pub struct Desk {
    state: Mutex<State>,
    filled: Condvar,
    mailboxes: Vec<Arc<Mailbox>>,
}

#[derive(Debug, Default)]
struct State {
    requests: VecDeque<(usize, Box<Request>)>,
    clerk: Clerk,
    is_over: bool,
}

/// What starts the thread; nothing once it has.
#[derive(Default)]
struct Clerk(Option<Box<dyn FnOnce() + Send>>);

impl fmt::Debug for Clerk {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(if self.0.is_some() { "waiting" } else { "started" })
    }
}

impl Desk {
    /// For the workers with these mailboxes.
    pub fn new(mailboxes: Vec<Arc<Mailbox>>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), filled: Condvar::new(), mailboxes })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called with the first request, to start the thread that takes them.
    pub fn open(&self, clerk: impl FnOnce() + Send + 'static) {
        self.lock().clerk = Clerk(Some(Box::new(clerk)));
    }

    /// A request of a client of this worker.
    pub fn ask(&self, worker: usize, request: Box<Request>) {
        let mut state = self.lock();
        if state.requests.len() < REQUESTS_MAX && !state.is_over {
            state.requests.push_back((worker, request));
        }
        let clerk = state.clerk.0.take();
        drop(state);
        if let Some(start) = clerk {
            start();
        }
        self.filled.notify_one();
    }

    /// The next request and its worker; waits for one. None when it is over.
    pub fn next(&self) -> Option<(usize, Box<Request>)> {
        let mut state = self.lock();
        while !state.is_over {
            if let Some(next) = state.requests.pop_front() {
                return Some(next);
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    /// Brings an answer to a worker.
    pub fn answer(&self, worker: usize, answer: Answer) {
        if let Some(mailbox) = self.mailboxes.get(worker) {
            mailbox.post(Letter::Answered(answer));
        }
    }

    /// Ends the thread when it is done with what it has in hand.
    pub fn close(&self) {
        *self.lock() = State { is_over: true, ..State::default() };
        self.filled.notify_all();
    }
}
