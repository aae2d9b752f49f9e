//! How many requests are completed in a second on the mock, each answer checked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use turbohttp::{Client, Error, ErrorKind, QueueOptions, RequestQueue, Result};

use super::{Bench, join, one_thread};
use crate::mock::Echo;
use crate::plant::{Plant, SLOW_HANDLER, be_slow};
use crate::report::Gate;

const GROUP: &str =
    "requests per second on the mock, limiter and timeline on, each answer checked by its id";

/// Requests between two looks at the clock.
const STRIDE: u64 = 16;

const WORKERS: usize = 2;

/// Callers of two workers: enough that neither waits for work.
const CALLERS: usize = 8;

/// Callers before the queue.
const QUEUE_CALLERS: usize = 32;

/// Who sends: the same work for all.
struct Load {
    client: Client,
    queue: Option<RequestQueue>,
    echo: Echo,
    window: Duration,
    /// Requests whose answers have been checked.
    done: AtomicU64,
}

pub(crate) fn measure(bench: &Bench<'_>) -> Result<Vec<Gate>> {
    let mut gates = Vec::new();
    for (name, says) in [
        ("one_core", "one thread, one caller"),
        ("two_workers", "two threads, eight callers"),
        ("queue", "one thread, 32 callers, a queue"),
    ] {
        let rate = rate(bench, name)?;
        gates.push(
            bench
                .gate("requests_per_second_min", name, rate)?
                .named(GROUP, name)
                .detailed(says),
        );
        if bench.effort.by_hand && name == "one_core" {
            let gate = bench.gate("by_hand_requests_per_second_min", name, rate)?;
            gates.push(gate.named(GROUP, format!("{name}, by hand")).detailed(says));
        }
    }
    Ok(gates)
}

fn rate(bench: &Bench<'_>, name: &str) -> Result<f64> {
    let is_slow = bench.plant == Plant::SlowHandler;
    let echo = Echo::new(move |_| {
        if is_slow {
            be_slow(SLOW_HANDLER);
        }
    });
    let client = Client::builder()
        .transport(echo.transport.clone())
        .build()?;
    let mut load = Load {
        client,
        queue: None,
        echo,
        window: bench.effort.window,
        done: AtomicU64::new(0),
    };
    match name {
        "one_core" => one_thread()?.block_on(load.run(1)),
        "two_workers" => {
            let built = Builder::new_multi_thread()
                .worker_threads(WORKERS)
                .enable_all()
                .build();
            let runtime = built
                .map_err(|error| Error::new(ErrorKind::Runtime, "runtime").with_source(error))?;
            runtime.block_on(load.run(CALLERS))
        }
        _ => {
            let runtime = one_thread()?;
            let _entered = runtime.enter();
            let queue =
                RequestQueue::new(&load.client, QueueOptions::default().workers(QUEUE_CALLERS))?;
            queue.start()?;
            load.queue = Some(queue);
            runtime.block_on(load.run(QUEUE_CALLERS))
        }
    }
}

impl Load {
    /// Requests per second of so many callers together.
    async fn run(self, callers: usize) -> Result<f64> {
        let load = Arc::new(self);
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures wall time")]
        let start = Instant::now();
        let caller = |_| {
            let load = load.clone();
            async move { load.caller(start).await }
        };
        if callers == 1 {
            load.caller(start).await?;
        } else {
            join((0..callers).map(caller).collect()).await?;
        }
        Ok(load.done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64())
    }

    async fn caller(&self, start: Instant) -> Result<()> {
        let mut number = 0;
        while start.elapsed() < self.window {
            for _ in 0..STRIDE {
                self.one(number).await?;
                number += 1;
            }
            self.done.fetch_add(STRIDE, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn one(&self, number: u64) -> Result<()> {
        let request = self.echo.request(&self.client, number)?;
        let response = match &self.queue {
            None => self.client.send(request).await?,
            Some(queue) => {
                let submitted = queue.submit(request).await;
                let ticket = submitted.map_err(|refused| Error::new(refused.kind(), "refused"))?;
                ticket.await?
            }
        };
        self.echo.check(response, number).await
    }
}
