//! Table tests of the parser: every operation, every almost-right input, every cut. What is written is read back.

use super::super::message::Message as Relayed;
use super::super::{Bad, Secret};
use super::Outcome;
use super::write::{self, Address};
use super::*;
use crate::wire::parse::Outcome::{Done, More};

const LIMITS: Limits = Limits { control_line_max: 65_536, payload_max: 1 << 23, origin_in_unsubscribe: true };
const OLD: Limits = Limits { origin_in_unsubscribe: false, ..LIMITS };

/// Parses the whole and checks that every shorter prefix asks for more.
fn whole<'a>(input: &'a [u8], limits: &Limits) -> Op<'a> {
    let shown = input.escape_ascii();
    for cut in 0..input.len() {
        match parse(&input[..cut], limits) {
            More(0) => {}
            More(used) => assert_eq!(used, input.len(), "{shown} cut at {cut}"),
            other => panic!("{shown} cut at {cut}: {other:?}"),
        }
    }
    match parse(input, limits) {
        Done(op, used) => {
            assert_eq!(used, input.len(), "{shown}");
            op
        }
        other => panic!("{shown}: {other:?}"),
    }
}

fn interest<'a>(origin: &'a str, subject: &'a str, queue: &'a str, weight: u32) -> Interest<'a> {
    let [origin, subject, queue] = [origin, subject, queue].map(str::as_bytes);
    Interest { origin, account: b"$G", subject, queue, weight }
}

#[test]
fn interest_of_any_kind_and_spacing() {
    for (input, want) in [
        ("RS+ $G foo\r\n", Op::Subscribe(interest("", "foo", "", 0))),
        ("RS+ $G bar q1 3\r\n", Op::Subscribe(interest("", "bar", "q1", 3))),
        ("rs+\t$G  wild.*.> \n", Op::Subscribe(interest("", "wild.*.>", "", 0))),
        ("RS+ $G bar q1 0\r\n", Op::Subscribe(interest("", "bar", "q1", 0))),
        ("RS+ $G bar q1 -1\r\n", Op::Subscribe(interest("", "bar", "q1", 0))),
        ("RS+ $G bar q1 x\r\n", Op::Subscribe(interest("", "bar", "q1", 0))),
        ("RS+ $G bar q1 4000000000\r\n", Op::Subscribe(interest("", "bar", "q1", 0))),
        ("RS- $G foo\r\n", Op::Unsubscribe(interest("", "foo", "", 0))),
        ("RS- $G foo q\r\n", Op::Unsubscribe(interest("", "foo", "q", 0))),
        ("LS+ LC1 $G q g 2\r\n", Op::Subscribe(interest("LC1", "q", "g", 2))),
        ("LS+ _ $G q\r\n", Op::Subscribe(interest("_", "q", "", 0))),
        ("lS+ LC1 $G q\n", Op::Subscribe(interest("LC1", "q", "", 0))),
        ("LS- LC1 $G q g\r\n", Op::Unsubscribe(interest("LC1", "q", "g", 0))),
        ("LS- LC1 $G q\r\n", Op::Unsubscribe(interest("LC1", "q", "", 0))),
    ] {
        assert_eq!(whole(input.as_bytes(), &LIMITS), want, "{input:?}");
    }
    for (input, want) in [
        ("LS-  $G a\r\n", Op::Unsubscribe(interest("", "a", "", 0))),
        ("LS- $G a g\r\n", Op::Unsubscribe(interest("", "a", "g", 0))),
        ("LS+ LC1 $G q g 2\r\n", Op::Subscribe(interest("LC1", "q", "g", 2))),
        ("RS- $G foo q\r\n", Op::Unsubscribe(interest("", "foo", "q", 0))),
    ] {
        assert_eq!(whole(input.as_bytes(), &OLD), want, "{input:?}");
    }
}

/// Origin, reply and queues, then header bytes, body and tail.
type Shape<'a> = ([&'a str; 3], u32, &'a str, Option<&'a str>);

