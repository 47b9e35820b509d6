//! The accounts of this run of the server, by number. They come by configuration and stay, so that a number always means
//! the same one; looking one up takes no lock.

use super::index::Index;
use super::links::{Links, base};
use super::{Account, AccountId, GLOBAL_ACCOUNT, SubjectHash};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

/// Accounts at most: each chunk has twice the room of the one before.
const CHUNKS: usize = 16;

/// A place for an account.
type Slot = OnceLock<Account>;

/// All accounts.
#[derive(Debug)]
pub struct Accounts {
    chunks: [OnceLock<Box<[Slot]>>; CHUNKS],
    global: Account,
    numbers: Mutex<HashMap<String, AccountId>>,
    hash: SubjectHash,
}

impl Accounts {
    /// Only `$G`.
    pub fn new(hash: SubjectHash) -> Self {
        Self {
            chunks: Default::default(),
            global: Account::new("$G", &hash),
            numbers: Mutex::new(HashMap::from([("$G".to_owned(), GLOBAL_ACCOUNT)])),
            hash,
        }
    }

    /// The account with this number, whatever view of it is meant.
    #[inline]
    pub fn get(&self, id: AccountId) -> &Account {
        let (chunk, at) = place(base(id));
        let account = self.chunks.get(chunk).and_then(OnceLock::get).and_then(|chunk| chunk.get(at)?.get());
        account.unwrap_or(&self.global)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The number of the account with this name, if there is one.
    pub fn find(&self, name: &str) -> Option<AccountId> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }

    /// Every account there is now, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (AccountId, &Account)> {
        (0..self.count() as AccountId).map(|id| (id, self.get(id)))
    }

    /// The number of the account with this name, which is made if it is not there, and whether it was. None if there are
    /// too many.
    pub fn number(&self, name: &str) -> Option<(AccountId, bool)> {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&id) = numbers.get(name) {
            return Some((id, false));
        }
        let id = numbers.len() as AccountId;
        let (chunk, at) = place(id);
        let slots = self.chunks.get(chunk)?.get_or_init(|| (0..1usize << chunk).map(|_| Slot::new()).collect());
        slots.get(at)?.get_or_init(|| Account::new(name, &self.hash));
        numbers.insert(name.to_owned(), id);
        Some((id, true))
    }
}

/// The chunk of an account and its place there; `$G` is in none.
fn place(id: AccountId) -> (usize, usize) {
    match id.checked_ilog2() {
        None => (CHUNKS, 0),
        Some(chunk) => (chunk as usize, id as usize - (1 << chunk)),
    }
}

impl Account {
    fn new(name: &str, hash: &SubjectHash) -> Self {
        Self {
            name: name.into(),
            index: RwLock::new(Index::new(hash.clone())),
            connections: AtomicUsize::new(0),
            log: Mutex::default(),
            links: RwLock::default(),
            is_listed: AtomicBool::new(false),
        }
    }

    /// Its mappings and imports, if it has any.
    pub(super) fn links(&self) -> Option<Arc<Links>> {
        self.links.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on it has these.
    pub(super) fn set_links(&self, links: Option<Arc<Links>>) {
        *self.links.write().unwrap_or_else(PoisonError::into_inner) = links;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_and_are_bounded() {
        let accounts = Accounts::new(SubjectHash::new(7));
        assert_eq!(accounts.number("$G"), Some((GLOBAL_ACCOUNT, false)));
        let count = (1 << CHUNKS) - 1;
        for id in 1..=count {
            assert_eq!(accounts.number(&format!("a{id}")), Some((id, true)));
        }
        assert_eq!(accounts.number("one more"), None);
        for id in [1, 2, 3, 4, 7, 8, 1000, count] {
            assert_eq!(accounts.number(&format!("a{id}")), Some((id, false)));
            assert_eq!(*accounts.get(id).name, format!("a{id}"));
        }
        assert_eq!([&*accounts.get(GLOBAL_ACCOUNT).name, &*accounts.get(1 << 29).name], ["$G", "$G"]);
    }
}
