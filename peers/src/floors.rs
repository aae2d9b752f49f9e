//! What turbohttp has to reach beside the others, and whether it did.

use crate::bound::{Bound, Target, target};
use crate::peers::PeerName;
use crate::rounds::CaseResult;
use crate::verdict::{Outcome, Verdict};

/// Ratios of medians of one run. They lie some per cent below what was measured, as ratios to the
/// limit repeat within five per cent and those to libraries within fifteen.
///
/// Where the kernel is slow, as in some virtual machines, its part hides what libraries add, and
/// the ratios to them shrink; those to the limit do not. So nearly every case has one of each.
const FLOORS: [Target; 16] = [
    target("small-1", Bound::Of(PeerName::LimitTokio, 0.93)),
    target("small-1", Bound::Of(PeerName::Reqwest, 1.28)),
    target("small-64", Bound::Of(PeerName::LimitTokio, 0.80)),
    target("small-64", Bound::Of(PeerName::HyperUtil, 1.55)),
    target("small-64", Bound::Of(PeerName::Reqwest, 2.2)),
    target("small-256", Bound::Of(PeerName::LimitTokio, 0.76)),
    target("small-256", Bound::Of(PeerName::Reqwest, 2.6)),
    target("64k", Bound::Of(PeerName::LimitTokio, 0.95)),
    target("64k", Bound::Of(PeerName::Reqwest, 1.8)),
    target("chunked", Bound::Of(PeerName::LimitTokio, 0.72)),
    target("chunked", Bound::Of(PeerName::Reqwest, 3.0)),
    target("post", Bound::Of(PeerName::LimitTokio, 0.78)),
    target("post", Bound::Of(PeerName::Reqwest, 2.2)),
    target("stream", Bound::OfFastest(0.97)),
    target("collect", Bound::Of(PeerName::Reqwest, 1.4)),
    target("collect", Bound::Bodies(1.1)),
];

/// How far the rounds of the limit may lie apart before a case counts as disturbed.
const SPREAD_MAX: f64 = 1.25;

/// Holds the results against every floor, and that there are results against one of them at least.
pub(crate) fn judge(results: &[CaseResult]) -> Verdict {
    let mut verdict = Verdict::default();
    for floor in &FLOORS {
        let (outcome, line) = judge_floor(floor, results);
        verdict.push(outcome, line);
    }
    // Demands that hold elsewhere do not make up for it: cases were measured to be judged.
    if !results.is_empty() && verdict.is_empty_handed() {
        let line = "floors: not one was held, so that the cases show nothing".to_owned();
        verdict.push(Outcome::Missed, line);
    }
    for line in results.iter().filter_map(disturbance) {
        verdict.push_disturbed(line);
    }
    verdict
}

fn judge_floor(floor: &Target, results: &[CaseResult]) -> (Outcome, String) {
    let result = floor.result(results);
    let of = |peer| result.and_then(|result| floor.figure(result, peer));
    let Some(figure) = of(PeerName::Turbohttp) else {
        return (Outcome::NotMeasured, floor.to_string());
    };
    if floor.is_held_at(figure) {
        return (Outcome::Held, format!("{floor}: {figure:.3}"));
    }
    let limit = match floor.bound {
        Bound::Of(..) => of(PeerName::LimitTokio),
        Bound::OfFastest(_) | Bound::Bodies(_) | Bound::GrowthOf(..) => None,
    };
    let Some(limit) = limit.filter(|limit| !floor.is_held_at(*limit)) else {
        return (Outcome::Missed, format!("{floor}: {figure:.3}"));
    };
    let mut line = format!("{floor}: {figure:.3}, and limit-tokio itself {limit:.3}");
    match behind_limit(floor, results) {
        Some(behind) => {
            line.push_str("; but ");
            line.push_str(&behind);
            (Outcome::Missed, line)
        }
        None => (Outcome::OutOfReach, line),
    }
}

/// The floor against the limit at the same case, if there is one and it is missed: a machine on which the
/// limit is slow excuses no client that is slower still.
fn behind_limit(floor: &Target, results: &[CaseResult]) -> Option<String> {
    let is_of_limit = |other: &&Target| {
        other.case == floor.case && matches!(other.bound, Bound::Of(PeerName::LimitTokio, _))
    };
    let of_limit = FLOORS.iter().find(is_of_limit)?;
    let figure = of_limit.figure(of_limit.result(results)?, PeerName::Turbohttp)?;
    (!of_limit.is_held_at(figure)).then(|| format!("{of_limit}: {figure:.3}"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case;
    use crate::rounds::tests::{peer, result};

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
    fn out_of_reach_is_no_excuse_for_who_is_behind_the_limit() {
        let judged = |requests| {
            let peers = vec![
                peer(PeerName::Turbohttp, requests, 0),
                peer(PeerName::LimitTokio, 120, 0),
                peer(PeerName::Reqwest, 100, 0),
            ];
            judge(&[result("small-1", peers)])
        };
        // 0.93 of 120 is 111.6.
        assert!(judged(112).is_passed());
        let verdict = judged(111);
        assert!(!verdict.is_passed());
        let line = "MISSED: small-1 at least 1.28 of reqwest: 1.110, and limit-tokio itself 1.200; but \
                    small-1 at least 0.93 of limit-tokio: 0.925\n";
        let text = verdict.to_string();
        assert!(text.contains(line), "{text}");
        assert!(text.ends_with("verdict: 2 MISSED\n"), "{text}");
    }

    #[test]
    fn cases_without_a_floor_that_is_held_are_a_miss() {
        let peers = vec![
            peer(PeerName::Turbohttp, 100, 0),
            peer(PeerName::Reqwest, 1, 0),
        ];
        let mut verdict = Verdict::default();
        verdict.add(true, "a demand".to_owned());
        verdict.extend(judge(&[result("tls", peers)]));
        assert!(!verdict.is_passed());
        let text = verdict.to_string();
        assert!(text.contains("MISSED: floors: not one was held"), "{text}");
    }

    #[test]
    fn floors_ask_nothing_where_only_demands_were_asked_for() {
        let mut verdict = judge(&[]);
        assert!(!verdict.is_passed());
        verdict.add(true, "a demand".to_owned());
        assert!(verdict.is_passed());
    }

    #[test]
    fn memory_is_bounded_from_above() {
        let body = 64 * 1024 * 1024;
        for (grown, is_passed) in [(body, true), (2 * body, false)] {
            let verdict = judge(&[result("collect", vec![peer(PeerName::Turbohttp, 1, grown)])]);
            assert_eq!(verdict.is_passed(), is_passed);
        }
    }

    #[test]
    fn the_fastest_is_another() {
        let peers = || {
            vec![
                peer(PeerName::Turbohttp, 98, 0),
                peer(PeerName::TurbohttpQueue, 200, 0),
                peer(PeerName::HyperUtil, 100, 0),
                peer(PeerName::Reqwest, 90, 0),
            ]
        };
        let text = judge(&[result("stream", peers())]).to_string();
        assert!(
            text.contains("held: stream at least 0.97 of the fastest: 0.980\n"),
            "{text}"
        );
    }
}
