//! Random bytes from the operating system.

use std::fs::File;
use std::io::{self, Read};

/// Fills `bytes` with random bytes fit for keys and identities.
///
/// Asks getrandom(2) first, which may wait for the system's pool at early boot, and falls back to /dev/urandom where the
/// kernel does not have the call.
///
/// # Errors
/// When neither source can be read.
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    match fill_from_kernel(bytes) {
        Ok(()) => Ok(()),
        Err(_) => File::open("/dev/urandom")?.read_exact(bytes),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn fill_from_kernel(bytes: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        let rest = &mut bytes[filled..];
        // SAFETY: pointer and length describe `rest`, which is writable for the call.
        let count = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match usize::try_from(count) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
    Ok(())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn fill_from_kernel(_bytes: &mut [u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_fills_differ_and_reach_every_byte() {
        let (mut first, mut second) = ([0u8; 4096], [0u8; 4096]);
        fill(&mut first).unwrap();
        fill(&mut second).unwrap();
        assert_ne!(first, second);
        // Sixteen zero bytes in a row happen once in 2^116 runs.
        assert!(first.chunks(16).all(|chunk| chunk.iter().any(|byte| *byte != 0)));
    }

    #[test]
    fn an_empty_fill_is_fine() {
        fill(&mut []).unwrap();
    }
}
