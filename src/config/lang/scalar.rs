//! Words without quotes: booleans, numbers, and text for the rest.

use super::tree::Data;

/// What a word stands for.
///
/// # Errors
/// Why it is neither a number nor may be a text, without showing it.
pub(super) fn read(word: &str) -> Result<Data, &'static str> {
    if let Some(on) = switch(word) {
        return Ok(Data::Switch(on));
    }
    let unsigned = word.strip_prefix('-').unwrap_or(word);
    let (digits, rest) = unsigned.split_at(digit_count(unsigned));
    match (digits, rest.strip_prefix('.')) {
        ("", Some(fraction)) if fraction.starts_with(|first: char| first.is_ascii_digit()) => {
            Err("expected a digit before the point of a float")
        }
        ("", _) => Ok(Data::Text(word.to_owned())),
        (_, Some(fraction)) if !fraction.contains('.') => float(word, fraction),
        _ => integer(word, digits, rest),
    }
}

fn switch(word: &str) -> Option<bool> {
    let is_any = |words: [&str; 3]| words.iter().any(|other| word.eq_ignore_ascii_case(other));
    match word {
        _ if is_any(["true", "yes", "on"]) => Some(true),
        _ if is_any(["false", "no", "off"]) => Some(false),
        _ => None,
    }
}

fn digit_count(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// A word with one point, behind its first digits.
fn float(word: &str, fraction: &str) -> Result<Data, &'static str> {
    if fraction.is_empty() || digit_count(fraction) < fraction.len() {
        return Err("expected digits only behind the point of a float, or quotes around a string");
    }
    match word.parse() {
        Ok(number) if f64::is_finite(number) => Ok(Data::Float(number)),
        _ => Err("float is out of range"),
    }
}

/// A whole number with its size suffix, or a text that begins with digits.
fn integer(word: &str, digits: &str, suffix: &str) -> Result<Data, &'static str> {
    const OUT_OF_RANGE: &str = "integer is out of range";
    let factor = match suffix.to_ascii_lowercase().as_str() {
        "" => 1,
        suffix => {
            let (unit, binary) = suffix.split_at(suffix.chars().next().map_or(0, char::len_utf8));
            let Some(power) = "kmgtpe".find(unit).map(|at| at as u32 + 1) else {
                return Ok(Data::Text(word.to_owned()));
            };
            match binary {
                "" => 1000_i128.pow(power),
                "b" | "i" | "ib" => 1024_i128.pow(power),
                _ if binary.bytes().all(|byte| matches!(byte, b'b' | b'i')) => {
                    return Err("expected a size suffix such as k, kb or kib");
                }
                _ => return Ok(Data::Text(word.to_owned())),
            }
        }
    };
    let sign = if word.starts_with('-') { -1 } else { 1 };
    let number: i128 = digits.parse().map_err(|_| OUT_OF_RANGE)?;
    let scaled = number.checked_mul(factor * sign).and_then(|scaled| i64::try_from(scaled).ok());
    scaled.map(Data::Integer).ok_or(OUT_OF_RANGE)
}
