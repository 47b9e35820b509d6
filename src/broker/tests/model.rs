//! The naive broker: a list of subscriptions and a loop.
//!
//! It follows what happened in a [`World`](super::world::World), works out what had to be queued to whom because of it,
//! and takes exactly that from what was queued. Where the real broker is free (the order among one client's
//! subscriptions, the member of a queue group) it accepts any choice, and remembers it.

use super::operations::{Message, Op, Options};
use super::world::{Event, Parcel, Turn};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

struct Sub {
    peer: usize,
    sid: String,
    subject: String,
    queue: String,
    delivered: u32,
    max: u32,
}

struct Peer {
    worker: usize,
    info: Vec<u8>,
    connect_info: Vec<u8>,
    open: bool,
    connected: bool,
    informed: bool,
    verbose: bool,
    pedantic: bool,
    echo: bool,
    headers: bool,
    no_responders: bool,
    protocol: u8,
    /// What it said that was not worked on yet, each with its end in the input.
    said: VecDeque<(usize, Op)>,
    /// What was queued to it and is not explained yet.
    queued: Vec<u8>,
    published: (u64, u64),
    delivered: (u64, u64),
}

/// What a message is known by on its way between workers: its subject and tail.
type Name = (Vec<u8>, Vec<u8>);

/// A message that is to be posted to another worker.
struct Due {
    /// In the order in which they became due.
    number: usize,
    message: Rc<Message>,
    group: Option<String>,
    /// Which workers it may go to.
    to: BTreeSet<usize>,
}

/// The naive broker.
#[derive(Default)]
pub struct Model {
    peers: Vec<Peer>,
    subs: Vec<Sub>,
    max_subscriptions: usize,
    max_tokens: usize,
    /// Everything that may be under way, and who published it.
    messages: BTreeMap<Name, (usize, Rc<Message>)>,
    /// By the worker that is to post it.
    due: BTreeMap<usize, Vec<Due>>,
    next_due: usize,
    /// The last that went from one worker to another.
    last_posted: BTreeMap<(usize, usize), usize>,
    /// Deliveries of any kind, so that a test can tell that it tested something.
    pub deliveries: usize,
}

impl Model {
    /// No subscriptions. 0 means no limit.
    pub fn new(max_subscriptions: usize, max_tokens: usize) -> Self {
        Self { max_subscriptions, max_tokens, ..Self::default() }
    }

    /// A connection that will be accepted next, with the INFOs it is to get.
    pub fn expect_peer(&mut self, worker: usize, info: Vec<u8>, connect_info: Vec<u8>) {
        self.peers.push(Peer {
            worker,
            info,
            connect_info,
            open: true,
            connected: false,
            informed: false,
            verbose: true,
            pedantic: true,
            echo: true,
            headers: false,
            no_responders: false,
            protocol: 0,
            said: VecDeque::new(),
            queued: Vec::new(),
            published: (0, 0),
            delivered: (0, 0),
        });
    }

    /// A client says something whose last byte is at `end` of its input.
    pub fn say(&mut self, peer: usize, end: usize, op: Op) {
        self.peers[peer].said.push_back((end, op));
    }

    /// Follows what happened.
    pub fn follow(&mut self, turn: Turn) {
        for (peer, bytes) in turn.queued {
            self.peers[peer].queued.extend(bytes);
        }
        match turn.event {
            Event::Accepted { peer } => {
                let info = self.peers[peer].info.clone();
                self.expect(peer, &info);
            }
            Event::Worked { peer, upto } => {
                while let Some((end, _)) = self.peers[peer].said.front()
                    && *end <= upto
                {
                    let (_, op) = self.peers[peer].said.pop_front().unwrap();
                    if self.peers[peer].open {
                        self.operate(peer, op);
                    }
                }
            }
            Event::Posted { from, to, parcels } => parcels.iter().for_each(|parcel| self.posted(from, to, parcel)),
            Event::PostedAll { from } => {
                let left: usize = self.due.get(&from).map_or(0, Vec::len);
                assert_eq!(left, 0, "messages from worker {from} were not posted before output was written");
            }
            Event::Taken { worker, parcels } => parcels.iter().for_each(|parcel| self.taken(worker, parcel)),
            Event::Ordered => {}
            Event::Fired => (0..self.peers.len()).for_each(|peer| _ = self.explains(peer, b"PING\r\n")),
            Event::Ended { peer } => self.close(peer),
        }
        for (peer, Peer { queued, .. }) in self.peers.iter().enumerate() {
            assert!(queued.is_empty(), "client {peer} got what it should not: {}", queued.escape_ascii());
        }
    }

