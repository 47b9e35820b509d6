//! A server under test as a child process: started on a port of its own choice, ended with the value that holds it.

use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, SocketAddrV4, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use crate::proc::Process;
use crate::sys;

/// Longest wait for a server to listen.
const START: Duration = Duration::from_secs(10);

/// A running server. Dropping it kills the process.
pub struct Server {
    child: Child,
    pub addr: SocketAddrV4,
}

impl Server {
    /// Starts `path` on 127.0.0.1 with `-p -1` and `args`, and waits until it says where it listens.
    pub fn start(path: &Path, args: &[String]) -> io::Result<Server> {
        let mut command = Command::new(path);
        command.args(["-a", "127.0.0.1", "-p", "-1"]).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        sys::end_with_parent(&mut command);
        let mut child = command.spawn()?;
        let stderr = child.stderr.take().expect("stderr is piped");
        let (found, port) = mpsc::channel();
        thread::spawn(move || watch(stderr, &found));
        let started = match port.recv_timeout(START) {
            Ok(Ok(addr)) => return Ok(Server { child, addr }),
            Ok(Err(lines)) => format!("it ended: {lines}"),
            Err(_) => format!("it does not listen after {} s", START.as_secs()),
        };
        child.kill()?;
        child.wait()?;
        Err(io::Error::other(format!("{}: {started}", path.display())))
    }

    pub fn process(&self) -> Process {
        Process { pid: self.child.id() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if it has ended by itself, which the run has noticed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The flags that make a server a member of a cluster: where it listens for routes, and which one it dials.
pub fn member_flags(listen: &str, dial: Option<&str>) -> Vec<String> {
    let mut flags = vec!["--cluster_name".to_string(), "perf".into(), "--cluster".into(), format!("nats://{listen}")];
    if let Some(address) = dial {
        flags.extend(["--routes".to_string(), format!("nats://{address}")]);
    }
    flags
}

/// An address of the loopback interface that nobody has just now.
pub fn free_address() -> io::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// Whether `path --help` knows `option`.
pub fn knows(path: &Path, option: &str) -> io::Result<bool> {
    let output = Command::new(path).arg("--help").output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&text).contains(option))
}

/// What `path -v` says, on one line.
pub fn version(path: &Path) -> io::Result<String> {
    let output = Command::new(path).arg("-v").output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&text).lines().next().unwrap_or("unknown").trim().to_string())
}

/// Reads the log to its end, so that the server never waits for it, and reports the address, or all lines if there is
/// none.
fn watch(stderr: ChildStderr, found: &Sender<Result<SocketAddrV4, String>>) {
    let mut before = Some(String::new());
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        let Some(lines) = &mut before else { continue };
        if let Some(addr) = listening(&line) {
            // Nobody listens any more after a time-out.
            let _ = found.send(Ok(addr));
            before = None;
        } else {
            lines.push_str(&line);
            lines.push('\n');
        }
    }
    if let Some(lines) = before {
        let _ = found.send(Err(lines));
    }
}

/// The address in the log line that announces the client listener.
fn listening(line: &str) -> Option<SocketAddrV4> {
    let (_, addr) = line.split_once("Listening for client connections on ")?;
    match addr.trim().parse() {
        Ok(SocketAddr::V4(addr)) => Some(addr),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listener_is_found_in_the_log() {
        let line = "[7] 2026/01/02 03:04:05.000006 [INF] Listening for client connections on 127.0.0.1:40123";
        assert_eq!(listening(line), Some("127.0.0.1:40123".parse().unwrap()));
        assert_eq!(listening("[7] [INF] Server is ready"), None);
    }

    #[test]
    fn a_program_that_ends_is_an_error() {
        let error = Server::start(Path::new("/bin/false"), &[]).err().unwrap();
        assert!(error.to_string().contains("it ended"), "{error}");
    }
}
