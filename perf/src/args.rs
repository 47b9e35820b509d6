//! Command line options: `--name value` and plain switches.

/// The options of one command.
pub struct Args {
    plain: Vec<String>,
    named: Vec<(String, String)>,
}

impl Args {
    /// Sorts `args` into words, options with a value and switches. `switches` are the options without a value.
    pub fn parse(args: impl IntoIterator<Item = String>, switches: &[&str]) -> Result<Args, String> {
        let mut parsed = Args { plain: Vec::new(), named: Vec::new() };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let Some(name) = arg.strip_prefix("--") else {
                parsed.plain.push(arg);
                continue;
            };
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name.to_string(), value.to_string()),
                None if switches.contains(&name) => (name.to_string(), String::new()),
                None => (name.to_string(), args.next().ok_or(format!("--{name} needs a value"))?),
            };
            parsed.named.push((name, value));
        }
        Ok(parsed)
    }

    /// The next word that is not an option.
    pub fn word(&mut self) -> Option<String> {
        (!self.plain.is_empty()).then(|| self.plain.remove(0))
    }

    pub fn switch(&mut self, name: &str) -> bool {
        self.take(name).is_some()
    }

    /// The value of `--name`, the last one if it is there several times.
    pub fn value<T: std::str::FromStr>(&mut self, name: &str) -> Result<Option<T>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| format!("--{name} cannot be {text:?}")),
        }
    }

    pub fn required<T: std::str::FromStr>(&mut self, name: &str) -> Result<T, String> {
        self.value(name)?.ok_or(format!("--{name} is missing"))
    }

    /// An error if anything is left that nobody asked for.
    pub fn done(self) -> Result<(), String> {
        match (self.plain.first(), self.named.first()) {
            (Some(word), _) => Err(format!("unknown argument {word:?}")),
            (None, Some((name, _))) => Err(format!("unknown option --{name}")),
            (None, None) => Ok(()),
        }
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let mut last = None;
        self.named.retain(|(n, value)| {
            if n == name {
                last = Some(value.clone());
            }
            n != name
        });
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(line.split_whitespace().map(str::to_string), &["quick"])
    }

    #[test]
    fn words_values_and_switches() {
        let mut args = parse("one-16 --pid 7 --quick --seconds=0.5 --pid 8").unwrap();
        assert_eq!(args.word().as_deref(), Some("one-16"));
        assert_eq!(args.required::<u32>("pid"), Ok(8));
        assert_eq!(args.value::<f64>("seconds"), Ok(Some(0.5)));
        assert!(args.switch("quick") && !args.switch("quick"));
        assert!(args.done().is_ok());
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(parse("--pid").err(), Some("--pid needs a value".to_string()));
        assert!(parse("--pid x").unwrap().required::<u32>("pid").unwrap_err().contains("cannot be"));
        assert!(parse("").unwrap().required::<u32>("pid").unwrap_err().contains("missing"));
        assert!(parse("a").unwrap().done().unwrap_err().contains("\"a\""));
        assert!(parse("--x 1").unwrap().done().unwrap_err().contains("--x"));
    }
}
