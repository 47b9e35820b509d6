//! The server is about to go, and sends its clients to others: first a word, then one after the other.

use super::reason::Reason;
use super::{Broker, Occasion};

impl Broker {
    /// Tells every client that takes news that the server is about to go.
    pub fn announce_end(&mut self) {
        self.announce_end_to_peers();
        for key in self.keys() {
            if self.local.clients[key as usize].takes_news() {
                self.send_info(key, Occasion::LameDuck);
            }
        }
    }

    /// Closes one connection, whatever it is at; what waits for it is flushed. False if there is none left. Each call
    /// goes on behind the last one, so that sending all away is one walk over them.
    pub fn send_one_away(&mut self) -> bool {
        let clients = &self.local.clients;
        let open = |key: &usize| clients.get(*key).is_some_and(|client| client.is_open() && !client.is_route());
        let Some(key) = (self.send_away_from..clients.capacity()).find(open) else { return false };
        self.send_away_from = key + 1;
        self.local.close(key as u32, Reason::ServerShutdown, None);
        true
    }
}
