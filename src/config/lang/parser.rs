//! Reads entries and values.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::cursor::Cursor;
use super::tree::{Data, Entry, Item, Map, Place, Problem};
use super::{BYTES_MAX, INCLUDE_DEPTH_MAX, INCLUDES_MAX, NESTING_MAX, Outside, read_error, scalar};
use crate::log::Escaped;

/// What all files and variables that belong to one file have in common.
pub(super) struct Bounds<'o> {
    outside: &'o Outside<'o>,
    /// The files being read, the outermost first.
    files: Vec<PathBuf>,
    /// The environment variables being read, the outermost first.
    variables: Vec<String>,
    includes_left: usize,
    file_bytes_left: usize,
    variable_bytes_left: usize,
}

impl<'o> Bounds<'o> {
    pub fn new(outside: &'o Outside<'o>) -> Self {
        Bounds {
            outside,
            files: Vec::new(),
            variables: Vec::new(),
            includes_left: INCLUDES_MAX,
            file_bytes_left: BYTES_MAX,
            variable_bytes_left: BYTES_MAX,
        }
    }
}

/// Where entries stand.
#[derive(Clone, Copy, PartialEq)]
enum Level {
    /// In the file itself.
    Top,
    /// In the braces around a whole file.
    TopBraces,
    /// In a map.
    Map,
}

/// Reads one text. After an error it is of no use.
pub(super) struct Parser<'t, 'b, 'o> {
    cursor: Cursor<'t>,
    /// The maps being read, the outermost first. Those of an including file are not among them.
    scopes: Vec<Map>,
    /// Maps and arrays open, and environment variables, those of including files included.
    depth: usize,
    bounds: &'b mut Bounds<'o>,
}

impl<'t, 'b, 'o> Parser<'t, 'b, 'o> {
    /// Begins a file whose entries are to stand at `depth`.
    pub fn for_file(path: &Path, text: &'t [u8], depth: usize, bounds: &'b mut Bounds<'o>) -> Result<Self, Problem> {
        let file: Rc<str> = path.to_string_lossy().into();
        let Some(left) = bounds.file_bytes_left.checked_sub(text.len()) else {
            let place = Place { file, line: 1, column: 1 };
            return Err(Problem { place, reason: format!("with its includes it has more than {BYTES_MAX} bytes") });
        };
        bounds.file_bytes_left = left;
        bounds.files.push(path.to_owned());
        Ok(Parser { cursor: Cursor::new(file, text)?, scopes: Vec::new(), depth, bounds })
    }

    /// The whole file.
    pub fn file(mut self) -> Result<Map, Problem> {
        self.skip_lines();
        let level = if self.cursor.eat(b'{') { Level::TopBraces } else { Level::Top };
        let map = self.entries(level)?;
        self.skip_stray_braces();
        self.expect_end()?;
        self.bounds.files.pop();
        Ok(map)
    }

    fn expect_end(&mut self) -> Result<(), Problem> {
        self.skip_lines();
        match self.cursor.peek() {
            None => Ok(()),
            Some(_) => Err(self.cursor.expected("nothing more")),
        }
    }

    /// Entries up to the end of the file, or up to and with the closing brace.
    fn entries(&mut self, level: Level) -> Result<Map, Problem> {
        let opened = self.cursor.place().line;
        self.scopes.push(Map::default());
        loop {
            match level {
                Level::Top => self.skip_stray_braces(),
                Level::TopBraces | Level::Map => self.skip_lines(),
            }
            match self.cursor.peek() {
                None if level == Level::Top => break,
                None => return Err(self.cursor.expected(&format!("'}}' for the '{{' of line {opened}"))),
                Some(b'}') if level != Level::Top => {
                    self.cursor.next();
                    break;
                }
                Some(_) => self.entry(level)?,
            }
            self.entry_end()?;
        }
        Ok(self.scopes.pop().unwrap_or_default())
    }

    fn entry(&mut self, level: Level) -> Result<(), Problem> {
        let place = self.cursor.place();
        let is_quoted = matches!(self.cursor.peek(), Some(b'"' | b'\''));
        let key = self.key()?;
        if !is_quoted && key.eq_ignore_ascii_case("include") && self.cursor.peek().is_some_and(is_blank) {
            return self.include();
        }
        self.cursor.take_while(is_blank_or_line_end);
        let separated = self.cursor.eat(b'=') || self.cursor.eat(b':');
        if level == Level::Map {
            self.cursor.take_while(is_blank_or_line_end);
        } else {
            self.cursor.take_while(is_blank);
        }
        let data = match self.cursor.peek() {
            None if separated && level == Level::Top => Data::Text(String::new()),
            _ => self.value()?,
        };
        self.insert(Entry { key, place, data, is_used: false });
        Ok(())
    }

