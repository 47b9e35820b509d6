//! TLS handshakes of a worker: a few in each turn, after the traffic, so that a storm of them costs the other connections
//! little.

use super::Worker;
use crate::reactor::socket::Step;
use std::time::{Duration, Instant};

/// Time for handshakes in one turn. A step, of which a handshake has two or three, is never cut short, so on a slow machine
/// one is all that a turn has.
const TURN_TIME: Duration = Duration::from_micros(250);

/// Steps in one turn.
const STEPS_MAX: usize = 16;

impl Worker {
    /// Goes on with the handshakes that can go on.
    pub(super) fn shake_hands(&mut self) {
        let end = Instant::now() + TURN_TIME;
        for _ in 0..self.entering.len().min(STEPS_MAX) {
            let Some(key) = self.entering.pop_front() else { break };
            // As with those to read: the key may be another connection's now.
            if let Some(Some(socket)) = self.sockets.get_mut(key as usize)
                && std::mem::take(&mut socket.queued)
            {
                self.step(key);
            }
            if Instant::now() >= end {
                break;
            }
        }
        self.act();
    }

    fn step(&mut self, key: u32) {
        let is_open = self.broker.client(key).is_some_and(|client| client.is_open());
        let Some(Some(socket)) = self.sockets.get_mut(key as usize) else { return };
        if !is_open {
            // It was refused. What it sends is read and thrown away like that of any other.
            socket.go_plain();
            return self.enqueue(key);
        }
        let step = socket.step(&mut self.tls_buffers);
        self.count_socket(key);
        let Some(Some(socket)) = self.sockets.get_mut(key as usize) else { return };
        match step {
            Step::Waiting => self.enqueue(key),
            Step::Begun => {
                self.broker.handshake_begun(key);
                self.enqueue(key);
            }
            Step::Plain => {
                socket.go_plain();
                self.enqueue(key);
            }
            Step::Up(secured) => {
                // Operations may have come with the end of the handshake, and output may have waited for it.
                socket.stream.readable = true;
                self.broker.secured(key, secured);
                self.enqueue(key);
                self.write(key);
            }
            Step::Failed { reason, is_probe } => {
                self.broker.handshake_failed(key, &reason, is_probe);
                self.act();
            }
        }
        self.trim_at = self.trim_at.or(Some(self.now + super::TRIM_MS));
    }
}
