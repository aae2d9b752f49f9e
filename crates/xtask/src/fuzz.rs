//! `fuzz`: libFuzzer on each target, from the committed seeds; no cargo-fuzz and no nightly needed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::args::Args;
use crate::{run, tools};

/// The targets, each a file of that name in `fuzz/src/bin` and a folder of seeds.
const TARGETS: [&str; 4] = ["head", "body", "response", "url"];

/// Coverage by counters and compared values, as libFuzzer wants it; assertions stay in.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1 \
    -Cdebug-assertions";

/// Resident memory that a target may take, in MiB: a target that holds what it is sent shows.
const MEMORY_MIB_MAX: u32 = 1_024;

/// For how long a target is fuzzed if nothing else is said.
const SECONDS: u32 = 5;

pub(crate) fn command(arguments: &[String]) -> Result<()> {
    let mut args = Args::new(arguments);
    let seconds = args.value("--seconds")?.unwrap_or(SECONDS);
    ensure!(seconds > 0, "--seconds 0 would never end");
    let watches_memory = args.has("--address-sanitizer");
    let only = args.word();
    args.end()?;
    let is_known = only.is_none_or(|only| TARGETS.contains(&only));
    ensure!(is_known, "no such target; there are {}", TARGETS.join(", "));
    if !tools::can("fuzz", "c++")? {
        return Ok(());
    }
    let host = host()?;
    let directory = run::target_dir().join("fuzz");
    build(watches_memory, &host, &directory)?;
    for target in TARGETS {
        if only.is_none_or(|only| only == target) {
            let program = directory.join(&host).join("release").join(target);
            fuzz(&program, target, &directory, seconds)?;
        }
    }
    Ok(())
}

fn build(watches_memory: bool, host: &str, directory: &Path) -> Result<()> {
    let mut flags = COVERAGE.to_owned();
    let mut command = run::cargo();
    // Naming the target keeps the flags away from build scripts.
    command
        .args(["build", "--release", "--manifest-path", "fuzz/Cargo.toml"])
        .args(["--target", host]);
    if watches_memory {
        // The stable toolchain carries the runtime but not the permission.
        flags.push_str(" -Zsanitizer=address");
        command.env("RUSTC_BOOTSTRAP", "1");
    }
    command
        .env("RUSTFLAGS", flags)
        .env("CARGO_TARGET_DIR", directory);
    run::show(&mut command)
}

fn fuzz(program: &Path, target: &str, directory: &Path, seconds: u32) -> Result<()> {
    let corpus = directory.join("corpus").join(target);
    let findings = directory.join("findings").join(target);
    std::fs::create_dir_all(&corpus)?;
    std::fs::create_dir_all(&findings)?;
    // The corpus grows in the target folder; what is committed stays as it is.
    for seed in seeds(target)? {
        let name = seed.file_name().context("a seed has a name")?;
        std::fs::copy(&seed, corpus.join(name))?;
    }
    let mut command = Command::new(program);
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"))
        .args([
            "-timeout=10",
            "-verbosity=0",
            "-print_final_stats=1",
            "-use_value_profile=1",
        ])
        .arg(format!("-artifact_prefix={}/", findings.display()))
        .arg(&corpus);
    run::show(&mut command).with_context(|| {
        let findings = findings.display();
        format!(
            "target {target}; the input lies in {findings}, give it to the program to see it again"
        )
    })
}

fn seeds(target: &str) -> Result<Vec<PathBuf>> {
    let folder = Path::new("fuzz/seeds").join(target);
    let entries = std::fs::read_dir(&folder).with_context(|| format!("no {}", folder.display()))?;
    let seeds: std::io::Result<Vec<PathBuf>> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    let seeds = seeds?;
    ensure!(!seeds.is_empty(), "no seed in {}", folder.display());
    Ok(seeds)
}

/// The triple of this machine, as rustc says it.
fn host() -> Result<String> {
    let text = run::output("rustc", &["-vV"])?.stdout;
    match text.lines().find_map(|line| line.strip_prefix("host: ")) {
        Some(host) => Ok(host.to_owned()),
        None => bail!("rustc -vV names no host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_seeds_and_a_program() {
        for target in TARGETS {
            let fuzz = run::root().join("fuzz");
            assert!(fuzz.join("src/bin").join(format!("{target}.rs")).is_file());
            let seeds = std::fs::read_dir(fuzz.join("seeds").join(target)).unwrap();
            assert!(seeds.count() >= 12, "{target}");
        }
    }
}
