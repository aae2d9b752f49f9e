//! `test`: everything, in the order in which it fails fastest.
//!
//! Two lanes run beside each other: the checks and tests, and what is built and run in profiles of its
//! own, most of it on one core. The gates come last and alone, as some of them look at the clock.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::run::{self, Output};
use crate::{alone, commands, gates, tools};

/// A part: the command that runs it alone, and what it does.
type Part = (&'static str, fn() -> Result<()>);

const FIRST: [Part; 4] = [
    ("cargo xtask check", commands::check),
    ("cargo test --workspace", || {
        alone::cargo_test("--workspace")
    }),
    (
        "cargo test -p turbohttp --no-default-features --lib",
        || alone::cargo_test("-p turbohttp --no-default-features --lib"),
    ),
    (
        "cargo test -p turbohttp --features tracing --test tracing",
        || alone::cargo_test("-p turbohttp --features tracing --test tracing"),
    ),
];

/// Commands of this program; the first builds what the gates measure.
const BESIDE: [&str; 6] = ["count", "loom", "shuttle", "fuzz", "heap", "audit"];

const LAST: [Part; 1] = [("cargo xtask gates --prove", || {
    gates::command(&["--prove".to_owned()])
})];

pub(crate) fn run() -> Result<()> {
    tools::report();
    let (start, has_failed) = (Instant::now(), AtomicBool::new(false));
    thread::scope(|scope| {
        let others = scope.spawn(|| {
            BESIDE
                .into_iter()
                .try_for_each(|name| beside(name, &has_failed))
        });
        let first = FIRST.into_iter().try_for_each(part);
        if let Err(error) = &first {
            // Said at once, as the lane beside has to end the command that it is at.
            eprintln!("xtask: {error:#}");
            has_failed.store(true, Relaxed);
        }
        let others = others
            .join()
            .unwrap_or_else(|_| bail!("the lane beside panicked"));
        first.and(others)
    })?;
    LAST.into_iter().try_for_each(part)?;
    println!(
        "\n== all passed in {:.0} s ==",
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

fn part((command, part): Part) -> Result<()> {
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
    let start = Instant::now();
    let ended = run::collect(Command::new(std::env::current_exe()?).arg(name));
    let Output { stdout, stderr } =
        ended.with_context(|| format!("failed; run it again by: cargo xtask {name}"))?;
    let seconds = start.elapsed().as_secs_f64();
    println!("\n== cargo xtask {name}, beside: {seconds:.1} s ==\n{stderr}{stdout}");
    Ok(())
}
