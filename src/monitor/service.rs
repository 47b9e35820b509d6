//! The monitoring thread: its sockets, and whose turn it is.

use super::connection::Connection;
use super::reply::Reply;
use super::site::Site;
use super::stream::{Door, Stream};
use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Connections at a time. One more takes the place of one that is idle, or is sent away.
const CONNECTIONS_MAX: usize = 64;

/// Bytes of answers that wait for their clients; past that, nobody is answered until they have taken some.
const WAITING_MAX: usize = 16 * 1024 * 1024;

/// Connections accepted in one go.
const ACCEPTS_MAX: usize = 64;

/// How long no connection is accepted after that failed.
const PAUSE: Duration = Duration::from_millis(100);

const WAKER: Token = Token(usize::MAX);
const EVENTS_MAX: usize = 128;

/// Everything the monitoring thread owns.
#[derive(Debug)]
pub struct Service {
    poll: Poll,
    doors: Vec<Door>,
    connections: Slab<Connection<Stream>>,
    /// Accepting failed: not again before this.
    paused_until: Option<Instant>,
    site: Site,
}

impl Service {
    /// Ready to run, and what wakes it up. Connections have the tokens from the number of doors on.
    ///
    /// # Errors
    /// If the system has no more descriptors.
    pub fn new(mut doors: Vec<Door>, site: Site) -> io::Result<(Self, Arc<Waker>)> {
        let poll = Poll::new()?;
        for (number, door) in doors.iter_mut().enumerate() {
            poll.registry().register(door.source(), Token(number), Interest::READABLE)?;
        }
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        Ok((Self { poll, doors, connections: Slab::new(), paused_until: None, site }, waker))
    }

    /// Answers until `is_over` says so, which is looked at whenever the waker is used.
    pub fn run(mut self, is_over: impl Fn() -> bool) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        while !is_over() {
            if let Err(error) = self.poll.poll(&mut events, self.wait())
                && error.kind() != io::ErrorKind::Interrupted
            {
                // Nothing can be done without it, and the server does not need us.
                return self.site.log().error(format_args!("Monitoring: poll failed: {error}"));
            }
            let now = Instant::now();
            if self.paused_until.is_some_and(|until| until <= now) {
                self.paused_until = None;
                (0..self.doors.len()).for_each(|door| self.accept(door, now));
            }
            for event in &events {
                match event.token() {
                    WAKER => {}
                    Token(door) if door < self.doors.len() => self.accept(door, now),
                    Token(number) => self.drive(number - self.doors.len(), now),
                }
            }
            self.answer();
            self.drop_overdue();
        }
    }

    /// How long the poll may wait.
    fn wait(&self) -> Option<Duration> {
        let deadlines = self.connections.iter().map(|(_, connection)| connection.deadline());
        deadlines.chain(self.paused_until).min().map(|first| first.saturating_duration_since(Instant::now()))
    }

    fn accept(&mut self, door: usize, now: Instant) {
        if self.paused_until.is_some() {
            return;
        }
        self.site.update();
        for _ in 0..ACCEPTS_MAX {
            match self.doors[door].accept(self.site.acceptor()) {
                Ok(stream) => self.adopt(stream, now),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {
                }
                Err(_) => break,
            }
        }
        // Too many at once, or no descriptors: in a moment again.
        self.paused_until = Some(now + PAUSE);
    }

    fn adopt(&mut self, stream: Stream, now: Instant) {
        let mut connection = Connection::new(stream, now);
        let is_full = self.connections.len() >= CONNECTIONS_MAX;
        if is_full {
            let idle = self.connections.iter().filter(|(_, other)| other.is_idle());
            match idle.min_by_key(|(_, other)| other.deadline()).map(|(key, _)| key) {
                Some(key) => drop(self.connections.remove(key)),
                // As much of it as the socket takes; nobody waits for more.
                None => {
                    connection.answer(Reply::overloaded(), now, SystemTime::now());
                    return connection.drive(now, SystemTime::now(), Stream::half_close);
                }
            }
        }
        let key = self.connections.vacant_key();
        let token = Token(self.doors.len() + key);
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(connection.stream().source(), token, interest).is_ok() {
            self.connections.insert(connection);
            self.drive(key, now);
        }
    }

    fn drive(&mut self, key: usize, now: Instant) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.drive(now, SystemTime::now(), Stream::half_close);
        if connection.is_over() {
            self.connections.remove(key);
        }
    }

    /// Answers requests, those of one connection one after the other, as long as there is room for answers.
    fn answer(&mut self) {
        loop {
            let mut answered = false;
            for key in 0..self.connections.capacity() {
                let waiting: usize = self.connections.iter().map(|(_, other)| other.waiting_bytes()).sum();
                if waiting > WAITING_MAX {
                    return;
                }
                let Some(connection) = self.connections.get_mut(key) else { continue };
                let Some(request) = connection.request() else { continue };
                let reply = self.site.answer(request);
                connection.answer(reply, Instant::now(), SystemTime::now());
                self.drive(key, Instant::now());
                answered = true;
            }
            if !answered {
                return;
            }
        }
    }

    /// Drops connections whose time is over. There are few of them.
    fn drop_overdue(&mut self) {
        let now = Instant::now();
        self.connections.retain(|_, connection| connection.deadline() > now);
    }
}
