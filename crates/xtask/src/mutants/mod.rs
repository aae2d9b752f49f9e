//! `mutants`: wrong implementations that somebody might write, each of which a test must catch.
//!
//! The list is `crates/xtask/mutants.toml`: for rows of the checklist, what a wrong implementation
//! would do, as one replacement in one file. Each is applied alone, in a copy of the sources, and the
//! tests that guard the row are run. One that nobody catches is a hole in the tests.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::run;
use list::Mutant;
use trial::{Bench, Ending, Suite};

mod list;
mod tree;
mod trial;

/// What tests that were not changed may take.
const UNCHANGED_SECONDS_MAX: u64 = 600;

/// A mutant hangs when its tests take so many times as long as without it, and this on top of it: a
/// busy machine is not to pass for a test that catches something.
const HANGS_TIMES: u32 = 5;
const HANGS_SECONDS: u64 = 20;

/// What was typed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    row: Option<String>,
    lists_only: bool,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Result<Options> {
        let mut options = Options::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--list" => options.lists_only = true,
                "--row" => options.row = Some(rest.next().context("--row needs a row")?.clone()),
                other => bail!("mutants has no option {other}; there are --list and --row"),
            }
        }
        Ok(options)
    }
}

/// What became of one mutant.
#[derive(Debug)]
enum Verdict {
    CaughtBy(String),
    Hung,
    Survived,
    /// It does not compile: a fault of the list.
    Broken(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::CaughtBy(test) => f.write_str(test),
            Verdict::Hung => f.write_str("hung"),
            Verdict::Survived => f.write_str("SURVIVED"),
            Verdict::Broken(_) => f.write_str("DOES NOT COMPILE"),
        }
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut mutants = list::load(run::root())?;
    mutants.retain(|mutant| options.row.as_ref().is_none_or(|row| *row == mutant.row));
    ensure!(!mutants.is_empty(), "no mutant of this row");
    if options.lists_only {
        for mutant in &mutants {
            println!("{:<4} {} ({})", mutant.row, mutant.kills, mutant.file);
        }
        return Ok(());
    }
    let began = Instant::now();
    let folder = run::target_dir().join("mutants");
    let tree = folder.join("tree");
    tree::copy(run::root(), &tree)?;
    // Whether all of them apply, before anything is built.
    for mutant in &mutants {
        drop(tree::Applied::new(&tree, mutant)?);
    }
    let bench = Bench::new(tree, folder);
    let limits = limits_of(&bench, &mutants)?;
    let mut verdicts = Vec::new();
    let width = mutants.iter().map(|mutant| mutant.kills.chars().count());
    let width = width.max().unwrap_or_default();
    println!("{:<4} {:<width$}  {:>5}  caught by", "row", "what", "s");
    for mutant in &mutants {
        let start = Instant::now();
        let verdict = judge(&bench, mutant, &limits)?;
        let seconds = start.elapsed().as_secs_f64();
        let Mutant { row, kills, .. } = mutant;
        println!("{row:<4} {kills:<width$}  {seconds:>5.1}  {verdict}");
        verdicts.push(verdict);
    }
    println!("{:.0} s in all", began.elapsed().as_secs_f64());
    conclude(&mutants, &verdicts)
}

/// Runs the tests of all mutants without any: they must be green, and say how long they may take.
fn limits_of<'a>(bench: &Bench, mutants: &'a [Mutant]) -> Result<HashMap<Suite<'a>, Duration>> {
    let mut limits = HashMap::new();
    for suite in mutants.iter().flat_map(Mutant::suites) {
        if limits.contains_key(&suite) {
            continue;
        }
        let programs = bench.build(&suite)?;
        let programs = programs.map_err(|errors| anyhow::anyhow!("{suite}:\n{errors}"))?;
        let start = Instant::now();
        let limit = Duration::from_secs(UNCHANGED_SECONDS_MAX);
        match bench.run(&suite, &programs, limit)? {
            Ending::Passed(0) => bail!("{suite}: runs no test"),
            Ending::Passed(_) => {}
            Ending::Failed(test) => bail!("{suite}: {test} fails without any mutant"),
            Ending::Hung => bail!("{suite}: hangs without any mutant"),
        }
        let limit = start.elapsed() * HANGS_TIMES + Duration::from_secs(HANGS_SECONDS);
        println!("green: {suite} ({:.1} s)", start.elapsed().as_secs_f64());
        limits.insert(suite, limit);
    }
    Ok(limits)
}

/// Applies one mutant, runs its tests until one fails, and puts the file back.
fn judge(bench: &Bench, mutant: &Mutant, limits: &HashMap<Suite<'_>, Duration>) -> Result<Verdict> {
    let _applied = tree::Applied::new(&bench.tree, mutant)?;
    for suite in mutant.suites() {
        let programs = match bench.build(&suite)? {
            Ok(programs) => programs,
            Err(errors) => return Ok(Verdict::Broken(errors)),
        };
        match bench.run(&suite, &programs, limits[&suite])? {
            Ending::Passed(_) => {}
            Ending::Failed(test) => return Ok(Verdict::CaughtBy(test)),
            Ending::Hung => return Ok(Verdict::Hung),
        }
    }
    Ok(Verdict::Survived)
}

fn conclude(mutants: &[Mutant], verdicts: &[Verdict]) -> Result<()> {
    let mut survivors = 0;
    let mut broken = 0;
    for (mutant, verdict) in mutants.iter().zip(verdicts) {
        match verdict {
            Verdict::CaughtBy(_) | Verdict::Hung => {}
            Verdict::Survived => survivors += 1,
            Verdict::Broken(errors) => {
                println!("\n{} {}:\n{errors}", mutant.row, mutant.kills);
                broken += 1;
            }
        }
    }
    let all = mutants.len();
    ensure!(
        survivors + broken == 0,
        "of {all} mutants {survivors} survived and {broken} do not compile"
    );
    println!("all {all} caught");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_mistakes_are_named() {
        let parse = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            Options::parse(&words)
        };
        assert_eq!(parse(&[]).unwrap(), Options::default());
        let options = parse(&["--row", "S24", "--list"]).unwrap();
        assert_eq!(options.row.as_deref(), Some("S24"));
        assert!(options.lists_only);
        assert!(parse(&["--row"]).is_err());
        assert!(parse(&["S24"]).is_err());
    }
}
