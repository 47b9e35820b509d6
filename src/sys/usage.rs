//! What this process uses of the machine.

use std::fs;
use std::mem::MaybeUninit;
use std::time::Duration;

/// Memory of the process that is in the machine's own, in bytes: now, where the system tells, or else the most so far.
pub fn resident_bytes() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split_ascii_whitespace().nth(1)?.parse::<u64>().ok());
    // SAFETY: takes no pointer.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    match (pages, u64::try_from(page)) {
        (Some(pages), Ok(page)) => pages * page,
        _ => used().map_or(0, |used| used.ru_maxrss as u64 * 1024),
    }
}

/// Processor time that all threads of the process have used, that in the system included; 0 if it cannot be told.
pub fn processor_time() -> Duration {
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    used().map_or(Duration::ZERO, |used| time(used.ru_utime) + time(used.ru_stime))
}

fn used() -> Option<libc::rusage> {
    let mut used = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the place for the answer is valid; all-zero is a valid answer, so it is initialised in any case.
    let (code, used) = unsafe { (libc::getrusage(libc::RUSAGE_SELF, used.as_mut_ptr()), used.assume_init()) };
    (code == 0).then_some(used)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    #[test]
    fn memory_in_use_is_counted() {
        let before = resident_bytes();
        assert!(before > 100_000, "{before}");
        let held = black_box(vec![1u8; 64 << 20]);
        assert!(resident_bytes() >= before + (32 << 20), "{before}, then {}", resident_bytes());
        drop(held);
    }

    #[test]
    fn time_at_work_is_counted() {
        let before = processor_time();
        while processor_time() < before + Duration::from_millis(20) {
            black_box((0..1000u64).sum::<u64>());
        }
    }
}
