//! `turbohttp bench`: a load, and its latencies.

use anyhow::Context as _;

use crate::args::BenchArgs;
use crate::exit::{Exit, Failure};
use crate::interrupt::{Interrupts, Patience};
use crate::load;
use crate::output::print;
use crate::plan::LoadPlan;

pub(crate) async fn run(args: BenchArgs) -> Result<Exit, Failure> {
    let mut interrupts = Interrupts::listen(Patience::First).context("listening for signals")?;
    let (rate, writes_json) = (args.rate, args.json);
    let planning = tokio::task::spawn_blocking(move || LoadPlan::new(&args));
    let plan = planning.await.context("reading the arguments")?;
    let plan = plan.map_err(Failure::usage)?;
    let ended = Box::pin(load::run(plan, &mut interrupts)).await?;
    print(&match writes_json {
        true => load::json(&ended, rate),
        false => load::text(&ended, rate),
    })?;
    Ok(match (ended.stop, ended.stats.answers()) {
        (Some(stop), _) => stop.exit(),
        (None, 0) => Exit::SomeFailed,
        (None, _) => Exit::Ok,
    })
}
