//! Choices from a seed.

use crate::broker::random::Random;

/// A random source whose every choice can be repeated.
pub struct Dice(Random);

impl Dice {
    /// Neighbouring seeds give unrelated choices.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        (0..8).for_each(|_| _ = random.below(2));
        Self(random)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound)
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// The place of one of several weights, larger ones more often.
    pub fn weighted(&mut self, weights: &[usize]) -> usize {
        let mut left = self.below(weights.iter().sum());
        weights
            .iter()
            .position(|&weight| match left.checked_sub(weight) {
                Some(less) => {
                    left = less;
                    false
                }
                None => true,
            })
            .unwrap_or(0)
    }
}
