//! Base64 in the alphabets that credentials come in, without padding.

/// The alphabet of RFC 4648.
pub const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The one for names in URLs.
pub const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The one of bcrypt.
pub const BCRYPT: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The text for some bytes.
pub fn encode(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0u32, |bits, at| bits << 8 | u32::from(chunk.get(at).copied().unwrap_or_default()));
        text.extend((0..=chunk.len()).map(|at| alphabet[(bits >> (18 - 6 * at)) as usize & 63] as char));
    }
    text
}

/// The `N` bytes that a text stands for; None if it is no such text. Bits too many at its end do not count.
pub fn decode<const N: usize>(text: &[u8], alphabet: &[u8; 64]) -> Option<[u8; N]> {
    if text.len() != (N * 8).div_ceil(6) {
        return None;
    }
    let mut bytes = [0; N];
    let (mut bits, mut count, mut at) = (0u32, 0, 0);
    for letter in text {
        let value = alphabet.iter().position(|known| known == letter)?;
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            *bytes.get_mut(at)? = (bits >> count) as u8;
            at += 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_the_standard() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (b"foobar", "Zm9vYmFy"),
            (b"\xff\xfe", "//4"),
        ] {
            assert_eq!(encode(bytes, STANDARD), text);
        }
        assert_eq!(encode(b"\xff\xfe", URL_SAFE), "__4");
        assert_eq!(decode::<2>(b"__4", URL_SAFE), Some(*b"\xff\xfe"));
        assert_eq!(decode::<2>(b"//7", STANDARD), Some(*b"\xff\xfe"), "bits too many");
        for (text, alphabet) in
            [("//4", URL_SAFE), ("__4", STANDARD), ("//4=", STANDARD), ("//", STANDARD), ("//\n", STANDARD)]
        {
            assert_eq!(decode::<2>(text.as_bytes(), alphabet), None, "{text:?}");
        }
    }

    #[test]
    fn every_byte_comes_back() {
        let bytes: [u8; 255] = std::array::from_fn(|at| at as u8);
        for alphabet in [STANDARD, URL_SAFE, BCRYPT] {
            assert_eq!(decode(encode(&bytes, alphabet).as_bytes(), alphabet), Some(bytes));
        }
    }
}
