//! Work that no peer waits for and that is too much for one turn: some of it is done each turn.

use super::Broker;

impl Broker {
    /// True if there is such work.
    pub fn has_chores(&self) -> bool {
        !self.local.leaving.is_empty()
            || !self.local.departures.is_empty()
            || self.surplus > 0
            || self.recheck.is_some()
            || self.untold_from.is_some()
            || self.has_route_chores()
            || self.waits_for_others()
    }

    /// Does some of it.
    pub fn do_chores(&mut self) {
        self.tell_of_departures();
        self.local.remove_part();
        self.close_part();
        self.recheck_part();
        self.tell_news_part();
        self.do_route_chores();
    }
}
