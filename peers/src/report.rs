//! The result as Markdown and as JSON.

use std::fmt::Write;

use anyhow::Result;
use serde::Serialize;

use crate::aims::Aim;
use crate::environment::Environment;
use crate::limiter::Table;
use crate::peers::PeerName;
use crate::rounds::{CaseResult, PeerResult};
use crate::sample::Sample;
use crate::verdict::Verdict;

/// A run as JSON, samples included; the environment stands first.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) environment: Environment,
    pub(crate) cases: Vec<CaseResult>,
    pub(crate) mock: Vec<Table>,
    pub(crate) aims: Vec<Aim>,
    /// Of floors and demands, whether they are a gate in this run or not.
    pub(crate) verdict: Verdict,
}

impl Report {
    pub(crate) fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }
}

/// Whose rates the others are divided by.
const BASES: [PeerName; 4] = [
    PeerName::LimitTokio,
    PeerName::HyperUtil,
    PeerName::Reqwest,
    PeerName::Wrk,
];

/// The case whose processes tell what connections cost in memory.
const MEMORY_CASE: &str = "small-256";

/// The table of a case, the fastest peer first.
pub(crate) fn markdown(result: &CaseResult) -> String {
    let mut text = String::new();
    write_case(&mut text, result).expect("writing to memory does not fail");
    if result.case.name == MEMORY_CASE {
        write_memory(&mut text, result).expect("writing to memory does not fail");
    }
    text
}

fn write_case(text: &mut String, result: &CaseResult) -> std::fmt::Result {
    let is_bulk = result.case.workload.is_bulk();
    let unit = if is_bulk { "MB/s" } else { "req/s" };
    writeln!(text, "### {}: {}\n", result.case.name, result.case.title)?;
    write!(text, "| peer | {unit} | min-max |")?;
    for base in BASES {
        write!(text, " / {} |", base.name())?;
    }
    writeln!(
        text,
        " p50 us | p99 us | CPU us | user | system | over limit | allocs | bytes | RSS MB | grown by |"
    )?;
    writeln!(text, "|---{}|", "|--:".repeat(6 + 10))?;
    let mut peers: Vec<&PeerResult> = result.peers.iter().collect();
    peers.sort_by(|a, b| {
        b.median(Sample::per_second)
            .total_cmp(&a.median(Sample::per_second))
    });
    for peer in peers {
        write_peer(text, result, peer)?;
    }
    writeln!(text)?;
    let left_out = result.left_out.iter();
    let left_out: Vec<String> = left_out
        .map(|(peer, reason)| format!("{} ({reason})", peer.name()))
        .collect();
    if left_out.is_empty() {
        return Ok(());
    }
    writeln!(text, "`-`: {}\n", left_out.join(", "))
}

fn write_peer(text: &mut String, result: &CaseResult, peer: &PeerResult) -> std::fmt::Result {
    let length = result.case.workload.content_length() as f64;
    let scale = if result.case.workload.is_bulk() {
        length / 1e6
    } else {
        1.0
    };
    let (least, most) = peer.range();
    let (least, most) = (least * scale, most * scale);
    let rate = peer.median(Sample::per_second);
    let cpu = peer.median(Sample::cpu_us_per_request);
    let user = cpu * peer.median(|sample| sample.user_share);
    write!(
        text,
        "| {} | {:.0} | {least:.0}-{most:.0} |",
        peer.peer.name(),
        rate * scale
    )?;
    for base in BASES {
        write!(text, " {} |", ratio_cell(result, rate, base))?;
    }
    // What another program does inside is not known.
    let inside = |figure: fn(&Sample) -> f64, digits| match &peer.counted {
        None => "-".to_owned(),
        Some(_) => format!("{:.digits$}", peer.median(figure)),
    };
    let counted = |figure: fn(&Sample) -> u64, digits| match &peer.counted {
        None => "-".to_owned(),
        Some(sample) => {
            let per_request = figure(sample) as f64 / sample.requests.max(1) as f64;
            format!("{per_request:.digits$}")
        }
    };
    writeln!(
        text,
        " {} | {} | {cpu:.2} | {user:.2} | {:.2} | {} | {} | {} | {} | {} |",
        inside(|sample| sample.p50_ns / 1e3, 1),
        inside(|sample| sample.p99_ns / 1e3, 0),
        cpu - user,
        over_limit_cell(result, cpu),
        counted(|sample| sample.allocations, 1),
        counted(|sample| sample.allocated_bytes, 0),
        inside(|sample| sample.rss_peak_bytes as f64 / 1e6, 1),
        inside(|sample| sample.rss_growth_bytes as f64 / 1e6, 1),
    )
}

