//! `turbohttp batch`: many requests.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::args::{BatchArgs, When};
use crate::batch::engine::{Ended, Engine, Watch};
use crate::batch::outcome::Outcome;
use crate::batch::source;
use crate::batch::tally::Tally;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::output::text::{duration, of, summary};
use crate::output::{json, note, stderr_is_terminal};
use crate::plan::BatchPlan;
use crate::progress::Progress;

pub(crate) async fn run(args: BatchArgs) -> Result<Exit, Failure> {
    let plan = BatchPlan::new(&args).map_err(Failure::usage)?;
    let (input, length) = open(&args.file).map_err(Failure::usage)?;
    let mut interrupts = Interrupts::listen().context("listening for Ctrl-C")?;
    let lines = source::read(input, plan.rules).context("a thread to read lines")?;
    let is_watched = args.progress == When::Auto && stderr_is_terminal();
    let mut report = Report::new(Progress::of_requests(is_watched, length), args.json);
    let engine = Engine::new(plan.client, plan.setup).map_err(anyhow::Error::from)?;
    let ended = engine.run(lines, &mut interrupts, &mut report).await?;
    let tally = report.end();
    Ok(match ended {
        Ended::Interrupted(closed) => {
            note(&format!("  after Ctrl-C: {closed}"));
            Exit::Interrupted
        }
        Ended::AllDone if tally.is_all_ok() => Exit::Ok,
        Ended::AllDone => Exit::SomeFailed,
    })
}

/// The input and, if it is a file, its bytes.
fn open(path: &Path) -> anyhow::Result<(Box<dyn BufRead + Send>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(BufReader::new(io::stdin())), None));
    }
    let unreadable = || format!("{} cannot be read", path.display());
    let file = File::open(path).with_context(unreadable)?;
    let meta = file.metadata().with_context(unreadable)?;
    if meta.is_dir() {
        anyhow::bail!("{}: it is a directory", unreadable());
    }
    let length = meta.is_file().then_some(meta.len());
    Ok((Box::new(BufReader::new(file)), length))
}

/// Counts, shows and writes what the engine tells.
struct Report {
    tally: Tally,
    progress: Progress,
    writes_json: bool,
}

impl Report {
    fn new(progress: Progress, writes_json: bool) -> Report {
        Report {
            tally: Tally::default(),
            progress,
            writes_json,
        }
    }

    /// Writes the summary.
    fn end(self) -> Tally {
        let Report {
            tally, progress, ..
        } = self;
        let elapsed: Duration = progress.elapsed();
        // Takes the bar off the screen before the summary is written there.
        drop(progress);
        note(summary(&tally, elapsed).trim_end());
        tally
    }
}

impl Watch for Report {
    fn finished(&mut self, outcome: Outcome, running: usize) -> io::Result<()> {
        self.tally.add(&outcome);
        self.progress.advance(outcome.weight);
        let failed = self.tally.finished() - self.tally.ok + self.tally.bad_lines;
        self.progress.tell(self.tally.finished(), failed, running);
        if self.writes_json {
            let row = json::row(&outcome)?;
            return writeln!(io::stdout().lock(), "{row}");
        }
        if let Some(complaint) = outcome.complaint() {
            self.progress.say(&format!("turbohttp: {complaint}"));
        }
        Ok(())
    }

    fn interrupted(&mut self, accepted: usize, within: Duration) {
        self.progress.say(&format!(
            "turbohttp: interrupted: reading no more, finishing {} within {}; \
             Ctrl-C again cancels at once",
            of(accepted as u64, "request"),
            duration(within),
        ));
    }

    fn canceled(&mut self, accepted: usize) {
        let accepted = of(accepted as u64, "request");
        self.progress.say(&format!(
            "turbohttp: interrupted again: canceling {accepted}"
        ));
    }
}
