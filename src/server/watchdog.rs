//! The service manager hears that the server lives as long as every worker's loop turns.

use crate::reactor::{Letter, Mailbox};
use crate::sys::service::{Manager, Notice};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Asks the workers and tells the manager.
#[derive(Debug)]
pub(super) struct Watchdog<'a> {
    manager: &'a Manager,
    /// How often the manager is told: half of what it allows.
    interval: Duration,
    /// Workers that have not answered the last question.
    missing: Arc<AtomicUsize>,
    /// When it is due to tell and to ask again.
    due: Option<Instant>,
}

impl<'a> Watchdog<'a> {
    /// None if the manager does not watch.
    pub(super) fn new(manager: &'a Manager) -> Option<Self> {
        let interval = manager.watchdog()? / 2;
        Some(Self { manager, interval, missing: Arc::default(), due: None })
    }

    /// Tells the manager if it is time and all workers have answered, and asks them again. Returns when to look next:
    /// soon, while a worker keeps it waiting. One that hangs is not asked again, so that its mailbox does not grow.
    pub(super) fn look(&mut self, mailboxes: &[Arc<Mailbox>], now: Instant) -> Instant {
        let due = *self.due.get_or_insert(now);
        if now < due {
            return due;
        }
        if self.missing.load(Ordering::Relaxed) > 0 {
            return now + self.interval / 8;
        }
        // A manager that does not hear us will do what it thinks right.
        _ = self.manager.tell(Notice::Alive);
        self.missing.store(mailboxes.len(), Ordering::Relaxed);
        mailboxes.iter().for_each(|mailbox| mailbox.post(Letter::Answer(Arc::clone(&self.missing))));
        let next = now + self.interval;
        self.due = Some(next);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Poll, Token};
    use std::os::unix::net::UnixDatagram;

    /// Whether the manager was told in the meantime.
    fn was_told(heard: &UnixDatagram) -> bool {
        let mut buffer = [0; 64];
        heard.recv(&mut buffer).is_ok_and(|bytes| &buffer[..bytes] == b"WATCHDOG=1")
    }

    /// A worker's turn.
    fn answer(mailbox: &Mailbox) -> usize {
        let mut letters = Vec::new();
        mailbox.empty(&mut letters);
        for letter in &letters {
            let Letter::Answer(missing) = letter else { panic!("{letter:?}") };
            missing.fetch_sub(1, Ordering::Relaxed);
        }
        letters.len()
    }

    #[test]
    fn the_manager_is_told_only_while_every_worker_answers() {
        let path = std::env::temp_dir().join(format!("midge-watchdog-{}", std::process::id()));
        let heard = UnixDatagram::bind(&path).unwrap();
        heard.set_nonblocking(true).unwrap();
        let manager = Manager::from_environment(|name| match name {
            "NOTIFY_SOCKET" => Some(path.clone().into()),
            "WATCHDOG_USEC" => Some("16000000".into()),
            _ => None,
        });
        let manager = manager.unwrap().unwrap();
        let poll = Poll::new().unwrap();
        // Only one waker fits a poll; the workers' polls play no part here.
        let other = Poll::new().unwrap();
        let mailboxes = [&poll, &other].map(|poll| Arc::new(Mailbox::new(poll.registry(), Token(0)).unwrap()));
        let mut watchdog = Watchdog::new(&manager).unwrap();
        let start = Instant::now();
        let seconds = |count| start + Duration::from_secs(count);
        assert_eq!((watchdog.look(&mailboxes, start), was_told(&heard)), (seconds(8), true));
        assert_eq!(answer(&mailboxes[0]), 1);
        assert_eq!((watchdog.look(&mailboxes, seconds(7)), was_told(&heard)), (seconds(8), false));
        assert_eq!((watchdog.look(&mailboxes, seconds(8)), was_told(&heard)), (seconds(9), false), "one is missing");
        assert_eq!((watchdog.look(&mailboxes, seconds(99)), was_told(&heard)), (seconds(100), false));
        assert_eq!([answer(&mailboxes[0]), answer(&mailboxes[1])], [0, 1], "each is asked once");
        assert_eq!((watchdog.look(&mailboxes, seconds(100)), was_told(&heard)), (seconds(108), true));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_manager_that_does_not_watch_needs_nothing() {
        let manager = Manager::from_environment(|name| (name == "NOTIFY_SOCKET").then(|| "@nobody".into()));
        assert!(Watchdog::new(&manager.unwrap().unwrap()).is_none());
    }
}
