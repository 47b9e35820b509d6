//! Table tests of the parser: every operation, every almost-right input, every cut.

use super::*;

const LIMITS: Limits = Limits { control_line_max: 4096, payload_max: 1_048_576, headers: true };

fn publish_of<'a>(subject: &'a str, reply: &'a str, header_bytes: u32, body: &'a str) -> Publish<'a> {
    Publish { subject: subject.as_bytes(), reply: reply.as_bytes(), header_bytes, body: body.as_bytes(), tail: None }
}

/// Parses the whole and checks that every shorter prefix asks for more.
fn whole(input: &str) -> Op<'_> {
    let bytes = input.as_bytes();
    for cut in 0..bytes.len() {
        match parse(&bytes[..cut], &LIMITS) {
            More(0) => {}
            More(used) => assert_eq!(used, bytes.len(), "{input:?} cut at {cut}"),
            other => panic!("{input:?} cut at {cut}: {other:?}"),
        }
    }
    match parse(bytes, &LIMITS) {
        Done(op, used) => {
            assert_eq!(used, bytes.len(), "{input:?}");
            op
        }
        other => panic!("{input:?}: {other:?}"),
    }
}

#[test]
fn publishes_in_any_case_and_spacing() {
    for (input, want) in [
        ("PUB a 2\r\nhi\r\n", publish_of("a", "", 0, "hi")),
        ("PUB a.b reply 2\r\nhi\r\n", publish_of("a.b", "reply", 0, "hi")),
        ("pub a 0\r\n\r\n", publish_of("a", "", 0, "")),
        ("PuB\t a \t b   000000002  \nhi\r\n", publish_of("a", "b", 0, "hi")),
        ("PUB   a 1\r\n\n\r\n", publish_of("a", "", 0, "\n")),
        ("HPUB a 2 4\r\nhihi\r\n", publish_of("a", "", 2, "hihi")),
        ("hpub a r 4 4\nhihi\r\n", publish_of("a", "r", 4, "hihi")),
        ("HPUB a 0 4\r\nhihi\r\n", publish_of("a", "", 0, "hihi")),
        (
            "PUB a\u{1}\u{e9}.long-enough-for-words 1\r\nx\r\n",
            publish_of("a\u{1}\u{e9}.long-enough-for-words", "", 0, "x"),
        ),
    ] {
        let Op::Publish(got) = whole(input) else { panic!("{input:?}") };
        assert_eq!(Publish { tail: None, ..got }, want, "{input:?}");
    }
}

#[test]
fn only_canonical_lines_lend_their_tail() {
    for (input, tail) in [
        ("PUB a 2\r\nhi\r\n", Some("2\r\nhi\r\n")),
        ("PUB a r 2\r\nhi\r\n", Some("r 2\r\nhi\r\n")),
        ("pub a 2\r\nhi\r\n", Some("2\r\nhi\r\n")),
        ("HPUB a r 2 2\r\nhi\r\n", Some("r 2 2\r\nhi\r\n")),
        ("HPUB a 0 2\r\nhi\r\n", None),
        ("PUB a  2\r\nhi\r\n", None),
        ("PUB a\t2\r\nhi\r\n", None),
        ("PUB a 2 \r\nhi\r\n", None),
        ("PUB a 2\nhi\r\n", None),
    ] {
        let Op::Publish(got) = whole(input) else { panic!("{input:?}") };
        assert_eq!(got.tail, tail.map(str::as_bytes), "{input:?}");
    }
}

