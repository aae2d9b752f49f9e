//! Nine origins that answer and one that never does: what the nine get done with and without it.
//!
//! Every answer takes 10 ms, so that the limits decide and not the processor. Each origin has as many
//! callers as there are permits in total, so that a shared limit can be taken up by the dead one alone.
//! Rounds are interleaved; the result is medians.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use turbohttp::{Client, Limits, QueueOptions, RequestQueue};
use turbohttp_loopback::{Options, Server};

use crate::peers;
use crate::sample::median;
use crate::verdict::Verdict;

const HEALTHY: usize = 9;
const PER_HOST: usize = 6;
const TOTAL: usize = 64;
const CALLERS: usize = TOTAL;
const ANSWER: Duration = Duration::from_millis(10);
const WARM_UP: Duration = Duration::from_millis(200);
/// Between these the healthy origins count as undisturbed.
const WITHIN: std::ops::RangeInclusive<f64> = 0.9..=1.1;

type Sending = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Sends one request to a URL and reads the answer.
type Sender = Arc<dyn Fn(String) -> Sending + Send + Sync>;

/// A way to limit requests.
struct Setup {
    name: &'static str,
    /// Whether the healthy origins must not notice the dead one.
    is_held: bool,
    send: fn() -> Result<Sender>,
}

const SETUPS: [Setup; 3] = [
    Setup {
        name: "turbohttp, send",
        is_held: true,
        send: client,
    },
    Setup {
        name: "turbohttp, queue of 64 workers",
        is_held: true,
        send: queue,
    },
    Setup {
        name: "reqwest behind one semaphore",
        is_held: false,
        send: semaphore,
    },
];

/// Measures and prints; says whether the healthy origins were undisturbed where they must be.
pub(crate) fn run(rounds: u32, seconds: f64) -> Result<Verdict> {
    ensure!(rounds > 0, "at least one round");
    let delayed = || Options {
        base_delay: ANSWER,
        ..Options::default()
    };
    let healthy: Vec<Server> = (0..HEALTHY)
        .map(|_| Server::start(delayed()))
        .collect::<std::io::Result<_>>()?;
    let dead = Server::start(Options::default())?;
    let urls: Vec<String> = healthy.iter().map(|server| server.url("/small")).collect();
    let dead_url = dead.url("/never");
    let mut counts = vec![[Vec::new(), Vec::new()]; SETUPS.len()];
    for _ in 0..rounds {
        for (setup, counts) in SETUPS.iter().zip(&mut counts) {
            for (with_dead, counts) in counts.iter_mut().enumerate() {
                let dead_url = (with_dead == 1).then_some(&dead_url);
                counts.push(round(setup, &urls, dead_url, seconds)?);
            }
        }
    }
    Ok(report(&counts, seconds))
}

/// How many requests the healthy origins complete.
fn round(setup: &Setup, urls: &[String], dead: Option<&String>, seconds: f64) -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let send = (setup.send)()?;
        let done = Arc::new(AtomicU64::new(0));
        let mut callers = JoinSet::new();
        for url in dead.into_iter().chain(urls) {
            for _ in 0..CALLERS {
                callers.spawn(call(send.clone(), url.clone(), done.clone()));
            }
        }
        tokio::time::sleep(WARM_UP).await;
        let (before, began) = (done.load(Ordering::Relaxed), Instant::now());
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        let completed = done.load(Ordering::Relaxed) - before;
        let elapsed = began.elapsed().as_secs_f64();
        callers.shutdown().await;
        Ok(completed as f64 / elapsed)
    })
}

/// One caller: request after request.
async fn call(send: Sender, url: String, done: Arc<AtomicU64>) {
    while send(url.clone()).await.is_ok() {
        done.fetch_add(1, Ordering::Relaxed);
    }
}

fn limits() -> Limits {
    Limits::default().per_host(PER_HOST).total(TOTAL)
}

fn client() -> Result<Sender> {
    let client = Client::builder().limits(limits()).build()?;
    Ok(Arc::new(move |url| {
        let client = client.clone();
        Box::pin(async move {
            client.get(&url).send().await?.bytes().await?;
            Ok(())
        })
    }))
}

fn queue() -> Result<Sender> {
    let client = Client::builder().limits(limits()).build()?;
    let queue = RequestQueue::new(&client, QueueOptions::default().workers(TOTAL))?;
    queue.start()?;
    let queue = Arc::new(queue);
    Ok(Arc::new(move |url| {
        let (client, queue) = (client.clone(), queue.clone());
        Box::pin(async move {
            let request = client.get(&url).build()?;
            let submitted = queue.submit(request).await;
            let ticket = submitted.map_err(turbohttp::Error::from)?;
            ticket.await?.bytes().await?;
            Ok(())
        })
    }))
}

fn semaphore() -> Result<Sender> {
    let client = peers::reqwest::client(None)?;
    let permits = Arc::new(Semaphore::new(TOTAL));
    Ok(Arc::new(move |url| {
        let (client, permits) = (client.clone(), permits.clone());
        Box::pin(async move {
            let _permit = permits.acquire().await?;
            client.get(&url).send().await?.bytes().await?;
            Ok(())
        })
    }))
}

fn report(counts: &[[Vec<f64>; 2]], seconds: f64) -> Verdict {
    println!(
        "{HEALTHY} origins that answer in {ANSWER:?}, one that never does, {CALLERS} callers each; \
         {PER_HOST} per host, {TOTAL} in total; medians of {} rounds of {seconds} s\n",
        counts[0][0].len()
    );
    println!("| requests per second of the nine | alone | beside the dead one | ratio |");
    println!("|---|--:|--:|--:|");
    let mut verdict = Verdict::default();
    for (setup, [alone, beside]) in SETUPS.iter().zip(counts) {
        let middle = |values: &[f64]| median(values.iter().copied());
        let (alone, beside) = (middle(alone), middle(beside));
        let ratio = beside / alone;
        println!("| {} | {alone:.0} | {beside:.0} | {ratio:.3} |", setup.name);
        if setup.is_held {
            let name = setup.name;
            let line = format!("dead host, {name}: undisturbed within 10 %: {ratio:.3}");
            verdict.add(WITHIN.contains(&ratio), line);
        }
    }
    println!();
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_that_must_not_notice_the_dead_host_are_judged() {
        let counts = |ratio: f64| [vec![100.0], vec![100.0 * ratio]];
        let all = |a, b, c| report(&[counts(a), counts(b), counts(c)], 1.0).is_passed();
        assert!(all(1.0, 0.95, 0.1));
        assert!(!all(0.8, 1.0, 1.0));
        assert!(!all(1.0, 1.2, 1.0));
        assert!(!all(f64::NAN, 1.0, 1.0));
    }
}
