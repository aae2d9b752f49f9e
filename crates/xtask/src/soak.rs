//! `soak`: the storm of real sockets that the tests have in small, for minutes.

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
        .env(SECONDS, (options.minutes * 60).to_string());
    run::show(&mut command)
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
}
