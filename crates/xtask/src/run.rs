//! Running programs, above all cargo.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    crates
        .and_then(Path::parent)
        .unwrap_or_else(|| Path::new("."))
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => root().join(directory),
        None => root().join("target"),
    }
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs cargo with `arguments`, its output shown.
pub(crate) fn cargo_with(arguments: &[&str]) -> Result<()> {
    let mut command = cargo();
    command.args(arguments);
    show(&mut command)
}

/// Runs a command, its output shown.
pub(crate) fn show(command: &mut Command) -> Result<()> {
    let text = describe(command);
    println!("$ {text}");
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start: {text}"))?;
    ensure!(status.success(), "{text}: {status}");
    Ok(())
}

/// Program and arguments as one would type them.
pub(crate) fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name();
    let mut text = program.unwrap_or_default().to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}
