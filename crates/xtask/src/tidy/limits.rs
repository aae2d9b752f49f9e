//! Every constant of `limits.rs` is used: a limit that nothing asks for limits nothing.

use std::collections::BTreeSet;

use super::source::Source;
use crate::run;

const LIMITS: &str = "crates/turbohttp/src/limits.rs";

/// A line of a `use`, which may go over several lines of names alone. Imported alone is not used: once in
/// an import, once where it limits.
const IMPORT: &str = r"^\s*use |^[A-Z0-9_ ]*, [A-Z0-9_, ]*$";

pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let [import, word, limit] = [IMPORT, r"\w+", r"^pub const (\w+):"].map(run::pattern);
    let ours = sources.iter().filter(|source| source.is_in("turbohttp"));
    let (limits, others): (Vec<_>, Vec<_>) = ours.partition(|source| source.path == LIMITS);
    let mut used = BTreeSet::new();
    for (_, line) in others.into_iter().flat_map(Source::code) {
        if !import.is_match(line) {
            used.extend(word.find_iter(line).map(|word| word.as_str()));
        }
    }
    let mut violations = Vec::new();
    for source in limits {
        for (number, line) in source.code() {
            let limit = limit
                .captures(line)
                .filter(|limit| !used.contains(&limit[1]));
            violations.extend(limit.map(|limit| {
                let name = &limit[1];
                source.at(number, &format!("{name} limits nothing"))
            }));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::plant;
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
            check(&sources),
            [format!("{LIMITS}:1: A_MAX limits nothing")]
        );
    }
}
