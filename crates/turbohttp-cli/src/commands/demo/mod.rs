//! `turbohttp demo`: the whole client in a few seconds, without arguments or a network.

use std::io;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc;
use turbohttp::{Client, Stats, Timeline};
use turbohttp_loopback::{Fail, FailWith, Options, Server};

use crate::batch::engine::{Ended, Engine, Setup, WAITING_LINES, Watch};
use crate::batch::fetch::Orders;
use crate::batch::line::Rules;
use crate::batch::outcome::Outcome;
use crate::batch::source::{self, Line};
use crate::batch::tally::Tally;
use crate::exit::{Exit, Failure};
use crate::interrupt::{Interrupts, Patience, Stop};
use crate::output::text::{OriginRow, count, of, origins, summary};
use crate::output::{Paint, print, stderr_is_terminal, waterfall, width};
use crate::plan::limits;
use crate::progress::Progress;

mod dead_host;
mod http2;

const REQUESTS: usize = 2_000;

/// The most requests at once.
const TOTAL: usize = 64;

/// How long what runs may take after Ctrl-C.
const DRAIN: Duration = Duration::from_secs(5);

const SLOW_DELAY: Duration = Duration::from_millis(20);

/// What is asked of every origin in turn.
const ROUTES: [&str; 4] = ["/small", "/bytes/4096", "/chunked/8/2048", "/bytes/65536"];

/// How an origin behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Character {
    Healthy,
    Slow,
    /// A third of the requests is dropped or answered with 503.
    Failing,
}

const CHARACTERS: [Character; 6] = [
    Character::Healthy,
    Character::Healthy,
    Character::Healthy,
    Character::Healthy,
    Character::Slow,
    Character::Failing,
];

/// How often the failing origin answers 503, and how often it is asked to drop a connection. They
/// have no common factor, so that both happen whatever the order.
const FAIL_EVERY: u64 = 5;
const DROP_EVERY: usize = 7;

pub(crate) async fn run() -> Result<Exit, Failure> {
    let mut interrupts = Interrupts::listen(Patience::First).context("listening for signals")?;
    let servers = start_servers().context("starting a server on the loopback interface")?;
    let client = Client::builder()
        .limits(limits(TOTAL, TOTAL + 1))
        .build()
        .map_err(anyhow::Error::from)?;
    let lines = requests(&servers).context("a thread to read lines")?;
    let progress = Progress::of_requests(stderr_is_terminal(), Some(REQUESTS as u64));
    let mut report = Report::new(progress);
    let engine = Engine::new(client.clone(), setup()).map_err(anyhow::Error::from)?;
    let ended = engine.run(lines, &mut interrupts, &mut report).await?;
    let end = report.end();
    let stats = client.stats();
    let columns = width::columns(&io::stdout());
    print(&render(&end, &servers, &stats, columns))?;
    if let Ended::Interrupted(stop, _) = ended {
        return Ok(stop.exit());
    }
    check(&end, &stats)?;
    drop(servers);
    tokio::select! {
        biased;
        stop = interrupts.next() => Ok(stop.exit()),
        shown = Box::pin(show_others(columns)) => {
            shown?;
            Ok(Exit::Ok)
        }
    }
}

/// What needs servers and a client of its own.
async fn show_others(columns: Option<usize>) -> anyhow::Result<()> {
    print(&width::fold(&dead_host::show().await?, columns))?;
    print(&width::fold(&http2::show().await?, columns))?;
    Ok(())
}

fn setup() -> Setup {
    Setup {
        total: TOTAL,
        waiting: WAITING_LINES,
        drain: DRAIN,
        orders: Orders::default(),
    }
}

fn start_servers() -> io::Result<Vec<Server>> {
    let start = |character: &Character| {
        let mut options = Options::default();
        match character {
            Character::Healthy => {}
            Character::Slow => options.base_delay = SLOW_DELAY,
            Character::Failing => {
                options.fail = Some(Fail {
                    every: FAIL_EVERY,
                    with: FailWith::Status503,
                });
            }
        }
        Server::start(options)
    };
    CHARACTERS.iter().map(start).collect()
}

/// The lines of the batch, through the same door as those of a file.
fn requests(servers: &[Server]) -> io::Result<mpsc::Receiver<Option<Line>>> {
    let mut text = String::new();
    for index in 0..REQUESTS {
        let origin = index % servers.len();
        let round = index / servers.len();
        let is_dropped =
            CHARACTERS[origin] == Character::Failing && round.is_multiple_of(DROP_EVERY);
        let route = if is_dropped {
            "/drop"
        } else {
            ROUTES[round % ROUTES.len()]
        };
        text.push_str(&servers[origin].url(route));
        text.push('\n');
    }
    source::read(io::Cursor::new(text), Rules::default())
}

