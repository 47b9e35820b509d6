use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::time::Duration;

use super::table::{Effect, Group, Reload};
use super::tls::TlsFlags;
use super::value::{Kind, Value};
use super::*;
use crate::wire::Secret;

/// No environment and no files.
pub(in crate::config) const NOTHING: Outside<'static> =
    Outside { variable: &|_| None, file: &|_| Err(io::Error::from_raw_os_error(2)) };

fn run(args: &[&str]) -> Options {
    match command(args) {
        Ok(Command::Run { options, warnings, .. }) if warnings.is_empty() => *options,
        other => panic!("{args:?} gave {other:?}"),
    }
}

fn command(args: &[&str]) -> Result<Command, ArgError> {
    parse(args.iter().map(OsString::from), &NOTHING)
}

fn defaults_with(change: impl FnOnce(&mut Options)) -> Options {
    let mut options = Options::default();
    change(&mut options);
    options
}

#[test]
fn the_defaults_are_the_official_ones() {
    use std::time::Duration;
    let expected = Options {
        tls: None,
        tls_flags: TlsFlags::default(),
        allow_non_tls: false,
        config_file: None,
        host: "0.0.0.0".into(),
        port: 4222,
        server_name: None,
        client_advertise: None,
        cluster: cluster::ClusterOptions::default(),
        cluster_flags: cluster::ClusterFlags::default(),
        connect_error_reports: 3600,
        reconnect_error_reports: 1,
        http_host: None,
        http_port: None,
        https_port: None,
        http_socket: None,
        http_base_path: String::new(),
        http_token: None,
        http_user: None,
        http_password: None,
        max_closed_clients: 10_000,
        server_tags: Vec::new(),
        server_metadata: Vec::new(),
        pid_file: None,
        run_as: None,
        ports_file_dir: None,
        debug: false,
        trace: false,
        trace_verbose: false,
        trace_headers: false,
        log_file: None,
        logtime: true,
        logtime_utc: false,
        syslog: false,
        remote_syslog: None,
        log_size_limit: 0,
        logfile_max_num: 0,
        max_traced_msg_len: 0,
        workers: 0,
        max_control_line: 4096,
        max_payload: 1 << 20,
        max_pending: 64 << 20,
        max_memory: MaxMemory::Share,
        write_deadline: Duration::from_secs(10),
        write_timeout: WriteTimeout::Default,
        max_connections: 65536,
        max_connections_per_address: 0,
        connection_rate_per_address: 0,
        max_subscriptions: 0,
        max_sub_tokens: 0,
        ping_interval: Duration::from_secs(120),
        ping_max: 2,
        no_header_support: false,
        no_fast_producer_stall: false,
        lame_duck_duration: Duration::from_secs(120),
        lame_duck_grace_period: Duration::from_secs(10),
        authorization: authorization::Authorization::default(),
    };
    assert_eq!(Options::default(), expected);
    assert_eq!(run(&[]), expected);
}

