//! Contenders under loads: interleaved rounds, medians with their quartiles, and allocations counted in
//! a round of their own.

use anyhow::Result;
use serde::Serialize;

use super::load::Load;
use crate::alloc;

type Measure = fn(&Load) -> Result<f64>;

/// Who is measured, under every load.
pub(super) struct Contender {
    pub(super) name: &'static str,
    /// Nanoseconds per operation, and allocations per operation.
    pub(super) nanos: Measure,
    pub(super) allocations: Measure,
}

/// A contender of this name and this way.
macro_rules! contender {
    ($name:literal, $way:ty) => {
        $crate::limiter::table::Contender {
            name: $name,
            nanos: $crate::limiter::load::nanos::<$way>,
            allocations: $crate::limiter::load::allocations::<$way>,
        }
    };
}

pub(super) use contender;

/// What every contender cost under one load.
#[derive(Debug, Serialize)]
pub(crate) struct Table {
    pub(super) load: &'static str,
    /// The first is what the others are held against.
    pub(super) costs: Vec<Cost>,
}

/// What one contender cost under one load.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Cost {
    pub(super) name: &'static str,
    /// Nanoseconds per operation, in ascending order.
    pub(super) rounds: Vec<f64>,
    pub(super) allocations: f64,
}

impl Cost {
    fn quantile(&self, part: f64) -> f64 {
        let last = self.rounds.len().saturating_sub(1);
        let index = (last as f64 * part).round() as usize;
        self.rounds.get(index).copied().unwrap_or(f64::NAN)
    }

    pub(super) fn median(&self) -> f64 {
        self.quantile(0.5)
    }
}

/// A table for each load.
pub(super) fn measure(loads: &[Load], contenders: &[Contender], rounds: u32) -> Result<Vec<Table>> {
    let cost = |contender: &Contender| Cost {
        name: contender.name,
        ..Cost::default()
    };
    let table = |load: &Load| Table {
        load: load.name,
        costs: contenders.iter().map(cost).collect(),
    };
    let mut tables: Vec<Table> = loads.iter().map(table).collect();
    for _ in 0..rounds.max(1) {
        for (load, table) in loads.iter().zip(&mut tables) {
            for (contender, cost) in contenders.iter().zip(&mut table.costs) {
                cost.rounds.push((contender.nanos)(load)?);
            }
        }
    }
    // Not before every timed round is over: counting is not for nothing.
    alloc::start_counting();
    for (load, table) in loads.iter().zip(&mut tables) {
        for (contender, cost) in contenders.iter().zip(&mut table.costs) {
            cost.rounds.sort_by(f64::total_cmp);
            cost.allocations = (contender.allocations)(load)?;
        }
    }
    alloc::stop_counting();
    Ok(tables)
}

/// Prints a table below its title.
pub(super) fn print(title: &str, table: &Table) {
    println!("### {title}{}\n", table.load);
    println!("| | ns per operation | quartiles | over bare | allocations |");
    println!("|---|--:|--:|--:|--:|");
    let bare = table.costs.first().map_or(f64::NAN, Cost::median);
    for cost in &table.costs {
        println!(
            "| {} | {:.1} | {:.1} to {:.1} | {:.1} | {:.3} |",
            cost.name,
            cost.median(),
            cost.quantile(0.25),
            cost.quantile(0.75),
            cost.median() - bare,
            cost.allocations
        );
    }
    println!();
}

#[cfg(test)]
mod tests {
    use super::Cost;

    #[test]
    fn quartiles_are_of_the_sorted_rounds() {
        let cost = Cost {
            rounds: vec![1.0, 2.0, 3.0, 4.0, 5.0],
            ..Cost::default()
        };
        let quantiles = [0.25, 0.5, 0.75].map(|part| cost.quantile(part));
        assert_eq!(quantiles, [2.0, 3.0, 4.0]);
        assert!(Cost::default().median().is_nan());
    }
}
