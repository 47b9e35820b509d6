//! Signals as a queue: blocked in every thread, taken one by one by the thread that waits for them.
//!
//! No handler ever runs, so nothing is limited to what is safe inside one.

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::time::Instant;

/// A signal the server acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: stop.
    Interrupt,
    /// SIGTERM: stop.
    Terminate,
    /// SIGHUP: reload.
    Hangup,
    /// SIGUSR1: reopen the log.
    User1,
    /// SIGUSR2: lame duck.
    User2,
}

impl Signal {
    /// Every signal that is waited for.
    pub const ALL: [Signal; 5] = [Signal::Interrupt, Signal::Terminate, Signal::Hangup, Signal::User1, Signal::User2];

    /// The name the official server logs: `Trapped "interrupt" signal`.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Interrupt => "interrupt",
            Signal::Terminate => "terminated",
            Signal::Hangup => "hangup",
            Signal::User1 => "user defined signal 1",
            Signal::User2 => "user defined signal 2",
        }
    }

    pub(super) fn number(self) -> libc::c_int {
        match self {
            Signal::Interrupt => libc::SIGINT,
            Signal::Terminate => libc::SIGTERM,
            Signal::Hangup => libc::SIGHUP,
            Signal::User1 => libc::SIGUSR1,
            Signal::User2 => libc::SIGUSR2,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Blocks every signal of [`Signal::ALL`] in the calling thread and ignores SIGPIPE, SIGALRM and SIGXFSZ in the process:
/// a peer that hangs up and a file that reaches its limit are errors of a write, not the end.
///
/// Call it in the main thread before any other is started: threads inherit what is blocked, and a signal that one of
/// them did not block would end the process instead of reaching [`wait`].
///
/// # Errors
/// What the system says; nothing is then certain about the mask.
pub fn block() -> io::Result<()> {
    let set = awaited();
    // SAFETY: `set` is an initialised set, the old mask is not asked for, and SIG_IGN is a valid disposition.
    unsafe {
        match libc::pthread_sigmask(libc::SIG_BLOCK, &set, ptr::null_mut()) {
            0 => {}
            code => return Err(io::Error::from_raw_os_error(code)),
        }
        for ignored in [libc::SIGPIPE, libc::SIGALRM, libc::SIGXFSZ] {
            if libc::signal(ignored, libc::SIG_IGN) == libc::SIG_ERR {
                return Err(io::Error::last_os_error());
            }
        }
    }
    Ok(())
}

/// Waits until one of [`Signal::ALL`] arrives and takes it off the queue; `None` when `deadline` has come first. Without
/// a deadline it waits as long as it takes. Needs [`block`] first.
pub fn wait(deadline: Option<Instant>) -> Option<Signal> {
    let set = awaited();
    loop {
        let number = match deadline {
            None => next(&set),
            Some(deadline) => next_before(&set, deadline),
        };
        let signal = number.and_then(|number| Signal::ALL.into_iter().find(|signal| signal.number() == number));
        if signal.is_some() || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return signal;
        }
    }
}

/// The next signal of the set; none after an interruption.
fn next(set: &libc::sigset_t) -> Option<libc::c_int> {
    let mut number = 0;
    // SAFETY: `set` is an initialised set and `number` a valid place for the answer.
    let code = unsafe { libc::sigwait(set, &mut number) };
    (code == 0).then_some(number)
}

/// The next signal of the set before that time; none after an interruption too.
fn next_before(set: &libc::sigset_t, deadline: Instant) -> Option<libc::c_int> {
    let left = deadline.saturating_duration_since(Instant::now());
    // SAFETY: all-zero is a valid `timespec`. Some systems have padding in it, so that it cannot be written as a literal.
    let mut time = unsafe { MaybeUninit::<libc::timespec>::zeroed().assume_init() };
    // The width of both fields differs between systems; a day is as good as any time beyond it, because the caller looks
    // at the clock again.
    time.tv_sec = left.as_secs().min(24 * 60 * 60) as _;
    time.tv_nsec = left.subsec_nanos() as _;
    // SAFETY: set and time are initialised, and what else there is to know of the signal is not asked for.
    let number = unsafe { libc::sigtimedwait(set, ptr::null_mut(), &time) };
    (number > 0).then_some(number)
}

/// Sends `signal` to this process, so that whoever is in [`wait`] gets it.
///
/// # Errors
/// What the system says; it has no reason to refuse.
pub fn raise(signal: Signal) -> io::Result<()> {
    // SAFETY: no pointers. kill and not raise(3): the latter would reach only the calling thread's own queue.
    match unsafe { libc::kill(libc::getpid(), signal.number()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn awaited() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises the whole set; sigaddset then changes an initialised set.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in Signal::ALL {
            libc::sigaddset(set.as_mut_ptr(), signal.number());
        }
        set.assume_init()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn names_are_the_official_ones() {
        let names: Vec<String> = Signal::ALL.iter().map(Signal::to_string).collect();
        assert_eq!(names, ["interrupt", "terminated", "hangup", "user defined signal 1", "user defined signal 2"]);
    }

    #[test]
    fn a_blocked_signal_waits_in_the_queue() {
        block().unwrap();
        for signal in Signal::ALL {
            // To this thread only: the other threads of the test program have not blocked it.
            // SAFETY: the thread is this one, the number a valid signal.
            assert_eq!(unsafe { libc::pthread_kill(libc::pthread_self(), signal.number()) }, 0);
            assert_eq!(wait(None), Some(signal));
        }
    }

    #[test]
    fn the_wait_ends_at_its_deadline_or_with_a_signal_before_it() {
        block().unwrap();
        let start = Instant::now();
        let soon = start + Duration::from_millis(20);
        assert_eq!(wait(Some(soon)), None);
        assert!(Instant::now() >= soon);
        // SAFETY: as above.
        assert_eq!(unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGUSR2) }, 0);
        assert_eq!(wait(Some(start + Duration::from_secs(1_000_000))), Some(Signal::User2));
        assert_eq!(wait(Some(start)), None, "a deadline in the past is looked at once");
    }
}