    /// Everything was worked on and handed over.
    pub fn finish(&self) {
        for (peer, Peer { open, said, .. }) in self.peers.iter().enumerate() {
            assert!(!open || said.is_empty(), "client {peer} was not listened to: {said:?}");
        }
    }

    /// Whether a connection should be open, its messages and bytes in, and out.
    pub fn state(&self, peer: usize) -> (bool, (u64, u64), (u64, u64)) {
        let Peer { open, published, delivered, .. } = self.peers[peer];
        (open, published, delivered)
    }

    /// Subscriptions.
    pub fn subscriptions(&self) -> usize {
        self.subs.len()
    }

    fn operate(&mut self, peer: usize, op: Op) {
        match op {
            Op::Connect(options) => self.connect(peer, options),
            Op::Subscribe { subject, queue, sid } => self.subscribe(peer, subject, queue, sid),
            Op::Unsubscribe { sid, max } => {
                self.subs.retain_mut(|sub| {
                    if sub.peer != peer || sub.sid != sid {
                        return true;
                    }
                    sub.max = max;
                    max > sub.delivered
                });
                self.okay(peer);
            }
            Op::Publish(message) => self.publish(peer, message),
            Op::Ping => {
                self.expect(peer, b"PONG\r\n");
                let Peer { connected, protocol, connect_info, .. } = &self.peers[peer];
                let (first, wanted, info) =
                    (*connected && !self.peers[peer].informed, *protocol > 0, connect_info.clone());
                if first {
                    self.peers[peer].informed = true;
                    if wanted {
                        self.expect(peer, &info);
                    }
                }
            }
            Op::Idle(_) => {}
            Op::Wrong(_, answer) => self.refuse(peer, answer),
        }
    }

    fn refuse(&mut self, peer: usize, answer: Option<&str>) {
        if let Some(answer) = answer {
            self.error(peer, answer);
        }
        self.close(peer);
    }

    fn close(&mut self, peer: usize) {
        self.peers[peer].open = false;
        self.subs.retain(|sub| sub.peer != peer);
    }

    fn connect(&mut self, peer: usize, options: Options) {
        let it = &mut self.peers[peer];
        if it.connected {
            self.subs.retain(|sub| sub.peer != peer);
        }
        it.connected = true;
        for (option, value) in [
            (&mut it.verbose, options.verbose),
            (&mut it.pedantic, options.pedantic),
            (&mut it.echo, options.echo),
            (&mut it.headers, options.headers),
            (&mut it.no_responders, options.no_responders),
        ] {
            *option = value.unwrap_or(*option);
        }
        it.protocol = options.protocol.unwrap_or(it.protocol);
        if it.no_responders && !it.headers {
            return self.refuse(peer, Some("no responders requires headers support"));
        }
        self.okay(peer);
    }

    fn subscribe(&mut self, peer: usize, subject: String, queue: String, sid: String) {
        if queue == "_sys_" {
            let error = format!("Permissions Violation for Subscription to \"{subject}\" using queue \"{queue}\"");
            return self.error(peer, &error);
        }
        if self.max_tokens > 0 && subject.split('.').count() > self.max_tokens {
            let error = format!("Permissions Violation for Subscription to \"{subject}\", too many tokens");
            return self.error(peer, &error);
        }
        let own = || self.subs.iter().filter(|sub| sub.peer == peer);
        if self.max_subscriptions > 0 && own().count() >= self.max_subscriptions {
            return self.error(peer, "maximum subscriptions exceeded");
        }
        if own().all(|sub| sub.sid != sid) {
            if !is_valid_pattern(&subject) {
                return self.error(peer, "Invalid Subject");
            }
            self.subs.push(Sub { peer, sid, subject, queue, delivered: 0, max: 0 });
        }
        self.okay(peer);
    }

