//! Times and lengths of time as the official server writes them.

use crate::sys::clock::CalendarTime;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// RFC 3339 in UTC, with no more digits of the second than it has: `2026-11-23T09:26:11.5233Z`.
pub fn timestamp(when: SystemTime) -> String {
    let CalendarTime { year, month, day, hour, minute, second, nanos } = CalendarTime::utc(when);
    let mut text = String::with_capacity("2026-11-23T09:26:11.523300000Z".len());
    for (mark, number, digits) in [
        ("", year.unsigned_abs(), 4),
        ("-", month.into(), 2),
        ("-", day.into(), 2),
        ("T", hour.into(), 2),
        (":", minute.into(), 2),
        (":", second.into(), 2),
        (".", nanos, 9),
    ] {
        text.push_str(mark);
        push_digits(&mut text, number, digits);
    }
    text.truncate(if nanos == 0 { "2026-11-23T09:26:11".len() } else { text.trim_end_matches('0').len() });
    text.push('Z');
    text
}

/// The last so many digits of a number. A document may have many thousands of times, so that the formatter's ways would be
/// felt.
fn push_digits(text: &mut String, number: u32, digits: u32) {
    (0..digits).rev().for_each(|digit| text.push(char::from(b'0' + (number / 10u32.pow(digit) % 10) as u8)));
}

/// The date as HTTP has it: `Tue, 24 Nov 2026 19:34:03 GMT`.
pub fn http_date(when: SystemTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let days = when.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / 86_400;
    let CalendarTime { year, month, day, hour, minute, second, .. } = CalendarTime::utc(when);
    let (weekday, month) = (DAYS[days as usize % 7], MONTHS[usize::from(month).clamp(1, 12) - 1]);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// How long something has been: `12s`, `3m5s`, `1y2d3h4m5s`.
pub fn uptime(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let (days, years) = (hours / 24, hours / 24 / 365);
    let units = [(years, 'y'), (days % 365, 'd'), (hours % 24, 'h'), (minutes % 60, 'm'), (seconds % 60, 's')];
    let first = units.iter().position(|(count, _)| *count > 0).unwrap_or(units.len() - 1);
    units[first..].iter().map(|(count, unit)| format!("{count}{unit}")).collect()
}

/// A length of time as Go prints it: `491µs`, `1.23862ms`, `1m0.5s`.
pub fn go_micros(us: u64) -> String {
    let decimal = |us: u64, unit: u64, name: &str| {
        let text = format!("{}.{:06}", us / unit, us % unit * (1_000_000 / unit));
        format!("{}{name}", text.trim_end_matches('0').trim_end_matches('.'))
    };
    match us {
        0 => "0s".to_owned(),
        1..1_000 => format!("{us}\u{b5}s"),
        1_000..1_000_000 => decimal(us, 1_000, "ms"),
        _ => {
            let (minutes, hours) = (us / 60_000_000, us / 3_600_000_000);
            let seconds = decimal(us % 60_000_000, 1_000_000, "s");
            match (hours, minutes) {
                (0, 0) => seconds,
                (0, minutes) => format!("{minutes}m{seconds}"),
                (hours, minutes) => format!("{hours}h{}m{seconds}", minutes % 60),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_have_no_more_digits_than_they_need() {
        for (seconds, nanos, text) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (1_795_425_971, 523_300_000, "2026-11-23T09:26:11.5233Z"),
            (1_795_425_971, 1, "2026-11-23T09:26:11.000000001Z"),
        ] {
            assert_eq!(timestamp(UNIX_EPOCH + Duration::new(seconds, nanos)), text);
        }
    }

    #[test]
    fn dates_are_those_of_http() {
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (1_795_548_843, "Tue, 24 Nov 2026 19:34:03 GMT"),
        ] {
            assert_eq!(http_date(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn uptimes_begin_with_the_largest_unit() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (185, "3m5s"),
            (7201, "2h0m1s"),
            (93_784, "1d2h3m4s"),
            (31_536_000 + 2 * 86_400 + 3 * 3600 + 245, "1y2d3h4m5s"),
            (31_536_000, "1y0d0h0m0s"),
        ] {
            assert_eq!(uptime(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn lengths_of_time_are_those_of_go() {
        for (us, text) in [
            (0, "0s"),
            (1, "1\u{b5}s"),
            (999, "999\u{b5}s"),
            (1_000, "1ms"),
            (1_238, "1.238ms"),
            (999_999, "999.999ms"),
            (1_000_000, "1s"),
            (1_500_000, "1.5s"),
            (60_000_000, "1m0s"),
            (3_723_000_001, "1h2m3.000001s"),
        ] {
            assert_eq!(go_micros(us), text);
        }
    }
}