#[test]
fn the_other_operations() {
    for (input, want) in [
        ("PING\r\n", Op::Ping),
        ("ping xyz\n", Op::Ping),
        ("PINGxyz\r\n", Op::Ping),
        ("PoNg\r\n", Op::Pong),
        ("+OK\r\n", Op::Okay),
        ("+ok whatever\r\n", Op::Okay),
        ("-ERR 'x'\r\n", Op::Error(b"'x'")),
        ("CONNECT {}\r\n", Op::Connect(b"{}")),
        ("CONNECT{}\n", Op::Connect(b"{}")),
        ("connect\t {\"a\":1}\r\n", Op::Connect(b"{\"a\":1}")),
        ("INFO {}\r\n", Op::Info(b"{}")),
        ("SUB a 1\r\n", Op::Subscribe { subject: b"a", queue: b"", sid: b"1" }),
        ("sub \ta  q\t 1 \n", Op::Subscribe { subject: b"a", queue: b"q", sid: b"1" }),
        ("UNSUB 1\r\n", Op::Unsubscribe { sid: b"1", max: 0 }),
        ("unsub 1 5\r\n", Op::Unsubscribe { sid: b"1", max: 5 }),
        ("UNSUB 1 x\r\n", Op::Unsubscribe { sid: b"1", max: 0 }),
        ("UNSUB 1 0000000005\r\n", Op::Unsubscribe { sid: b"1", max: 0 }),
    ] {
        assert_eq!(whole(input), want, "{input:?}");
    }
}

#[test]
fn wrong_bytes_are_found_at_once() {
    for input in [
        "Z",
        "\r",
        "\n",
        " ",
        " PING",
        "PUB\r",
        "PUBa",
        "PX",
        "SUBx",
        "UNSUB\n",
        "HPUB\r",
        "PIN\r",
        "MSG",
        "RMSG",
        "RS+",
        "A+",
        "LS+",
        "+OX",
        "-EX",
        "CX",
        "PUB a\rb",
        "PUB a 1\r\r",
        "PUB a\0",
        "SUB a\r 1",
        "PUB a 1\r\nxx",
        "PUB a 1\r\nx\rx",
    ] {
        assert_eq!(parse(input.as_bytes(), &LIMITS), Outcome::Bad(Bad::UnknownOperation), "{input:?}");
    }
}

#[test]
fn bad_arguments_name_the_line() {
    for (input, what, line) in [
        ("PUB \r\n", "processPub Parse Error", ""),
        ("PUB foo\r\n", "processPub Parse Error", "foo"),
        ("PUB a b c 1\r\n", "processPub Parse Error", "a b c 1"),
        ("PUB a b c d e f g\r\n", "processPub Parse Error", "a b c d e f g"),
        ("PUB foo -2\r\n", "processPub Bad or Missing Size", "foo -2"),
        ("PUB foo 0000000002\r\n", "processPub Bad or Missing Size", "foo 0000000002"),
        ("SUB foo\n", "processSub Parse Error", "foo"),
        ("SUB a b c d\r\n", "processSub Parse Error", "a b c d"),
        ("UNSUB  1 2 3\r\n", "processUnsub Parse Error", "1 2 3"),
        ("UNSUB \r\n", "processUnsub Parse Error", ""),
        ("HPUB a 1\r\n", "processHeaderPub Parse Error", "a 1"),
        ("HPUB a x 1\r\n", "processHeaderPub Bad or Missing Header Size", "a x 1"),
        ("HPUB a 1 x\r\n", "processHeaderPub Bad or Missing Total Size", "a 1 x"),
        ("HPUB a 3 2\r\n", "processHeaderPub Header Size larger then TotalSize", "a 3 2"),
    ] {
        assert_eq!(
            parse(input.as_bytes(), &LIMITS),
            Outcome::Bad(Bad::Arguments { what, line: line.as_bytes() }),
            "{input:?}"
        );
    }
    let limits = Limits { headers: false, ..LIMITS };
    assert_eq!(parse(b"HPUB a 1 1\r\n", &limits), Outcome::Bad(Bad::HeadersNotSupported));
}

#[test]
fn the_control_line_is_bounded_whole_or_not() {
    let limits = Limits { control_line_max: 16, ..LIMITS };
    for (op, end) in
        [("SUB ", " 1\r\n"), ("PUB ", " 0\r\n\r\n"), ("UNSUB ", " 1\n"), ("CONNECT ", "\r\n"), ("PING ", "\r\n")]
    {
        let argument_end = end.trim_end();
        let fits = format!("{op}{}{end}", "x".repeat(16 - argument_end.len()));
        assert!(matches!(parse(fits.as_bytes(), &limits), Done(..)), "{fits:?}");
        let blanks = format!("{op}   {}{end}", "x".repeat(16 - argument_end.len()));
        assert!(matches!(parse(blanks.as_bytes(), &limits), Done(..)), "{blanks:?}");
        let long = format!("{op}{}{end}", "x".repeat(17 - argument_end.len()));
        assert_eq!(parse(long.as_bytes(), &limits), Outcome::Bad(Bad::ControlLine), "{long:?}");
        let endless = format!("{op}{}", "x".repeat(18));
        assert_eq!(parse(endless.as_bytes(), &limits), Outcome::Bad(Bad::ControlLine), "{endless:?}");
        let blank = format!("{op}{}", " ".repeat(40));
        assert_eq!(parse(blank.as_bytes(), &limits), Outcome::Bad(Bad::ControlLine), "{blank:?}");
    }
}

