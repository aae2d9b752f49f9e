//! The result as Markdown and as JSON.

use std::fmt::Write;

use anyhow::Result;

use crate::peers::PeerName;
use crate::rounds::{CaseResult, PeerResult};
use crate::sample::Sample;

/// One table per case, the fastest peer first.
pub(crate) fn markdown(results: &[CaseResult]) -> String {
    let mut text = String::new();
    for result in results {
        write_case(&mut text, result).expect("writing to memory does not fail");
    }
    text
}

/// Everything, samples included.
pub(crate) fn json(results: &[CaseResult]) -> Result<String> {
    Ok(serde_json::to_string_pretty(results)?)
}

fn write_case(text: &mut String, result: &CaseResult) -> std::fmt::Result {
    let is_bulk = result.case.workload.is_bulk();
    let unit = if is_bulk { "MB/s" } else { "req/s" };
    writeln!(text, "### {}\n", result.case.title)?;
    writeln!(
        text,
        "| peer | {unit} | min-max | / limit-tokio | / reqwest | p50 us | p99 us | CPU us | user \
         | over limit | allocs | bytes | RSS MB | grown by |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    )?;
    let mut peers: Vec<&PeerResult> = result.peers.iter().collect();
    peers.sort_by(|a, b| {
        b.median(Sample::per_second)
            .total_cmp(&a.median(Sample::per_second))
    });
    for peer in peers {
        write_peer(text, result, peer)?;
    }
    writeln!(text)
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
    let cpu = peer.median(Sample::cpu_us_per_request);
    let requests = peer.counted.requests.max(1) as f64;
    writeln!(
        text,
        "| {} | {:.0} | {least:.0}-{most:.0} | {} | {} | {:.1} | {:.0} | {cpu:.2} | {:.2} | {} \
         | {:.1} | {:.0} | {:.1} | {:.1} |",
        peer.peer.name(),
        peer.median(Sample::per_second) * scale,
        ratio_cell(result, peer, PeerName::LimitTokio),
        ratio_cell(result, peer, PeerName::Reqwest),
        peer.median(|sample| sample.p50_ns) / 1e3,
        peer.median(|sample| sample.p99_ns) / 1e3,
        cpu * peer.median(|sample| sample.user_share),
        over_limit_cell(result, cpu),
        peer.counted.allocations as f64 / requests,
        peer.counted.allocated_bytes as f64 / requests,
        peer.median(|sample| sample.rss_peak_bytes as f64) / 1e6,
        peer.median(|sample| sample.rss_growth_bytes as f64) / 1e6,
    )
}

/// What this peer's own code costs: its processor time less the limit's.
fn over_limit_cell(result: &CaseResult, cpu: f64) -> String {
    let limit = result.peer(PeerName::LimitTokio);
    let limit = limit.map(|limit| limit.median(Sample::cpu_us_per_request));
    limit.map_or("-".to_owned(), |limit| format!("{:.2}", cpu - limit))
}

fn ratio_cell(result: &CaseResult, peer: &PeerResult, to: PeerName) -> String {
    let base = result.peer(to).map(|base| base.median(Sample::per_second));
    base.map_or("-".to_owned(), |base| {
        format!("{:.2}", peer.median(Sample::per_second) / base)
    })
}
