//! The house rules of the source, checked on its text: a layer uses only layers below it, the layers that decide know no
//! socket, thread or clock, and `unsafe` stays in one folder.
//!
//! The check reads tokens, not lines: comments and texts do not count, use-lists are followed into every branch, and
//! `super` is resolved from the module it stands in, inline ones included.

use std::fs;
use std::path::{Path, PathBuf};

/// The layers from top to bottom: the folders and files directly in src. A layer may use itself and what is below it.
const LAYERS: [&str; 12] =
    ["main", "server", "monitor", "reactor", "broker", "cluster", "interest", "config", "wire", "memory", "log", "sys"];

/// The layers that get bytes, time and randomness as arguments, so that a test can drive them from a seed.
const PURE: [&str; 5] = ["broker", "cluster", "interest", "wire", "memory"];

/// How the paths begin that no pure layer may name outside its tests, and what they would bring in.
const IMPURE_PATHS: [(&[&str], &str); 6] = [
    (&["mio"], "a socket"),
    (&["std", "net", "*"], "a socket"),
    (&["std", "os"], "the system"),
    (&["std", "thread"], "a thread"),
    (&["std", "time", "*"], "a clock"),
    (&["crate", "sys"], "the system"),
];

/// Names that no pure layer may use outside its tests, wherever they come from.
const IMPURE_NAMES: [(&str, &str); 7] = [
    ("TcpStream", "a socket"),
    ("TcpListener", "a socket"),
    ("UdpSocket", "a socket"),
    ("UnixStream", "a socket"),
    ("UnixListener", "a socket"),
    ("UnixDatagram", "a socket"),
    ("ToSocketAddrs", "a name lookup"),
];

/// Types whose `now` reads a clock. Their `elapsed` does too.
const CLOCKS: [&str; 2] = ["Instant", "SystemTime"];

#[test]
fn the_source_keeps_its_layers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut faults = Vec::new();
    let files = rust_files(&root);
    assert!(files.len() > 10, "only {} files found below {}", files.len(), root.display());
    for file in files {
        let name = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        faults.extend(check(&name, &fs::read_to_string(&file).unwrap()));
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// What is wrong with one file; `name` is its path below src.
fn check(name: &str, text: &str) -> Vec<String> {
    let mut modules: Vec<String> = name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if modules.last().is_some_and(|last| last == "mod") {
        modules.pop();
    }
    if name == "lib.rs" {
        modules.clear();
    } else if !LAYERS.contains(&modules[0].as_str()) {
        return vec![format!("src/{name}: {:?} is no layer; add it to LAYERS at its height", modules[0])];
    }
    let test_file = modules.iter().any(|module| module == "tests" || module.ends_with("_tests"));
    let tokens = tokens(text);
    let (inline, faults) = (Vec::new(), Vec::new());
    Checker { name, tokens: &tokens, at: 0, depth: 0, modules, inline, test_file, test_from: None, faults }.run()
}

/// Walks the tokens of one file.
struct Checker<'a> {
    name: &'a str,
    tokens: &'a [Token],
    at: usize,
    /// Brackets open, of any kind.
    depth: usize,
    /// The module that the current token stands in, from the crate's root.
    modules: Vec<String>,
    /// The depths at which inline modules were opened.
    inline: Vec<usize>,
    /// The whole file is test code.
    test_file: bool,
    /// The depth at which an item for tests begins, while inside one.
    test_from: Option<usize>,
    faults: Vec<String>,
}

