//! What reaches a worker from other threads.

use super::tls::{Acceptor, RouteTls};
use super::worker::Turns;
use crate::broker::Mail;
use crate::broker::auth::Verdict;
use crate::broker::report::{Piece, Question};
use crate::broker::routes::Joining;
use crate::broker::system::Answer;
use crate::config::Options;
use mio::net::TcpStream;
use mio::{Token, Waker};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of messages in a mailbox past which the senders stop reading until the owner has emptied it. What they have
/// read already still goes in, so each sender can add about one batch of input on top.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// One thing for a worker to do.
#[derive(Debug)]
pub enum Letter {
    /// From another worker's broker.
    Mail(Mail),
    /// A connection that was accepted for it.
    Connection(TcpStream, SocketAddr),
    /// Go on with these options, and for connections that come from now on with this for TLS; to be dropped once that is so.
    Reload(Arc<Options>, Option<Arc<Acceptor>>, Sender<()>),
    /// Close so many connections, because there are more than there may be.
    CloseSurplus(usize),
    /// The server is about to go: take no more connections and tell the clients.
    LameDuck,
    /// Send one client away. Who has none hands the letter on, so many times at most.
    SendOneAway(usize),
    /// What came of the check of a connection's password: its key, its number, and whether it is right.
    Checked(u32, u64, Verdict),
    /// The name of a host to be dialled, and its addresses or why there are none.
    Resolved(u64, String, Result<Vec<SocketAddr>, String>),
    /// Go on with these options of the cluster, and for routes that come from now on with this for TLS.
    Rejoin(Box<Joining>, Option<Arc<RouteTls>>),
    /// The answer to what a client of it asked about the server.
    Answered(Answer),
    /// Answer this, a piece a turn; the sender is dropped behind the last one.
    Report(Question, Sender<(Piece, Turns)>),
    /// Count this down, to show that the loop turns.
    Answer(Arc<AtomicUsize>),
    /// Close everything and end.
    ShutDown,
}

/// One worker's mailbox, with what others want to know of that worker.
#[derive(Debug)]
pub struct Mailbox {
    letters: Mutex<Vec<Letter>>,
    /// Bytes of the messages in `letters`.
    bytes: AtomicUsize,
    /// There are letters.
    filled: AtomicBool,
    /// The owner waits in its poll, or is about to.
    asleep: AtomicBool,
    /// Someone waits for the mailbox to be emptied.
    awaited: AtomicBool,
    /// Connections given to the owner.
    connections: AtomicUsize,
    waker: Waker,
}

impl Mailbox {
    /// An empty mailbox whose owner polls `registry`; mail shows there as `token`.
    ///
    /// # Errors
    /// If the system has no more descriptors.
    pub fn new(registry: &mio::Registry, token: Token) -> io::Result<Self> {
        Ok(Self {
            letters: Mutex::new(Vec::new()),
            bytes: AtomicUsize::new(0),
            filled: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            awaited: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            waker: Waker::new(registry, token)?,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Letter>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a letter in and wakes the owner if it sleeps.
    pub fn post(&self, letter: Letter) {
        if let Letter::Mail(Mail::Messages(batch)) = &letter {
            self.bytes.fetch_add(batch.bytes(), Ordering::Relaxed);
        }
        self.lock().push(letter);
        self.filled.store(true, Ordering::SeqCst);
        if self.asleep.swap(false, Ordering::SeqCst) {
            self.wake();
        }
    }

    /// Makes the owner's poll return.
    pub fn wake(&self) {
        // Waking can only fail if the descriptor is bad, and then the owner is gone.
        _ = self.waker.wake();
    }

    /// True if there is something to take.
    #[inline]
    pub fn is_filled(&self) -> bool {
        self.filled.load(Ordering::Acquire)
    }

    /// Takes everything. True if someone waited for that and is to be woken.
    pub fn empty(&self, out: &mut Vec<Letter>) -> bool {
        let mut letters = self.lock();
        self.filled.store(false, Ordering::SeqCst);
        std::mem::swap(out, &mut letters);
        drop(letters);
        self.bytes.store(0, Ordering::SeqCst);
        self.awaited.swap(false, Ordering::SeqCst)
    }

    /// True if senders should wait; then they are woken when it is emptied.
    pub fn is_full(&self) -> bool {
        if self.bytes.load(Ordering::Relaxed) <= BYTES_MAX {
            return false;
        }
        self.awaited.store(true, Ordering::SeqCst);
        self.bytes.load(Ordering::SeqCst) > BYTES_MAX
    }

    /// The owner is about to poll: false if it should not wait because there is mail.
    pub fn may_sleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        !self.filled.load(Ordering::SeqCst)
    }

    /// The owner is back from its poll.
    pub fn awake(&self) {
        self.asleep.store(false, Ordering::Relaxed);
    }

    /// Bytes of the messages in it.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Connections given to the owner and not dropped yet.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// One connection more.
    pub fn count_in(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// One connection less.
    pub fn count_out(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
