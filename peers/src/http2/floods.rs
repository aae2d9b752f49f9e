//! How long until a connection ends whose server floods it, and what it costs until then.
//!
//! The time begins with the request that the flood follows. Memory is that of the process, with what the
//! server's thread keeps, and counts from before the first flood: what one has freed hides nothing of the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use turbohttp::{Client, ErrorKind};
use turbohttp_loopback::script::{Script, floods};
use turbohttp_loopback::{Answerer, AnswererOptions};

use super::one_thread;
use super::sender::{opened, ours};
use crate::machine;
use crate::verdict::Verdict;

const TIME_MAX: Duration = Duration::from_secs(1);
const GROWTH_MAX: u64 = 8 << 20;

/// What is waited for a client that does not end its connection.
const GIVE_UP: Duration = Duration::from_secs(10);

struct Flooded {
    /// What the caller of the request got.
    noticed: Option<turbohttp::Result<()>>,
    time: Duration,
    growth: u64,
    /// Requests of another client that were answered meanwhile, or what came of them.
    beside: Result<u64>,
}

pub(super) fn measure(verdict: &mut Verdict) -> Result<()> {
    let calm = Answerer::start(AnswererOptions::default())?;
    println!("| flood | ended after ms | memory KiB | caller got | requests beside |");
    println!("| --- | --- | --- | --- | --- |");
    one_thread()?.block_on(async { get(&ours(None)?, &calm.url("/")).await })?;
    let before = machine::memory("VmRSS");
    for flood in floods::all() {
        let name = flood.name;
        let server = Script::new().accept(flood.steps()).start()?;
        let flooded = one_thread()?.block_on(async {
            let client = ours(None)?;
            let ended = async {
                let noticed = match client.get(server.url("/")).send().await {
                    Ok(response) => response.bytes().await.map(drop),
                    Err(error) => Err(error),
                };
                server.all_closed().await;
                noticed
            };
            watch(ended, &calm.url("/"), before).await
        })?;
        let ms = flooded.time.as_secs_f64() * 1e3;
        let kib = flooded.growth / 1024;
        let beside = match &flooded.beside {
            Ok(made) => made.to_string(),
            Err(error) => error.to_string(),
        };
        let caller = match &flooded.noticed {
            Some(Ok(())) => "the answer".to_owned(),
            Some(Err(error)) => format!("{:?}", error.kind()),
            None => "nothing".to_owned(),
        };
        println!("| {name} | {ms:.1} | {kib} | {caller} | {beside} |");
        // An answer that came before the flood is an answer.
        let is_named = match &flooded.noticed {
            Some(Ok(())) => flood.is_behind_the_answer,
            Some(Err(error)) => {
                matches!(error.kind(), ErrorKind::Protocol | ErrorKind::TooLarge)
            }
            None => false,
        };
        let is_bounded = flooded.time <= TIME_MAX && flooded.growth <= GROWTH_MAX;
        let line = format!(
            "{name}: {ms:.1} ms, at most 1,000; {kib} KiB, at most 8,192; beside: {beside}; caller: {caller}"
        );
        verdict.add(is_named && is_bounded && flooded.beside.is_ok(), line);
    }
    println!();
    Ok(())
}

/// Waits for the end of a flood while another client makes requests.
async fn watch(
    ended: impl Future<Output = turbohttp::Result<()>>,
    calm: &str,
    before: u64,
) -> Result<Flooded> {
    let (client, url) = (ours(None)?, calm.to_owned());
    get(&client, &url).await?;
    let is_over = Arc::new(AtomicBool::new(false));
    let asks = is_over.clone();
    let beside = tokio::spawn(async move {
        let mut made = 0;
        while !asks.load(Ordering::Relaxed) || made == 0 {
            get(&client, &url).await?;
            made += 1;
        }
        let opened = opened(&client);
        ensure!(opened == 1, "{opened} connections");
        Ok(made)
    });
    tokio::task::yield_now().await;
    machine::forget_peak();
    let began = Instant::now();
    // One that does not end in time has taken more than is permitted, and is told so.
    let noticed = tokio::time::timeout(GIVE_UP, ended).await.ok();
    let time = began.elapsed();
    let growth = machine::memory("VmHWM").saturating_sub(before);
    is_over.store(true, Ordering::Relaxed);
    Ok(Flooded {
        noticed,
        time,
        growth,
        beside: beside.await.context("the other client")?,
    })
}

async fn get(client: &Client, url: &str) -> Result<()> {
    client.get(url).send().await?.bytes().await?;
    Ok(())
}
