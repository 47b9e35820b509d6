//! `--signal`: what one call of the program tells another that runs.

use crate::log::Escaped;
use crate::sys;
use crate::sys::processes::{self, Message, Process};
use crate::sys::signals::Signal;
use std::fs::File;
use std::io::Read;

/// More than the digits of any process id with a line end.
const PID_BYTES_MAX: u64 = 32;

/// Does what `--signal` asks for: a command, and perhaps behind `=` a process id, the name of a file that holds one, or
/// the first digits of some ids and `*`. Without that there must be exactly one other process with our program's name.
/// Does not wait for the effect.
///
/// # Errors
/// What is wrong with the request, or why the system refuses it; perhaps several lines.
pub fn signal(request: &str) -> Result<(), String> {
    let (command, whom) = split(request)?;
    let whom = read_pid_file(whom).unwrap_or_else(|| whom.to_owned());
    let ids = match Whom::read(&whom)? {
        Whom::Id(id) => vec![id],
        Whom::Named(digits) => {
            let found = processes::own().and_then(|own| Ok((own, processes::all()?)));
            let (own, all) = found.map_err(|_| "unable to resolve pid, try providing one".to_owned())?;
            choose(digits, &own, &all)?
        }
    };
    let message = message(command)?;
    let refused: String = ids.iter().filter_map(|id| send(command, *id, message).err()).collect();
    if refused.is_empty() { Ok(()) } else { Err(refused) }
}

/// Which processes are meant.
#[derive(Debug, PartialEq, Eq)]
enum Whom<'a> {
    /// This one, whatever its name is.
    Id(u32),
    /// Of those with our name all whose ids begin with these digits, or else the only one there is.
    Named(Option<&'a str>),
}

impl Whom<'_> {
    fn read(text: &str) -> Result<Whom<'_>, String> {
        let (digits, is_pattern) = text.strip_suffix('*').map_or((text, false), |digits| (digits, true));
        let invalid = || Err(format!("invalid pid: {}", Escaped(digits.as_bytes())));
        match digits.parse::<u32>() {
            _ if digits.bytes().any(|byte| !byte.is_ascii_digit()) => invalid(),
            _ if is_pattern => Ok(Whom::Named(Some(digits))),
            _ if digits.is_empty() => Ok(Whom::Named(None)),
            Ok(id @ 1..) => Ok(Whom::Id(id)),
            _ => invalid(),
        }
    }
}

/// The command and what stands behind its `=`.
fn split(request: &str) -> Result<(&str, &str), String> {
    let mut parts = request.split('=');
    let (command, whom) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let more: Vec<&str> = parts.collect();
    if more.is_empty() {
        Ok((command, whom))
    } else {
        Err(format!("invalid signal parameters: [{}]", Escaped(more.join(" ").as_bytes())))
    }
}

