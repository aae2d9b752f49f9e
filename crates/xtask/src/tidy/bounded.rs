//! No container without a bound where one can be told by its name: channels, caches of a thread, leaks.
//!
//! Collections are bounded by constants, which the rule on limits looks after.

use super::source::Source;
use super::{Violation, is_in_crate};

const CRATES: [&str; 2] = ["turbohttp-core", "turbohttp"];

/// What grows without asking, and what to take instead.
const UNBOUNDED: [(&str, &str); 6] = [
    ("unbounded_channel", "a channel with a capacity"),
    ("mpsc::channel()", "a channel with a capacity"),
    ("sync::mpsc::channel", "a channel with a capacity"),
    (
        "thread_local!",
        "a pool: its cap times the threads is no cap",
    ),
    ("Box::leak", "an owner"),
    ("String::leak", "an owner"),
];

pub(super) fn check(sources: &[Source]) -> Vec<Violation> {
    let ours = |source: &&Source| CRATES.iter().any(|name| is_in_crate(&source.path, name));
    let mut violations = Vec::new();
    for source in sources.iter().filter(ours) {
        for (number, line) in source.code() {
            if let Some((word, instead)) = UNBOUNDED.iter().find(|(word, _)| line.contains(word)) {
                let message = format!("{word} has no bound: take {instead}");
                violations.push(Violation::at(source, number, message));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::plant;
    use super::*;

    #[test]
    fn a_container_without_a_bound_is_found() {
        let text = "\
let (tx, rx) = unbounded_channel();
let (tx, rx) = std::sync::mpsc::channel::<u8>();
thread_local!(static X: Cell<u8> = Cell::new(0));
// Box::leak
let (tx, rx) = mpsc::channel(16);
";
        let lines = |path| {
            let found = check(&[plant(path, text)]);
            found.into_iter().map(|v| v.line).collect::<Vec<_>>()
        };
        assert_eq!(lines("crates/turbohttp/src/queue/mod.rs"), [1, 2, 3]);
        assert_eq!(lines("crates/turbohttp-core/src/pool/object.rs"), [1, 2, 3]);
        assert!(lines("crates/turbohttp-core/src/pool/tests.rs").is_empty());
        assert!(lines("crates/turbohttp-cli/src/main.rs").is_empty());
    }
}
