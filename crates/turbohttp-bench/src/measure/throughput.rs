//! How many requests are completed in a second on the mock, each answer checked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use turbohttp::{Client, QueueOptions, Result};

use super::{Bench, crowd, one_thread, runtime};
use crate::mock::Echo;
use crate::plant::{Plant, SLOW_HANDLER};
use crate::report::Gate;
use crate::work::Sender;

const GROUP: &str =
    "requests per second on the mock, limiter and timeline on, each answer checked by its id";

/// Requests between two looks at the clock.
const STRIDE: u64 = 16;

/// Threads and callers: enough callers that no thread waits for work.
const LOADS: [(&str, &str, usize, u64); 3] = [
    ("one_core", "one thread, one caller", 1, 1),
    ("two_workers", "two threads, eight callers", 2, 8),
    ("queue", "one thread, 32 callers, a queue", 1, 32),
];

/// Who sends: the same work for all.
struct Load {
    sender: Sender,
    echo: Echo,
    window: Duration,
}

pub(crate) fn measure(bench: &Bench<'_>) -> Result<Vec<Gate>> {
    let mut gates = Vec::new();
    for (name, says, threads, callers) in LOADS {
        let rate = rate(bench, name, threads, callers)?;
        let gate = bench.gate(GROUP, &format!("requests_per_second_min.{name}"), rate)?;
        gates.extend(bench.with_aim(gate.detailed(says.to_owned())));
    }
    Ok(gates)
}

fn rate(bench: &Bench<'_>, name: &str, threads: usize, callers: u64) -> Result<f64> {
    let echo = Echo::new(match bench.plant {
        Plant::SlowHandler => SLOW_HANDLER,
        _ => Duration::ZERO,
    });
    let runtime = match threads {
        1 => one_thread()?,
        threads => runtime(Builder::new_multi_thread().worker_threads(threads))?,
    };
    let _entered = runtime.enter();
    let client = Client::builder().transport(echo.transport.clone());
    let queue = QueueOptions::default().workers(callers as usize);
    let load = Load {
        sender: Sender::new(client.build()?, (name == "queue").then_some(queue))?,
        echo,
        window: bench.effort.window,
    };
    runtime.block_on(load.run(callers))
}

impl Load {
    /// Requests per second of so many callers together.
    async fn run(self, callers: u64) -> Result<f64> {
        let load = Arc::new(self);
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures wall time")]
        let start = Instant::now();
        let done = crowd(callers, || load.clone().caller(start)).await?;
        Ok(done.iter().sum::<u64>() as f64 / start.elapsed().as_secs_f64())
    }

    /// How many requests were answered rightly until the end of the window.
    async fn caller(self: Arc<Self>, start: Instant) -> Result<u64> {
        let mut number = 0;
        while start.elapsed() < self.window {
            for _ in 0..STRIDE {
                let request = self.echo.request(&self.sender.client, number)?;
                let response = self.sender.send(request).await?;
                self.echo.check(response, number).await?;
                number += 1;
            }
        }
        Ok(number)
    }
}
