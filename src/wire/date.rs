//! Dates as documents have them.

/// A date in UTC by RFC 3339, from the microseconds since 1970, with no more digits of the second than it has.
pub fn rfc3339(us: u64) -> String {
    let (seconds, fraction) = (us / 1_000_000, us % 1_000_000);
    let (year, month, day) = calendar(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let fraction = match fraction {
        0 => String::new(),
        fraction => format!(".{fraction:06}").trim_end_matches('0').to_owned(),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Year, month and day of a day counted from 1970.
fn calendar(days: u64) -> (u64, u64, u64) {
    // Counted from the 1st of March of the year 0, leap days come last: then all is whole divisions.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (us, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_827_696_000_000, "2000-02-29T12:34:56Z"),
            (1_795_425_971_523_300, "2026-11-23T09:26:11.5233Z"),
            (4_107_542_399_000_001, "2100-02-28T23:59:59.000001Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(us), expected);
        }
    }
}
