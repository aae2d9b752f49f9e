//! What an installation has beside the command: completions and man pages.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use clap_complete::Shell;

use crate::args::command;
use crate::exit::{Exit, Failure};
use crate::output::print;

pub(crate) fn completions(shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "turbohttp", &mut script);
    print(&String::from_utf8(script).context("completions")?)?;
    Ok(Exit::Ok)
}

/// One page for the command, and one for each of its subcommands, in section 1.
pub(crate) fn man(directory: &Path) -> Result<Exit, Failure> {
    let unwritten = || format!("man pages cannot be written to {}", directory.display());
    fs::create_dir_all(directory).with_context(unwritten)?;
    clap_mangen::generate_to(command(), directory).with_context(unwritten)?;
    Ok(Exit::Ok)
}
