//! A connection with arbitrary input, beside one that has subscribed to everything.
//!
//! The same input is played three times: in one piece, in small pieces cut at places that depend on it, and with the
//! protocol trace on, which takes the slow way for every message. What each of the two connections is sent, but for the
//! order among one connection's subscriptions, and whether it survives, is the same each time; afterwards nothing of it
//! is left.

use midge::broker::{Broker, Identity, Shared, State, Traffic};
use midge::config::Options;
use midge::interest::GLOBAL_ACCOUNT;
use midge::log::Log;
use std::io::IoSlice;
use std::sync::Arc;

/// Checks one input.
pub fn run(data: &[u8]) {
    let Some((&choice, input)) = data.split_first() else { return };
    let whole = play(choice, input, Log::quiet(), usize::MAX);
    let cut = play(choice, input, Log::quiet(), 1 + usize::from(choice >> 2) % 7);
    assert!(whole == cut, "in one piece: {whole:?}\nin small pieces: {cut:?}");
    let traced = play(choice, input, Log::capture().0, usize::MAX);
    assert!(whole == traced, "untraced: {whole:?}\ntraced: {traced:?}");
}

/// What came of a play.
#[derive(PartialEq)]
struct Played {
    /// What was sent to the connection that watches, and to the other.
    sent: [Vec<u8>; 2],
    is_open: bool,
    /// Messages and bytes, in and out.
    traffic: [u64; 4],
    subscriptions: usize,
}

impl std::fmt::Debug for Played {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Self { sent, is_open, traffic, subscriptions } = self;
        let [watched, own] = sent.each_ref().map(|bytes| bytes.escape_ascii().to_string());
        write!(f, "open {is_open}, {traffic:?}, {subscriptions} subscriptions\n  sent {own}\n  watched {watched}")
    }
}

fn play(choice: u8, input: &[u8], log: Log, piece: usize) -> Played {
    let mut options = Options::default();
    if choice & 1 != 0 {
        (options.max_control_line, options.max_payload) = (128, 64);
        (options.max_subscriptions, options.max_sub_tokens) = (5, 4);
    }
    let mut world = World::new(options, log);
    let watcher = world.accept();
    world.receive(watcher, b"CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true}\r\nSUB > watch\r\n");
    let key = world.accept();
    if choice & 2 != 0 {
        world.receive(
            key,
            b"CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true}\r\n",
        );
    }
    input.chunks(piece.max(1)).for_each(|piece| world.receive(key, piece));
    let client = world.broker.client(key).expect("nobody has dropped it");
    let Traffic { in_messages, in_bytes, out_messages, out_bytes } = client.traffic;
    let played = Played {
        is_open: client.state == State::Open,
        traffic: [in_messages, in_bytes, out_messages, out_bytes],
        subscriptions: world.shared.interest.count(GLOBAL_ACCOUNT),
        sent: world.sent.each_ref().map(|bytes| ordered(bytes)),
    };
    for key in [key, watcher] {
        world.broker.end_of_input(key);
        world.flush();
        world.broker.forget(key);
    }
    assert_eq!((world.shared.connections(), world.shared.interest.count(GLOBAL_ACCOUNT)), (0, 0));
    played
}

/// What was sent, with the copies of one message for several subscriptions in the order of these.
fn ordered(sent: &[u8]) -> Vec<u8> {
    let mut operations = Vec::new();
    let mut rest = sent;
    while !rest.is_empty() {
        let (operation, after) = Operation::split(rest);
        operations.push(operation);
        rest = after;
    }
    operations.chunk_by_mut(|a, b| a.message.is_some() && a.message == b.message).for_each(<[Operation]>::sort);
    operations.iter().flat_map(|operation| operation.bytes).copied().collect()
}

/// One operation that was sent.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Operation<'a> {
    bytes: &'a [u8],
    /// Of a delivery, the subject and what stands behind the sid.
    message: Option<(&'a [u8], &'a [u8])>,
}

impl<'a> Operation<'a> {
    /// The first of several.
    fn split(sent: &'a [u8]) -> (Self, &'a [u8]) {
        let line = sent.windows(2).position(|end| end == b"\r\n").expect("a line ends") + 2;
        let words: Vec<&[u8]> = sent[..line - 2].split(|&byte| byte == b' ').collect();
        let [b"MSG" | b"HMSG", subject, sid, .., size] = words[..] else {
            let (bytes, after) = sent.split_at(line);
            return (Self { bytes, message: None }, after);
        };
        let size: usize = std::str::from_utf8(size).ok().and_then(|size| size.parse().ok()).expect("a size");
        let (bytes, after) = sent.split_at(line + size + 2);
        assert!(bytes.ends_with(b"\r\n"), "a payload ends");
        let start = words[0].len() + 1 + subject.len() + 1 + sid.len() + 1;
        (Self { bytes, message: Some((subject, &bytes[start..])) }, after)
    }
}

/// One broker and its two connections.
struct World {
    shared: Arc<Shared>,
    broker: Broker,
    /// By key.
    sent: [Vec<u8>; 2],
}

impl World {
    fn new(options: Options, log: Log) -> Self {
        let identity = Identity { id: "NID".into(), name: "name".into(), host: "::1".into(), port: 4222 };
        let shared = Arc::new(Shared::new(identity, log, 1));
        let mut broker = Broker::new(Arc::clone(&shared), Arc::new(options), 0, 1, 2);
        broker.set_now(1000);
        Self { shared, broker, sent: Default::default() }
    }

    fn accept(&mut self) -> u32 {
        let key = self.broker.accept("[::1]:9".parse().expect("an address"));
        self.flush();
        key
    }

    fn receive(&mut self, key: u32, mut piece: &[u8]) {
        if !self.broker.wants_input(key) {
            return;
        }
        let room = self.broker.room(key);
        let in_room = room.len().min(piece.len());
        room[..in_room].copy_from_slice(&piece[..in_room]);
        piece = &piece[in_room..];
        self.broker.filled(key, in_room);
        self.broker.receive(key, piece);
        self.flush();
        while self.broker.has_backlog(key) {
            self.broker.work_off(key);
            self.flush();
        }
    }

    /// Takes everything that is queued.
    fn flush(&mut self) {
        while let Some(key) = self.broker.local().next_dirty() {
            loop {
                let mut slices = [IoSlice::new(&[]); 16];
                let count = self.broker.local().output(key, &mut slices);
                let bytes: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect();
                if bytes.is_empty() {
                    break;
                }
                self.sent[key as usize].extend_from_slice(&bytes);
                self.broker.local().wrote(key, bytes.len());
            }
            self.broker.local().flushed(key);
        }
        self.broker.local().take_actions();
    }
}
