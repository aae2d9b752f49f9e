//! Many requests on one connection of HTTP/2: what its server does not take at once waits by priority.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::task::JoinSet;
use turbohttp::{Client, Phase, Priority, Shutdown, Version};
use turbohttp_loopback::{Http2, Options, Protocols, Server};

use super::dead_host::{median, settled};
use crate::output::text::{count, duration, of};
use crate::plan::limits;

/// SETTINGS_MAX_CONCURRENT_STREAMS of the server.
const STREAMS: usize = 8;

/// Requests of each priority that wait for a stream.
const EACH: usize = 8;

const WAITING: usize = Priority::COUNT * EACH;

/// The most requests at once, were it not for the server.
const TOTAL: usize = 64;

/// What the server takes to answer: so long that a priority has to wait for the one above it.
const DELAY: Duration = Duration::from_millis(5);

/// Runs the requests and tells of them.
///
/// # Errors
///
/// If an answer is not what it should be, if there was more than one connection or too many streams, or if a
/// priority has waited less than one above it.
pub(super) async fn show() -> anyhow::Result<String> {
    let server = Server::start(Options {
        base_delay: DELAY,
        protocols: Protocols::Http2,
        http2: Http2 {
            max_concurrent_streams: Some(STREAMS as u32),
            ..Http2::default()
        },
        ..Options::default()
    })
    .context("starting a server on the loopback interface")?;
    let client = Client::builder()
        .http2_prior_knowledge()
        .limits(limits(TOTAL, TOTAL))
        .build()?;
    // The first answer comes behind the settings of the server.
    wait_of(client.clone(), server.url("/small"), Priority::Normal).await?;

    let mut unanswered = JoinSet::new();
    for _ in 0..STREAMS {
        unanswered.spawn(client.get(server.url("/never")).send());
    }
    let are_open = || server.stats().in_flight == STREAMS as u64;
    settled("the streams are not open", are_open).await?;
    // The lowest first, which are to be overtaken.
    let mut running = JoinSet::new();
    for priority in Priority::ALL.iter().rev().copied() {
        for _ in 0..EACH {
            let answer = wait_of(client.clone(), server.url("/small"), priority);
            running.spawn(async move { (priority, answer.await) });
        }
    }
    let all_wait = || {
        let audit = client.audit().scheduler;
        (audit.running, audit.waiting) == (STREAMS, WAITING)
    };
    settled("the other requests do not wait", all_wait).await?;
    unanswered.shutdown().await;

    let mut waits = [const { Vec::new() }; Priority::COUNT];
    while let Some(answered) = running.join_next().await {
        let (priority, wait) = answered?;
        waits[priority.index()].push(wait?);
    }
    let waits = waits.map(median);
    ensure!(
        waits.is_sorted(),
        "priorities have waited out of order: {waits:?}"
    );
    let opened = client.stats().net.map_or(0, |net| net.opened);
    client.close(Shutdown::Now).await;
    let seen = server.stats();
    let (resets, peak) = (seen.http2.resets_received, seen.http2.streams_peak);
    ensure!(
        (opened, resets.total(), peak) == (1, STREAMS as u64, STREAMS as u64),
        "{opened} connections, {resets:?}, {peak} streams at once"
    );
    let refused = seen.http2.resets_sent.total();
    ensure!(refused == 0, "{refused} streams were refused");
    Ok(render(opened, resets.total(), &waits))
}

/// How long a request has waited for a permit, when its answer is read.
async fn wait_of(client: Client, url: String, priority: Priority) -> anyhow::Result<Duration> {
    let mut response = client.get(url).priority(priority).send().await?;
    ensure!(
        response.version() == Version::HTTP_2,
        "{:?} was spoken",
        response.version()
    );
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(chunk);
    }
    let is_right = body == b"Hello, world!";
    ensure!(is_right, "wrong answer: {}", body.escape_ascii());
    Ok(response.timeline().duration(Phase::HostPermit))
}

fn render(opened: u64, resets: u64, waits: &[Duration; Priority::COUNT]) -> String {
    let requests = (1 + STREAMS + WAITING) as u64;
    let mut out = format!(
        "\na server of HTTP/2 that takes {STREAMS} requests at once, and {}:\n",
        of(requests, "request")
    );
    let _ = writeln!(
        out,
        "  with {STREAMS} that are never answered running, {} waited for a permit",
        count(WAITING as u64)
    );
    let _ = writeln!(
        out,
        "  those were given up: {} reset, and the connection carried the rest",
        of(resets, "stream")
    );
    let waits = Priority::ALL.iter().zip(waits);
    let waits: Vec<String> = waits
        .map(|(priority, wait)| format!("{} {}", priority.name(), duration(*wait)))
        .collect();
    let _ = writeln!(
        out,
        "  medians of the waits by priority: {}",
        waits.join(", ")
    );
    let _ = writeln!(
        out,
        "  {} opened, no stream refused",
        of(opened, "connection")
    );
    out
}