#[test]
fn flags_in_every_spelling() {
    let port = |port| defaults_with(|options| options.port = port);
    let host = |host: &str| defaults_with(|options| options.host = host.into());
    let named = |name: &str| defaults_with(|options| options.server_name = Some(name.into()));
    let talk = |debug, trace| defaults_with(|options| (options.debug, options.trace) = (debug, trace));
    let table: &[(&[&str], Options)] = &[
        (&["-p", "20200"], port(20200)),
        (&["--p", "20200"], port(20200)),
        (&["-port", "20200"], port(20200)),
        (&["--port", "20200"], port(20200)),
        (&["-p=20200"], port(20200)),
        (&["--p=20200"], port(20200)),
        (&["-port=20200"], port(20200)),
        (&["--port=20200"], port(20200)),
        (&["-p", "0x4EE8"], port(20200)),
        (&["-p", "20_200"], port(20200)),
        (&["-p", "+20200"], port(20200)),
        (&["-p", "-1"], port(0)),
        (&["-p=-1"], port(0)),
        (&["-p", "0"], port(4222)),
        (&["-p", "-0"], port(4222)),
        (&["-p", "65535"], port(65535)),
        (&["--port=20201", "-p", "20202"], port(20202)),
        (&["-p", "20202", "--port=20201"], port(20201)),
        (&["-p", "99999", "-p", "1"], port(1)),
        (&["-a", "127.0.0.1"], host("127.0.0.1")),
        (&["--addr", "::1"], host("::1")),
        (&["-net=::"], host("::")),
        (&["-a", ""], host("0.0.0.0")),
        (&["--addr="], host("0.0.0.0")),
        (&["-a", "1.2.3.4", "-a", ""], host("0.0.0.0")),
        (&["-a", "-p"], host("-p")),
        (&["-a", "--"], host("--")),
        (&["-a", "x=y"], host("x=y")),
        (&["-a=x=y"], host("x=y")),
        (&["-a=="], host("=")),
        (&["-n", "n1"], named("n1")),
        (&["--name", "n1"], named("n1")),
        (&["-server_name=n1"], named("n1")),
        (&["-n", "\"quoted\""], named("\"quoted\"")),
        (&["-n", ""], Options::default()),
        (&["-n", "n1", "-n="], Options::default()),
        (&["-D"], talk(true, false)),
        (&["--debug"], talk(true, false)),
        (&["-V"], talk(false, true)),
        (&["-trace=T"], talk(false, true)),
        (&["-DV"], talk(true, true)),
        (&["--DV"], talk(true, true)),
        (&["-DV=false"], talk(false, false)),
        (&["-D", "-V", "-DV=0"], talk(false, false)),
        (&["-DV", "-D=false"], talk(false, true)),
        (&["-D=f", "-DV"], talk(true, true)),
        (&["-D", "-D=FALSE"], talk(false, false)),
        (&["-D=TRUE"], talk(true, false)),
        (&["--"], Options::default()),
        (&["-D", "--"], talk(true, false)),
        (&["-h=false", "-v=0"], Options::default()),
        (&["-workers", "4"], defaults_with(|options| options.workers = 4)),
        (&["--workers=256"], defaults_with(|options| options.workers = 256)),
        (&["-P", "/run/m.pid"], defaults_with(|options| options.pid_file = Some("/run/m.pid".into()))),
        (&["--pid="], Options::default()),
        (&["-ports_file_dir", "/tmp"], defaults_with(|options| options.ports_file_dir = Some("/tmp".into()))),
        (&["--ports_file_dir="], Options::default()),
        (&["--signal="], Options::default()),
        (&["-sl", "quit", "-signal="], Options::default()),
        (&["-l", "m.log"], defaults_with(|options| options.log_file = Some("m.log".into()))),
        (&["--log=m.log", "-l="], Options::default()),
        (&["-T=false"], defaults_with(|options| options.logtime = false)),
        (&["-logtime"], Options::default()),
        (&["--logtime_utc"], defaults_with(|options| options.logtime_utc = true)),
        (&["-s"], defaults_with(|options| options.syslog = true)),
        (&["-r", "udp://h:1"], defaults_with(|options| options.remote_syslog = Some("udp://h:1".into()))),
        (&["--remote_syslog="], Options::default()),
        (&["--log_size_limit", "0x10"], defaults_with(|options| options.log_size_limit = 16)),
        (&["--max_traced_msg_len=9"], defaults_with(|options| options.max_traced_msg_len = 9)),
        (&["-js=false", "-t=false", "-c", ""], Options::default()),
        (&["-pid", "a b"], defaults_with(|options| options.pid_file = Some("a b".into()))),
    ];
    for (args, expected) in table {
        assert_eq!(run(args), *expected, "{args:?}");
    }
}