    fn insert(&mut self, entry: Entry) {
        if let Some(map) = self.scopes.last_mut() {
            map.insert(entry);
        }
    }

    fn key(&mut self) -> Result<String, Problem> {
        match self.cursor.peek() {
            Some(quote @ (b'"' | b'\'')) => {
                self.cursor.next();
                let key = self.cursor.take_while(|byte| byte != quote && !is_line_end(byte));
                if !self.cursor.eat(quote) {
                    return Err(self.cursor.expected(&format!("{:?} behind the key", char::from(quote))));
                }
                Ok(key.to_owned())
            }
            Some(b'=' | b':' | b',' | b';' | b'}') => Err(self.cursor.expected("a key")),
            _ => {
                let ends = |byte| is_blank_or_line_end(byte) || matches!(byte, b'=' | b':');
                Ok(self.cursor.take_while(|byte| !ends(byte)).to_owned())
            }
        }
    }

    /// What must follow an entry. A closing brace is left.
    fn entry_end(&mut self) -> Result<(), Problem> {
        self.skip_rest();
        match self.cursor.peek() {
            None | Some(b'\n' | b'\r' | b'}') => Ok(()),
            Some(b',' | b';') => {
                self.cursor.next();
                Ok(())
            }
            Some(_) => Err(self.cursor.expected("a new line, ',' or ';' behind the value")),
        }
    }

    fn value(&mut self) -> Result<Data, Problem> {
        match self.cursor.peek() {
            None | Some(b'\n' | b'\r' | b',' | b';' | b']' | b'}') => Err(self.cursor.expected("a value")),
            Some(b'{') => {
                self.deepen()?;
                self.cursor.next();
                let map = self.entries(Level::Map)?;
                self.depth -= 1;
                Ok(Data::Map(map))
            }
            Some(b'[') => {
                self.deepen()?;
                let items = self.items()?;
                self.depth -= 1;
                Ok(Data::List(items))
            }
            Some(b'"') => self.double_quoted().map(Data::Text),
            Some(b'\'') => self.single_quoted().map(Data::Text),
            Some(b'(') => self.block().map(Data::Text),
            Some(b'$') => self.variable(),
            Some(_) => self.bare(),
        }
    }

    fn deepen(&mut self) -> Result<(), Problem> {
        if self.depth == NESTING_MAX {
            return Err(too_deep(self.cursor.place()));
        }
        self.depth += 1;
        Ok(())
    }

    /// The items of an array, from its opening bracket to its closing one.
    fn items(&mut self) -> Result<Vec<Item>, Problem> {
        let opened = self.cursor.place().line;
        self.cursor.next();
        let mut items = Vec::new();
        // An item may come; a comma may.
        let (mut item_fits, mut comma_fits) = (true, false);
        loop {
            self.skip_rest();
            match self.cursor.peek() {
                None => return Err(self.cursor.expected(&format!("']' for the '[' of line {opened}"))),
                Some(b']') => {
                    self.cursor.next();
                    return Ok(items);
                }
                Some(b'\n' | b'\r') => {
                    self.cursor.next();
                    (item_fits, comma_fits) = (true, false);
                }
                Some(b',') if comma_fits => {
                    self.cursor.next();
                    (item_fits, comma_fits) = (true, false);
                }
                Some(_) if item_fits => {
                    let place = self.cursor.place();
                    items.push(Item { place, data: self.value()? });
                    (item_fits, comma_fits) = (false, true);
                }
                Some(_) => return Err(self.cursor.expected("',', a new line or ']' behind the value")),
            }
        }
    }

    fn double_quoted(&mut self) -> Result<String, Problem> {
        let place = self.cursor.place();
        self.cursor.next();
        let mut bytes = Vec::new();
        loop {
            match self.cursor.peek() {
                None => return Err(self.cursor.expected(&format!("'\"' for the one of line {}", place.line))),
                Some(b'"') => break,
                Some(b'\\') => bytes.push(self.escape()?),
                Some(byte) => {
                    bytes.push(byte);
                    self.cursor.next();
                }
            }
        }
        self.cursor.next();
        text(place, bytes)
    }

