//! Nkeys: public keys in the form people copy, and the signatures that clients send.
//!
//! A public key is a byte that says whose it is, the 32 bytes of an ed25519 key and a CRC16, in base32.

use super::base64;

/// What the public key of a server begins with; as text `N`.
pub const SERVER: u8 = 13 << 3;

/// What the public key of a user begins with; as text `U`.
pub const USER: u8 = 20 << 3;

/// A public ed25519 key.
pub type PublicKey = [u8; 32];

/// Characters of a public key.
const KEY_CHARACTERS: usize = 56;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The text for a public key of this kind.
pub fn encode(kind: u8, key: &PublicKey) -> String {
    let mut bytes = [0; 35];
    bytes[0] = kind;
    bytes[1..33].copy_from_slice(key);
    let check = crc16(&bytes[..33]);
    bytes[33..].copy_from_slice(&check.to_le_bytes());
    base32(&bytes)
}

/// The public key that a text stands for; None if it is no public key of this kind.
pub fn decode(kind: u8, text: &str) -> Option<PublicKey> {
    let bytes = from_base32(text.as_bytes())?;
    let check = u16::from_le_bytes([bytes[33], bytes[34]]);
    if bytes[0] != kind || check != crc16(&bytes[..33]) {
        return None;
    }
    bytes[1..33].try_into().ok()
}

/// The signature in a CONNECT: base64, either for URLs and without padding or the standard one with it. Other mixtures
/// are refused, as the official server refuses them.
pub fn signature(text: &str) -> Option<[u8; 64]> {
    match text.strip_suffix("==") {
        Some(standard) => base64::decode(standard.as_bytes(), base64::STANDARD),
        None => base64::decode(text.as_bytes(), base64::URL_SAFE),
    }
}

/// CRC16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    })
}

/// Base32 without padding; the length must be a multiple of five.
fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() / 5 * 8);
    for chunk in bytes.chunks_exact(5) {
        let bits = chunk.iter().fold(0u64, |bits, &byte| bits << 8 | u64::from(byte));
        text.extend((0..8).rev().map(|at| ALPHABET[(bits >> (5 * at)) as usize & 31] as char));
    }
    text
}

fn from_base32(text: &[u8]) -> Option<[u8; 35]> {
    if text.len() != KEY_CHARACTERS {
        return None;
    }
    let mut bytes = [0; 35];
    for (letters, five) in text.chunks_exact(8).zip(bytes.chunks_exact_mut(5)) {
        let mut bits = 0u64;
        for letter in letters {
            bits = bits << 5 | ALPHABET.iter().position(|known| known == letter)? as u64;
        }
        five.copy_from_slice(&bits.to_be_bytes()[3..]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_is_the_usual_one() {
        assert_eq!(base32(b"hello"), "NBSWY3DP");
        assert_eq!(crc16(b"123456789"), 0x31c3);
    }

    #[test]
    fn keys_come_back_and_nothing_almost_right_is_a_key() {
        let key: PublicKey = std::array::from_fn(|at| at as u8 * 7);
        let text = encode(USER, &key);
        assert!(text.starts_with('U') && text.len() == 56, "{text}");
        assert!(encode(SERVER, &key).starts_with('N'));
        assert_eq!(decode(USER, &text), Some(key));
        assert_eq!(decode(SERVER, &text), None);
        assert_eq!(decode(USER, &encode(SERVER, &key)), None);
        assert_eq!(decode(USER, &text.to_lowercase()), None);
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'B' { b'C' } else { b'B' };
            assert_eq!(decode(USER, std::str::from_utf8(&other).unwrap()), None, "changed at {at}");
            assert_eq!(decode(USER, &text[..at]), None);
        }
        for bad in [format!("{text}A"), format!("{text}="), format!(" {text}"), "\u{e9}".repeat(28)] {
            assert_eq!(decode(USER, &bad), None, "{bad}");
        }
    }

    #[test]
    fn keys_of_the_usual_tools_are_known() {
        // From the documentation of nkeys.
        let text = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
        assert!(decode(USER, text).is_some());
    }

    #[test]
    fn signatures_come_in_two_spellings() {
        let bytes: [u8; 64] = std::array::from_fn(|at| 255 - at as u8);
        let url = base64::encode(&bytes, base64::URL_SAFE);
        let standard = base64::encode(&bytes, base64::STANDARD);
        assert_ne!(url, standard);
        assert_eq!(signature(&url), Some(bytes));
        assert_eq!(signature(&format!("{standard}==")), Some(bytes));
        for bad in [standard.clone(), format!("{url}=="), format!("{standard}="), String::new(), url[1..].to_owned()] {
            assert_eq!(signature(&bad), None, "{bad}");
        }
    }
}