#[test]
fn messages_of_every_shape() {
    let table: &[(&str, Shape)] = &[
        ("RMSG $G rem 5\r\nhello\r\n", (["", "", ""], 0, "hello", Some("5\r\nhello\r\n"))),
        ("RMSG $G rem 0\r\n\r\n", (["", "", ""], 0, "", Some("0\r\n\r\n"))),
        ("RMSG $G rem _INBOX.1 5\r\nhello\r\n", (["", "_INBOX.1", ""], 0, "hello", Some("_INBOX.1 5\r\nhello\r\n"))),
        ("RMSG $G rem | 2\r\nhi\r\n", (["", "|", ""], 0, "hi", Some("| 2\r\nhi\r\n"))),
        ("RMSG $G rem + 2\r\nhi\r\n", (["", "+", ""], 0, "hi", Some("+ 2\r\nhi\r\n"))),
        ("RMSG $G rem | qa 2\r\nhi\r\n", (["", "", "qa"], 0, "hi", Some("2\r\nhi\r\n"))),
        ("RMSG $G rem | qa qb 2\r\nhi\r\n", (["", "", "qa qb"], 0, "hi", Some("2\r\nhi\r\n"))),
        ("RMSG $G rem | 1 2 3 4 5 2\r\nhi\r\n", (["", "", "1 2 3 4 5"], 0, "hi", Some("2\r\nhi\r\n"))),
        ("RMSG $G rem + _INBOX.1 qa qb 2\r\nhi\r\n", (["", "_INBOX.1", "qa qb"], 0, "hi", None)),
        ("RMSG $G rem + _INBOX.1 2\r\nhi\r\n", (["", "_INBOX.1", ""], 0, "hi", None)),
        ("rmsg  $G\trem  |  qa\t qb 2 \nhi\r\n", (["", "", "qa qb"], 0, "hi", None)),
        ("RMSG $G rem 2\nhi\r\n", (["", "", ""], 0, "hi", None)),
        ("HMSG $G rem 2 4\r\nhihi\r\n", (["", "", ""], 2, "hihi", Some("2 4\r\nhihi\r\n"))),
        ("HMSG $G rem 0 4\r\nhihi\r\n", (["", "", ""], 0, "hihi", None)),
        ("HMSG $G rem r 2 4\r\nhihi\r\n", (["", "r", ""], 2, "hihi", Some("r 2 4\r\nhihi\r\n"))),
        ("HMSG $G rem | q 2 4\r\nhihi\r\n", (["", "", "q"], 2, "hihi", Some("2 4\r\nhihi\r\n"))),
        ("HMSG $G rem + r q p 4 4\r\nhihi\r\n", (["", "r", "q p"], 4, "hihi", None)),
        ("LMSG LC1 $G r 0 1\r\nx\r\n", (["LC1", "", ""], 0, "x", None)),
        ("LMSG LC1 $G r rep 0 1\r\ny\r\n", (["LC1", "rep", ""], 0, "y", None)),
        ("LMSG LC1 $G r rep 2 3\r\nhiy\r\n", (["LC1", "rep", ""], 2, "hiy", Some("rep 2 3\r\nhiy\r\n"))),
        ("LMSG LC $G rq | g 0 1\r\nx\r\n", (["LC", "", "g"], 0, "x", None)),
        ("LMSG LC $G rq + rep g h 1 1\r\nx\r\n", (["LC", "rep", "g h"], 1, "x", None)),
    ];
    for (input, ([origin, reply, queues], header_bytes, body, tail)) in table {
        let Op::Message(got) = whole(input.as_bytes(), &LIMITS) else { panic!("{input:?}") };
        let names: Vec<&[u8]> = got.queues.iter().collect();
        assert_eq!((got.origin, got.reply), (origin.as_bytes(), reply.as_bytes()), "{input:?}");
        assert_eq!((names.join(&b' '), got.queues.is_empty()), (queues.as_bytes().to_vec(), queues.is_empty()));
        assert_eq!((got.header_bytes, got.body), (*header_bytes, body.as_bytes()), "{input:?}");
        assert_eq!(got.tail, tail.map(str::as_bytes), "{input:?}");
        assert_eq!(got.account, b"$G", "{input:?}");
    }
}