#[test]
fn help_and_version_in_every_spelling() {
    let help_text = Command::Help(help());
    let table: &[(&[&str], &Command)] = &[
        (&["-h"], &help_text),
        (&["-help"], &help_text),
        (&["--help"], &help_text),
        (&["help"], &help_text),
        (&["HELP"], &help_text),
        (&["-p", "1", "help"], &help_text),
        (&["--", "help"], &help_text),
        (&["help", "version"], &help_text),
        (&["-v"], &Command::Version),
        (&["--version"], &Command::Version),
        (&["version"], &Command::Version),
        (&["Version", "-p", "1"], &Command::Version),
        (&["version", "-bogus"], &Command::Version),
        (&["-v", "-h"], &Command::Version),
        (&["-h", "-v"], &Command::Version),
        (&["-h", "bogus"], &help_text),
        (&["-v", "bogus"], &Command::Version),
        (&["-v", "-p", "99999"], &Command::Version),
    ];
    for (args, expected) in table {
        assert_eq!(command(args).as_ref(), Ok(*expected), "{args:?}");
    }
}

#[test]
fn a_signal_is_asked_for_in_every_spelling() {
    let table: &[(&[&str], &str)] = &[
        (&["-sl", "reload"], "reload"),
        (&["--sl=reload"], "reload"),
        (&["--signal", "ldm=123"], "ldm=123"),
        (&["--signal=ldm=123"], "ldm=123"),
        (&["-signal=stop=*"], "stop=*"),
        (&["-sl", "stop", "--signal", "quit=/run/midge.pid"], "quit=/run/midge.pid"),
        (&["-p", "99999", "-sl", "what==ever"], "what==ever"),
    ];
    for (args, signal) in table {
        assert_eq!(command(args), Ok(Command::Signal(signal.to_string())), "{args:?}");
    }
    assert_eq!(command(&["-sl", "stop", "-v"]), Ok(Command::Version));
    assert_eq!(command(&["-sl", "stop", "help"]), Ok(Command::Help(help())));
}

#[test]
fn the_times_of_a_lame_duck_must_make_sense() {
    use std::time::Duration;
    let duration = table::all().find(|spec| spec.keys.contains(&"lame_duck_duration")).unwrap();
    let mut options = Options::default();
    for (ms, told) in [(0, "0s"), (10_000, "10s"), (29_999, "29.999s")] {
        let refused = duration.apply(&mut options, Value::Duration(Duration::from_millis(ms)));
        assert_eq!(refused, Err(format!("invalid lame_duck_duration of {told}, minimum is 30 seconds")));
    }
    duration.apply(&mut options, Value::Duration(Duration::from_secs(30))).unwrap();
    let refusal = "lame duck grace period (30s) should be strictly lower than lame duck duration (30s)".to_owned();
    for (grace, expected) in [(0, Ok(())), (29, Ok(())), (30, Err(refusal))] {
        options.lame_duck_grace_period = Duration::from_secs(grace);
        assert_eq!(options.check(), expected);
    }
}

