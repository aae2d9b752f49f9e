//! The `turbohttp` command: parse, run, exit code.

use std::process::ExitCode;

mod args;
mod batch;
mod clock;
mod commands;
mod exit;
mod interrupt;
mod load;
mod output;
mod pace;
mod plan;
mod progress;
mod stdin;
mod system;
mod target;
mod watch;

use args::Args;
use exit::Exit;

/// `selfcheck` counts allocations; a build without that feature has the system's allocator.
#[cfg(feature = "selfcheck")]
#[global_allocator]
static ALLOCATOR: turbohttp_bench::meter::Meter = turbohttp_bench::meter::Meter;

fn main() -> ExitCode {
    let args = match Args::read() {
        Ok(args) => args,
        Err(error) => return refuse(&error).into(),
    };
    let exit = match commands::run(args.command) {
        Ok(exit) => exit,
        Err(failure) => {
            output::complain(&output::chain(&failure.error));
            failure.exit
        }
    };
    // All went well, but a line of stderr has got lost.
    if exit == Exit::Ok && output::standard::is_stderr_lost() {
        return Exit::Write.into();
    }
    exit.into()
}

/// Prints what clap says. Help and version come as errors, too.
fn refuse(error: &clap::Error) -> Exit {
    if !error.use_stderr() && output::standard::require_stdout().is_err() {
        return Exit::Write;
    }
    let printed = error.print();
    match (error.use_stderr(), printed) {
        (true, _) => Exit::Usage,
        (false, Ok(())) => Exit::Ok,
        (false, Err(_)) => Exit::Write,
    }
}
