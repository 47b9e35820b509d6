//! One thread for what takes long, so that no worker waits for it: checking passwords.
//!
//! It begins with the first thing there is to do. Answers come back as letters.

use super::mailbox::{Letter, Mailbox};
use crate::broker::auth::{Check, Verdict};
use crate::sys::priority;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Passwords that wait in each of the two queues: at some tenths of a second each, nobody waits longer anyway.
const CHECKS_MAX: usize = 1024;

/// The thread, with what it has to do. All workers share it.
#[derive(Debug)]
pub struct Helper {
    queues: Mutex<Queues>,
    filled: Condvar,
    mailboxes: Vec<Arc<Mailbox>>,
}

#[derive(Debug, Default)]
struct Queues {
    /// Passwords from addresses that nothing is known against; they go first.
    trusted: VecDeque<(usize, Box<Check>)>,
    others: VecDeque<(usize, Box<Check>)>,
    state: State,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    /// There was nothing to do yet.
    #[default]
    Idle,
    Running,
    Ended,
}

impl Helper {
    /// For the workers with these mailboxes.
    pub fn new(mailboxes: Vec<Arc<Mailbox>>) -> Arc<Self> {
        Arc::new(Self { queues: Mutex::default(), filled: Condvar::new(), mailboxes })
    }

    /// The mailboxes of all workers.
    pub fn mailboxes(&self) -> &[Arc<Mailbox>] {
        &self.mailboxes
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a password checked for a worker. Where too many wait the answer is at once that there was no time.
    pub fn check(self: &Arc<Self>, worker: usize, check: Box<Check>) {
        let mut queues = self.lock();
        if queues.state == State::Idle {
            let helper = Arc::clone(self);
            if thread::Builder::new().name("helper".into()).spawn(move || helper.run()).is_ok() {
                queues.state = State::Running;
            }
        }
        let is_running = queues.state == State::Running;
        let queue = if check.is_trusted { &mut queues.trusted } else { &mut queues.others };
        if is_running && queue.len() < CHECKS_MAX {
            queue.push_back((worker, check));
            self.filled.notify_one();
        } else {
            self.answer(worker, &check, Verdict::Unknown);
        }
    }

    /// Ends the thread when it is done with what it has in hand.
    pub fn end(&self) {
        *self.lock() = Queues { state: State::Ended, ..Queues::default() };
        self.filled.notify_one();
    }

    fn run(&self) {
        priority::step_back();
        while let Some((worker, check)) = self.next() {
            self.answer(worker, &check, check.run());
        }
    }

    fn next(&self) -> Option<(usize, Box<Check>)> {
        let mut queues = self.lock();
        while queues.state == State::Running {
            if let Some(next) = queues.trusted.pop_front().or_else(|| queues.others.pop_front()) {
                return Some(next);
            }
            queues = self.filled.wait(queues).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    fn answer(&self, worker: usize, check: &Check, verdict: Verdict) {
        if let Some(mailbox) = self.mailboxes.get(worker) {
            mailbox.post(Letter::Checked(check.key, check.cid, verdict));
        }
    }
}
