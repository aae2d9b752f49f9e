//! Every crate forbids unsafe code, but those with a counting allocator.

use super::Violation;
use super::source::Source;

/// Crates with a `GlobalAlloc` of their own, which ship nowhere.
const COUNTING: [&str; 2] = ["crates/turbohttp-bench/src/lib.rs", "peers/src/main.rs"];

pub(super) fn check(sources: &[Source]) -> Vec<Violation> {
    let roots = sources.iter().filter(|source| is_root(&source.path));
    roots
        .filter(|source| !COUNTING.contains(&source.path.as_str()))
        .filter(|source| {
            !source
                .text
                .lines()
                .any(|line| line == "#![forbid(unsafe_code)]")
        })
        .map(|source| Violation::of(source, "no #![forbid(unsafe_code)]"))
        .collect()
}

/// Whether a file is the root of a library or a program.
fn is_root(path: &str) -> bool {
    path.starts_with("crates/")
        && (path.ends_with("/src/lib.rs")
            || path.ends_with("/src/main.rs")
            || (path.contains("/src/bin/") && path.ends_with(".rs")))
}

#[cfg(test)]
mod tests {
    use super::super::plant;
    use super::*;

    #[test]
    fn a_crate_that_permits_unsafe_code_is_found() {
        let sources = [
            plant("crates/a/src/lib.rs", "//! A\n#![forbid(unsafe_code)]\n"),
            plant("crates/b/src/main.rs", "#![deny(unsafe_code)]\n"),
            plant("crates/c/src/bin/tool.rs", "// #![forbid(unsafe_code)]\n"),
            plant("crates/turbohttp-bench/src/lib.rs", ""),
            plant("crates/a/src/other.rs", ""),
        ];
        let found: Vec<String> = check(&sources).into_iter().map(|v| v.path).collect();
        assert_eq!(found, ["crates/b/src/main.rs", "crates/c/src/bin/tool.rs"]);
    }
}
