//! Counting from outside: valgrind and strace on the program `count`, which sends a given number of
//! requests and ends: once with more and once with fewer, so that start and end of the process cancel
//! out.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use xshell::{Cmd, Shell, cmd};

use super::Section;
use crate::run::{self, Output};

/// Callers at once: so many that the runtime's own turns are shared, as they are under load.
const CALLERS: u32 = 64;

/// How many requests are sent: the more there are, the less is what happens once in a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lengths {
    pub(crate) more: u64,
    pub(crate) fewer: u64,
}

impl Lengths {
    /// For figures.
    pub(crate) const FULL: Lengths = Lengths {
        more: 6_000,
        fewer: 2_000,
    };

    /// For showing that something is far beyond.
    pub(super) const SHORT: Lengths = Lengths {
        more: 1_500,
        fewer: 500,
    };

    /// What one request is worth of each number that a run with so many requests counts.
    pub(crate) fn per_request<const N: usize>(
        self,
        count: impl Fn(u64) -> Result<[u64; N]>,
    ) -> Result<[f64; N]> {
        let (more, fewer) = (count(self.more)?, count(self.fewer)?);
        let requests = (self.more - self.fewer) as f64;
        Ok(std::array::from_fn(|at| {
            (more[at] as f64 - fewer[at] as f64) / requests
        }))
    }
}

/// The program that is counted, and its servers.
pub(crate) struct Counted {
    pub(crate) sh: Shell,
    pub(crate) program: PathBuf,
    http1: Served,
    http2: Served,
}

/// A server: a process of its own, ended when this is dropped.
pub(crate) struct Served {
    pub(crate) url: String,
    process: Child,
}

/// What the names of works begin with that are sent by HTTP/2.
const HTTP2: &str = "h2_";

impl Served {
    /// Starts a program that prints its URL.
    pub(crate) fn start(program: &Path, words: &[&str]) -> Result<Served> {
        // It ends when its input does, so it cannot outlive this process.
        let mut process = Command::new(program)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let (mut url, output) = (String::new(), process.stdout.take());
        BufReader::new(output.context("its output is piped")?).read_line(&mut url)?;
        ensure!(url.starts_with("http://"), "the server did not start");
        Ok(Served {
            url: url.trim_end().to_owned(),
            process,
        })
    }
}

impl Counted {
    /// Starts the servers of a program that has been built.
    pub(crate) fn start() -> Result<Counted> {
        let program = run::target_dir().join("release").join("count");
        Ok(Counted {
            sh: run::shell()?,
            http1: Served::start(&program, &["serve"])?,
            http2: Served::start(&program, &["serve-http2", "13"])?,
            program,
        })
    }

    /// Instructions per request of this kind of work.
    pub(super) fn instructions(
        &self,
        work: &str,
        planted: Option<&str>,
        of: Lengths,
    ) -> Result<f64> {
        let [instructions] = of.per_request(|requests| {
            let tool = cmd!(
                self.sh,
                "valgrind --tool=callgrind --callgrind-out-file=/dev/null"
            );
            let said = self.under(tool, work, CALLERS, requests, planted)?.stderr;
            Ok([run::find(COLLECTED, &said)?])
        })?;
        Ok(instructions)
    }

    /// System calls per request of this kind of work, by kind.
    pub(super) fn system_calls(
        &self,
        work: &str,
        planted: Option<&str>,
        of: Lengths,
    ) -> Result<Section> {
        let calls = of.per_request(|requests| {
            let tool = cmd!(self.sh, "strace -c -f -q");
            Ok(calls_in(
                &self.under(tool, work, CALLERS, requests, planted)?.stderr,
            ))
        })?;
        let kinds = KINDS.map(|(kind, ..)| kind.to_owned());
        Ok(kinds.into_iter().zip(calls).collect())
    }

    /// What each kind of request allocates, as the program itself counts.
    pub(super) fn allocations(&self) -> Result<Section> {
        let (sh, program) = (&self.sh, &self.program);
        allocations_in(&cmd!(sh, "{program} allocations").read()?)
    }

