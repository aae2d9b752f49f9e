//! What turbohttp has to reach beside the others, and whether it did.

use crate::peers::PeerName;
use crate::rounds::{CaseResult, PeerResult};
use crate::sample::Sample;
use crate::verdict::{Outcome, Verdict};

/// A bound on one ratio.
struct Floor {
    case: &'static str,
    bound: Bound,
}

enum Bound {
    /// At least this many times the requests of that peer.
    Of(PeerName, f64),
    /// At least this many times the requests of the fastest peer.
    OfFastest(f64),
    /// Peak memory grows by at most this many times the content.
    Bodies(f64),
}

impl Floor {
    fn is_held_at(&self, figure: f64) -> bool {
        match self.bound {
            Bound::Of(_, least) | Bound::OfFastest(least) => figure >= least,
            Bound::Bodies(most) => figure <= most,
        }
    }
}

const fn floor(case: &'static str, bound: Bound) -> Floor {
    Floor { case, bound }
}

/// Ratios of medians of one run. They lie some per cent below what was measured, as ratios to the
/// limit repeat within five per cent and those to libraries within fifteen.
///
/// Where the kernel is slow, as in some virtual machines, its part hides what libraries add, and
/// the ratios to them shrink; those to the limit do not. So nearly every case has one of each.
const FLOORS: [Floor; 16] = [
    floor("small-1", Bound::Of(PeerName::LimitTokio, 0.93)),
    floor("small-1", Bound::Of(PeerName::Reqwest, 1.28)),
    floor("small-64", Bound::Of(PeerName::LimitTokio, 0.80)),
    floor("small-64", Bound::Of(PeerName::HyperUtil, 1.55)),
    floor("small-64", Bound::Of(PeerName::Reqwest, 2.2)),
    floor("small-256", Bound::Of(PeerName::LimitTokio, 0.76)),
    floor("small-256", Bound::Of(PeerName::Reqwest, 2.6)),
    floor("64k", Bound::Of(PeerName::LimitTokio, 0.95)),
    floor("64k", Bound::Of(PeerName::Reqwest, 1.8)),
    floor("chunked", Bound::Of(PeerName::LimitTokio, 0.72)),
    floor("chunked", Bound::Of(PeerName::Reqwest, 3.0)),
    floor("post", Bound::Of(PeerName::LimitTokio, 0.78)),
    floor("post", Bound::Of(PeerName::Reqwest, 2.2)),
    floor("stream", Bound::OfFastest(0.97)),
    floor("collect", Bound::Of(PeerName::Reqwest, 1.4)),
    floor("collect", Bound::Bodies(1.1)),
];

/// How far the rounds of the limit may lie apart before a case counts as disturbed.
const SPREAD_MAX: f64 = 1.25;

/// Holds the results against every floor.
pub(crate) fn judge(results: &[CaseResult]) -> Verdict {
    let mut verdict = Verdict::default();
    for floor in &FLOORS {
        let (outcome, line) = judge_floor(floor, results);
        verdict.push(outcome, line);
    }
    for line in results.iter().filter_map(disturbance) {
        verdict.push_disturbed(line);
    }
    verdict
}

fn judge_floor(floor: &Floor, results: &[CaseResult]) -> (Outcome, String) {
    let wanted = describe(floor);
    let result = results.iter().find(|result| result.case.name == floor.case);
    let of = |peer| result.and_then(|result| figure(&floor.bound, result, peer));
    let Some(figure) = of(PeerName::Turbohttp) else {
        return (Outcome::NotMeasured, wanted);
    };
    if floor.is_held_at(figure) {
        return (Outcome::Held, format!("{wanted}: {figure:.3}"));
    }
    let limit = match floor.bound {
        Bound::Of(..) => of(PeerName::LimitTokio),
        Bound::OfFastest(_) | Bound::Bodies(_) => None,
    };
    match limit.filter(|limit| !floor.is_held_at(*limit)) {
        Some(limit) => {
            let line = format!("{wanted}: {figure:.3}, and limit-tokio itself {limit:.3}");
            (Outcome::OutOfReach, line)
        }
        None => (Outcome::Missed, format!("{wanted}: {figure:.3}")),
    }
}