impl Checker<'_> {
    fn run(mut self) -> Vec<String> {
        let mut importing = false;
        while let Some(token) = self.tokens.get(self.at) {
            match token.text.as_str() {
                "use" => importing = true,
                ";" => importing = false,
                _ => {}
            }
            if token.is_path_start() {
                let (line, from) = (token.line, self.at);
                for path in self.path(Vec::new()) {
                    self.path_faults(&path, importing, line);
                }
                self.method_faults(from);
                continue;
            }
            self.mark_faults();
            self.follow_items();
            self.at += 1;
        }
        self.faults
    }

    fn fault(&mut self, line: usize, text: &str) {
        self.faults.push(format!("src/{}:{line}: {text}", self.name));
    }

    /// True when the tokens from `at` on are `texts`.
    fn sees(&self, at: usize, texts: &[&str]) -> bool {
        let rest = self.tokens.get(at..).unwrap_or_default();
        rest.len() >= texts.len() && rest.iter().zip(texts).all(|(token, text)| token.text == *text)
    }

    fn is_pure(&self) -> bool {
        let pure_layer = self.modules.first().is_some_and(|layer| PURE.contains(&layer.as_str()));
        pure_layer && !self.test_file && self.test_from.is_none()
    }

    /// Faults of keywords and attributes.
    fn mark_faults(&mut self) {
        let line = self.tokens[self.at].line;
        let in_sys = self.modules.first().is_some_and(|layer| layer == "sys");
        if self.sees(self.at, &["unsafe"]) && !in_sys {
            self.fault(line, "`unsafe` outside src/sys");
        }
        if self.sees(self.at, &["extern", "crate"]) {
            self.fault(line, "gives a crate another name");
        }
        // A test file may be given another name; another folder would be another layer.
        let elsewhere = |place: &Token| place.text.contains(['/', '\\']);
        if self.sees(self.at, &["#", "[", "path", "="]) && self.tokens.get(self.at + 4).is_some_and(elsewhere) {
            self.fault(line, "takes a module from another folder");
        }
    }

    /// Keeps track of brackets, inline modules and items for tests.
    fn follow_items(&mut self) {
        if self.test_from.is_none() && self.sees(self.at, &["#", "[", "cfg", "(", "test", ")", "]"]) {
            self.test_from = Some(self.depth);
        }
        match self.tokens[self.at].text.as_str() {
            "mod" if self.sees(self.at + 2, &["{"]) => {
                self.at += 1;
                self.modules.push(self.tokens[self.at].text.clone());
                self.inline.push(self.depth);
            }
            "{" | "(" | "[" => self.depth += 1,
            "}" => {
                self.depth = self.depth.saturating_sub(1);
                if self.inline.last() == Some(&self.depth) {
                    self.inline.pop();
                    self.modules.pop();
                }
                if self.test_from.is_some_and(|from| self.depth <= from) {
                    self.test_from = None;
                }
            }
            ")" | "]" => self.depth = self.depth.saturating_sub(1),
            ";" | "," if self.test_from == Some(self.depth) => self.test_from = None,
            _ => {}
        }
    }

    /// Reads a path with all its branches, `before` being the segments read so far.
    fn path(&mut self, mut before: Vec<String>) -> Vec<Vec<String>> {
        loop {
            match self.tokens.get(self.at) {
                Some(token) if token.text == "{" => return self.branches(&before),
                Some(token) if token.is_name() || token.text == "*" => before.push(token.text.clone()),
                // Type arguments: what is in them is read as paths of their own.
                _ => return vec![before],
            }
            self.at += 1;
            if !self.sees(self.at, &["::"]) {
                return vec![before];
            }
            self.at += 1;
        }
    }

    /// Reads the branches of a use-list from its opening bracket to the closing one.
    fn branches(&mut self, before: &[String]) -> Vec<Vec<String>> {
        let mut paths = Vec::new();
        self.at += 1;
        while let Some(token) = self.tokens.get(self.at) {
            match token.text.as_str() {
                "}" => {
                    self.at += 1;
                    break;
                }
                // Another name does not change what is used.
                "as" => self.at += 2,
                "*" | "{" => paths.extend(self.path(before.to_vec())),
                _ if token.is_name() => paths.extend(self.path(before.to_vec())),
                _ => self.at += 1,
            }
        }
        paths
    }

    fn path_faults(&mut self, path: &[String], importing: bool, line: usize) {
        // lib.rs holds the modules together and has no layer.
        let Some(layer) = self.modules.first().cloned() else { return };
        let shown = path.join("::");
        if path[0] == "unsafe_code" {
            self.fault(line, "`unsafe_code` outside src/lib.rs");
        }
        if path[0] == "libc" && layer != "sys" {
            self.fault(line, &format!("`{shown}` outside src/sys"));
        }
        let height = |name: &str| LAYERS.iter().position(|known| *known == name);
        let resolved = self.resolve(path, importing);
        if let Some(inner) = &resolved {
            match inner.first().map(|first| height(first)) {
                None => self.fault(line, &format!("`{shown}` is the root of the crate, which hides what is used")),
                Some(None) => self.fault(line, &format!("`{shown}` is in no layer")),
                Some(used) if used < height(&layer) => self.fault(line, &format!("`{shown}` is above {layer}")),
                Some(_) => {}
            }
        }
        if self.is_pure() {
            let full = match resolved {
                Some(inner) => ["crate".to_owned()].into_iter().chain(inner).collect(),
                None => path.to_vec(),
            };
            if let Some(brought) = impurity(&full) {
                self.fault(line, &format!("`{shown}` brings {brought} into {layer}"));
            }
        }
    }

    /// The path from the crate's root, or None when it does not say that it leads into this crate.
    fn resolve(&self, path: &[String], importing: bool) -> Option<Vec<String>> {
        // `self` alone is a value and `pub(crate)` uses nothing; imported under another name they are modules.
        let names_module = path.len() > 1 || importing;
        if !names_module || !matches!(path[0].as_str(), "crate" | "self" | "super") {
            return None;
        }
        let mut resolved = if path[0] == "crate" { Vec::new() } else { self.modules.clone() };
        for segment in path {
            match segment.as_str() {
                "crate" | "self" => {}
                "super" => drop(resolved.pop()),
                other => resolved.push(other.to_owned()),
            }
        }
        Some(resolved)
    }

    /// Faults of the method called at `at`, if one is.
    fn method_faults(&mut self, at: usize) {
        let is_elapsed = at > 0 && self.sees(at - 1, &[".", "elapsed", "("]);
        if is_elapsed && self.is_pure() {
            let layer = self.modules[0].clone();
            self.fault(self.tokens[at].line, &format!("`.elapsed()` brings a clock into {layer}"));
        }
    }
}