    fn publish(&mut self, peer: usize, message: Message) {
        let it = &mut self.peers[peer];
        it.published.0 += 1;
        it.published.1 += message.body.len() as u64;
        let (worker, no_responders) = (it.worker, it.no_responders);
        let Message { subject, reply, .. } = &message;
        if it.pedantic && !is_valid_subject(subject) {
            self.error(peer, "Invalid Publish Subject");
        }
        let below = |text: &str, prefix: &str| text.len() > prefix.len() && text.starts_with(prefix);
        if below(subject, "_GR_.") || subject.starts_with("$NRG.") {
            return self.error(peer, &format!("Permissions Violation for Publish to \"{subject}\""));
        }
        if reply.starts_with("_R_.") || below(reply, "$JS.ACK.") || below(reply, "_GR_.") {
            return self.error(peer, &format!("Permissions Violation for Publish with Reply of \"{reply}\""));
        }
        self.okay(peer);
        let message = Rc::new(message);
        let name = (message.subject.clone().into_bytes(), message.tail(true));
        self.messages.insert(name, (peer, Rc::clone(&message)));
        if !self.deliver_to_all(worker, peer, &message) && !message.reply.is_empty() && no_responders {
            self.expect_no_responders(peer, &message);
        }
    }

    /// True if anyone gets it.
    fn deliver_to_all(&mut self, worker: usize, publisher: usize, message: &Rc<Message>) -> bool {
        let mut delivered = self.deliver_plain(worker, publisher, message);
        let matching: Vec<&Sub> = self.subs.iter().filter(|sub| sub.wants(message)).collect();
        let remotes = matching.iter().filter(|sub| sub.queue.is_empty()).map(|sub| self.peers[sub.peer].worker);
        let remotes: BTreeSet<usize> = remotes.filter(|&remote| remote != worker).collect();
        let queues = matching.iter().filter(|sub| !sub.queue.is_empty()).map(|sub| sub.queue.clone());
        let queues: BTreeSet<String> = queues.collect();
        for remote in remotes {
            self.is_due(worker, message, None, [remote].into());
            delivered = true;
        }
        for queue in queues {
            delivered |= self.deliver_to_group(worker, publisher, message, &queue);
        }
        delivered
    }

    /// Every plain subscription of a worker's clients gets it.
    fn deliver_plain(&mut self, worker: usize, publisher: usize, message: &Message) -> bool {
        let mut missing = self.takers(worker, publisher, message, "");
        let any = !missing.is_empty();
        while let Some(at) = missing.iter().position(|(peer, sid)| self.delivers(*peer, sid, message)) {
            missing.remove(at);
        }
        assert!(missing.is_empty(), "{missing:?} did not get {message:?} next");
        any
    }

    /// One member gets it: a client of this worker, or it is given to another worker that has one.
    fn deliver_to_group(&mut self, worker: usize, publisher: usize, message: &Rc<Message>, queue: &str) -> bool {
        let takers = self.takers(worker, publisher, message, queue);
        let chosen: Vec<_> = takers.iter().filter(|(peer, sid)| self.delivers(*peer, sid, message)).collect();
        assert!(chosen.len() <= 1, "{chosen:?} of one group all got {message:?}");
        let members = self.subs.iter().filter(|sub| sub.queue == queue && sub.wants(message));
        let others = members.map(|sub| self.peers[sub.peer].worker).filter(|&other| other != worker);
        let others: BTreeSet<usize> = others.collect();
        if chosen.is_empty() && !others.is_empty() {
            self.is_due(worker, message, Some(queue), others);
            return true;
        }
        assert!(!chosen.is_empty() || takers.is_empty(), "none of {takers:?} got {message:?}");
        !chosen.is_empty()
    }

    /// Subscriptions of a worker's clients that take the message.
    fn takers(&self, worker: usize, publisher: usize, message: &Message, queue: &str) -> Vec<(usize, String)> {
        let takes = |sub: &&Sub| {
            let peer = &self.peers[sub.peer];
            let own = sub.peer == publisher && !peer.echo;
            peer.worker == worker && sub.queue == queue && sub.wants(message) && !own
        };
        self.subs.iter().filter(takes).map(|sub| (sub.peer, sub.sid.clone())).collect()
    }

    fn expect_no_responders(&mut self, peer: usize, message: &Message) {
        let subs = self.subs.iter().filter(|sub| {
            let matches = matches(&sub.subject, &message.reply);
            sub.peer == peer && sub.queue.is_empty() && matches
        });
        let sids: Vec<String> = subs.map(|sub| sub.sid.clone()).collect();
        let head = format!("NATS/1.0 503\r\nNats-Subject: {}\r\n\r\n", message.subject);
        let told = sids.iter().any(|sid| {
            let notice = format!("HMSG {} {sid} {1} {1}\r\n{head}\r\n", message.reply, head.len());
            self.explains(peer, notice.as_bytes())
        });
        assert!(told || sids.is_empty(), "client {peer} was not told that nobody takes {message:?}");
    }

