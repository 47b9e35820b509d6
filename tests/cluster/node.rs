//! Servers of a cluster, as processes.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::client::{Client, unique, urls};
use super::support::process::Process;
use super::support::{midge_path, reference_path};

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Midge,
    Official,
}

/// A running server. It is killed when this is dropped.
#[derive(Debug)]
pub struct Node {
    pub process: Process,
    /// Where peers connect.
    pub routes: SocketAddr,
    kind: Kind,
    args: Vec<String>,
}

/// True if the official server can be run; else a word that nothing is proven.
pub fn has_official() -> bool {
    let is_there = reference_path().is_some();
    if !is_there {
        println!("NOT RUN: set NATS_REF to the path of an official nats-server");
    }
    is_there
}

impl Node {
    /// Starts a member of the cluster `C1` that is told of these.
    pub fn start(kind: Kind, name: &str, seeds: &[SocketAddr]) -> Node {
        Self::start_with(kind, name, seeds, &[])
    }

    /// The same with further flags, which may say otherwise.
    pub fn start_with(kind: Kind, name: &str, seeds: &[SocketAddr], flags: &[&str]) -> Node {
        let routes = seeds.iter().map(|address| format!("nats://{address}")).collect::<Vec<_>>().join(",");
        let mut args = vec!["-n", name, "--cluster", "nats://127.0.0.1:-1", "--cluster_name", "C1"];
        if !seeds.is_empty() {
            args.extend(["--routes", &routes]);
        }
        args.extend(flags);
        Self::run(kind, &args)
    }

    /// Starts a server with these flags alone.
    pub fn run(kind: Kind, args: &[&str]) -> Node {
        let program = match kind {
            Kind::Midge => midge_path(),
            Kind::Official => reference_path().expect("an official server"),
        };
        let process = Process::start_program(&program, args);
        let log = process.wait_log("Listening for route connections on ");
        let at = log.split_once("Listening for route connections on ").expect("it was logged").1;
        let routes = at.split_whitespace().next().expect("an address").parse().expect("an address");
        Node { process, routes, kind, args: args.iter().map(|&arg| arg.to_owned()).collect() }
    }

    /// A midge.
    pub fn midge(name: &str, seeds: &[SocketAddr]) -> Node {
        Self::start(Kind::Midge, name, seeds)
    }

    /// Kills it, and starts it anew at the same addresses.
    pub fn restart(self) -> Node {
        let (client, routes) = (self.process.address().port().to_string(), format!("nats://{}", self.routes));
        let Node { process, kind, mut args, .. } = self;
        process.signal("KILL");
        drop(process);
        args.extend(["-p".to_owned(), client, "--cluster".to_owned(), routes]);
        Self::run(kind, &args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// A client of it.
    pub fn client(&self) -> Client {
        Client::connect(self.process.address())
    }

    /// Waits until its clients are told of so many servers, with itself.
    pub fn wait_servers(&self, count: usize) -> Client {
        let mut client = self.client();
        client.wait_info(&format!("{count} servers"), |info| urls(info).len() == count);
        client
    }

    /// Lines of its log that tell of something bad, but for those that the specification allows.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.process.log();
        let is_bad = |line: &&str| line.contains("[ERR]") || line.contains("[WRN]");
        // It wants a second connection for the account of the system, and is refused what needs a pool.
        // And our passwords are plain indeed.
        let allowed = ["Not possible to have a dedicated route for account", "Plaintext passwords detected"];
        let is_allowed = |line: &&str| allowed.iter().any(|text| line.contains(text));
        log.lines().filter(is_bad).filter(|line| !is_allowed(line)).map(str::to_owned).collect()
    }

    pub fn expect_no_complaints(&self) {
        let complaints = self.complaints();
        assert!(complaints.is_empty(), "{:?}: {complaints:#?}", self.kind);
    }
}

/// Waits until all know each other.
pub fn wait_mesh(nodes: &[&Node]) {
    for node in nodes {
        node.wait_servers(nodes.len());
    }
}

/// A place for files of a test, which is gone with this.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        let name = format!("cluster-{}-{}", std::process::id(), unique());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("a folder can be made");
        Folder(path)
    }

    /// The path of something in it.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path in UTF-8").to_owned()
    }

    /// Writes a file there, and returns its path.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).expect("a file can be written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind is in the build's folder for such.
        let _ = fs::remove_dir_all(&self.0);
    }
}
