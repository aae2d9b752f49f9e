//! One host that never answers beside nine that do: what it costs them, and how the client closes.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::task::JoinSet;
use turbohttp::{
    Audit, Client, CloseReport, ErrorKind, QueueOptions, RequestQueue, Response, Shutdown, Ticket,
    Timeline,
};
use turbohttp_loopback::{Options, Server};

use crate::batch::outcome::{Outcome, Verdict};
use crate::batch::tally::Tally;
use crate::clock;
use crate::output::text::{of, rate, waits};
use crate::plan::limits;

const HEALTHY: usize = 9;
const PER_HOST: usize = 6;
const TOTAL: usize = 64;

/// Requests to each host in a round.
const EACH: usize = 40;

/// Rounds without and with the dead host, in turns. Odd, for the medians.
const ROUNDS: usize = 3;

/// What a healthy host takes to answer: so long that the permits of the hosts decide how fast a round
/// is, and not the processor.
const DELAY: Duration = Duration::from_millis(5);

/// How long to wait for what has been set going, and is not over when the call returns.
const SETTLED_WITHIN: Duration = Duration::from_secs(5);

/// Runs all rounds and tells of them.
///
/// # Errors
///
/// If an answer is not what it should be, or anything is out when the client has been closed.
pub(super) async fn show() -> anyhow::Result<String> {
    let stage = Stage::new()?;
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    let mut healthy = Tally::default();
    let mut dead = Vec::new();
    for _ in 0..ROUNDS {
        // Cancels those of the round before.
        dead.clear();
        stage.is_idle().await?;
        alone.push(stage.round(false, &mut Tally::default()).await?.elapsed);
        let round = stage.round(true, &mut healthy).await?;
        beside.push(round.elapsed);
        dead = round.unanswered;
    }
    stage.is_dead_host_busy().await?;
    let before = stage.client.audit();
    let closed = stage.client.close(Shutdown::Now).await;
    for ticket in dead {
        let error = ticket.await.err().context("the dead host has answered")?;
        ensure!(error.kind() == ErrorKind::Canceled, "{error}");
    }
    stage.is_idle().await?;
    let after = stage.client.audit();
    check(&closed)?;
    Ok(render(
        [median(alone), median(beside)],
        &healthy,
        [before, after],
        &closed,
    ))
}

struct Stage {
    /// The dead one comes last.
    servers: Vec<Server>,
    client: Client,
    queue: RequestQueue,
}

/// One load, and how long the healthy hosts took for theirs.
struct Round {
    elapsed: Duration,
    /// Dropping them cancels the requests.
    unanswered: Vec<Ticket<Response>>,
}

impl Stage {
    fn new() -> anyhow::Result<Stage> {
        let options = Options {
            base_delay: DELAY,
            ..Options::default()
        };
        let servers = (0..=HEALTHY).map(|_| Server::start(options.clone()));
        let servers: Result<Vec<Server>, _> = servers.collect();
        let client = Client::builder().limits(limits(TOTAL, PER_HOST)).build()?;
        let room = QueueOptions::default()
            .workers(TOTAL)
            .per_priority((HEALTHY + 1) * EACH);
        let queue = RequestQueue::new(&client, room)?;
        queue.start()?;
        Ok(Stage {
            servers: servers.context("starting a server on the loopback interface")?,
            client,
            queue,
        })
    }

    /// Asks all hosts in turn, and waits for the healthy ones.
    async fn round(&self, has_dead: bool, tally: &mut Tally) -> anyhow::Result<Round> {
        let (dead, healthy) = self.servers.split_last().context("there are servers")?;
        let began = clock::now();
        let mut running = JoinSet::new();
        let mut unanswered = Vec::new();
        for _ in 0..EACH {
            for server in healthy {
                running.spawn(read(self.submit(&server.url("/small"))?));
            }
            if has_dead {
                unanswered.push(self.submit(&dead.url("/never"))?);
            }
        }
        while let Some(read) = running.join_next().await {
            let mut outcome = Outcome::new(0, 0);
            outcome.verdict = Verdict::Answered(200);
            outcome.timeline = Some(Box::new(read??));
            tally.add(&outcome);
        }
        Ok(Round {
            elapsed: clock::now() - began,
            unanswered,
        })
    }

