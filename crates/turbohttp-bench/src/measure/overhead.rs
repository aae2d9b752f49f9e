//! What the standard stack costs a request: a client with hooks on both ways and the limiter, less its
//! transport alone.
//!
//! Both are timed in turn, in blocks of requests, so that what disturbs the one disturbs the other; a
//! block is long enough for the clock's resolution not to count. In a second pass each request is
//! timed alone, because a mean over a block hides a convoy of a few.

use std::array::from_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use turbohttp::{Client, Result, Transport};

use super::{Bench, Effort, crowd, one_thread};
use crate::mock::{Answering, Echo};
use crate::plant::be_slow;
use crate::report::Gate;

const GROUP: &str = "overhead of the standard stack in ns per request, quietest round";

/// The names of the figures, and how many callers there are at once.
const LOADS: [(&str, &str, u64); 2] = [
    ("alone", "one caller", 1),
    ("crowd", "64 callers at once", 64),
];

/// Blocks before timing begins.
const WARM_UP: u64 = 2;

/// Rounds that are always made.
const ROUNDS_MIN: u64 = 2;

/// The figures of one side, and what they are taken from.
const FIGURES: [(&str, &str); 3] = [
    ("p50", "blocks"),
    ("p99", "blocks"),
    ("single_p99", "single requests"),
];

/// Nanoseconds per request, in the order of [`FIGURES`].
type Times = [f64; 3];

/// What was measured so far of both sides: the bare one first, as everywhere here.
type Sides = [Times; 2];

/// The quietest of both sides. Whatever else the machine does can only add to a side's time, and what
/// the stack adds is in every round; so the least is taken of each side before one is subtracted from
/// the other. The least of differences would be that of a round in which the bare side was disturbed.
fn quietest(best: Sides, next: Sides) -> Sides {
    from_fn(|side| from_fn(|figure| f64::min(best[side][figure], next[side][figure])))
}

/// Nanoseconds per request, stack less bare.
fn overhead([bare, stack]: Sides) -> Times {
    from_fn(|figure| stack[figure] - bare[figure])
}

/// Both sides, on the same mock.
struct Pair {
    client: Client,
    bare: Answering,
    echo: Echo,
    callers: u64,
    /// Requests of each caller in a block.
    share: u64,
}

pub(crate) fn measure(bench: &Bench<'_>) -> Result<Vec<Gate>> {
    let mut gates = Vec::new();
    for (name, says, callers) in LOADS {
        let runtime = one_thread()?;
        let pair = Arc::new(Pair::new(bench, callers)?);
        let mut best = [[f64::INFINITY; 3]; 2];
        let mut held = Vec::new();
        for round in 1..=bench.effort.overhead_rounds.max(ROUNDS_MIN) {
            let next = runtime.block_on(Box::pin(pair.clone().round(bench.effort)))?;
            best = quietest(best, next);
            held.clear();
            for ((kind, from), measured) in FIGURES.into_iter().zip(overhead(best)) {
                let id = format!("overhead_nanoseconds_max.{name}_{kind}");
                let gate = bench.gate(GROUP, &id, measured)?;
                held.extend(bench.with_aim(gate.detailed(format!("{says}, {from}"))));
            }
            if round >= ROUNDS_MIN && held.iter().all(|gate| gate.holds) {
                break;
            }
        }
        gates.append(&mut held);
    }
    Ok(gates)
}

impl Pair {
    fn new(bench: &Bench<'_>, callers: u64) -> Result<Pair> {
        let plant = bench.plant;
        let share = (bench.effort.overhead_block / callers).max(1);
        let echo = Echo::new(Duration::ZERO);
        let bare = Answering {
            mock: echo.transport.clone(),
            // With one caller there is nobody to let in between.
            in_turn: callers > 1,
        };
        let seen = AtomicU64::new(0);
        let hooks = Client::builder()
            .on_request(move |_| {
                let request = seen.fetch_add(1, Relaxed);
                be_slow(plant.slowness(request / (share * callers), request));
            })
            .on_response(|_| ());
        let client = hooks.transport(bare.clone()).build()?;
        Ok(Pair {
            client,
            bare,
            echo,
            callers,
            share,
        })
    }

    /// Both sides in one round, the bare one first.
    async fn round(self: Arc<Self>, effort: Effort) -> Result<Sides> {
        let mut blocks = [Vec::new(), Vec::new()];
        let mut singles = [Vec::new(), Vec::new()];
        for block in 0..WARM_UP + effort.overhead_blocks {
            // In turns: the side that comes first may find colder caches.
            let stack_first = block.is_multiple_of(2);
            for is_stack in [stack_first, !stack_first] {
                #[expect(clippy::disallowed_methods, reason = "a benchmark measures wall time")]
                let start = Instant::now();
                self.send(is_stack, false).await?;
                let time = start.elapsed().as_nanos() as f64 / (self.share * self.callers) as f64;
                if block >= WARM_UP {
                    blocks[usize::from(is_stack)].push(time);
                }
            }
        }
        for _ in 0..effort.overhead_blocks {
            for is_stack in [true, false] {
                let times = self.send(is_stack, true).await?;
                singles[usize::from(is_stack)].extend(times);
            }
        }
        Ok([0, 1].map(|side| {
            let p50 = percentile(&mut blocks[side], 50);
            let p99 = percentile(&mut blocks[side], 99);
            [p50, p99, percentile(&mut singles[side], 99)]
        }))
    }

    /// Sends a block, a share of each caller; the times of single requests if `each` is to be timed.
    async fn send(self: &Arc<Self>, is_stack: bool, each: bool) -> Result<Vec<f64>> {
        let caller = || self.clone().caller(is_stack, each);
        Ok(crowd(self.callers, caller).await?.concat())
    }

    async fn caller(self: Arc<Self>, is_stack: bool, each: bool) -> Result<Vec<f64>> {
        let mut times = Vec::with_capacity(self.share as usize);
        for number in 0..self.share {
            #[expect(clippy::disallowed_methods, reason = "a benchmark measures wall time")]
            let start = each.then(Instant::now);
            let request = self.echo.request(&self.client, number)?;
            let response = match is_stack {
                true => self.client.send(request).await?,
                false => self.bare.send(request).await?,
            };
            self.echo.check(response, number).await?;
            times.extend(start.map(|start| start.elapsed().as_nanos() as f64));
        }
        Ok(times)
    }
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
        let of = |time| [time; 3];
        let best = [[of(100.0), of(300.0)], [of(9_000.0), of(310.0)]]
            .into_iter()
            .fold([of(f64::INFINITY); 2], quietest);
        assert_eq!(overhead(best), [200.0; 3]);
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
