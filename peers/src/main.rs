//! TurboHTTP beside other clients and the practical limit, in one run.
//!
//! Without a subcommand it measures: one server process on one core, and for every case, round and
//! peer a client process on another. Rounds are interleaved (A B C D A B C D), so that whatever
//! else the machine does meets every peer alike. The result is medians and the ratios between them.
//!
//! ```text
//! turbohttp-peers                        all tables
//! turbohttp-peers --gate                 and the demands; exit code 3 when a floor or one of them is missed,
//!                                        or none is held
//! turbohttp-peers --only small-64 --peers limit-tokio,turbohttp
//! turbohttp-peers instructions           user-space instructions per request, by callgrind
//! turbohttp-peers syscalls               system calls per request, by strace
//! turbohttp-peers dead-host              nine origins beside one that never answers
//! turbohttp-peers files                  downloads beside aria2 and curl, a multipart upload beside reqwest
//! turbohttp-peers http2                  HTTP/2 beside reqwest and the h2 crate
//! turbohttp-peers http2-floods           servers of HTTP/2 that flood, and PING at rest
//! turbohttp-peers everyday               a coded body, redirects, a proxy, beside reqwest
//! turbohttp-peers limiter                the limiter beside tower's and tokio's
//! turbohttp-peers mock                   the client beside tower's layers, without a socket
//! ```
#![deny(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command: its output is its purpose"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a stopwatch has to ask the clock"
)]

mod aims;
mod alloc;
mod args;
mod bound;
mod case;
mod children;
mod client;
mod counting;
mod dead_host;
mod environment;
mod everyday;
mod files;
mod floors;
mod histogram;
mod http2;
mod limiter;
mod load;
mod machine;
mod peers;
mod report;
mod rounds;
mod sample;
mod verdict;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command, RunArgs};
use crate::case::{Part, Selection};
use crate::environment::Environment;
use crate::report::Report;
use crate::verdict::Verdict;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

/// When a floor or a demand was missed, or none was held.
const EXIT_FLOOR_MISSED: u8 = 3;

/// Rounds of the parts that a run has besides its cases.
const MOCK_ROUNDS: u32 = 5;
const LIMITER_ROUNDS: u32 = 11;
const DEAD_HOST_ROUNDS: u32 = 5;
const DEAD_HOST_SECONDS: f64 = 0.7;

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    match args.command {
        None => return run(&args.run),
        Some(Command::Client(client)) => client::run(&client)?,
        Some(Command::Server { core, tls, answers }) => match answers {
            None => children::serve(core, tls)?,
            Some(bytes) => children::serve_answers(core, bytes)?,
        },
        Some(Command::Spin { core }) => machine::spin(core),
        Some(Command::Instructions(count)) => counting::instructions(&count)?,
        Some(Command::Syscalls(count)) => counting::syscalls(&count)?,
        Some(Command::DeadHost { rounds, seconds }) => {
            return Ok(pronounce(&dead_host::run(rounds, seconds)?));
        }
        Some(Command::Everyday { rounds, seconds }) => {
            return Ok(pronounce(&everyday::run(rounds, seconds)?));
        }
        Some(Command::Http2 {
            rounds,
            seconds,
            only,
        }) => {
            let plan = http2::Plan {
                rounds,
                seconds,
                only,
            };
            return Ok(pronounce(&http2::run(&plan)?));
        }
        Some(Command::Http2Floods) => return Ok(pronounce(&http2::run_floods()?)),
        Some(Command::Files { rounds, command }) => {
            return Ok(pronounce(&files::run(rounds, &command)?));
        }
        Some(Command::Limiter { rounds }) => return Ok(pronounce(&limiter::run(rounds)?)),
        Some(Command::Mock { rounds }) => drop(limiter::mock::run(rounds)?),
    }
    Ok(ExitCode::SUCCESS)
}

/// Measures and reports, and with `--gate` holds against floors and demands.
fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let selection = Selection::read(&args.only, args.gate)?;
    let environment = Environment::read();
    println!("{environment}");
    let show = |result: &_| print!("{}", report::markdown(result));
    let cases = rounds::measure(args, &selection.cases, show)?;
    let mock = match selection.has(Part::Mock) {
        true => limiter::mock::run(MOCK_ROUNDS)?,
        false => Vec::new(),
    };
    let mut verdict = Verdict::default();
    if selection.has(Part::Limiter) {
        verdict.extend(limiter::run(LIMITER_ROUNDS)?);
    }
    if selection.has(Part::DeadHost) {
        verdict.extend(dead_host::run(DEAD_HOST_ROUNDS, DEAD_HOST_SECONDS)?);
    }
    let aims = aims::judge(&cases);
    println!("{}", aims::markdown(&aims));
    verdict.extend(floors::judge(&cases));
    let report = Report {
        environment,
        cases,
        mock,
        aims,
        verdict,
    };
    if let Some(path) = &args.json {
        std::fs::write(path, report.json()?)?;
    }
    match args.gate {
        true => Ok(pronounce(&report.verdict)),
        false => Ok(ExitCode::SUCCESS),
    }
}

/// Prints a verdict; the exit code that it means.
fn pronounce(verdict: &Verdict) -> ExitCode {
    print!("{verdict}");
    match verdict.is_passed() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(EXIT_FLOOR_MISSED),
    }
}
