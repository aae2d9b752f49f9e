//! What a limiter costs: acquiring and releasing around work that is done at once.
//!
//! Three loads: one task alone, 10,000 tasks in flight before a limit of 64, and 64 keys on a runtime of
//! two workers. Rounds are interleaved; the result is medians, each with its quartiles, and allocations
//! counted in a round of their own.

mod load;
mod ways;

use anyhow::Result;

use crate::alloc;
use load::{CROWD, Load, MANY_KEYS, ONE};
use ways::{Bare, ByKey, ByLane, Semaphores, Tower};

/// What acquiring and releasing may cost where nobody waits, in nanoseconds.
const UNCONTENDED_NANOS_MAX: f64 = 40.0;
/// The same beyond the work itself, with 10,000 tasks in flight before a limit of 64.
const CROWD_NANOS_MAX: f64 = 160.0;

type Measure = fn(&Load) -> Result<f64>;

/// A way to limit work, under every load.
struct Contender {
    name: &'static str,
    /// Nanoseconds per operation, and allocations per operation.
    nanos: Measure,
    allocations: Measure,
}

const BARE: usize = 0;
const TOWER: usize = 1;
const LANE: usize = 4;

const CONTENDERS: [Contender; 5] = [
    Contender {
        name: "bare",
        nanos: load::nanos::<Bare>,
        allocations: load::allocations::<Bare>,
    },
    Contender {
        name: "tower's ConcurrencyLimit",
        nanos: load::nanos::<Tower>,
        allocations: load::allocations::<Tower>,
    },
    Contender {
        name: "tokio's Semaphore",
        nanos: load::nanos::<Semaphores>,
        allocations: load::allocations::<Semaphores>,
    },
    Contender {
        name: "turbohttp, by key",
        nanos: load::nanos::<ByKey>,
        allocations: load::allocations::<ByKey>,
    },
    Contender {
        name: "turbohttp, by handle",
        nanos: load::nanos::<ByLane>,
        allocations: load::allocations::<ByLane>,
    },
];

/// What one contender cost under one load.
#[derive(Clone, Debug, Default)]
struct Cost {
    /// In ascending order.
    rounds: Vec<f64>,
    allocations: f64,
}

impl Cost {
    fn quantile(&self, part: f64) -> f64 {
        let last = self.rounds.len().saturating_sub(1);
        let index = (last as f64 * part).round() as usize;
        self.rounds.get(index).copied().unwrap_or(f64::NAN)
    }

    fn median(&self) -> f64 {
        self.quantile(0.5)
    }
}

/// Measures and prints; says whether every demand holds.
pub(crate) fn run(rounds: u32) -> Result<bool> {
    let loads = [ONE, CROWD, MANY_KEYS];
    let mut costs = loads
        .each_ref()
        .map(|_| vec![Cost::default(); CONTENDERS.len()]);
    for _ in 0..rounds.max(1) {
        for (load, costs) in loads.iter().zip(&mut costs) {
            for (contender, cost) in CONTENDERS.iter().zip(costs) {
                cost.rounds.push((contender.nanos)(load)?);
            }
        }
    }
    // Not before every timed round is over: counting is not for nothing.
    alloc::start_counting();
    for (load, costs) in loads.iter().zip(&mut costs) {
        for (contender, cost) in CONTENDERS.iter().zip(costs) {
            cost.rounds.sort_by(f64::total_cmp);
            cost.allocations = (contender.allocations)(load)?;
        }
    }
    for (load, costs) in loads.iter().zip(&costs) {
        print_table(load, costs);
    }
    Ok(judge(&costs[0], &costs[1]))
}

fn print_table(load: &Load, costs: &[Cost]) {
    println!("\n{}\n", load.name);
    println!("| | ns per operation | quartiles | over bare | allocations |");
    println!("|---|--:|--:|--:|--:|");
    let bare = costs[BARE].median();
    for (contender, cost) in CONTENDERS.iter().zip(costs) {
        println!(
            "| {} | {:.1} | {:.1} to {:.1} | {:.1} | {:.3} |",
            contender.name,
            cost.median(),
            cost.quantile(0.25),
            cost.quantile(0.75),
            cost.median() - bare,
            cost.allocations
        );
    }
}

/// Holds the figures against the demands, and prints those that are missed.
fn judge(alone: &[Cost], crowd: &[Cost]) -> bool {
    let over_bare = |costs: &[Cost], which: usize| costs[which].median() - costs[BARE].median();
    let mut demands = vec![
        (
            "alone, by handle, ns: not above tower",
            alone[LANE].median(),
            alone[TOWER].median(),
        ),
        (
            "crowd, by handle, ns over bare: not above tower",
            over_bare(crowd, LANE),
            over_bare(crowd, TOWER),
        ),
    ];
    // By key and by handle.
    for which in [LANE - 1, LANE] {
        demands.push(("alone, ns", alone[which].median(), UNCONTENDED_NANOS_MAX));
        demands.push((
            "crowd, ns over bare",
            over_bare(crowd, which),
            CROWD_NANOS_MAX,
        ));
        demands.push(("alone, allocations", alone[which].allocations, 0.0));
        demands.push(("crowd, allocations", crowd[which].allocations, 0.0));
    }
    println!();
    for (name, measured, most) in &demands {
        let verdict = if measured <= most { "ok  " } else { "MISS" };
        println!("{verdict} {name:<48} {measured:>8.3}  at most {most:.3}");
    }
    demands.iter().all(|(_, measured, most)| measured <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(nanos: [f64; 5]) -> Vec<Cost> {
        nanos
            .map(|nanos| Cost {
                rounds: vec![nanos],
                allocations: 0.0,
            })
            .to_vec()
    }

    #[test]
    fn a_demand_that_is_missed_is_told() {
        let alone = costs([1.0, 20.0, 30.0, 25.0, 20.0]);
        let crowd = costs([30.0, 130.0, 130.0, 190.0, 130.0]);
        assert!(judge(&alone, &crowd));
        assert!(!judge(&costs([1.0, 20.0, 30.0, 25.0, 20.1]), &crowd));
        assert!(!judge(&costs([1.0, 20.0, 30.0, 40.1, 20.0]), &crowd));
        assert!(!judge(&alone, &costs([30.0, 130.0, 130.0, 190.1, 130.0])));
        let mut allocating = alone.clone();
        allocating[LANE].allocations = 0.001;
        assert!(!judge(&allocating, &crowd));
    }
}
