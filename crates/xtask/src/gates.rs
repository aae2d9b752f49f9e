//! `gates`: what a request costs, counted where counting is exact, against `gates.toml`.
//!
//! Allocations are counted in a process of their own (the tests of `turbohttp-bench`). Instructions
//! and system calls are counted by valgrind and strace on the program `count`, which sends a given
//! number of requests and ends: once with more and once with fewer, so that start and end of the
//! process cancel out.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::{run, tools};

const REQUESTS_MORE: u64 = 6_000;
const REQUESTS_FEWER: u64 = 2_000;

/// Callers at once: so many that the runtime's own turns are shared, as they are under load.
const CALLERS: u32 = 64;

const BUDGETS: &str = "crates/turbohttp-bench/gates.toml";

/// A figure passed its bound.
#[derive(Debug)]
pub(crate) struct Missed(usize);

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} gates missed (bounds: {BUDGETS})", self.0)
    }
}

impl std::error::Error for Missed {}

/// One figure beside its bound.
#[derive(Debug)]
struct Row {
    name: String,
    measured: f64,
    most: f64,
}

impl Row {
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
            ..
        } = self;
        write!(f, "{verdict} {name:<44} {measured:>14.3}  at most {most}")
    }
}

pub(crate) fn run() -> Result<()> {
    tools::install_missing();
    // Builds the program `count` too, as cargo does for every integration test of a package.
    run::cargo_with(&[
        "test",
        "--release",
        "-p",
        "turbohttp-bench",
        "--tests",
        "--",
        "--nocapture",
    ])?;
    let budgets = Budgets::read(&std::fs::read_to_string(BUDGETS)?)?;
    let program = run::target_dir().join("release").join("count");
    let server = Server::start(&program)?;
    let mut rows = Vec::new();
    if tools::is_there("valgrind") {
        rows.extend(instructions(&program, &server.url, &budgets)?);
    } else {
        tools::skipped("instruction counts", "valgrind is not installed")?;
    }
    if !tools::is_there("strace") {
        tools::skipped("system call counts", "strace is not installed")?;
    } else if may_trace() {
        rows.extend(system_calls(&program, &server.url, &budgets)?);
    } else {
        // Not for the tests to change, so it is no failure in CI either.
        println!("SKIPPED system call counts: this system does not let strace trace");
    }
    drop(server);
    for row in &rows {
        println!("{row}");
    }
    match rows.iter().filter(|row| !row.holds()).count() {
        0 => Ok(()),
        missed => Err(Missed(missed).into()),
    }
}

fn instructions(program: &Path, url: &str, budgets: &Budgets) -> Result<Vec<Row>> {
    let tool = [
        "valgrind",
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
    ];
    let mut rows = Vec::new();
    for (scenario, most) in budgets.section("instructions_max")? {
        let count = |requests| instructions_in(&under(&tool, program, url, scenario, requests)?);
        let difference = count(REQUESTS_MORE)? as f64 - count(REQUESTS_FEWER)? as f64;
        rows.push(Row {
            name: format!("instructions per request, {scenario}"),
            measured: per_request(difference),
            most: *most,
        });
    }
    Ok(rows)
}

fn system_calls(program: &Path, url: &str, budgets: &Budgets) -> Result<Vec<Row>> {
    let tool = ["strace", "-c", "-f", "-q"];
    let count = |requests| -> Result<Calls> {
        Ok(Calls::read(&under(&tool, program, url, "get", requests)?))
    };
    let (more, fewer) = (count(REQUESTS_MORE)?, count(REQUESTS_FEWER)?);
    let mut rows = Vec::new();
    for (kind, most) in budgets.section("system_calls_max")? {
        let difference = more.of(kind)? as f64 - fewer.of(kind)? as f64;
        rows.push(Row {
            name: format!("system calls per request, {kind}"),
            measured: per_request(difference),
            most: *most,
        });
    }
    Ok(rows)
}

fn per_request(difference: f64) -> f64 {
    difference / (REQUESTS_MORE - REQUESTS_FEWER) as f64
}

