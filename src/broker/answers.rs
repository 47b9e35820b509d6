//! Who waits for the answer of a service in another account.
//!
//! A request that goes to another account gets a reply subject of the server's own there. The second token of that says
//! which worker knows who asked, and the third which of its requests it was; both cannot be guessed.

use crate::config::exchange::Answers as Kind;
use crate::interest::{AccountId, SubjectHash};
use std::collections::{HashMap, VecDeque};

/// What begins such a subject.
pub const PREFIX: &[u8] = b"_R_.";

/// Characters of its second and third token.
const TOKEN: usize = 6;

/// Characters of the second token that name the worker.
const WORKER: usize = 2;

/// Requests of one worker that wait for answers; past that the oldest are forgotten.
pub const WAITING_MAX: usize = 64 * 1024;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

type Token = [u8; TOKEN];

/// The requests of one worker that wait for answers.
#[derive(Debug)]
pub struct Answers {
    /// The second token of this worker's subjects.
    own: Token,
    /// What is the same in those of all workers.
    common: [u8; TOKEN - WORKER],
    waiting: HashMap<Token, Waiting>,
    /// In the order in which they came.
    order: VecDeque<Token>,
    next: u64,
    seed: u64,
    hash: SubjectHash,
    /// Accounts in which it is known that this worker waits for answers.
    pub announced: Vec<AccountId>,
}

/// One who waits.
#[derive(Debug)]
pub struct Waiting {
    /// The account that answers, without a view.
    pub exporter: AccountId,
    /// The account that asked, without a view.
    pub importer: AccountId,
    /// Where the answer goes.
    pub reply: Box<[u8]>,
    /// How it is answered.
    pub kind: Kind,
    /// The connection that asked, by key and number.
    pub asker: (u32, u64),
    /// When, in milliseconds.
    pub since: u64,
}

/// True if a subject is one of those.
#[inline]
pub fn is_answer(subject: &[u8]) -> bool {
    subject.starts_with(PREFIX)
}

impl Answers {
    /// None wait. `common` is the same for all workers of a server; `seed` is not.
    pub fn new(worker: u8, common: u64, seed: u64, hash: SubjectHash) -> Self {
        let common: [u8; TOKEN - WORKER] = digits(hash.of(&common.to_le_bytes()));
        let mut own = [0; TOKEN];
        own[..WORKER].copy_from_slice(&digits::<WORKER>(worker.into()));
        own[WORKER..].copy_from_slice(&common);
        let (waiting, order) = (HashMap::new(), VecDeque::new());
        Self { own, common, waiting, order, next: 0, seed, hash, announced: Vec::new() }
    }

    /// The pattern that all reply subjects of this worker match.
    pub fn pattern(&self) -> Vec<u8> {
        [PREFIX, &self.own, b".>"].concat()
    }

    /// Someone more waits. Returns the reply subject.
    pub fn wait(&mut self, waiting: Waiting, is_open: impl Fn((u32, u64)) -> bool) -> Vec<u8> {
        let now = waiting.since;
        // Two of the oldest for one that comes: so those whose time is over never pile up.
        for _ in 0..2 {
            let Some(first) = self.order.pop_front() else { break };
            match self.waiting.get(&first) {
                Some(old) if self.waiting.len() < WAITING_MAX && old.is_live(now, &is_open) => {
                    self.order.push_back(first)
                }
                Some(_) => _ = self.waiting.remove(&first),
                None => {}
            }
        }
        self.next += 1;
        let numbers = [self.seed, self.next].map(u64::to_le_bytes);
        let token: Token = digits(self.hash.of(numbers.as_flattened()));
        if self.waiting.insert(token, waiting).is_none() {
            self.order.push_back(token);
        }
        [PREFIX, &self.own, b".", &token].concat()
    }

    /// Forgets who waits under a reply subject of this worker.
    pub fn forget(&mut self, subject: &[u8]) {
        if let Some((_, token)) = self.parse(subject) {
            self.waiting.remove(&token);
        }
    }

    /// The worker that knows who waits for an answer, and the number of the request there.
    pub fn parse(&self, subject: &[u8]) -> Option<(u8, [u8; TOKEN])> {
        let rest = subject.strip_prefix(PREFIX)?;
        let (own, rest) = rest.split_first_chunk::<TOKEN>()?;
        let token = rest.strip_prefix(b".")?.try_into().ok()?;
        let worker = own[..WORKER].iter().try_fold(0usize, |sum, digit| {
            DIGITS.iter().position(|known| known == digit).map(|value| sum * DIGITS.len() + value)
        })?;
        (own[WORKER..] == self.common).then_some((u8::try_from(worker).ok()?, token))
    }

