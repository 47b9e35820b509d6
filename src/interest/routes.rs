//! Which routes are alive.
//!
//! What a route wants is all over the indexes. When it goes, one number here says so, and no result has it any more; its
//! targets are swept out of the indexes later, a part at a time.

use super::targets::{GENERATION_MAX, Target};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// Routes at most at the same time.
pub const ROUTES_MAX: usize = 1024;

/// The routes of all workers by number.
#[derive(Debug)]
pub struct Routes {
    /// The number of the live route that has the place, and one more; 0 for none.
    live: Box<[AtomicU32]>,
    next: Mutex<u32>,
}

impl Default for Routes {
    fn default() -> Self {
        Self { live: (0..ROUTES_MAX).map(|_| AtomicU32::new(0)).collect(), next: Mutex::new(0) }
    }
}

impl Routes {
    /// A new route of a worker; None if there are too many. Numbers come again only after millions of others.
    pub fn open(&self, worker: u8) -> Option<Target> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..ROUTES_MAX {
            let number = *next;
            *next = if number == GENERATION_MAX { 0 } else { number + 1 };
            let place = self.place(number);
            if place.load(Ordering::Relaxed) == 0 {
                place.store(number + 1, Ordering::Release);
                return Some(Target::route(worker, number, 0, 0));
            }
        }
        None
    }

    /// The route is gone.
    pub fn close(&self, route: Target) {
        let number = route.generation();
        _ = self.place(number).compare_exchange(number + 1, 0, Ordering::Release, Ordering::Relaxed);
    }

    /// True until it is gone.
    #[inline]
    pub fn is_live(&self, route: Target) -> bool {
        let number = route.generation();
        self.place(number).load(Ordering::Acquire) == number + 1
    }

    fn place(&self, number: u32) -> &AtomicU32 {
        &self.live[number as usize % ROUTES_MAX]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_not_used_again_soon_and_their_count_is_bounded() {
        let routes = Routes::default();
        let all: Vec<Target> = (0..ROUTES_MAX).map(|_| routes.open(3).unwrap()).collect();
        assert!(routes.open(3).is_none());
        routes.close(all[7]);
        assert!(!routes.is_live(all[7]) && routes.is_live(all[6]));
        let next = routes.open(4).unwrap();
        assert!(next.generation() as usize > ROUTES_MAX && next.worker() == 4);
        assert!(routes.is_live(next) && !routes.is_live(all[7]));
        routes.close(all[7]);
        assert!(routes.is_live(next), "the old one is closed once");
    }
}
