//! User and password by host, as ftp(1) and curl read them from a file.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};

use crate::args::AuthArgs;

/// More than any such file has, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The entries of a file.
#[derive(Clone, Default)]
pub(crate) struct Netrc {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    /// `None` of `default`.
    machine: Option<String>,
    login: Option<String>,
    password: Option<String>,
}

impl Netrc {
    /// What `--netrc` and its like name; `None` if none of them was typed.
    pub(crate) fn read(args: &AuthArgs) -> anyhow::Result<Option<Netrc>> {
        if !args.netrc && !args.netrc_optional && args.netrc_file.is_none() {
            return Ok(None);
        }
        let path = match &args.netrc_file {
            Some(path) => path.clone(),
            None => home()?,
        };
        let text = match open(&path) {
            Ok(text) => text,
            // A file that was named must be there.
            Err(error) if args.netrc_optional || args.netrc_file.is_none() => {
                match error.downcast_ref::<std::io::Error>() {
                    Some(io) if io.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                    _ => return Err(error),
                }
            }
            Err(error) => return Err(error),
        };
        let entries = parse(&text).map_err(|message| anyhow!("{}: {message}", path.display()))?;
        Ok(Some(Netrc { entries }))
    }

    /// User and password of this host: of its first entry, or of `default`.
    pub(crate) fn find(&self, host: &str) -> Option<(&str, &str)> {
        let host = host.trim_matches(['[', ']']);
        let is_of = |entry: &&Entry| {
            let machine = entry.machine.as_deref();
            machine.is_none_or(|machine| machine.eq_ignore_ascii_case(host))
        };
        let entry = self.entries.iter().find(is_of)?;
        let login = entry.login.as_deref().unwrap_or_default();
        Some((login, entry.password.as_deref().unwrap_or_default()))
    }
}

fn home() -> anyhow::Result<PathBuf> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    let home = home.context("--netrc: HOME is not set: name the file with --netrc-file")?;
    Ok(PathBuf::from(home).join(".netrc"))
}

fn open(path: &Path) -> anyhow::Result<String> {
    let shown = path.display();
    let unread = || format!("{shown} cannot be read");
    let mut file = File::open(path).with_context(unread)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let mode = file.metadata().with_context(unread)?.mode();
        if mode & 0o044 != 0 {
            bail!("{shown} holds passwords and others may read it: chmod 600 it");
        }
    }
    let mut text = String::new();
    let read = (&mut file)
        .take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text);
    if read.with_context(unread)? as u64 > FILE_BYTES_MAX {
        bail!("{shown} has more than {FILE_BYTES_MAX} bytes");
    }
    Ok(text)
}

/// Reads the words of a file. Values may be in double quotes, with `\\` before a quote in them.
fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut words = Words { rest: text };
    while let Some(word) = words.next()? {
        match word.as_str() {
            "machine" => entries.push(Entry {
                machine: Some(words.value("machine")?),
                ..Entry::default()
            }),
            "default" => entries.push(Entry::default()),
            "macdef" => words.skip_macro(),
            "login" | "password" | "account" => {
                let value = words.value(&word)?;
                let entry = entries.last_mut();
                let entry = entry.ok_or_else(|| format!("{word} before the first machine"))?;
                match word.as_str() {
                    "login" => entry.login = Some(value),
                    "password" => entry.password = Some(value),
                    _ => {}
                }
            }
            // The word itself may be a password.
            _ => return Err("a word that is no keyword of netrc".to_owned()),
        }
    }
    Ok(entries)
}

struct Words<'a> {
    rest: &'a str,
}

impl Words<'_> {
    fn value(&mut self, keyword: &str) -> Result<String, String> {
        // A password may begin with a number sign: only where a keyword is due does it begin a comment.
        self.rest = self.rest.trim_start();
        self.word()?
            .ok_or_else(|| format!("nothing behind {keyword}"))
    }

    fn next(&mut self) -> Result<Option<String>, String> {
        loop {
            self.rest = self.rest.trim_start();
            // A comment stands at the beginning of a word.
            match self.rest.strip_prefix('#') {
                Some(comment) => {
                    self.rest = comment.split_once('\n').map_or("", |(_, rest)| rest);
                }
                None => break,
            }
        }
        self.word()
    }

    /// The word that begins here.
    fn word(&mut self) -> Result<Option<String>, String> {
        if let Some(quoted) = self.rest.strip_prefix('"') {
            return self.quoted(quoted).map(Some);
        }
        let end = self
            .rest
            .find(char::is_whitespace)
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok((!word.is_empty()).then(|| word.to_owned()))
    }

    fn quoted(&mut self, text: &str) -> Result<String, String> {
        let mut value = String::new();
        let mut chars = text.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[at + 2..];
                    return Ok(value);
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, 't')) => value.push('\t'),
                    Some((_, other)) => value.push(other),
                    None => break,
                },
                '\n' => break,
                other => value.push(other),
            }
        }
        Err("a quote that does not end".to_owned())
    }

    /// A macro ends at the first empty line.
    fn skip_macro(&mut self) {
        let end = self.rest.find("\n\n").map(|at| at + 2);
        self.rest = &self.rest[end.unwrap_or(self.rest.len())..];
    }
}

#[cfg(test)]
mod tests {
    use super::{Netrc, parse};

    #[test]
    fn entries_are_found_by_host() {
        let text = "# all\nmachine a.test login joe password pa#ss\n\
            machine B.test\n  login \"jo e\"\n  password \"x\\\"y\" account z\n\
            macdef init\nmachine c.test login no\n\nmachine d.test\n\
            machine e.test login #a password #b # all\n\
            machine a.test login second password one\ndefault login anon";
        let netrc = Netrc {
            entries: parse(text).unwrap(),
        };
        for (host, found) in [
            ("a.test", ("joe", "pa#ss")),
            ("b.test", ("jo e", "x\"y")),
            ("d.test", ("", "")),
            ("e.test", ("#a", "#b")),
            ("c.test", ("anon", "")),
            ("other.test", ("anon", "")),
        ] {
            assert_eq!(netrc.find(host), Some(found), "{host}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_shown() {
        for (text, part) in [
            ("machine", "nothing behind machine"),
            ("login x", "before the first machine"),
            ("machine a.test canary", "no keyword"),
            ("machine a.test password \"canary", "does not end"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(
                message.contains(part) && !message.contains("canary"),
                "{message}"
            );
        }
        assert_eq!(parse("").unwrap(), []);
    }
}
