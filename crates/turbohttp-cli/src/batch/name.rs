//! Names of files for bodies: they come from the input and must stay within the directory.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

/// What is kept of a URL in a name, in characters.
const URL_CHARS_MAX: usize = 100;

/// What is remembered of names, in bytes: enough for about a million short ones. Names beyond it are
/// compared with those before, and not with one another.
const TAKEN_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Which line each name was given to.
#[derive(Default)]
pub(crate) struct Taken {
    lines: HashMap<PathBuf, u64>,
    /// Invariant: at most [`TAKEN_BYTES_MAX`].
    bytes: usize,
}

impl Taken {
    /// Gives `name` to `line`, unless another line has it.
    pub(crate) fn take(&mut self, name: &Path, line: u64) -> Result<(), String> {
        if let Some(first) = self.lines.get(name) {
            let shown = super::super::output::visible(&name.to_string_lossy());
            return Err(format!("output \"{shown}\" is taken by line {first}"));
        }
        let bytes = self.bytes + name.as_os_str().len() + size_of::<(PathBuf, u64)>();
        if bytes <= TAKEN_BYTES_MAX {
            self.bytes = bytes;
            self.lines.insert(name.to_owned(), line);
        }
        Ok(())
    }
}

/// Checks a name that a line asks for: a relative path without `..`.
pub(crate) fn checked(name: &str) -> Result<PathBuf, String> {
    let shown = super::super::output::visible(name);
    let refuse = |why: &str| Err(format!("output \"{shown}\" {why}"));
    if name.is_empty() {
        return refuse("is empty");
    }
    if name.chars().any(char::is_control) {
        return refuse("holds a control character");
    }
    // Backslashes separate on some systems: the same input is to be as safe there.
    let path = Path::new(name);
    for component in path.components() {
        match component {
            Component::Normal(_) => {}
            Component::CurDir | Component::ParentDir => return refuse("must not hold . or .."),
            Component::RootDir | Component::Prefix(_) => return refuse("must be relative"),
        }
    }
    if name.contains('\\') {
        return refuse("must not hold a backslash");
    }
    if name.ends_with('/') {
        return refuse("must name a file");
    }
    Ok(path.to_owned())
}

/// A name from the line's number, which makes it unique, and the URL, which makes it speak.
pub(crate) fn from_url(line: u64, url: &str) -> PathBuf {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '-'
        }
    };
    let tail: String = rest.chars().take(URL_CHARS_MAX).map(plain).collect();
    PathBuf::from(format!("{line:06}-{}", tail.trim_end_matches(['-', '.'])))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{TAKEN_BYTES_MAX, Taken, checked, from_url};

    #[test]
    fn names_stay_within_the_directory() {
        for fine in ["a", "a.json", "a/b.json", "...", "a b", ".hidden"] {
            assert_eq!(checked(fine).as_deref(), Ok(Path::new(fine)), "{fine}");
        }
        let wrong = [
            "",
            "..",
            ".",
            "../a",
            "a/../b",
            "a/..",
            "/etc/passwd",
            "a\0b",
            "a\nb",
            "a/",
            "a\\..\\b",
        ];
        for wrong in wrong {
            assert!(checked(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_name_is_given_once_and_names_are_bounded() {
        let mut taken = Taken::default();
        assert_eq!(taken.take(Path::new("a/b"), 1), Ok(()));
        let again = taken.take(Path::new("a//b"), 2).unwrap_err();
        assert_eq!(again, "output \"a//b\" is taken by line 1");
        let long = "x".repeat(TAKEN_BYTES_MAX);
        assert_eq!(taken.take(Path::new(&long), 3), Ok(()));
        assert_eq!(
            (taken.take(Path::new(&long), 4), taken.lines.len()),
            (Ok(()), 1)
        );
    }

    #[test]
    fn urls_become_plain_names() {
        assert_eq!(
            from_url(3, "http://u:p@h:1/a/../b?q#f"),
            Path::new("000003-h-1-a-..-b")
        );
        assert_eq!(from_url(12, "https://h/"), Path::new("000012-h"));
        assert!(from_url(1, &"x/".repeat(500)).as_os_str().len() <= 107);
    }
}
