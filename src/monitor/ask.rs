//! Asking the workers.
//!
//! A question goes to a worker as a letter and is answered in pieces, see [`report`](crate::broker::report). A worker
//! that does not answer in time is left out, and not asked again until it has answered: its mailbox does not grow, and
//! monitoring waits for it only once.

use crate::broker::report::{Piece, Question};
use crate::log::Log;
use crate::reactor::{Letter, Mailbox, Turns};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

/// How long a worker may take for the next piece of an answer.
const PATIENCE: Duration = Duration::from_secs(2);

type Answers = Receiver<(Piece, Turns)>;

/// All workers, as monitoring sees them.
#[derive(Debug)]
pub struct Workers {
    mailboxes: Vec<Arc<Mailbox>>,
    /// What each has not answered in time.
    late: Vec<Option<Answers>>,
    /// Some have not answered since [`begin`](Self::begin).
    missed: Vec<usize>,
    patience: Duration,
    log: Log,
}

impl Workers {
    /// Those with these mailboxes, in their order.
    pub fn new(mailboxes: Vec<Arc<Mailbox>>, log: Log) -> Self {
        let late = mailboxes.iter().map(|_| None).collect();
        Self { mailboxes, late, missed: Vec::new(), patience: PATIENCE, log }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.mailboxes.len()
    }

    /// Bytes of messages that wait in the mailbox of each.
    pub fn mailbox_bytes(&self) -> impl Iterator<Item = usize> {
        self.mailboxes.iter().map(|mailbox| mailbox.bytes())
    }

    /// A new document begins.
    pub fn begin(&mut self) {
        self.missed.clear();
    }

    /// Those that have not answered since then.
    pub fn missed(&self) -> &[usize] {
        &self.missed
    }

    /// Asks one worker; `take` gets the pieces of its answer.
    pub fn ask(&mut self, worker: usize, question: Question, mut take: impl FnMut(Piece, Turns)) {
        if let Some(answers) = self.post(worker, question) {
            self.collect(worker, answers, &mut take);
        }
    }

    /// Asks every worker what `question` makes for it, all at the same time; `take` gets the pieces with the number of
    /// the worker, those of one worker in their order.
    pub fn ask_all(
        &mut self,
        mut question: impl FnMut(usize) -> Option<Question>,
        mut take: impl FnMut(usize, Piece, Turns),
    ) {
        let answers: Vec<_> =
            (0..self.count()).map(|worker| question(worker).and_then(|question| self.post(worker, question))).collect();
        for (worker, answers) in answers.into_iter().enumerate() {
            if let Some(answers) = answers {
                self.collect(worker, answers, &mut |piece, turns| take(worker, piece, turns));
            }
        }
    }

    fn post(&mut self, worker: usize, question: Question) -> Option<Answers> {
        if let Some(late) = self.late[worker].take() {
            // What it says now nobody wants to know any more; but is it the end?
            let end = std::iter::repeat_with(|| late.try_recv()).find_map(Result::err);
            if end == Some(TryRecvError::Empty) {
                self.late[worker] = Some(late);
                self.miss(worker);
                return None;
            }
            self.log.warn(format_args!("Monitoring: worker {worker} answers again"));
        }
        let (sender, answers) = mpsc::channel();
        self.mailboxes[worker].post(Letter::Report(question, sender));
        Some(answers)
    }

    fn collect(&mut self, worker: usize, answers: Answers, take: &mut dyn FnMut(Piece, Turns)) {
        loop {
            match answers.recv_timeout(self.patience) {
                Ok((piece, turns)) => take(piece, turns),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    self.log.warn(format_args!("Monitoring: worker {worker} does not answer"));
                    self.late[worker] = Some(answers);
                    return self.miss(worker);
                }
            }
        }
    }

    fn miss(&mut self, worker: usize) {
        if !self.missed.contains(&worker) {
            self.missed.push(worker);
        }
    }
}
