//! Running programs, and reading what they say.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, ensure};
use regex::Regex;
use xshell::{Cmd, Shell};

/// What a program left behind.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    crates.and_then(Path::parent).unwrap_or(Path::new("."))
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    let set = std::env::var_os("CARGO_TARGET_DIR");
    root().join(set.unwrap_or_else(|| "target".into()))
}

/// Runs commands at the root of the workspace.
pub(crate) fn shell() -> Result<Shell> {
    let shell = Shell::new()?;
    shell.change_dir(root());
    Ok(shell)
}

/// What a command says, if it succeeds; the error has it too.
pub(crate) fn collect(command: Cmd<'_>) -> Result<Output> {
    let text = command.to_string();
    let output = command.ignore_status().output()?;
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    ensure!(output.status.success(), "{text}:\n{stdout}{stderr}");
    Ok(Output { stdout, stderr })
}

/// Whether a command succeeds; what it says is not shown.
pub(crate) fn succeeds(command: Cmd<'_>) -> bool {
    let silent = command.quiet().ignore_stdout().ignore_stderr();
    silent.run().is_ok()
}

/// A pattern of this program, which is no input.
pub(crate) fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("patterns are constants, each with a test")
}

/// The first text that the group of a pattern matches, read as what is asked for. Commas in numbers are
/// passed over.
pub(crate) fn find<T: FromStr>(group: &str, text: &str) -> Result<T> {
    let found = pattern(group)
        .captures(text)
        .map(|found| found[1].replace(',', ""));
    let value = found.and_then(|found| found.parse().ok());
    value.with_context(|| format!("no {group} in: {text}"))
}
