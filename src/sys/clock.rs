//! Broken-down calendar time for log lines, and the monotonic clock.

use std::fmt;
use std::mem::MaybeUninit;
use std::time::{SystemTime, UNIX_EPOCH};

/// A moment split into calendar fields, printed as `YYYY/MM/DD HH:MM:SS.uuuuuu`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalendarTime {
    /// Full year, such as 2026.
    pub year: i32,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, 1 to 31.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 60 (a leap second where the system counts them).
    pub second: u8,
    /// Nanosecond within the second.
    pub nanos: u32,
}

impl CalendarTime {
    /// Splits `when` in the zone of this machine (`TZ` or /etc/localtime).
    pub fn local(when: SystemTime) -> Self {
        Self::split(when, |seconds| {
            // The type of the seconds is left to inference: libc marks the name `time_t` as deprecated on musl.
            let seconds = seconds as _;
            let mut fields = MaybeUninit::<libc::tm>::zeroed();
            // SAFETY: both pointers are valid for the call. All-zero is a valid `tm` (its zone pointer may be null), so
            // the value is initialised even when the call fails on a year that does not fit.
            unsafe {
                libc::localtime_r(&seconds, fields.as_mut_ptr());
                fields.assume_init()
            }
        })
    }

    /// Splits `when` in UTC.
    pub fn utc(when: SystemTime) -> Self {
        Self::split(when, |seconds| {
            let seconds = seconds as _;
            let mut fields = MaybeUninit::<libc::tm>::zeroed();
            // SAFETY: as in `local`.
            unsafe {
                libc::gmtime_r(&seconds, fields.as_mut_ptr());
                fields.assume_init()
            }
        })
    }

    fn split(when: SystemTime, fields_of: impl FnOnce(i64) -> libc::tm) -> Self {
        // A clock set before 1970 is shown as 1970: no log line is worth a panic.
        let since = when.duration_since(UNIX_EPOCH).unwrap_or_default();
        let fields = fields_of(since.as_secs() as i64);
        CalendarTime {
            year: fields.tm_year + 1900,
            month: (fields.tm_mon + 1) as u8,
            day: fields.tm_mday as u8,
            hour: fields.tm_hour as u8,
            minute: fields.tm_min as u8,
            second: fields.tm_sec as u8,
            nanos: since.subsec_nanos(),
        }
    }
}

impl fmt::Display for CalendarTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CalendarTime { year, month, day, hour, minute, second, nanos } = self;
        let micros = nanos / 1000;
        write!(f, "{year:04}/{month:02}/{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06}")
    }
}

/// Microseconds of the system's monotonic clock, for programs that compare it with their own reading.
pub fn monotonic_micros() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid for the call, which writes nothing else. A system without this clock leaves the zeros.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn utc_fields_are_those_of_the_calendar() {
        for (seconds, micros, text) in [
            (0, 0, "1970/01/01 00:00:00.000000"),
            (951_782_399, 999_999, "2000/02/28 23:59:59.999999"),
            (951_782_400, 1, "2000/02/29 00:00:00.000001"),
            (1_795_425_953, 383_160, "2026/11/23 09:25:53.383160"),
        ] {
            let when = UNIX_EPOCH + Duration::new(seconds, micros * 1000);
            assert_eq!(CalendarTime::utc(when).to_string(), text);
        }
    }

    #[test]
    fn local_time_differs_from_utc_by_a_zone() {
        let when = UNIX_EPOCH + Duration::new(1_795_425_953, 0);
        let (local, utc) = (CalendarTime::local(when), CalendarTime::utc(when));
        let minutes = |t: CalendarTime| i32::from(t.day) * 1440 + i32::from(t.hour) * 60 + i32::from(t.minute);
        assert!((minutes(local) - minutes(utc)).abs() <= 14 * 60, "{local} against {utc}");
        assert_eq!((local.second, local.nanos), (utc.second, utc.nanos));
    }

    #[test]
    fn a_clock_before_1970_does_not_panic() {
        assert_eq!(CalendarTime::utc(UNIX_EPOCH - Duration::from_secs(5)).year, 1970);
    }

    #[test]
    fn monotonic_time_does_not_go_back() {
        let first = monotonic_micros();
        assert!(first > 0 && monotonic_micros() >= first);
    }
}