#[test]
fn every_almost_right_command_line_gets_its_line() {
    let table: &[(&[&str], u8, &str)] = &[
        (&["---p"], 2, "bad flag syntax: ---p"),
        (&["---p=1"], 2, "bad flag syntax: ---p=1"),
        (&["-=1"], 2, "bad flag syntax: -=1"),
        (&["--=1"], 2, "bad flag syntax: --=1"),
        (&["-bogus"], 2, "flag provided but not defined: -bogus"),
        (&["--bogus=3"], 2, "flag provided but not defined: -bogus"),
        (&["-bogus\n[1] [INF] x"], 2, "flag provided but not defined: -bogus\\n[1] [INF] x"),
        (&["-d"], 2, "flag provided but not defined: -d"),
        (&["-Debug"], 2, "flag provided but not defined: -Debug"),
        (&["-DVV2"], 2, "flag provided but not defined: -DVV2"),
        (&["-VD"], 2, "flag provided but not defined: -VD"),
        (&["-p4222"], 2, "flag provided but not defined: -p4222"),
        (&["-Dp", "4222"], 2, "flag provided but not defined: -Dp"),
        (&["-max_payload", "1"], 2, "flag provided but not defined: -max_payload"),
        (&["-p"], 2, "flag needs an argument: -p"),
        (&["--port"], 2, "flag needs an argument: -port"),
        (&["-D", "-a"], 2, "flag needs an argument: -a"),
        (&["--port="], 2, "invalid value \"\" for flag -port: parse error"),
        (&["-p", "x"], 2, "invalid value \"x\" for flag -p: parse error"),
        (&["-p", "1k"], 2, "invalid value \"1k\" for flag -p: parse error"),
        (&["-p", "1.0"], 2, "invalid value \"1.0\" for flag -p: parse error"),
        (&["-p", "-D"], 2, "invalid value \"-D\" for flag -p: parse error"),
        (&["-p", "a\tb"], 2, "invalid value \"a\\tb\" for flag -p: parse error"),
        (&["-p", "x", "-p", "1"], 2, "invalid value \"x\" for flag -p: parse error"),
        (&["-p", "99999999999999999999"], 2, "invalid value \"99999999999999999999\" for flag -p: value out of range"),
        (&["-logfile_max_num", "1"], 2, "flag provided but not defined: -logfile_max_num"),
        (&["-log_size_limit", "1k"], 2, "invalid value \"1k\" for flag -log_size_limit: parse error"),
        (&["-T", "false"], 1, "unrecognized command: \"false\""),
        (&["-D=maybe"], 2, "invalid boolean value \"maybe\" for -D: parse error"),
        (&["-D="], 2, "invalid boolean value \"\" for -D: parse error"),
        (&["--debug=yes"], 2, "invalid boolean value \"yes\" for -debug: parse error"),
        (&["-h=x"], 2, "invalid boolean value \"x\" for -h: parse error"),
        (&["-v", "-bogus"], 2, "flag provided but not defined: -bogus"),
        (&["-bogus", "-p"], 2, "flag provided but not defined: -bogus"),
        (&["-D", "false"], 1, "unrecognized command: \"false\""),
        (&["start"], 1, "unrecognized command: \"start\""),
        (&["-"], 1, "unrecognized command: \"-\""),
        (&[""], 1, "unrecognized command: \"\""),
        (&["--", "foo"], 1, "unrecognized command: \"foo\""),
        (&["--", "-v"], 1, "unrecognized command: \"-v\""),
        (&["--", "--"], 1, "unrecognized command: \"--\""),
        (&["\u{2013}addr", "x"], 1, "unrecognized command: \"\u{2013}addr\""),
        (&["foo", "-v"], 1, "unrecognized command: \"foo\""),
        (&["-sl"], 2, "flag needs an argument: -sl"),
        (&["-sl", "stop", "now"], 1, "unrecognized command: \"now\""),
        (&["-p", "99999"], 1, "port must be between -1 and 65535, not 99999"),
        (&["-p", "-5"], 1, "port must be between -1 and 65535, not -5"),
        (&["-n", "a b"], 1, "server name cannot contain spaces"),
        (&["-n", "a\tb"], 1, "server name cannot contain spaces"),
        (&["-n", " "], 1, "server name cannot contain spaces"),
        (&["-t"], 1, "must specify [-c, --config] option to check configuration file syntax"),
        (&["-t", "-p", "99999"], 1, "must specify [-c, --config] option to check configuration file syntax"),
        (&["-c", "no.conf"], 1, "open no.conf: no such file or directory"),
        (&["-c", "no.conf", "-p", "99999"], 1, "port must be between -1 and 65535, not 99999"),
        (&["--workers", "0"], 1, "workers must be between 1 and 256, not 0"),
        (&["--workers", "257"], 1, "workers must be between 1 and 256, not 257"),
        (&["--workers", "-1"], 1, "workers must be between 1 and 256, not -1"),
    ];
    for (args, code, text) in table {
        let expected = ArgError { text: text.to_string(), code: *code };
        assert_eq!(command(args), Err(expected), "{args:?}");
    }
}

