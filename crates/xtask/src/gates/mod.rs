//! `gates`: what a request costs, counted where counting is exact, against `gates.toml` and against the
//! baseline.
//!
//! What needs no other tool is measured in processes of their own (the tests of `turbohttp-bench`).
//! Instructions and system calls are counted from outside, by valgrind and strace.

use std::collections::BTreeMap;
use std::fmt;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::{run, tools};
use baseline::{Baseline, Machine};
use bounds::Figures;
use outside::{Counted, Lengths};

pub(crate) mod baseline;
mod bounds;
pub(crate) mod outside;
mod prove;

/// The kinds of work whose instructions are counted: all that `count` knows, with and without gates.
const WORKS: [&str; 14] = [
    "get",
    "empty",
    "get_1k",
    "get_64k",
    "post",
    "post_64k",
    "chunked",
    "bytes",
    "bytes_1k",
    "layered",
    "queue",
    "queue_streamed",
    "limiter",
    "limiter_crowd",
];

/// What was typed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Shows that every gate can miss.
    pub(crate) proves: bool,
    /// Writes the baseline.
    pub(crate) records: bool,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Result<Options> {
        let mut options = Options::default();
        for argument in arguments {
            match argument.as_str() {
                "--prove" => options.proves = true,
                "--record" => options.records = true,
                other => bail!("gates has no option {other}; there are --prove and --record"),
            }
        }
        Ok(options)
    }
}

/// A figure passed its bound.
#[derive(Debug)]
pub(crate) struct Missed(usize);

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} gates missed (bounds: {}, {})",
            self.0,
            bounds::FILE,
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
    /// A figure that is no number never holds.
    fn holds(&self) -> bool {
        self.measured <= self.most
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.holds() { "ok  " } else { "MISS" };
        let Row {
            name,
            measured,
            most,
        } = self;
        write!(
            f,
            "{verdict} {name:<56} {measured:>12.3}  at most {most:.3}"
        )
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    tools::install_missing();
    run::cargo_with(&TESTS)?;
    let bounds = bounds::read(&std::fs::read_to_string(bounds::FILE)?)?;
    let counted = Counted::start()?;
    let (can_count, can_trace) = (can_count()?, can_trace()?);
    let mut figures = Figures::new();
    figures.insert("allocations".to_owned(), counted.allocations()?);
    if can_count {
        let count = |work: &str| {
            Ok((
                work.to_owned(),
                counted.instructions(work, None, Lengths::FULL)?,
            ))
        };
        let counts: Result<BTreeMap<String, f64>> = WORKS.into_iter().map(count).collect();
        figures.insert("instructions".to_owned(), counts?);
    }
    if can_trace {
        let calls = counted.system_calls(None, Lengths::FULL)?;
        figures.insert("system_calls".to_owned(), calls);
    }
    let mut rows: Vec<Row> = figures
        .iter()
        .flat_map(|(section, measured)| against(&bounds, section, measured))
        .collect();
    if options.records {
        show(&rows)?;
        ensure!(
            can_count && can_trace,
            "not everything could be measured: nothing is recorded"
        );
        return record(figures);
    }
    rows.append(&mut compared(&figures)?);
    show(&rows)?;
    if options.proves && can_count {
        prove::instructions(&counted, &bounds)?;
        prove::baseline(&counted, &figures, committed()?)?;
    }
    if options.proves && can_trace {
        prove::system_calls(&counted, &bounds)?;
    }
    Ok(())
}

/// The tests that measure in a process of their own. Cargo builds the program `count` with them, as it
/// does for every integration test of a package.
const TESTS: [&str; 12] = [
    "test",
    "--release",
    "-p",
    "turbohttp-bench",
    "--test",
    "alloc",
    "--test",
    "alloc_limiter",
    "--test",
    "alloc_tls",
    "--",
    "--nocapture",
];

/// Builds the program `count`, as the gates do, so that nothing is built twice.
pub(crate) fn build_count() -> Result<()> {
    let building = &TESTS[..TESTS.len() - 2];
    run::cargo_with(&[building, &["--no-run"]].concat())
}

fn can_count() -> Result<bool> {
    let is_there = tools::is_there("valgrind");
    if !is_there {
        tools::skipped("instruction counts", "valgrind is not installed")?;
    }
    Ok(is_there)
}

fn can_trace() -> Result<bool> {
    if !tools::is_there("strace") {
        tools::skipped("system call counts", "strace is not installed")?;
        return Ok(false);
    }
    let may_trace = outside::may_trace();
    if !may_trace {
        // Not for the tests to change, so it is no failure in CI either.
        println!("SKIPPED system call counts: this system does not let strace trace");
    }
    Ok(may_trace)
}

/// The figures of one kind beside their bounds, where they have one.
fn against(bounds: &Figures, section: &str, measured: &BTreeMap<String, f64>) -> Vec<Row> {
    let bounds = bounds.get(&format!("{section}_max"));
    let row = |(name, figure): (&String, &f64)| -> Option<Row> {
        let most = *bounds?.get(name)?;
        let name = format!("{} per request, {name}", section.replace('_', " "));
        Some(Row {
            name,
            measured: *figure,
            most,
        })
    };
    measured.iter().filter_map(row).collect()
}

/// The figures beside those of the baseline; what else is to be said of them is printed.
fn compared(figures: &Figures) -> Result<Vec<Row>> {
    let Some(baseline) = committed()? else {
        println!("note {} is not there: record it", baseline::FILE);
        return Ok(Vec::new());
    };
    let found = baseline.compare(&machine()?, figures)?;
    for note in found.notes {
        println!("note {note}");
    }
    Ok(found.rows)
}

fn record(figures: Figures) -> Result<()> {
    let baseline = Baseline::of(machine()?, figures, committed()?);
    std::fs::write(baseline::FILE, baseline.write())?;
    println!("recorded: commit {} by itself, and say why", baseline::FILE);
    Ok(())
}

fn committed() -> Result<Option<Baseline>> {
    match std::fs::read_to_string(baseline::FILE) {
        Ok(text) => Ok(Some(Baseline::read(&text)?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", baseline::FILE)),
    }
}

fn machine() -> Result<Machine> {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler).arg("--version").output()?;
    Machine::here(&String::from_utf8_lossy(&output.stdout))
}

/// Prints the rows.
fn show(rows: &[Row]) -> Result<()> {
    for row in rows {
        println!("{row}");
    }
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
        let row = |measured| Row {
            name: "x".to_owned(),
            measured,
            most: 1.0,
        };
        assert!(row(1.0).holds() && show(&[row(1.0)]).is_ok());
        assert!(!row(1.001).holds() && show(&[row(0.0), row(1.001)]).is_err());
        assert!(!row(f64::NAN).holds());
        assert!(row(2.0).to_string().starts_with("MISS"));
    }

    #[test]
    fn every_bound_from_outside_is_measured() {
        let text = std::fs::read_to_string(run::root().join(bounds::FILE)).unwrap();
        let bounds = bounds::read(&text).unwrap();
        for work in bounds["instructions_max"].keys() {
            assert!(WORKS.contains(&work.as_str()), "{work} is not measured");
        }
        for (section, name) in [("instructions", "get"), ("system_calls", "futex")] {
            let measured = BTreeMap::from([(name.to_owned(), 1.0), ("other".to_owned(), 1.0)]);
            assert_eq!(against(&bounds, section, &measured).len(), 1);
        }
    }
}
