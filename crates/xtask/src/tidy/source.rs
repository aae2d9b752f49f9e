//! The texts that the rules look at.

use std::fs;
use std::path::Path;

use anyhow::Result;

/// A file of the workspace.
#[derive(Clone)]
pub(super) struct Source {
    /// From the root, with slashes.
    pub(super) path: String,
    pub(super) text: String,
}

/// Folders that hold nothing of ours.
const SKIPPED: [&str; 5] = ["target", ".git", "seeds", "artifacts", "coverage"];

const KINDS: [&str; 3] = ["rs", "toml", "md"];

/// Every source, manifest and document below `root`.
pub(super) fn load(root: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    walk(root, root, &mut sources)?;
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

fn walk(root: &Path, folder: &Path, sources: &mut Vec<Source>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_kind = |kind: &&str| path.extension().is_some_and(|found| *found == **kind);
        if entry.file_type()?.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                walk(root, &path, sources)?;
            }
        } else if KINDS.iter().any(is_kind) {
            let relative = path
                .strip_prefix(root)?
                .to_string_lossy()
                .replace('\\', "/");
            sources.push(Source::new(relative, fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

impl Source {
    pub(super) fn new(path: String, text: String) -> Source {
        Source { path, text }
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether the whole file is tests.
    pub(super) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// The lines with their numbers, from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }

    /// Lines with a `//` comment in the code that ships; docs are none.
    pub(super) fn comments(&self) -> usize {
        let end = self.code().last().map_or(0, |(number, _)| *number);
        let is_comment = |line: &str| {
            let line = line.trim_start();
            line.starts_with("// ") || (!line.starts_with("//") && line.contains(" // "))
        };
        self.lines()
            .filter(|(number, line)| *number <= end && is_comment(line))
            .count()
    }

    /// The lines of code that ship: without comments, and without the tests, which stand last.
    pub(super) fn code(&self) -> Vec<(usize, &str)> {
        if self.is_test() {
            return Vec::new();
        }
        let mut code = Vec::new();
        let mut lines = self.lines().peekable();
        while let Some((number, line)) = lines.next() {
            let opens_tests = |next: &&(usize, &str)| {
                next.1.starts_with("mod ") && next.1.trim_end().ends_with('{')
            };
            if line == "#[cfg(test)]" && lines.peek().as_ref().is_some_and(opens_tests) {
                break;
            }
            let line = without_comment(line);
            if !line.trim().is_empty() {
                code.push((number, line));
            }
        }
        code
    }
}

/// The line up to a `//` that is no part of a URL.
fn without_comment(line: &str) -> &str {
    let mut from = 0;
    while let Some(found) = line[from..].find("//") {
        let at = from + found;
        if !line[..at].ends_with(':') {
            return &line[..at];
        }
        from = at + 2;
    }
    line
}

/// The identifiers and numbers of a line.
pub(super) fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_tests_are_no_code() {
        let text = "//! Doc\nfn a() {} // x\nlet u = \"http://a\"; // y\n\n#[cfg(test)]\nmod tests {\nfn b() {}\n}\n";
        let source = Source::new("crates/a/src/lib.rs".to_owned(), text.to_owned());
        let code: Vec<&str> = source
            .code()
            .into_iter()
            .map(|(_, line)| line.trim())
            .collect();
        assert_eq!(code, ["fn a() {}", "let u = \"http://a\";"]);
        let source = Source::new("crates/a/src/b/tests.rs".to_owned(), text.to_owned());
        assert!(source.code().is_empty());
    }
}
