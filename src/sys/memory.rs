//! What the allocator keeps back from the system.

/// Bytes at the end of a heap that go back to the system at once when they are free.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const TRIM_THRESHOLD: libc::c_int = 2 * 1024 * 1024;

/// Bytes from which on a piece of memory is the system's own affair: more than any usual payload.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAP_THRESHOLD: libc::c_int = 2 * 1024 * 1024;

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
    fn trimming_leaves_live_memory_alone() {
        super::keep_little();
        let live = vec![7u8; 1 << 20];
        drop(vec![1u8; 1 << 20]);
        super::trim();
        assert!(live.iter().all(|byte| *byte == 7));
    }
}
