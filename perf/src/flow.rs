//! The engine of every run in which publishers send flat out: one blocking thread per publisher that only writes
//! prebuilt buffers, and one epoll loop that counts the bytes of all subscribers without looking at them.
//!
//! Every delivery of a run has the same width, so bytes are messages. A subscriber's stream ends with the PONG of a
//! PING sent when all was published, which makes the count exact: nothing can come after it.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::clients::{Client, PATIENCE, PONG_BYTES};
use crate::proc::Process;
use crate::script::Script;
use crate::sys::{self, Epoll};

/// Most bytes taken off one socket per call.
const TAKE_BYTES: usize = 4 << 20;

/// Bytes that must have arrived before a subscriber's socket counts as readable, so that the generator is not woken,
/// at the server's cost as well, for every few messages.
const LOW_WATER_BYTES: u64 = 32 << 10;

/// One publishing connection and what it repeats.
pub struct Publisher<'a> {
    pub client: Client,
    pub script: &'a Script,
}

/// Who must get what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Every subscriber gets every message.
    Everyone,
    /// Subscriber `i` gets the messages of publisher `i`.
    Pairs,
    /// Each delivery goes to one subscriber or another; only the sum is known.
    Pool,
}

/// A set of connections between which messages flow.
pub struct Flow<'a> {
    pub publishers: Vec<Publisher<'a>>,
    pub subscribers: Vec<Client>,
    pub sharing: Sharing,
    /// Width of every delivery, in bytes.
    pub line_bytes: u64,
    /// Most bytes of deliveries under way at any time, so that no subscriber falls behind the limit at which a server
    /// cuts it off.
    pub window_bytes: u64,
}

/// What one run of a flow moved and cost.
#[derive(Clone, Debug, Default)]
pub struct Moved {
    pub published: u64,
    /// Messages that must have reached subscribers.
    pub delivered: u64,
    /// Those of them that did not.
    pub lost: u64,
    /// From the first write until the last subscriber had everything (without subscribers: until the last PONG).
    pub elapsed: Duration,
    pub server_cpu: Duration,
    pub own_cpu: Duration,
    /// Anything that should not have happened.
    pub trouble: Option<String>,
}

impl Flow<'_> {
    /// Publishes for `time` and waits until everything has arrived. `servers` are whose CPU time is taken.
    pub fn run(&mut self, time: Duration, servers: &[Process]) -> io::Result<Moved> {
        let (nudge, nudged) = UnixStream::pair()?;
        nudged.set_nonblocking(true)?;
        let shared = Shared::new(self.publishers.len(), self.window_bytes, self.line_bytes);
        let mut counter = Counter::new(&self.subscribers, nudged, &shared)?;
        let (server_cpu, own_cpu, start) = (cpu(servers)?, Process::own().cpu()?, Instant::now());
        let until = start + time;

        let (mut moved, sent) = thread::scope(|scope| -> io::Result<(Moved, Vec<Sent>)> {
            let (shared, nudge) = (&shared, &nudge);
            let threads: Vec<_> = self
                .publishers
                .iter_mut()
                .map(|publisher| scope.spawn(move || publisher.publish(until, shared, nudge)))
                .collect();
            counter.count_until_all(time + PATIENCE)?;
            let moved = Moved {
                elapsed: start.elapsed(),
                server_cpu: cpu(servers)?.saturating_sub(server_cpu),
                own_cpu: Process::own().cpu()?.saturating_sub(own_cpu),
                ..Moved::default()
            };
            let sent = threads.into_iter().map(|t| t.join().expect("a publisher thread panicked")).collect();
            Ok((moved, sent))
        })?;

        moved.published = sent.iter().map(|s| s.published).sum();
        moved.delivered = sent.iter().map(|s| s.delivered).sum();
        moved.trouble = sent.iter().find_map(|s| s.trouble.clone());
        counter.finish()?;
        counter.judge(&sent, self.sharing, &mut moved);
        Ok(moved)
    }
}

/// The CPU time of all of them so far.
fn cpu(servers: &[Process]) -> io::Result<Duration> {
    servers.iter().map(|server| server.cpu()).sum()
}

/// What a publisher thread reports.
struct Sent {
    published: u64,
    delivered: u64,
    trouble: Option<String>,
}