    fn single_quoted(&mut self) -> Result<String, Problem> {
        let opened = self.cursor.place().line;
        self.cursor.next();
        let text = self.cursor.take_while(|byte| byte != b'\'');
        if !self.cursor.eat(b'\'') {
            return Err(self.cursor.expected(&format!("\"'\" for the one of line {opened}")));
        }
        Ok(text.to_owned())
    }

    /// A text in parentheses, of which the closing one stands alone on its line.
    fn block(&mut self) -> Result<String, Problem> {
        let opened = self.cursor.place().line;
        self.cursor.next();
        let from = self.cursor.offset();
        loop {
            if self.cursor.sees_line(")") {
                let text = self.cursor.since(from).to_owned();
                self.cursor.next();
                return Ok(text);
            }
            if self.cursor.next().is_none() {
                return Err(self.cursor.expected(&format!("')' on a line of its own for the '(' of line {opened}")));
            }
        }
    }

    /// A word without quotes.
    fn bare(&mut self) -> Result<Data, Problem> {
        let (place, from) = (self.cursor.place(), self.cursor.offset());
        let mut bytes = Vec::new();
        let mut has_escapes = false;
        while let Some(byte) = self.cursor.peek().filter(|byte| !ends_bare(*byte)) {
            if byte == b'\\' {
                has_escapes = true;
                bytes.push(self.escape()?);
            } else {
                bytes.push(byte);
                self.cursor.next();
            }
        }
        if bytes.is_empty() {
            return Err(self.cursor.expected("a value"));
        }
        if has_escapes {
            return text(place, bytes).map(Data::Text);
        }
        scalar::read(self.cursor.since(from)).map_err(|reason| Problem { place, reason: reason.to_owned() })
    }

    /// The byte that an escape stands for.
    fn escape(&mut self) -> Result<u8, Problem> {
        self.cursor.next();
        let byte = match self.cursor.peek() {
            Some(b't') => b'\t',
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(byte @ (b'"' | b'\\')) => byte,
            Some(b'x') => {
                self.cursor.next();
                let high = self.hex_digit()?;
                self.cursor.next();
                high << 4 | self.hex_digit()?
            }
            _ => return Err(self.cursor.expected("xHH, t, n, r, '\"' or '\\' behind a backslash")),
        };
        self.cursor.next();
        Ok(byte)
    }

    fn hex_digit(&self) -> Result<u8, Problem> {
        let digit = self.cursor.peek().and_then(|byte| char::from(byte).to_digit(16));
        digit.map(|digit| digit as u8).ok_or_else(|| self.cursor.expected("two hexadecimal digits"))
    }

    /// `$` and a name, or the hash of a password, which looks like it.
    fn variable(&mut self) -> Result<Data, Problem> {
        const HASHES: [&str; 4] = ["2a$", "2b$", "2x$", "2y$"];
        let place = self.cursor.place();
        self.cursor.next();
        let name = self.cursor.take_while(|byte| !ends_bare(byte));
        if HASHES.iter().any(|start| name.starts_with(start)) {
            return Ok(Data::Text(format!("${name}")));
        }
        if name.is_empty() {
            return Err(self.cursor.expected("the name of a variable"));
        }
        let Parser { scopes, bounds, depth, .. } = self;
        let Some(data) = scopes.iter_mut().rev().find_map(|map| map.refer(name)) else {
            return self.environment(place, name);
        };
        let (bytes, nesting) = data.measure();
        if *depth + nesting > NESTING_MAX {
            return Err(too_deep(place));
        }
        spend(&mut bounds.variable_bytes_left, bytes, place)?;
        Ok(data.clone())
    }

