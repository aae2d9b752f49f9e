//! Counting from outside: valgrind and strace on the program `count`, which sends a given number of
//! requests and ends: once with more and once with fewer, so that start and end of the process cancel
//! out.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::run::{self, Output};

/// Callers at once: so many that the runtime's own turns are shared, as they are under load.
const CALLERS: u32 = 64;

const CALLGRIND: [&str; 3] = [
    "valgrind",
    "--tool=callgrind",
    "--callgrind-out-file=/dev/null",
];

const STRACE: [&str; 4] = ["strace", "-c", "-f", "-q"];

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

    /// What one request is worth of two counts.
    pub(crate) fn per_request(self, more: u64, fewer: u64) -> f64 {
        (more as f64 - fewer as f64) / (self.more - self.fewer) as f64
    }
}

/// The program that is counted, and the server that it talks to.
pub(crate) struct Counted {
    program: PathBuf,
    server: Server,
}

impl Counted {
    /// Starts the server of a program that has been built.
    pub(crate) fn start() -> Result<Counted> {
        let program = run::target_dir().join("release").join("count");
        let server = Server::start(&program)?;
        Ok(Counted { program, server })
    }

    /// Instructions per request of this kind of work.
    pub(super) fn instructions(
        &self,
        work: &str,
        planted: Option<&str>,
        of: Lengths,
    ) -> Result<f64> {
        let count = |requests| -> Result<u64> {
            let output = self.under(&CALLGRIND, work, CALLERS, requests, planted)?;
            instructions_in(&output.stderr)
        };
        Ok(of.per_request(count(of.more)?, count(of.fewer)?))
    }

    /// System calls per small GET, by kind.
    pub(super) fn system_calls(
        &self,
        planted: Option<&str>,
        of: Lengths,
    ) -> Result<BTreeMap<String, f64>> {
        let count = |requests| -> Result<Calls> {
            let output = self.under(&STRACE, "get", CALLERS, requests, planted)?;
            Ok(Calls::read(&output.stderr))
        };
        let (more, fewer) = (count(of.more)?, count(of.fewer)?);
        let per_request = |kind: &str| of.per_request(more.of(kind), fewer.of(kind));
        let kinds = KINDS.into_iter();
        Ok(kinds
            .map(|(kind, ..)| (kind.to_owned(), per_request(kind)))
            .collect())
    }

    /// What each kind of request allocates, as the program itself counts.
    pub(super) fn allocations(&self) -> Result<BTreeMap<String, f64>> {
        allocations_in(&run::output(&self.program(), &["allocations"])?.stdout)
    }

    pub(crate) fn program(&self) -> String {
        self.program.to_string_lossy().into_owned()
    }

    /// Runs the program under a tool.
    pub(crate) fn under(
        &self,
        tool: &[&str],
        work: &str,
        callers: u32,
        requests: u64,
        planted: Option<&str>,
    ) -> Result<Output> {
        let mut command = Command::new(tool[0]);
        command
            .args(&tool[1..])
            .arg(&self.program)
            .args([self.server.url.as_str(), work])
            .args([callers.to_string(), requests.to_string()]);
        run::collect(command.args(planted))
    }
}

/// The server as a process of its own, ended when it is dropped.
struct Server {
    url: String,
    process: Child,
}

impl Server {
    fn start(program: &Path) -> Result<Server> {
        // It ends when its input does, so it cannot outlive this process.
        let mut process = Command::new(program)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let output = process.stdout.take().context("its output is piped")?;
        let mut url = String::new();
        BufReader::new(output).read_line(&mut url)?;
        ensure!(url.starts_with("http://"), "the server did not start");
        Ok(Server {
            url: url.trim_end().to_owned(),
            process,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The allocations in lines of `id`, `name` and figure, between tabs. A line that is none of these is an
/// error: a figure that is dropped would be compared with nothing.
fn allocations_in(text: &str) -> Result<BTreeMap<String, f64>> {
    let mut figures = BTreeMap::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [id, name, figure] = fields[..] else {
            bail!("count allocations said: {line}");
        };
        let figure: f64 = figure
            .parse()
            .with_context(|| format!("count allocations said: {line}"))?;
        if id.starts_with("allocations_max.") {
            figures.insert(name.to_owned(), figure);
        }
    }
    ensure!(!figures.is_empty(), "count allocations said nothing");
    Ok(figures)
}

/// The number behind callgrind's `Collected :`.
fn instructions_in(text: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.split_once("Collected :"));
    let number = line.and_then(|(_, number)| number.trim().parse().ok());
    number.with_context(|| format!("no count in: {text}"))
}

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

/// Calls and failures by name, from strace's table.
struct Calls(BTreeMap<String, (u64, u64)>);

impl Calls {
    /// Lines are `% time, seconds, usecs/call, calls, [errors,] syscall`.
    fn read(text: &str) -> Calls {
        let mut calls = BTreeMap::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (errors, name) = match words[..] {
                [_, _, _, _, name] => ("0", name),
                [_, _, _, _, errors, name] => (errors, name),
                _ => continue,
            };
            if let (Ok(count), Ok(errors)) = (words[3].parse(), errors.parse()) {
                calls.insert(name.to_owned(), (count, errors));
            }
        }
        Calls(calls)
    }

    /// How many calls of a kind there were; none of a kind that nobody counts.
    fn of(&self, kind: &str) -> u64 {
        let counted = KINDS.iter().filter(|(name, ..)| *name == kind);
        let names = counted.flat_map(|(_, names, fails)| names.iter().map(|name| (*name, *fails)));
        let count = |(name, fails): (&str, bool)| {
            self.0
                .get(name)
                .map_or(0, |(calls, errors)| if fails { *errors } else { *calls })
        };
        names.map(count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_the_tools_are_read() {
        assert_eq!(
            instructions_in("==1== Collected : 12345\n").unwrap(),
            12_345
        );
        assert!(instructions_in("nothing").is_err());
        let calls = Calls::read(
            "% time     seconds  usecs/call     calls    errors syscall\n\
             ------ ----------- ----------- --------- --------- ----------------\n\
             52.00    0.010000           2      4000           sendto\n\
             40.00    0.009000           2      4000         3 recvfrom\n\
             8.00     0.001000           2        10           futex\n\
             100.00   0.019000           2      8010         3 total\n",
        );
        let counts = KINDS.map(|(kind, ..)| calls.of(kind));
        assert_eq!(counts, [4_000, 4_000, 0, 3, 10]);
        assert_eq!(calls.of("ioctl"), 0);
    }

    #[test]
    fn what_start_and_end_cost_cancels_out() {
        let lengths = Lengths {
            more: 300,
            fewer: 100,
        };
        assert_eq!(lengths.per_request(50 + 300 * 7, 50 + 100 * 7), 7.0);
        assert_eq!(lengths.per_request(49, 50), -0.005);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_an_error() {
        let read = "allocations_max.get\tget, mock\t1\nbytes_allocated_max.primary\tworst\t20.5\n";
        let figures = allocations_in(read).unwrap();
        assert_eq!(figures, BTreeMap::from([("get, mock".to_owned(), 1.0)]));
        for line in ["allocations_max.get\tget, mock\tmany", "get 1", ""] {
            assert!(
                allocations_in(&format!("{read}{line}\n")).is_err(),
                "{line}"
            );
        }
    }
}
