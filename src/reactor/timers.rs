//! Coarse timers: a wheel of lists, linked inside the entries.

/// Milliseconds a timer may be late.
const TICK_MS: u64 = 16;
const SLOTS: usize = 512;
const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Entry {
    due: u64,
    previous: u32,
    next: u32,
    /// The slot it is in; `NONE` if its timer is not set.
    slot: u32,
}

const UNSET: Entry = Entry { due: 0, previous: NONE, next: NONE, slot: NONE };

/// One timer for each key.
#[derive(Debug)]
pub struct Timers {
    entries: Vec<Entry>,
    slots: Box<[u32]>,
    /// The tick up to which the wheel was turned.
    tick: u64,
    /// No slot before this tick has a timer. It may be too early after a timer was taken back.
    earliest: u64,
    count: usize,
}

impl Timers {
    /// None set.
    pub fn new(now: u64) -> Self {
        Self { entries: Vec::new(), slots: vec![NONE; SLOTS].into(), tick: now / TICK_MS, earliest: 0, count: 0 }
    }

    /// Sets the timer of `key`, instead of the one that was set.
    pub fn set(&mut self, key: u32, due: u64) {
        self.clear(key);
        if self.entries.len() <= key as usize {
            self.entries.resize(key as usize + 1, UNSET);
        }
        // A time beyond the wheel waits in its last slot and is put in again from there.
        let tick = due.div_ceil(TICK_MS).clamp(self.tick + 1, self.tick + SLOTS as u64 - 1);
        let slot = tick as usize % SLOTS;
        let next = std::mem::replace(&mut self.slots[slot], key);
        if let Some(after) = self.entries.get_mut(next as usize) {
            after.previous = key;
        }
        self.entries[key as usize] = Entry { due, previous: NONE, next, slot: slot as u32 };
        self.earliest = if self.count == 0 { tick } else { self.earliest.min(tick) };
        self.count += 1;
    }

    /// Takes the timer of `key` back, if it is set.
    pub fn clear(&mut self, key: u32) {
        let Some(&Entry { previous, next, slot, .. }) = self.entries.get(key as usize) else { return };
        if slot == NONE {
            return;
        }
        self.entries[key as usize] = UNSET;
        match self.entries.get_mut(previous as usize) {
            Some(before) => before.next = next,
            None => self.slots[slot as usize] = next,
        }
        if let Some(after) = self.entries.get_mut(next as usize) {
            after.previous = previous;
        }
        self.count -= 1;
    }

    /// Turns the wheel up to `now` and appends the keys whose time has come.
    pub fn take_due(&mut self, now: u64, out: &mut Vec<u32>) {
        let end = now / TICK_MS;
        if self.count == 0 || end < self.earliest {
            self.tick = self.tick.max(end);
            return;
        }
        let turns = end.saturating_sub(self.tick).min(SLOTS as u64);
        let first = self.tick + 1;
        self.tick = self.tick.max(end);
        for tick in first..first + turns {
            let mut key = std::mem::replace(&mut self.slots[tick as usize % SLOTS], NONE);
            while let Some(entry) = self.entries.get_mut(key as usize) {
                let Entry { due, next, .. } = std::mem::replace(entry, UNSET);
                self.count -= 1;
                if due <= now {
                    out.push(key)
                } else {
                    self.set(key, due)
                }
                key = next;
            }
        }
        let ahead = (1..SLOTS as u64).find(|ahead| self.slots[(self.tick + ahead) as usize % SLOTS] != NONE);
        self.earliest = self.tick + ahead.unwrap_or_default();
    }

    /// Milliseconds until [`take_due`](Self::take_due) should be called again.
    pub fn wait(&self, now: u64) -> Option<u64> {
        (self.count > 0).then(|| (self.earliest * TICK_MS).saturating_sub(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_timer_goes_off_once_and_never_early() {
        let mut timers = Timers::new(1000);
        let mut wanted = vec![0; 200];
        let mut seed = 12345u64;
        let mut random = |bound: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % bound
        };
        for key in 0..200u32 {
            timers.set(key, 5);
            wanted[key as usize] = 1000 + random(60_000);
            timers.set(key, wanted[key as usize]);
        }
        for key in (0..200).step_by(10) {
            timers.clear(key);
            timers.clear(key);
            wanted[key as usize] = 0;
        }
        let (mut now, mut due) = (1000, Vec::new());
        while let Some(wait) = timers.wait(now) {
            now += wait + random(3) * 10;
            timers.take_due(now, &mut due);
            for key in due.drain(..) {
                let want = std::mem::take(&mut wanted[key as usize]);
                assert!(want != 0 && want <= now && now < want + 2 * TICK_MS + 30, "{key}: {want} at {now}");
            }
        }
        assert!(wanted.iter().all(|&want| want == 0), "{wanted:?}");
    }

    #[test]
    fn a_long_sleep_misses_nothing() {
        let mut timers = Timers::new(0);
        let mut due = Vec::new();
        for key in 0..100 {
            timers.set(key, u64::from(key) * 1000);
        }
        timers.take_due(10_000_000, &mut due);
        while timers.count > 0 {
            let wait = timers.wait(10_000_000).expect("timers are set");
            timers.take_due(10_000_000 + wait, &mut due);
        }
        assert_eq!(due.len(), 100);
    }
}
