//! What turbohttp strives for beyond its floors. An aim that is not reached fails nothing; beside it
//! stands what would be needed to tell whether it can be: what the limit reaches of it, and what the
//! client's own code costs over the limit.

use std::fmt::Write;

use serde::Serialize;

use crate::bound::{Bound, Target, target};
use crate::peers::PeerName;
use crate::rounds::CaseResult;
use crate::sample::Sample;

const AIMS: [Target; 16] = [
    target("small-1", Bound::Of(PeerName::Reqwest, 1.3)),
    target("small-64", Bound::Of(PeerName::Reqwest, 2.5)),
    target("small-64", Bound::Of(PeerName::HyperUtil, 1.75)),
    target("small-64", Bound::Of(PeerName::Wrk, 1.2)),
    target("small-64", Bound::Of(PeerName::LimitTokio, 0.88)),
    target("small-256", Bound::Of(PeerName::Reqwest, 2.9)),
    target("small-256", Bound::GrowthOf(PeerName::HyperUtil, 0.6)),
    target("64k", Bound::Of(PeerName::Reqwest, 1.9)),
    target("64k", Bound::Of(PeerName::LimitTokio, 0.97)),
    target("chunked", Bound::Of(PeerName::Reqwest, 3.5)),
    target("post", Bound::Of(PeerName::Reqwest, 2.5)),
    target("stream", Bound::OfFastest(0.97)),
    target("collect", Bound::Of(PeerName::Reqwest, 1.45)),
    target("multi", Bound::Of(PeerName::Reqwest, 2.7)),
    target("multi", Bound::Of(PeerName::LimitTokio, 0.90)),
    target("tls", Bound::Of(PeerName::Reqwest, 1.8)),
];

/// What came of one aim.
#[derive(Debug, Serialize)]
pub(crate) struct Aim {
    aim: String,
    figure: f64,
    is_reached: bool,
    /// What limit-tokio reaches of it.
    of_limit: Option<f64>,
    /// Processor time per request less the limit's, in microseconds.
    over_limit_us: Option<f64>,
}

/// Holds the results against every aim whose case and peers were measured.
pub(crate) fn judge(results: &[CaseResult]) -> Vec<Aim> {
    let aims = AIMS.iter().filter_map(|aim| judge_aim(aim, results));
    aims.collect()
}

fn judge_aim(aim: &Target, results: &[CaseResult]) -> Option<Aim> {
    let result = aim.result(results)?;
    let figure = aim.figure(result, PeerName::Turbohttp)?;
    let cpu = |peer| Some(result.peer(peer)?.median(Sample::cpu_us_per_request));
    let over_limit = || Some(cpu(PeerName::Turbohttp)? - cpu(PeerName::LimitTokio)?);
    Some(Aim {
        aim: aim.to_string(),
        figure,
        is_reached: aim.is_held_at(figure),
        // Of itself it reaches all, which tells nothing.
        of_limit: match aim.bound {
            Bound::Of(PeerName::LimitTokio, _) => None,
            _ => aim.figure(result, PeerName::LimitTokio),
        },
        over_limit_us: over_limit(),
    })
}

/// The aims as a table; nothing where there are none.
pub(crate) fn markdown(aims: &[Aim]) -> String {
    let mut text = String::new();
    if !aims.is_empty() {
        text.push_str("### Aims\n\n| aim | figure | reached? |\n|---|--:|---|\n");
    }
    for aim in aims {
        let (name, figure, reached) = (&aim.aim, aim.figure, reached(aim));
        writeln!(text, "| {name} | {figure:.3} | {reached} |")
            .expect("writing to memory does not fail");
    }
    text
}

fn reached(aim: &Aim) -> String {
    if aim.is_reached {
        return "yes".to_owned();
    }
    let mut text = "no".to_owned();
    if let Some(limit) = aim.of_limit {
        let _ = write!(text, "; limit-tokio itself {limit:.3}");
    }
    if let Some(over) = aim.over_limit_us {
        let _ = write!(text, "; the client's CPU over the limit {over:.2} us");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case;
    use crate::rounds::tests::{peer, result};

    #[test]
    fn every_aim_names_a_case_with_its_peer() {
        for aim in &AIMS {
            let case = case::select(&[aim.case.to_owned()], &[]).unwrap()[0];
            if let Bound::Of(peer, _) | Bound::GrowthOf(peer, _) = aim.bound {
                assert!(case.has(peer), "{aim}");
            }
        }
    }

    #[test]
    fn aim_that_is_missed_tells_what_the_limit_reaches() {
        let peers = vec![
            peer(PeerName::Turbohttp, 250, 0),
            peer(PeerName::LimitTokio, 300, 0),
            peer(PeerName::Reqwest, 100, 0),
            peer(PeerName::HyperUtil, 160, 0),
        ];
        let text = markdown(&judge(&[result("small-64", peers)]));
        let rows: Vec<&str> = text.lines().skip(4).collect();
        let expected = [
            "| small-64 at least 2.50 of reqwest | 2.500 | yes |",
            "| small-64 at least 1.75 of hyper-util | 1.562 | no; limit-tokio itself 1.875; the \
             client's CPU over the limit 0.00 us |",
            "| small-64 at least 0.88 of limit-tokio | 0.833 | no; the client's CPU over the limit 0.00 \
             us |",
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn growth_of_memory_is_held_against_another() {
        let growth = |grown| {
            let peers = vec![
                peer(PeerName::Turbohttp, 1, grown),
                peer(PeerName::HyperUtil, 1, 100),
            ];
            let aims = judge(&[result("small-256", peers)]);
            aims.into_iter()
                .find(|aim| aim.aim.contains("memory"))
                .unwrap()
        };
        assert!(growth(60).is_reached);
        assert!(!growth(61).is_reached);
    }

    #[test]
    fn nothing_measured_is_no_table() {
        assert_eq!(markdown(&judge(&[])), "");
    }
}
