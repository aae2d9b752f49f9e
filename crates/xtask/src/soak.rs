//! `soak`: the storm of real sockets that the tests have in small, for minutes.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};

use crate::run;

/// Read by the test, in `crates/turbohttp/tests/stress/soak.rs`.
const SECONDS: &str = "TURBOHTTP_SOAK_SECONDS";

/// Longer than anybody watches.
const MINUTES_MAX: u64 = 24 * 60;

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    minutes: u64,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Result<Options> {
        let mut options = Options { minutes: 3 };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if argument != "--minutes" {
                bail!("unknown argument of soak: {argument}");
            }
            let minutes = arguments.next().context("--minutes needs a number")?;
            options.minutes = minutes
                .parse()
                .with_context(|| format!("not a number of minutes: {minutes}"))?;
        }
        let is_possible = (1..=MINUTES_MAX).contains(&options.minutes);
        ensure!(is_possible, "--minutes must be 1 to {MINUTES_MAX}");
        Ok(options)
    }
}

/// In the profile of the tests: with the checks for overflows and the debug assertions.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut command = run::cargo();
    let test = ["test", "-p", "turbohttp", "--test", "stress", "--"];
    command
        .args(test)
        .args(["--ignored", "--exact", "soak::soak", "--nocapture"])
        // The summary is read.
        .args(["--color", "never"])
        .env(SECONDS, (options.minutes * 60).to_string());
    println!("$ {}", run::describe(&command));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo test")?;
    let output = child.stdout.take().context("its output is piped")?;
    let passed = shown(BufReader::new(output), std::io::stdout())?;
    let status = child.wait()?;
    ensure!(status.success(), "soak: {status}");
    // A name that matches no test is a success to cargo: nothing was run, and nothing failed.
    ensure!(passed == 1, "soak: {passed} tests passed, not 1");
    Ok(())
}

/// Shows what the tests print, as they do, and counts those that passed by the summary.
fn shown(output: impl BufRead, mut show: impl Write) -> Result<u64> {
    let mut passed = 0;
    for line in output.split(b'\n') {
        let mut line = line?;
        passed += passed_in(&String::from_utf8_lossy(&line)).unwrap_or(0);
        line.push(b'\n');
        show.write_all(&line)?;
        show.flush()?;
    }
    Ok(passed)
}

/// The number in `test result: ok. N passed; …`.
fn passed_in(line: &str) -> Option<u64> {
    let summary = line.trim().strip_prefix("test result: ok. ")?;
    summary.split_once(" passed;")?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_bounded() {
        let parse = |arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
            Options::parse(&arguments)
        };
        assert_eq!(parse(&[]).unwrap().minutes, 3);
        assert_eq!(parse(&["--minutes", "10"]).unwrap().minutes, 10);
        for wrong in [
            &["--minutes"][..],
            &["--minutes", "0"],
            &["--minutes", "x"],
            &["--hours"],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_run_without_a_test_is_seen() {
        let count = |text: &str| {
            let mut seen = Vec::new();
            let passed = shown(text.as_bytes(), &mut seen).unwrap();
            assert_eq!(seen, text.as_bytes(), "everything is shown");
            passed
        };
        let summary = |passed| {
            format!(
                "running\n\ntest result: ok. {passed} passed; 0 failed; 0 ignored; 0 measured\n"
            )
        };
        assert_eq!(count(&summary(1)), 1);
        assert_eq!(count(&summary(0)), 0);
        assert_eq!(count("test result: FAILED. 0 passed; 1 failed;\n"), 0);
        assert_eq!(count(""), 0);
    }
}
