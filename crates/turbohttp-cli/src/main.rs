//! The `turbohttp` command: parse, run, exit code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser as _;

mod args;
mod batch;
mod clock;
mod commands;
mod exit;
mod interrupt;
mod output;
mod partial;
mod plan;
mod progress;

use args::Args;
use exit::Exit;

/// `bench` counts allocations; a build without that feature has the system's allocator.
#[cfg(feature = "bench")]
#[global_allocator]
static ALLOCATOR: turbohttp_bench::meter::Meter = turbohttp_bench::meter::Meter;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and version come as errors too; a closed pipe is ignored.
            let _ = error.print();
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Ok
            };
            return exit.into();
        }
    };
    match commands::run(args.command) {
        Ok(exit) => exit.into(),
        // The reader of the output has seen enough, as `head` does.
        Err(failure) if failure.is_closed_pipe() => Exit::Ok.into(),
        Err(failure) => {
            output::complain(&output::chain(&failure.error));
            failure.exit.into()
        }
    }
}