    /// Who waits for an answer that comes in this account, and under which subject. With its last answer it is forgotten.
    pub fn take(
        &mut self,
        token: Token,
        exporter: AccountId,
        is_empty: bool,
        now: u64,
        is_open: impl Fn((u32, u64)) -> bool,
    ) -> Option<(AccountId, Box<[u8]>)> {
        let waiting = self.waiting.get(&token).filter(|waiting| waiting.exporter == exporter)?;
        if !waiting.is_live(now, &is_open) {
            self.waiting.remove(&token);
            return None;
        }
        if waiting.kind.is_single || is_empty {
            return self.waiting.remove(&token).map(|waiting| (waiting.importer, waiting.reply));
        }
        Some((waiting.importer, waiting.reply.clone()))
    }

    /// Gives memory back.
    pub fn trim(&mut self) {
        let waiting = &self.waiting;
        self.order.retain(|token| waiting.contains_key(token));
        self.order.shrink_to_fit();
        self.waiting.shrink_to_fit();
    }
}

impl Waiting {
    /// A single answer is waited for only so long, several as long as the connection is there.
    fn is_live(&self, now: u64, is_open: impl Fn((u32, u64)) -> bool) -> bool {
        let is_over = self.kind.is_single && u128::from(now.saturating_sub(self.since)) > self.kind.time.as_millis();
        !is_over && is_open(self.asker)
    }
}

/// The lowest digits of a number, the highest of them first.
pub fn digits<const N: usize>(mut number: u64) -> [u8; N] {
    let mut digits = [0; N];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(number % DIGITS.len() as u64) as usize];
        number /= DIGITS.len() as u64;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn answers(worker: u8, common: u64) -> Answers {
        Answers::new(worker, common, 5, SubjectHash::new(9))
    }

    fn waiting(is_single: bool, since: u64) -> Waiting {
        let kind = Kind { is_single, time: Duration::from_millis(100) };
        Waiting { exporter: 3, importer: 4, reply: b"r".as_slice().into(), kind, asker: (1, 2), since }
    }

    fn is_open((_, cid): (u32, u64)) -> bool {
        cid == 2
    }

    #[test]
    fn a_reply_subject_names_its_worker_and_belongs_to_one_server() {
        for worker in [0, 1, 61, 62, 255] {
            let mut one = answers(worker, 7);
            let subject = one.wait(waiting(true, 0), is_open);
            assert_eq!(subject.len(), PREFIX.len() + 2 * TOKEN + 1);
            assert!(crate::wire::subject::matches(&one.pattern(), &subject));
            assert_eq!(answers(9, 7).parse(&subject).map(|(worker, _)| worker), Some(worker));
            assert_eq!(answers(9, 8).parse(&subject), None, "another server's");
            assert_eq!(one.parse(&[&subject[..], b"x"].concat()), None);
            assert_eq!(one.parse(b"_R_.abc"), None);
        }
    }

    #[test]
    fn a_single_answer_comes_once_in_time_and_from_the_right_account() {
        let mut all = answers(0, 7);
        let take = |all: &mut Answers, subject: &[u8], account, now| {
            let (_, token) = all.parse(subject).unwrap();
            all.take(token, account, false, now, is_open).map(|(account, reply)| (account, reply.to_vec()))
        };
        let subject = all.wait(waiting(true, 0), is_open);
        assert_eq!(take(&mut all, &subject, 5, 0), None, "of another account");
        assert_eq!(take(&mut all, &subject, 3, 100), Some((4, b"r".to_vec())));
        assert_eq!(take(&mut all, &subject, 3, 100), None);
        let late = all.wait(waiting(true, 0), is_open);
        assert_eq!(take(&mut all, &late, 3, 101), None);
        let gone = all.wait(Waiting { asker: (1, 3), ..waiting(true, 0) }, is_open);
        assert_eq!(take(&mut all, &gone, 3, 0), None);
    }

    #[test]
    fn several_answers_come_until_an_empty_one() {
        let mut all = answers(0, 7);
        let subject = all.wait(waiting(false, 0), is_open);
        let (_, token) = all.parse(&subject).unwrap();
        for is_empty in [false, false, true] {
            assert!(all.take(token, 3, is_empty, 1 << 40, is_open).is_some());
        }
        assert!(all.take(token, 3, false, 0, is_open).is_none());
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut all = answers(0, 7);
        let first = all.wait(waiting(false, 0), is_open);
        for _ in 0..2 * WAITING_MAX {
            all.wait(waiting(false, 0), is_open);
        }
        assert!(all.waiting.len() <= WAITING_MAX && all.order.len() <= WAITING_MAX + 1);
        let (_, token) = all.parse(&first).unwrap();
        assert!(all.take(token, 3, false, 0, is_open).is_none(), "the oldest is forgotten");
        for now in 0..WAITING_MAX as u64 {
            all.wait(Waiting { asker: (1, 3), ..waiting(true, 1000 + now) }, is_open);
        }
        let mut few = answers(0, 7);
        for now in 0..1000 {
            few.wait(waiting(true, now), is_open);
        }
        assert!(few.waiting.len() < 250, "those whose time is over go: {}", few.waiting.len());
    }
}
