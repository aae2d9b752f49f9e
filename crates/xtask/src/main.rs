//! The one entry to check, test and measure the workspace: `cargo xtask COMMAND`.
//!
//! One file per command of more than one call. No shell, and nothing but cargo to begin with: what else a
//! command needs it says ([`tools`]), and installs nothing by itself.
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
mod args;
mod commands;
mod fuzz;
mod gates;
mod heap;
mod mutants;
mod run;
mod test;
mod tidy;
mod tools;
mod walk;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  check                          formatting, tidy, clippy, documentation: before every commit
  tidy                           the rules of this repository that no public tool checks
  test                           everything, from check to gates; what CI runs
  tools [--install]              what commands need of the system, and whether it is there
  loom                           every interleaving of the pools, the late recorder and the scheduler, in small
  shuttle                        the whole scheduler under many random schedules
  fuzz [--seconds N] [--address-sanitizer] [TARGET]
                                 each fuzz target for N seconds (5)
  audit                          cargo-deny, cargo-hack and cargo-semver-checks, where they are installed
  mutants [--area AREA] [--list] wrong implementations, each of which a test must catch
  soak [--minutes N]             a storm of real sockets for N minutes (3): ids, memory, descriptors
  gates [--prove] [--record]     what a request costs, against gates.toml and the baseline; shows that each
                                 gate can miss; writes the baseline
  walk                           the files, functions and locks of one warm GET, against bounds
  heap                           allocations per request by heap profilers, beside our own count
  peers [ARGUMENTS]              TurboHTTP beside reqwest, hyper-util, hyper, ureq, libcurl, wrk and bare loops,
                                 on a mock beside tower (peers/); compiles libcurl, which needs a C compiler";

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
        ("check", []) => commands::check(),
        ("tidy", []) => tidy::run(),
        ("test", []) => test::run(),
        ("tools", rest) => tools::command(rest),
        ("loom" | "shuttle", []) => commands::under(command),
        ("fuzz", rest) => fuzz::command(rest),
        ("audit", []) => commands::audit(),
        ("mutants", rest) => mutants::command(rest),
        ("soak", rest) => commands::soak(rest),
        ("gates", rest) => gates::command(rest),
        ("walk", []) => walk::command(),
        // What `test` builds beside its first parts.
        ("count", []) => gates::build_count(),
        // What `test` runs inside a network of its own.
        ("alone", rest) => alone::run(rest),
        ("heap", []) => heap::run(),
        ("peers", rest) => commands::peers(rest),
        ("help" | "-h" | "--help", _) => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("unknown command: {}\n{USAGE}", arguments.join(" ")),
    }
}
