//! Every example is short and does what it says: `cargo test` has built them, and each runs to its end.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What an example may be long, in lines.
const LINES_MAX: usize = 80;

/// Examples that take arguments, or ask a server of the internet or a proxy.
const BY_HAND: [&str; 4] = ["copy_to", "proxy", "quickstart", "upload"];

/// The examples, by name.
fn examples() -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let named = files.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path));
    named.collect()
}

#[test]
fn examples_are_short() {
    for (name, path) in examples() {
        let lines = fs::read_to_string(path).unwrap().lines().count();
        assert!(lines <= LINES_MAX, "{name}: {lines} lines");
    }
}

/// Beside this test: `target/debug/deps/examples-…` and `target/debug/examples/…`. One whose features are off
/// has not been built.
#[test]
fn examples_run() {
    let here = std::env::current_exe().unwrap();
    let built = here.ancestors().nth(2).unwrap().join("examples");
    let mut ran = 0;
    for (name, _) in examples() {
        let program = built
            .join(&name)
            .with_extension(std::env::consts::EXE_EXTENSION);
        if !program.exists() || BY_HAND.contains(&&*name) {
            continue;
        }
        let done = Command::new(program).stdin(Stdio::null()).output().unwrap();
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{name}: {stderr}");
        ran += 1;
    }
    assert!(ran > 10, "only {ran} examples were built");
}