#[test]
fn flags_count_more_than_the_file() {
    let text = b"port: 1\nhost: a\nserver_name: n\ndebug: on\ntrace: off\nlogtime: no\nworkers: 3\nping_max: 7";
    let outside = Outside { file: &|_| Ok(text.to_vec()), ..NOTHING };
    let of_file = Options {
        config_file: Some("c.conf".into()),
        host: "a".into(),
        port: 1,
        server_name: Some("n".into()),
        debug: true,
        logtime: false,
        workers: 3,
        ping_max: 7,
        ..Options::default()
    };
    let with = |change: fn(&mut Options)| {
        let mut options = of_file.clone();
        change(&mut options);
        options
    };
    let table: &[(&[&str], Options)] = &[
        (&["-c", "c.conf"], of_file.clone()),
        (&["--config=no.conf", "-c=c.conf"], of_file.clone()),
        (&["-p", "2", "-c", "c.conf"], with(|options| options.port = 2)),
        (&["-c", "c.conf", "-p", "0"], with(|options| options.port = 4222)),
        (&["-c", "c.conf", "-a", "b"], with(|options| options.host = "b".into())),
        (&["-c", "c.conf", "-n="], with(|options| options.server_name = None)),
        (&["-D=false", "-c", "c.conf"], with(|options| options.debug = false)),
        (&["-c", "c.conf", "-T"], with(|options| options.logtime = true)),
        (&["-c", "c.conf", "-V"], with(|options| options.trace = true)),
        (&["-c", "c.conf", "--workers", "5"], with(|options| options.workers = 5)),
    ];
    for (args, expected) in table {
        match parse(args.iter().map(OsString::from), &outside) {
            Ok(Command::Run { options, warnings, .. }) => assert_eq!((*options, warnings), (expected.clone(), vec![])),
            other => panic!("{args:?} gave {other:?}"),
        }
    }
}

#[test]
fn warnings_come_from_flags_and_file() {
    let outside = Outside { file: &|_| Ok(b"gateway {}".to_vec()), ..NOTHING };
    let args = ["-js", "-sd", "folder", "-c", "c.conf", "-t"].map(OsString::from);
    let expected = [
        "--jetstream is not supported and is ignored",
        "--store_dir is not supported and is ignored",
        "c.conf:1:1: \"gateway\" is not supported and is ignored",
    ]
    .map(str::to_owned);
    let Ok(Command::Run { warnings, .. }) = parse(args[..5].iter().cloned(), &outside) else { panic!("it runs") };
    assert_eq!(warnings, expected);
    let checked = parse(args.into_iter(), &outside);
    assert_eq!(
        checked,
        Ok(Command::Valid { options: Box::default(), file: "c.conf".into(), warnings: expected.to_vec() })
    );
    // Flags are not looked at when only the file is checked.
    let args = ["-t", "-c", "c.conf", "-p", "99999"].map(OsString::from);
    assert!(matches!(parse(args.into_iter(), &outside), Ok(Command::Valid { .. })));
}

#[test]
fn words_that_are_no_text_are_refused() {
    for words in [vec![&b"-n\xff"[..]], vec![b"-n", b"\xff"], vec![b"\xff"], vec![b"x", b"\xff"]] {
        let error = parse(words.iter().map(|word| OsString::from_vec(word.to_vec())), &NOTHING).unwrap_err();
        assert_eq!(error.code, 2, "{words:?}");
        assert!(error.text.starts_with("argument is no UTF-8 text: \"") && error.text.contains("\\xff"), "{error}");
    }
}

#[test]
fn flags_can_be_applied_again_over_other_options() {
    let flags = Flags::read(["-D=false", "-p", "0", "-a="].iter().map(OsString::from)).unwrap();
    let mut options = defaults_with(|options| {
        options.debug = true;
        options.trace = true;
        options.port = 5222;
        options.host = "::1".into();
    });
    flags.apply(&mut options).unwrap();
    assert_eq!(options, defaults_with(|options| options.trace = true));
}

