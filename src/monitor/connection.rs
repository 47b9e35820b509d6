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
    pub fn drive(&mut self, now: Instant, date: SystemTime, half_close: impl Fn(&mut S)) {
        if self.work(now, date, half_close).is_err() {
            self.phase = Phase::Over;
        }
    }

    fn work(&mut self, now: Instant, date: SystemTime, half_close: impl Fn(&mut S)) -> io::Result<()> {
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
                        half_close(&mut self.stream);
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
        match self.stream.flush() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            flushed => flushed.map(|()| true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// A stream whose bytes come and go as the test says.
    #[derive(Debug, Default)]
    struct Script {
        input: VecDeque<u8>,
        ended: bool,
        /// Bytes that may be written before it blocks.
        room: usize,
        output: Vec<u8>,
    }

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.input.len().min(buffer.len()) {
                0 if self.ended => Ok(0),
                0 => Err(io::ErrorKind::WouldBlock.into()),
                count => {
                    self.input.drain(..count).zip(buffer).for_each(|(byte, place)| *place = byte);
                    Ok(count)
                }
            }
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match bytes.len().min(self.room) {
                0 => Err(io::ErrorKind::WouldBlock.into()),
                count => {
                    self.room -= count;
                    self.output.extend_from_slice(&bytes[..count]);
                    Ok(count)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Test {
        connection: Connection<Script>,
        now: Instant,
    }

    impl Test {
        fn new() -> Self {
            let now = Instant::now();
            Self { connection: Connection::new(Script { room: usize::MAX, ..Script::default() }, now), now }
        }

        /// More bytes come; requests that are there are answered with their own path.
        fn say(&mut self, bytes: &[u8]) {
            self.connection.stream.input.extend(bytes);
            self.drive();
            while let Some(request) = self.connection.request() {
                let reply = Reply::json(request.path.clone().into_bytes());
                self.connection.answer(reply, self.now, SystemTime::UNIX_EPOCH);
                self.drive();
            }
        }

        fn drive(&mut self) {
            self.connection.drive(self.now, SystemTime::UNIX_EPOCH, |_| {});
        }

        /// The bodies of the answers so far.
        fn heard(&mut self) -> Vec<String> {
            let text = String::from_utf8(std::mem::take(&mut self.connection.stream.output)).unwrap();
            text.split("HTTP/1.").skip(1).map(|answer| answer.split_once("\r\n\r\n").unwrap().1.to_owned()).collect()
        }
    }

    #[test]
    fn requests_are_answered_however_their_bytes_come() {
        let bytes = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\nPOST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz\
                      GET /c HTTP/1.1\r\nHost: h\r\n\r\n";
        for cut in 0..=bytes.len() {
            let mut test = Test::new();
            test.say(&bytes[..cut]);
            test.say(&bytes[cut..]);
            assert_eq!(test.heard(), ["/a", "/b", "/c"], "cut at {cut}");
            assert!(test.connection.is_idle() && test.connection.input.capacity() == 0, "cut at {cut}");
        }
    }

    #[test]
    fn an_answer_is_sent_as_it_is_taken_and_its_time_is_bounded() {
        let mut test = Test::new();
        test.connection.stream.room = 0;
        test.connection.stream.input.extend(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        test.drive();
        test.connection.answer(Reply::json(vec![b'x'; 2 * WRITE_BYTES]), test.now, SystemTime::UNIX_EPOCH);
        let deadline = test.now + WRITE_TIME + Duration::from_secs(2);
        while test.connection.waiting_bytes() > 0 {
            test.connection.stream.room = 1000;
            test.now += Duration::from_millis(1);
            let left = test.connection.waiting_bytes();
            test.drive();
            assert!(test.connection.waiting_bytes() < left);
            assert!(test.connection.waiting_bytes() == 0 || test.connection.deadline() == deadline, "no time is added");
        }
        assert_eq!(test.connection.deadline(), test.now + IDLE_TIME);
    }

    #[test]
    fn the_time_of_a_head_counts_from_its_first_byte() {
        let mut test = Test::new();
        assert_eq!(test.connection.deadline(), test.now + HEAD_TIME);
        test.say(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(test.connection.deadline(), test.now + IDLE_TIME);
        test.now += Duration::from_secs(50);
        test.say(b"G");
        let deadline = test.now + HEAD_TIME;
        for byte in b"ET / HTTP/1.1" {
            test.now += Duration::from_millis(100);
            test.say(&[*byte]);
            assert_eq!(test.connection.deadline(), deadline);
        }
    }

    #[test]
    fn the_last_answer_is_followed_by_the_end_of_our_side_and_little_input_more() {
        let mut test = Test::new();
        test.say(b"nonsense\r\n");
        assert_eq!(test.heard(), ["400 Bad Request"]);
        assert_eq!((&test.connection.phase, test.connection.deadline()), (&Phase::Lingering, test.now + LINGER_TIME));
        test.say(&[b'x'; LINGER_BYTES - b"nonsense\r\n".len()]);
        assert!(!test.connection.is_over());
        test.say(b"x");
        assert!(test.connection.is_over());
        let mut test = Test::new();
        test.say(b"GET / HTTP/1.0\r\n\r\n");
        test.connection.stream.ended = true;
        test.drive();
        assert!(test.connection.is_over() && test.heard() == ["/"]);
    }
}
