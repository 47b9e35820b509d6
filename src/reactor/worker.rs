//! One worker: its loop, and what moves between its sockets and its broker.
//!
//! A turn: poll; take connections, mail and timers; read from those that are ready, each once; send the mail; write to all
//! that have something to be written; go on with a few handshakes.

mod dials;
mod handshakes;

use super::desk::Desk;
use super::helper::Helper;
use super::listener::Listener;
use super::mailbox::{Letter, Mailbox};
use super::socket::Socket;
use super::timers::Timers;
use super::tls::{Acceptor, Buffers};
use crate::broker::report::{Inquiry, Piece};
use crate::broker::{Action, Broker, Flushed, Reason};
use crate::log::Log;
pub use dials::RouteDoor;
use dials::{Routes, dial_of};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant, SystemTime};

/// Bytes read from one connection before the next has its turn.
const READ_BYTES: usize = 64 * 1024;

/// Connections read from before what they caused is written.
const READS_MAX: usize = 256;

/// Slices given to one write.
const SLICES_MAX: usize = 64;

/// Readiness taken from one poll.
const EVENTS_MAX: usize = 1024;

/// How long after the first work memory that a busy time left behind is given back, if that is over.
const TRIM_MS: u64 = 5_000;

/// How much later it is looked again whether it is over.
const QUIET_MS: u64 = 1_000;

/// Bytes read meanwhile that say it is not.
const BUSY_BYTES: usize = 1024 * 1024;

/// How often the system is asked how much memory is in use, while it is short.
const MEASURE_MS: u64 = 50;

const MAILBOX: Token = Token(usize::MAX - 1);
const LISTENER: Token = Token(usize::MAX - 2);
const ROUTE_LISTENER: Token = Token(usize::MAX - 3);

/// The time since the server started, the same for all workers.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
    date: SystemTime,
}

/// What the clock shows at its start: no connection comes at 0.
const START_US: u64 = 1000;

impl Clock {
    /// Starts at a little more than 0.
    pub fn start() -> Self {
        Self { start: Instant::now(), date: SystemTime::now() }
    }

    /// Microseconds.
    pub fn now_us(self) -> u64 {
        self.start.elapsed().as_micros() as u64 + START_US
    }

    /// Microseconds from 1970 to when it would have shown 0.
    pub fn epoch_us(self) -> u64 {
        let date = self.date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        (date.as_micros() as u64).saturating_sub(START_US)
    }

    /// The date at which it shows so many microseconds.
    pub fn date(self, us: u64) -> SystemTime {
        self.date + Duration::from_micros(us.saturating_sub(START_US))
    }
}

/// What a worker's loop has done since the start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Turns {
    /// Turns of the loop.
    pub turns: u64,
    /// Reads from connections.
    pub reads: u64,
    /// Bytes that were read.
    pub read_bytes: u64,
    /// Turns that wrote before everything that was ready had been read, because so much was to be written.
    pub early_flushes: u64,
    /// Turns that read nothing because another worker's mailbox was full.
    pub throttled: u64,
}

/// One worker; [`run`](Self::run) is its thread.
#[derive(Debug)]
pub struct Worker {
    number: usize,
    poll: Poll,
    broker: Broker,
    /// By the broker's keys.
    sockets: Vec<Option<Socket>>,
    /// Connections to read from, each at most once.
    ready: VecDeque<u32>,
    /// Connections whose handshake can go on, each at most once.
    entering: VecDeque<u32>,
    /// What new connections begin TLS with; none where there is no TLS.
    acceptor: Option<Arc<Acceptor>>,
    tls_buffers: Buffers,
    timers: Timers,
    /// Of all workers, this one's included.
    mailboxes: Vec<Arc<Mailbox>>,
    listener: Option<Listener>,
    /// Set at the worker that owns the routes.
    routes: Option<Box<Routes>>,
    helper: Arc<Helper>,
    desk: Arc<Desk>,
    scratch: Box<[u8]>,
    clock: Clock,
    now: u64,
    log: Log,
    /// When memory is given back next; none if there was no work since the last time.
    trim_at: Option<u64>,
    /// When the system was asked how much memory is in use.
    measured_at: u64,
    /// Bytes read since memory was given back or kept last.
    bytes_read: usize,
    turns: Turns,
    /// What monitoring asked for and has not got whole.
    inquiries: VecDeque<(Inquiry, Sender<(Piece, Turns)>)>,
    ending: bool,
}

