//! What clients say: as the model understands it, and as bytes.

use super::dice::Dice;

/// The options of a CONNECT; what is not there stays as it was.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    pub verbose: Option<bool>,
    pub pedantic: Option<bool>,
    pub echo: Option<bool>,
    pub headers: Option<bool>,
    pub no_responders: Option<bool>,
    pub protocol: Option<u8>,
}

/// A published message; no two have the same body and reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub subject: String,
    pub reply: String,
    pub header_bytes: usize,
    pub body: Vec<u8>,
}

/// One operation of a client.
#[derive(Debug, Clone)]
pub enum Op {
    Connect(Options),
    Subscribe {
        subject: String,
        queue: String,
        sid: String,
    },
    Unsubscribe {
        sid: String,
        max: u32,
    },
    Publish(Message),
    Ping,
    /// Nothing follows from it.
    Idle(&'static str),
    /// It ends the connection; with what answer.
    Wrong(&'static str, Option<&'static str>),
}

impl Message {
    /// What stands behind the sid when it is delivered.
    pub fn tail(&self, with_headers: bool) -> Vec<u8> {
        let hidden = if with_headers { 0 } else { self.header_bytes };
        let body = &self.body[hidden..];
        let reply = if self.reply.is_empty() { String::new() } else { format!("{} ", self.reply) };
        let header =
            if with_headers && self.header_bytes > 0 { format!("{} ", self.header_bytes) } else { String::new() };
        [format!("{reply}{header}{}\r\n", body.len()).as_bytes(), body, b"\r\n"].concat()
    }
}

impl Op {
    /// The operation in one of the ways it can be spelled.
    pub fn bytes(&self, dice: &mut Dice) -> Vec<u8> {
        let (words, payload): (Vec<String>, Option<&[u8]>) = match self {
            Op::Connect(options) => (vec!["CONNECT".into(), options.document()], None),
            Op::Subscribe { subject, queue, sid } if queue.is_empty() => (words(&["SUB", subject, sid]), None),
            Op::Subscribe { subject, queue, sid } => (words(&["SUB", subject, queue, sid]), None),
            Op::Unsubscribe { sid, max: 0 } if !dice.once_in(4) => (words(&["UNSUB", sid]), None),
            Op::Unsubscribe { sid, max } => (words(&["UNSUB", sid, &max.to_string()]), None),
            Op::Publish(message) => {
                let Message { subject, reply, header_bytes, body } = message;
                let mut line = words(&[if *header_bytes > 0 { "HPUB" } else { "PUB" }, subject]);
                line.extend((!reply.is_empty()).then(|| reply.clone()));
                line.extend((*header_bytes > 0).then(|| header_bytes.to_string()));
                line.push(body.len().to_string());
                (line, Some(body))
            }
            Op::Ping => (words(&["PING"]), None),
            Op::Idle(text) | Op::Wrong(text, _) => return text.as_bytes().to_vec(),
        };
        let mut line = words[0].clone();
        let odd = dice.once_in(8);
        if odd && dice.once_in(2) {
            line.make_ascii_lowercase();
        }
        for word in &words[1..] {
            line.push_str(if odd { dice.pick(&[" ", "  ", "\t", " \t "]) } else { " " });
            line.push_str(word);
        }
        line.push_str(if odd { dice.pick(&["\n", "\r\n", " \r\n"]) } else { "\r\n" });
        match payload {
            None => line.into_bytes(),
            Some(body) => [line.as_bytes(), body, b"\r\n"].concat(),
        }
    }

    /// Any operation, by a client that may send headers or not; `id` is another number each time.
    pub fn any(dice: &mut Dice, id: usize, headers: bool) -> Self {
        match dice.weighted(&[300, 150, 900, 80, 40, 30, 5]) {
            0 => Op::Subscribe { subject: pattern(dice), queue: queue(dice), sid: sid(dice) },
            1 => Op::Unsubscribe { sid: sid(dice), max: dice.pick(&[0, 0, 0, 1, 2, 3, 5, 20]) },
            2 => Op::Publish(Message::any(dice, id, headers)),
            3 => Op::Ping,
            4 => Op::Idle(dice.pick(&["PONG\r\n", "+OK\r\n", "INFO {}\r\n", "pong x\n"])),
            5 => Op::Connect(Options::any(dice)),
            _ => {
                let (text, answer) = dice.pick(&WRONG[usize::from(headers)..]);
                Op::Wrong(text, answer)
            }
        }
    }
}

/// What ends a connection, found at its last byte; the first of them only where headers were not negotiated.
const WRONG: [(&str, Option<&str>); 9] = [
    ("HPUB a 2 4\r\n", None),
    ("PUB a 99999999\r\n", Some("Maximum Payload Violation")),
    ("Z", Some("Unknown Protocol Operation")),
    ("SUB a\r\n", None),
    ("PUB a -1\r\n", None),
    ("-ERR 'x'\r\n", None),
    ("CONNECT {\"protocol\":2}\r\n", Some("invalid client protocol")),
    ("CONNECT {\"account\":\"x\"}\r\n", Some("Authorization Violation")),
    ("CONNECT []\r\n", None),
];

impl Options {
    /// Some options changed, seldom in a way that is refused.
    pub fn any(dice: &mut Dice) -> Self {
        let mut option = |yes: usize, no: usize| [Some(true), Some(false), None][dice.weighted(&[yes, no, 2])];
        let mut options = Self {
            verbose: option(1, 12),
            pedantic: option(1, 8),
            echo: option(6, 4),
            headers: option(8, 2),
            no_responders: option(5, 2),
            protocol: [Some(1), Some(0), None][dice.below(3)],
        };
        if options.no_responders == Some(true) && !dice.once_in(20) {
            options.headers = Some(true);
        }
        options
    }