fn impurity(path: &[String]) -> Option<&'static str> {
    let begins = |start: &[&str]| path.len() >= start.len() && start.iter().zip(path).all(|(want, have)| want == have);
    let names = |name: &str| path.iter().any(|segment| segment == name);
    let by_path = IMPURE_PATHS.iter().find(|(start, _)| begins(start)).map(|(_, brought)| *brought);
    let by_name = IMPURE_NAMES.iter().find(|(name, _)| names(name)).map(|(_, brought)| *brought);
    let reads_clock = path.windows(2).any(|pair| CLOCKS.contains(&pair[0].as_str()) && pair[1] == "now");
    by_path.or(by_name).or(reads_clock.then_some("a clock"))
}

/// A name, a text in plain quotes, or a mark. Of marks only `::` has more than one character.
#[derive(Debug)]
struct Token {
    text: String,
    line: usize,
}

impl Token {
    fn is_name(&self) -> bool {
        self.text.starts_with(|first: char| first.is_alphabetic() || first == '_')
    }

    /// True for names that a path can begin with: all but the keywords that may stand before a path or a bracket.
    fn is_path_start(&self) -> bool {
        const KEYWORDS: [&str; 30] = [
            "as", "async", "await", "break", "const", "continue", "dyn", "else", "enum", "extern", "fn", "for", "if",
            "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "static", "struct",
            "unsafe", "use", "where", "while",
        ];
        self.is_name() && !KEYWORDS.contains(&self.text.as_str())
    }
}

