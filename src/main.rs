//! The midge server: arguments to options to server; nothing else.

use midge::config::{self, Command, Options, Source};
use midge::log::Log;
use midge::server::{self, Server};
use midge::sys::clock::CalendarTime;
use midge::sys::service::{Manager, Notice};
use midge::sys::{error_text, limits, memory, passed, pid_file, signals};
use std::fmt::Display;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

/// How long the last log lines may take to be written.
const LOG_PATIENCE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    match config::parse(std::env::args_os().skip(1), &config::SYSTEM) {
        Ok(Command::Run { options, warnings, source }) => match server::check(&options) {
            Ok(()) => run(*options, &warnings, &source),
            Err(reason) => refuse(&reason),
        },
        Ok(Command::Valid { options, file, warnings }) => {
            warnings.iter().for_each(|warning| eprintln!("{warning}"));
            if let Err(reason) = server::check(&options) {
                return refuse(&reason);
            }
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
        Ok(Command::Signal(request)) => match server::signal(&request) {
            Ok(()) => ExitCode::SUCCESS,
            Err(reason) => refuse(&reason),
        },
        Err(error) => {
            eprintln!("midge: {error}");
            ExitCode::from(error.code)
        }
    }
}

fn refuse(reason: &str) -> ExitCode {
    eprintln!("midge: {reason}");
    ExitCode::FAILURE
}

fn run(options: Options, warnings: &[String], source: &Source) -> ExitCode {
    memory::keep_little();
    let passed = passed::listener();
    if let Err(error) = signals::block() {
        eprintln!("midge: cannot block signals: {error}");
        return ExitCode::FAILURE;
    }
    let log = match Log::start(options.log_settings()) {
        Ok(log) => log,
        Err(error) => {
            // As the official server does: a date, and neither process id nor tag.
            let now = CalendarTime::local(SystemTime::now()).to_string();
            eprintln!("{} {error}", now.split('.').next().unwrap_or_default());
            return ExitCode::FAILURE;
        }
    };
    match limits::raise_open_files() {
        Ok(files) => log.debug(format_args!("Open files limit: {files}")),
        Err(error) => log.warn(format_args!("Cannot raise the limit of open files: {error}")),
    }
    if let Some(path) = &options.pid_file
        && let Err(error) = pid_file::write(path)
    {
        return fatal(&log, &format_args!("Could not write pidfile: open {}: {}", path.display(), error_text(&error)));
    }
    let passed = match passed {
        Ok(passed) => passed,
        Err(error) => return fatal(&log, &format_args!("Error listening on a passed socket: {error}")),
    };
    let manager = Manager::from_environment(|name| std::env::var_os(name)).unwrap_or_else(|error| {
        log.warn(format_args!("Cannot reach the service manager: NOTIFY_SOCKET: {error}"));
        None
    });
    let mut server = match Server::start_on(passed, options, warnings, log.clone()) {
        Ok(server) => server,
        Err(error) => return fatal(&log, &error),
    };
    server::tell(manager.as_ref(), Notice::Ready, &log);
    server.attend(source, manager.as_ref());
    log.info(format_args!("Initiating Shutdown..."));
    // Not when lame duck mode begins: from here on the manager counts the time it gives the service to stop.
    server::tell(manager.as_ref(), Notice::Stopping, &log);
    server.shutdown();
    log.info(format_args!("Server Exiting.."));
    log.flush(LOG_PATIENCE);
    ExitCode::SUCCESS
}

fn fatal(log: &Log, error: &dyn Display) -> ExitCode {
    log.fatal(format_args!("{error}"));
    log.flush(LOG_PATIENCE);
    ExitCode::FAILURE
}
