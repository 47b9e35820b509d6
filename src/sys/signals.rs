//! Signals as a queue: blocked in every thread, taken one by one by the thread that waits for them.
//!
//! No handler ever runs, so nothing is limited to what is safe inside one.

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

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

    fn number(self) -> libc::c_int {
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

/// Waits until one of [`Signal::ALL`] arrives and takes it off the queue. Needs [`block`] first.
pub fn wait() -> Signal {
    let set = awaited();
    loop {
        let mut number = 0;
        // SAFETY: `set` is an initialised set and `number` a valid place for the answer.
        let code = unsafe { libc::sigwait(&set, &mut number) };
        // sigwait may fail with EINTR on some systems; that is no signal of ours.
        if code == 0
            && let Some(signal) = Signal::ALL.into_iter().find(|signal| signal.number() == number)
        {
            return signal;
        }
    }
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
            assert_eq!(wait(), signal);
        }
    }
}
