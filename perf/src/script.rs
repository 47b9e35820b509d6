//! Publications built before the clock starts: large buffers of whole operations, and what they must cause.

use std::fmt::Write as _;

/// Bytes of one write, about: large enough that system calls do not count.
const SLICE_BYTES: usize = 128 * 1024;

/// A buffer of publications, cut into writes.
pub struct Script {
    bytes: Vec<u8>,
    slices: Vec<Slice>,
}

/// One write of a script.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    start: usize,
    end: usize,
    /// Messages published.
    pub published: u64,
    /// Messages that must reach subscribers.
    pub delivered: u64,
}

impl Script {
    /// The same publication over and over, each of which must reach `deliveries` subscribers. At most
    /// `delivered_max` deliveries in one write.
    pub fn repeated(publication: &[u8], deliveries: u64, delivered_max: u64) -> Script {
        let per_slice = (SLICE_BYTES / publication.len()).max(4) as u64;
        let count = per_slice.min(delivered_max / deliveries.max(1)).max(1);
        let mut script = Script { bytes: publication.repeat(count as usize), slices: Vec::new() };
        let end = script.bytes.len();
        script.slices.push(Slice { start: 0, end, published: count, delivered: count * deliveries });
        script
    }

    /// Publications in the given order, each with its number of deliveries.
    pub fn listed<I: IntoIterator<Item = (Vec<u8>, u64)>>(publications: I) -> Script {
        let mut script = Script { bytes: Vec::new(), slices: Vec::new() };
        let mut slice = Slice::default();
        for (publication, deliveries) in publications {
            script.bytes.extend_from_slice(&publication);
            slice.end = script.bytes.len();
            slice.published += 1;
            slice.delivered += deliveries;
            if slice.end - slice.start >= SLICE_BYTES {
                script.slices.push(slice);
                slice = Slice { start: slice.end, end: slice.end, ..Slice::default() };
            }
        }
        if slice.published > 0 {
            script.slices.push(slice);
        }
        script
    }

    /// All writes, for ever from the beginning again.
    pub fn writes(&self) -> impl Iterator<Item = (Slice, &[u8])> {
        self.slices.iter().cycle().map(|slice| (*slice, &self.bytes[slice.start..slice.end]))
    }
}

/// A payload of `size` bytes that looks like nothing of the protocol.
pub fn payload(size: usize) -> Vec<u8> {
    (0..size).map(|i| b'a' + (i % 23) as u8).collect()
}

/// The publication of a payload of `size` bytes, with or without a header block (which counts in `size`).
pub fn publication(subject: &str, reply: &str, size: usize, headers: bool) -> Vec<u8> {
    message("PUB", &[subject, reply], size, headers)
}

/// The delivery that `publication` must cause for subscription `sid`.
pub fn delivery(subject: &str, sid: &str, reply: &str, size: usize, headers: bool) -> Vec<u8> {
    message("MSG", &[subject, sid, reply], size, headers)
}

fn message(verb: &str, words: &[&str], size: usize, headers: bool) -> Vec<u8> {
    const HEADERS: &str = "NATS/1.0\r\nTrace-Id: 4bf92f3577b34da6\r\n\r\n";
    let mut head = String::new();
    head.push_str(if headers { "H" } else { "" });
    head.push_str(verb);
    for word in words.iter().filter(|word| !word.is_empty()) {
        head.push(' ');
        head.push_str(word);
    }
    let block = if headers { HEADERS } else { "" };
    assert!(size >= block.len(), "the size counts the header block");
    if headers {
        // Writing to a String cannot fail.
        let _ = write!(head, " {}", block.len());
    }
    let _ = write!(head, " {size}\r\n{block}");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&payload(size - block.len()));
    bytes.extend_from_slice(b"\r\n");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_have_the_protocols_form() {
        assert_eq!(publication("a.b", "", 3, false), b"PUB a.b 3\r\nabc\r\n");
        assert_eq!(publication("a", "r", 0, false), b"PUB a r 0\r\n\r\n");
        assert_eq!(delivery("a", "7", "", 2, false), b"MSG a 7 2\r\nab\r\n");
        let with_headers = publication("a", "", 128, true);
        assert!(with_headers.starts_with(b"HPUB a 40 128\r\nNATS/1.0\r\nTrace-Id: "));
        assert_eq!(with_headers.len(), "HPUB a 40 128\r\n".len() + 128 + 2);
    }

    #[test]
    fn repeated_scripts_keep_the_bound_of_deliveries() {
        let script = Script::repeated(b"PUB a 0\r\n\r\n", 1000, 50_000);
        let (slice, bytes) = script.writes().next().unwrap();
        assert_eq!((slice.published, slice.delivered), (50, 50_000));
        assert_eq!(bytes.len(), 50 * 11);
        let (slice, _) = Script::repeated(b"PUB a 0\r\n\r\n", 0, 1).writes().next().map(|(s, b)| (s, b.len())).unwrap();
        assert_eq!(slice.published, 1);
    }

    #[test]
    fn listed_scripts_cover_everything_once() {
        let all: Vec<_> = (0..20_000).map(|i| (format!("PUB s.{i:06} 0\r\n\r\n").into_bytes(), i % 3)).collect();
        let delivered: u64 = all.iter().map(|(_, n)| n).sum();
        let bytes: usize = all.iter().map(|(b, _)| b.len()).sum();
        let script = Script::listed(all);
        assert!(script.slices.len() > 1);
        assert_eq!(script.slices.iter().map(|s| s.delivered).sum::<u64>(), delivered);
        assert_eq!(script.slices.iter().map(|s| s.published).sum::<u64>(), 20_000);
        assert_eq!(script.writes().take(script.slices.len()).map(|(_, b)| b.len()).sum::<usize>(), bytes);
    }
}
