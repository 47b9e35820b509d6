//! A publisher and a subscriber who have nothing to do with the fault: it must not show to them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::peer::Peer;

/// Messages of one exchange.
const BURST: usize = 10;

/// The time between two exchanges of busy ones.
const PACE: Duration = Duration::from_millis(1);

/// Two clients.
#[derive(Debug)]
pub struct Bystanders {
    publisher: Peer,
    subscriber: Peer,
    /// Messages exchanged so far, the number of the next one.
    next: usize,
}

/// Two clients that exchange messages all the time.
#[derive(Debug)]
pub struct Busy {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Bystanders>,
}

impl Bystanders {
    /// Connects both.
    pub fn connect(address: SocketAddr) -> Bystanders {
        let mut subscriber = Peer::connect(address);
        subscriber.subscribe("bystanders");
        Bystanders { publisher: Peer::connect(address), subscriber, next: 0 }
    }

    /// Some messages go from one to the other, and nothing is lost, doubled or changed.
    pub fn exchange(&mut self) {
        for number in self.next..self.next + BURST {
            self.publisher.publish("bystanders", number.to_string().as_bytes());
        }
        for number in self.next..self.next + BURST {
            self.subscriber.expect_message("bystanders", number.to_string().as_bytes());
        }
        self.next += BURST;
    }

    /// The two of them.
    pub fn into_peers(self) -> [Peer; 2] {
        [self.publisher, self.subscriber]
    }

    /// Goes on with it until told to stop.
    pub fn keep_busy(mut self) -> Busy {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                self.exchange();
                // They are to notice delays, not to make them.
                thread::sleep(PACE);
            }
            self
        });
        Busy { stop, thread }
    }
}

impl Busy {
    /// The two after another exchange; panics if any message went wrong.
    pub fn stop(self) -> Bystanders {
        self.stop.store(true, Ordering::Relaxed);
        let mut bystanders = self.thread.join().expect("the bystanders notice nothing");
        bystanders.exchange();
        bystanders
    }
}
