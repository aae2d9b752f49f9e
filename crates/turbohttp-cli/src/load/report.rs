//! The figures of a load, for people and for programs.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json as object};

use super::stats::Latency;
use super::{Ended, Stats};
use crate::output::text::{bytes, count, duration, of};

/// The shares of the answers whose latencies are told, in percent.
const PERCENTILES: [f64; 7] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99];

/// For people. `rate` is what was asked for.
pub(crate) fn text(ended: &Ended, rate: Option<f64>) -> String {
    let Ended { stats, took, .. } = ended;
    let sent = stats.answers() + stats.failures();
    let mut out = format!("{} in {}", of(sent, "request"), duration(*took));
    _ = write!(out, ", {}", each_second(per_second(sent, *took)));
    if let Some(rate) = rate {
        _ = write!(out, " of {rate}/s");
    }
    _ = writeln!(out, ", {} of bodies", bytes(stats.bytes));
    let statuses = stats.statuses.iter();
    let statuses: Vec<String> = statuses
        .map(|(status, n)| format!("{status}: {}", count(*n)))
        .collect();
    _ = write!(out, "  answered {}", count(stats.answers()));
    if !statuses.is_empty() {
        _ = write!(out, " ({})", statuses.join(", "));
    }
    _ = write!(out, "   failed {}", count(stats.failures()));
    if stats.dropped > 0 {
        _ = write!(out, "   dropped at the end {}", count(stats.dropped));
    }
    if stats.unsent > 0 {
        _ = write!(out, "   due and never sent {}", count(stats.unsent));
    }
    if let Some(connections) = stats.connections {
        _ = write!(out, "   connections {}", count(connections));
    }
    out.push('\n');
    for (kind, (n, told)) in &stats.failures {
        _ = writeln!(out, "  {kind} {}: {told}", count(*n));
    }
    if stats.answers() > 0 {
        let due = if rate.is_some() {
            ", from when each was due"
        } else {
            ""
        };
        _ = writeln!(out, "  latency{due}:");
        latency(&mut out, &stats.latency, stats);
        if rate.is_some() {
            out.push_str("  from when each was sent:\n");
            latency(&mut out, &stats.alone, stats);
        }
    }
    out
}

fn latency(out: &mut String, latency: &Latency, stats: &Stats) {
    let mean = duration(latency.mean(stats.answers()));
    let min = duration(latency.min.unwrap_or_default());
    let max = duration(latency.histogram.max());
    _ = writeln!(out, "    mean {mean}   min {min}   max {max}");
    let shares = PERCENTILES.map(|percent| {
        let at = latency.histogram.quantile(percent / 100.0);
        format!("p{percent} {}", duration(at))
    });
    _ = writeln!(out, "    {}", shares.join("   "));
}

/// For programs: times in microseconds.
pub(crate) fn json(ended: &Ended, rate: Option<f64>) -> String {
    let Ended { stats, took, stop } = ended;
    let sent = stats.answers() + stats.failures();
    let failures = stats.failures.iter();
    let failures: serde_json::Map<String, Value> = failures
        .map(|(kind, (n, told))| ((*kind).to_owned(), object!({"count": n, "first": told})))
        .collect();
    let statuses = stats.statuses.iter();
    let statuses: serde_json::Map<String, Value> = statuses
        .map(|(status, n)| (status.to_string(), (*n).into()))
        .collect();
    let figures = object!({
        "version": 1,
        "requests": sent,
        "answered": stats.answers(),
        "failed": stats.failures(),
        "dropped": stats.dropped,
        "unsent": stats.unsent,
        "interrupted": stop.is_some(),
        "bytes": stats.bytes,
        "connections": stats.connections,
        "took_us": micros(*took),
        "per_second": per_second(sent, *took),
        "rate": rate,
        "statuses": statuses,
        "failures": failures,
        "latency_us": percentiles(&stats.latency, stats),
        "since_sent_us": percentiles(&stats.alone, stats),
    });
    format!("{figures}\n")
}

fn percentiles(latency: &Latency, stats: &Stats) -> Value {
    let mut told = serde_json::Map::new();
    told.insert("mean".into(), micros(latency.mean(stats.answers())).into());
    told.insert("min".into(), micros(latency.min.unwrap_or_default()).into());
    for percent in PERCENTILES {
        let at = latency.histogram.quantile(percent / 100.0);
        told.insert(format!("p{percent}"), micros(at).into());
    }
    told.insert("max".into(), micros(latency.histogram.max()).into());
    told.into()
}

fn per_second(sent: u64, took: Duration) -> f64 {
    sent as f64 / took.as_secs_f64().max(f64::MIN_POSITIVE)
}

/// A slow rate is told with its fraction.
fn each_second(rate: f64) -> String {
    match rate < 10.0 {
        true => format!("{rate:.2}/s"),
        false => format!("{rate:.0}/s"),
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e3
}