/// Which origin a line is for: they take turns.
fn origin_of(line: u64) -> usize {
    (line as usize - 1) % CHARACTERS.len()
}

/// Counts by origin, and keeps two timelines to show.
struct Report {
    progress: Progress,
    by_origin: Vec<Tally>,
    all: Tally,
    on_used_connections: u64,
    fresh: Option<Box<Timeline>>,
    reused: Option<Box<Timeline>>,
}

/// What remains of a report when all is done.
struct End {
    by_origin: Vec<Tally>,
    all: Tally,
    on_used_connections: u64,
    fresh: Option<Box<Timeline>>,
    reused: Option<Box<Timeline>>,
    elapsed: Duration,
}

impl Report {
    fn new(progress: Progress) -> Report {
        Report {
            progress,
            by_origin: CHARACTERS.iter().map(|_| Tally::default()).collect(),
            all: Tally::default(),
            on_used_connections: 0,
            fresh: None,
            reused: None,
        }
    }

    fn end(self) -> End {
        let Report {
            progress,
            by_origin,
            all,
            on_used_connections,
            fresh,
            reused,
        } = self;
        let elapsed = progress.elapsed();
        End {
            by_origin,
            all,
            on_used_connections,
            fresh,
            reused,
            elapsed,
        }
    }
}

impl Watch for Report {
    fn finished(&mut self, outcome: Outcome, running: usize) -> anyhow::Result<()> {
        let origin = origin_of(outcome.line);
        let is_reused = outcome
            .timeline
            .as_deref()
            .is_some_and(Timeline::is_connection_reused);
        self.on_used_connections += u64::from(is_reused);
        self.all.add(&outcome);
        self.by_origin[origin].add(&outcome);
        self.progress.advance(1);
        self.progress.tell(
            self.all.finished(),
            self.all.finished() - self.all.ok,
            running,
        );
        if CHARACTERS[origin] == Character::Healthy && outcome.is_ok() {
            match outcome.timeline {
                // The newest, as the first ones stand in line behind one another.
                Some(timeline) if timeline.is_connection_reused() => self.reused = Some(timeline),
                timeline => self.fresh = timeline,
            }
        }
        Ok(())
    }

    fn interrupted(&mut self, _by: Stop, accepted: usize, _within: Duration) {
        let accepted = of(accepted as u64, "request");
        self.progress
            .say(&format!("turbohttp: interrupted: finishing {accepted}"));
    }

    fn canceled(&mut self, _accepted: usize) {}
}

fn render(end: &End, servers: &[Server], stats: &Stats, columns: Option<usize>) -> String {
    let names: Vec<String> = CHARACTERS
        .iter()
        .zip(servers)
        .map(|(character, server)| match character {
            Character::Healthy => server.url(""),
            Character::Slow => format!("{} slow", server.url("")),
            Character::Failing => format!("{} failing", server.url("")),
        })
        .collect();
    let rows: Vec<OriginRow<'_>> = names
        .iter()
        .zip(&end.by_origin)
        .map(|(name, tally)| OriginRow { name, tally })
        .collect();
    let mut out = origins(&rows, end.elapsed, columns);
    out.push('\n');
    let mut counts = summary(&end.all, end.elapsed, None);
    counts.push_str(&held(stats, end.on_used_connections));
    out.push_str(&width::fold(&counts, columns));
    let paint = Paint::of(&io::stdout());
    for (what, timeline) in [
        ("a new connection", &end.fresh),
        ("a connection used again", &end.reused),
    ] {
        if let Some(timeline) = timeline {
            out.push_str(&format!(
                "\none request on {what}:\n{}",
                waterfall::draw(timeline, None, paint, columns)
            ));
        }
    }
    out
}

/// What the client holds when nothing runs.
fn held(stats: &Stats, on_used_connections: u64) -> String {
    let Some(net) = &stats.net else {
        return String::new();
    };
    format!(
        "  connections: {} opened, {} closed, {} idle now; {} requests on one used before\n  \
         held at the end: {} contexts, {} buffers\n",
        count(net.opened),
        count(net.closed),
        count(net.idle),
        count(on_used_connections),
        stats.contexts.outstanding,
        net.buffers.outstanding,
    )
}

/// The failing origin is expected to fail; nothing else is.
fn check(end: &End, stats: &Stats) -> anyhow::Result<()> {
    let mut expected_to_work = CHARACTERS.iter().zip(&end.by_origin);
    if expected_to_work
        .any(|(character, tally)| *character != Character::Failing && !tally.is_all_ok())
    {
        anyhow::bail!("an origin that works had failures: see the table");
    }
    let buffers = stats.net.as_ref().map_or(0, |net| net.buffers.outstanding);
    if stats.contexts.outstanding != 0 || buffers != 0 {
        anyhow::bail!("the client still holds something: see the report");
    }
    Ok(())
}
