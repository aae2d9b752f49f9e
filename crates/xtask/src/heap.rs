//! `heap`: what a request allocates, seen by heap profilers, beside what our own meter says.
//!
//! The meter counts inside the process that it judges; these look at the same process from outside.
//! Each kind of request is run with more and with fewer requests, as for the gates, and what one
//! request allocates must be the same for all who look. What the profilers wrote stays in
//! `target/heap`, for those who ask which call allocates how much:
//! valgrind's `dh_view.html` and `heaptrack_print` read it.

use std::path::Path;

use anyhow::{Result, ensure};
use xshell::{Cmd, Shell, cmd};

use crate::gates::outside::{Counted, Lengths};
use crate::{gates, run, tools};

/// Kinds of requests that allocate nothing, once, and several times.
const WORKS: [&str; 5] = ["get", "chunked", "bytes", "layered", "queue"];

/// Few callers: what they need at first is made before the shorter run ends.
const CALLERS: u32 = 4;

/// Allocations per request by which two may differ: one in a hundred requests. Profilers count some of
/// what happens once, such as a growing table, where the meter does not.
const TOLERANCE: f64 = 0.01;

/// Allocations per request that a planted one must at least add.
const PLANTED_MIN: f64 = 0.99;

/// The number of allocations in what the meter in the program itself says.
const BY_METER: &str = r"(?m)^allocations (\d+)";

/// A program that counts allocations from outside.
struct Profiler {
    program: &'static str,
    /// Its command line up to the program, with the file that it writes to.
    tool: for<'a> fn(&'a Shell, &Path) -> Cmd<'a>,
    /// The number of allocations in what it says, the total first.
    number: &'static str,
}

const PROFILERS: [Profiler; 2] = [
    Profiler {
        program: "valgrind",
        tool: |sh, file| cmd!(sh, "valgrind --tool=dhat --dhat-out-file={file}.dhat"),
        number: r" bytes in ([\d,]+) blocks",
    },
    Profiler {
        program: "heaptrack",
        tool: |sh, file| cmd!(sh, "heaptrack --output {file}.heaptrack"),
        number: r"\tallocations:\s+(\d+)",
    },
];

pub(crate) fn run() -> Result<()> {
    gates::build_count()?;
    let counted = Counted::start()?;
    let folder = counted.sh.create_dir(run::target_dir().join("heap"))?;
    let mut looked = 0;
    for profiler in PROFILERS {
        if !tools::can("a heap profile", profiler.program)? {
            continue;
        }
        for work in WORKS {
            profiler.look(&counted, work, None, &folder.join(work))?;
        }
        // All must see an allocation that is planted.
        let planted = Some("allocation");
        profiler.look(
            &counted,
            "get",
            planted,
            &folder.join("get_with_allocation"),
        )?;
        looked += WORKS.len() + 1;
    }
    let folder = folder.display();
    println!("{looked} profiles agree with the meter; they are in {folder}");
    Ok(())
}

impl Profiler {
    /// Compares one kind of request.
    fn look(
        &self,
        counted: &Counted,
        work: &str,
        planted: Option<&str>,
        file: &Path,
    ) -> Result<()> {
        let [outside, inside] = Lengths::FULL.per_request(|requests| {
            let tool = (self.tool)(&counted.sh, file);
            let said = counted.under(tool, work, CALLERS, requests, planted)?;
            self.read(&format!("{}{}", said.stderr, said.stdout))
        })?;
        let (program, name) = (self.program, file.file_name().unwrap_or_default().display());
        println!(
            "{program:<10} {name:<24} {outside:>8.3} allocations per request, the meter says {inside:.3}"
        );
        ensure!(
            (outside - inside).abs() <= TOLERANCE,
            "{program} and the meter differ by more than {TOLERANCE}"
        );
        ensure!(
            planted.is_none() || outside >= PLANTED_MIN,
            "{program} did not see the planted allocation"
        );
        Ok(())
    }

    /// How many allocations the profiler has seen, and the meter.
    fn read(&self, said: &str) -> Result<[u64; 2]> {
        Ok([run::find(self.number, said)?, run::find(BY_METER, said)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_profilers_say_is_read() {
        let meter = "heaptrack output\nallocations 12 bytes 34\n";
        let dhat = "==1== Total:     77,816 bytes in 1,192 blocks\n==1== At t-end: 592 bytes in 2 blocks\n";
        let heaptrack =
            "heaptrack stats:\n\tallocations:          \t1193\n\tleaked allocations:   \t2\n";
        let [valgrind, other] = PROFILERS;
        assert_eq!(
            valgrind.read(&format!("{dhat}{meter}")).unwrap(),
            [1_192, 12]
        );
        assert_eq!(
            other.read(&format!("{meter}{heaptrack}")).unwrap(),
            [1_193, 12]
        );
        assert!(valgrind.read(meter).is_err() && valgrind.read(dhat).is_err());
    }
}
