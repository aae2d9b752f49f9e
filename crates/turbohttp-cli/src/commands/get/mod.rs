//! `turbohttp get`: one request, or several.

mod deliver;
mod transfer;
mod verdict;

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::args::GetArgs;
use crate::clock;
use crate::exit::{Exit, Failure};
use crate::interrupt::{Interrupts, Patience};
use crate::plan::{self, Cookies, Series};

pub(crate) async fn run(args: GetArgs) -> Result<Exit, Failure> {
    // With it, a signal drops the requests in order, and no unfinished file is left.
    let mut interrupts = Interrupts::listen(Patience::First).context("listening for signals")?;
    let mut tasks = JoinSet::new();
    let ended = {
        let work = Box::pin(plan_and_send(args, &mut tasks));
        tokio::select! {
            biased;
            stop = interrupts.next() => Err(stop),
            end = work => Ok(end),
        }
    };
    match ended {
        Ok(end) => end,
        Err(stop) => {
            tasks.shutdown().await;
            Ok(stop.exit())
        }
    }
}

async fn plan_and_send(args: GetArgs, tasks: &mut JoinSet<Exit>) -> Result<Exit, Failure> {
    // What is read may be a pipe, whose open returns when it has a writer.
    let planning = tokio::task::spawn_blocking(move || Series::new(args));
    let series = planning.await.context("reading the arguments")?;
    let series = series.map_err(Failure::usage)?;
    let exit = match series.parallel {
        None => Box::pin(one_by_one(&series)).await,
        Some(most) => Box::pin(beside_one_another(&series, most, tasks)).await,
    };
    // Also what a response has set whose body failed.
    let mut written: Option<&Cookies> = None;
    for group in &series.groups {
        if written.is_none_or(|cookies| !cookies.shares_jar(&group.cookies)) {
            group.cookies.write().await.map_err(Failure::from)?;
        }
        written = Some(&group.cookies);
        plan::finish(group.cache.as_ref()).await;
    }
    Ok(exit)
}

/// Sends the requests one after the other. The exit code is that of the last one.
async fn one_by_one(series: &Series) -> Exit {
    let mut exit = Exit::Ok;
    let mut due = None;
    for job in series.jobs() {
        if let Some(due) = due {
            sleep_until(due).await;
        }
        due = series
            .interval
            .map(|interval| (clock::now() + interval).into());
        exit = transfer::run(job, true).await;
        if exit != Exit::Ok && series.fails_early {
            break;
        }
    }
    exit
}

/// Sends up to `most` requests at once. The exit code is that of the last one that failed.
async fn beside_one_another(series: &Series, most: usize, tasks: &mut JoinSet<Exit>) -> Exit {
    let mut exit = Exit::Ok;
    let mut jobs = series.jobs();
    loop {
        while tasks.len() < most
            && let Some(job) = jobs.next()
        {
            tasks.spawn(transfer::run(job, false));
        }
        let Some(ended) = tasks.join_next().await else {
            return exit;
        };
        let ended = ended.unwrap_or(Exit::SomeFailed);
        if ended != Exit::Ok {
            exit = ended;
            if series.fails_early {
                tasks.shutdown().await;
                return exit;
            }
        }
    }
}