impl Worker {
    /// A worker's poll and its mailbox: to be made for all workers before any of them.
    ///
    /// # Errors
    /// If the system has no more descriptors.
    pub fn prepare() -> io::Result<(Poll, Arc<Mailbox>)> {
        let poll = Poll::new()?;
        let mailbox = Mailbox::new(poll.registry(), MAILBOX)?;
        Ok((poll, Arc::new(mailbox)))
    }

    /// The worker with this number; the helper knows the mailboxes of all. One of them gets the listener.
    ///
    /// # Errors
    /// If the listener cannot be registered.
    pub fn new(
        number: usize,
        poll: Poll,
        helper: Arc<Helper>,
        broker: Broker,
        mut listener: Option<Listener>,
        clock: Clock,
        log: Log,
    ) -> io::Result<Self> {
        if let Some(listener) = &mut listener {
            poll.registry().register(listener.socket(), LISTENER, Interest::READABLE)?;
        }
        let now = clock.now_us() / 1000;
        Ok(Self {
            number,
            poll,
            broker,
            sockets: Vec::new(),
            ready: VecDeque::new(),
            entering: VecDeque::new(),
            acceptor: None,
            tls_buffers: Buffers::default(),
            timers: Timers::new(now),
            mailboxes: helper.mailboxes().to_vec(),
            listener,
            routes: None,
            desk: Desk::new(helper.mailboxes().to_vec()),
            helper,
            scratch: vec![0; READ_BYTES].into(),
            clock,
            now,
            log,
            trim_at: None,
            measured_at: 0,
            bytes_read: 0,
            turns: Turns::default(),
            inquiries: VecDeque::new(),
            ending: false,
        })
    }

    /// Where it hands in what its clients ask about the server.
    pub fn set_desk(&mut self, desk: Arc<Desk>) {
        self.desk = desk;
    }

    /// What connections that come from now on begin TLS with; none for plain ones.
    pub fn set_acceptor(&mut self, acceptor: Option<Arc<Acceptor>>) {
        self.acceptor = acceptor;
    }