#[test]
fn the_table_is_sound() {
    let mut flags: Vec<&str> = Vec::new();
    let mut keys: Vec<&str> = Vec::new();
    for spec in table::all() {
        flags.extend(spec.flags);
        keys.extend(spec.keys);
        let name = format!("{:?} {:?}", spec.flags, spec.keys);
        assert!(!spec.flags.is_empty() || !spec.keys.is_empty(), "{name}");
        assert_eq!(spec.flags.is_empty(), spec.long_flag().is_empty(), "{name} needs a long flag");
        // `listen` stands for two options that have keys of their own.
        assert_eq!(spec.reload == Reload::Never, spec.keys.is_empty() || spec.keys == ["listen"], "{name}");
        let takes_value = !spec.flags.is_empty() && spec.kind != Kind::Switch;
        assert_eq!(takes_value, !spec.operand.is_empty(), "{name}");
        assert!(!spec.help.is_empty() && !spec.help.contains('\n') && !spec.help.ends_with('.'), "{name}");
        let is_common = matches!(spec.effect, Effect::Help | Effect::Version | Effect::Signal);
        assert_eq!(is_common, spec.group == Group::Common, "{name}");
        if !spec.default.is_empty() {
            let default = spec.kind.read(spec.default).unwrap();
            let Effect::Set { get, .. } = spec.effect else { panic!("{name}") };
            assert_eq!(get(&Options::default()), Some(default), "{name}");
        }
    }
    for mut names in [flags, keys] {
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "a name stands twice in {names:?}");
    }
}

#[test]
fn what_is_put_in_can_be_read_back() {
    for spec in table::all() {
        let Effect::Set { get, .. } = spec.effect else { continue };
        let values = match spec.kind {
            Kind::Switch => vec![Value::Switch(true), Value::Switch(false)],
            Kind::Integer => vec![Value::Integer(77), Value::Integer(1)],
            Kind::Text if spec.keys == ["write_timeout"] => vec![Value::Text("retry".into())],
            Kind::Text | Kind::Path => vec![Value::Text("somewhere".into())],
            Kind::Duration | Kind::Seconds => vec![Value::Duration(std::time::Duration::from_millis(45_500))],
            Kind::Address => vec![Value::Address(Some("::1".into()), -1), Value::Address(Some("h".into()), 5)],
            Kind::Texts => vec![Value::Texts(vec!["a".into(), "b".into()])],
            Kind::Pairs => vec![Value::Pairs(vec![("a".into(), "b".into())])],
            Kind::Secret => vec![Value::Secret(Secret::from("s3cret"))],
        };
        let mut options = Options::default();
        for value in values {
            spec.apply(&mut options, value.clone()).unwrap();
            assert_eq!(get(&options), Some(value), "{:?} {:?}", spec.flags, spec.keys);
        }
        let wrong = if spec.kind == Kind::Switch { Value::Integer(1) } else { Value::Switch(true) };
        let before = options.clone();
        assert!(spec.apply(&mut options, wrong).unwrap_err().starts_with("expected "), "{:?}", spec.keys);
        assert_eq!(options, before);
    }
}

#[test]
fn help_shows_every_flag_and_every_default() {
    let text = help();
    assert!(text.starts_with("\nUsage: midge [options]\n\nServer options:\n"), "{text}");
    assert!(text.ends_with("\n\n"), "{text}");
    assert!(text.lines().all(|line| line.len() <= 105 && line.trim_end() == line), "{text}");
    for line in [
        "    -p, --port <port>                      Listen on this port; -1 picks a free one (default: 4222)\n",
        "    -DV                                    Debug and trace\n",
        "        --workers <number>                 Worker threads, 1 to 256 (default: chosen for this machine)\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in {text}");
    }
    for spec in table::all() {
        for flag in spec.flags {
            let dashed = super::help::dashed(flag);
            let found = text.split([' ', ',', '\n']).any(|word| word == dashed);
            assert!(found, "{dashed} is not in {text}");
        }
    }
}

