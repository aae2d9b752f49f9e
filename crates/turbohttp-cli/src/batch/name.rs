//! Names of files for bodies: they come from the input and must stay within the directory.

use std::path::{Component, Path, PathBuf};

/// What is kept of a URL in a name, in characters.
const URL_CHARS_MAX: usize = 100;

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

    use super::{checked, from_url};

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
    fn urls_become_plain_names() {
        assert_eq!(
            from_url(3, "http://u:p@h:1/a/../b?q#f"),
            Path::new("000003-h-1-a-..-b")
        );
        assert_eq!(from_url(12, "https://h/"), Path::new("000012-h"));
        assert!(from_url(1, &"x/".repeat(500)).as_os_str().len() <= 107);
    }
}
