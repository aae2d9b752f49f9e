//! The one entry to check, test and measure the workspace: `cargo xtask COMMAND`.
//!
//! One file per command. No shell, and nothing but cargo to begin with: what else a command needs it
//! installs where it may ([`tools`]), and says so where it may not.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command: its output is its purpose"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a stopwatch has to ask the clock"
)]

use std::process::ExitCode;

use anyhow::{Result, bail};

mod alone;
mod check;
mod fuzz;
mod gates;
mod heap;
mod loom;
mod mutants;
mod peers;
mod run;
mod shuttle;
mod soak;
mod test;
mod tidy;
mod tools;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  check                          formatting, clippy, documentation, tidy: before every commit
  tidy                           the house rules that clippy does not know
  test                           everything, from check to gates; what CI runs
  loom                           every interleaving of the pools, the late recorder and the scheduler, in small
  shuttle                        the whole scheduler under many random schedules
  fuzz [--seconds N] [--address-sanitizer] [TARGET]
                                 each fuzz target for N seconds (5)
  mutants [--row ROW] [--list]   wrong implementations, each of which a test must catch
  soak [--minutes N]             a storm of real sockets for N minutes (3): ids, memory, descriptors
  gates [--prove] [--record]     what a request costs, against gates.toml and the baseline; shows that each
                                 gate can miss; writes the baseline
  heap                           allocations per request by heap profilers, beside our own count
  peers [ARGUMENTS]              TurboHTTP beside reqwest, hyper-util, hyper, ureq, libcurl, wrk and bare loops,
                                 on a mock beside tower (turbohttp-peers); compiles libcurl, which needs a C
                                 compiler, and installs wrk where it may";

/// As the command line does: a figure passed its bound.
const EXIT_GATE_MISSED: u8 = 3;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            match error.downcast_ref::<gates::Missed>() {
                Some(_) => ExitCode::from(EXIT_GATE_MISSED),
                None => ExitCode::FAILURE,
            }
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    std::env::set_current_dir(run::root())?;
    let (command, rest) = match arguments {
        [command, rest @ ..] => (command.as_str(), rest),
        [] => ("help", arguments),
    };
    match (command, rest) {
        ("check", []) => check::run(),
        ("tidy", []) => tidy::run(),
        ("test", []) => test::run(),
        ("loom", []) => loom::run(),
        ("shuttle", []) => shuttle::run(),
        ("fuzz", rest) => fuzz::run(&fuzz::Options::parse(rest)?),
        ("mutants", rest) => mutants::run(&mutants::Options::parse(rest)?),
        ("soak", rest) => soak::run(&soak::Options::parse(rest)?),
        ("gates", rest) => gates::run(&gates::Options::parse(rest)?),
        // What `test` runs inside a network of its own.
        ("alone", rest) => alone::run(rest),
        ("heap", []) => heap::run(),
        ("peers", rest) => peers::run(rest),
        ("help" | "-h" | "--help", _) => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("unknown command: {}\n{USAGE}", arguments.join(" ")),
    }
}
