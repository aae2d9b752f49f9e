//! The commands that are little more than one call of cargo.

use std::process::Command;

use anyhow::{Result, ensure};
use xshell::cmd;

use crate::{codegen, run, tidy, tools};

/// Read by the test `soak`, in `crates/turbohttp/tests/stress/soak.rs`.
const SOAK_SECONDS: &str = "TURBOHTTP_SOAK_SECONDS";

/// What is published.
const LIBRARIES: [&str; 4] = ["-p", "turbohttp", "-p", "turbohttp-core"];

/// Features that are no part of the set whose every combination is compiled. `aws-lc-rs` compiles C for a minute, and
/// `__tls` alone is meant to fail; the others would double the number of combinations, and `test` turns them on.
const FEATURES_APART: &str = "__tls,aws-lc-rs,hickory,platform-verifier";

/// `check`: what must hold before every commit.
pub(crate) fn check() -> Result<()> {
    let sh = run::shell()?;
    cmd!(sh, "cargo fmt --all --check").run()?;
    tidy::run()?;
    codegen::check()?;
    cmd!(sh, "cargo clippy --workspace --all-targets -- -D warnings").run()?;
    let doc = cmd!(
        sh,
        "cargo doc --workspace --no-deps --document-private-items"
    );
    Ok(doc.env("RUSTDOCFLAGS", "-D warnings").run()?)
}

/// `loom` and `shuttle`: the races of core in every interleaving, and its scheduler under many random
/// schedules. Each has a folder of its own: other flags would throw the usual builds away each time.
pub(crate) fn under(checker: &str) -> Result<()> {
    let sh = run::shell()?;
    let test = cmd!(
        sh,
        "cargo test --release -p turbohttp-core --test {checker} -- --nocapture"
    )
    .env("RUSTFLAGS", format!("--cfg {checker}"))
    // Neither looks at a line number, and thin LTO of a test costs more than it saves.
    .env("CARGO_PROFILE_RELEASE_LTO", "off")
    .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
    .env("CARGO_TARGET_DIR", run::target_dir().join(checker));
    Ok(test.run()?)
}

/// `audit`: what public tools check, where they are installed: none of them is installed by this.
pub(crate) fn audit() -> Result<()> {
    let sh = run::shell()?;
    if tools::has_cargo("deny") {
        // The product's lock file: the other two workspaces ship nowhere.
        cmd!(sh, "cargo deny check bans licenses sources").run()?;
        // Needs the database of advisories, which may be out of reach.
        if let Err(error) = cmd!(sh, "cargo deny check advisories").run() {
            ensure!(cmd!(sh, "cargo deny fetch db").run().is_err(), error);
            println!("SKIPPED advisories: their database cannot be fetched");
        }
    }
    if tools::has_cargo("hack") {
        cmd!(sh, "cargo hack check --feature-powerset --no-dev-deps")
            .args(["--exclude-features", FEATURES_APART])
            .args(LIBRARIES)
            .env("RUSTFLAGS", "-D warnings")
            .env("CARGO_TARGET_DIR", run::target_dir().join("hack"))
            .run()?;
    }
    if tools::has_cargo("semver-checks") {
        let tags = cmd!(sh, "git tag --list v* --sort creatordate").read()?;
        match tags.lines().next() {
            Some(first) => cmd!(sh, "cargo semver-checks --baseline-rev {first}")
                .args(LIBRARIES)
                .run()?,
            None => {
                println!("SKIPPED semver-checks: no release is tagged yet, so there is no baseline")
            }
        }
    }
    Ok(())
}

/// `peers`: TurboHTTP beside other clients, in one run. What it exits with is for scripts: it has said
/// itself what was missed.
pub(crate) fn peers(arguments: &[String]) -> Result<()> {
    if !tools::is_there("wrk") {
        println!("SKIPPED the row of wrk: it is not installed");
    }
    // With all peers: libcurl is compiled here, and not by a plain `cargo check` of that workspace. Both
    // workspaces build into one folder, so the client's dependencies are built once.
    let (sh, target) = (run::shell()?, run::target_dir());
    let build = cmd!(
        sh,
        "cargo build --release --manifest-path peers/Cargo.toml --features libcurl"
    );
    build.arg("--target-dir").arg(&target).run()?;
    let status = Command::new(target.join("release/turbohttp-peers"))
        .args(arguments)
        .status()?;
    if !status.success() {
        std::process::exit(status.code().unwrap_or(1));
    }
    Ok(())
}

/// `soak`: the storm of real sockets that the tests have in small, for minutes, in the profile of the
/// tests: with the checks for overflows and the debug assertions.
pub(crate) fn soak(minutes: u64) -> Result<()> {
    let sh = run::shell()?;
    let only = ["--ignored", "--exact", "soak::soak"];
    let test = || cmd!(sh, "cargo test -p turbohttp --test stress -- {only...}");
    // A name that matches no test is a success to cargo: nothing was run, and nothing failed.
    let listed = test().arg("--list").read()?;
    ensure!(
        listed.contains("soak::soak: test"),
        "there is no test soak::soak"
    );
    let seconds = (minutes * 60).to_string();
    Ok(test().arg("--nocapture").env(SOAK_SECONDS, seconds).run()?)
}
