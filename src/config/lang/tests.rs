//! Tables of texts, what is in them and what is wrong with them, rule by rule.

use super::*;

/// Files and environment of the tests.
const FILES: &[(&str, &[u8])] = &[
    ("d/one.conf", b"A: 1\nb { c: x }\n"),
    ("d/sub/two.conf", b"include three.conf\nB: 2"),
    ("d/sub/three.conf", b"C: 3"),
    ("d/uses.conf", b"x: $A"),
    ("d/broken.conf", b"a: 1\nb: ]"),
    ("d/self.conf", b"include self.conf"),
    ("d/ping.conf", b"include pong.conf"),
    ("d/pong.conf", b"a { include ping.conf }"),
    ("/abs.conf", b"A: 9"),
    ("d/bad.conf", b"a: \xff"),
    ("d/twice.conf", b"include sub/../twice.conf"),
];

fn variable(name: &str) -> Option<String> {
    let text = match name {
        "SIZE" => "1k",
        "ON" => "true",
        "WORD" => "word",
        "QUOTED" => "'hello world'",
        "TWO" => "hello world",
        "LIST" => "[a, $WORD]",
        "EMPTY" => "",
        "MYSELF" => "$MYSELF",
        "LEFT" => "$RIGHT",
        "RIGHT" => "[$LEFT]",
        "BROKEN" => "]",
        "A" => "from the environment",
        _ => return None,
    };
    Some(text.to_owned())
}

fn file(path: &Path) -> io::Result<Vec<u8>> {
    // Each is at another path than the one before, so only the depth stops it.
    let path = path.to_str().unwrap().replace("sub/../", "");
    match FILES.iter().find(|(name, _)| *name == path) {
        Some((_, text)) => Ok(text.to_vec()),
        None => Err(io::Error::from_raw_os_error(2)),
    }
}

const OUTSIDE: Outside<'static> = Outside { variable: &variable, file: &file };

fn read(text: &[u8]) -> Result<Map, Problem> {
    parse(Path::new("d/c.conf"), text, &OUTSIDE)
}

/// A map in a short plain form.
fn shown(map: &Map) -> String {
    let entries = map.entries().map(|entry| format!("{}={}", entry.key, shown_data(&entry.data)));
    entries.collect::<Vec<_>>().join(" ")
}

fn shown_data(data: &Data) -> String {
    match data {
        Data::Switch(on) => on.to_string(),
        Data::Integer(number) => number.to_string(),
        Data::Float(number) => format!("{number:?}"),
        Data::Text(text) => format!("{text:?}"),
        Data::List(items) => format!("[{}]", items.iter().map(|i| shown_data(&i.data)).collect::<Vec<_>>().join(" ")),
        Data::Map(map) => format!("{{{}}}", shown(map)),
    }
}

fn check(table: &[(&str, &str)]) {
    for (text, expected) in table {
        match read(text.as_bytes()) {
            Ok(map) => assert_eq!(shown(&map), *expected, "{text:?}"),
            Err(problem) => panic!("{text:?}: {problem}"),
        }
    }
}

fn check_errors(table: &[(&str, &str)]) {
    for (text, expected) in table {
        match read(text.as_bytes()) {
            Ok(map) => panic!("{text:?} is {}", shown(&map)),
            Err(problem) => assert_eq!(problem.to_string(), format!("d/{expected}"), "{text:?}"),
        }
    }
}