/// A line with too many blanks was refused only if it was cut behind them.
#[test]
fn blanks_in_front_are_bounded_wherever_the_line_is_cut() {
    let limits = Limits { control_line_max: 16, ..LIMITS };
    for (op, argument) in [("SUB ", "a 1\r\n"), ("PUB ", "a 0\r\n\r\n"), ("CONNECT", "{}\r\n"), ("PING", "\r\n")] {
        for blanks in 14..20 {
            let input = format!("{op}{}{argument}", " ".repeat(blanks));
            let fits = blanks <= 16;
            assert_eq!(matches!(parse(input.as_bytes(), &limits), Done(..)), fits, "{input:?}");
            for cut in 0..input.len() {
                let outcome = parse(&input.as_bytes()[..cut], &limits);
                let late = cut > op.len() + 16;
                let want =
                    if fits || !late { matches!(outcome, More(_)) } else { outcome == Outcome::Bad(Bad::ControlLine) };
                assert!(want, "{:?}: {outcome:?}", &input[..cut]);
            }
        }
    }
}

#[test]
fn the_payload_is_bounded_before_it_comes() {
    let limits = Limits { payload_max: 10, ..LIMITS };
    assert_eq!(parse(b"PUB a 10\r\n", &limits), More(22));
    assert_eq!(parse(b"PUB a 11\r\n", &limits), Outcome::Bad(Bad::Payload { size: 11 }));
    assert_eq!(parse(b"HPUB a 2 11\r\n", &limits), Outcome::Bad(Bad::Payload { size: 11 }));
    assert_eq!(parse(b"PUB a 999999999\r\n", &LIMITS), Outcome::Bad(Bad::Payload { size: 999_999_999 }));
}

/// The quick way must say what the thorough one says, or nothing.
#[test]
fn plain_publishes_are_what_parse_says() {
    let mut plain = 0;
    for subject in ["", "a", "a.b.c.d.e.f.g.h", "1", "a\u{1}b", "a\0"] {
        for reply in ["", " r", " 12", " 12x", "  r", " r\t", " _INBOX.long.enough.to.need.words"] {
            for size in [" 0", " 2", " 02", " 000000002", " 0000000002", " x", " 2x", " -1", "", " 3", " 99"] {
                for end in ["\r\n", "\n", " \r\n", "\r", "\rx"] {
                    for body in ["\r\n", "hi\r\n", "hi\r\nPUB a 0\r\n\r\n", "hi", "hi\r", "hix\r\n", "hi\n"] {
                        for (op, header) in [("PUB", ""), ("HPUB", " 0"), ("HPUB", " 2"), ("HPUB", " x"), ("HPUB", "")]
                        {
                            let input = format!("{op} {subject}{reply}{header}{size}{end}{body}");
                            plain += usize::from(is_plain_and_right(&input));
                        }
                    }
                }
            }
        }
    }
    assert!(plain > 100, "{plain}");
}

fn is_plain_and_right(input: &str) -> bool {
    let limits = Limits { control_line_max: 40, payload_max: 50, headers: true };
    let Some(quick) = plain_publish(input.as_bytes(), &limits) else { return false };
    let Done(Op::Publish(thorough), used) = parse(input.as_bytes(), &limits) else { panic!("{input:?}: {quick:?}") };
    assert_eq!((quick.subject, Some(quick.tail)), (thorough.subject, thorough.tail), "{input:?}");
    assert_eq!((quick.reply_bytes, quick.size), (thorough.reply.len(), thorough.body.len()), "{input:?}");
    assert_eq!((quick.header_bytes, quick.used), (thorough.header_bytes as usize, used), "{input:?}");
    true
}
