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

#[cfg(test)]
mod tests {
    use super::put;

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