/// Splits Rust into tokens and drops comments, characters, lifetimes, numbers and texts with a prefix.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    while at < chars.len() {
        let next = |ahead: usize| chars.get(at + ahead).copied().unwrap_or('\0');
        let (end, is_token) = match chars[at] {
            '/' if next(1) == '/' => (line_comment_end(&chars, at), false),
            '/' if next(1) == '*' => (block_comment_end(&chars, at), false),
            '"' => (quoted_end(&chars, at), true),
            '\'' if next(1) == '\\' || next(2) == '\'' => (quoted_end(&chars, at), false),
            '\'' => (name_end(&chars, at + 1), false),
            digit if digit.is_ascii_digit() => (name_end(&chars, at), false),
            first if first.is_alphabetic() || first == '_' => match prefixed_text_end(&chars, at) {
                Some(end) => (end, false),
                None => (name_end(&chars, at), true),
            },
            ':' if next(1) == ':' => (at + 2, true),
            mark => (at + 1, !mark.is_whitespace()),
        };
        if is_token {
            tokens.push(Token { text: chars[at..end].iter().collect(), line });
        }
        line += chars[at..end].iter().filter(|character| **character == '\n').count();
        at = end;
    }
    tokens
}

fn name_end(chars: &[char], from: usize) -> usize {
    let in_name = |character: &&char| character.is_alphanumeric() || **character == '_';
    from + chars[from..].iter().take_while(in_name).count()
}

fn line_comment_end(chars: &[char], from: usize) -> usize {
    from + chars[from..].iter().take_while(|character| **character != '\n').count()
}

/// Block comments nest in Rust.
fn block_comment_end(chars: &[char], from: usize) -> usize {
    let (mut at, mut open) = (from, 0);
    while at < chars.len() {
        match chars[at..] {
            ['/', '*', ..] => (open, at) = (open + 1, at + 2),
            ['*', '/', ..] => (open, at) = (open - 1, at + 2),
            _ => at += 1,
        }
        if open == 0 {
            return at;
        }
    }
    at
}