    fn is_due(&mut self, from: usize, message: &Rc<Message>, group: Option<&str>, to: BTreeSet<usize>) {
        self.next_due += 1;
        let (number, message, group) = (self.next_due, Rc::clone(message), group.map(str::to_owned));
        self.due.entry(from).or_default().push(Due { number, message, group, to });
    }

    fn posted(&mut self, from: usize, to: usize, parcel: &Parcel) {
        let due = self.due.entry(from).or_default();
        let at = due.iter().position(|due| due.is(parcel) && due.to.contains(&to));
        let at = at.unwrap_or_else(|| panic!("worker {to} was sent what is not for it: {parcel:?}"));
        let Due { number, .. } = due.remove(at);
        let last = self.last_posted.insert((from, to), number);
        assert!(last < Some(number), "worker {to} was sent {parcel:?} out of order");
    }

    fn taken(&mut self, worker: usize, parcel: &Parcel) {
        let name = (parcel.subject.clone(), parcel.tail.clone());
        let (publisher, message) = self.messages[&name].clone();
        match &parcel.group {
            None => _ = self.deliver_plain(worker, publisher, &message),
            Some(group) => _ = self.deliver_to_group(worker, publisher, &message, &String::from_utf8_lossy(group)),
        }
    }

    /// Takes a message for a subscription from what was queued, if that is next.
    fn delivers(&mut self, peer: usize, sid: &str, message: &Message) -> bool {
        let headers = self.peers[peer].headers;
        let name = if headers && message.header_bytes > 0 { "HMSG" } else { "MSG" };
        let line = [format!("{name} {} {sid} ", message.subject).as_bytes(), &message.tail(headers)].concat();
        if !self.explains(peer, &line) {
            return false;
        }
        let hidden = if headers { 0 } else { message.header_bytes };
        self.deliveries += 1;
        self.peers[peer].delivered.0 += 1;
        self.peers[peer].delivered.1 += (message.body.len() - hidden) as u64;
        self.subs.retain_mut(|sub| {
            let it = sub.peer == peer && sub.sid == sid;
            sub.delivered += u32::from(it);
            !it || sub.max == 0 || sub.delivered < sub.max
        });
        true
    }

    fn okay(&mut self, peer: usize) {
        if self.peers[peer].verbose {
            self.expect(peer, b"+OK\r\n");
        }
    }

    fn error(&mut self, peer: usize, text: &str) {
        self.expect(peer, format!("-ERR '{text}'\r\n").as_bytes());
    }

    fn expect(&mut self, peer: usize, bytes: &[u8]) {
        let next = self.peers[peer].queued.clone();
        let next = next[..next.len().min(200)].escape_ascii();
        assert!(self.explains(peer, bytes), "client {peer} got not {} but {next}", bytes.escape_ascii());
    }

    /// Takes the bytes from the front of what was queued, if they are there.
    fn explains(&mut self, peer: usize, bytes: &[u8]) -> bool {
        let queued = &mut self.peers[peer].queued;
        let is = queued.starts_with(bytes);
        if is {
            queued.drain(..bytes.len());
        }
        is
    }
}

impl Sub {
    fn wants(&self, message: &Message) -> bool {
        matches(&self.subject, &message.subject)
    }
}

impl Due {
    fn is(&self, parcel: &Parcel) -> bool {
        let Message { subject, .. } = &*self.message;
        subject.as_bytes() == parcel.subject
            && self.group.as_ref().map(String::as_bytes) == parcel.group.as_deref()
            && self.message.tail(true) == parcel.tail
    }
}

fn tokens(subject: &str) -> Vec<&str> {
    subject.split('.').collect()
}

fn is_valid_pattern(pattern: &str) -> bool {
    let tokens = tokens(pattern);
    tokens.iter().enumerate().all(|(at, &token)| !token.is_empty() && (token != ">" || at + 1 == tokens.len()))
}

fn is_valid_subject(subject: &str) -> bool {
    tokens(subject).iter().all(|token| !["", "*", ">"].contains(token))
}

fn matches(pattern: &str, subject: &str) -> bool {
    fn rest(pattern: &[&str], subject: &[&str]) -> bool {
        match (pattern, subject) {
            ([], []) => true,
            ([">"], [_, ..]) => true,
            (["*", pattern @ ..], [_, subject @ ..]) => rest(pattern, subject),
            ([same, pattern @ ..], [token, subject @ ..]) => same == token && rest(pattern, subject),
            _ => false,
        }
    }
    let subject = tokens(subject);
    !subject.contains(&"") && rest(&tokens(pattern), &subject)
}