#[test]
fn the_other_operations() {
    for (input, want) in [
        ("PING\r\n", Op::Ping),
        ("ping\n", Op::Ping),
        ("PoNg\r\n", Op::Pong),
        ("+OK\r\n", Op::Okay),
        ("-ERR 'x'\r\n", Op::Error(b"'x'")),
        ("CONNECT {}\r\n", Op::Connect(b"{}")),
        ("connect\t {\"a\":1}\r\n", Op::Connect(b"{\"a\":1}")),
        ("INFO {} \r\n", Op::Info(b"{} ")),
        ("INFO {}\n", Op::Info(b"{}")),
        ("A+ $G\r\n", Op::AccountInterest),
        ("a- $G\r\n", Op::AccountInterest),
    ] {
        assert_eq!(whole(input.as_bytes(), &LIMITS), want, "{input:?}");
    }
}

#[test]
fn wrong_bytes_are_found_at_once() {
    for input in [
        "Z",
        "\r",
        " ",
        " PING",
        "PX",
        "PU",
        "R+",
        "RX",
        "RS*",
        "RS+x",
        "RS+\r",
        "RSMG",
        "RMSGx",
        "RMX",
        "LS+\n",
        "LMSG\r",
        "LX",
        "HP",
        "HMSGx",
        "HRMSG",
        "MSG",
        "SUB",
        "UNSUB",
        "AX",
        "A+x",
        "A*",
        "+OX",
        "-EX",
        "CX",
        "IX",
        "RMSG $G a\rb",
        "RMSG $G a 1\r\nxx",
        "RMSG $G a 1\r\nx\rx",
        "RMSG $G a\0",
        "RS+ $G a\rb",
    ] {
        assert_eq!(parse(input.as_bytes(), &LIMITS), Outcome::Bad(Bad::UnknownOperation), "{input:?}");
    }
}

#[test]
fn bad_arguments_name_the_line() {
    for (input, what) in [
        ("RS+ \r\n", "processRemoteSub Parse Error"),
        ("RS+ $G\r\n", "processRemoteSub Parse Error"),
        ("RS+ $G a q\r\n", "processRemoteSub Parse Error"),
        ("RS+ $G a q 1 2\r\n", "processRemoteSub Parse Error"),
        ("LS+ \r\n", "processRemoteSub Parse Error"),
        ("LS+ o\r\n", "processRemoteSub Parse Error"),
        ("LS+ o $G\r\n", "processRemoteSub Parse Error"),
        ("LS+ o $G a q\r\n", "processRemoteSub Parse Error"),
        ("LS+ o $G a q 1 2\r\n", "processRemoteSub Parse Error"),
        ("RS- $G\r\n", "processRemoteUnsub Parse Error"),
        ("RS- $G a q 1\r\n", "processRemoteUnsub Parse Error"),
        ("LS- $G a\r\n", "processRemoteUnsub Parse Error"),
        ("LS- o $G a q 1\r\n", "processRemoteUnsub Parse Error"),
        ("RMSG \r\n", "processRoutedMsgArgs Parse Error"),
        ("RMSG $G a\r\n", "processRoutedMsgArgs Parse Error"),
        ("RMSG $G a b c 1\r\n", "processRoutedMsgArgs Bad or Missing Reply Indicator"),
        ("RMSG $G a || c 1\r\n", "processRoutedMsgArgs Bad or Missing Reply Indicator"),
        ("RMSG $G a -1\r\n", "processRoutedMsgArgs Bad or Missing Size"),
        ("RMSG $G a 0000000001\r\n", "processRoutedMsgArgs Bad or Missing Size"),
        ("RMSG $G a | q x\r\n", "processRoutedMsgArgs Bad or Missing Size"),
        ("HMSG $G a 1\r\n", "processRoutedHeaderMsgArgs Parse Error"),
        ("HMSG $G a x 1\r\n", "processRoutedHeaderMsgArgs Bad or Missing Header Size"),
        ("HMSG $G a 1 x\r\n", "processRoutedHeaderMsgArgs Bad or Missing Size"),
        ("HMSG $G a 2 1\r\n", "processRoutedHeaderMsgArgs Bad or Missing Header Size"),
        ("HMSG $G a b q 1 1\r\n", "processRoutedHeaderMsgArgs Bad or Missing Reply Indicator"),
        ("LMSG o $G a 1\r\n", "processRoutedOriginClusterMsgArgs Parse Error"),
        ("LMSG o $G a x 1\r\n", "processRoutedOriginClusterMsgArgs Bad or Missing Header Size"),
        ("LMSG o $G a 0 x\r\n", "processRoutedOriginClusterMsgArgs Bad or Missing Size"),
        ("LMSG o $G a b q 1 1\r\n", "processRoutedOriginClusterMsgArgs Bad or Missing Reply Indicator"),
    ] {
        let line = input.split_once(' ').unwrap().1.trim_end().as_bytes();
        assert_eq!(parse(input.as_bytes(), &LIMITS), Outcome::Bad(Bad::Arguments { what, line }), "{input:?}");
    }
}

