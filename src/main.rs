//! The midge server: arguments to options to server; nothing else.

use midge::config::{self, Command, Options};
use midge::log::{Log, Settings};
use midge::server::{self, Server};
use midge::sys::signals::{self, Signal};
use midge::sys::{error_text, limits, pid_file};
use std::fmt::Display;
use std::process::ExitCode;
use std::time::Duration;

/// How long the last log lines may take to be written.
const LOG_PATIENCE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    match config::parse(std::env::args_os().skip(1), &config::SYSTEM) {
        Ok(Command::Run { options, warnings }) => run(*options, &warnings),
        Ok(Command::Valid { file, warnings }) => {
            warnings.iter().for_each(|warning| eprintln!("{warning}"));
            eprintln!("midge: configuration file {} is valid", file.display());
            ExitCode::SUCCESS
        }
        Ok(Command::Help(text)) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Ok(Command::Version) => {
            println!("{}", server::version());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("midge: {error}");
            ExitCode::from(error.code)
        }
    }
}

fn run(options: Options, warnings: &[String]) -> ExitCode {
    if let Err(error) = signals::block() {
        eprintln!("midge: cannot block signals: {error}");
        return ExitCode::FAILURE;
    }
    let Options { debug, trace, logtime: time, logtime_utc: utc, .. } = options;
    let log = match Log::stderr(Settings { debug, trace, time, utc, color: None }) {
        Ok(log) => log,
        Err(error) => {
            eprintln!("midge: cannot start the log: {error}");
            return ExitCode::FAILURE;
        }
    };
    warnings.iter().for_each(|warning| log.warn(format_args!("{warning}")));
    match limits::raise_open_files() {
        Ok(files) => log.debug(format_args!("Open files limit: {files}")),
        Err(error) => log.warn(format_args!("Cannot raise the limit of open files: {error}")),
    }
    if let Some(path) = &options.pid_file
        && let Err(error) = pid_file::write(path)
    {
        return fatal(&log, &format_args!("Could not write pidfile: open {}: {}", path.display(), error_text(&error)));
    }
    let mut server = match Server::start(options, log.clone()) {
        Ok(server) => server,
        Err(error) => return fatal(&log, &error),
    };
    wait_for_end(&log);
    log.info(format_args!("Initiating Shutdown..."));
    server.shutdown();
    log.info(format_args!("Server Exiting.."));
    log.flush(LOG_PATIENCE);
    ExitCode::SUCCESS
}

/// Returns at SIGINT or SIGTERM.
fn wait_for_end(log: &Log) {
    loop {
        let signal = signals::wait();
        log.info(format_args!("Trapped \"{signal}\" signal"));
        match signal {
            Signal::Interrupt | Signal::Terminate => return,
            Signal::User1 => log.info(format_args!("File log re-open ignored, not a file logger")),
            Signal::Hangup => log.warn(format_args!("Reload is not supported")),
            Signal::User2 => log.warn(format_args!("Lame duck mode is not supported")),
        }
    }
}

fn fatal(log: &Log, error: &dyn Display) -> ExitCode {
    log.fatal(format_args!("{error}"));
    log.flush(LOG_PATIENCE);
    ExitCode::FAILURE
}
