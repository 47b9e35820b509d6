//! Other options for the running server: read and checked whole, then applied at once or not at all.

use super::Server;
use super::certificates::{Tls, Watch};
use super::memory_budget;
use crate::config::reload::{self, Change};
use crate::config::{self, Options, Source};
use crate::log::{Opened, Settings};
use crate::reactor::Letter;
use crate::sys::{error_text, pid_file};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

/// How long it is waited for the workers, and how long for the last lines to the old log. Who takes longer follows later.
const PATIENCE: Duration = Duration::from_secs(1);

/// A reload that can no longer fail.
struct Plan {
    options: Options,
    tls: Tls,
    watch: Watch,
    warnings: Vec<String>,
    changes: Vec<Change>,
    /// Where the log goes from now on, if that changes.
    opened: Option<Opened>,
}

impl Server {
    /// Reads the options again and goes on with them; if anything is wrong with them, it logs what and goes on as before.
    /// When it returns, every worker has them that is not stuck.
    pub fn reload(&mut self, source: &Source) {
        match self.plan(source) {
            Ok(plan) => self.apply(plan),
            Err(reason) => {
                self.shared.log.refusal(format_args!("Failed to reload server configuration: {reason}"));
            }
        }
    }

    /// Everything that can fail. It changes nothing that matters before the reload is certain: at most there is an empty
    /// log file, or a process id in a file more.
    fn plan(&self, source: &Source) -> Result<Plan, String> {
        let (options, warnings) = source.read_again(&config::SYSTEM)?;
        let changes = reload::changes(&self.options, &options)?;
        // The files may have changed even where the options have not.
        let watch = Watch::of(&options);
        let tls = Tls::build(&options)?;
        let (before, after) = (self.options.log_settings(), options.log_settings());
        let opened = if after.writes_like(&before) { None } else { Some(open_log(&after)?) };
        if let Some(path) = options.pid_file.as_ref().filter(|_| changes.iter().any(|change| change.is_of("pid_file")))
        {
            let failed = |error| format!("could not write pidfile: open {}: {}", path.display(), error_text(&error));
            pid_file::write(path).map_err(failed)?;
        }
        Ok(Plan { options, tls, watch, warnings, changes, opened })
    }

    fn apply(&mut self, plan: Plan) {
        let Plan { options, tls, watch, warnings, changes, opened } = plan;
        let had_tls = self.tls.clients.is_some();
        // Kept until the workers have let go of them: with very many users it takes long to forget them.
        let _before = (Arc::clone(&self.options), self.shared.auth(&self.options));
        self.options = Arc::new(options);
        self.tls = tls;
        self.watch = watch;
        let log = self.shared.log.clone();
        warnings.iter().for_each(|warning| log.warn(format_args!("{warning}")));
        // Made here, and not by the first worker that asks for it.
        self.shared.auth(&self.options);
        // Before the workers, which look whether there is anything to trace.
        let Settings { debug, trace, .. } = self.options.log_settings();
        log.set_debug(debug);
        log.set_trace(trace);
        self.shared.budget.set_most(memory_budget(&self.options));
        self.tell_workers();
        if !changes.is_empty() || self.tls.routes.is_some() {
            self.rejoin_cluster();
        }
        let is_changed = |key| changes.iter().any(|change| change.is_of(key));
        if is_changed("ports_file_dir") {
            self.ports_file = None;
            self.write_ports_file();
        }
        if is_changed("max_connections") {
            self.close_surplus();
        }
        match (had_tls, &self.tls.clients) {
            (_, Some(_)) => log.info(format_args!("Reloaded: tls = enabled")),
            (true, None) => log.info(format_args!("Reloaded: tls = disabled")),
            (false, None) => {}
        }
        for change in &changes {
            log.info(format_args!("Reloaded: {change}"));
        }
        if let Some(opened) = opened {
            log.switch(opened, PATIENCE);
        }
        log.info(format_args!("Reloaded server configuration"));
    }

    /// Gives every worker, and monitoring, the options, and what TLS begins with.
    pub(super) fn tell_workers(&self) {
        let (done, all_done) = mpsc::channel();
        for mailbox in &self.mailboxes {
            let (options, acceptor) = (Arc::clone(&self.options), self.tls.clients.clone());
            mailbox.post(Letter::Reload(options, acceptor, done.clone()));
        }
        drop(done);
        if let Some(monitor) = &self.monitor {
            monitor.adopt(Arc::clone(&self.options), self.tls.clients.clone());
        }
        // Nothing is ever sent: the wait ends when the last worker has dropped its end.
        _ = all_done.recv_timeout(PATIENCE);
    }

    /// Has the workers close as many connections as there are too many, each in proportion to what it has.
    fn close_surplus(&self) {
        let counts: Vec<usize> = self.mailboxes.iter().map(|mailbox| mailbox.connections()).collect();
        let mut surplus = self.shared.connections().saturating_sub(self.options.max_connections);
        if surplus == 0 {
            return;
        }
        self.shared.log.info(format_args!("Closed {surplus} connections to fall within max_connections"));
        let mut total: usize = counts.iter().sum();
        for (mailbox, count) in self.mailboxes.iter().zip(counts) {
            // What is left for the workers that are left: so rounding never leaves one over.
            let share = (surplus * count).div_ceil(total.max(1)).min(surplus);
            (surplus, total) = (surplus - share, total - count);
            mailbox.post(Letter::CloseSurplus(share));
        }
    }
}

fn open_log(settings: &Settings) -> Result<Opened, String> {
    settings.open().map_err(|error| error.to_string())
}