/// Runs the counted program under a tool; what the tool wrote to standard error.
fn under(
    tool: &[&str],
    program: &Path,
    url: &str,
    scenario: &str,
    requests: u64,
) -> Result<String> {
    let output = Command::new(tool[0])
        .args(&tool[1..])
        .arg(program)
        .args([url, scenario, &CALLERS.to_string(), &requests.to_string()])
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", tool[0]))?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.success(),
        "{} under {}: {text}",
        program.display(),
        tool[0]
    );
    Ok(text)
}

/// Whether the system lets one process trace another.
fn may_trace() -> bool {
    let status = Command::new("strace")
        .args(["-c", "-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// The server as a process of its own, ended when it is dropped.
struct Server {
    url: String,
    process: Child,
}

impl Server {
    fn start(program: &PathBuf) -> Result<Server> {
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

/// The number behind callgrind's `Collected :`.
fn instructions_in(text: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.split_once("Collected :"));
    let number = line.and_then(|(_, number)| number.trim().parse().ok());
    number.with_context(|| format!("no count in: {text}"))
}

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

    /// How many calls there were of what a budget names.
    fn of(&self, kind: &str) -> Result<u64> {
        const SEND: [&str; 4] = ["sendto", "sendmsg", "write", "writev"];
        const RECEIVE: [&str; 4] = ["recvfrom", "recvmsg", "read", "readv"];
        let sum = |names: &[&str], part: fn(&(u64, u64)) -> u64| -> u64 {
            names
                .iter()
                .filter_map(|name| self.0.get(*name))
                .map(part)
                .sum()
        };
        Ok(match kind {
            "send" => sum(&SEND, |(calls, _)| *calls),
            "receive" => sum(&RECEIVE, |(calls, _)| *calls),
            "failing_send" => sum(&SEND, |(_, errors)| *errors),
            "failing_receive" => sum(&RECEIVE, |(_, errors)| *errors),
            "all" => sum(&["total"], |(calls, _)| *calls),
            name => {
                ensure!(
                    name == "futex" || name == "epoll_wait" || name == "epoll_ctl",
                    "{BUDGETS} names unknown system calls: {name}"
                );
                sum(&[name], |(calls, _)| *calls)
            }
        })
    }
}

/// The tables of numbers in `gates.toml`. Comments, sections and `name = number`: no more is used.
struct Budgets(BTreeMap<String, BTreeMap<String, f64>>);

impl Budgets {
    fn read(text: &str) -> Result<Budgets> {
        let mut sections: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
        let mut section = String::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if let Some(name) = line
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
            {
                section = name.to_owned();
            } else if let Some((name, number)) = line.split_once('=') {
                let number = number.trim().replace('_', "");
                let number = number
                    .parse()
                    .with_context(|| format!("{BUDGETS}: {line}"))?;
                let section = sections.entry(section.clone()).or_default();
                section.insert(name.trim().to_owned(), number);
            }
        }
        Ok(Budgets(sections))
    }

    fn section(&self, name: &str) -> Result<&BTreeMap<String, f64>> {
        self.0
            .get(name)
            .with_context(|| format!("{BUDGETS} has no [{name}]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_read() {
        let budgets = Budgets::read("# all\n[a_max] # here\nget = 8_000\nsend = 1.001\n").unwrap();
        let section = budgets.section("a_max").unwrap();
        assert_eq!((section["get"], section["send"]), (8_000.0, 1.001));
        assert!(budgets.section("b").is_err());
        assert!(Budgets::read("[a]\nx = y\n").is_err());
    }

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
        let counted = [
            "send",
            "receive",
            "failing_receive",
            "failing_send",
            "futex",
            "all",
        ];
        let counts = counted.map(|kind| calls.of(kind).unwrap());
        assert_eq!(counts, [4_000, 4_000, 3, 0, 10, 8_010]);
        assert!(calls.of("ioctl").is_err());
    }

    #[test]
    fn a_figure_beyond_its_bound_is_a_miss() {
        let row = |measured| Row {
            name: "x".to_owned(),
            measured,
            most: 1.0,
        };
        assert!(row(1.0).holds());
        assert!(!row(1.001).holds());
        assert!(!row(f64::NAN).holds());
        assert!(row(2.0).to_string().starts_with("MISS"));
    }
}
