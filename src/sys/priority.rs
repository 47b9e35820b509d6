//! Which threads go first.

/// Lets every other thread of the machine go before the calling one, as far as the system has such a thing for threads.
pub fn step_back() {
    /// Between the usual priority and the last one.
    #[cfg(target_os = "linux")]
    const NICE: libc::c_int = 10;
    // SAFETY: setpriority takes plain numbers. On Linux 0 stands for the calling thread alone. That it may fail does no harm.
    #[cfg(target_os = "linux")]
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, NICE);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn nice() -> libc::c_int {
        // SAFETY: getpriority takes plain numbers.
        unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
    }

    #[test]
    fn only_the_calling_thread_steps_back() {
        let before = nice();
        let stepped = std::thread::spawn(|| {
            step_back();
            nice()
        });
        assert_eq!(stepped.join().unwrap(), 10.max(before));
        assert_eq!(nice(), before);
    }
}