    /// Runs the program under a tool.
    pub(crate) fn under(
        &self,
        tool: Cmd<'_>,
        work: &str,
        callers: u32,
        requests: u64,
        planted: Option<&str>,
    ) -> Result<Output> {
        let load = [callers.to_string(), requests.to_string()];
        let server = match work.starts_with(HTTP2) {
            true => &self.http2,
            false => &self.http1,
        };
        let tool = tool.arg(&self.program).args([&server.url, work]);
        run::collect(tool.args(load).args(planted))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The allocations in lines of `id`, `name` and figure, between tabs. A line that is none of these is an
/// error: a figure that is dropped would be compared with nothing.
fn allocations_in(text: &str) -> Result<Section> {
    let line = run::pattern(r"^([^\t]+)\t([^\t]+)\t([^\t]+)$");
    let mut figures = Section::new();
    for text in text.lines() {
        let said = || format!("count allocations said: {text}");
        let fields = line.captures(text).with_context(said)?;
        let figure = fields[3].parse().with_context(said)?;
        if fields[1].starts_with("allocations_max.") {
            figures.insert(fields[2].to_owned(), figure);
        }
    }
    ensure!(!figures.is_empty(), "count allocations said nothing");
    Ok(figures)
}

/// The number of instructions in what callgrind says.
const COLLECTED: &str = r"Collected : *(\d+)";

const SENDS: &[&str] = &["sendto", "sendmsg", "write", "writev"];
const RECEIVES: &[&str] = &["recvfrom", "recvmsg", "read", "readv"];

/// The kinds of calls that are counted: their name, the calls, and whether only failures count.
const KINDS: [(&str, &[&str], bool); 5] = [
    ("send", SENDS, false),
    ("receive", RECEIVES, false),
    ("failing_send", SENDS, true),
    ("failing_receive", RECEIVES, true),
    ("futex", &["futex"], false),
];

/// The calls of each kind in strace's table, whose lines are `% time, seconds, usecs/call, calls,
/// [errors,] syscall`.
fn calls_in(text: &str) -> [u64; KINDS.len()] {
    let line = run::pattern(r"(?m)^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:(\d+) +)?(\w+)$");
    KINDS.map(|(_, names, is_failure)| {
        let lines = line
            .captures_iter(text)
            .filter(|line| names.contains(&&line[3]));
        let counts = lines.filter_map(|line| line.get(1 + usize::from(is_failure)));
        counts
            .filter_map(|count| count.as_str().parse::<u64>().ok())
            .sum()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_the_tools_are_read() {
        let collected = |text| run::find::<u64>(COLLECTED, text);
        assert_eq!(collected("==1== Collected : 12345\n").unwrap(), 12_345);
        assert!(collected("nothing").is_err());
        let calls = calls_in(
            "% time     seconds  usecs/call     calls    errors syscall\n\
             ------ ----------- ----------- --------- --------- ----------------\n\
             52.00    0.010000           2      4000           sendto\n\
             40.00    0.009000           2      4000         3 recvfrom\n\
             8.00     0.001000           2        10           futex\n\
             5.00     0.001000           2        10           ioctl\n\
             100.00   0.019000           2      8010         3 total\n",
        );
        assert_eq!(calls, [4_000, 4_000, 0, 3, 10]);
    }

    #[test]
    fn what_start_and_end_cost_cancels_out() {
        let lengths = Lengths {
            more: 300,
            fewer: 100,
        };
        let counted = lengths.per_request(|requests| Ok([50 + requests * 7, 350 - requests]));
        assert_eq!(counted.unwrap(), [7.0, -1.0]);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_an_error() {
        let read = "allocations_max.get\tget, mock\t1\nbytes_allocated_max.primary\tworst\t20.5\n";
        let figures = allocations_in(read).unwrap();
        assert_eq!(figures, Section::from([("get, mock".to_owned(), 1.0)]));
        for line in ["allocations_max.get\tget, mock\tmany", "get 1", ""] {
            assert!(
                allocations_in(&format!("{read}{line}\n")).is_err(),
                "{line}"
            );
        }
    }
}
