//! Bounds on ratios: what floors and aims are made of.

use std::fmt;

use crate::peers::PeerName;
use crate::rounds::{CaseResult, PeerResult};
use crate::sample::Sample;

/// What turbohttp is to reach at a case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) case: &'static str,
    pub(crate) bound: Bound,
}

/// A bound on one ratio of medians of the same run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    /// At least this many times the requests of that peer.
    Of(PeerName, f64),
    /// At least this many times the requests of the fastest other.
    OfFastest(f64),
    /// Peak memory grows by at most this many times the content.
    Bodies(f64),
    /// Memory grows over idle by at most this many times what that peer's does.
    GrowthOf(PeerName, f64),
}

pub(crate) const fn target(case: &'static str, bound: Bound) -> Target {
    Target { case, bound }
}

impl Target {
    /// The case that it is about, if it was measured.
    pub(crate) fn result<'a>(&self, results: &'a [CaseResult]) -> Option<&'a CaseResult> {
        results.iter().find(|result| result.case.name == self.case)
    }

    pub(crate) fn is_held_at(&self, figure: f64) -> bool {
        match self.bound {
            Bound::Of(_, least) | Bound::OfFastest(least) => figure >= least,
            Bound::Bodies(most) | Bound::GrowthOf(_, most) => figure <= most,
        }
    }

    /// What `peer` reaches of what the bound asks for.
    pub(crate) fn figure(&self, result: &CaseResult, peer: PeerName) -> Option<f64> {
        let speed = |peer: &PeerResult| peer.median(Sample::per_second);
        let growth = |peer: &PeerResult| peer.median(|sample| sample.rss_growth_bytes as f64);
        let this = result.peer(peer)?;
        Some(match self.bound {
            Bound::Of(other, _) => speed(this) / speed(result.peer(other)?),
            Bound::OfFastest(_) => {
                let is_other = |other: &&PeerResult| other.peer != peer && !other.peer.is_ours();
                let others = result.peers.iter().filter(is_other);
                speed(this) / others.map(speed).reduce(f64::max)?
            }
            Bound::Bodies(_) => growth(this) / result.case.workload.content_length() as f64,
            Bound::GrowthOf(other, _) => growth(this) / growth(result.peer(other)?),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let case = self.case;
        match self.bound {
            Bound::Of(peer, least) => write!(f, "{case} at least {least:.2} of {}", peer.name()),
            Bound::OfFastest(least) => write!(f, "{case} at least {least:.2} of the fastest"),
            Bound::Bodies(most) => write!(f, "{case} at most {most:.2} bodies of memory"),
            Bound::GrowthOf(peer, most) => {
                let name = peer.name();
                write!(f, "{case} grows memory by at most {most:.2} of {name}")
            }
        }
    }
}
