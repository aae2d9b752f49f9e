//! What a limiter costs: acquiring and releasing around work that is done at once.
//!
//! Three loads: one task alone, 10,000 tasks in flight before a limit of 64, and 64 keys on a runtime of
//! two workers. The first two serve for whole clients on a mock, too ([`mock`]).

mod load;
pub(crate) mod mock;
mod mock_ways;
mod table;
mod ways;

use anyhow::Result;

use crate::verdict::Verdict;
use load::{CROWD, MANY_KEYS, ONE};
use table::{Contender, Cost, contender};
use ways::{Bare, ByKey, ByLane, Semaphores, Tower};

pub(crate) use table::Table;

/// What acquiring and releasing may cost where nobody waits, in nanoseconds.
const UNCONTENDED_NANOS_MAX: f64 = 40.0;
/// The same beyond the work itself, with 10,000 tasks in flight before a limit of 64.
const CROWD_NANOS_MAX: f64 = 160.0;

const BARE: usize = 0;
const TOWER: usize = 1;
const KEY: usize = 3;
const LANE: usize = 4;

const CONTENDERS: [Contender; 5] = [
    contender!("bare", Bare),
    contender!("tower's ConcurrencyLimit", Tower),
    contender!("tokio's Semaphore", Semaphores),
    contender!("turbohttp, by key", ByKey),
    contender!("turbohttp, by handle", ByLane),
];

/// Measures and prints; says whether every demand holds.
pub(crate) fn run(rounds: u32) -> Result<Verdict> {
    let tables = table::measure(&[ONE, CROWD, MANY_KEYS], &CONTENDERS, rounds)?;
    for table in &tables {
        table::print("limiter: ", table);
    }
    Ok(judge(&tables[0].costs, &tables[1].costs))
}

/// Holds the figures against the demands.
fn judge(alone: &[Cost], crowd: &[Cost]) -> Verdict {
    let over_bare = |costs: &[Cost], which: usize| costs[which].median() - costs[BARE].median();
    let mut verdict = Verdict::default();
    let mut demand = |by: &str, name: &str, measured: f64, most: f64| {
        let line = format!("limiter {by}, {name}: {measured:.3}, at most {most:.3}");
        verdict.add(measured <= most, line);
    };
    let name = "alone, ns: not above tower";
    demand(
        "by handle",
        name,
        alone[LANE].median(),
        alone[TOWER].median(),
    );
    let name = "crowd, ns over bare: not above tower";
    let (ours, most) = (over_bare(crowd, LANE), over_bare(crowd, TOWER));
    demand("by handle", name, ours, most);
    for (which, by) in [(KEY, "by key"), (LANE, "by handle")] {
        let (alone, over) = (&alone[which], over_bare(crowd, which));
        let crowd = &crowd[which];
        demand(by, "alone, ns", alone.median(), UNCONTENDED_NANOS_MAX);
        demand(by, "crowd, ns over bare", over, CROWD_NANOS_MAX);
        demand(by, "alone, allocations", alone.allocations, 0.0);
        demand(by, "crowd, allocations", crowd.allocations, 0.0);
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(nanos: [f64; 5]) -> Vec<Cost> {
        nanos
            .map(|nanos| Cost {
                rounds: vec![nanos],
                ..Cost::default()
            })
            .to_vec()
    }

    #[test]
    fn a_demand_that_is_missed_is_told() {
        let alone = costs([1.0, 20.0, 30.0, 25.0, 20.0]);
        let crowd = costs([30.0, 130.0, 130.0, 190.0, 130.0]);
        let is_passed = |alone: &[Cost], crowd: &[Cost]| judge(alone, crowd).is_passed();
        assert!(is_passed(&alone, &crowd));
        assert!(!is_passed(&costs([1.0, 20.0, 30.0, 25.0, 20.1]), &crowd));
        assert!(!is_passed(&costs([1.0, 20.0, 30.0, 40.1, 20.0]), &crowd));
        let slow = costs([30.0, 130.0, 130.0, 190.1, 130.0]);
        assert!(!is_passed(&alone, &slow));
        let mut allocating = alone.clone();
        allocating[LANE].allocations = 0.001;
        assert!(!is_passed(&allocating, &crowd));
    }
}
