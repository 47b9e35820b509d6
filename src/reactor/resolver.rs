//! One thread that finds the addresses of names, so that no worker waits for a name server. It is not the thread that checks
//! passwords: a name server that does not answer must keep no client out.
//!
//! It begins with the first name there is. Answers come back as letters.

use super::mailbox::{Letter, Mailbox};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;

/// Names that may wait.
const NAMES_MAX: usize = 1024;

/// A name and port whose addresses are wanted, and the number to be given back with them.
type Question = (u64, String, u16);

/// The thread, with what it is to find out for one worker.
#[derive(Debug)]
pub struct Resolver {
    mailbox: Arc<Mailbox>,
    questions: Option<SyncSender<Question>>,
}

impl Resolver {
    /// For the worker with this mailbox.
    pub fn new(mailbox: Arc<Mailbox>) -> Self {
        Self { mailbox, questions: None }
    }

    /// Has the addresses of a host found. The answer may be that this cannot be done now.
    pub fn ask(&mut self, number: u64, host: String, port: u16) {
        if self.questions.is_none() {
            self.questions = self.start();
        }
        let refused = match &self.questions {
            Some(questions) => questions.try_send((number, host, port)).err().map(|refused| match refused {
                TrySendError::Full((_, host, _)) | TrySendError::Disconnected((_, host, _)) => host,
            }),
            None => Some(host),
        };
        if let Some(host) = refused {
            self.mailbox.post(Letter::Resolved(number, host, Err("too many names to look up".to_owned())));
        }
    }

    /// The thread ends with the sender.
    fn start(&self) -> Option<SyncSender<Question>> {
        let (questions, asked) = sync_channel::<Question>(NAMES_MAX);
        let mailbox = Arc::clone(&self.mailbox);
        let work = move || {
            for (number, host, port) in asked {
                let found = resolve(&host, port);
                mailbox.post(Letter::Resolved(number, host, found));
            }
        };
        thread::Builder::new().name("resolver".into()).spawn(work).ok().map(|_| questions)
    }
}

fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let failed = |_| format!("lookup {host}: no such host");
    (host, port).to_socket_addrs().map(|found| found.collect()).map_err(failed)
}
