//! Few files spawn: a task or a thread that nobody ends outlives its client.

use super::source::Source;
use super::{Violation, is_in_crate};

/// The files of `turbohttp` that spawn, each with what ends it.
const ALLOWED: [(&str, &str); 5] = [
    (
        "crates/turbohttp/src/scheduler/timer.rs",
        "the scheduler's timer, ended with it",
    ),
    (
        "crates/turbohttp/src/net/pool.rs",
        "the janitor, ended with the client",
    ),
    (
        "crates/turbohttp/src/net/resolve.rs",
        "a lookup, bounded in number, awaited",
    ),
    (
        "crates/turbohttp/src/net/tls.rs",
        "loading of the roots, once, awaited",
    ),
    (
        "crates/turbohttp/src/queue/worker.rs",
        "the workers of a queue, ended with it",
    ),
];

const SPAWNING: [&str; 5] = [
    "tokio::spawn",
    ".spawn(",
    "spawn_blocking",
    "spawn_local",
    "thread::spawn",
];

pub(super) fn check(sources: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in sources
        .iter()
        .filter(|source| is_in_crate(&source.path, "turbohttp"))
    {
        if ALLOWED.iter().any(|(path, _)| *path == source.path) {
            continue;
        }
        for (number, line) in source.code() {
            if let Some(word) = SPAWNING.into_iter().find(|word| line.contains(word)) {
                let message = format!("{word} in a file that must not spawn");
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
    fn a_task_from_nowhere_is_found() {
        let text = "tokio::spawn(async {});\nruntime.spawn(x);\n// tokio::spawn\n";
        let lines = |path| check(&[plant(path, text)]).len();
        assert_eq!(lines("crates/turbohttp/src/net/h1/mod.rs"), 2);
        assert_eq!(lines("crates/turbohttp/src/net/pool.rs"), 0);
        assert_eq!(lines("crates/turbohttp-cli/src/main.rs"), 0);
    }
}
