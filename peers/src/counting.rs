//! What can be counted instead of timed: instructions and system calls per request.
//!
//! Both run a client twice, with more and with fewer requests, and divide the difference, so that
//! start and end of the process do not count.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::args::CountArgs;
use crate::case::{self, Case};
use crate::children::{ServerProcess, client_arguments};
use crate::peers::PeerName;
use crate::rounds;

const REQUESTS_MORE: u64 = 6000;
const REQUESTS_FEWER: u64 = 2000;
const CASES_BY_DEFAULT: [&str; 4] = ["small-1", "small-64", "chunked", "post"];

/// Prints user-space instructions per request.
pub(crate) fn instructions(args: &CountArgs) -> Result<()> {
    let tool = [
        "valgrind",
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
    ];
    println!("| case | peer | instructions per request |\n|---|---|--:|");
    each(args, |server, case, peer| {
        let count = |requests| instructions_in(&run(&tool, server, case, peer, requests)?);
        let difference = count(REQUESTS_MORE)? as f64 - count(REQUESTS_FEWER)? as f64;
        println!(
            "| {} | {} | {:.0} |",
            case.name,
            peer.name(),
            per_request(difference)
        );
        Ok(())
    })
}

/// Prints system calls per request, failed ones in parentheses.
pub(crate) fn syscalls(args: &CountArgs) -> Result<()> {
    let tool = ["strace", "-c", "-f", "-q"];
    println!("| case | peer | system calls per request (failed) |\n|---|---|---|");
    each(args, |server, case, peer| {
        let count =
            |requests| -> Result<_> { Ok(calls_in(&run(&tool, server, case, peer, requests)?)) };
        let text = describe_calls(&count(REQUESTS_MORE)?, &count(REQUESTS_FEWER)?);
        println!("| {} | {} | {text} |", case.name, peer.name());
        Ok(())
    })
}

fn per_request(difference: f64) -> f64 {
    difference / (REQUESTS_MORE - REQUESTS_FEWER) as f64
}

fn each(
    args: &CountArgs,
    mut count: impl FnMut(&ServerProcess, &Case, PeerName) -> Result<()>,
) -> Result<()> {
    let peers = rounds::peers(&args.peers)?;
    for case in case::select(&args.only, &CASES_BY_DEFAULT)? {
        let server = ServerProcess::start(None, case.tls)?;
        for &peer in peers.iter().filter(|peer| case.has(**peer)) {
            // What another program does is not counted in this one.
            if !peer.is_external() {
                count(&server, &case, peer)?;
            }
        }
    }
    Ok(())
}

/// Runs a client under a tool; what the tool wrote to standard error.
fn run(
    tool: &[&str],
    server: &ServerProcess,
    case: &Case,
    peer: PeerName,
    requests: u64,
) -> Result<String> {
    let output = Command::new(tool[0])
        .args(&tool[1..])
        .arg(std::env::current_exe()?)
        .args(client_arguments(server, case, peer))
        .args(["--requests", &requests.to_string()])
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{} is needed for this", tool[0]))?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.success(),
        "{} under {}: {text}",
        peer.name(),
        tool[0]
    );
    Ok(text)
}

/// The number behind callgrind's `Collected :`.
fn instructions_in(text: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.split_once("Collected :"));
    let number = line.and_then(|(_, number)| number.trim().parse().ok());
    number.with_context(|| format!("no count in: {text}"))
}

/// Calls and errors by name, from strace's table: `% time, seconds, usecs/call, calls, [errors,]
/// syscall`.
fn calls_in(text: &str) -> BTreeMap<String, (u64, u64)> {
    let mut calls = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (errors, name) = match words[..] {
            [_, _, _, _, name] => ("0", name),
            [_, _, _, _, errors, name] => (errors, name),
            _ => continue,
        };
        if let (Ok(count), Ok(errors)) = (words[3].parse(), errors.parse())
            && name != "total"
        {
            calls.insert(name.to_owned(), (count, errors));
        }
    }
    calls
}

fn describe_calls(
    more: &BTreeMap<String, (u64, u64)>,
    fewer: &BTreeMap<String, (u64, u64)>,
) -> String {
    let mut parts = Vec::new();
    for (name, (count, errors)) in more {
        let (count_before, errors_before) = fewer.get(name).copied().unwrap_or_default();
        let calls = per_request(*count as f64 - count_before as f64);
        let failed = per_request(*errors as f64 - errors_before as f64);
        // Less than one in two hundred is no habit.
        if failed >= 0.005 {
            parts.push(format!("{name} {calls:.2} ({failed:.2})"));
        } else if calls >= 0.005 {
            parts.push(format!("{name} {calls:.2}"));
        }
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_the_tools_are_read() {
        assert_eq!(instructions_in("==1== Collected : 12345\n").unwrap(), 12345);
        let table = "% time     seconds  usecs/call     calls    errors syscall\n\
                     ------ ----------- ----------- --------- --------- ----------------\n\
                      52.00    0.010000           2      4000           sendto\n\
                      48.00    0.009000           2      4000         1 recvfrom\n\
                     100.00    0.019000           2      8000         1 total\n";
        let calls = calls_in(table);
        assert_eq!(calls.len(), 2);
        assert_eq!(calls["recvfrom"], (4000, 1));
        assert_eq!(
            describe_calls(&calls, &BTreeMap::new()),
            "recvfrom 1.00, sendto 1.00"
        );
    }
}
