//! How much memory there is, and what the allocator keeps back from the system.

#[cfg(target_os = "linux")]
use std::fs;

/// Bytes at the end of a heap that go back to the system at once when they are free.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const TRIM_THRESHOLD: libc::c_int = 2 * 1024 * 1024;

/// Bytes from which on a piece of memory is the system's own affair: more than any usual payload.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAP_THRESHOLD: libc::c_int = 2 * 1024 * 1024;

/// Files with the bound that a control group has, in the second version of them and in the first.
#[cfg(target_os = "linux")]
const GROUP_BOUNDS: [&str; 2] = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// Memory that this process could have: the machine's, or what a container or a service has of it; none if the system does
/// not tell. In bytes.
pub fn available() -> Option<usize> {
    // SAFETY: takes no pointer.
    let figure = |name| usize::try_from(unsafe { libc::sysconf(name) }).ok();
    let pages = figure(libc::_SC_PHYS_PAGES)?;
    let machine = pages.saturating_mul(figure(libc::_SC_PAGESIZE)?);
    Some(group_bounds().into_iter().fold(machine, usize::min))
}

/// The bounds of the control groups that this process is in, as far as they can be seen.
#[cfg(target_os = "linux")]
fn group_bounds() -> Vec<usize> {
    let mut files: Vec<String> = GROUP_BOUNDS.map(str::to_owned).into();
    // In the second version the line is `0::/path`; every group above has a bound too.
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut path = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default();
    while let Some((above, name)) = path.rsplit_once('/') {
        if !name.is_empty() {
            files.push(format!("/sys/fs/cgroup{path}/memory.max"));
        }
        path = above;
    }
    // Where there is no bound the word `max` stands, or a number as large as can be.
    files.iter().filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok()).collect()
}

#[cfg(not(target_os = "linux"))]
fn group_bounds() -> Vec<usize> {
    Vec::new()
}

/// Has the allocator keep little of what is free, where it can be told (glibc). Otherwise it keeps more the larger the
/// pieces were that it has seen, and at the end of a thread's heap [`trim`] does not reach that.
///
/// To be called at the start.
pub fn keep_little() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: takes no pointer and may be called from any thread at any time.
    unsafe {
        // It only refuses values that are out of bounds.
        libc::mallopt(libc::M_TRIM_THRESHOLD, TRIM_THRESHOLD);
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAP_THRESHOLD);
    }
}

/// Gives free memory back to the system where the allocator has a way to be asked (glibc); does nothing elsewhere.
///
/// This walks the whole heap: call it after a burst is over, never per message.
pub fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: takes no pointer and may be called from any thread at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_machine_has_more_than_the_process_uses() {
        let available = super::available().unwrap();
        assert!(available as u64 > crate::sys::usage::resident_bytes(), "{available}");
    }

    #[test]
    fn trimming_leaves_live_memory_alone() {
        super::keep_little();
        let live = vec![7u8; 1 << 20];
        drop(vec![1u8; 1 << 20]);
        super::trim();
        assert!(live.iter().all(|byte| *byte == 7));
    }
}
