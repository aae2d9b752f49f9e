//! The rounds: A B C D, A B C D, case after case.

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::args::RunArgs;
use crate::case::{self, CASES, Case};
use crate::children::{self, Mode, SERVER_CORE, ServerProcess};
use crate::machine;
use crate::peers::PeerName;
use crate::sample::{Sample, median};

/// All samples of one case.
#[derive(Serialize)]
pub(crate) struct CaseResult {
    pub(crate) case: Case,
    pub(crate) peers: Vec<PeerResult>,
}

impl CaseResult {
    pub(crate) fn peer(&self, name: PeerName) -> Option<&PeerResult> {
        self.peers.iter().find(|result| result.peer == name)
    }
}

/// All samples of one peer at one case.
#[derive(Serialize)]
pub(crate) struct PeerResult {
    pub(crate) peer: PeerName,
    pub(crate) rounds: Vec<Sample>,
    /// Of a process of its own: only its allocations are of interest.
    pub(crate) counted: Sample,
}

impl PeerResult {
    /// The least and the greatest rate of the rounds, per second.
    pub(crate) fn range(&self) -> (f64, f64) {
        let rates = || self.rounds.iter().map(Sample::per_second);
        (
            rates().fold(f64::MAX, f64::min),
            rates().fold(0.0, f64::max),
        )
    }

    /// The median of a figure over the rounds.
    pub(crate) fn median(&self, figure: impl Fn(&Sample) -> f64) -> f64 {
        median(self.rounds.iter().map(figure))
    }
}

/// Measures what the arguments ask for.
pub(crate) fn measure(args: &RunArgs) -> Result<Vec<CaseResult>> {
    ensure!(args.rounds > 0, "at least one round");
    ensure!(
        args.seconds > 0.0 && args.seconds < 1e6,
        "a round takes some seconds"
    );
    let cases = case::select(&args.only, &CASES.map(|case| case.name))?;
    let peers = if args.peers.is_empty() {
        &PeerName::ALL[..]
    } else {
        &args.peers
    };
    machine::prefer_session(args.niceness);
    let _spinners = children::spinners()?;
    cases
        .into_iter()
        .map(|case| measure_case(args, case, peers))
        .collect()
}

fn measure_case(args: &RunArgs, case: Case, peers: &[PeerName]) -> Result<CaseResult> {
    // On the multi-thread runtime both cores belong to both.
    let server = ServerProcess::start((!case.multi_thread).then_some(SERVER_CORE))?;
    let run = |peer, mode| children::client(&server.url, &case, peer, mode);
    eprint!("{} ", case.name);
    let mut results = Vec::new();
    for &peer in peers {
        let counted = run(peer, Mode::CountAllocations)?;
        results.push(PeerResult {
            peer,
            rounds: Vec::new(),
            counted,
        });
    }
    for _ in 0..args.rounds {
        for result in &mut results {
            result.rounds.push(run(
                result.peer,
                Mode::Timed {
                    seconds: args.seconds,
                },
            )?);
        }
        eprint!(".");
    }
    eprintln!();
    Ok(CaseResult {
        case,
        peers: results,
    })
}
