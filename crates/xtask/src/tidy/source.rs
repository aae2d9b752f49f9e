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
    let (mut sources, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            let (_, kind) = name.rsplit_once('.').unwrap_or_default();
            if entry.file_type()?.is_dir() {
                folders.extend((!SKIPPED.contains(&&*name)).then_some(path));
            } else if KINDS.contains(&kind) {
                let relative = path.strip_prefix(root)?.to_string_lossy();
                let text = fs::read_to_string(&path)?;
                sources.push(Source::new(relative.replace('\\', "/"), text));
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
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

    /// Whether it lies in the sources of crate `name`.
    pub(super) fn is_in(&self, name: &str) -> bool {
        self.path.starts_with(&format!("crates/{name}/src/"))
    }

    /// Whether it lies in the sources of a published library.
    pub(super) fn is_library(&self) -> bool {
        self.is_in("turbohttp") || self.is_in("turbohttp-core")
    }

    /// What is wrong in a line.
    pub(super) fn at(&self, line: usize, message: &str) -> String {
        format!("{}:{line}: {message}", self.path)
    }

    /// The lines with their numbers, from 1.
    pub(super) fn lines(&self) -> Vec<(usize, &str)> {
        (1..).zip(self.text.lines()).collect()
    }

    /// How many lines have a `//` comment, up to the last line of code that ships; docs are none.
    pub(super) fn comments(&self) -> usize {
        let end = self.code().last().map_or(0, |(number, _)| *number);
        let is_comment = |line: &&str| {
            let line = line.trim_start();
            line.starts_with("// ") || (!line.starts_with("//") && line.contains(" // "))
        };
        self.text.lines().take(end).filter(is_comment).count()
    }

    /// The lines of code that ship: without comments, and without the tests, which stand last.
    pub(super) fn code(&self) -> Vec<(usize, &str)> {
        if self.is_test() {
            return Vec::new();
        }
        let lines = self.lines();
        let opens_tests = |pair: &[(usize, &str)]| {
            let (attribute, module) = (pair[0].1, pair[1].1.trim_end());
            attribute == "#[cfg(test)]" && module.starts_with("mod ") && module.ends_with('{')
        };
        let tests = lines.windows(2).position(opens_tests);
        let shipped = &lines[..tests.unwrap_or(lines.len())];
        let code = shipped
            .iter()
            .map(|(number, line)| (*number, without_comment(line)));
        code.filter(|(_, line)| !line.trim().is_empty()).collect()
    }
}

/// The line up to a `//` that is no part of a URL.
fn without_comment(line: &str) -> &str {
    let mut slashes = line.match_indices("//");
    let comment = slashes.find(|(at, _)| !line[..*at].ends_with(':'));
    comment.map_or(line, |(at, _)| &line[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_tests_are_no_code() {
        let text = "//! Doc\nfn a() {} // x\nlet u = \"http://a\"; // y\n\n#[cfg(test)]\nmod tests {\nfn b() {}\n}\n";
        let source = Source::new("crates/a/src/lib.rs".to_owned(), text.to_owned());
        assert_eq!(
            source.code(),
            [(2, "fn a() {} "), (3, "let u = \"http://a\"; ")]
        );
        assert_eq!(source.comments(), 2);
        let source = Source::new("crates/a/src/b/tests.rs".to_owned(), text.to_owned());
        assert!(source.code().is_empty() && source.comments() == 0);
    }
}
