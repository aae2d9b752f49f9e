//! `turbohttp batch`: many requests.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::args::{BatchArgs, When};
use crate::batch::engine::{Ended, Engine, Watch};
use crate::batch::outcome::Outcome;
use crate::batch::source;
use crate::batch::tally::Tally;
use crate::exit::{Exit, Failure};
use crate::interrupt::{Interrupts, Patience, Stop};
use crate::output::text::{duration, of, summary};
use crate::output::{json, print, report, stderr_is_terminal};
use crate::plan::{self, BatchPlan};
use crate::progress::Progress;
use crate::stdin::Stdin;

pub(crate) async fn run(args: BatchArgs) -> Result<Exit, Failure> {
    let mut interrupts = Interrupts::listen(Patience::Second).context("listening for signals")?;
    // The open of a pipe, be it the list or a certificate, returns when it has a writer.
    let planning = tokio::task::spawn_blocking(move || {
        let plan = BatchPlan::new(&args)?;
        open(&args.file).map(|opened| (plan, opened, args))
    });
    let planned = tokio::select! {
        biased;
        stop = interrupts.next() => return Ok(stop.exit()),
        planned = planning => planned.context("reading the arguments")?,
    };
    let (plan, (input, length), args) = planned.map_err(Failure::usage)?;
    if let Some(told) = &plan.note {
        report(&format!("turbohttp: {told}"));
    }
    let (cookies, cache) = (plan.cookies, plan.cache);
    let lines = source::read(input, plan.rules).context("a thread to read lines")?;
    let is_watched = args.progress == When::Auto && stderr_is_terminal();
    let mut watch = Report {
        tally: Tally::default(),
        progress: Progress::of_requests(is_watched, length),
        writes_json: args.json,
        drops_bodies: args.out_dir.is_none() && !args.json,
    };
    let engine = Engine::new(plan.client, plan.setup).map_err(anyhow::Error::from)?;
    let ended = engine.run(lines, &mut interrupts, &mut watch).await;
    cookies.write().await?;
    plan::finish(cache.as_ref()).await;
    let ended = ended?;
    Ok(match ended {
        Ended::Interrupted(stop, closed) => {
            watch.end(Some(stop));
            report(&format!("  after {}: {closed}", stop.name()));
            stop.exit()
        }
        Ended::AllDone if watch.end(None).is_all_ok() => Exit::Ok,
        Ended::AllDone => Exit::SomeFailed,
    })
}

/// The input and, if it is a file, its bytes.
fn open(path: &Path) -> anyhow::Result<(Box<dyn BufRead + Send>, Option<u64>)> {
    if path == Path::new("-") {
        let stdin = Stdin::open().context("the list cannot be read")?;
        return Ok((Box::new(BufReader::new(stdin)), None));
    }
    let unreadable = || format!("{} cannot be read", path.display());
    let file = File::open(path).with_context(unreadable)?;
    let meta = file.metadata().with_context(unreadable)?;
    if meta.is_dir() {
        anyhow::bail!("{}: it is a directory", unreadable());
    }
    // Only a hint: it is 0 for files in /proc.
    let length = (meta.is_file() && meta.len() > 0).then_some(meta.len());
    Ok((Box::new(BufReader::new(file)), length))
}

/// Counts, shows and writes what the engine tells.
struct Report {
    tally: Tally,
    progress: Progress,
    writes_json: bool,
    drops_bodies: bool,
}

impl Report {
    /// Writes the summary.
    fn end(self, stop: Option<Stop>) -> Tally {
        let Report {
            tally,
            progress,
            drops_bodies,
            ..
        } = self;
        let elapsed: Duration = progress.elapsed();
        // Takes the bar off the screen before the summary is written there.
        drop(progress);
        report(summary(&tally, elapsed, stop).trim_end());
        if drops_bodies && tally.bytes > 0 {
            report(
                "  bodies were read and dropped: --out-dir keeps them, --json tells of each line",
            );
        }
        tally
    }
}

impl Watch for Report {
    fn finished(&mut self, outcome: Outcome, running: usize) -> anyhow::Result<()> {
        self.tally.add(&outcome);
        self.progress.advance(outcome.weight);
        let failed = self.tally.finished() - self.tally.ok + self.tally.bad_lines;
        self.progress.tell(self.tally.finished(), failed, running);
        if self.writes_json {
            let row = json::row(&outcome)?;
            return print(&format!("{row}\n"));
        }
        // What is canceled has one line in all, in the summary.
        if let Some(complaint) = outcome.complaint()
            && !outcome.is_canceled()
        {
            self.progress.say(&format!("turbohttp: {complaint}"));
        }
        Ok(())
    }

    fn interrupted(&mut self, by: Stop, accepted: usize, within: Duration) {
        self.progress.say(&format!(
            "turbohttp: interrupted: reading no more, finishing {} within {}; \
             {} again cancels at once",
            of(accepted as u64, "request"),
            duration(within),
            by.name(),
        ));
    }

    fn canceled(&mut self, accepted: usize) {
        let accepted = of(accepted as u64, "request");
        self.progress.say(&format!(
            "turbohttp: interrupted again: canceling {accepted}"
        ));
    }
}
