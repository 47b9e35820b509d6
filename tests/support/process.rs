//! midge as a process of its own, and what the system says about it. Reads `/proc`, so this is for Linux.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take. Long enough for a loaded machine, and only ever waited for by a failing test.
const DEADLINE: Duration = Duration::from_secs(20);

/// How often what only `/proc` knows is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What a server logs last when it starts.
const READY: &str = "Server is ready";

/// Clock ticks in a second as `/proc` counts them: the same on all Linux systems that Rust runs on.
const TICKS_PER_SECOND: u64 = 100;

/// A running midge. It is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: Arc<Log>,
    address: SocketAddr,
}

/// What it has written to standard error.
#[derive(Debug, Default)]
struct Log {
    written: Mutex<Written>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Written {
    text: String,
    /// Nothing will follow: the process has ended.
    ended: bool,
}

impl Process {
    /// Starts midge with these arguments on a free port of the loopback interface, and waits until it is ready.
    pub fn start(args: &[&str]) -> Process {
        Self::spawn(&mut command(args))
    }

    /// The same with so many workers.
    pub fn with_workers(workers: usize) -> Process {
        Self::start(&["--workers", &workers.to_string()])
    }

    /// The same with a limit of open files that it cannot raise.
    pub fn with_files(files: usize, workers: usize) -> Process {
        Self::spawn(&mut limited(&format!("-n {files}"), &["--workers", &workers.to_string()]))
    }

    /// The same with a log that goes elsewhere: `log` gives what has come there so far.
    pub fn start_logging(args: &[&str], log: impl FnMut() -> String) -> Process {
        Self::begin(&mut command(args)).wait_ready(log)
    }

    /// The same with a limit as the shell's `ulimit` takes it.
    pub fn start_limited(limit: &str, args: &[&str], log: impl FnMut() -> String) -> Process {
        Self::begin(&mut limited(limit, args)).wait_ready(log)
    }

    /// Starts another server of the same flags and log lines.
    pub fn start_program(program: &Path, args: &[&str]) -> Process {
        Self::spawn(&mut command_of(program, args))
    }

    /// The same with further variables in its environment.
    pub fn with_environment(variables: &[(&str, &str)]) -> Process {
        Self::start_in(variables, &[])
    }

    /// The same with arguments.
    pub fn start_in(variables: &[(&str, &str)], args: &[&str]) -> Process {
        Self::spawn(command(args).envs(variables.iter().copied()))
    }

    /// The same with a listening socket that is passed to it.
    pub fn with_socket(socket: OwnedFd, args: &[&str]) -> Process {
        Self::spawn_with(passing(args).stdin(socket))
    }

    fn spawn(command: &mut Command) -> Process {
        Self::spawn_with(command.stdin(Stdio::null()))
    }

    fn spawn_with(command: &mut Command) -> Process {
        let mut process = Self::begin_with(command);
        process.address = listening(&process.wait_log(READY));
        process
    }

    fn wait_ready(mut self, mut log: impl FnMut() -> String) -> Process {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let text = log();
            if text.contains(READY) {
                self.address = listening(&text);
                return self;
            }
            assert!(Instant::now() < deadline, "it is not ready:\n{text}\n{}", self.log());
            thread::sleep(LOOK);
        }
    }

    fn begin(command: &mut Command) -> Process {
        Self::begin_with(command.stdin(Stdio::null()))
    }

    fn begin_with(command: &mut Command) -> Process {
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("midge can be run");
        let log = Arc::new(Log::default());
        let pipe = child.stderr.take().expect("standard error is a pipe");
        let writer = Arc::clone(&log);
        thread::spawn(move || writer.fill(pipe));
        let address = SocketAddr::from(([0, 0, 0, 0], 0));
        Process { child, log, address }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.written.lock().unwrap().text.clone()
    }

    /// Waits until `text` has been logged and returns the whole log.
    pub fn wait_log(&self, text: &str) -> String {
        let (log, found) = self.log.wait(|written| written.text.contains(text));
        assert!(found, "{text:?} was not logged:\n{log}");
        log
    }

    /// Waits until `text` has been logged that many times.
    pub fn wait_log_times(&self, text: &str, times: usize) {
        let (log, found) = self.log.wait(|written| written.text.matches(text).count() >= times);
        assert!(found, "{text:?} was not logged {times} times:\n{log}");
    }

