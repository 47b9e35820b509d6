//! What the main thread does while the workers work: signals, the steps of lame duck mode, the
//! watchdog, and new certificates.

use super::Server;
use super::watchdog::Watchdog;
use crate::config::Source;
use crate::log::Log;
use crate::sys::error_text;
use crate::sys::service::{Manager, Notice};
use crate::sys::signals::{self, Signal};
use std::time::Instant;

/// Tells the service manager, if there is one.
pub fn tell(manager: Option<&Manager>, notice: Notice, log: &Log) {
    if let Some(Err(error)) = manager.map(|manager| manager.tell(notice)) {
        log.warn(format_args!("Cannot tell the service manager: {}", error_text(&error)));
    }
}

impl Server {
    /// Follows signals until the server is to be shut down, which is left to the caller. Meanwhile the manager is told that
    /// every worker works, if it wants to know. A reload reads the options from `source` again. Needs [`signals::block`]
    /// first.
    pub fn attend(&mut self, source: &Source, manager: Option<&Manager>) {
        let mut watchdog = manager.and_then(Watchdog::new);
        loop {
            let now = Instant::now();
            let step_at = self.lame_duck_step(now);
            if self.is_lame_duck() && step_at.is_none() {
                return;
            }
            let look_at = watchdog.as_mut().map(|watchdog| watchdog.look(&self.mailboxes, now));
            let renew_at = self.look_at_certificates(now);
            let deadline = [step_at, look_at, renew_at].into_iter().flatten().min();
            if let Some(signal) = signals::wait(deadline)
                && self.follow(signal, source, manager)
            {
                return;
            }
        }
    }

    /// Does what a signal asks for. True if that is the end.
    fn follow(&mut self, signal: Signal, source: &Source, manager: Option<&Manager>) -> bool {
        let log = self.shared.log.clone();
        log.info(format_args!("Trapped \"{signal}\" signal"));
        match signal {
            Signal::Interrupt => return true,
            // Whoever sent the signal for lame duck mode wants an end without haste.
            Signal::Terminate => return !self.is_lame_duck(),
            Signal::User1 => log.reopen(),
            Signal::Hangup => {
                tell(manager, Notice::Reloading, &log);
                self.reload(source);
                tell(manager, Notice::Ready, &log);
            }
            Signal::User2 => self.enter_lame_duck(Instant::now()),
        }
        false
    }
}