    /// Waits until the dead host has as many requests as it may.
    async fn is_dead_host_busy(&self) -> anyhow::Result<()> {
        let dead = self.servers.last().context("there are servers")?;
        let is_busy = || dead.stats().in_flight == PER_HOST as u64;
        settled("the dead host is not busy", is_busy).await
    }

    /// Waits until the client holds nothing.
    async fn is_idle(&self) -> anyhow::Result<()> {
        let is_idle = || self.client.audit().is_idle();
        settled("the client still holds something", is_idle).await
    }

    fn submit(&self, url: &str) -> turbohttp::Result<Ticket<Response>> {
        Ok(self.queue.try_submit(self.client.get(url).build()?)?)
    }
}

/// Reads an answer to its end and checks it.
async fn read(ticket: Ticket<Response>) -> anyhow::Result<Timeline> {
    let mut response = ticket.await?.error_for_status()?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(chunk);
    }
    let is_right = body == b"Hello, world!";
    ensure!(is_right, "wrong answer: {}", body.escape_ascii());
    Ok(response.timeline().clone())
}

pub(super) async fn settled(otherwise: &str, is_settled: impl Fn() -> bool) -> anyhow::Result<()> {
    let until = clock::now() + SETTLED_WITHIN;
    while !is_settled() {
        ensure!(clock::now() < until, "{otherwise}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Of the dead host's requests, its permits' worth ran and were cut off, and the rest never started.
fn check(closed: &CloseReport) -> anyhow::Result<()> {
    let (waiting, running) = ((EACH - PER_HOST) as u64, PER_HOST as u64);
    let is_right = closed.accepted == waiting + running
        && closed.ended.canceled == waiting
        && closed.ended.aborted == running;
    ensure!(
        is_right,
        "{waiting} waited and {running} ran, but: {closed}"
    );
    Ok(())
}

pub(super) fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort();
    durations[durations.len() / 2]
}

fn render(
    [alone, beside]: [Duration; 2],
    healthy: &Tally,
    [before, after]: [Audit; 2],
    closed: &CloseReport,
) -> String {
    let requests = (HEALTHY * EACH) as u64;
    let title = format!(
        "one dead host beside {HEALTHY} healthy ones, at most {PER_HOST} requests per host and \
         {TOTAL} in total:"
    );
    let mut out = format!("\n{title}\n");
    for (name, elapsed) in [("alone", alone), ("beside the dead one", beside)] {
        let line = format!("healthy ones {name}:");
        let _ = writeln!(out, "  {line:<34} {:>9}", rate(requests, elapsed));
    }
    let ratio = alone.as_secs_f64() / beside.as_secs_f64().max(f64::MIN_POSITIVE);
    let _ = writeln!(
        out,
        "  ratio {ratio:.2} (medians of {ROUNDS} rounds each, in turns, of {})",
        of(requests, "request")
    );
    let _ = writeln!(out, "  the healthy ones, beside the dead one:");
    out.extend(
        waits(&healthy.waits)
            .lines()
            .map(|line| format!("  {line}\n")),
    );
    for host in &before.scheduler.busy {
        let _ = writeln!(
            out,
            "  the dead one when all others are done: {} running, {} waiting for its permits",
            host.running, host.waiting
        );
    }
    let _ = writeln!(out, "  the client is closed: {closed}");
    let _ = writeln!(
        out,
        "  out after that: {} permits, {} waiting, {} contexts, {} connections, {} buffers",
        after.scheduler.running,
        after.scheduler.waiting,
        after.contexts,
        after.connections,
        after.buffers
    );
    out
}
