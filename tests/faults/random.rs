//! Random numbers that can be had again: xorshift64*, from a seed that is printed.

use std::time::{SystemTime, UNIX_EPOCH};

/// A source of random numbers.
pub struct Random(u64);

impl Random {
    /// From `MIDGE_SEED` if that is set, else a new seed each time. A failing test shows which.
    pub fn new() -> Random {
        let seed = match std::env::var("MIDGE_SEED") {
            Ok(text) => text.parse().expect("MIDGE_SEED is a number"),
            Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_nanos() as u64,
        };
        println!("MIDGE_SEED={seed}");
        Random(seed | 1)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }

    /// One of several things.
    pub fn one_of<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.below(things.len())]
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.below(256) as u8).collect()
    }
}
