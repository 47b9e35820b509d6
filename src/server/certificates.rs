//! Certificates change while the server runs: new files are taken into use by themselves, and the end of their time is warned
//! of.

use super::Server;
use crate::config::Options;
use crate::log::Log;
use crate::reactor::tls::{Acceptor, RouteTls};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// How long before its end a certificate is warned of, and how often.
const WARN_DAYS: i64 = 30;
const WARN: Duration = Duration::from_secs(DAY as u64);

/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;

/// What new connections begin TLS with.
#[derive(Debug, Default)]
pub(super) struct Tls {
    /// Those of clients; none where they have no TLS.
    pub clients: Option<Arc<Acceptor>>,
    /// The same for routes.
    pub routes: Option<Arc<RouteTls>>,
}

impl Tls {
    /// What the options ask for.
    ///
    /// # Errors
    /// A line that says which file or setting cannot be used.
    pub(super) fn build(options: &Options) -> Result<Self, String> {
        let of_routes = |reason| format!("cluster: {reason}");
        Ok(Self { clients: Acceptor::build(options)?, routes: RouteTls::build(options).map_err(of_routes)? })
    }

    /// When the first of the certificates expires, in seconds since 1970.
    fn expires(&self) -> Option<i64> {
        let clients = self.clients.as_ref().and_then(|tls| tls.expires());
        let routes = self.routes.as_ref().and_then(|tls| tls.expires());
        clients.into_iter().chain(routes).min()
    }

    fn is_there(&self) -> bool {
        self.clients.is_some() || self.routes.is_some()
    }
}

/// What is known of the files in use.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Each as it was when it was last looked at.
    files: Vec<Stamp>,
    look_at: Option<Instant>,
    warn_at: Option<Instant>,
}

/// What changes with a file: when it was written, its size, and which file it is; nothing if there is none.
type Stamp = Option<(SystemTime, u64, u64)>;

impl Watch {
    /// The files that the options name, as they are now. They are looked at before they are read: what is written in between
    /// counts as new.
    pub(super) fn of(options: &Options) -> Self {
        Self { files: stamps(options), ..Self::default() }
    }
}

impl Server {
    /// Looks at the files if it is time. Returns when to look next; none where there is no TLS.
    pub(super) fn look_at_certificates(&mut self, now: Instant) -> Option<Instant> {
        if !self.tls.is_there() {
            return None;
        }
        if self.watch.warn_at.is_none_or(|at| at <= now) {
            self.watch.warn_at = Some(now + WARN);
            warn_of_end(self.tls.expires(), SystemTime::now(), &self.shared.log);
        }
        if let Some(at) = self.watch.look_at.filter(|at| *at > now) {
            return Some(at);
        }
        if self.watch.look_at.is_some() {
            self.renew_certificates();
        }
        self.watch.look_at = Some(now + LOOK);
        self.watch.look_at
    }

    /// Takes changed files into use; if they are of no use, all stays as it is.
    fn renew_certificates(&mut self) {
        let files = stamps(&self.options);
        if files == self.watch.files {
            return;
        }
        self.watch.files = files;
        match Tls::build(&self.options) {
            Ok(tls) => {
                self.tls = tls;
                self.watch.warn_at = None;
                self.tell_workers();
                self.rejoin_cluster();
                self.shared.log.info(format_args!("Reloaded: tls certificates"));
            }
            Err(reason) => {
                let log = &self.shared.log;
                log.error(format_args!(
                    "TLS certificates have changed and cannot be used, the old ones stay: {reason}"
                ));
            }
        }
    }
}

fn stamps(options: &Options) -> Vec<Stamp> {
    let blocks = [&options.tls, &options.cluster.tls].into_iter().flatten();
    blocks
        .flat_map(|tls| {
            let pairs = tls.certificates.iter().flat_map(|pair| [&pair.certificate, &pair.key]);
            pairs.chain(&tls.ca_file).map(|path| stamp(path))
        })
        .collect()
}

fn stamp(path: &Path) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    let file = std::fs::metadata(path).ok()?;
    Some((file.modified().ok()?, file.len(), file.ino()))
}

fn warn_of_end(expires: Option<i64>, now: SystemTime, log: &Log) {
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64);
    match expires.map(|at| at - now) {
        Some(left) if left < 0 => log.warn(format_args!("The TLS certificate of the server has expired")),
        Some(left) if left < WARN_DAYS * DAY => {
            log.warn(format_args!("The TLS certificate of the server expires in {} days", left / DAY));
        }
        _ => {}
    }
}
