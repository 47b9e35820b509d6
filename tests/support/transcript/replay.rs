//! Playing one case in one mode against a server that is already running.

use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

use super::peer::{Manners, Mismatch, Peer, Role};
use super::plan::{Mode, Task, plan};
use super::script::{Act, Case, Document, Script, Step};
use crate::support::settings::Value;

/// The payload limit a server has unless its settings say otherwise, in bytes.
const MAX_PAYLOAD_DEFAULT: usize = 1 << 20;

/// The server a case is played against.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where other servers of its cluster come in, if it has one.
    pub routes: Option<SocketAddr>,
    /// How many other connections are asked for a PONG between two pieces of a write, to make sure that the server
    /// read the first piece on its own. One for each worker.
    pub probes: usize,
    /// True for a server that does not take care that its last words arrive.
    pub resets: bool,
}

/// A case that went wrong.
#[derive(Debug)]
pub struct Failure {
    file: String,
    line: usize,
    case: String,
    mode: Mode,
    connection: String,
    mismatch: Mismatch,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "{}:{}: case `{}`, {}", self.file, self.line, self.case, self.mode)?;
        writeln!(f, "    on {} expected", self.connection)?;
        writeln!(f, "        {}", self.mismatch.expected)?;
        writeln!(f, "    got")?;
        write!(f, "        {}", self.mismatch.got)
    }
}

/// Plays a case; the first thing that is not as stated comes back.
pub fn replay(script: &Script, case: &Case, mode: Mode, stage: Stage) -> Result<(), Box<Failure>> {
    let max_payload = match script.settings.get("max_payload") {
        Some(Value::Count(count)) => count,
        _ => MAX_PAYLOAD_DEFAULT,
    };
    let pieces = matches!(mode, Mode::Bytes | Mode::Cut(_));
    let manners = Manners {
        max_payload,
        pings_stated: script.pings_stated,
        may_ask: !script.settings.lines().is_empty(),
        // Bytes that arrive long after the server gave up may be answered with a reset.
        reset_allowed: stage.resets || pieces,
        is_clustered: stage.routes.is_some(),
    };
    let mut game = Game {
        stage,
        manners,
        roles: case.connections.iter().map(|name| role(name)).collect(),
        peers: case.connections.iter().map(|_| Seat::Empty).collect(),
        probes: Vec::new(),
    };
    let failure = |(line, connection, mismatch): (usize, usize, Mismatch)| {
        Box::new(Failure {
            file: script.name.clone(),
            line,
            case: case.name.clone(),
            mode,
            connection: case.connections[connection].clone(),
            mismatch,
        })
    };
    if pieces {
        game.open_probes(script.probe.as_deref()).map_err(|mismatch| failure((case.steps[0].line, 0, mismatch)))?;
    }
    let mut last_line = 0;
    for task in plan(case, mode) {
        let (line, connection, result) = match task {
            Task::Write { line, connection, pieces } => (line, connection, game.write(connection, &pieces)),
            Task::Check(step) => (step.line, step.connection, game.check(step)),
        };
        last_line = line;
        result.map_err(|mismatch| failure((line, connection, mismatch)))?;
    }
    game.finish().map_err(|(connection, mismatch)| failure((last_line, connection, mismatch)))
}

/// What a connection with this name is.
fn role(name: &str) -> Role {
    if name.starts_with("Route") { Role::Route } else { Role::Client }
}

/// A connection's state as far as the transcript has told.
enum Seat {
    Empty,
    Open(Box<Peer>),
    Gone,
}

/// A case being played.
struct Game {
    stage: Stage,
    manners: Manners,
    roles: Vec<Role>,
    peers: Vec<Seat>,
    probes: Vec<Peer>,
}

impl Game {
    /// Connects what [`Game::write`] uses between pieces.
    fn open_probes(&mut self, first: Option<&[u8]>) -> Result<(), Mismatch> {
        for _ in 0..self.stage.probes {
            let manners = Manners { pings_stated: false, ..self.manners };
            let mut probe = Peer::open(self.stage.address, Role::Client, manners, &Document::default())?;
            if let Some(first) = first {
                probe.write(first);
            }
            self.probes.push(probe);
        }
        Ok(())
    }

    /// The connection in a seat, which is opened when it is used first.
    fn peer(&mut self, connection: usize) -> Result<&mut Peer, Mismatch> {
        if matches!(self.peers[connection], Seat::Empty) {
            self.open(connection, &Document::default())?;
        }
        match &mut self.peers[connection] {
            Seat::Open(peer) => Ok(peer),
            Seat::Empty | Seat::Gone => Err(misuse("a connection that is still there")),
        }
    }