/// What this peer's own code costs: its processor time less the limit's.
fn over_limit_cell(result: &CaseResult, cpu: f64) -> String {
    let limit = result.peer(PeerName::LimitTokio);
    let limit = limit.map(|limit| limit.median(Sample::cpu_us_per_request));
    limit.map_or("-".to_owned(), |limit| format!("{:.2}", cpu - limit))
}

fn ratio_cell(result: &CaseResult, rate: f64, to: PeerName) -> String {
    let base = result.peer(to).map(|base| base.median(Sample::per_second));
    base.map_or("-".to_owned(), |base| format!("{:.2}", rate / base))
}

/// Memory by peer, each in a process of its own: idle (client and callers made; of `hyper-conn` and the
/// limits, which have no pool, connected too), at its peak, and the difference.
fn write_memory(text: &mut String, result: &CaseResult) -> std::fmt::Result {
    writeln!(text, "### memory: {}\n", result.case.title)?;
    writeln!(
        text,
        "| peer | idle MB | peak MB | grown by MB | per caller KB | / hyper-util |"
    )?;
    writeln!(text, "|---|--:|--:|--:|--:|--:|")?;
    let growth = |peer: &PeerResult| peer.median(|sample| sample.rss_growth_bytes as f64);
    let base = result.peer(PeerName::HyperUtil).map(growth);
    let measured = |peer: &&PeerResult| peer.counted.is_some();
    let mut peers: Vec<&PeerResult> = result.peers.iter().filter(measured).collect();
    peers.sort_by(|a, b| growth(a).total_cmp(&growth(b)));
    for peer in peers {
        let (peak, grown) = (
            peer.median(|sample| sample.rss_peak_bytes as f64),
            growth(peer),
        );
        let ratio = base.map_or("-".to_owned(), |base| format!("{:.2}", grown / base));
        writeln!(
            text,
            "| {} | {:.1} | {:.1} | {:.1} | {:.1} | {ratio} |",
            peer.peer.name(),
            (peak - grown) / 1e6,
            peak / 1e6,
            grown / 1e6,
            grown / 1e3 / result.case.callers as f64,
        )?;
    }
    writeln!(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rounds::tests::{peer, result};

    /// The cells of the row that begins with `name`, in the table with that title.
    fn row(text: &str, title: &str, name: &str) -> Vec<String> {
        let table = text.split("### ").find(|table| table.starts_with(title));
        let start = format!("| {name} |");
        let row = table.unwrap().lines().find(|line| line.starts_with(&start));
        let cells = row.unwrap().trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    }

    #[test]
    fn rows_have_ratios_and_unknown_cells_are_dashes() {
        let mut wrk = peer(PeerName::Wrk, 200, 0);
        wrk.counted = None;
        let mut measured = result(
            "small-64",
            vec![peer(PeerName::Turbohttp, 250, 5_000_000), wrk],
        );
        measured.left_out = vec![(PeerName::Isahc, "not asked for")];
        let text = markdown(&measured);
        let ours = row(&text, "small-64", "turbohttp");
        assert_eq!(ours[1..7], ["250", "250-250", "-", "-", "-", "1.25"]);
        assert_eq!(ours.last().unwrap(), "5.0");
        let wrk = row(&text, "small-64", "wrk");
        assert_eq!((wrk.len(), wrk[7].as_str()), (ours.len(), "-"));
        let header = row(&text, "small-64", "peer");
        assert_eq!(header.len(), ours.len());
        assert!(text.contains("`-`: isahc (not asked for)\n"), "{text}");
        assert!(!text.contains("### memory"), "{text}");
    }

    #[test]
    fn memory_at_many_callers_has_a_table_of_its_own() {
        let measured = result(
            "small-256",
            vec![
                peer(PeerName::HyperUtil, 1, 10_240_000),
                peer(PeerName::Turbohttp, 1, 5_120_000),
            ],
        );
        let ours = row(&markdown(&measured), "memory", "turbohttp");
        assert_eq!(ours[3..], ["5.1", "20.0", "0.50"]);
    }

    #[test]
    fn environment_stands_first_in_json() {
        let report = Report {
            environment: Environment::read(),
            cases: vec![result("tls", vec![peer(PeerName::Reqwest, 1, 0)])],
            mock: Vec::new(),
            aims: Vec::new(),
            verdict: Verdict::default(),
        };
        let json = report.json().unwrap();
        assert!(
            json.trim_start_matches("{\n")
                .trim_start()
                .starts_with("\"environment\"")
        );
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["cases"][0]["peers"][0]["peer"], "reqwest");
    }
}
