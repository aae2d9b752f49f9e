//! `turbohttp bench`: the benchmarks and their gates.

use crate::args::BenchArgs;
use crate::exit::{Exit, Failure};

pub(crate) fn run(args: &BenchArgs) -> Result<Exit, Failure> {
    let _ = args.json;
    Err(Failure::usage(anyhow::anyhow!("the gates are not built yet")))
}