    fn document(&self) -> String {
        let Self { verbose, pedantic, echo, headers, no_responders, protocol } = *self;
        let switches = [
            ("verbose", verbose),
            ("pedantic", pedantic),
            ("echo", echo),
            ("headers", headers),
            ("no_responders", no_responders),
        ];
        let mut parts: Vec<String> =
            switches.into_iter().filter_map(|(name, value)| value.map(|value| format!("\"{name}\":{value}"))).collect();
        parts.extend(protocol.map(|protocol| format!("\"protocol\":{protocol}")));
        format!("{{{}}}", parts.join(","))
    }
}

impl Message {
    /// Any message; its number is in its body, or in its reply if the body has no room for it.
    pub fn any(dice: &mut Dice, id: usize, headers: bool) -> Self {
        let subject = subject(dice);
        let header = if headers && dice.once_in(4) {
            dice.pick(&["NATS/1.0\r\n\r\n", "hi", "NATS/1.0\r\nA: b\r\n\r\n"])
        } else {
            ""
        };
        let size = match dice.weighted(&[60, 20, 4, 3, 3, 1, 1]) {
            0 => 4 + dice.below(20),
            1 => dice.below(4),
            2 => 480 + dice.below(60),
            3 => 980 + dice.below(60),
            4 => 4080 + dice.below(40),
            5 => 8100 + dice.below(100),
            _ => 20_000 + dice.below(50_000),
        };
        let number = id.to_string();
        let fits = number.len() < size;
        let mut body = [header, if fits { &number } else { "" }].concat().into_bytes();
        body.resize(header.len() + size, b'.');
        let reply = match dice.below(12) {
            _ if !fits => format!("reply.{number}"),
            0..6 => String::new(),
            6 => dice.pick(&["_R_.x", "$JS.ACK.x", "_GR_.x"]).into(),
            7..10 => format!("{}.{}", dice.pick(&["a", "b", "reply"]), dice.below(3)),
            _ => dice.pick(&["$JS.ACK.", "a..b", "*", "reply"]).into(),
        };
        Self { subject, reply, header_bytes: header.len(), body }
    }
}

fn subject(dice: &mut Dice) -> String {
    match dice.below(30) {
        0 => dice.pick(&["", ".", "x", "_", "$"][1..]).into(),
        1 => dice.pick(&["_GR_.x", "_GR_.", "$NRG.x", "_R_.x", "_GR_"]).into(),
        2 => dice.pick(&["a..b", "a.", ".a", "*", ">", "a.*", "a.>.b", "*.b"]).into(),
        3 => format!("a.long.subject.of.many.tokens.{}", dice.below(3)),
        4..16 => "a".into(),
        _ => {
            let count = 1 + dice.below(3);
            (0..count).map(|_| dice.pick(&["a", "b", "c"])).collect::<Vec<_>>().join(".")
        }
    }
}

fn pattern(dice: &mut Dice) -> String {
    match dice.below(24) {
        0 => dice.pick(&["a..b", "a.", ">.a", "a.>.b", ".", "a.b.c.d.e.f"]).into(),
        1 => dice.pick(&["reply.*", "reply.>", "*.1", "reply.0", "_R_.x"]).into(),
        2 => dice.pick(&["a*", "a.long.subject.>", "a.long.subject.of.many.tokens.1", "*.>"]).into(),
        3..10 => "a".into(),
        _ => {
            let count = 1 + dice.below(3);
            let mut tokens: Vec<&str> = (0..count).map(|_| dice.pick(&["a", "a", "b", "c", "*"])).collect();
            if dice.once_in(5) {
                *tokens.last_mut().unwrap() = ">";
            }
            tokens.join(".")
        }
    }
}

fn queue(dice: &mut Dice) -> String {
    match dice.below(20) {
        0 => dice.pick(&["_sys_", "a-name-that-has-no-room-in-place", "q..>"]).into(),
        1..6 => dice.pick(&["q", "q", "r"]).into(),
        _ => String::new(),
    }
}

fn sid(dice: &mut Dice) -> String {
    match dice.below(10) {
        0 => dice.pick(&["a-sid-with-more-than-14-bytes", "x", "00"]).into(),
        _ => (1 + dice.below(7)).to_string(),
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.into()).collect()
}