#[test]
fn paths_are_kept_as_given() {
    assert_eq!(run(&["-P", "./a/../b"]).pid_file.as_deref(), Some(Path::new("./a/../b")));
}

/// The man page stands for what `--help` says at more length: its list of options must be that of the table.
#[test]
fn the_man_page_lists_the_options_of_the_table() {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/man/midge.8"));
    let (_, options) = page.split_once(".Ss Options\n").unwrap();
    let (options, _) = options.split_once("\n.El\n").unwrap();
    let mut entries = options.split("\n.It Fl ").skip(1);
    for group in Group::ALL {
        for spec in table::all().filter(|spec| spec.group == group && !spec.flags.is_empty()) {
            let (heading, body) = entries.next().expect("an entry for every option").split_once('\n').unwrap();
            let flags = spec.flags.iter().map(|flag| super::help::dashed(flag)[1..].to_owned()).collect::<Vec<_>>();
            let mut expected = flags.join(" , Fl ");
            if !spec.operand.is_empty() {
                expected.push_str(&format!(" Ar {}", spec.operand.trim_matches(['<', '>'])));
            }
            assert_eq!(heading, expected);
            let default = format!("The default is {}", spec.default);
            assert!(spec.kind == Kind::Switch || spec.default.is_empty() || body.contains(&default), "{heading}");
        }
    }
    assert_eq!(entries.next(), None, "an entry that is no option");
}

/// The same for the keys and the page about the file.
#[test]
fn the_man_page_of_the_file_lists_the_keys_of_the_table() {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/man/midge.conf.5"));
    let (_, keys) = page.split_once(".Ss Keys\n").unwrap();
    let (keys, _) = keys.split_once("\n.El\n").unwrap();
    let mut entries = keys.split("\n.It Ic ").skip(1);
    for group in Group::ALL {
        for spec in table::all().filter(|spec| spec.group == group && !spec.keys.is_empty()) {
            let (heading, body) = entries.next().expect("an entry for every key").split_once('\n').unwrap();
            assert_eq!(heading, spec.keys.join(" , "));
            let kind = spec.kind.title();
            assert!(body.starts_with(kind), "{heading} is no {kind}");
            let default = format!("The default is {}", spec.default);
            assert!(spec.default.is_empty() || body.contains(&default), "{heading}");
            let is_fixed = body.contains("\nA reload cannot change it.");
            assert_eq!(is_fixed, spec.reload != Reload::Applied, "{heading}");
        }
    }
    assert_eq!(entries.next(), None, "an entry that is no key");
}

#[test]
fn a_reload_knows_each_option_that_changed() {
    let old = Options::default();
    assert!(reload::changes(&old, &old).unwrap().is_empty());
    for spec in table::all().filter(|spec| spec.reload != Reload::Never) {
        let Effect::Set { get, .. } = spec.effect else { panic!("{:?} cannot be in a file", spec.keys) };
        let value = match get(&old) {
            Some(Value::Switch(on)) => Value::Switch(!on),
            Some(Value::Integer(number)) => Value::Integer(number + 1),
            Some(Value::Duration(time)) => Value::Duration(time + Duration::from_millis(1)),
            Some(Value::Text(text)) if text == "default" => Value::Text("retry".into()),
            Some(Value::Address(..)) => Value::Address(Some("other".into()), 0),
            Some(Value::Texts(_)) => Value::Texts(vec!["other".into()]),
            Some(Value::Pairs(_)) => Value::Pairs(vec![("other".into(), "text".into())]),
            _ if spec.kind == Kind::Secret => Value::Secret(Secret::from("other")),
            _ => Value::Text("other".into()),
        };
        let mut new = old.clone();
        spec.apply(&mut new, value.clone()).unwrap();
        let changes = reload::changes(&old, &new);
        match spec.reload {
            Reload::Refused(name) => {
                let before = get(&old).map(|value| value.to_string()).unwrap_or_default();
                let text = format!("config reload not supported for {name}: old={before}, new={value}");
                assert_eq!(changes.unwrap_err(), text);
            }
            _ => {
                let changes = changes.unwrap();
                assert!(changes.len() == 1 && changes[0].is_of(spec.keys[0]), "{changes:?}");
                assert_eq!(changes[0].to_string(), format!("{} = {value}", spec.keys[0]));
            }
        }
    }
}