/// What is in the file of that name, without its line end; none if there is no such file.
fn read_pid_file(name: &str) -> Option<String> {
    let mut text = String::new();
    File::open(name).ok()?.take(PID_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

/// The ids among `all` that are meant: of processes with our own name, but never ours. Without `digits` there must be one.
fn choose(digits: Option<&str>, own: &Process, all: &[Process]) -> Result<Vec<u32>, String> {
    let others = all.iter().filter(|process| process.name == own.name && process.id != own.id);
    let begins = |id: &u32| id.to_string().starts_with(digits.unwrap_or_default());
    let ids: Vec<u32> = others.map(|process| process.id).filter(begins).collect();
    match (digits, &ids[..]) {
        (_, []) => Err(format!("no {} processes running", own.name)),
        (None, [_, _, ..]) => {
            let lines: String = ids.iter().map(|id| format!("\n{id}")).collect();
            Err(format!("multiple {} processes running:{lines}", own.name))
        }
        _ => Ok(ids),
    }
}

fn message(command: &str) -> Result<Message, String> {
    Ok(match command {
        "stop" => Message::Kill,
        "quit" => Message::Signal(Signal::Interrupt),
        "term" => Message::Signal(Signal::Terminate),
        "reopen" => Message::Signal(Signal::User1),
        "reload" => Message::Signal(Signal::Hangup),
        "ldm" => Message::Signal(Signal::User2),
        _ => return Err(format!("unknown signal \"{}\"", Escaped(command.as_bytes()))),
    })
}

fn send(command: &str, id: u32, message: Message) -> Result<(), String> {
    let told = |error| format!("\nsignal \"{command}\" {id}: {}", sys::error_text(&error));
    processes::send(id, message).map_err(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no<T>(text: &str) -> Result<T, String> {
        Err(text.to_owned())
    }

    #[test]
    fn a_request_is_a_command_and_whom_it_is_for() {
        for (request, parts) in [
            ("reload", Ok(("reload", ""))),
            ("reload=", Ok(("reload", ""))),
            ("ldm=1", Ok(("ldm", "1"))),
            ("ldm=1=", no("invalid signal parameters: []")),
            ("ldm=1=2", no("invalid signal parameters: [2]")),
            ("ldm=1=2=3\n", no("invalid signal parameters: [2 3\\n]")),
        ] {
            assert_eq!(split(request), parts, "{request:?}");
        }
        for (text, whom) in [
            ("", Ok(Whom::Named(None))),
            ("*", Ok(Whom::Named(Some("")))),
            ("12*", Ok(Whom::Named(Some("12")))),
            ("12", Ok(Whom::Id(12))),
            ("4294967295", Ok(Whom::Id(u32::MAX))),
            ("0", no("invalid pid: 0")),
            ("-1", no("invalid pid: -1")),
            ("+1", no("invalid pid: +1")),
            (" 1", no("invalid pid:  1")),
            ("4294967296", no("invalid pid: 4294967296")),
            ("abc", no("invalid pid: abc")),
            ("1\n", no("invalid pid: 1\\n")),
            ("12x*", no("invalid pid: 12x")),
            ("**", no("invalid pid: *")),
            ("*1", no("invalid pid: *1")),
        ] {
            assert_eq!(Whom::read(text), whom, "{text:?}");
        }
    }

    #[test]
    fn commands_are_the_official_ones() {
        for (command, expected) in [
            ("stop", Message::Kill),
            ("quit", Message::Signal(Signal::Interrupt)),
            ("term", Message::Signal(Signal::Terminate)),
            ("reopen", Message::Signal(Signal::User1)),
            ("reload", Message::Signal(Signal::Hangup)),
            ("ldm", Message::Signal(Signal::User2)),
        ] {
            assert_eq!(message(command), Ok(expected));
        }
        assert_eq!(message("foo"), Err("unknown signal \"foo\"".to_owned()));
        assert_eq!(message("QUIT"), Err("unknown signal \"QUIT\"".to_owned()));
    }

    #[test]
    fn only_processes_with_our_name_are_found_and_never_ourselves() {
        let process = |id, name: &str| Process { id, name: name.to_owned() };
        let own = process(120, "midge");
        let all = [
            process(1, "init"),
            process(12, "midge"),
            process(120, "midge"),
            process(121, "midge-2"),
            process(122, "nats-server"),
            process(123, "Midge"),
            process(1205, "midge"),
        ];
        for (all, digits, expected) in [
            (&all[..], None, no("multiple midge processes running:\n12\n1205")),
            (&all[..], Some(""), Ok(vec![12, 1205])),
            (&all[..], Some("12"), Ok(vec![12, 1205])),
            (&all[..], Some("120"), Ok(vec![1205])),
            (&all[..], Some("3"), no("no midge processes running")),
            (&all[..2], None, Ok(vec![12])),
            (&all[2..6], None, no("no midge processes running")),
            (&all[2..6], Some("12"), no("no midge processes running")),
            (&[][..], None, no("no midge processes running")),
        ] {
            assert_eq!(choose(digits, &own, all), expected, "{digits:?}");
        }
    }
}