#[test]
fn the_shape_of_a_file() {
    check(&[
        ("", ""),
        ("\n \r\n\t# x\n// y", ""),
        ("{}", ""),
        ("{ }\n# x", ""),
        ("# x\n{ a: 1 }", "a=1"),
        ("{\"a\": 1, \"b\": {\"c\": [1,2]}}", "a=1 b={c=[1 2]}"),
        ("{a: 1,}", "a=1"),
        ("a = 1", "a=1"),
        ("a=1", "a=1"),
        ("a: 1", "a=1"),
        ("a:1", "a=1"),
        ("a 1", "a=1"),
        ("a\t1\r\nb 2\r\n", "a=1 b=2"),
        ("a : 1", "a=1"),
        ("a\n1", "a=1"),
        ("a\n= 1", "a=1"),
        ("a\n{b: 1}", "a={b=1}"),
        ("a {\nb:\n1\nc\n:\n2 }", "a={b=1 c=2}"),
        ("a: 1, b: 2; c: 3", "a=1 b=2 c=3"),
        ("a: 1;\nb: 2,\n", "a=1 b=2"),
        ("a {b: c}; d: 1", "a={b=\"c\"} d=1"),
        ("a: 1}\nb: 2", "a=1 b=2"),
        ("a: 1 } b: 2", "a=1 b=2"),
        ("}\na {b: 1}\n} # x\n}", "a={b=1}"),
        ("{a: 1}\n}", "a=1"),
        ("a: 1 # x\nb: v // y\nc: p#w\nd: nats://x:4222", "a=1 b=\"v\" c=\"p#w\" d=\"nats://x:4222\""),
        ("a: #x", "a=\"#x\""),
        ("'a b': 1\n\"c=d\" 2\n\"\" 3", "a b=1 c=d=2 =3"),
        ("a{b: c", "a{b=\"c\""),
        ("cluster:{a: 1}", "cluster={a=1}"),
        ("A: 1\na: 2", "A=1 a=2"),
        ("a: 1\nb: 2\na: 3", "b=2 a=3"),
        ("a:", "a=\"\""),
        ("a = ", "a=\"\""),
        ("\u{feff}a: 1", "a=1"),
        ("gr\u{fc}n: \u{4f60}", "gr\u{fc}n=\"\u{4f60}\""),
    ]);
    check_errors(&[
        ("a", "c.conf:1:2: expected a value, found the end of the file"),
        ("a\n\n", "c.conf:3:1: expected a value, found the end of the file"),
        ("a:\n1", "c.conf:1:3: expected a value, found the end of the line"),
        ("x: 1\r\na:\r\n1", "c.conf:2:3: expected a value, found the end of the line"),
        ("a: ,", "c.conf:1:4: expected a value, found ','"),
        ("a: 1 b: 2", "c.conf:1:6: expected a new line, ',' or ';' behind the value, found 'b'"),
        ("a {b: c} d: 1", "c.conf:1:10: expected a new line, ',' or ';' behind the value, found 'd'"),
        ("\"port\": : \"x\"", "c.conf:1:11: expected a new line, ',' or ';' behind the value, found '\"'"),
        (": 1", "c.conf:1:1: expected a key, found ':'"),
        ("a: 1,, b: 2", "c.conf:1:6: expected a key, found ','"),
        ("a {,}", "c.conf:1:4: expected a key, found ','"),
        ("{a: 1", "c.conf:1:6: expected '}' for the '{' of line 1, found the end of the file"),
        ("{a: 1} b", "c.conf:1:8: expected nothing more, found 'b'"),
        ("a {\nb: 1\n", "c.conf:3:1: expected '}' for the '{' of line 1, found the end of the file"),
        ("{a:", "c.conf:1:4: expected a value, found the end of the file"),
        ("'a\n': 1", "c.conf:1:3: expected '\\'' behind the key, found the end of the line"),
        ("\"a", "c.conf:1:3: expected '\"' behind the key, found the end of the file"),
        ("\u{feff}: 1", "c.conf:1:1: expected a key, found ':'"),
        ("\u{fc}: ]", "c.conf:1:5: expected a value, found ']'"),
    ]);
}

