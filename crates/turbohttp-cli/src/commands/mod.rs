//! The commands.

mod batch;
mod bench;
mod demo;
mod get;
#[cfg(feature = "selfcheck")]
mod selfcheck;
mod serve;
mod setup;

use anyhow::Context as _;
use tokio::runtime::Builder;

use crate::args::Command;
use crate::exit::{Exit, Failure};
use crate::system;

/// Threads that run requests: one could fall behind a burst of TLS, and more gain little.
const WORKERS: usize = 2;

/// Runs a command to its end.
pub(crate) fn run(command: Command) -> Result<Exit, Failure> {
    // These need no runtime.
    match command {
        Command::Completions { shell } => setup::completions(shell),
        Command::Man { directory } => setup::man(&directory),
        command => run_async(command),
    }
}

fn run_async(command: Command) -> Result<Exit, Failure> {
    // Before the runtime takes them: it panics where it gets none.
    system::require_descriptors()?;
    system::require_threads()?;
    let runtime = match command {
        // Counts every allocation of the process, so nothing else is to run.
        #[cfg(feature = "selfcheck")]
        Command::Selfcheck(_) => Builder::new_current_thread().enable_all().build(),
        _ => Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("turbohttp")
            .enable_all()
            .build(),
    };
    let runtime = runtime.context("threads of the runtime")?;
    let end = match command {
        Command::Get(args) => runtime.block_on(Box::pin(get::run(*args))),
        Command::Batch(args) => runtime.block_on(Box::pin(batch::run(*args))),
        Command::Serve(args) => runtime.block_on(Box::pin(serve::run(args))),
        Command::Completions { .. } | Command::Man { .. } => Ok(Exit::Ok),
        Command::Demo => runtime.block_on(Box::pin(demo::run())),
        Command::Bench(args) => runtime.block_on(Box::pin(bench::run(*args))),
        #[cfg(feature = "selfcheck")]
        Command::Selfcheck(args) => runtime.block_on(Box::pin(selfcheck::run(args))),
    };
    // A read of stdin may be blocked for ever; everything else has been waited for.
    runtime.shutdown_background();
    end
}
