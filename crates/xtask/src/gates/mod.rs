//! `gates`: what a request costs, counted where counting is exact, against `gates.toml` and against the
//! baseline.
//!
//! What needs no other tool is measured in processes of their own (the tests of `turbohttp-bench`).
//! Instructions and system calls are counted from outside, by valgrind and strace.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result, ensure};
use xshell::cmd;

use crate::{run, tools};
use baseline::{Baseline, Machine};
use outside::{Counted, Lengths};

pub(crate) mod baseline;
pub(crate) mod outside;
mod prove;

/// Where the bounds are.
const BOUNDS: &str = "crates/turbohttp-bench/gates.toml";

/// Figures of one section by name, and those of all sections.
type Section = BTreeMap<String, f64>;
type Figures = BTreeMap<String, Section>;

/// The kinds of work whose instructions are counted: all that `count` knows, with and without gates.
const WORKS: &str = "get empty get_1k get_64k post post_64k chunked bytes bytes_1k layered queue \
    queue_streamed limiter limiter_crowd h2_get h2_post h2_bytes";

/// What system calls are counted of, by section.
pub(super) const CALLING: [(&str, &str); 2] =
    [("system_calls", "get"), ("system_calls_http2", "h2_get")];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Shows that each gate can miss.
    #[arg(long)]
    pub(crate) prove: bool,
    /// Writes the baseline.
    #[arg(long)]
    pub(crate) record: bool,
}

/// A figure passed its bound.
#[derive(Debug)]
pub(crate) struct Missed(usize);

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} gates missed (bounds: {BOUNDS}, {})",
            self.0,
            baseline::FILE
        )
    }
}

impl std::error::Error for Missed {}

/// One figure beside the most that it may be.
#[derive(Debug)]
struct Row {
    name: String,
    measured: f64,
    most: f64,
}

impl Row {
    fn new(name: String, measured: f64, most: f64) -> Row {
        Row {
            name,
            measured,
            most,
        }
    }

    /// A figure that is no number never holds.
    fn holds(&self) -> bool {
        self.measured <= self.most
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.holds() { "ok  " } else { "MISS" };
        let (name, measured, most) = (&self.name, self.measured, self.most);
        write!(
            f,
            "{verdict} {name:<56} {measured:>12.3}  at most {most:.3}"
        )
    }
}

/// `gates`: measures, and holds what is measured against the bounds and the baseline.
pub(crate) fn command(options: &Options) -> Result<()> {
    test("-- --nocapture")?;
    let (bounds, baseline, machine) = (bounds()?, Baseline::committed()?, machine()?);
    let counted = Counted::start()?;
    let can_count = tools::can("instruction counts", "valgrind")?;
    let can_trace = tools::can("system call counts", "strace")? && may_trace()?;
    let mut figures = Figures::from([("allocations".to_owned(), counted.allocations()?)]);
    if can_count {
        let count = |work: &str| -> Result<(String, f64)> {
            let figure = counted.instructions(work, None, Lengths::FULL)?;
            Ok((work.to_owned(), figure))
        };
        let counts: Result<Section> = WORKS.split(' ').map(count).collect();
        figures.insert("instructions".to_owned(), counts?);
    }
    if can_trace {
        for (section, work) in CALLING {
            let calls = counted.system_calls(work, None, Lengths::FULL)?;
            figures.insert(section.to_owned(), calls);
        }
    }
    let bounded = figures
        .iter()
        .flat_map(|(section, of)| against(&bounds, section, of));
    let mut rows: Vec<Row> = bounded.collect();
    if options.record {
        show(&rows)?;
        let is_all = can_count && can_trace;
        ensure!(
            is_all,
            "not everything could be measured: nothing is recorded"
        );
        return baseline.with(machine, figures).write();
    }
    let (compared, notes) = baseline.compare(&machine, &figures)?;
    notes.iter().for_each(|note| println!("note {note}"));
    rows.extend(compared);
    show(&rows)?;
    if options.prove && can_count {
        prove::instructions(&counted, &bounds)?;
        prove::baseline(&counted, &figures, baseline, machine)?;
    }
    if options.prove && can_trace {
        prove::system_calls(&counted, &bounds)?;
    }
    Ok(())
}

/// Runs the tests that measure in a process of their own. Cargo builds the program `count` with them, as
/// it does for every integration test of a package.
fn test(options: &str) -> Result<()> {
    let (sh, options) = (run::shell()?, options.split(' '));
    let tests = ["alloc", "alloc_limiter", "alloc_tls"].map(|test| format!("--test={test}"));
    Ok(cmd!(
        sh,
        "cargo test --release -p turbohttp-bench {tests...} {options...}"
    )
    .run()?)
}

/// Builds the program `count`, as the gates do, so that nothing is built twice.
pub(crate) fn build_count() -> Result<()> {
    test("--no-run")
}

/// Whether the system lets one process trace another. If not, that is not for the tests to change, so it
/// is no failure in CI either.
fn may_trace() -> Result<bool> {
    let sh = run::shell()?;
    let may = run::succeeds(cmd!(sh, "strace -c -o /dev/null true"));
    if !may {
        println!("SKIPPED system call counts: this system does not let strace trace");
    }
    Ok(may)
}

/// Every section, those that are not ours too.
fn bounds() -> Result<Figures> {
    let text = std::fs::read_to_string(run::root().join(BOUNDS))?;
    toml::from_str(&text).context(BOUNDS)
}

/// The figures of one kind beside their bounds, where they have one.
fn against(bounds: &Figures, section: &str, measured: &Section) -> Vec<Row> {
    let bounds = bounds.get(&format!("{section}_max"));
    let row = |(name, figure): (&String, &f64)| -> Option<Row> {
        let most = *bounds?.get(name)?;
        let name = format!("{} per request, {name}", section.replace('_', " "));
        Some(Row::new(name, *figure, most))
    };
    measured.iter().filter_map(row).collect()
}

fn machine() -> Result<Machine> {
    let (sh, rustc) = (run::shell()?, std::env::var("RUSTC"));
    let rustc = rustc.unwrap_or_else(|_| "rustc".to_owned());
    Machine::here(&cmd!(sh, "{rustc} --version").read()?)
}

/// Prints the rows.
fn show(rows: &[Row]) -> Result<()> {
    rows.iter().for_each(|row| println!("{row}"));
    match rows.iter().filter(|row| !row.holds()).count() {
        0 => Ok(()),
        missed => Err(Missed(missed).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_beyond_its_bound_is_a_miss() {
        let row = |measured| Row::new("x".to_owned(), measured, 1.0);
        assert!(row(1.0).holds() && show(&[row(1.0)]).is_ok());
        assert!(!row(1.001).holds() && show(&[row(0.0), row(1.001)]).is_err());
        assert!(!row(f64::NAN).holds());
        assert!(row(2.0).to_string().starts_with("MISS"));
    }

    #[test]
    fn every_bound_from_outside_is_measured() {
        let bounds = bounds().unwrap();
        for work in bounds["instructions_max"].keys() {
            assert!(
                WORKS.split(' ').any(|known| known == work),
                "{work} is not measured"
            );
        }
        for (section, name) in [("instructions", "get"), ("system_calls", "futex")] {
            let measured = BTreeMap::from([(name.to_owned(), 1.0), ("other".to_owned(), 1.0)]);
            assert_eq!(against(&bounds, section, &measured).len(), 1);
        }
    }
}