#[test]
fn strings() {
    check(&[
        ("a: b", "a=\"b\""),
        ("a: a\"b", "a=\"a\\\"b\""),
        (r#"a: \x41\t\n\r\"\\z"#, r#"a="A\t\n\r\"\\z""#),
        (r#"a: \x31"#, "a=\"1\""),
        (r#"a: "x\x41\"\\ {#} //" # y"#, r#"a="xA\"\\ {#} //""#),
        ("a: \"b\nc\"", "a=\"b\\nc\""),
        ("a: \"\\xc3\\xbc\"", "a=\"\u{fc}\""),
        ("a: ''\nb: 'x\\n \"\ny'", "a=\"\" b=\"x\\\\n \\\"\\ny\""),
        ("a: (\nb\n)\nc: 1", "a=\"\\nb\\n\" c=1"),
        ("a (\n )\n)x\n\\)\n)", "a=\"\\n )\\n)x\\n\\\\)\\n\""),
        ("a (x\r\n)\r\nb: 1", "a=\"x\\r\\n\" b=1"),
        ("a: a{b\nb: ./x\nc: -y\nd: *.>", "a=\"a{b\" b=\"./x\" c=\"-y\" d=\"*.>\""),
    ]);
    check_errors(&[
        (r"a: \q", "c.conf:1:5: expected xHH, t, n, r, '\"' or '\\' behind a backslash, found 'q'"),
        (r#"a: "\u0041""#, "c.conf:1:6: expected xHH, t, n, r, '\"' or '\\' behind a backslash, found 'u'"),
        (r"a: \x4g", "c.conf:1:7: expected two hexadecimal digits, found 'g'"),
        (r"a: \xff", "c.conf:1:4: expected UTF-8 text, found escapes that make none"),
        ("a: \"b\n", "c.conf:2:1: expected '\"' for the one of line 1, found the end of the file"),
        ("a: 'b\n", "c.conf:2:1: expected \"'\" for the one of line 1, found the end of the file"),
        ("a: it's", "c.conf:1:6: expected a new line, ',' or ';' behind the value, found '\\''"),
        ("a: \"b\"c", "c.conf:1:7: expected a new line, ',' or ';' behind the value, found 'c'"),
        (
            "a (\n )\n) x",
            "c.conf:3:4: expected ')' on a line of its own for the '(' of line 1, found the end of the file",
        ),
    ]);
    let problem = read(b"a: 1\nb: \"x\xff\"").unwrap_err();
    assert_eq!(problem.to_string(), "d/c.conf:2:6: expected UTF-8 text, found a byte that is none");
    // A mark that the official server would make a part of the first key.
    assert!(read(b"\xef\xbb\xbf\xff").unwrap_err().to_string().starts_with("d/c.conf:1:1: "));
}

#[test]
fn booleans_and_numbers() {
    check(&[
        ("a: true, b: YES, c: On", "a=true b=true c=true"),
        ("a: false, b: no, c: OFF", "a=false b=false c=false"),
        ("a: 'true', b: 1, c: truer", "a=\"true\" b=1 c=\"truer\""),
        ("a: 0, b: -0, c: -12, d: 007", "a=0 b=0 c=-12 d=7"),
        ("a: 1k, b: 1kb, c: 1Ki, d: 1KiB", "a=1000 b=1024 c=1024 d=1024"),
        ("a: 2m, b: 2MB, c: 3g, d: 3gib", "a=2000000 b=2097152 c=3000000000 d=3221225472"),
        ("a: 1t, b: 1tb, c: 1p, d: 1pb", "a=1000000000000 b=1099511627776 c=1000000000000000 d=1125899906842624"),
        ("a: 1e, b: 7eib, c: -1k", "a=1000000000000000000 b=8070450532247928832 c=-1000"),
        ("a: 9223372036854775807, b: -9223372036854775808", "a=9223372036854775807 b=-9223372036854775808"),
        ("a: 1.5, b: -0.25", "a=1.5 b=-0.25"),
        ("a: 10s, b: 1h30m, c: 5ms, d: 12ab, e: 5%", "a=\"10s\" b=\"1h30m\" c=\"5ms\" d=\"12ab\" e=\"5%\""),
        ("a: 10:20, b: 1_000, c: 0x10, d: 1e3, e: +1", "a=\"10:20\" b=\"1_000\" c=\"0x10\" d=\"1e3\" e=\"+1\""),
        ("a: 127.0.0.1:4222, b: 127.0.0.1:-1", "a=\"127.0.0.1:4222\" b=\"127.0.0.1:-1\""),
        ("a: localhost:4222, b: 1.2.3", "a=\"localhost:4222\" b=\"1.2.3\""),
        ("a: 2024-ab, b: 12-34, c: 2020-01-02T03:04:05Z", "a=\"2024-ab\" b=\"12-34\" c=\"2020-01-02T03:04:05Z\""),
        ("a: 1kx, b: 5\u{fc}, c: -", "a=\"1kx\" b=\"5\u{fc}\" c=\"-\""),
    ]);
    let range = "c.conf:1:4: integer is out of range";
    check_errors(&[
        ("a: 99999999999999999999", range),
        ("a: 9999999999999999999999999999999999999999999999", range),
        ("a: 9223372036854775808", range),
        ("a: -9223372036854775809", range),
        ("a: 10e", range),
        ("a: 8eib", range),
        ("a: 99999999999999999999999999999999999999eib", range),
        ("a: 1kbb", "c.conf:1:4: expected a size suffix such as k, kb or kib"),
        ("a: 1KII", "c.conf:1:4: expected a size suffix such as k, kb or kib"),
        ("a: 1kbi", "c.conf:1:4: expected a size suffix such as k, kb or kib"),
        ("a: .5", "c.conf:1:4: expected a digit before the point of a float"),
        ("a: 1.", "c.conf:1:4: expected digits only behind the point of a float, or quotes around a string"),
        ("a: 3.14x", "c.conf:1:4: expected digits only behind the point of a float, or quotes around a string"),
        ("a: 1.5k", "c.conf:1:4: expected digits only behind the point of a float, or quotes around a string"),
    ]);
    let long = format!("a: {}.0", "9".repeat(400));
    assert_eq!(read(long.as_bytes()).unwrap_err().reason, "float is out of range");
}

#[test]
fn maps_and_arrays() {
    check(&[
        ("a {}", "a={}"),
        ("a { b: 1, c: 2; d: 3\ne: 4, }", "a={b=1 c=2 d=3 e=4}"),
        ("a { # x\n b: 1 // y\n}", "a={b=1}"),
        ("a {b {c {d: 1}}}", "a={b={c={d=1}}}"),
        ("a: []", "a=[]"),
        ("a: [1,2]", "a=[1 2]"),
        ("a: [1]", "a=[1]"),
        ("a: [1, 2 ]", "a=[1 2]"),
        ("a [\n1\n2 # x\n\n// y\n3,\n]", "a=[1 2 3]"),
        ("a: [x, [y], {z: 1}]", "a=[\"x\" [\"y\"] {z=1}]"),
        ("a: [{b: 1}\n{c: 2}]", "a=[{b=1} {c=2}]"),
        ("a: ['x',\"y\"]", "a=[\"x\" \"y\"]"),
        ("tags [ id:XXXX ]", "tags=[\"id:XXXX\"]"),
    ]);
    check_errors(&[
        ("a: [,1]", "c.conf:1:5: expected a value, found ','"),
        ("a: [1,,2]", "c.conf:1:7: expected a value, found ','"),
        ("a: [a\n,b]", "c.conf:2:1: expected a value, found ','"),
        ("a: [a b]", "c.conf:1:7: expected ',', a new line or ']' behind the value, found 'b'"),
        ("a: [{b: 1} {c: 1}]", "c.conf:1:12: expected ',', a new line or ']' behind the value, found '{'"),
        ("a: [a;b]", "c.conf:1:6: expected ',', a new line or ']' behind the value, found ';'"),
        ("a: [\n1", "c.conf:2:2: expected ']' for the '[' of line 1, found the end of the file"),
        ("a: [}", "c.conf:1:5: expected a value, found '}'"),
        ("a: {b: ]}", "c.conf:1:8: expected a value, found ']'"),
        ("a:\n[", "c.conf:1:3: expected a value, found the end of the line"),
    ]);
}

#[test]
fn variables() {
    check(&[
        ("X: 5\na: $X", "X=5 a=5"),
        ("X: 5\na { b: $X }", "X=5 a={b=5}"),
        ("X: 5\na { X: 6, b: $X, c { d: $X } }\ne: $X", "X=5 a={X=6 b=6 c={d=6}} e=5"),
        ("X: {b: 1}\na: [$X, $X]", "X={b=1} a=[{b=1} {b=1}]"),
        ("X: 1\na: $X\nX: 2\nb: $X", "a=1 X=2 b=2"),
        ("X: 1\na: x$X, b: \"$X\", c: '$X'", "X=1 a=\"x$X\" b=\"$X\" c=\"$X\""),
        ("X-1: 5\na: $X-1", "X-1=5 a=5"),
        ("a: $SIZE, b: $ON, c: $WORD, d: $QUOTED", "a=1000 b=true c=\"word\" d=\"hello world\""),
        ("a: $LIST, b: $EMPTY", "a=[\"a\" \"word\"] b=\"\""),
        ("A: 1\nb: $A", "A=1 b=1"),
        ("a: $2a$10$x/y.z\nb: $2b$1, c: $2y$1, d: $2x$1", "a=\"$2a$10$x/y.z\" b=\"$2b$1\" c=\"$2y$1\" d=\"$2x$1\""),
    ]);
    let undefined = "the variable is defined neither above nor in the environment";
    check_errors(&[
        ("a: $X", &format!("c.conf:1:4: {undefined}")),
        ("x: 1\na: $X", &format!("c.conf:2:4: {undefined}")),
        ("a: $X\nX: 1", &format!("c.conf:1:4: {undefined}")),
        ("a {X: 1}\nb: $X", &format!("c.conf:2:4: {undefined}")),
        ("a: $2c$10", &format!("c.conf:1:4: {undefined}")),
        ("a: $", "c.conf:1:5: expected the name of a variable, found the end of the file"),
        ("a: $MYSELF", "c.conf:1:4: in the environment variable: the environment variable refers to itself"),
        ("a: $TWO", "c.conf:1:4: in the environment variable: expected nothing more, found 'w'"),
        ("a: $BROKEN", "c.conf:1:4: in the environment variable: expected a value, found ']'"),
    ]);
    let cycle = read(b"a: $LEFT").unwrap_err();
    assert!(cycle.to_string().ends_with("the environment variable refers to itself"), "{cycle}");
}

#[test]
fn an_entry_knows_whether_it_was_referred_to() {
    let map = read(b"X: 1\nY: 2\na { Z: 3, b: $X, c: $Z }\nX: 4").unwrap();
    let used = |map: &Map, key: &str| map.get(key).unwrap().is_used;
    assert_eq!([used(&map, "X"), used(&map, "Y"), used(&map, "a")], [true, false, false]);
    let Data::Map(inner) = &map.get("a").unwrap().data else { panic!("{map:?}") };
    assert_eq!([used(inner, "Z"), used(inner, "b")], [true, false]);
}

#[test]
fn includes() {
    check(&[
        ("include one.conf\nx: $A", "A=1 b={c=\"x\"} x=1"),
        ("INCLUDE 'one.conf'; A: 2", "b={c=\"x\"} A=2"),
        ("A: 2\ninclude \"one.conf\" # x", "A=1 b={c=\"x\"}"),
        ("a { include one.conf }", "a={A=1 b={c=\"x\"}}"),
        ("include sub/two.conf\nx: $C", "C=3 B=2 x=3"),
        ("include /abs.conf", "A=9"),
        ("include: one.conf", "include=\"one.conf\""),
        ("'include' one.conf", "include=\"one.conf\""),
        ("include\none.conf", "include=\"one.conf\""),
    ]);
    check_errors(&[
        (
            "include no.conf",
            "c.conf:1:9: error parsing include file 'd/no.conf', open d/no.conf: no such file or directory",
        ),
        ("include = one.conf", "c.conf:1:9: error parsing include file 'd/=', open d/=: no such file or directory"),
        ("include broken.conf", "broken.conf:2:4: expected a value, found ']'"),
        ("include bad.conf", "bad.conf:1:4: expected UTF-8 text, found a byte that is none"),
        ("include self.conf", "self.conf:1:9: the file includes itself"),
        ("include ping.conf", "pong.conf:1:13: the file includes itself"),
        ("include ''", "c.conf:1:9: expected a path behind include"),
        ("a: [include one.conf]", "c.conf:1:13: expected ',', a new line or ']' behind the value, found 'o'"),
        // What the including file defines is not seen, and the environment's text is no value.
        ("A: 5\ninclude uses.conf", "uses.conf:1:4: in the environment variable: expected nothing more, found 't'"),
    ]);
    let deep = read(b"include twice.conf").unwrap_err();
    assert_eq!(deep.reason, format!("files include each other more than {INCLUDE_DEPTH_MAX} deep"));
}

#[test]
fn nothing_grows_without_bound() {
    let at_limit = format!("a: {}{}", "[".repeat(NESTING_MAX), "]".repeat(NESTING_MAX));
    read(at_limit.as_bytes()).unwrap();
    let deep = format!("maps and arrays are nested more than {NESTING_MAX} deep");
    let reason = |text: &str| read(text.as_bytes()).unwrap_err().reason;
    assert_eq!(reason(&"a {".repeat(1_000_000)), deep);
    assert_eq!(reason(&format!("a: {}", "[".repeat(1_000_000))), deep);
    // Nesting hidden in variables.
    let mut text = "x0: 1\n".to_owned();
    (0..100).for_each(|at| text.push_str(&format!("x{}: [$x{at}]\n", at + 1)));
    assert_eq!(reason(&text), deep);
    let text = |inner: usize| format!("x: {}{}\na {{b {{c: $x}}}}", "[".repeat(inner), "]".repeat(inner));
    read(text(NESTING_MAX - 2).as_bytes()).unwrap();
    assert_eq!(reason(&text(NESTING_MAX - 1)), deep);
    // Each variable is ten times the one before.
    let mut text = "x0: 0123456789\n".to_owned();
    (0..10).for_each(|at| text.push_str(&format!("x{}: [{}]\n", at + 1, format!("$x{at}, ").repeat(10))));
    assert_eq!(reason(&text), format!("variables stand for more than {BYTES_MAX} bytes"));
    let includes = "include /abs.conf\n".repeat(INCLUDES_MAX);
    read(includes.as_bytes()).unwrap();
    assert_eq!(reason(&format!("{includes}{includes}")), format!("more than {INCLUDES_MAX} files are included"));
    let long = vec![b' '; BYTES_MAX];
    read(&long).unwrap();
    let too_long = [&long[..], b" "].concat();
    assert_eq!(
        read(&too_long).unwrap_err().to_string(),
        format!("d/c.conf:1:1: with its includes it has more than {BYTES_MAX} bytes")
    );
}

#[test]
fn places_are_those_of_keys_and_items() {
    let map = read(b"a: 1\n  b {\r\n\tc: [x,\n y]\n}").unwrap();
    let b = map.get("b").unwrap();
    let Data::Map(inner) = &b.data else { panic!("{b:?}") };
    let c = inner.get("c").unwrap();
    let Data::List(items) = &c.data else { panic!("{c:?}") };
    let places = [&map.get("a").unwrap().place, &b.place, &c.place, &items[0].place, &items[1].place];
    let expected = ["d/c.conf:1:1", "d/c.conf:2:3", "d/c.conf:3:2", "d/c.conf:3:6", "d/c.conf:4:2"];
    assert_eq!(places.map(ToString::to_string), expected);
}
