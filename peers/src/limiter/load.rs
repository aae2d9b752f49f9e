//! The loads, and one round of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use anyhow::Result;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use super::ways::{Way, Work};
use crate::alloc;

/// Who asks for permits, and of what.
pub(super) struct Load {
    pub(super) name: &'static str,
    tasks: usize,
    /// Operations of each task.
    times: u64,
    keys: usize,
    /// Permits of each key.
    permits: usize,
    /// Whether the work takes a turn of its task, so that others come in between.
    takes_turn: bool,
    workers: Option<usize>,
}

/// Nobody ever waits.
pub(super) const ONE: Load = Load {
    name: "one task alone",
    tasks: 1,
    times: 1_000_000,
    keys: 1,
    permits: 64,
    takes_turn: false,
    workers: None,
};

/// Everybody waits.
pub(super) const CROWD: Load = Load {
    name: "10,000 tasks in flight before a limit of 64",
    tasks: 10_000,
    times: 50,
    keys: 1,
    permits: 64,
    takes_turn: true,
    workers: None,
};

/// Threads meet at whatever the keys have in common.
pub(super) const MANY_KEYS: Load = Load {
    name: "64 keys of 16 tasks before a limit of 8 each, two workers",
    tasks: 1_024,
    times: 500,
    keys: 64,
    permits: 8,
    takes_turn: true,
    workers: Some(2),
};

/// Allocations at a quarter and at three quarters of all operations.
#[derive(Default)]
struct Marks {
    done: AtomicU64,
    from: AtomicU64,
    to: AtomicU64,
}

impl Marks {
    fn count(&self, all: u64) {
        let done = self.done.fetch_add(1, Relaxed) + 1;
        let mark = match done {
            _ if done == all / 4 => &self.from,
            _ if done == all / 4 * 3 => &self.to,
            _ => return,
        };
        mark.store(alloc::counted().0, Relaxed);
    }
}

/// Nanoseconds per operation.
pub(super) fn nanos<W: Way>(load: &Load) -> Result<f64> {
    let runtime = runtime(load)?;
    let ways = make::<W>(load, &runtime)?;
    let start = Instant::now();
    runtime.block_on(drive(load, &ways, None))?;
    Ok(start.elapsed().as_nanos() as f64 / all(load) as f64)
}

/// Allocations per operation, while every task is there and goes on.
pub(super) fn allocations<W: Way>(load: &Load) -> Result<f64> {
    let runtime = runtime(load)?;
    let ways = make::<W>(load, &runtime)?;
    let marks = Arc::new(Marks::default());
    runtime.block_on(drive(load, &ways, Some(marks.clone())))?;
    let seen = marks.to.load(Relaxed) - marks.from.load(Relaxed);
    Ok(seen as f64 / (all(load) / 2) as f64)
}

/// Inside the runtime, since some have a task of their own.
fn make<W: Way>(load: &Load, runtime: &Runtime) -> Result<Vec<W>> {
    let _entered = runtime.enter();
    W::make(load.keys, load.permits)
}

/// The same as [`nanos`] with so few operations that it only shows that they are done.
#[cfg(test)]
pub(super) fn nanos_of_few<W: Way>(load: &Load) -> Result<f64> {
    nanos::<W>(&Load { times: 3, ..*load })
}

fn all(load: &Load) -> u64 {
    load.tasks as u64 * load.times
}

fn runtime(load: &Load) -> Result<Runtime> {
    let mut builder = match load.workers {
        None => Builder::new_current_thread(),
        Some(workers) => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(workers);
            builder
        }
    };
    Ok(builder.enable_time().build()?)
}

async fn drive<W: Way>(load: &Load, ways: &[W], marks: Option<Arc<Marks>>) -> Result<()> {
    let (times, is_done, all) = (load.times, !load.takes_turn, all(load));
    let mut tasks = JoinSet::new();
    for index in 0..load.tasks {
        let mut way = ways[index % ways.len()].clone();
        let marks = marks.clone();
        tasks.spawn(async move {
            for _ in 0..times {
                way.run(Work { is_done }).await?;
                if let Some(marks) = &marks {
                    marks.count(all);
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}