#[test]
fn lines_and_payloads_are_bounded() {
    let limits = Limits { control_line_max: 16, payload_max: 10, origin_in_unsubscribe: true };
    for (op, end) in [
        ("RS+ $G ", "\r\n"),
        ("RMSG $G ", " 0\r\n\r\n"),
        ("LS- o $G ", "\n"),
        ("CONNECT ", "\r\n"),
        ("A+ ", "\r\n"),
        ("-ERR ", "\r\n"),
    ] {
        let around = op.split_once(' ').unwrap().1.len() + end.trim_end().len();
        let fits = format!("{op}{}{end}", "x".repeat(16 - around));
        assert!(matches!(parse(fits.as_bytes(), &limits), Done(..)), "{fits:?}");
        let long = format!("{op}{}{end}", "x".repeat(17 - around));
        assert_eq!(parse(long.as_bytes(), &limits), Outcome::Bad(Bad::ControlLine), "{long:?}");
        let endless = format!("{op}{}", "x".repeat(18));
        assert_eq!(parse(endless.as_bytes(), &limits), Outcome::Bad(Bad::ControlLine), "{endless:?}");
        let blank = format!("{op}{}", " ".repeat(40));
        assert_eq!(parse(blank.as_bytes(), &limits), Outcome::Bad(Bad::ControlLine), "{blank:?}");
    }
    assert_eq!(parse(b"RMSG $G a 10\r\n", &limits), More(26));
    assert_eq!(parse(b"RMSG $G a 11\r\n", &limits), Outcome::Bad(Bad::Payload { size: 11 }));
    assert_eq!(parse(b"HMSG $G a 1 999999999\r\n", &LIMITS), Outcome::Bad(Bad::Payload { size: 999_999_999 }));
}

/// A small generator, seeded so that a failure can be replayed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn name(&mut self) -> Vec<u8> {
        (0..1 + self.below(12)).map(|_| b"aZ.*>$|+_0\xe9\x01"[self.below(12)]).collect()
    }

    fn perhaps(&mut self) -> Vec<u8> {
        if self.below(2) == 0 { Vec::new() } else { self.name() }
    }
}