impl Publisher<'_> {
    fn publish(&mut self, until: Instant, shared: &Shared, mut nudge: &UnixStream) -> Sent {
        let mut sent = Sent { published: 0, delivered: 0, trouble: None };
        let result = self.publish_until(until, shared, &mut sent);
        sent.trouble = result.err().map(|e| format!("publisher: {e}"));
        if shared.publishers_left.fetch_sub(1, SeqCst) == 1 {
            // Wakes the counter, which may wait for bytes that have all come. If it is gone there is nobody to wake.
            let _ = nudge.write_all(&[1]);
        }
        sent
    }

    fn publish_until(&mut self, until: Instant, shared: &Shared, sent: &mut Sent) -> io::Result<()> {
        for (slice, bytes) in self.script.writes() {
            if Instant::now() >= until || !shared.admit(slice.delivered) {
                break;
            }
            self.client.send(bytes)?;
            sent.published += slice.published;
            sent.delivered += slice.delivered;
        }
        self.client.barrier()
    }
}

/// What the publishers and the counter both see.
struct Shared {
    publishers_left: AtomicUsize,
    line_bytes: u64,
    window_bytes: u64,
    /// Bytes of deliveries caused so far.
    caused: AtomicU64,
    /// Bytes counted so far.
    counted: AtomicU64,
    /// Publishers waiting for the window to open.
    waiting: AtomicUsize,
    /// A subscriber is gone or stuck: no more publishing.
    failed: AtomicBool,
    gate: Mutex<()>,
    opened: Condvar,
}

impl Shared {
    fn new(publishers: usize, window_bytes: u64, line_bytes: u64) -> Shared {
        Shared {
            publishers_left: AtomicUsize::new(publishers),
            line_bytes,
            window_bytes,
            caused: AtomicU64::new(0),
            counted: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            gate: Mutex::new(()),
            opened: Condvar::new(),
        }
    }

    /// Adds deliveries to those under way, waiting first while there are too many. `false` when the run has failed.
    fn admit(&self, delivered: u64) -> bool {
        if self.under_way() > self.window_bytes {
            let mut guard = self.gate.lock().expect("no thread panics with this lock");
            self.waiting.fetch_add(1, SeqCst);
            // Half empty before it goes on: a wake-up per write would cost more than the writes.
            while self.under_way() > self.window_bytes / 2 && !self.failed.load(SeqCst) {
                guard = self.opened.wait(guard).expect("no thread panics with this lock");
            }
            self.waiting.fetch_sub(1, SeqCst);
        }
        self.caused.fetch_add(delivered * self.line_bytes, SeqCst);
        !self.failed.load(SeqCst)
    }

    fn count(&self, bytes: u64) {
        self.counted.fetch_add(bytes, SeqCst);
        if self.waiting.load(SeqCst) > 0 && self.under_way() <= self.window_bytes / 2 {
            self.open();
        }
    }

    fn fail(&self) {
        self.failed.store(true, SeqCst);
        self.open();
    }

    fn open(&self) {
        let _guard = self.gate.lock().expect("no thread panics with this lock");
        self.opened.notify_all();
    }

    fn under_way(&self) -> u64 {
        self.caused.load(SeqCst).saturating_sub(self.counted.load(SeqCst))
    }
}

/// The subscribers' side: counts bytes per connection.
struct Counter<'a> {
    subscribers: &'a [Client],
    shared: &'a Shared,
    epoll: Epoll,
    nudged: UnixStream,
    totals: Vec<u64>,
    sum: u64,
    closed: usize,
}

