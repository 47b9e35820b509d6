//! Other options for a broker that has clients already.

use super::stall;
use super::{Broker, Local};
use crate::config::Options;
use crate::wire::Limits;
use std::sync::Arc;

/// Connections closed in one go because there are too many: about a millisecond.
const SURPLUS_PART: usize = 256;

/// What the options say about the size of operations.
pub(super) fn limits(options: &Options) -> Limits {
    Limits { control_line_max: options.max_control_line, payload_max: options.max_payload, headers: false }
}

impl Broker {
    /// Goes on with other options, and with debug and trace as the log has them now. Clients hear nothing of it, and a
    /// timer that runs keeps its time.
    pub fn adopt(&mut self, options: Arc<Options>) {
        self.limits = limits(&options);
        let auth = self.shared.auth(&options);
        self.local.adopt(options);
        if !Arc::ptr_eq(&auth, &self.auth) {
            self.auth = auth;
            self.recheck_all();
        }
    }

    /// Closes so many connections, whichever: there are more than there may be. Only the first are closed at once, the
    /// others are chores.
    pub fn close_surplus(&mut self, count: usize) {
        self.surplus = count;
        self.close_part();
    }

    /// Closes some of those that are too many.
    pub(super) fn close_part(&mut self) {
        for _ in 0..self.surplus.min(SURPLUS_PART) {
            let clients = &self.local.clients;
            let from = self.random.below(clients.capacity().max(1));
            let open = |key: &usize| clients.get(*key).is_some_and(|client| client.is_open() && !client.is_route());
            let Some(key) = (from..clients.capacity()).chain(0..from).find(open) else {
                self.surplus = 0;
                return;
            };
            self.surplus -= 1;
            self.local.refuse_connection(key as u32);
        }
    }
}

impl Local {
    fn adopt(&mut self, options: Arc<Options>) {
        self.trace = self.shared.log.trace_on();
        let before = Arc::clone(&self.options);
        self.stall_bytes = stall::threshold(&options, self.shared.budget.most());
        self.turn_max = self.turn_max();
        self.options = options;
        self.recount_addresses(&before);
        let look_from = self.look_from();
        // It is 0 for a connection that gets nothing any more.
        for (_, client) in self.clients.iter_mut().filter(|(_, client)| client.look_from > 0) {
            client.look_from = look_from;
        }
    }
}