    /// Sends a signal, named as `kill` does: `TERM`.
    pub fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let status = Command::new("sh").args(["-c", "kill -\"$0\" \"$1\"", name, &id]).status();
        assert!(status.expect("sh can be run").success(), "SIG{name} could not be sent");
    }

    /// Waits until it has ended by itself.
    pub fn wait_end(&mut self) -> ExitStatus {
        let (log, ended) = self.log.wait(|written| written.ended);
        assert!(ended, "it does not end:\n{log}");
        self.child.wait().expect("a child that was not waited for")
    }

    /// Memory it has in use now, in bytes.
    pub fn memory(&self) -> usize {
        self.status_kilobytes("VmRSS:") * 1024
    }

    /// The most memory it has had in use, in bytes.
    pub fn memory_peak(&self) -> usize {
        self.status_kilobytes("VmHWM:") * 1024
    }

    /// Processor time it has used.
    pub fn cpu(&self) -> Duration {
        let stat = self.proc_text("stat");
        // The fields behind the name, which is in parentheses: utime and stime are the 14th and 15th of the line.
        let fields: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().expect("ticks")).sum();
        Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
    }

    /// Descriptors it has open now.
    pub fn files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.id())).expect("its descriptors can be listed").count()
    }

    /// True if it has this file open now.
    pub fn has_open(&self, path: &str) -> bool {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.id())).expect("its descriptors can be listed");
        // Some may be closed while they are looked at.
        descriptors.flatten().any(|entry| fs::read_link(entry.path()).is_ok_and(|link| link == Path::new(path)))
    }

    /// Waits until a measure of it is at most `most`; panics with `what` if that does not come.
    pub fn wait_down(&self, what: &str, most: usize, measure: impl Fn(&Process) -> usize) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let now = measure(self);
            if now <= most {
                return;
            }
            assert!(Instant::now() < deadline, "{what}: still {now}, more than {most}");
            thread::sleep(LOOK);
        }
    }

    fn status_kilobytes(&self, key: &str) -> usize {
        let status = self.proc_text("status");
        let value = status.lines().find_map(|line| line.strip_prefix(key)).expect("a known line");
        value.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    fn proc_text(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.id())).expect("it is running")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Log {
    /// Takes all that comes out of the pipe.
    fn fill(&self, pipe: impl Read) {
        let mut lines = BufReader::new(pipe);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
            self.written.lock().unwrap().text.push_str(&String::from_utf8_lossy(&line));
            self.changed.notify_all();
            line.clear();
        }
        self.written.lock().unwrap().ended = true;
        self.changed.notify_all();
    }

    /// Waits until it is as wanted, has ended, or the deadline has come. Returns the text and whether it is as wanted.
    fn wait(&self, wanted: impl Fn(&Written) -> bool) -> (String, bool) {
        let deadline = Instant::now() + DEADLINE;
        let mut written = self.written.lock().unwrap();
        while !wanted(&written) && !written.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            written = self.changed.wait_timeout(written, left).unwrap().0;
        }
        (written.text.clone(), wanted(&written))
    }
}

/// Runs midge with arguments that are to make it end at once.
pub fn run_to_end(args: &[&str]) -> Output {
    end_of(command(args).stdin(Stdio::null()))
}

/// The same with a descriptor that is passed to it as a socket to listen on.
pub fn run_to_end_with_socket(socket: OwnedFd) -> Output {
    end_of(passing(&[]).stdin(socket))
}

fn end_of(command: &mut Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("midge can be run");
    let id = child.id().to_string();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let output = receiver.recv_timeout(DEADLINE).unwrap_or_else(|_| {
        let _ = Command::new("sh").args(["-c", "kill -KILL \"$0\"", &id]).status();
        panic!("{command:?} does not end")
    });
    output.expect("its output can be read")
}

/// midge on a free port of the loopback interface; `args` may say otherwise.
fn command(args: &[&str]) -> Command {
    command_of(&super::midge_path(), args)
}

fn command_of(program: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(["-a", "127.0.0.1", "-p", "-1"]).args(args);
    command
}

/// The same; its standard input is passed to it as service managers pass sockets.
fn passing(args: &[&str]) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\" 3<&0 </dev/null"]);
    let midge = command(args);
    shell.arg(midge.get_program()).args(midge.get_args());
    shell
}

/// The same under a limit of the shell's.
fn limited(limit: &str, args: &[&str]) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("ulimit {limit}; exec \"$0\" \"$@\""));
    let midge = command(args);
    shell.arg(midge.get_program()).args(midge.get_args());
    shell
}

/// Where a server listens, by its log.
fn listening(log: &str) -> SocketAddr {
    let found = log.lines().find_map(|line| line.split_once("Listening for client connections on "));
    found.expect("it says where it listens").1.parse().expect("an address")
}
