//! `test`: everything, in the order in which it fails fastest.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::{alone, check, fuzz, gates, heap, loom, shuttle, tools};

/// One part: what it is called, the command that runs it alone, and what it does.
struct Part {
    name: &'static str,
    again: &'static str,
    run: fn() -> Result<()>,
}

const PARTS: [Part; 9] = [
    Part {
        name: "check",
        again: "cargo xtask check",
        run: check::run,
    },
    Part {
        name: "tests",
        again: "cargo test --workspace",
        run: || alone::cargo_test(&["--workspace"]),
    },
    Part {
        name: "tests without default features",
        again: "cargo test -p turbohttp --no-default-features --lib",
        run: || alone::cargo_test(&["-p", "turbohttp", "--no-default-features", "--lib"]),
    },
    Part {
        name: "tests with tracing",
        again: "cargo test -p turbohttp --features tracing --test tracing",
        run: || {
            alone::cargo_test(&[
                "-p",
                "turbohttp",
                "--features",
                "tracing",
                "--test",
                "tracing",
            ])
        },
    },
    Part {
        name: "loom",
        again: "cargo xtask loom",
        run: loom::run,
    },
    Part {
        name: "shuttle",
        again: "cargo xtask shuttle",
        run: shuttle::run,
    },
    Part {
        name: "fuzz",
        again: "cargo xtask fuzz",
        run: || fuzz::run(&fuzz::Options::default()),
    },
    Part {
        name: "gates",
        again: "cargo xtask gates --prove",
        run: || {
            gates::run(&gates::Options {
                proves: true,
                ..gates::Options::default()
            })
        },
    },
    Part {
        name: "heap",
        again: "cargo xtask heap",
        run: heap::run,
    },
];

pub(crate) fn run() -> Result<()> {
    tools::install_missing();
    let mut times: Vec<(&str, Duration)> = Vec::new();
    for part in PARTS {
        println!("\n== {} ==", part.name);
        let start = Instant::now();
        let outcome = (part.run)();
        times.push((part.name, start.elapsed()));
        outcome
            .with_context(|| format!("{} failed; run it again by: {}", part.name, part.again))?;
    }
    println!("\n== all passed ==");
    for (name, time) in times {
        println!("{name:<32} {:>6.1} s", time.as_secs_f64());
    }
    Ok(())
}
