//! `heap`: what a request allocates, seen by heap profilers, beside what our own meter says.
//!
//! The meter counts inside the process that it judges; these look at the same process from outside.
//! Each kind of request is run with more and with fewer requests, as for the gates, and what one
//! request allocates must be the same for all who look. What the profilers wrote stays in
//! `target/heap`, for those who ask which call allocates how much.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::gates::outside::{Counted, Lengths};
use crate::run::Output;
use crate::{gates, run, tools};

/// Kinds of requests that allocate nothing, once, and several times; the last has an allocation
/// planted, which all must see.
const WORKS: [(&str, Option<&str>); 6] = [
    ("get", None),
    ("chunked", None),
    ("bytes", None),
    ("layered", None),
    ("queue", None),
    ("get", Some("allocation")),
];

/// Few callers: what they need at first is made before the shorter run ends.
const CALLERS: u32 = 4;

/// Allocations per request by which two may differ: one in a hundred requests. Profilers count some of
/// what happens once, such as a growing table, where the meter does not.
const TOLERANCE: f64 = 0.01;

/// Allocations per request that a planted one must at least add.
const PLANTED_MIN: f64 = 0.99;

/// A program that counts allocations from outside.
struct Profiler {
    program: &'static str,
    /// Its command line up to the program, where `FILE` is what it writes to.
    line: &'static str,
    /// What stands before and behind the number of allocations in what it says.
    around: (&'static str, &'static str),
}

const PROFILERS: [Profiler; 2] = [
    Profiler {
        program: "valgrind",
        line: "valgrind --tool=dhat --dhat-out-file=FILE.dhat",
        around: (" bytes in ", " blocks"),
    },
    Profiler {
        program: "heaptrack",
        line: "heaptrack --output FILE.heaptrack",
        around: ("\tallocations:", ""),
    },
];

pub(crate) fn run() -> Result<()> {
    gates::build_count()?;
    let folder = run::target_dir().join("heap");
    fs::create_dir_all(&folder)?;
    let counted = Counted::start()?;
    let mut looked = 0;
    for profiler in PROFILERS {
        if !tools::can("a heap profile", profiler.program)? {
            continue;
        }
        for (work, planted) in WORKS {
            profiler.look(&counted, work, planted, &folder)?;
            looked += 1;
        }
    }
    println!(
        "{looked} profiles agree with the meter; they are in {}",
        folder.display()
    );
    Ok(())
}

impl Profiler {
    /// Compares one kind of request.
    fn look(
        &self,
        counted: &Counted,
        work: &str,
        planted: Option<&str>,
        folder: &Path,
    ) -> Result<()> {
        let name = format!(
            "{work}{}",
            planted.map_or(String::new(), |planted| format!("_with_{planted}"))
        );
        let file = folder.join(&name);
        let count = |requests| -> Result<(u64, u64)> {
            let words = self
                .line
                .split(' ')
                .map(|word| word.replace("FILE", &file.to_string_lossy()));
            let words: Vec<String> = words.collect();
            let tool: Vec<&str> = words.iter().map(String::as_str).collect();
            let output = counted.under(&tool, work, CALLERS, requests, planted)?;
            Ok((self.allocations(&output)?, by_meter(&output)?))
        };
        let lengths = Lengths::FULL;
        let (fewer, more) = (count(lengths.fewer)?, count(lengths.more)?);
        let outside = lengths.per_request(more.0, fewer.0);
        let inside = lengths.per_request(more.1, fewer.1);
        println!(
            "{:<10} {name:<24} {outside:>8.3} allocations per request, the meter says {inside:.3}",
            self.program
        );
        ensure!(
            (outside - inside).abs() <= TOLERANCE,
            "{} and the meter differ by more than {TOLERANCE}",
            self.program
        );
        ensure!(
            planted.is_none() || outside >= PLANTED_MIN,
            "{} did not see the planted allocation",
            self.program
        );
        self.print(&file)
    }

    /// How many allocations the profiler has seen.
    fn allocations(&self, output: &Output) -> Result<u64> {
        let said = [output.stderr.as_str(), &output.stdout];
        let lines = said.iter().flat_map(|text| text.lines());
        let number = |line: &str| -> Option<u64> {
            let rest = line.split_once(self.around.0)?.1;
            let end = rest
                .find(self.around.1)
                .filter(|end| *end > 0)
                .unwrap_or(rest.len());
            rest[..end].trim().replace(',', "").parse().ok()
        };
        // The first: profilers say the total first.
        let found = lines.into_iter().find_map(number);
        found.with_context(|| format!("{} said no number: {}", self.program, output.stderr))
    }

    /// Writes what can be read beside what cannot.
    fn print(&self, file: &Path) -> Result<()> {
        if self.program != "heaptrack" {
            return Ok(());
        }
        let written =
            ["zst", "gz"].map(|kind| PathBuf::from(format!("{}.heaptrack.{kind}", file.display())));
        let Some(written) = written.iter().find(|path| path.is_file()) else {
            return Ok(());
        };
        let report = run::output("heaptrack_print", &[&written.to_string_lossy()])?;
        Ok(fs::write(
            format!("{}.heaptrack.txt", file.display()),
            report.stdout,
        )?)
    }
}

/// What the meter in the program itself has counted.
fn by_meter(output: &Output) -> Result<u64> {
    let lines = output.stdout.lines();
    let number = |line: &str| -> Option<u64> {
        let rest = line.strip_prefix("allocations ")?;
        rest.split_whitespace().next()?.parse().ok()
    };
    lines
        .into_iter()
        .find_map(number)
        .with_context(|| format!("no count in: {}", output.stdout))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_profilers_say_is_read() {
        let output = |stderr: &str| Output {
            stdout: "heaptrack output\nallocations 12 bytes 34\n".to_owned(),
            stderr: stderr.to_owned(),
        };
        let dhat = output(
            "==1== Total:     77,816 bytes in 1,192 blocks\n==1== At t-end: 592 bytes in 2 blocks\n",
        );
        assert_eq!(PROFILERS[0].allocations(&dhat).unwrap(), 1_192);
        let heaptrack = output(
            "heaptrack stats:\n\tallocations:          \t1193\n\tleaked allocations:   \t2\n",
        );
        assert_eq!(PROFILERS[1].allocations(&heaptrack).unwrap(), 1_193);
        assert_eq!(by_meter(&dhat).unwrap(), 12);
        assert!(PROFILERS[0].allocations(&output("nothing")).is_err());
    }
}
