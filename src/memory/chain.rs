//! Chains of pooled blocks: the output of connections.
//!
//! Blocks are linked by their numbers within the pool, so a chain is two numbers and a count, and appending or
//! writing never moves bytes. A block either owns its bytes or shares a payload with other chains.

use super::copy::put;
use slab::Slab;
use std::io::IoSlice;
use std::sync::Arc;

/// Bytes of one block. Not a power of two, so that blocks do not all start at the same cache lines.
pub const BLOCK_BYTES: usize = 8 * 1024 - 64;

/// A message larger than this is spread over blocks; a smaller one starts a new block rather than being split.
const WHOLE_MAX: usize = 1024;

const NONE: u32 = u32::MAX;

/// A queue of bytes. It holds blocks of the pool it was filled from and must be cleared with that pool.
#[derive(Debug)]
pub struct Chain {
    head: u32,
    tail: u32,
    bytes: usize,
}

impl Default for Chain {
    fn default() -> Self {
        Self { head: NONE, tail: NONE, bytes: 0 }
    }
}

impl Chain {
    /// Bytes waiting.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// True if nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }
}

#[derive(Debug)]
enum Data {
    Own(Box<[u8; BLOCK_BYTES]>),
    /// The number of a payload.
    Shared(u32),
    /// A free slot without memory.
    Nothing,
}

#[derive(Debug)]
struct Block {
    data: Data,
    start: u32,
    end: u32,
    next: u32,
}

/// A payload that several chains of the pool may hold.
#[derive(Debug)]
struct Payload {
    bytes: Arc<[u8]>,
    /// Blocks that stand for it.
    blocks: u32,
}

/// The blocks of one worker.
#[derive(Debug)]
pub struct Pool {
    blocks: Vec<Block>,
    /// Free blocks that have their memory still.
    free: u32,
    free_count: usize,
    /// Free slots without memory.
    bare: u32,
    /// Blocks with memory of their own, in use or free.
    own_count: usize,
    /// Blocks in chains, of either kind.
    used_count: usize,
    payloads: Slab<Payload>,
    /// The payload that was appended last: nearly always it is appended to several chains in a row.
    last_payload: u32,
    /// Bytes of all payloads.
    payload_bytes: usize,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            blocks: Vec::new(),
            free: NONE,
            free_count: 0,
            bare: NONE,
            own_count: 0,
            used_count: 0,
            payloads: Slab::new(),
            last_payload: NONE,
            payload_bytes: 0,
        }
    }
}

impl Pool {
    /// Bytes of memory the pool holds, free blocks included, shared payloads not.
    pub fn bytes(&self) -> usize {
        self.own_count * BLOCK_BYTES
    }

    /// Bytes of memory the pool holds or has a share in, all told. A payload that other pools hold too counts in each.
    pub fn held(&self) -> usize {
        self.bytes() + self.payload_bytes + self.blocks.capacity() * size_of::<Block>()
    }

    /// Gives the memory of free blocks back, but for `keep` of them.
    pub fn trim(&mut self, keep: usize) {
        if self.used_count == 0 && keep == 0 {
            *self = Self::default();
        }
        while self.free_count > keep {
            let at = self.free;
            let block = &mut self.blocks[at as usize];
            self.free = block.next;
            self.free_count -= 1;
            self.own_count -= 1;
            block.data = Data::Nothing;
            block.next = self.bare;
            self.bare = at;
        }
    }

    /// Appends the parts, one behind the other.
    pub fn append<const N: usize>(&mut self, chain: &mut Chain, parts: [&[u8]; N]) {
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        if bytes > WHOLE_MAX {
            return self.append_long(chain, &parts);
        }
        let room = self.room(chain, bytes);
        let mut at = 0;
        for part in &parts {
            at = put(room, at, part);
        }
    }

    /// Appends `op`, subject, SP, sid, SP, tail: [`append`](Self::append) for what nearly all output is.
    #[inline(always)]
    pub fn append_message(&mut self, chain: &mut Chain, op: &[u8], subject: &[u8], sid: &[u8], tail: &[u8]) {
        let bytes = op.len() + subject.len() + 1 + sid.len() + 1 + tail.len();
        if bytes > WHOLE_MAX {
            return self.append_long(chain, &[op, subject, b" ", sid, b" ", tail]);
        }
        let room = self.room(chain, bytes);
        let at = put(room, 0, op);
        let at = put(room, at, subject);
        room[at] = b' ';
        let at = put(room, at + 1, sid);
        room[at] = b' ';
        put(room, at + 1, tail);
    }

    /// Adds `bytes` bytes, at most [`WHOLE_MAX`], to the end of the chain: in its last block if they fit there.
    #[inline(always)]
    fn room(&mut self, chain: &mut Chain, bytes: usize) -> &mut [u8] {
        chain.bytes += bytes;
        let fits = match self.blocks.get(chain.tail as usize) {
            Some(Block { data: Data::Own(_), end, .. }) => BLOCK_BYTES - *end as usize >= bytes,
            _ => false,
        };
        if fits {
            let Block { data: Data::Own(data), end, .. } = &mut self.blocks[chain.tail as usize] else {
                return &mut [];
            };
            let at = *end as usize;
            *end += bytes as u32;
            return &mut data[at..at + bytes];
        }
        self.append_block(chain, bytes)
    }

