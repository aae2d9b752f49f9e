//! `fuzz`: libFuzzer on each target, from the committed seeds; no cargo-fuzz and no nightly needed.

use std::path::Path;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::{run, tools};

/// The targets, each a file of that name in `fuzz/src/bin` and a folder of seeds.
const TARGETS: [&str; 7] = [
    "head",
    "body",
    "response",
    "url",
    "hpack",
    "h2_frames",
    "h2_session",
];

/// Coverage by counters and compared values, as libFuzzer wants it; assertions stay in.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1 \
    -Cdebug-assertions";

/// What libFuzzer is told. Resident memory is bounded, in MiB: a target that holds what it is sent shows.
const FLAGS: &str = "-rss_limit_mb=1024 -timeout=10 -verbosity=0 -print_final_stats=1 \
    -use_value_profile=1";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long each target is fuzzed; 0 would never end.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Watches memory as well.
    #[arg(long)]
    address_sanitizer: bool,
    /// This one alone.
    #[arg(value_parser = TARGETS)]
    target: Option<String>,
}

pub(crate) fn command(options: &Options) -> Result<()> {
    if !tools::can("fuzz", "c++")? {
        return Ok(());
    }
    let sh = run::shell()?;
    let host = cmd!(sh, "rustc --print host-tuple").read()?;
    let directory = run::target_dir().join("fuzz");
    // Naming the target keeps the flags away from build scripts.
    let build = cmd!(
        sh,
        "cargo build --release --manifest-path fuzz/Cargo.toml --target {host}"
    )
    .env("CARGO_TARGET_DIR", &directory);
    let build = match options.address_sanitizer {
        // The stable toolchain carries the runtime but not the permission.
        true => build
            .env("RUSTFLAGS", format!("{COVERAGE} -Zsanitizer=address"))
            .env("RUSTC_BOOTSTRAP", "1"),
        false => build.env("RUSTFLAGS", COVERAGE),
    };
    build.run()?;
    let is_meant = |target: &&str| options.target.as_ref().is_none_or(|only| only == target);
    TARGETS.into_iter().filter(is_meant).try_for_each(|target| {
        let program = directory.join(&host).join("release").join(target);
        fuzz(&sh, &program, target, &directory, options.seconds)
    })
}

fn fuzz(sh: &Shell, program: &Path, target: &str, directory: &Path, seconds: u32) -> Result<()> {
    let corpus = sh.create_dir(directory.join("corpus").join(target))?;
    let findings = sh.create_dir(directory.join("findings").join(target))?;
    let seconds = format!("-max_total_time={seconds}");
    let (flags, seeds) = (FLAGS.split(' '), Path::new("fuzz/seeds").join(target));
    // The first folder is the one that grows; what is committed stays as it is.
    let fuzz = cmd!(
        sh,
        "{program} {seconds} {flags...} -artifact_prefix={findings}/ {corpus} {seeds}"
    );
    fuzz.run().with_context(|| {
        let findings = findings.display();
        format!(
            "target {target}; the input lies in {findings}, give it to the program to see it again"
        )
    })
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
