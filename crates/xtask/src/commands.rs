//! The commands that are little more than one call of cargo.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Result, bail, ensure};

use crate::args::Args;
use crate::{run, tidy, tools};

/// Read by the test `soak`, in `crates/turbohttp/tests/stress/soak.rs`.
const SOAK_SECONDS: &str = "TURBOHTTP_SOAK_SECONDS";

/// A day.
const SOAK_MINUTES_MAX: u64 = 24 * 60;

/// What `turbohttp-peers` exits with when a floor or a demand was missed.
const EXIT_FLOOR_MISSED: i32 = 3;

/// `check`: what must hold before every commit.
pub(crate) fn check() -> Result<()> {
    run::cargo_line("fmt --all --check")?;
    tidy::run()?;
    run::cargo_line("clippy --workspace --all-targets -- -D warnings")?;
    doc()
}

/// `doc`: the documentation, with what rustdoc warns of denied.
pub(crate) fn doc() -> Result<()> {
    let mut doc = run::cargo();
    let line = "doc --workspace --no-deps --document-private-items";
    run::show(doc.args(line.split(' ')).env("RUSTDOCFLAGS", "-D warnings"))
}

/// `loom` and `shuttle`: the races of core in every interleaving, and its scheduler under many random
/// schedules. Each has a folder of its own: other flags would throw the usual builds away each time.
pub(crate) fn under(checker: &str) -> Result<()> {
    let mut command = run::cargo();
    command
        .args([
            "test",
            "--release",
            "-p",
            "turbohttp-core",
            "--test",
            checker,
        ])
        .args(["--", "--nocapture"])
        .env("RUSTFLAGS", format!("--cfg {checker}"))
        // Neither looks at a line number, and thin LTO of a test costs more than it saves.
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
        .env("CARGO_TARGET_DIR", run::target_dir().join(checker));
    run::show(&mut command)
}

/// `audit`: what public tools check, where they are installed: none of them is installed by this.
pub(crate) fn audit() -> Result<()> {
    if tools::has_cargo("deny") {
        // The product's lock file: the other two workspaces ship nowhere.
        run::cargo_line("deny check bans licenses sources")?;
        // Needs the database of advisories, which may be out of reach.
        let advisories = run::cargo_line("deny check advisories");
        if let Err(error) = advisories {
            match run::cargo_line("deny fetch db") {
                Ok(()) => return Err(error),
                Err(_) => println!("SKIPPED advisories: their database cannot be fetched"),
            }
        }
    }
    if tools::has_cargo("hack") {
        let mut hack = run::cargo();
        let line = "hack check --feature-powerset --no-dev-deps -p turbohttp -p turbohttp-core";
        let target = run::target_dir().join("hack");
        hack.args(line.split(' '))
            .env("RUSTFLAGS", "-D warnings")
            .env("CARGO_TARGET_DIR", target);
        run::show(&mut hack)?;
    }
    if tools::has_cargo("semver-checks") {
        let tags = run::output("git", &["tag", "--list", "v*", "--sort", "creatordate"])?;
        match tags.stdout.lines().next() {
            Some(first) => {
                let line =
                    format!("semver-checks -p turbohttp -p turbohttp-core --baseline-rev {first}");
                run::cargo_line(&line)?;
            }
            None => {
                println!("SKIPPED semver-checks: no release is tagged yet, so there is no baseline")
            }
        }
    }
    Ok(())
}

/// `peers`: TurboHTTP beside other clients, in one run.
pub(crate) fn peers(arguments: &[String]) -> Result<()> {
    if !tools::is_there("wrk") {
        println!("SKIPPED the row of wrk: it is not installed");
    }
    // With all peers: libcurl is compiled here, and not by a plain `cargo check` of that workspace. Both
    // workspaces build into one folder, so the client's dependencies are built once.
    let build = "--release --manifest-path peers/Cargo.toml --features libcurl --target-dir";
    let target: OsString = run::target_dir().into();
    let mut building = run::cargo();
    run::show(building.arg("build").args(build.split(' ')).arg(&target))?;
    let program = Path::new(&target).join("release/turbohttp-peers");
    let mut command = std::process::Command::new(program);
    match command
        .args(arguments)
        .stdin(Stdio::null())
        .status()?
        .code()
    {
        Some(0) => Ok(()),
        // What was missed has been printed; the code is for scripts.
        Some(EXIT_FLOOR_MISSED) => std::process::exit(EXIT_FLOOR_MISSED),
        code => bail!("turbohttp-peers ended with {code:?}"),
    }
}

/// `soak`: the storm of real sockets that the tests have in small, for minutes, in the profile of the
/// tests: with the checks for overflows and the debug assertions.
pub(crate) fn soak(arguments: &[String]) -> Result<()> {
    let mut args = Args::new(arguments);
    let minutes = args.value("--minutes")?.unwrap_or(3);
    args.end()?;
    let is_possible = (1..=SOAK_MINUTES_MAX).contains(&minutes);
    ensure!(is_possible, "--minutes must be 1 to {SOAK_MINUTES_MAX}");
    let test = "test -p turbohttp --test stress -- --ignored --exact soak::soak";
    // A name that matches no test is a success to cargo: nothing was run, and nothing failed.
    let listed = run::output(
        "cargo",
        &test.split(' ').chain(["--list"]).collect::<Vec<_>>(),
    )?;
    ensure!(
        listed.stdout.contains("soak::soak: test"),
        "there is no test soak::soak"
    );
    let mut command = run::cargo();
    command.args(test.split(' ')).arg("--nocapture");
    run::show(command.env(SOAK_SECONDS, (minutes * 60).to_string()))
}