    /// A new block at the end of the chain, of which `bytes` are to be filled.
    #[inline(never)]
    fn append_block(&mut self, chain: &mut Chain, bytes: usize) -> &mut [u8] {
        let at = self.take_own();
        self.link(chain, at);
        let block = &mut self.blocks[at as usize];
        block.end = bytes as u32;
        match &mut block.data {
            Data::Own(data) => &mut data[..bytes],
            _ => unreachable!("take_own gives a block with memory"),
        }
    }

    #[inline(never)]
    fn append_long(&mut self, chain: &mut Chain, parts: &[&[u8]]) {
        for part in parts {
            let mut rest = *part;
            while !rest.is_empty() {
                let room = match self.blocks.get(chain.tail as usize) {
                    Some(Block { data: Data::Own(_), end, .. }) => BLOCK_BYTES - *end as usize,
                    _ => 0,
                };
                let (now, later) = rest.split_at(rest.len().min(if room == 0 { BLOCK_BYTES } else { room }));
                if room == 0 {
                    self.append_block(chain, now.len()).copy_from_slice(now);
                } else if let Some(Block { data: Data::Own(data), end, .. }) = self.blocks.get_mut(chain.tail as usize)
                {
                    let at = *end as usize;
                    data[at..at + now.len()].copy_from_slice(now);
                    *end += now.len() as u32;
                }
                chain.bytes += now.len();
                rest = later;
            }
        }
    }

    /// Appends a payload without copying it.
    pub fn append_shared(&mut self, chain: &mut Chain, payload: &Arc<[u8]>) {
        if payload.is_empty() {
            return;
        }
        let end = payload.len() as u32;
        let data = Data::Shared(self.hold(payload));
        let at = self.take_bare(Block { data, start: 0, end, next: NONE });
        self.link(chain, at);
        chain.bytes += payload.len();
    }

    /// The number of a payload, which one block more stands for.
    fn hold(&mut self, payload: &Arc<[u8]>) -> u32 {
        if let Some(last) = self.payloads.get_mut(self.last_payload as usize)
            && Arc::ptr_eq(&last.bytes, payload)
        {
            last.blocks += 1;
            return self.last_payload;
        }
        self.payload_bytes += payload.len();
        self.last_payload = self.payloads.insert(Payload { bytes: Arc::clone(payload), blocks: 1 }) as u32;
        self.last_payload
    }

    /// One block less stands for a payload.
    fn let_go(&mut self, number: u32) {
        let payload = &mut self.payloads[number as usize];
        payload.blocks -= 1;
        if payload.blocks == 0 {
            self.payload_bytes -= payload.bytes.len();
            self.payloads.remove(number as usize);
        }
    }

    fn link(&mut self, chain: &mut Chain, at: u32) {
        match self.blocks.get_mut(chain.tail as usize) {
            Some(tail) => tail.next = at,
            None => chain.head = at,
        }
        chain.tail = at;
    }

    fn take_own(&mut self) -> u32 {
        if let Some(block) = self.blocks.get_mut(self.free as usize) {
            let at = self.free;
            self.free = block.next;
            self.free_count -= 1;
            self.used_count += 1;
            (block.start, block.end, block.next) = (0, 0, NONE);
            return at;
        }
        self.own_count += 1;
        let data = Data::Own(Box::new([0; BLOCK_BYTES]));
        self.take_bare(Block { data, start: 0, end: 0, next: NONE })
    }

    fn take_bare(&mut self, block: Block) -> u32 {
        self.used_count += 1;
        if let Some(slot) = self.blocks.get_mut(self.bare as usize) {
            let at = self.bare;
            self.bare = slot.next;
            *slot = block;
            return at;
        }
        self.blocks.push(block);
        (self.blocks.len() - 1) as u32
    }

    fn give(&mut self, at: u32) {
        self.used_count -= 1;
        let block = &mut self.blocks[at as usize];
        match block.data {
            Data::Own(_) => {
                block.next = self.free;
                self.free = at;
                self.free_count += 1;
            }
            Data::Shared(payload) => {
                block.data = Data::Nothing;
                block.next = self.bare;
                self.bare = at;
                self.let_go(payload);
            }
            Data::Nothing => {}
        }
    }

    /// The first bytes of the chain as slices for one vectored write; returns how many slices were set.
    pub fn slices<'a>(&'a self, chain: &Chain, out: &mut [IoSlice<'a>]) -> usize {
        let mut at = chain.head;
        let mut count = 0;
        while let (Some(block), true) = (self.blocks.get(at as usize), count < out.len()) {
            out[count] = IoSlice::new(self.bytes_of(block));
            count += 1;
            at = block.next;
        }
        count
    }

