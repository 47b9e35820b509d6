//! What the allocator keeps back from the system.

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
        let live = vec![7u8; 1 << 20];
        drop(vec![1u8; 1 << 20]);
        super::trim();
        assert!(live.iter().all(|byte| *byte == 7));
    }
}
