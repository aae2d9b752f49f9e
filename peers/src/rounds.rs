//! The rounds: A B C D, A B C D, case after case.

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::args::RunArgs;
use crate::case::Case;
use crate::children::{self, Mode, SERVER_CORE, ServerProcess};
use crate::machine;
use crate::peers::PeerName;
use crate::sample::{Sample, median};

/// All samples of one case.
#[derive(Serialize)]
pub(crate) struct CaseResult {
    pub(crate) case: Case,
    pub(crate) peers: Vec<PeerResult>,
    /// Who is not in the table, and why.
    pub(crate) left_out: Vec<(PeerName, &'static str)>,
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
    /// Of a process of its own: only its allocations are of interest. None of another program.
    pub(crate) counted: Option<Sample>,
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

/// The peers that were asked for, or all that can be measured here.
pub(crate) fn peers(asked: &[PeerName]) -> Result<Vec<PeerName>> {
    for peer in asked {
        let obstacle = peer.obstacle();
        ensure!(
            obstacle.is_none(),
            "{}: {}",
            peer.name(),
            obstacle.unwrap_or_default()
        );
    }
    if !asked.is_empty() {
        return Ok(asked.to_vec());
    }
    let all = PeerName::ALL.into_iter();
    Ok(all.filter(|peer| peer.obstacle().is_none()).collect())
}

/// Measures these cases, and shows each as soon as it is there.
pub(crate) fn measure(
    args: &RunArgs,
    cases: &[Case],
    show: impl Fn(&CaseResult),
) -> Result<Vec<CaseResult>> {
    ensure!(args.rounds > 0, "at least one round");
    ensure!(
        args.seconds > 0.0 && args.seconds < 1e6,
        "a round takes some seconds"
    );
    let peers = peers(&args.peers)?;
    machine::prefer_session(args.niceness);
    let _spinners = children::spinners()?;
    let mut results = Vec::new();
    for case in cases {
        let result = measure_case(args, *case, &peers)?;
        show(&result);
        results.push(result);
    }
    Ok(results)
}

fn measure_case(args: &RunArgs, case: Case, peers: &[PeerName]) -> Result<CaseResult> {
    // On the multi-thread runtime both cores belong to both.
    let core = (!case.multi_thread).then_some(SERVER_CORE);
    let server = ServerProcess::start(core, case.tls)?;
    let run = |peer, mode| children::client(&server, &case, peer, mode);
    eprint!("{} ", case.name);
    let mut results = Vec::new();
    for &peer in peers.iter().filter(|peer| case.has(**peer)) {
        let counted = match peer.is_external() {
            true => None,
            false => Some(run(peer, Mode::CountAllocations)?),
        };
        results.push(PeerResult {
            peer,
            rounds: Vec::new(),
            counted,
        });
    }
    for _ in 0..args.rounds {
        for result in &mut results {
            let seconds = args.seconds * result.peer.share_of_time();
            result
                .rounds
                .push(run(result.peer, Mode::Timed { seconds })?);
        }
        eprint!(".");
    }
    eprintln!();
    let left_out = PeerName::ALL.into_iter();
    let left_out = left_out.filter(|peer| results.iter().all(|result| result.peer != *peer));
    Ok(CaseResult {
        case,
        left_out: left_out.map(|peer| (peer, reason(&case, peer))).collect(),
        peers: results,
    })
}

/// Why a peer is not in the table of a case.
fn reason(case: &Case, peer: PeerName) -> &'static str {
    if !case.has(peer) {
        return "not in this case";
    }
    peer.obstacle().unwrap_or("not asked for")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::case;

    /// A peer that made so many requests in a second.
    pub(crate) fn peer(peer: PeerName, requests: u64, grown: u64) -> PeerResult {
        let sample = Sample {
            requests,
            elapsed_ns: 1_000_000_000,
            rss_growth_bytes: grown,
            ..Sample::default()
        };
        PeerResult {
            peer,
            rounds: vec![sample],
            counted: Some(sample),
        }
    }

    pub(crate) fn result(name: &str, peers: Vec<PeerResult>) -> CaseResult {
        let case = case::select(&[name.to_owned()], &[]).unwrap()[0];
        CaseResult {
            case,
            peers,
            left_out: Vec::new(),
        }
    }

    #[test]
    fn who_is_left_out_is_told_why() {
        let case = |name: &str| result(name, Vec::new()).case;
        assert_eq!(reason(&case("stream"), PeerName::Wrk), "not in this case");
        assert_eq!(reason(&case("tls"), PeerName::Reqwest), "not asked for");
    }

    #[cfg(not(feature = "libcurl"))]
    #[test]
    fn peer_that_was_not_built_cannot_be_asked_for() {
        let error = peers(&[PeerName::Isahc]).unwrap_err();
        assert_eq!(error.to_string(), "isahc: built without `libcurl`");
        assert!(!peers(&[]).unwrap().contains(&PeerName::Isahc));
    }
}
