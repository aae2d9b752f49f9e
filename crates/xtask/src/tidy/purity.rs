//! Core names no socket, clock, thread or runtime.

use super::source::Source;
use super::{Violation, is_in_crate};

const FORBIDDEN: [&str; 6] = [
    "std::net",
    "Instant::now",
    "SystemTime",
    "std::thread",
    "tokio",
    "thread_local!",
];

/// The one question that core may ask of its thread: whether it is unwinding.
const ALLOWED_OF_THREADS: &str = "thread::panicking";

pub(super) fn check(sources: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in sources
        .iter()
        .filter(|source| is_in_crate(&source.path, "turbohttp-core"))
    {
        for (number, line) in source.code() {
            let rest = line.replace(ALLOWED_OF_THREADS, "");
            let found = FORBIDDEN.into_iter().find(|word| rest.contains(word));
            let found = found.or_else(|| rest.contains("thread::").then_some("thread::"));
            if let Some(word) = found {
                violations.push(Violation::at(source, number, format!("core names {word}")));
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
    fn clocks_sockets_threads_and_runtimes_are_found() {
        for line in [
            "let now = Instant::now();",
            "use std::net::TcpStream;",
            "thread::spawn(|| ());",
            "use std::thread;",
            "tokio::time::sleep(x).await;",
        ] {
            let planted = [plant("crates/turbohttp-core/src/pool/object.rs", line)];
            assert_eq!(check(&planted).len(), 1, "{line}");
            assert!(check(&[plant("crates/turbohttp/src/clock.rs", line)]).is_empty());
            assert!(check(&[plant("crates/turbohttp-core/src/pool/tests.rs", line)]).is_empty());
        }
        let fine = "if thread::panicking() { return; } // not tokio";
        assert!(check(&[plant("crates/turbohttp-core/src/pool/inspect.rs", fine)]).is_empty());
    }
}