#[test]
fn a_source_is_read_anew_each_time() {
    let texts = [&b"port: 1, debug: true"[..], b"port: 2, trace: true", b"port: x\nfoo: 1"];
    let next = std::cell::Cell::new(0);
    let file = |_: &Path| Ok(texts[next.replace(next.get() + 1)].to_vec());
    let outside = Outside { file: &file, ..NOTHING };
    let args = ["-c", "c.conf", "-D=false"].map(OsString::from);
    let Ok(Command::Run { options, source, .. }) = parse(args.into_iter(), &outside) else { panic!("it runs") };
    assert_eq!((options.port, options.debug, options.trace), (1, false, false));
    let (options, warnings) = source.read_again(&outside).unwrap();
    assert_eq!((options.port, options.debug, options.trace, warnings.len()), (2, false, true, 0));
    let text = source.read_again(&outside).unwrap_err();
    assert_eq!(text, "c.conf:1:1: expected an integer, got a string; c.conf:2:1: unknown field \"foo\"");
}

/// And for the keys of its blocks, each block in a section of its own.
#[test]
fn the_man_page_of_the_file_lists_the_keys_of_the_blocks() {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/man/midge.conf.5"));
    for section in blocks::DESCRIBED {
        let title = section.title;
        let (_, keys) = page.split_once(&format!(".Ss {title}\n")).expect(title);
        let (keys, _) = keys.split_once("\n.El\n").unwrap();
        let mut entries = keys.split("\n.It Ic ").skip(1);
        for key in (section.keys)() {
            let (heading, body) = entries.next().expect("an entry for every key").split_once('\n').unwrap();
            assert_eq!(heading, key.names.join(" , "), "{title}");
            assert!(body.starts_with(key.kind), "{title}: {heading} is no {}", key.kind);
        }
        assert_eq!(entries.next(), None, "an entry that is no key in {title}");
    }
}

#[test]
fn an_advertised_address_may_do_without_a_port() {
    for (text, host, port, shown) in [
        ("a.b", "a.b", None, "a.b"),
        ("a.b:99", "a.b", Some(99), "a.b:99"),
        ("a.b:0", "a.b", None, "a.b"),
        ("a.b:-1", "a.b", None, "a.b"),
        ("10.0.0.1", "10.0.0.1", None, "10.0.0.1"),
        ("[::1]", "::1", None, "[::1]"),
        ("[::1]:65535", "::1", Some(65535), "[::1]:65535"),
    ] {
        let address = run(&["--client_advertise", text]).client_advertise.unwrap();
        assert_eq!((address.host.as_str(), address.port, address.to_string()), (host, port, shown.to_owned()));
    }
    assert_eq!(run(&["--client_advertise="]).client_advertise, None);
    for text in [":5", "a:b", "x:y:z", "::1", "a:65536", "a b", "a:", "[::1"] {
        let error = command(&["--client_advertise", text]).unwrap_err();
        assert_eq!(error, ArgError::sense(format!("expected host or host:port, not {text:?}")), "{text}");
    }
}

#[test]
fn whatever_says_trace_traces() {
    for (args, expected) in [
        (&["-V"][..], [false, true]),
        (&["-VV"], [false, true]),
        (&["-DVV"], [true, true]),
        (&["-DV", "-VV=false"], [true, true]),
        (&["-DVV", "-DVV=false"], [false, false]),
        (&["-D"], [true, false]),
    ] {
        let settings = run(args).log_settings();
        assert_eq!([settings.debug, settings.trace], expected, "{args:?}");
    }
    let only_headers = defaults_with(|options| options.trace_headers = true);
    assert!(only_headers.log_settings().trace);
}
