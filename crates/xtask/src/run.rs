//! Running programs, above all cargo.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

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

/// The cargo that runs this program.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs cargo with the words of `line`, its output shown.
pub(crate) fn cargo_line(line: &str) -> Result<()> {
    show(cargo().args(line.split(' ')))
}

/// Runs a command, its output shown.
pub(crate) fn show(command: &mut Command) -> Result<()> {
    let text = describe(command);
    println!("$ {text}");
    let status = command.stdin(Stdio::null()).status();
    let status = status.with_context(|| format!("cannot start: {text}"))?;
    ensure!(status.success(), "{text}: {status}");
    Ok(())
}

/// What a program says, if it succeeds.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Result<Output> {
    collect(Command::new(program).args(arguments))
}

/// The same of a command.
pub(crate) fn collect(command: &mut Command) -> Result<Output> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot start: {}", describe(command)))?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    ensure!(
        output.status.success(),
        "{}:\n{stdout}{stderr}",
        describe(command)
    );
    Ok(Output { stdout, stderr })
}

/// Whether a command succeeds; what it says is not shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null());
    let status = silent.stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
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
