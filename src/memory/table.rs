//! A hash table of places in a slab, made for looking up what is far apart in memory.
//!
//! Each bucket has half of the hash beside the place, so a look costs one cache line for what is not there and one more,
//! the slab's, for what is; and growing needs no look at the slab at all. Buckets are probed one after the other, and
//! a removal moves back those it would cut off, so that nothing is left behind.

/// Marks a bucket without an entry; no slab has that many.
const FREE: u32 = u32::MAX;

/// Buckets at least, once there are any. A power of two, as all counts are.
const BUCKETS_MIN: usize = 4;

#[derive(Debug, Clone, Copy)]
struct Bucket {
    hash: u32,
    place: u32,
}

/// Places by hash.
#[derive(Debug, Default)]
pub struct Table {
    buckets: Vec<Bucket>,
    len: usize,
}

impl Table {
    /// The entry with this hash that `is_it`.
    #[inline]
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let hash = hash as u32;
        let mut at = self.home(hash);
        loop {
            let bucket = self.buckets.get(at)?;
            if bucket.place == FREE {
                return None;
            }
            if bucket.hash == hash && is_it(bucket.place) {
                return Some(bucket.place);
            }
            at = self.after(at);
        }
    }

    /// Adds a place that is not there.
    pub fn insert(&mut self, hash: u64, place: u32) {
        debug_assert_ne!(place, FREE);
        if self.len >= self.buckets.len() * 7 / 8 {
            self.resize(self.buckets.len() * 2);
        }
        self.len += 1;
        self.put(Bucket { hash: hash as u32, place });
    }

    /// Takes a place away; false if it was not there.
    pub fn remove(&mut self, hash: u64, place: u32) -> bool {
        let hash = hash as u32;
        let mut gap = self.home(hash);
        loop {
            match self.buckets.get(gap) {
                None => return false,
                Some(bucket) if bucket.place == FREE => return false,
                Some(bucket) if bucket.place == place => break,
                Some(_) => gap = self.after(gap),
            }
        }
        let mask = self.buckets.len() - 1;
        let mut at = gap;
        loop {
            at = self.after(at);
            let bucket = self.buckets[at];
            if bucket.place == FREE {
                break;
            }
            // It may fill the gap if that lies between where it would like to be and where it is.
            let distance = |from: usize| at.wrapping_sub(from) & mask;
            if distance(self.home(bucket.hash)) >= distance(gap) {
                self.buckets[gap] = bucket;
                gap = at;
            }
        }
        self.buckets[gap].place = FREE;
        self.len -= 1;
        if self.buckets.len() > BUCKETS_MIN && self.len < self.buckets.len() / 8 {
            self.resize(self.buckets.len() / 2);
        }
        true
    }

    /// Where the search for a hash begins.
    #[inline]
    fn home(&self, hash: u32) -> usize {
        hash as usize & self.buckets.len().wrapping_sub(1)
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.buckets.len() - 1)
    }

    /// Entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All places, in no order.
    pub fn places(&self) -> impl Iterator<Item = u32> {
        self.buckets.iter().map(|bucket| bucket.place).filter(|&place| place != FREE)
    }

    fn put(&mut self, new: Bucket) {
        let mut at = self.home(new.hash);
        while self.buckets[at].place != FREE {
            at = self.after(at);
        }
        self.buckets[at] = new;
    }

    fn resize(&mut self, count: usize) {
        let free = vec![Bucket { hash: 0, place: FREE }; count.max(BUCKETS_MIN)];
        for bucket in std::mem::replace(&mut self.buckets, free) {
            if bucket.place != FREE {
                self.put(bucket);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Table;
    use std::collections::BTreeMap;

    /// Few different hashes, so that chains are long, meet and go round the end.
    #[test]
    fn agrees_with_a_map_under_churn() {
        let mut table = Table::default();
        let mut naive: BTreeMap<u32, u64> = BTreeMap::new();
        let mut dice = 7u64;
        for step in 0..200_000u32 {
            dice = dice.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let place = (dice >> 33) as u32 % 300;
            let hash = u64::from(place * 7 % 50) | 0xffff_ff00;
            let may_grow = step / 20_000 % 2 == 0;
            match naive.remove(&place) {
                Some(hash) => assert!(table.remove(hash, place)),
                None if may_grow => {
                    naive.insert(place, hash);
                    table.insert(hash, place);
                }
                None => assert!(!table.remove(hash, place)),
            }
            assert_eq!(table.len(), naive.len());
            assert_eq!(table.find(hash, |at| at == place), naive.contains_key(&place).then_some(place));
        }
        let mut places: Vec<u32> = table.places().collect();
        places.sort();
        assert_eq!(places, naive.keys().copied().collect::<Vec<_>>());
        for (place, hash) in naive {
            assert!(table.remove(hash, place));
        }
        assert_eq!(table.len, 0);
        assert!(table.buckets.len() <= super::BUCKETS_MIN, "an empty table holds on to its memory");
    }
}
