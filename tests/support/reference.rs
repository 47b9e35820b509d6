//! The official server as a child process, or another program that is started and configured like it.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use super::Settings;

/// A running server. It is killed when this is dropped.
pub struct Reference {
    child: Child,
    config_path: PathBuf,
    address: SocketAddr,
    routes: Option<SocketAddr>,
}

impl Reference {
    /// Starts `program` on a free port of the loopback interface and waits until it listens.
    pub fn start(program: &Path, settings: &Settings) -> io::Result<Reference> {
        Self::start_with(program, &[], settings)
    }

    /// The same with flags beside the settings.
    pub fn start_with(program: &Path, args: &[&str], settings: &Settings) -> io::Result<Reference> {
        let config_path = config_path();
        let config = format!("listen: \"127.0.0.1:-1\"\n{}", settings.config_file());
        fs::write(&config_path, config)?;
        let mut child = Command::new(program)
            .arg("-c")
            .arg(&config_path)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("{program:?}: {error}")))?;
        match wait_until_listening(&mut child, settings.is_clustered()) {
            Ok((address, routes)) => Ok(Reference { child, config_path, address, routes }),
            Err(error) => {
                stop(&mut child, &config_path);
                Err(error)
            }
        }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where other servers of its cluster come in, if it has one.
    pub fn routes(&self) -> Option<SocketAddr> {
        self.routes
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        stop(&mut self.child, &self.config_path);
    }
}

/// Ends the process and removes its file. Failures mean that it is gone already.
fn stop(child: &mut Child, config_path: &Path) {
    let _ = child.kill();
    let _ = child.wait();
    let _ = fs::remove_file(config_path);
}

/// A path of its own for each server, below the build's scratch folder.
fn config_path() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("reference-{}-{number}.conf", std::process::id());
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Reads the log until the address appears, and that of routes if there are to be some, then leaves a thread behind that keeps the pipe empty.
fn wait_until_listening(child: &mut Child, is_clustered: bool) -> io::Result<(SocketAddr, Option<SocketAddr>)> {
    let pipe = child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let mut log = BufReader::new(pipe);
    let mut seen = String::new();
    let (mut clients, mut routes) = (None, None);
    loop {
        let start = seen.len();
        if log.read_line(&mut seen)? == 0 {
            return Err(io::Error::other(format!("it ended at once: {seen}")));
        }
        let line = seen[start..].trim_end();
        let after = |words| line.split_once(words).map(|(_, address)| address.parse::<SocketAddr>());
        if let Some(address) = after("Listening for client connections on ") {
            clients = Some(address.map_err(io::Error::other)?);
        } else if let Some(address) = after("Listening for route connections on ") {
            routes = Some(address.map_err(io::Error::other)?);
        }
        if let Some(address) = clients.filter(|_| routes.is_some() == is_clustered) {
            thread::spawn(move || io::copy(&mut log, &mut io::sink()));
            return Ok((address, routes));
        }
    }
}
