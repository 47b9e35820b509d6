//! Other processes: who runs under which name, and signals to them. Reads `/proc`.

use super::signals::Signal;
use std::fs;
use std::io;

/// A process and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub id: u32,
    /// The name of its program, cut to 15 bytes by the system.
    pub name: String,
}

/// This process.
///
/// # Errors
/// When there is no `/proc`.
pub fn own() -> io::Result<Process> {
    let id = std::process::id();
    Ok(Process { id, name: name(&id.to_string())? })
}

/// Every process that can be seen, by id.
///
/// # Errors
/// When there is no `/proc`.
pub fn all() -> io::Result<Vec<Process>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let folder = entry?.file_name();
        let Some(id) = folder.to_str().and_then(|folder| folder.parse().ok()) else { continue };
        // It may have ended since the folder was listed.
        if let Ok(name) = name(&format!("{id}")) {
            found.push(Process { id, name });
        }
    }
    found.sort_unstable_by_key(|process: &Process| process.id);
    Ok(found)
}

fn name(id: &str) -> io::Result<String> {
    let name = fs::read(format!("/proc/{id}/comm"))?;
    Ok(String::from_utf8_lossy(&name).trim_end_matches('\n').to_owned())
}

/// A signal for another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// One that a server takes off its queue.
    Signal(Signal),
    /// SIGKILL: ends it without asking.
    Kill,
}

/// Sends a signal to the process with that id.
///
/// # Errors
/// What the system says; an id that no process can have is an unknown one.
pub fn send(id: u32, message: Message) -> io::Result<()> {
    let number = match message {
        Message::Signal(signal) => signal.number(),
        Message::Kill => libc::SIGKILL,
    };
    // Anything but a positive number means a group of processes, or all of them.
    let Some(id) = libc::pid_t::try_from(id).ok().filter(|id| *id > 0) else {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    };
    // SAFETY: no pointers.
    match unsafe { libc::kill(id, number) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    #[test]
    fn this_process_is_among_all() {
        let own = own().unwrap();
        assert!(!own.name.is_empty() && own.name.len() <= 15, "{own:?}");
        let all = all().unwrap();
        assert!(all.contains(&own), "{own:?} is not in {all:?}");
        assert!(all.windows(2).all(|pair| pair[0].id < pair[1].id), "{all:?}");
    }

    #[test]
    fn a_child_gets_what_is_sent() {
        for (message, number) in [(Message::Kill, libc::SIGKILL), (Message::Signal(Signal::Hangup), libc::SIGHUP)] {
            // It waits for its input, which nobody ends.
            let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
            // Taken, because waiting would end the input too.
            let input = child.stdin.take();
            send(child.id(), message).unwrap();
            assert_eq!(child.wait().unwrap().signal(), Some(number));
            drop(input);
        }
    }

    #[test]
    fn ids_that_no_process_has_are_errors() {
        for id in [0, u32::MAX, i32::MAX as u32] {
            let error = send(id, Message::Signal(Signal::User1)).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::ESRCH), "{id}");
        }
    }
}