    /// Connects a seat.
    fn open(&mut self, connection: usize, conditions: &Document) -> Result<(), Mismatch> {
        if !matches!(self.peers[connection], Seat::Empty) {
            return Err(misuse("`opens` as the first step of a connection"));
        }
        let role = self.roles[connection];
        let address = match role {
            Role::Client => self.stage.address,
            Role::Route => self.stage.routes.ok_or_else(|| misuse("a cluster"))?,
        };
        let peer = Peer::open(address, role, self.manners, conditions)?;
        self.peers[connection] = Seat::Open(Box::new(peer));
        Ok(())
    }

    /// Writes pieces, with a round trip on the probes in between.
    fn write(&mut self, connection: usize, pieces: &[Vec<u8>]) -> Result<(), Mismatch> {
        for (index, piece) in pieces.iter().enumerate() {
            if index > 0 {
                for probe in &mut self.probes {
                    probe.expect_open()?;
                }
            }
            self.peer(connection)?.write(piece);
        }
        Ok(())
    }

    /// Everything but writing.
    fn check(&mut self, step: &Step) -> Result<(), Mismatch> {
        match &step.act {
            Act::Opens(conditions) => return self.open(step.connection, conditions),
            Act::OneOf(items) => return self.check_one_of(items),
            Act::Leaves => {
                self.peers[step.connection] = Seat::Gone;
                return Ok(());
            }
            _ => {}
        }
        let peer = self.peer(step.connection)?;
        match &step.act {
            Act::Expect(wanted) => peer.expect(wanted),
            Act::ExpectInfo(conditions) => peer.expect_info(conditions),
            Act::AnyOrder(items) => peer.expect_any_order(items),
            Act::Open => peer.expect_open(),
            Act::Shuts => {
                peer.shut();
                Ok(())
            }
            Act::Closed => {
                peer.expect_closed()?;
                self.peers[step.connection] = Seat::Gone;
                Ok(())
            }
            Act::After(least, most) => {
                let passed = peer.opened().elapsed();
                if (*least..=*most).contains(&passed) {
                    return Ok(());
                }
                Err(Mismatch {
                    expected: format!("this after {least:?} to {most:?}"),
                    got: format!("it after {passed:?}"),
                })
            }
            Act::For(length, sent, wanted) => {
                let end = Instant::now() + *length;
                while Instant::now() < end {
                    peer.write(sent);
                    peer.expect(wanted)?;
                }
                Ok(())
            }
            Act::Send(_) | Act::Opens(_) | Act::OneOf(_) | Act::Leaves => Ok(()),
        }
    }

    /// Exactly one of the items came, all named connections considered.
    fn check_one_of(&mut self, items: &[(usize, Vec<u8>)]) -> Result<(), Mismatch> {
        let mut connections: Vec<usize> = items.iter().map(|item| item.0).collect();
        connections.sort_unstable();
        connections.dedup();
        let mut came = Vec::new();
        for connection in connections {
            let bytes = self.peer(connection)?.take_until_pong()?;
            if !bytes.is_empty() {
                came.push((connection, bytes));
            }
        }
        if came.len() == 1 && items.contains(&came[0]) {
            return Ok(());
        }
        let list = |items: &[(usize, Vec<u8>)]| {
            let lines = items.iter().map(|(_, bytes)| super::text::show(bytes));
            lines.collect::<Vec<_>>().join("\n        ")
        };
        Err(Mismatch {
            expected: format!("exactly one of\n        {}", list(items)),
            got: format!("{} of them\n        {}", came.len(), list(&came)),
        })
    }

    /// The end of a case: what is still open answers, and closes when the client does.
    fn finish(mut self) -> Result<(), (usize, Mismatch)> {
        let open = |seat: &(usize, &mut Seat)| matches!(seat.1, Seat::Open(_));
        let seats = self.peers.iter_mut().enumerate().filter(open);
        let mut peers: Vec<(usize, &mut Peer)> = seats
            .filter_map(|(connection, seat)| match seat {
                Seat::Open(peer) => Some((connection, &mut **peer)),
                Seat::Empty | Seat::Gone => None,
            })
            .collect();
        for (connection, peer) in &mut peers {
            peer.expect_open().map_err(|mismatch| (*connection, mismatch))?;
        }
        for (connection, peer) in &mut peers {
            peer.shut();
            peer.expect_closed().map_err(|mismatch| (*connection, mismatch))?;
        }
        Ok(())
    }
}

/// A transcript that asks for something impossible.
fn misuse(expected: &str) -> Mismatch {
    Mismatch { expected: expected.to_string(), got: "a transcript that is wrong".to_string() }
}
