//! What the kernel knows about the server process: its memory and its CPU time.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use crate::sys;

/// A process under measurement, by its pid.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    pub pid: u32,
}

impl Process {
    /// The generator itself.
    pub fn own() -> Process {
        Process { pid: std::process::id() }
    }

    /// Time on a CPU of all threads so far, those that ended included.
    pub fn cpu(self) -> io::Result<Duration> {
        sys::process_cpu(self.pid)
    }

    /// Resident bytes right now. Read from `smaps_rollup`, which walks the page tables: `status` may be off by
    /// some hundred KiB, as much as a tenth of a small server.
    pub fn resident(self) -> io::Result<u64> {
        let exact = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid)).ok();
        if let Some(bytes) = exact.and_then(|text| field_bytes(&text, "Rss:")) {
            return Ok(bytes);
        }
        self.status_field("VmRSS:")
    }

    /// Highest number of resident bytes since the start or the last `forget_peak`.
    pub fn resident_peak(self) -> io::Result<u64> {
        self.status_field("VmHWM:")
    }

    /// Starts the peak over from the present size. Not allowed everywhere; the peak then counts from the start.
    pub fn forget_peak(self) {
        // A refusal leaves the peak of the whole life, which is still a true upper bound.
        let _ = fs::write(format!("/proc/{}/clear_refs", self.pid), "5");
    }

    /// Resident bytes once they have stopped moving (three readings 100 ms apart within 1 %), or after `wait_max`.
    /// Memory has no event to wait for, hence the readings.
    pub fn resident_settled(self, wait_max: Duration) -> io::Result<u64> {
        let end = Instant::now() + wait_max;
        let mut last = self.resident()?;
        let mut steady = 0;
        while steady < 2 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(100));
            let now = self.resident()?;
            steady = if now.abs_diff(last) * 100 <= last { steady + 1 } else { 0 };
            last = now;
        }
        Ok(last)
    }

    /// Resident bytes as soon as they are at most `limit`, or after `wait_max`.
    pub fn resident_down_to(self, limit: u64, wait_max: Duration) -> io::Result<u64> {
        let end = Instant::now() + wait_max;
        loop {
            let now = self.resident()?;
            if now <= limit || Instant::now() >= end {
                return Ok(now);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn status_field(self, name: &str) -> io::Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        field_bytes(&text, name).ok_or_else(|| io::Error::other(format!("no {name} in /proc/{}/status", self.pid)))
    }
}

/// The value in bytes of a line `NAME   123 kB`.
fn field_bytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_whole_name() {
        let text = "Name:\tnats\nVmPeak:\t  9000 kB\nVmHWM:\t    1234 kB\nVmRSS:\t     12 kB\nThreads:\t7\n";
        assert_eq!(field_bytes(text, "VmHWM:"), Some(1234 * 1024));
        assert_eq!(field_bytes(text, "VmRSS:"), Some(12 * 1024));
        assert_eq!(field_bytes(text, "VmSwap:"), None);
        assert_eq!(field_bytes(text, "Threads:"), None);
    }

    #[test]
    fn own_process_has_memory_and_time() {
        let own = Process::own();
        assert!(own.resident().unwrap() > 100 * 1024);
        assert!(own.resident_peak().unwrap() > 100 * 1024);
        let before = own.cpu().unwrap();
        let mut sum = 0u64;
        let end = Instant::now() + Duration::from_millis(20);
        while Instant::now() < end {
            sum = sum.wrapping_add(std::hint::black_box(sum) | 1);
        }
        assert!(own.cpu().unwrap() > before, "{sum}");
    }

    #[test]
    fn ended_threads_stay_counted() {
        let own = Process::own();
        let before = own.cpu().unwrap();
        std::thread::spawn(|| {
            let end = Instant::now() + Duration::from_millis(30);
            while Instant::now() < end {
                std::hint::black_box(0);
            }
        })
        .join()
        .unwrap();
        assert!(own.cpu().unwrap() - before >= Duration::from_millis(5));
    }
}
