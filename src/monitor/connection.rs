//! One HTTP connection: requests in, answers out, and never more memory or time than it may have.

use super::head::{self, HEAD_MAX, Head, Request};
use super::reply::Reply;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant, SystemTime};

/// How long a head may take from its first byte, or from the start of the connection.
pub const HEAD_TIME: Duration = Duration::from_secs(5);

/// How long a connection may wait for its next request.
const IDLE_TIME: Duration = Duration::from_secs(60);

/// How long a client may take for an answer, and for how many bytes of it one second more.
const WRITE_TIME: Duration = Duration::from_secs(10);
const WRITE_BYTES: usize = 64 * 1024;

/// How long input is discarded behind the last answer, so that the client can read that.
const LINGER_TIME: Duration = Duration::from_secs(1);

/// And how much of it.
const LINGER_BYTES: usize = 256 * 1024;

/// Where a connection is.
#[derive(Debug, PartialEq, Eq)]
enum Phase {
    /// Between two requests.
    Idle,
    /// Some of a head has come, or the connection has just begun.
    Head,
    /// A request waits to be answered.
    Asked(Box<Request>),
    /// An answer is being sent; behind it the connection goes on or not.
    Answering { goes_on: bool },
    /// Our side is ended; what comes is thrown away.
    Lingering,
    /// It is to be dropped.
    Over,
}

/// A connection over any stream that does not block.
#[derive(Debug)]
pub struct Connection<S> {
    stream: S,
    phase: Phase,
    input: Vec<u8>,
    /// Bytes of a body still to be thrown away, or that may still come behind the last answer.
    skip: usize,
    output: Vec<u8>,
    written: usize,
    /// When it is dropped if nothing happens.
    deadline: Instant,
}

impl<S: Read + Write> Connection<S> {
    /// A fresh connection.
    pub fn new(stream: S, now: Instant) -> Self {
        Self {
            stream,
            phase: Phase::Head,
            input: Vec::new(),
            skip: 0,
            output: Vec::new(),
            written: 0,
            deadline: now + HEAD_TIME,
        }
    }

    /// The stream.
    pub fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// When it is dropped unless something happens before.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// True if it is to be dropped.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// True if it does nothing at the moment: it may be dropped in favour of another.
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Idle && self.input.is_empty()
    }

    /// Bytes of an answer that wait for the client.
    pub fn waiting_bytes(&self) -> usize {
        self.output.len() - self.written
    }

    /// The request that waits to be answered.
    pub fn request(&self) -> Option<&Request> {
        match &self.phase {
            Phase::Asked(request) => Some(request),
            _ => None,
        }
    }

    /// Reads and writes as much as can be: to be called when the stream is ready for either. `half_close` ends our side of
    /// it.
    pub fn drive(&mut self, now: Instant, date: SystemTime, half_close: impl Fn(&S)) {
        if self.work(now, date, half_close).is_err() {
            self.phase = Phase::Over;
        }
    }

    fn work(&mut self, now: Instant, date: SystemTime, half_close: impl Fn(&S)) -> io::Result<()> {
        loop {
            match self.phase {
                Phase::Idle | Phase::Head => {
                    self.look_for_request(now, date);
                    if matches!(self.phase, Phase::Idle | Phase::Head) && !self.read()? {
                        return Ok(());
                    }
                }
                Phase::Answering { goes_on } => {
                    if !self.write()? {
                        return Ok(());
                    }
                    (self.output, self.written) = (Vec::new(), 0);
                    if goes_on {
                        self.phase = Phase::Idle;
                        self.deadline = now + IDLE_TIME;
                    } else {
                        half_close(&self.stream);
                        self.phase = Phase::Lingering;
                        self.skip = LINGER_BYTES;
                        self.deadline = now + LINGER_TIME;
                    }
                }
                Phase::Lingering => {
                    self.skip = self.skip.checked_sub(self.input.len()).ok_or(io::ErrorKind::FileTooLarge)?;
                    self.input.clear();
                    if !self.read()? {
                        return Ok(());
                    }
                }
                Phase::Asked(_) | Phase::Over => return Ok(()),
            }
        }
    }

    /// Takes a request from the input, if one is there whole.
    fn look_for_request(&mut self, now: Instant, date: SystemTime) {
        let skipped = self.skip.min(self.input.len());
        self.skip -= skipped;
        self.input.drain(..skipped);
        if self.input.is_empty() {
            return;
        }
        if self.phase == Phase::Idle {
            self.phase = Phase::Head;
            self.deadline = now + HEAD_TIME;
        }
        match head::parse(&self.input) {
            Head::More => {}
            Head::Done(request, used) => {
                self.input.drain(..used);
                if request.keep_alive {
                    self.skip = request.body_bytes;
                }
                self.phase = Phase::Asked(Box::new(request));
            }
            Head::Bad(flaw) => self.send(Reply::refusal(flaw), None, now, date),
        }
    }

    /// Answers the request that waits, or a connection that has no business here.
    pub fn answer(&mut self, reply: Reply, now: Instant, date: SystemTime) {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Asked(request) => self.send(reply, Some(&request), now, date),
            _ => self.send(reply, None, now, date),
        }
    }

    fn send(&mut self, reply: Reply, request: Option<&Request>, now: Instant, date: SystemTime) {
        self.phase = Phase::Answering { goes_on: !reply.ends(request) };
        self.output = reply.into_bytes(request, date);
        self.deadline = now + WRITE_TIME + Duration::from_secs((self.output.len() / WRITE_BYTES) as u64);
    }

    /// Reads once. False if there is nothing to read now.
    fn read(&mut self) -> io::Result<bool> {
        let have = self.input.len();
        self.input.resize(HEAD_MAX.max(have + 1), 0);
        let result = self.stream.read(&mut self.input[have..]);
        self.input.truncate(have + *result.as_ref().unwrap_or(&0));
        match result {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if self.input.is_empty() {
                    // A connection that waits owns no buffer.
                    self.input = Vec::new();
                }
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes what waits. False if the client does not take all of it now.
    fn write(&mut self) -> io::Result<bool> {
        while self.written < self.output.len() {
            match self.stream.write(&self.output[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => self.written += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