    /// Works until told to shut down, and then until every connection has what waited for it, or too long.
    pub fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        // Configured routes are dialled now, whether or not anything happens here.
        self.attend_cluster();
        while !self.ending || self.sockets.iter().any(Option::is_some) {
            let throttled = self.is_throttled();
            let wait = self.wait(throttled);
            if let Err(error) = self.poll.poll(&mut events, wait)
                && error.kind() != io::ErrorKind::Interrupted
            {
                self.log.error(format_args!("Poll failed: {error}"));
            }
            self.mailboxes[self.number].awake();
            let now_us = self.clock.now_us();
            self.now = now_us / 1000;
            self.broker.set_now_us(now_us);
            self.turns.turns += 1;
            self.turns.throttled += u64::from(throttled);
            self.note_events(&events);
            self.take_letters();
            self.accept();
            self.fire_timers();
            self.do_chores();
            self.attend_cluster();
            self.report();
            if !throttled {
                self.read_ready();
            }
            self.flush();
            if !self.entering.is_empty() {
                self.shake_hands();
                self.flush();
            }
            self.trim();
        }
    }

    /// True if another worker's mailbox is so full that nothing more should be caused for it, or memory is used up and it is
    /// about to be seen for whom. What waits for this worker
    /// is no reason not to read: it is taken first in any case.
    fn is_throttled(&self) -> bool {
        let others = self.mailboxes.iter().enumerate().filter(|(number, _)| *number != self.number);
        others.into_iter().any(|(_, mailbox)| mailbox.is_full()) || self.broker.waits_for_others()
    }

    /// How long the poll may wait.
    fn wait(&self, throttled: bool) -> Option<Duration> {
        let chores = self.broker.has_chores() || !self.entering.is_empty() || !self.inquiries.is_empty();
        let work = chores || (!throttled && !self.ready.is_empty());
        if !self.mailboxes[self.number].may_sleep() || work {
            return Some(Duration::ZERO);
        }
        let listener = self.listener.as_ref().and_then(|listener| listener.wait(self.now));
        let trim = self.trim_at.map(|at| at.saturating_sub(self.now));
        let routes = self.routes.as_ref().and_then(|routes| routes.wait(self.now));
        let cluster = self.broker.cluster_due().map(|at| at.saturating_sub(self.now));
        [self.timers.wait(self.now), listener, trim, routes, cluster]
            .into_iter()
            .flatten()
            .min()
            .map(Duration::from_millis)
    }

    fn note_events(&mut self, events: &Events) {
        for event in events {
            match event.token() {
                MAILBOX => {}
                LISTENER => {
                    if let Some(listener) = &mut self.listener {
                        listener.set_ready();
                    }
                }
                ROUTE_LISTENER => {
                    if let Some(routes) = &mut self.routes {
                        routes.set_ready();
                    }
                }
                token if let Some(at) = dial_of(token) => self.dial_ended(at),
                Token(key) => {
                    let Some(Some(socket)) = self.sockets.get_mut(key) else { continue };
                    if event.is_readable() || event.is_read_closed() || event.is_error() {
                        socket.stream.readable = true;
                        socket.stream.ended |= event.is_read_closed() || event.is_error();
                        self.enqueue(key as u32);
                    }
                    if event.is_writable() && self.unblock(key) {
                        self.write(key as u32);
                    }
                }
            }
        }
    }

    /// True if a write was waiting for this.
    fn unblock(&mut self, key: usize) -> bool {
        match &mut self.sockets[key] {
            Some(socket) => std::mem::take(&mut socket.stream.blocked),
            None => false,
        }
    }

    fn enqueue(&mut self, key: u32) {
        if let Some(Some(socket)) = self.sockets.get_mut(key as usize)
            && !socket.queued
            && (socket.stream.readable || self.broker.has_backlog(key))
        {
            socket.queued = true;
            let queue = if socket.is_entering() { &mut self.entering } else { &mut self.ready };
            queue.push_back(key);
        }
    }

    fn accept(&mut self) {
        let Some(mut listener) = self.listener.take() else { return };
        let log = self.log.clone();
        listener.accept(self.now, &log, |stream, peer| {
            let least = (0..self.mailboxes.len()).min_by_key(|&worker| self.mailboxes[worker].connections());
            let worker = least.unwrap_or(self.number);
            self.mailboxes[worker].count_in();
            if worker == self.number {
                self.adopt(stream, peer);
            } else {
                self.mailboxes[worker].post(Letter::Connection(stream, peer));
            }
        });
        self.listener = Some(listener);
    }

    /// Makes a connection this worker's own.
    fn adopt(&mut self, stream: TcpStream, peer: SocketAddr) {
        let key = self.broker.accept(peer);
        let socket = Socket::new(stream, self.acceptor.as_ref());
        self.watch(key, socket, peer);
    }

    fn watch(&mut self, key: u32, mut socket: Socket, peer: SocketAddr) {
        let key = key as usize;
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registered = self.poll.registry().register(socket.stream.source(), Token(key), interest);
        if self.sockets.len() <= key {
            self.sockets.resize_with(key + 1, || None);
        }
        self.sockets[key] = Some(socket);
        if let Err(error) = registered {
            self.log.error(format_args!("{peer} - Cannot watch the connection: {error}"));
            self.broker.broken(key as u32, Reason::ReadError);
        }
        self.act();
    }

    /// Takes what is in the mailbox now. What comes meanwhile is for the next turn, or senders that are quick would keep
    /// this worker from its own connections.
    fn take_letters(&mut self) {
        if !self.mailboxes[self.number].is_filled() {
            return;
        }
        self.trim_at = self.trim_at.or(Some(self.now + TRIM_MS));
        let mut letters = Vec::new();
        if self.mailboxes[self.number].empty(&mut letters) {
            self.mailboxes.iter().for_each(|mailbox| mailbox.wake());
        }
        for letter in letters {
            self.follow(letter);
            while self.broker.should_flush() {
                self.flush();
                self.broker.work_off_mail();
            }
        }
        self.act();
    }

    fn follow(&mut self, letter: Letter) {
        match letter {
            Letter::Mail(mail) => self.broker.receive_mail(mail),
            Letter::Connection(stream, peer) if !self.ending => self.adopt(stream, peer),
            Letter::Connection(..) => {}
            Letter::Answered(answer) => self.broker.answered(answer),
            Letter::Checked(key, cid, verdict) => self.broker.checked(key, cid, verdict),
            Letter::Reload(options, acceptor, _done) => {
                self.broker.adopt(options);
                self.acceptor = acceptor;
            }
            Letter::CloseSurplus(count) => self.broker.close_surplus(count),
            Letter::LameDuck => {
                self.stop_accepting();
                self.broker.announce_end();
            }
            Letter::SendOneAway(hops) => {
                if !self.broker.send_one_away() && hops > 0 {
                    let next = (self.number + 1) % self.mailboxes.len();
                    self.mailboxes[next].post(Letter::SendOneAway(hops - 1));
                }
            }
            Letter::Resolved(number, host, found) => self.resolved(number, host, found),
            Letter::Rejoin(joining, tls) => self.rejoin_cluster(&joining, tls),
            Letter::Report(question, answers) => self.inquiries.push_back((Inquiry::new(question), answers)),
            // Whoever asks only looks at the number.
            Letter::Answer(missing) => _ = missing.fetch_sub(1, Ordering::Relaxed),
            Letter::ShutDown => {
                self.broker.shut_down();
                self.ending = true;
                self.stop_accepting();
            }
        }
    }

    fn stop_accepting(&mut self) {
        if self.ending {
            self.routes = None;
        }
        if self.listener.take().is_some() {
            self.log.debug(format_args!("Client accept loop exiting.."));
        }
    }

    fn fire_timers(&mut self) {
        let mut due = Vec::new();
        self.timers.take_due(self.now, &mut due);
        for key in due {
            self.broker.fire(key);
            self.act();
        }
    }

    fn do_chores(&mut self) {
        if self.broker.has_chores() {
            self.trim_at = self.trim_at.or(Some(self.now + TRIM_MS));
            self.broker.do_chores();
            self.act();
        }
    }

    /// Answers a piece of what monitoring asked first.
    fn report(&mut self) {
        let Some((inquiry, answers)) = self.inquiries.front_mut() else { return };
        let (piece, is_last) = inquiry.step(&self.broker);
        // Whoever asked may have lost patience.
        if answers.send((piece, self.turns)).is_err() || is_last {
            self.inquiries.pop_front();
        }
    }

    fn read_ready(&mut self) {
        for _ in 0..self.ready.len().min(READS_MAX) {
            if self.is_throttled() {
                break;
            }
            let Some(key) = self.ready.pop_front() else { break };
            // A connection that was dropped may have left its key here, and another may have that key now.
            if let Some(Some(socket)) = self.sockets.get_mut(key as usize)
                && std::mem::take(&mut socket.queued)
            {
                self.read(key);
            }
        }
    }

    /// Reads once from a connection and has the bytes worked on.
    fn read(&mut self, key: u32) {
        if !self.broker.wants_input(key) {
            return;
        }
        if self.broker.has_backlog(key) {
            self.broker.work_off(key);
            return self.after_input(key);
        }
        let Some(socket) = &mut self.sockets[key as usize] else { return };
        let room = self.broker.room(key);
        let room_bytes = room.len();
        let bytes = match socket.read(room, &mut self.scratch, &mut self.tls_buffers) {
            // With TLS there may be more to read all the same.
            Ok(None) => {
                self.count_socket(key);
                return self.enqueue(key);
            }
            Ok(Some(0)) => {
                socket.stream.readable = false;
                self.broker.end_of_input(key);
                return self.act();
            }
            Ok(Some(bytes)) => bytes,
            Err(error) => {
                socket.stream.readable = false;
                if error.kind() == io::ErrorKind::InvalidData {
                    self.broker.refused_by_tls(key, &error);
                }
                self.broker.broken(key, Reason::ReadError);
                return self.act();
            }
        };
        // What other workers posted before this peer could write goes first: see the flush barrier in the crate page.
        if self.mailboxes[self.number].is_filled() {
            let cid = self.broker.cid(key);
            self.take_letters();
            // A letter may have ended this connection, and another may have brought a new one with its key.
            if self.broker.cid(key) != cid {
                return;
            }
        }
        self.trim_at = self.trim_at.or(Some(self.now + TRIM_MS));
        self.bytes_read = self.bytes_read.saturating_add(bytes);
        self.turns.reads += 1;
        self.turns.read_bytes += bytes as u64;
        self.broker.filled(key, bytes.min(room_bytes));
        self.broker.receive(key, &self.scratch[..bytes.saturating_sub(room_bytes)]);
        self.count_socket(key);
        self.after_input(key);
    }

    /// Writes if there is much to be written, and queues the connection again if it has more to read.
    fn after_input(&mut self, key: u32) {
        if self.broker.should_flush() {
            self.turns.early_flushes += 1;
            self.flush();
        }
        self.act();
        if self.broker.client(key).is_some() {
            self.enqueue(key);
        }
    }

    /// Sends the mail, then writes to every connection that has something to be written.
    fn flush(&mut self) {
        self.broker.prepare_to_flush();
        self.post_mail();
        while let Some(key) = self.broker.local().next_dirty() {
            if let Some(Some(socket)) = self.sockets.get(key as usize)
                && !socket.stream.blocked
            {
                self.write(key);
            }
        }
        self.look_at_memory();
        self.act();
        // Readers that have caught up let publishers of other workers go.
        self.post_mail();
    }

    /// Reports what this worker holds, and makes room if all hold too much.
    fn look_at_memory(&mut self) {
        if self.broker.look_at_memory(self.mailboxes[self.number].bytes()) {
            self.tls_buffers.trim();
            crate::sys::memory::trim();
        }
        if self.broker.is_memory_short() && self.now >= self.measured_at + MEASURE_MS {
            self.measured_at = self.now;
            self.broker.note_resident(usize::try_from(crate::sys::usage::resident_bytes()).unwrap_or(usize::MAX));
        }
    }

    fn post_mail(&mut self) {
        for (worker, mail) in self.broker.local().take_mail() {
            self.mailboxes[worker as usize].post(Letter::Mail(mail));
        }
    }

    /// Writes what a connection has until all is written or the socket takes no more.
    fn write(&mut self, key: u32) {
        let Some(socket) = &mut self.sockets[key as usize] else { return };
        while self.broker.local().has_output(key) || socket.owes() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let count = self.broker.local().output(key, &mut slices);
            match socket.write(&slices[..count], &mut self.tls_buffers) {
                Ok(Some(bytes)) => self.broker.local().wrote(key, bytes),
                Ok(None) => {
                    self.broker.local().blocked(key);
                    return self.count_socket(key);
                }
                Err(_) => {
                    self.broker.broken(key, Reason::WriteError);
                    break;
                }
            }
        }
        self.count_socket(key);
        let Some(socket) = &mut self.sockets[key as usize] else { return };
        match self.broker.local().flushed(key) {
            Flushed::Stay => {}
            Flushed::HalfClose => socket.half_close(&mut self.tls_buffers),
            Flushed::Drop => self.drop_socket(key),
        }
    }

    /// Tells the broker what a connection's socket holds.
    #[inline]
    fn count_socket(&mut self, key: u32) {
        if let Some(Some(socket)) = self.sockets.get(key as usize) {
            self.broker.count_beside(key, socket.bytes());
        }
    }

    /// Does what the broker asks for.
    fn act(&mut self) {
        for action in self.broker.local().take_actions() {
            match action {
                Action::Arm(key, at) => self.timers.set(key, at),
                Action::Resume(key) => self.enqueue(key),
                Action::Check(check) => self.helper.check(self.number, check),
                Action::Ask(request) => self.desk.ask(self.number, request),
                Action::Drop(key) => self.drop_socket(key),
                Action::Dial { dial, host, port } => self.dial(dial, host, port),
            }
        }
    }

    fn drop_socket(&mut self, key: u32) {
        // Closing the descriptor, of which there is only one, takes it from the poll: no call for that.
        if let Some(mut socket) = self.sockets[key as usize].take() {
            socket.say_end(&mut self.tls_buffers);
            self.timers.clear(key);
            self.broker.forget(key);
            self.mailboxes[self.number].count_out();
        }
    }

    /// Gives memory back some time after work was done.
    fn trim(&mut self) {
        if self.trim_at.is_none_or(|at| at > self.now) {
            return;
        }
        if std::mem::take(&mut self.bytes_read) > BUSY_BYTES {
            self.trim_at = Some(self.now + QUIET_MS);
        } else {
            self.trim_at = None;
            self.broker.trim();
            self.tls_buffers.trim();
            crate::sys::memory::trim();
            self.look_at_memory();
        }
    }
}
