//! `turbohttp bench`: the benchmarks and their gates.

use std::io::{self, Write as _};

use anyhow::Context as _;
use turbohttp_bench::{Budgets, Gate, Report};

use crate::args::BenchArgs;
use crate::exit::{Exit, Failure};
use crate::output::text::of;

pub(crate) async fn run(args: BenchArgs) -> Result<Exit, Failure> {
    let report = Box::pin(measure()).await.context("bench")?;
    let text = if args.json {
        let json = serde_json::to_string_pretty(&report).context("report as JSON")?;
        format!("{json}\n")
    } else {
        report.to_string()
    };
    io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .context("stdout cannot be written")?;
    if report.holds() {
        return Ok(Exit::Ok);
    }
    let missed = report.gates.iter().filter(|gate| !gate.holds()).count();
    let error = anyhow::anyhow!("{} missed: {}", of(missed as u64, "gate"), names(&report));
    Err(Failure {
        exit: Exit::GateFailed,
        error,
    })
}

async fn measure() -> turbohttp::Result<Report> {
    Box::pin(turbohttp_bench::run(&Budgets::built_in()?)).await
}

fn names(report: &Report) -> String {
    let missed = report.gates.iter().filter(|gate| !gate.holds());
    let names: Vec<&str> = missed.map(|gate: &Gate| gate.name.as_str()).collect();
    names.join("; ")
}