impl<'a> Counter<'a> {
    fn new(subscribers: &'a [Client], nudged: UnixStream, shared: &'a Shared) -> io::Result<Counter<'a>> {
        let epoll = Epoll::new(512)?;
        // What waits unseen on all sockets together never fills the window.
        let low_water = (shared.window_bytes / 4 / subscribers.len().max(1) as u64).min(LOW_WATER_BYTES);
        for (key, client) in subscribers.iter().enumerate() {
            sys::set_receive_low_water(&client.stream, low_water as usize)?;
            epoll.add(client.stream.as_raw_fd(), key)?;
        }
        epoll.add(nudged.as_raw_fd(), subscribers.len())?;
        Ok(Counter { subscribers, shared, epoll, nudged, totals: vec![0; subscribers.len()], sum: 0, closed: 0 })
    }

    /// Counts until the publishers are done and all they caused has come, or nothing has come for `patience`.
    fn count_until_all(&mut self, patience: Duration) -> io::Result<()> {
        let mut published = false;
        loop {
            if !published && self.shared.publishers_left.load(SeqCst) == 0 {
                published = true;
                for client in self.subscribers {
                    sys::set_receive_low_water(&client.stream, 1)?;
                }
            }
            if published && self.sum >= self.shared.caused.load(SeqCst) {
                return Ok(());
            }
            if self.turn(patience)? == 0 || self.closed > 0 {
                self.shared.fail();
                if published {
                    return Ok(());
                }
            }
        }
    }

    /// Ends every stream with a PONG and counts the rest, so that what has not come by then is lost for certain.
    fn finish(&mut self) -> io::Result<()> {
        let expected = self.shared.caused.load(SeqCst) / self.shared.line_bytes.max(1);
        for client in self.subscribers {
            // A connection that the server has closed shows in the count.
            let _ = (&client.stream).write_all(b"PING\r\n");
        }
        while self.messages() < expected && self.turn(PATIENCE / 4)? > 0 {}
        // What has arrived beyond that (a PING of the server, or messages too many) counts as well.
        while self.turn(Duration::ZERO)? > 0 {}
        Ok(())
    }

    /// Waits once and counts what is there. Returns the number of ready connections, 0 when `patience` has passed.
    fn turn(&mut self, patience: Duration) -> io::Result<usize> {
        let ready = self.epoll.wait(patience)?;
        let mut bytes = 0;
        for index in 0..ready {
            let key = self.epoll.key(index);
            let Some(client) = self.subscribers.get(key) else {
                // The nudge has done its work by ending the wait.
                let _ = self.nudged.read(&mut [0; 8]);
                continue;
            };
            match sys::recv_discard(&client.stream, TAKE_BYTES) {
                Ok(n) if n > 0 => {
                    self.totals[key] += n as u64;
                    bytes += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                _ => {
                    self.epoll.remove(client.stream.as_raw_fd())?;
                    self.closed += 1;
                }
            }
        }
        self.sum += bytes;
        if bytes > 0 {
            self.shared.count(bytes);
        }
        Ok(ready)
    }

    /// Messages on all streams, once each has ended with its PONG.
    fn messages(&self) -> u64 {
        self.totals.iter().map(|total| self.whole(*total)).sum()
    }

    /// Messages on a stream of `total` bytes.
    fn whole(&self, total: u64) -> u64 {
        total.saturating_sub(PONG_BYTES) / self.shared.line_bytes.max(1)
    }

    /// Whether behind the messages comes only the PONG, and perhaps a PING that the server happened to send during the
    /// run or the PONG of the run before, if a PING was taken for it.
    fn ends_well(&self, total: u64) -> bool {
        let rest = total - self.whole(total) * self.shared.line_bytes;
        rest.is_multiple_of(PONG_BYTES) && (1..=3).contains(&(rest / PONG_BYTES))
    }

    /// Compares the counts with what was sent.
    fn judge(&self, sent: &[Sent], sharing: Sharing, moved: &mut Moved) {
        let mut lost = 0;
        let mut extra = 0;
        let mut compare = |expected: u64, got: u64| {
            lost += expected.saturating_sub(got);
            extra += got.saturating_sub(expected);
        };
        match sharing {
            Sharing::Pool => compare(moved.delivered, self.messages()),
            Sharing::Everyone => self.totals.iter().for_each(|t| compare(moved.published, self.whole(*t))),
            Sharing::Pairs => self.totals.iter().zip(sent).for_each(|(t, s)| compare(s.published, self.whole(*t))),
        }
        moved.lost = lost;
        let odd = self.totals.iter().filter(|t| !self.ends_well(**t)).count();
        let found = if self.closed > 0 {
            Some(format!("the server closed {} of {} subscribers", self.closed, self.totals.len()))
        } else if extra > 0 {
            Some(format!("{extra} messages too many"))
        } else if odd > 0 && lost == 0 {
            Some(format!("{odd} streams do not end with a PONG"))
        } else {
            None
        };
        if moved.trouble.is_none() {
            moved.trouble = found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_holds_a_publisher_until_half_is_counted() {
        let shared = Shared::new(1, 1000, 10);
        assert!(shared.admit(60));
        assert!(shared.admit(60));
        thread::scope(|scope| {
            let blocked = scope.spawn(|| shared.admit(1));
            while shared.waiting.load(SeqCst) == 0 {
                thread::yield_now();
            }
            shared.count(600);
            assert!(!blocked.is_finished());
            shared.count(200);
            assert!(blocked.join().unwrap());
        });
        assert_eq!(shared.under_way(), 410);
    }

    #[test]
    fn a_failed_run_releases_its_publishers() {
        let shared = Shared::new(1, 10, 10);
        assert!(shared.admit(2));
        thread::scope(|scope| {
            let blocked = scope.spawn(|| shared.admit(1));
            shared.fail();
            assert!(!blocked.join().unwrap());
        });
    }
}
