//! `peers`: TurboHTTP beside other clients, in one run.

use std::process::Stdio;

use anyhow::{Result, bail};

use crate::{run, tools};

/// What `turbohttp-peers` says when a floor or a demand was missed.
const EXIT_FLOOR_MISSED: i32 = 3;

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    // One row among many, so it is no failure if it cannot be had: the report says so.
    tools::install(&[tools::WRK]);
    // With all peers: libcurl is compiled here, and not by a plain `cargo check` of that workspace. The
    // targets of both workspaces lie in one folder, so the client's dependencies are built once.
    let build = [
        "--release",
        "--manifest-path",
        "peers/Cargo.toml",
        "--features",
        "libcurl",
    ];
    let target = run::target_dir();
    let mut building = run::cargo();
    run::show(
        building
            .arg("build")
            .args(build)
            .env("CARGO_TARGET_DIR", &target),
    )?;
    let mut command = run::cargo();
    command
        .args(["run", "--quiet"])
        .args(build)
        .arg("--")
        .args(arguments)
        .env("CARGO_TARGET_DIR", &target);
    match command.stdin(Stdio::null()).status()?.code() {
        Some(0) => Ok(()),
        // What was missed has been printed; the code is for scripts.
        Some(EXIT_FLOOR_MISSED) => std::process::exit(EXIT_FLOOR_MISSED),
        code => bail!("turbohttp-peers ended with {code:?}"),
    }
}