/// The limit does the same in every round; when its rounds differ, the machine was busy.
fn disturbance(result: &CaseResult) -> Option<String> {
    let (least, most) = result.peer(PeerName::LimitTokio)?.range();
    let line = || {
        format!(
            "{}: limit-tokio from {least:.1} to {most:.1}/s",
            result.case.name
        )
    };
    (most > least * SPREAD_MAX).then(line)
}

fn describe(floor: &Floor) -> String {
    let case = floor.case;
    match floor.bound {
        Bound::Of(peer, least) => format!("{case} at least {least:.2} of {}", peer.name()),
        Bound::OfFastest(least) => format!("{case} at least {least:.2} of the fastest"),
        Bound::Bodies(most) => format!("{case} at most {most:.2} bodies of memory"),
    }
}

/// What `peer` reaches of what the bound asks for.
fn figure(bound: &Bound, result: &CaseResult, peer: PeerName) -> Option<f64> {
    let speed = |peer: &PeerResult| peer.median(Sample::per_second);
    let this = result.peer(peer)?;
    Some(match bound {
        Bound::Of(other, _) => speed(this) / speed(result.peer(*other)?),
        Bound::OfFastest(_) => {
            let others = result.peers.iter().filter(|other| other.peer != peer);
            speed(this) / others.map(speed).reduce(f64::max)?
        }
        Bound::Bodies(_) => {
            let grown = this.median(|sample| sample.rss_growth_bytes as f64);
            grown / result.case.workload.content_length() as f64
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case;

    fn peer(peer: PeerName, requests: u64, grown: u64) -> PeerResult {
        let sample = Sample {
            requests,
            elapsed_ns: 1_000_000_000,
            rss_growth_bytes: grown,
            ..Sample::default()
        };
        PeerResult {
            peer,
            rounds: vec![sample],
            counted: sample,
        }
    }

    fn result(name: &str, peers: Vec<PeerResult>) -> CaseResult {
        let case = case::select(&[name.to_owned()], &[]).unwrap()[0];
        CaseResult { case, peers }
    }

    #[test]
    fn every_floor_names_a_case() {
        for floor in &FLOORS {
            case::select(&[floor.case.to_owned()], &[]).unwrap();
        }
    }

    #[test]
    fn missed_floor_is_named_with_its_figure() {
        let peers = vec![
            peer(PeerName::Turbohttp, 120, 0),
            peer(PeerName::Reqwest, 100, 0),
        ];
        let verdict = judge(&[result("small-1", peers)]);
        assert!(!verdict.is_passed());
        let text = verdict.to_string();
        assert!(
            text.contains("MISSED: small-1 at least 1.28 of reqwest: 1.200\n"),
            "{text}"
        );
        assert!(
            text.contains("not measured: small-1 at least 0.93 of limit-tokio\n"),
            "{text}"
        );
    }

    #[test]
    fn floor_that_the_limit_misses_is_out_of_reach() {
        let peers = vec![
            peer(PeerName::Turbohttp, 119, 0),
            peer(PeerName::LimitTokio, 120, 0),
            peer(PeerName::Reqwest, 100, 0),
        ];
        let verdict = judge(&[result("small-1", peers)]);
        assert!(verdict.is_passed());
        let line = "out of reach: small-1 at least 1.28 of reqwest: 1.190, and limit-tokio itself \
                    1.200\n";
        assert!(verdict.to_string().contains(line), "{verdict}");
    }

    #[test]
    fn memory_is_bounded_from_above() {
        let body = 64 * 1024 * 1024;
        for (grown, is_passed) in [(body, true), (2 * body, false)] {
            let verdict = judge(&[result("collect", vec![peer(PeerName::Turbohttp, 1, grown)])]);
            assert_eq!(verdict.is_passed(), is_passed);
        }
    }
}
