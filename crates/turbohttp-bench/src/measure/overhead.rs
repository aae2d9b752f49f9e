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

/// Nanoseconds per request of one side.
#[derive(Clone, Copy)]
struct Times {
    p50: f64,
    p99: f64,
    single_p99: f64,
}

impl Times {
    const NONE: Times = Times {
        p50: f64::INFINITY,
        p99: f64::INFINITY,
        single_p99: f64::INFINITY,
    };

    /// The quieter of two rounds, figure by figure.
    fn quieter(self, other: Times) -> Times {
        Times {
            p50: self.p50.min(other.p50),
            p99: self.p99.min(other.p99),
            single_p99: self.single_p99.min(other.single_p99),
        }
    }
}

/// What was measured so far of both sides: the bare one first, as everywhere here.
type Sides = [Times; 2];

/// The quietest of both sides. Whatever else the machine does can only add to a side's time, and what
/// the stack adds is in every round; so the least is taken of each side before one is subtracted from
/// the other. The least of differences would be that of a round in which the bare side was disturbed.
fn quietest(best: Sides, next: Sides) -> Sides {
    [0, 1].map(|side| best[side].quieter(next[side]))
}

/// Nanoseconds per request, stack less bare.
fn overhead([bare, stack]: Sides) -> Times {
    Times {
        p50: stack.p50 - bare.p50,
        p99: stack.p99 - bare.p99,
        single_p99: stack.single_p99 - bare.single_p99,
    }
}

pub(crate) fn measure(bench: &Bench<'_>) -> Result<Vec<Gate>> {
    let mut gates = Vec::new();
    for (name, callers) in [("alone", 1), ("crowd", CROWD)] {
        let runtime = one_thread()?;
        let pair = Arc::new(Pair::new(bench, callers)?);
        let mut best = [Times::NONE; 2];
        for round in 0..bench.effort.overhead_rounds.max(ROUNDS_MIN) {
            let holds = |gates: Vec<Gate>| gates.iter().all(|gate| gate.holds);
            if round >= ROUNDS_MIN && holds(figures(bench, name, &overhead(best))?) {
                break;
            }
            let next = runtime.block_on(Box::pin(pair.clone().round(bench.effort)))?;
            best = quietest(best, next);
        }
        gates.append(&mut figures(bench, name, &overhead(best))?);
    }
    Ok(gates)
}

/// The figures of so many callers beside their bounds.
fn figures(bench: &Bench<'_>, name: &str, best: &Times) -> Result<Vec<Gate>> {
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
            .on_request(move |_| {
                be_slow(plant.slowness(running.load(Relaxed), seen.fetch_add(1, Relaxed)));
            })
            .on_response(|_| ());
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

    /// Both sides in one round, the bare one first.
    async fn round(self: Arc<Self>, effort: Effort) -> Result<Sides> {
        let mut blocks = [Vec::new(), Vec::new()];
        for block in 0..WARM_UP + effort.overhead_blocks {
            self.block.store(block, Relaxed);
            // In turns: the side that comes first may find colder caches.
            let stack_first = block.is_multiple_of(2);
            for is_stack in [stack_first, !stack_first] {
                let time = self
                    .clone()
                    .time(is_stack, effort.overhead_block, false)
                    .await?;
                if block >= WARM_UP {
                    blocks[usize::from(is_stack)].push(time);
                }
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
        Ok([0, 1].map(|side| {
            let mut singles = lock(&self.singles[side]);
            let times = Times {
                p50: percentile(&mut blocks[side], 50),
                p99: percentile(&mut blocks[side], 99),
                single_p99: percentile(&mut singles, 99),
            };
            singles.clear();
            times
        }))
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
    use super::*;

    /// A stall on the bare side must not be taken off what the stack costs.
    #[test]
    fn the_quietest_of_each_side_is_compared() {
        let of = |time| Times {
            p50: time,
            p99: time,
            single_p99: time,
        };
        let best = [[of(100.0), of(300.0)], [of(9_000.0), of(310.0)]]
            .into_iter()
            .fold([Times::NONE; 2], quietest);
        let Times {
            p50,
            p99,
            single_p99,
        } = overhead(best);
        assert_eq!([p50, p99, single_p99], [200.0; 3]);
    }

    #[test]
    fn percentiles_are_values_that_were_there() {
        let mut values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut values, 50), 100.0);
        assert_eq!(percentile(&mut values, 99), 198.0);
        assert_eq!(percentile(&mut [3.0], 99), 3.0);
        assert!(percentile(&mut [], 50).is_nan());
    }
}
