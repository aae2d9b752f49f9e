//! What the standard stack costs a request: a client with hooks on both ways and the limiter, less its
//! transport alone.
//!
//! Both are timed in turn, in blocks of requests, so that what disturbs the one disturbs the other; a
//! block is long enough for the clock's resolution not to count. In a second pass each request is
//! timed alone, because a mean over a block hides a convoy of a few.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use turbohttp::{Client, Result, Transport};

use super::{Bench, Effort, join, one_thread};
use crate::mock::{Answering, Echo};
use crate::plant::be_slow;
use crate::report::Gate;

const GROUP: &str = "overhead of the standard stack in ns per request, quietest round";

/// Callers at once.
const CROWD: u64 = 64;

/// Blocks before timing begins.
const WARM_UP: u64 = 2;

/// Rounds that are always made.
const ROUNDS_MIN: u64 = 2;

/// Both sides, on the same mock.
struct Pair {
    client: Client,
    bare: Answering,
    echo: Echo,
    callers: u64,
    /// The block that is running, for the planted middleware.
    block: Arc<AtomicU64>,
    /// Times of single requests, in nanoseconds, of the one side and the other.
    singles: [Mutex<Vec<f64>>; 2],
}

/// Nanoseconds per request, stack less bare.
struct Overhead {
    p50: f64,
    p99: f64,
    single_p99: f64,
}

pub(crate) fn measure(bench: &Bench<'_>) -> Result<Vec<Gate>> {
    let mut gates = Vec::new();
    for (name, callers) in [("alone", 1), ("crowd", CROWD)] {
        let runtime = one_thread()?;
        let pair = Arc::new(Pair::new(bench, callers)?);
        let mut best = Overhead {
            p50: f64::INFINITY,
            p99: f64::INFINITY,
            single_p99: f64::INFINITY,
        };
        for round in 0..bench.effort.overhead_rounds.max(ROUNDS_MIN) {
            if round >= ROUNDS_MIN && figures(bench, name, &best)?.iter().all(|gate| gate.holds) {
                break;
            }
            // Whatever else the machine does can only add; what the stack adds is in every round.
            let next = runtime.block_on(Box::pin(pair.clone().round(bench.effort)))?;
            best.p50 = best.p50.min(next.p50);
            best.p99 = best.p99.min(next.p99);
            best.single_p99 = best.single_p99.min(next.single_p99);
        }
        gates.append(&mut figures(bench, name, &best)?);
    }
    Ok(gates)
}

/// The figures of so many callers beside their bounds.
fn figures(bench: &Bench<'_>, name: &str, best: &Overhead) -> Result<Vec<Gate>> {
    let of = match name {
        "alone" => "one caller",
        _ => "64 callers at once",
    };
    let mut gates = Vec::new();
    for (kind, measured, how) in [
        ("p50", best.p50, "blocks"),
        ("p99", best.p99, "blocks"),
        ("single_p99", best.single_p99, "single requests"),
    ] {
        let (gate, says) = (format!("{name}_{kind}"), format!("{of}, {how}"));
        let floor = bench.gate("overhead_nanoseconds_max", &gate, measured)?;
        gates.push(floor.named(GROUP, gate.clone()).detailed(says.clone()));
        if bench.effort.by_hand && kind != "single_p99" {
            let aim = bench.gate("by_hand_overhead_nanoseconds_max", &gate, measured)?;
            gates.push(aim.named(GROUP, format!("{gate}, by hand")).detailed(says));
        }
    }
    Ok(gates)
}

impl Pair {
    fn new(bench: &Bench<'_>, callers: u64) -> Result<Pair> {
        let plant = bench.plant;
        let block = Arc::new(AtomicU64::new(0));
        let echo = Echo::new(|_| ());
        // With one caller there is nobody to let in between.
        let bare = match callers {
            1 => Answering::AtOnce(echo.transport.clone()),
            _ => Answering::InTurn(echo.transport.clone()),
        };
        let (seen, running) = (AtomicU64::new(0), block.clone());
        let hooks = Client::builder()
            .map_request(move |_| {
                be_slow(plant.slowness(running.load(Relaxed), seen.fetch_add(1, Relaxed)));
            })
            .map_response(|_| ());
        let client = hooks.transport(bare.clone()).build()?;
        let singles = [(); 2].map(|()| Mutex::new(Vec::new()));
        Ok(Pair {
            client,
            bare,
            echo,
            callers,
            block,
            singles,
        })
    }

    async fn round(self: Arc<Self>, effort: Effort) -> Result<Overhead> {
        let mut differences = Vec::new();
        for block in 0..WARM_UP + effort.overhead_blocks {
            self.block.store(block, Relaxed);
            // In turns: whoever came first might find colder caches.
            let stack_first = block.is_multiple_of(2);
            let first = self
                .clone()
                .time(stack_first, effort.overhead_block, false)
                .await?;
            let second = self
                .clone()
                .time(!stack_first, effort.overhead_block, false)
                .await?;
            if block >= WARM_UP {
                differences.push(if stack_first {
                    first - second
                } else {
                    second - first
                });
            }
        }
        for block in 0..effort.overhead_blocks {
            self.block.store(block, Relaxed);
            for is_stack in [true, false] {
                self.clone()
                    .time(is_stack, effort.overhead_block, true)
                    .await?;
            }
        }
        let [bare, stack] = [0, 1].map(|side| percentile(&mut lock(&self.singles[side]), 99));
        self.singles
            .iter()
            .for_each(|singles| lock(singles).clear());
        Ok(Overhead {
            p50: percentile(&mut differences, 50),
            p99: percentile(&mut differences, 99),
            single_p99: stack - bare,
        })
    }

    /// Nanoseconds per request of a block of so many.
    async fn time(self: Arc<Self>, is_stack: bool, requests: u64, each: bool) -> Result<f64> {
        let share = (requests / self.callers).max(1);
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures wall time")]
        let start = Instant::now();
        if self.callers == 1 {
            self.caller(is_stack, share, each).await?;
        } else {
            let caller = |_| {
                let pair = self.clone();
                async move { pair.caller(is_stack, share, each).await }
            };
            join((0..self.callers).map(caller).collect()).await?;
        }
        Ok(start.elapsed().as_nanos() as f64 / (share * self.callers) as f64)
    }

    async fn caller(&self, is_stack: bool, requests: u64, each: bool) -> Result<()> {
        if !each {
            for number in 0..requests {
                self.one(is_stack, number).await?;
            }
            return Ok(());
        }
        let mut times = Vec::with_capacity(requests as usize);
        for number in 0..requests {
            #[expect(clippy::disallowed_methods, reason = "a benchmark measures wall time")]
            let start = Instant::now();
            self.one(is_stack, number).await?;
            times.push(start.elapsed().as_nanos() as f64);
        }
        lock(&self.singles[usize::from(is_stack)]).append(&mut times);
        Ok(())
    }

    async fn one(&self, is_stack: bool, number: u64) -> Result<()> {
        let request = self.echo.request(&self.client, number)?;
        let response = match is_stack {
            true => self.client.send(request).await?,
            false => self.bare.send(request).await?,
        };
        self.echo.check(response, number).await
    }
}

fn lock(singles: &Mutex<Vec<f64>>) -> MutexGuard<'_, Vec<f64>> {
    singles.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The value that so many of a hundred do not pass; no number of no values.
fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(index).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_values_that_were_there() {
        let mut values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut values, 50), 100.0);
        assert_eq!(percentile(&mut values, 99), 198.0);
        assert_eq!(percentile(&mut [3.0], 99), 3.0);
        assert!(percentile(&mut [], 50).is_nan());
    }
}
