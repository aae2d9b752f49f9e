//! Every constant of `limits.rs` is used: a limit that nobody asks for limits nothing.

use super::source::Source;
use super::{Violation, is_in_crate};

const LIMITS: &str = "crates/turbohttp/src/limits.rs";

pub(super) fn check(sources: &[Source]) -> Vec<Violation> {
    let Some(limits) = sources.iter().find(|source| source.path == LIMITS) else {
        return Vec::new();
    };
    let elsewhere = |name: &str| {
        let others = sources
            .iter()
            .filter(|source| is_in_crate(&source.path, "turbohttp"));
        let mut code = others
            .filter(|source| source.path != LIMITS)
            .flat_map(|s| s.code());
        // Imported alone is not used: once in an import, once where it limits.
        code.any(|(_, line)| !is_import(line) && has_word(line, name))
    };
    let mut violations = Vec::new();
    for (number, line) in limits.code() {
        let name = line
            .strip_prefix("pub const ")
            .and_then(|rest| rest.split(':').next());
        if let Some(name) = name
            && !elsewhere(name)
        {
            violations.push(Violation::at(
                limits,
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
    let names_only = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || "_, ".contains(c);
    line.starts_with("use ")
        || (line.ends_with(',') && line.contains(", ") && line.chars().all(names_only))
}

fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_part) && !line[at + word.len()..].starts_with(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::super::plant;
    use super::*;

    #[test]
    fn a_limit_that_limits_nothing_is_found() {
        let sources = [
            plant(
                LIMITS,
                "/// A.\npub const A_MAX: usize = 1;\n/// B.\npub const B_MAX: usize = 2;\nconst _: () = assert!(A_MAX < B_MAX);\n",
            ),
            plant(
                "crates/turbohttp/src/net/mod.rs",
                "use crate::limits::{A_MAX, B_MAX};\nif n > B_MAX {}\nlet A_MAX_2 = 0;\n// A_MAX\n",
            ),
        ];
        let found = check(&sources);
        assert_eq!((found.len(), found[0].line), (1, 2));
        assert_eq!(found[0].message, "A_MAX limits nothing");
    }
}
