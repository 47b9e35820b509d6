//! Going without haste: no more clients, time for those that are there to find another server, then one after the other
//! is sent away.

use super::Server;
use crate::reactor::Letter;
use std::time::{Duration, Instant};

/// The longest pause between two clients.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// How often it is looked whether clients are left.
const LOOK: Duration = Duration::from_millis(100);

/// How far it is.
#[derive(Debug)]
pub(super) struct LameDuck {
    phase: Phase,
    /// When the rest is closed at once.
    end: Instant,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Clients have full service until then.
    Grace(Instant),
    /// The next is sent away at this time, and the one after it no later than the pause says.
    Closing { next: Instant, pause_max: Duration, worker: usize },
}

impl Server {
    /// Enters lame duck mode: connections are refused from now on, and clients that take news of the server hear that it
    /// goes. [`lame_duck_step`](Self::lame_duck_step) does the rest. Doing it again has no effect.
    pub fn enter_lame_duck(&mut self, now: Instant) {
        if self.is_lame_duck() {
            return;
        }
        self.shared.log.info(format_args!("Entering lame duck mode, stop accepting new clients"));
        self.mailboxes.iter().for_each(|mailbox| mailbox.post(Letter::LameDuck));
        if let Some(monitor) = &self.monitor {
            monitor.close_to_clients();
        }
        let options = &self.options;
        let until = now + options.lame_duck_grace_period;
        self.lame_duck = Some(LameDuck { phase: Phase::Grace(until), end: now + options.lame_duck_duration });
    }

    /// True from [`enter_lame_duck`](Self::enter_lame_duck) on.
    pub fn is_lame_duck(&self) -> bool {
        self.lame_duck.is_some()
    }

    /// Does what is due of lame duck mode. Returns when to call it again; none when the server may be shut down, because
    /// no client is left or the time is over.
    pub fn lame_duck_step(&mut self, now: Instant) -> Option<Instant> {
        let clients = self.shared.connections();
        let workers = self.mailboxes.len();
        let LameDuck { phase, end } = self.lame_duck.as_mut()?;
        if clients == 0 || workers == 0 || now >= *end {
            return None;
        }
        if let Phase::Grace(until) = *phase {
            if now < until {
                return Some(until.min(now + LOOK));
            }
            self.shared.log.info(format_args!("Closing existing clients"));
            *phase = Phase::Closing { next: now, pause_max: pause_max(*end - until, clients), worker: 0 };
        }
        if let Phase::Closing { next, pause_max, worker } = phase
            && now >= *next
        {
            // In turn, so that no worker is empty long before the others.
            self.mailboxes[*worker].post(Letter::SendOneAway(workers - 1));
            *worker = (*worker + 1) % workers;
            // Without randomness it goes on, only less evenly.
            *next = now + pause(*pause_max, super::random().unwrap_or_default());
        }
        let Phase::Closing { next, .. } = *phase else { return None };
        Some(next.min(now + LOOK).min(*end))
    }
}

/// The upper bound of the pauses that spread so many clients over `span`.
fn pause_max(span: Duration, clients: usize) -> Duration {
    (span / u32::try_from(clients).unwrap_or(u32::MAX).max(1)).min(PAUSE_MAX)
}

/// A pause of at least half of `max` and less than that.
fn pause(max: Duration, random: u64) -> Duration {
    let half = max / 2;
    let nanos = u64::try_from((max - half).as_nanos()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_nanos(random % nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_spread_the_clients_over_the_time_but_are_no_longer_than_a_second() {
        for (seconds, clients, ms) in [(110, 1, 1000), (110, 110, 1000), (110, 220, 500), (110, 110_000, 1), (0, 7, 0)]
        {
            let longest = pause_max(Duration::from_secs(seconds), clients);
            assert_eq!(longest, Duration::from_millis(ms), "{clients} in {seconds}s");
        }
        assert_eq!(
            pause_max(Duration::from_secs(110), usize::MAX),
            Duration::from_nanos(110_000_000_000 / 4_294_967_295)
        );
    }

    #[test]
    fn a_pause_is_between_half_of_the_longest_and_that() {
        for nanos in [0, 1, 2, 3, 1_000_000_000] {
            let max = Duration::from_nanos(nanos);
            for random in [0, 1, 499_999_999, 500_000_000, u64::MAX] {
                let pause = pause(max, random);
                assert!(pause >= max / 2 && (pause < max || nanos == 0), "{pause:?} of {max:?}");
            }
        }
        let long = Duration::from_secs(1);
        assert_eq!(pause(long, 499_999_999) - pause(long, 0), Duration::from_nanos(499_999_999));
    }
}