    fn bytes_of<'a>(&'a self, block: &'a Block) -> &'a [u8] {
        let range = block.start as usize..block.end as usize;
        match &block.data {
            Data::Own(data) => &data[range],
            Data::Shared(payload) => &self.payloads[*payload as usize].bytes[range],
            Data::Nothing => &[],
        }
    }

    /// Takes the first `bytes` bytes of the chain away, because they were written.
    ///
    /// # Panics
    /// If the chain has fewer.
    pub fn consume(&mut self, chain: &mut Chain, mut bytes: usize) {
        assert!(bytes <= chain.bytes, "more was written than there was");
        chain.bytes -= bytes;
        while let Some(block) = self.blocks.get_mut(chain.head as usize) {
            let len = (block.end - block.start) as usize;
            if bytes < len {
                block.start += bytes as u32;
                return;
            }
            bytes -= len;
            let (at, next) = (chain.head, block.next);
            self.give(at);
            chain.head = next;
        }
        chain.tail = NONE;
    }

    /// Drops all that waits in the chain.
    pub fn clear(&mut self, chain: &mut Chain) {
        self.consume(chain, chain.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(pool: &Pool, chain: &Chain) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 64];
        let count = pool.slices(chain, &mut slices);
        slices[..count].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn keeps_order_over_all_kinds_of_parts() {
        let mut pool = Pool::default();
        let mut chain = Chain::default();
        let mut want = Vec::new();
        for round in 0..40usize {
            let small = vec![b'a' + (round % 26) as u8; round * 13 % 90];
            let long = vec![b'A' + (round % 26) as u8; round * 997 % 5000];
            pool.append(&mut chain, [b"x", &small, b"y"]);
            pool.append(&mut chain, [&long]);
            let shared: Arc<[u8]> = vec![b'0'; round % 3].into();
            pool.append_shared(&mut chain, &shared);
            want.extend([b"x", &small[..], b"y", &long, &shared].concat());
        }
        assert_eq!(chain.bytes(), want.len());
        let mut got = Vec::new();
        let mut step = 1;
        while !chain.is_empty() {
            let now = content(&pool, &chain);
            let take = step.min(now.len());
            got.extend_from_slice(&now[..take]);
            pool.consume(&mut chain, take);
            step = step * 3 % 7001;
        }
        assert_eq!(got, want);
        assert_eq!(pool.used_count, 0);
    }

    /// Only blocks with memory of their own counted as used, so what a chain shared was forgotten.
    #[test]
    fn giving_memory_back_leaves_shared_payloads_in_their_chains() {
        let mut pool = Pool::default();
        let mut chain = Chain::default();
        pool.append_shared(&mut chain, &Arc::from(&b"shared"[..]));
        pool.trim(0);
        assert_eq!(content(&pool, &chain), b"shared");
        pool.append(&mut chain, [b" and owned"]);
        pool.consume(&mut chain, 10);
        pool.trim(0);
        assert_eq!(content(&pool, &chain), b" owned"[..]);
    }

    #[test]
    fn a_payload_counts_once_however_many_hold_it() {
        let mut pool = Pool::default();
        let mut chains: Vec<Chain> = (0..10).map(|_| Chain::default()).collect();
        let payloads: [Arc<[u8]>; 2] = [vec![1; 5000].into(), vec![2; 7000].into()];
        for payload in &payloads {
            chains.iter_mut().for_each(|chain| pool.append_shared(chain, payload));
        }
        assert_eq!((pool.payload_bytes, Arc::strong_count(&payloads[0])), (12_000, 2));
        assert!(pool.held() >= 12_000 && pool.held() < 20_000, "{}", pool.held());
        chains.iter_mut().for_each(|chain| pool.consume(chain, 5000));
        assert_eq!((pool.payload_bytes, Arc::strong_count(&payloads[0])), (7000, 1));
        // The number of the first is free, and is not taken for it.
        pool.append_shared(&mut chains[0], &payloads[0]);
        assert_eq!(
            content(&pool, &chains[0]),
            payloads.iter().rev().flat_map(|bytes| bytes.to_vec()).collect::<Vec<_>>()
        );
        chains.iter_mut().for_each(|chain| pool.clear(chain));
        assert_eq!((pool.payload_bytes, pool.payloads.len(), pool.used_count), (0, 0, 0));
    }

    #[test]
    fn blocks_come_back_and_can_be_given_up() {
        let mut pool = Pool::default();
        let mut chain = Chain::default();
        for _ in 0..100 {
            pool.append(&mut chain, [&[7; 3000]]);
            pool.append_shared(&mut chain, &Arc::from(&b"shared"[..]));
            pool.clear(&mut chain);
        }
        assert!(pool.bytes() <= BLOCK_BYTES && pool.blocks.len() <= 2);
        pool.append(&mut chain, [&[7; 50_000]]);
        let slots = pool.blocks.len();
        pool.clear(&mut chain);
        pool.trim(1);
        assert_eq!(pool.bytes(), BLOCK_BYTES);
        pool.append(&mut chain, [&[7; 50_000]]);
        assert_eq!(pool.blocks.len(), slots);
        pool.clear(&mut chain);
        pool.trim(0);
        assert_eq!(pool.bytes(), 0);
    }
}
