//! Buffers put aside for the next one who needs one.

/// A few empty buffers, kept so that a steady flow of large messages or batches does not go to the allocator for each.
#[derive(Debug)]
pub struct Spares {
    buffers: Vec<Vec<u8>>,
    count_max: usize,
    capacity_max: usize,
}

impl Spares {
    /// Keeps at most `count_max` buffers of at most `capacity_max` bytes each.
    pub fn new(count_max: usize, capacity_max: usize) -> Self {
        Self { buffers: Vec::new(), count_max, capacity_max }
    }

    /// An empty buffer.
    pub fn take(&mut self) -> Vec<u8> {
        self.buffers.pop().unwrap_or_default()
    }

    /// Gives a buffer back.
    pub fn give(&mut self, mut buffer: Vec<u8>) {
        if self.buffers.len() < self.count_max && (1..=self.capacity_max).contains(&buffer.capacity()) {
            buffer.clear();
            self.buffers.push(buffer);
        }
    }

    /// Bytes of all of them.
    pub fn bytes(&self) -> usize {
        self.buffers.iter().map(Vec::capacity).sum()
    }

    /// Returns everything to the allocator.
    pub fn trim(&mut self) {
        self.buffers = Vec::new();
    }
}
