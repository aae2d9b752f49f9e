//! What the compiler says to the mistakes that people make with a middleware: the fix is in its first
//! lines.
//!
//! Only those lines are looked at, by what they must name: the rest changes from compiler to compiler,
//! which is why this compares no whole outputs, as trybuild does.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::process::Command;

/// Lines of an error that a person reads before anything else.
const FIRST_LINES: usize = 16;

/// The first lines that the compiler says about a program of `tests/mistakes`.
fn first_lines(program: &str) -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mistakes");
    // The versions that the workspace has, so that nothing has to be fetched.
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
    std::fs::copy(lock, here.join("Cargo.lock")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--offline", "--bin", program])
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_TERM_COLOR", "never")
        .env_remove("RUSTFLAGS")
        .current_dir(here)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{program} compiles");
    assert!(said.starts_with("error"), "{program}: {said}");
    said.lines()
        .take(FIRST_LINES)
        .collect::<Vec<_>>()
        .join("\n")
}

#[track_caller]
fn names(said: &str, fixes: &[&str]) {
    for fix in fixes {
        assert!(said.contains(fix), "no {fix:?} in:\n{said}");
    }
}

/// In one test, as all of them build in the same folder.
#[test]
fn mistakes_with_a_middleware_are_told_with_their_fix() {
    names(
        &first_lines("missing_async"),
        &[
            "must be an `async fn`",
            "write `async fn handle(..) -> Result<Response>`",
        ],
    );
    names(
        &first_lines("held_response"),
        &[
            "borrow of moved value: `first`",
            "copy what is still needed of the response",
        ],
    );
    names(
        &first_lines("not_send"),
        &["not `Send`", "has type `Rc<&str>`", "`name`"],
    );
}
