//! Responses whose callers do not read them, beside one that is read, on one connection.
//!
//! Every content is that of the one that is read, which is longer than any window: nothing tells the
//! others from contents that are shorter and still longer than a window. The server is a process of its
//! own, so that memory is the client's alone.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use turbohttp::Client;

use super::sender::{opened, ours};
use super::{Plan, one_thread};
use crate::children::{CLIENT_CORE, SERVER_CORE, ServerProcess};
use crate::machine;
use crate::sample::median;
use crate::verdict::Verdict;

const NAME: &str = "slow readers";
const BYTES: usize = 100_000_000;
const UNREAD: usize = 63;

/// How much of its speed alone a download keeps.
const FLOOR: f64 = 0.9;

/// How far the resident size may grow, in bytes: the window of the connection, and what works with it.
const GROWTH_MAX: u64 = 36 << 20;

/// Until the windows of those who do not read are exhausted.
const SETTLE: Duration = Duration::from_millis(200);

/// Downloads one after the other of which a speed is made: a single one takes some milliseconds.
const DOWNLOADS: usize = 8;

/// Of one round.
struct Round {
    /// 10^6 bytes per second.
    alone: f64,
    beside: f64,
    growth: u64,
}

pub(super) fn measure(plan: &Plan, verdict: &mut Verdict) -> Result<()> {
    if !plan.has(NAME) {
        return Ok(());
    }
    machine::pin(CLIENT_CORE);
    let server = ServerProcess::start_answerer(SERVER_CORE, BYTES)?;
    let (mut alone, mut beside, mut growth) = (Vec::new(), Vec::new(), 0);
    for _ in 0..plan.rounds {
        let round = one_thread()?.block_on(round(&server.url))?;
        alone.push(round.alone);
        beside.push(round.beside);
        // What the first round has freed, the next ones use again.
        growth = growth.max(round.growth);
    }
    let (alone, beside) = (median(alone), median(beside));
    let ratio = beside / alone;
    let growth_mib = growth as f64 / f64::from(1 << 20);
    println!("| case | alone MB/s | beside {UNREAD} MB/s | ratio | memory MiB |");
    println!("| --- | --- | --- | --- | --- |");
    println!("| {NAME} | {alone:.0} | {beside:.0} | {ratio:.2} | {growth_mib:.1} |\n");
    let line = format!("{NAME}: {ratio:.2} times the speed alone, at least {FLOOR}");
    verdict.add(ratio >= FLOOR, line);
    let line = format!("{NAME}: {growth_mib:.1} MiB more memory, at most 36");
    verdict.add(growth <= GROWTH_MAX, line);
    Ok(())
}

async fn round(url: &str) -> Result<Round> {
    let client = ours(None)?;
    let before = machine::memory("VmRSS");
    machine::forget_peak();
    // The first one opens the connection and the windows of TCP.
    download(&client, url).await?;
    tokio::time::sleep(SETTLE).await;
    let alone = download(&client, url).await?;
    let mut unread = Vec::new();
    for _ in 0..UNREAD {
        unread.push(client.get(url).send().await?);
    }
    tokio::time::sleep(SETTLE).await;
    let beside = download(&client, url).await?;
    let growth = machine::memory("VmHWM").saturating_sub(before);
    let opened = opened(&client);
    ensure!(opened == 1, "{opened} connections");
    drop(unread);
    Ok(Round {
        alone,
        beside,
        growth,
    })
}

async fn download(client: &Client, url: &str) -> Result<f64> {
    let began = Instant::now();
    for _ in 0..DOWNLOADS {
        let mut response = client.get(url).send().await?;
        let mut bytes = 0;
        while let Some(chunk) = response.chunk().await? {
            bytes += chunk.len();
        }
        ensure!(bytes == BYTES, "{bytes} of {BYTES} bytes");
    }
    Ok((DOWNLOADS * BYTES) as f64 / 1e6 / began.elapsed().as_secs_f64())
}
