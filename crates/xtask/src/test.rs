//! `test`: everything, in the order in which it fails fastest.
//!
//! Two lanes run beside each other: the checks and tests, and what is built and run in profiles of its
//! own, most of it on one core. The gates come last and alone, as some of them look at the clock.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use xshell::cmd;

use crate::run::{self, Output};
use crate::{alone, commands, gates, tools};

/// Arguments of `cargo test`.
///
/// None turns `aws-lc-rs` on, which compiles C for a minute in each profile: with it, `-p turbohttp --features
/// aws-lc-rs --lib --test it` is run by hand.
const TESTS: [&str; 6] = [
    "--workspace",
    "-p turbohttp --no-default-features --lib",
    "-p turbohttp --features tower,tracing --test tower --test tracing",
    "-p turbohttp --features socks --lib --test proxy",
    "-p turbohttp --features platform-verifier --test it roots",
    "-p turbohttp --no-default-features --features hickory,platform-verifier --test hickory",
];

/// Commands of this program; the first builds what the gates measure.
const BESIDE: [&str; 7] = [
    "count",
    "platform-gate",
    "loom",
    "shuttle",
    "fuzz",
    "heap",
    "audit",
];

pub(crate) fn run() -> Result<()> {
    tools::report();
    let (start, has_failed) = (Instant::now(), AtomicBool::new(false));
    thread::scope(|scope| {
        let others = scope.spawn(|| {
            let mut names = BESIDE.into_iter();
            names.try_for_each(|name| beside(name, &has_failed))
        });
        let first = first();
        if let Err(error) = &first {
            // Said at once, as the lane beside has to end the command that it is at.
            eprintln!("xtask: {error:#}");
            has_failed.store(true, Relaxed);
        }
        let others = others.join();
        first.and(others.unwrap_or_else(|_| bail!("the lane beside panicked")))
    })?;
    let options = gates::Options {
        prove: true,
        record: false,
    };
    part("cargo xtask gates --prove", || gates::command(&options))?;
    println!(
        "\n== all passed in {:.0} s ==",
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// The lane whose output is shown as it comes.
fn first() -> Result<()> {
    part("cargo xtask check", commands::check)?;
    TESTS.into_iter().try_for_each(|arguments| {
        part(&format!("cargo test {arguments}"), || {
            alone::cargo_test(arguments)
        })
    })
}

/// Runs a part, which `command` runs alone.
fn part(command: &str, part: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("\n== {command} ==");
    let start = Instant::now();
    part().with_context(|| format!("failed; run it again by: {command}"))?;
    println!("== {command}: {:.1} s ==", start.elapsed().as_secs_f64());
    Ok(())
}

/// A command of this program, whose output is shown when it has ended.
fn beside(name: &str, has_failed: &AtomicBool) -> Result<()> {
    if has_failed.load(Relaxed) {
        return Ok(());
    }
    let (sh, xtask, start) = (run::shell()?, std::env::current_exe()?, Instant::now());
    let Output { stdout, stderr } = run::collect(cmd!(sh, "{xtask} {name}"))
        .with_context(|| format!("failed; run it again by: cargo xtask {name}"))?;
    let seconds = start.elapsed().as_secs_f64();
    println!("\n== cargo xtask {name}, beside: {seconds:.1} s ==\n{stderr}{stdout}");
    Ok(())
}
