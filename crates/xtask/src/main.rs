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

use anyhow::Result;
use clap::Parser;

mod alone;
mod codegen;
mod commands;
mod fuzz;
mod gates;
mod heap;
mod mutants;
mod platform_gate;
mod run;
mod test;
mod tidy;
mod tools;
mod walk;

/// The one entry to check, test and measure the workspace.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Command {
    /// Formatting, tidy, clippy, documentation: before every commit.
    Check,
    /// The rules of this repository that no public tool checks.
    Tidy,
    /// The C header, the C# bindings and the .meta files, from the sources of the C ABI.
    Codegen(codegen::Options),
    /// Everything, from check to gates; what CI runs.
    Test,
    /// What commands need of the system, and whether it is there.
    Tools {
        /// Installs what is missing by apt-get, as root.
        #[arg(long)]
        install: bool,
    },
    /// Every interleaving of the pools, the late recorder and the scheduler, in small.
    Loom,
    /// The whole scheduler under many random schedules.
    Shuttle,
    /// libFuzzer on each fuzz target.
    Fuzz(fuzz::Options),
    /// cargo-deny, cargo-hack and cargo-semver-checks, where they are installed.
    Audit,
    /// Wrong implementations, each of which a test must catch.
    Mutants(mutants::Options),
    /// A storm of real sockets: ids, memory, descriptors.
    Soak {
        /// Up to a day.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=24 * 60))]
        minutes: u64,
    },
    /// What a request costs, against gates.toml and the baseline.
    Gates(gates::Options),
    /// The files, functions and locks of one warm GET, against bounds.
    Walk,
    /// The C ABI in C and Python, and the Unity package on Mono: compiled at run time, ahead in full, linked in.
    PlatformGate(platform_gate::Options),
    /// Allocations per request by heap profilers, beside our own count.
    Heap,
    /// TurboHTTP beside reqwest, hyper-util, hyper, ureq, libcurl, wrk and bare loops, on a mock beside
    /// tower (peers/); compiles libcurl, which needs a C compiler.
    #[command(disable_help_flag = true)]
    Peers {
        /// Those of `turbohttp-peers`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// What `test` builds beside its first parts.
    #[command(hide = true)]
    Count,
    /// What `test` runs inside a network of its own.
    #[command(hide = true, disable_help_flag = true)]
    Alone {
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
}

/// As the command line does: a figure passed its bound.
const EXIT_GATE_MISSED: u8 = 3;

fn main() -> ExitCode {
    match dispatch(Command::parse()) {
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

fn dispatch(command: Command) -> Result<()> {
    std::env::set_current_dir(run::root())?;
    match command {
        Command::Check => commands::check(),
        Command::Tidy => tidy::run(),
        Command::Codegen(options) => codegen::command(&options),
        Command::Test => test::run(),
        Command::Tools { install } => tools::command(install),
        Command::Loom => commands::under("loom"),
        Command::Shuttle => commands::under("shuttle"),
        Command::Fuzz(options) => fuzz::command(&options),
        Command::Audit => commands::audit(),
        Command::Mutants(options) => mutants::command(&options),
        Command::Soak { minutes } => commands::soak(minutes),
        Command::Gates(options) => gates::command(&options),
        Command::Walk => walk::command(),
        Command::PlatformGate(options) => platform_gate::command(&options),
        Command::Heap => heap::run(),
        Command::Peers { arguments } => commands::peers(&arguments),
        Command::Count => gates::build_count(),
        Command::Alone { command } => alone::run(&command),
    }
}