/// The end of a text or character with escapes; its opening quote is at `from`.
fn quoted_end(chars: &[char], from: usize) -> usize {
    let mut at = from + 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            quote if quote == chars[from] => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// The end of a text with a prefix, such as `r#"..."#` or `b'x'`, when one begins at `from`.
fn prefixed_text_end(chars: &[char], from: usize) -> Option<usize> {
    let end = name_end(chars, from);
    let prefix: String = chars[from..end].iter().collect();
    match prefix.as_str() {
        "b" | "c" if matches!(chars.get(end), Some('"' | '\'')) => Some(quoted_end(chars, end)),
        "r" | "br" | "cr" => {
            let marks = chars[end..].iter().take_while(|character| **character == '#').count();
            let body = end + marks + 1;
            if chars.get(end + marks) != Some(&'"') {
                return None;
            }
            let closing: Vec<char> = format!("\"{}", "#".repeat(marks)).chars().collect();
            let length = chars[body..].windows(closing.len()).position(|window| window == closing)?;
            Some(body + length + closing.len())
        }
        _ => None,
    }
}

/// Made-up sources and the faults they must give, each by a part of its text.
#[test]
fn planted_violations_are_found() {
    let table: &[(&str, &str, &[&str])] = &[
        // Layers.
        ("wire/x.rs", "use crate::broker::Y;", &["`crate::broker::Y` is above wire"]),
        ("wire/mod.rs", "fn f() { crate::server::start() }", &["src/wire/mod.rs:1: `crate::server::start` is above"]),
        ("wire/x.rs", "use crate::{memory::A, broker::{B, C}};", &["`crate::broker::B`", "`crate::broker::C`"]),
        ("wire/x.rs", "use crate::{\n  memory::A,\n  interest,\n};", &["`crate::interest` is above"]),
        ("wire/x.rs", "use {crate::interest, crate::memory};", &["`crate::interest` is above"]),
        ("wire/x.rs", "use super::super::interest::A;", &["`super::super::interest::A` is above wire"]),
        ("wire/mod.rs", "use super::interest::A;", &["`super::interest::A` is above wire"]),
        ("wire/a/b.rs", "use super::super::super::{memory, reactor as m};", &["reactor` is above wire"]),
        ("wire/x.rs", "mod inner { use super::super::super::interest::A; }", &["interest::A` is above wire"]),
        ("wire/x.rs", "mod i { fn f() { a(); } } use super::super::interest::A;", &["interest::A` is above wire"]),
        ("log.rs", "use self::super::config;", &["`self::super::config` is above log"]),
        ("sys/x.rs", "use crate::log::Log;", &["`crate::log::Log` is above sys"]),
        ("memory/x.rs", "impl From<crate::wire::A> for B {}", &["`crate::wire::A` is above memory"]),
        ("memory/x.rs", "type A = Vec::<crate::wire::A>;", &["`crate::wire::A` is above memory"]),
        ("memory/x.rs", "macro_rules! m { () => { $crate::wire::f() } }", &["`crate::wire::f` is above memory"]),
        ("memory/x.rs", "#[cfg(test)] mod tests { use crate::wire::A; }", &["`crate::wire::A` is above memory"]),
        ("memory/tests.rs", "use crate::wire::A;", &["`crate::wire::A` is above memory"]),
        // Ways around them.
        ("wire/x.rs", "use crate as top;", &["root of the crate"]),
        ("wire/x.rs", "use crate::{self as top};", &["root of the crate"]),
        ("wire/x.rs", "use super::super as top;", &["root of the crate"]),
        ("wire/x.rs", "use crate::*;", &["is in no layer"]),
        ("wire/x.rs", "use crate::Everything;", &["is in no layer"]),
        ("server.rs", "use super::*;", &["is in no layer"]),
        ("attic/mod.rs", "", &["\"attic\" is no layer"]),
        ("attic.rs", "", &["\"attic\" is no layer"]),
        ("wire/x.rs", "#[path = \"../broker/x.rs\"] mod x;", &["another folder"]),
        ("wire/x.rs", "extern crate self as m;", &["another name"]),
        // What pure layers must not know.
        ("wire/x.rs", "use std::net::TcpStream;", &["a socket into wire"]),
        ("wire/x.rs", "use std::{fmt, net::{self, TcpListener}};", &["a socket into wire"]),
        ("wire/x.rs", "use std::net; fn f(s: net::TcpStream) {}", &["`net::TcpStream` brings a socket"]),
        ("wire/x.rs", "use std::net::*;", &["a socket into wire"]),
        ("cluster/x.rs", "use ::mio::Token;", &["`mio::Token` brings a socket into cluster"]),
        ("cluster/x.rs", "fn f() -> mio::Token {}", &["`mio::Token` brings a socket into cluster"]),
        ("broker/x.rs", "use std::os::unix::net::UnixStream;", &["the system into broker"]),
        ("broker/x.rs", "std::thread::spawn(f);", &["a thread into broker"]),
        ("broker/x.rs", "use std::{thread, time::Instant};", &["`std::thread` brings a thread"]),
        ("broker/x.rs", "let now = Instant::now();", &["`Instant::now` brings a clock"]),
        ("broker/x.rs", "let now = std::time::SystemTime::now;", &["a clock into broker"]),
        ("broker/x.rs", "let age = then\n.elapsed();", &["src/broker/x.rs:2: `.elapsed()` brings a clock"]),
        ("interest/x.rs", "crate::sys::random::fill(b);", &["`crate::sys::random::fill` brings the system"]),
        ("interest/x.rs", "use crate::{sys, log};", &["`crate::sys` brings the system"]),
        ("interest/x.rs", "#[cfg(test)] mod t { fn f() {} } fn g() { Instant::now(); }", &["a clock"]),
        ("interest/x.rs", "#[cfg(test)] use a::{b, c}; use std::thread;", &["a thread"]),
        ("interest/x.rs", "#[cfg(test)] fn f(a: A, b: B) { mio::f() } use std::thread;", &["a thread"]),
        ("interest/x.rs", "struct S { #[cfg(test)] a: u8, b: mio::Token }", &["a socket"]),
        ("interest/x.rs", "#[cfg(test)] mod tests; use std::thread;", &["a thread"]),
        // One folder for what is unsafe.
        ("reactor/x.rs", "unsafe { f() }", &["`unsafe` outside src/sys"]),
        ("reactor/tests.rs", "unsafe { f() }", &["`unsafe` outside src/sys"]),
        ("reactor/x.rs", "/* /* */ */ unsafe fn f() {}", &["`unsafe` outside src/sys"]),
        ("lib.rs", "unsafe { f() }", &["`unsafe` outside src/sys"]),
        ("reactor/x.rs", "#![allow(unsafe_code)]", &["`unsafe_code` outside src/lib.rs"]),
        ("reactor/x.rs", "use libc::c_int;", &["`libc::c_int` outside src/sys"]),
        // Text that looks like something else.
        ("reactor/x.rs", "let c = '\"'; unsafe {} let d = '\"';", &["`unsafe` outside"]),
        ("reactor/x.rs", "fn f<'a>(x: &'a str) { unsafe {} } // '", &["`unsafe` outside"]),
        ("reactor/x.rs", "let x = r#\"a\" \"#; unsafe {} let y = \"\";", &["`unsafe` outside"]),
        ("reactor/x.rs", "let x = \"a\\\"\n\";\n\nunsafe {}", &["src/reactor/x.rs:4: `unsafe` outside"]),
        ("wire/x.rs", "fn r#try() {} use crate::server;", &["`crate::server` is above"]),
    ];
    for (name, text, expected) in table {
        let faults = check(name, text);
        assert_eq!(faults.len(), expected.len(), "{name}: {text}\n{faults:#?}");
        for (fault, part) in faults.iter().zip(*expected) {
            assert!(fault.contains(part), "{name}: {text}\n{fault}\nhas no {part}");
        }
    }
}

/// Made-up sources that keep the rules, however they look.
#[test]
fn innocent_sources_pass() {
    let table = [
        ("wire/x.rs", "use crate::memory::A; use super::y; use super::super::memory; use self::z::*;"),
        ("wire/x.rs", "mod tests { use super::*; use super::super::y; use crate::{memory, log::Log}; }"),
        ("wire/x.rs", "// crate::server\n/* unsafe /* mio::Poll */ */ /// std::thread\nfn f() {}"),
        (
            "wire/x.rs",
            "const A: &str = \"crate::server unsafe\"; const B: &[u8] = br#\"\"unsafe\"#; const C: u8 = b'\"';",
        ),
        ("wire/x.rs", "pub(crate) fn f(&self) {} pub(in crate::wire) fn g() { self.x() } pub(super) mod h {}"),
        ("wire/x.rs", "use std::net::{IpAddr, SocketAddr}; use std::time::{Duration, Instant}; fn f(now: Instant) {}"),
        ("wire/x.rs", "let elapsed = now - then; f(self.elapsed, elapsed)"),
        ("wire/x.rs", "#[cfg(test)] mod tests { use std::thread; fn f() { Instant::now(); } }"),
        ("wire/x.rs", "#[cfg(test)] use std::thread; fn f() {}"),
        ("wire/parse_tests.rs", "use std::thread; fn f() { std::time::Instant::now(); }"),
        ("wire/x.rs", "#[cfg(test)]\nmod tests;\nfn f<'a>(a: &'a u8) -> char { '\\'' }"),
        ("reactor/x.rs", "use mio::net::TcpStream; use crate::{broker, sys, log}; fn f() { Instant::now(); }"),
        ("sys/x.rs", "use libc::c_int; unsafe { libc::f() }"),
        (
            "lib.rs",
            "#![deny(missing_docs)]\npub mod server; #[allow(unsafe_code)] pub mod sys; pub use server::Server;",
        ),
        ("main.rs", "use midge::server; fn main() { std::thread::spawn(f); }"),
        ("wire/x.rs", "#[cfg(test)] #[path = \"x_tests.rs\"] mod tests;"),
        ("wire/x.rs", "\"never closed"),
        ("wire/x.rs", "/* never closed"),
        ("wire/x.rs", "use crate::{memory::"),
        ("wire/x.rs", "} } mod x { }"),
    ];
    for (name, text) in table {
        assert_eq!(check(name, text), Vec::<String>::new(), "{name}: {text}");
    }
}
