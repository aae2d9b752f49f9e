//! The words after a command: switches, options with a value, and what else there is.

use std::str::FromStr;

use anyhow::{Context, Result, ensure};

/// Words that have not been asked for yet.
pub(crate) struct Args<'a>(Vec<&'a str>);

impl<'a> Args<'a> {
    pub(crate) fn new(words: &'a [String]) -> Args<'a> {
        Args(words.iter().map(String::as_str).collect())
    }

    /// Whether the switch is there.
    pub(crate) fn has(&mut self, switch: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|word| *word != switch);
        self.0.len() < before
    }

    /// The value behind an option, if the option is there.
    pub(crate) fn value<T: FromStr>(&mut self, option: &str) -> Result<Option<T>> {
        let Some(at) = self.0.iter().position(|word| *word == option) else {
            return Ok(None);
        };
        let value = self.0.get(at + 1).and_then(|word| word.parse().ok());
        let value = value.with_context(|| format!("{option} needs a value of its kind"))?;
        self.0.drain(at..at + 2);
        Ok(Some(value))
    }

    /// The next word that is no option.
    pub(crate) fn word(&mut self) -> Option<&'a str> {
        let at = self.0.iter().position(|word| !word.starts_with('-'))?;
        Some(self.0.remove(at))
    }

    /// Nothing else may be there.
    pub(crate) fn end(self) -> Result<()> {
        ensure!(self.0.is_empty(), "unknown: {}", self.0.join(" "));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_mistakes_are_named() {
        let words = ["--list", "url", "--seconds", "60"].map(str::to_owned);
        let mut args = Args::new(&words);
        assert!(args.has("--list") && !args.has("--list"));
        assert_eq!(args.value("--seconds").unwrap(), Some(60));
        assert_eq!(args.value::<u32>("--minutes").unwrap(), None);
        assert_eq!((args.word(), args.word()), (Some("url"), None));
        args.end().unwrap();
        for wrong in [&words[2..3], &words[1..3]] {
            assert!(Args::new(wrong).value::<u32>("--seconds").is_err());
        }
        let named = Args::new(&words[1..2]).end().unwrap_err().to_string();
        assert!(named.contains("url"), "{named}");
    }
}
