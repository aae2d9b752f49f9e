//! `test`: everything, in the order in which it fails fastest.

use std::time::Instant;

use anyhow::{Context, Result};

use crate::{alone, commands, fuzz, gates, heap, tools, walk};

/// A part: the command that runs it alone, and what it does.
type Part = (&'static str, fn() -> Result<()>);

const PARTS: [Part; 10] = [
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
    ("cargo xtask loom", || commands::under("loom")),
    ("cargo xtask shuttle", || commands::under("shuttle")),
    ("cargo xtask fuzz", || fuzz::command(&[])),
    ("cargo xtask gates --prove", || {
        gates::command(&["--prove".to_owned()])
    }),
    ("cargo xtask heap", heap::run),
    ("cargo xtask walk", walk::command),
];

pub(crate) fn run() -> Result<()> {
    tools::report();
    let start = Instant::now();
    let mut times = Vec::new();
    for (command, part) in PARTS {
        println!("\n== {command} ==");
        let start = Instant::now();
        part().with_context(|| format!("failed; run it again by: {command}"))?;
        times.push((command, start.elapsed()));
    }
    println!("\n== all passed ==");
    for (command, time) in times {
        println!("{:>6.1} s  {command}", time.as_secs_f64());
    }
    println!("{:>6.1} s  in all", start.elapsed().as_secs_f64());
    Ok(())
}