    /// The value of an environment variable, which is read as a value of the file would be.
    fn environment(&mut self, place: Place, name: &str) -> Result<Data, Problem> {
        let problem = |reason: &str| Problem { place: place.clone(), reason: reason.to_owned() };
        if self.bounds.variables.iter().any(|open| open == name) {
            return Err(problem("the environment variable refers to itself"));
        }
        let Some(text) = (self.bounds.outside.variable)(name) else {
            return Err(problem("the variable is defined neither above nor in the environment"));
        };
        if text.is_empty() {
            return Ok(Data::Text(text));
        }
        spend(&mut self.bounds.variable_bytes_left, text.len(), place.clone())?;
        self.deepen()?;
        self.bounds.variables.push(name.to_owned());
        let cursor = Cursor::new(Rc::clone(self.cursor.file()), text.as_bytes())?;
        let mut inner = Parser { cursor, scopes: Vec::new(), depth: self.depth, bounds: self.bounds };
        inner.skip_lines();
        let data = inner.value().and_then(|data| inner.expect_end().map(|()| data));
        // Places in it would look like places in the file.
        let data = data.map_err(|inner| problem(&format!("in the environment variable: {}", inner.reason)))?;
        self.bounds.variables.pop();
        self.depth -= 1;
        Ok(data)
    }

    /// The path behind the word `include`, and the entries of that file.
    fn include(&mut self) -> Result<(), Problem> {
        self.cursor.take_while(is_blank);
        let place = self.cursor.place();
        let path = match self.cursor.peek() {
            Some(b'"') => self.double_quoted()?,
            Some(b'\'') => self.single_quoted()?,
            _ => {
                let ends = |byte| is_blank_or_line_end(byte) || matches!(byte, b';' | b'}');
                self.cursor.take_while(|byte| !ends(byte)).to_owned()
            }
        };
        let problem = |reason: String| Problem { place: place.clone(), reason };
        if path.is_empty() {
            return Err(problem("expected a path behind include".to_owned()));
        }
        let folder = Path::new(&**self.cursor.file()).parent().unwrap_or(Path::new(""));
        let path = folder.join(path);
        let bounds = &mut *self.bounds;
        if bounds.files.contains(&path) {
            return Err(problem("the file includes itself".to_owned()));
        }
        if bounds.files.len() > INCLUDE_DEPTH_MAX {
            return Err(problem(format!("files include each other more than {INCLUDE_DEPTH_MAX} deep")));
        }
        let Some(left) = bounds.includes_left.checked_sub(1) else {
            return Err(problem(format!("more than {INCLUDES_MAX} files are included")));
        };
        bounds.includes_left = left;
        let bytes = (bounds.outside.file)(&path).map_err(|error| {
            let shown = Escaped(path.as_os_str().as_encoded_bytes());
            problem(format!("error parsing include file '{shown}', {}", read_error(&path, &error)))
        })?;
        let map = Parser::for_file(&path, &bytes, self.depth, bounds)?.file()?;
        map.into_entries().for_each(|entry| self.insert(entry));
        Ok(())
    }

    /// Skips blanks and a comment, up to the end of the line.
    fn skip_rest(&mut self) {
        self.cursor.take_while(is_blank);
        if self.cursor.sees("#") || self.cursor.sees("//") {
            self.cursor.take_while(|byte| !is_line_end(byte));
        }
    }

    /// Skips what may stand between entries, and closing braces outside of all maps: the official server takes those for
    /// line ends, and there are files that have one too many.
    fn skip_stray_braces(&mut self) {
        self.skip_lines();
        while self.cursor.eat(b'}') {
            self.skip_lines();
        }
    }

    /// Skips blanks, line ends and comments.
    fn skip_lines(&mut self) {
        loop {
            self.skip_rest();
            if self.cursor.take_while(is_line_end).is_empty() {
                return;
            }
        }
    }
}

/// Takes what a variable stands for off the bytes that are left for that.
fn spend(left: &mut usize, bytes: usize, place: Place) -> Result<(), Problem> {
    match left.checked_sub(bytes) {
        Some(rest) => {
            *left = rest;
            Ok(())
        }
        None => Err(Problem { place, reason: format!("variables stand for more than {BYTES_MAX} bytes") }),
    }
}

fn too_deep(place: Place) -> Problem {
    Problem { place, reason: format!("maps and arrays are nested more than {NESTING_MAX} deep") }
}

fn text(place: Place, bytes: Vec<u8>) -> Result<String, Problem> {
    let reason = || "expected UTF-8 text, found escapes that make none".to_owned();
    String::from_utf8(bytes).map_err(|_| Problem { place, reason: reason() })
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

fn is_blank_or_line_end(byte: u8) -> bool {
    is_blank(byte) || is_line_end(byte)
}

fn ends_bare(byte: u8) -> bool {
    is_blank_or_line_end(byte) || matches!(byte, b',' | b';' | b']' | b'}' | b'\'')
}
