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

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Poll, Token};
    use std::sync::mpsc::Sender;

    /// A mailbox, and what its worker's poll is.
    fn mailbox() -> (Arc<Mailbox>, Poll) {
        let poll = Poll::new().unwrap();
        (Arc::new(Mailbox::new(poll.registry(), Token(0)).unwrap()), poll)
    }

    /// What was asked of a worker, with the way to answer.
    fn asked(mailbox: &Mailbox) -> Vec<Sender<(Piece, Turns)>> {
        let mut letters = Vec::new();
        mailbox.empty(&mut letters);
        let sender = |letter| match letter {
            Letter::Report(_, sender) => sender,
            other => panic!("{other:?}"),
        };
        letters.into_iter().map(sender).collect()
    }

    fn say(answers: &Sender<(Piece, Turns)>) {
        answers.send((Piece::Totals(Box::default()), Turns::default())).unwrap();
    }

    #[test]
    fn a_worker_that_hangs_costs_one_wait_and_one_letter() {
        let (quick, _quick_poll) = mailbox();
        let (stuck, _stuck_poll) = mailbox();
        let (log, lines) = Log::capture();
        let mut workers = Workers::new(vec![Arc::clone(&stuck), Arc::clone(&quick)], log);
        workers.patience = Duration::from_millis(50);
        let answering = |workers: &mut Workers| {
            workers.begin();
            let quick = Arc::clone(&quick);
            let worker = std::thread::spawn(move || {
                loop {
                    if let Some(answers) = asked(&quick).pop() {
                        return say(&answers);
                    }
                    std::thread::yield_now();
                }
            });
            let mut heard = Vec::new();
            workers.ask_all(|_| Some(Question::Totals), |worker, _, _| heard.push(worker));
            worker.join().unwrap();
            (heard, workers.missed().to_vec())
        };
        assert_eq!(answering(&mut workers), (vec![1], vec![0]));
        let begin = std::time::Instant::now();
        workers.patience = Duration::from_secs(3600);
        assert_eq!(answering(&mut workers), (vec![1], vec![0]), "it is not waited for again");
        assert!(begin.elapsed() < Duration::from_secs(60));
        let late = asked(&stuck);
        assert_eq!(late.len(), 1, "and not asked again");
        say(&late[0]);
        assert_eq!(answering(&mut workers), (vec![1], vec![0]), "it has not said all");
        drop(late);
        let worker = std::thread::spawn(move || {
            loop {
                if let Some(answers) = asked(&stuck).pop() {
                    return say(&answers);
                }
                std::thread::yield_now();
            }
        });
        assert_eq!(answering(&mut workers), (vec![0, 1], vec![]));
        worker.join().unwrap();
        let lines = lines.lines().join("\n");
        assert!(lines.contains("worker 0 does not answer") && lines.contains("worker 0 answers again"), "{lines}");
    }
}
