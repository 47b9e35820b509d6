//! Decimal numbers as the protocol writes them.

/// Most digits a size or an UNSUB limit may have; a longer token is refused even if its value is small.
pub const DIGITS_MAX: usize = 9;

/// Reads 1 to [`DIGITS_MAX`] decimal digits and nothing else: no sign, no blanks.
pub fn parse(token: &[u8]) -> Option<u32> {
    if token.is_empty() || token.len() > DIGITS_MAX {
        return None;
    }
    let mut value = 0u32;
    for &byte in token {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u32::from(digit);
    }
    Some(value)
}

/// The decimal digits of `value`, written at the end of `room`; returns the digits.
pub fn format(value: u32, room: &mut [u8; 10]) -> &[u8] {
    let mut at = room.len();
    let mut rest = value;
    loop {
        at -= 1;
        room[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return &room[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_digits_only() {
        for (token, value) in [
            ("0", Some(0)),
            ("000000002", Some(2)),
            ("999999999", Some(999_999_999)),
            ("0000000002", None),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1a", None),
            ("1.0", None),
            (" 1", None),
        ] {
            assert_eq!(parse(token.as_bytes()), value, "{token:?}");
        }
    }

    #[test]
    fn formats_what_it_reads() {
        let mut room = [0; 10];
        for value in [0, 7, 10, 4096, 1_048_576, 999_999_999] {
            assert_eq!(parse(format(value, &mut room)), Some(value));
        }
        assert_eq!(format(u32::MAX, &mut room), b"4294967295");
    }
}
