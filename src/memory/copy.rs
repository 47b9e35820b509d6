//! Copies of a few bytes, which subjects, sids and small payloads are.

/// Copies `source` to `target[at..]` and returns the end. Short slices are moved as two overlapping words, which saves
/// the call that a copy of unknown length is otherwise (dear with musl).
///
/// # Panics
/// If the target has no room.
#[inline(always)]
pub fn put(target: &mut [u8], at: usize, source: &[u8]) -> usize {
    let len = source.len();
    let end = at + len;
    let target = &mut target[at..end];
    match len {
        16..=32 => {
            target[..16].copy_from_slice(&source[..16]);
            target[len - 16..].copy_from_slice(&source[len - 16..]);
        }
        8..=15 => {
            target[..8].copy_from_slice(&source[..8]);
            target[len - 8..].copy_from_slice(&source[len - 8..]);
        }
        4..=7 => {
            target[..4].copy_from_slice(&source[..4]);
            target[len - 4..].copy_from_slice(&source[len - 4..]);
        }
        0..=3 => {
            for (to, from) in target.iter_mut().zip(source) {
                *to = *from;
            }
        }
        _ => target.copy_from_slice(source),
    }
    end
}

/// Whether two short slices are equal, compared by words where they have any.
#[inline(always)]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    let len = a.len();
    if len != b.len() {
        return false;
    }
    let word = |of: &[u8], at: usize| of[at..].first_chunk().map(|word| u64::from_le_bytes(*word));
    match len {
        0..=7 => a.iter().zip(b).all(|(a, b)| a == b),
        8..=32 => {
            let last = len - 8;
            let mut at = 0;
            while at < last {
                if word(a, at) != word(b, at) {
                    return false;
                }
                at += 8;
            }
            word(a, last) == word(b, last)
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::{put, same};

    #[test]
    fn compares_every_length() {
        for len in 0..=70 {
            let a: Vec<u8> = (0..len).collect();
            assert!(same(&a, &a.clone()));
            for at in 0..a.len() {
                let mut b = a.clone();
                b[at] ^= 0x80;
                assert!(!same(&a, &b), "{len} {at}");
                assert!(!same(&a, &a[..at]));
            }
        }
    }

    #[test]
    fn copies_every_length() {
        let source: Vec<u8> = (0..100).collect();
        for len in 0..=100 {
            let mut target = [0xff; 110];
            assert_eq!(put(&mut target, 5, &source[..len]), 5 + len);
            assert_eq!(&target[5..5 + len], &source[..len]);
            assert!(target[..5].iter().chain(&target[5 + len..]).all(|&byte| byte == 0xff));
        }
    }
}