#[test]
fn what_is_written_is_read_back() {
    let mut dice = Dice(0x9e37_79b9);
    let mut out = Vec::new();
    for round in 0..20_000 {
        let [origin, queue] = [dice.perhaps(), dice.perhaps()];
        let [account, subject] = [dice.name(), dice.name()];
        let weight = if queue.is_empty() { 0 } else { dice.below(1_000_000_000) as u32 };
        let interest = Interest { origin: &origin, account: &account, subject: &subject, queue: &queue, weight };
        out.clear();
        write::subscribe(&interest, &mut out);
        assert_eq!(whole(&out, &LIMITS), Op::Subscribe(interest), "round {round}");
        let ended = Interest { weight: 0, ..interest };
        out.clear();
        write::unsubscribe(&ended, true, &mut out);
        assert_eq!(whole(&out, &LIMITS), Op::Unsubscribe(ended), "round {round}");
        out.clear();
        write::unsubscribe(&ended, false, &mut out);
        assert_eq!(whole(&out, &OLD), Op::Unsubscribe(Interest { origin: b"", ..ended }), "round {round}");
    }
}

#[test]
fn messages_that_are_written_are_read_back_with_their_tail() {
    let mut dice = Dice(7);
    let (mut out, mut tail) = (Vec::new(), Vec::new());
    for round in 0..20_000 {
        let [origin, reply] = [dice.perhaps(), dice.perhaps()];
        let [account, subject] = [dice.name(), dice.name()];
        let names: Vec<Vec<u8>> = (0..dice.below(4)).map(|_| dice.name()).collect();
        let joined = names.join(&b' ');
        let body: Vec<u8> = (0..dice.below(40)).map(|_| b"\r\nx "[dice.below(4)]).collect();
        let header_bytes = if dice.below(2) == 0 { 0 } else { dice.below(body.len() + 1) as u32 };
        tail.clear();
        super::super::message::write_tail(&mut tail, &reply, header_bytes, &body);
        let relayed = Relayed {
            subject: &subject,
            tail: &tail,
            reply_bytes: reply.len() as u32,
            header_bytes,
            total_bytes: body.len() as u32,
        };
        out.clear();
        let skip =
            write::message_head(&Address { origin: &origin, account: &account, queues: &joined }, &relayed, &mut out);
        out.extend_from_slice(&tail[skip..]);
        let Op::Message(got) = whole(&out, &LIMITS) else { panic!("round {round}") };
        let (origin, queues) = (&origin[..], Queues::new(&joined));
        let want = Message {
            origin,
            account: &account,
            subject: &subject,
            reply: &reply,
            queues,
            header_bytes,
            body: &body,
            tail: got.tail,
        };
        assert_eq!(got, want, "round {round}");
        if let Some(in_one_piece) = got.tail {
            assert_eq!(in_one_piece, tail, "round {round}");
        } else {
            let mut rewritten = Vec::new();
            write::message_tail(&got, &mut rewritten);
            assert_eq!(rewritten, tail, "round {round}");
        }
    }
}

fn info(document: &str) -> Info {
    let mut info = Info::default();
    info.decode(document.as_bytes()).unwrap_or_else(|error| panic!("{document}: {error}"));
    info
}

#[test]
fn documents_of_official_servers_are_read() {
    let got = info(
        "{\"server_id\":\"R\",\"server_name\":\"real1\",\"version\":\"2.15.1\",\"proto\":3,\"go\":\"go1.27.2\",\
         \"host\":\"127.0.0.1\",\"port\":20110,\"headers\":true,\"max_payload\":1048576,\"nonce\":\"AnK65WnS1KpVTVM\",\
         \"cluster\":\"C1\",\"connect_urls\":[\"127.0.0.1:20101\"],\"compression\":\"accept\",\"lnoc\":true,\
         \"lnocu\":true,\"ln\":true,\"route_pool_size\":3} ",
    );
    assert_eq!((&got.server_id[..], &got.server_name[..], got.proto, got.port), ("R", "real1", 3, 20110));
    assert_eq!((&got.cluster[..], &got.connect_urls[0][..], &got.compression[..]), ("C1", "127.0.0.1:20101", "accept"));
    assert!(got.headers && got.lnoc && got.lnocu && got.ln && got.route_pool_size == 3);
    let mut connect = Connect::default();
    connect
        .decode(
            b"{\"echo\":true,\"verbose\":false,\"user\":\"ru\",\"pass\":\"rp\",\"tls_required\":false,\"headers\":true,\
              \"name\":\"R\",\"cluster\":\"C1\",\"lnoc\":true,\"ln\":true}",
        )
        .unwrap();
    assert_eq!((&connect.user[..], connect.password.reveal(), &connect.name[..]), ("ru", "rp", "R"));
    assert!(!format!("{connect:?}").contains("rp"));
}

