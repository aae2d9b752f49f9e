//! Every constant of `limits.rs` is used: a limit that nothing asks for limits nothing.

use super::source::{Source, words};
use super::{Violation, is_in_crate};

const LIMITS: &str = "crates/turbohttp/src/limits.rs";

pub(super) fn check(sources: &[Source]) -> Vec<Violation> {
    let ours = || {
        sources
            .iter()
            .filter(|source| is_in_crate(&source.path, "turbohttp"))
    };
    let is_used = |name: &str| {
        let others = ours().filter(|source| source.path != LIMITS);
        let mut code = others.flat_map(Source::code);
        // Imported alone is not used: once in an import, once where it limits.
        code.any(|(_, line)| !is_import(line) && words(line).any(|word| word == name))
    };
    let limits = ours().filter(|source| source.path == LIMITS);
    let mut violations = Vec::new();
    for (source, (number, line)) in limits.flat_map(|s| s.code().into_iter().map(move |c| (s, c))) {
        let name = line
            .strip_prefix("pub const ")
            .and_then(|rest| rest.split(':').next());
        if let Some(name) = name.filter(|name| !is_used(name)) {
            violations.push(Violation::at(
                source,
                number,
                format!("{name} limits nothing"),
            ));
        }
    }
    violations
}

/// A line of a `use`, which may go over several lines of names alone.
fn is_import(line: &str) -> bool {
    let line = line.trim();
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || "_, ".contains(c);
    line.starts_with("use ") || (line.contains(", ") && line.chars().all(is_name))
}

#[cfg(test)]
mod tests {
    use super::super::{plant, said};
    use super::*;

    #[test]
    fn a_limit_that_limits_nothing_is_found() {
        let limits = "pub const A_MAX: usize = 1;\npub const B_MAX: usize = 2;\n";
        let code =
            "use crate::limits::{A_MAX, B_MAX};\nif n > B_MAX {}\nlet A_MAX_2 = 0; // A_MAX\n";
        let sources = [
            plant(LIMITS, limits),
            plant("crates/turbohttp/src/net/mod.rs", code),
        ];
        assert_eq!(
            said(check, &sources),
            [format!("{LIMITS}:1: A_MAX limits nothing")]
        );
    }
}
