//! `turbohttp selfcheck`: the benchmarks and their gates.

use std::fs;

use anyhow::Context as _;
use turbohttp_bench::{Budgets, Effort, Gate};

use crate::args::SelfcheckArgs;
use crate::exit::{Exit, Failure};
use crate::output::print;
use crate::output::text::of;

pub(crate) async fn run(args: SelfcheckArgs) -> Result<Exit, Failure> {
    let effort = if args.quick {
        Effort::quick()
    } else {
        Effort::full()
    };
    let budgets = budgets(&args, &effort)?;
    // Blocks the only thread of the runtime, which has nothing else to do.
    let report = turbohttp_bench::run(&budgets, &effort).context("selfcheck")?;
    let text = if args.json {
        let json = serde_json::to_string_pretty(&report).context("report as JSON")?;
        format!("{json}\n")
    } else {
        report.to_string()
    };
    print(&text)?;
    if report.holds() {
        return Ok(Exit::Ok);
    }
    let missed = of(report.missed().count() as u64, "gate");
    let names: Vec<String> = report.missed().map(name).collect();
    Err(Failure {
        exit: Exit::GateFailed,
        error: anyhow::anyhow!("{missed} missed: {}", names.join("; ")),
    })
}

/// The bounds: built in, but those that a file names.
fn budgets(args: &SelfcheckArgs, effort: &Effort) -> Result<Budgets, Failure> {
    let Some(path) = &args.gate else {
        return Ok(Budgets::built_in().context("selfcheck")?);
    };
    let read = fs::read_to_string(path);
    let text = read
        .with_context(|| format!("{} cannot be read", path.display()))
        .map_err(Failure::usage)?;
    let budgets = Budgets::replaced_by(&text, &path.display().to_string(), effort);
    Ok(budgets.context("bounds of the gates")?)
}

fn name(gate: &Gate) -> String {
    format!("{} ({})", gate.id, gate.name)
}