#[test]
fn documents_that_are_written_are_read_back() {
    let full = Info {
        server_id: "P".into(),
        server_name: "a \"b\"".into(),
        version: "2.15.1".into(),
        proto: 2,
        go: String::new(),
        host: "::1".into(),
        port: 6222,
        headers: true,
        max_payload: 1 << 20,
        ldm: true,
        auth_required: true,
        tls_required: true,
        tls_verify: true,
        ip: "nats-route://[::1]:6222/".into(),
        cluster: "C".into(),
        cluster_dynamic: true,
        connect_urls: vec!["a:1".into(), "b:2".into()],
        ws_connect_urls: vec!["c:3".into()],
        leafnode_urls: vec!["d:4".into()],
        import: Some(SubjectLists { allow: Some(vec!["a.>".into()]), deny: None }),
        export: Some(SubjectLists { allow: None, deny: Some(vec![]) }),
        lnoc: true,
        lnocu: true,
        ln: true,
        jetstream: true,
        domain: "D".into(),
        compression: "off".into(),
        route_pool_size: 3,
        route_pool_idx: 1,
        route_account: "A".into(),
        route_acc_add_reqid: "q".into(),
        gossip_mode: 2,
        gateway_url: "e:5".into(),
        gateway: "G".into(),
        midge: 1,
    };
    for want in [Info::default(), full] {
        let line = String::from_utf8(want.line()).unwrap();
        let document = line.strip_prefix("INFO ").and_then(|line| line.strip_suffix("\r\n")).unwrap();
        assert_eq!(info(document), want);
    }
    let connect = Connect {
        cluster: "C".into(),
        cluster_dynamic: true,
        name: "P".into(),
        user: "u".into(),
        password: Secret::from("p"),
        tls_required: true,
        ..Connect::default()
    };
    let line = String::from_utf8(connect.line()).unwrap();
    assert!(!line.contains("lang") && !line.contains("gateway"), "{line}");
    let document = line.strip_prefix("CONNECT ").and_then(|line| line.strip_suffix("\r\n")).unwrap();
    let mut got = Connect::default();
    got.decode(document.as_bytes()).unwrap();
    assert_eq!(got, connect);
}

#[test]
fn what_a_plain_server_leaves_out_is_not_written() {
    let plain = Info { server_id: "P".into(), lnoc: true, ..Info::default() };
    assert_eq!(
        String::from_utf8(plain.line()).unwrap(),
        "INFO {\"server_id\":\"P\",\"server_name\":\"\",\"version\":\"\",\"proto\":0,\"go\":\"\",\"host\":\"\",\"port\":0,\
         \"headers\":false,\"max_payload\":0,\"lnoc\":true}\r\n"
    );
}

#[test]
fn wrong_documents_are_refused_without_their_values() {
    for document in ["", "{", "[]", "{\"port\":70000}", "{\"server_id\":1}", "{\"connect_urls\":\"s3cret\"}"] {
        let error = Info::default().decode(document.as_bytes()).unwrap_err();
        assert!(!error.contains("s3cret"), "{error}");
    }
    assert!(Connect::default().decode(b"{\"pass\":1}").is_err());
    assert_eq!(info("{\"IMPORT\":null,\"connect_urls\":null,\"unknown\":[{}]}"), Info::default());
}
