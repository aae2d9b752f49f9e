//! Numbers, heads and reports for people.

use std::fmt::Write as _;
use std::time::Duration;

use super::width::fold;
use crate::batch::tally::{REASONS, Tally, Waits};
use crate::interrupt::Stop;

/// A duration with three or four digits and its unit.
pub(crate) fn duration(duration: Duration) -> String {
    let us = duration.as_secs_f64() * 1e6;
    match us {
        0.0 => "0 µs".to_owned(),
        us if us < 10.0 => format!("{us:.1} µs"),
        us if us < 1e3 => format!("{us:.0} µs"),
        us if us < 1e6 => format!("{:.2} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

/// A number with its thousands apart.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes in the largest unit that leaves a whole part.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let mut value = number as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// How many per second.
pub(crate) fn rate(number: u64, elapsed: Duration) -> String {
    let rate = number as f64 / elapsed.as_secs_f64().max(1e-9);
    if rate < 10.0 {
        format!("{rate:.1}/s")
    } else {
        format!("{}/s", count(rate as u64))
    }
}

/// `1 line`, `2 lines`.
pub(crate) fn of(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number))
}

/// The end of a batch: counts, bytes, time, latencies; and what ended it, if a signal did.
pub(crate) fn summary(tally: &Tally, elapsed: Duration, stop: Option<Stop>) -> String {
    let finished = tally.finished();
    let mut out = format!(
        "{} finished in {}, {}, {}\n",
        of(finished, "request"),
        duration(elapsed),
        rate(finished, elapsed),
        bytes(tally.bytes),
    );
    let _ = write!(out, "  ok {}", count(tally.ok));
    let _ = write!(
        out,
        "   http errors (400 and more) {}",
        count(tally.http_errors)
    );
    let _ = write!(out, "   failed {}", count(tally.failed()));
    let kinds: Vec<String> = tally
        .failed_by_kind
        .iter()
        .map(|(kind, n)| format!("{kind} {}", count(*n)))
        .collect();
    if !kinds.is_empty() {
        let _ = write!(out, " ({})", kinds.join(", "));
    }
    let _ = write!(out, "   bad lines {}", count(tally.bad_lines));
    if tally.skipped > 0 {
        let _ = write!(out, "   skipped {}", count(tally.skipped));
    }
    out.push('\n');
    if tally.canceled > 0 {
        let by = stop.unwrap_or(Stop::Interrupt).name();
        let _ = writeln!(out, "  canceled by {by} {}", count(tally.canceled));
    }
    let latency = &tally.latency;
    if !latency.is_empty() {
        let _ = writeln!(
            out,
            "  latency of answered requests, once started: p50 {}   p90 {}   p99 {}   max {}",
            duration(latency.quantile(0.5)),
            duration(latency.quantile(0.9)),
            duration(latency.quantile(0.99)),
            duration(latency.max()),
        );
    }
    out.push_str(&waits(&tally.waits));
    out
}

/// A line for each reason for which requests waited before they were started.
pub(crate) fn waits(by_reason: &[Waits; REASONS.len()]) -> String {
    let mut out = String::new();
    for (waits, phase) in by_reason.iter().zip(REASONS) {
        if waits.count > 0 {
            let _ = writeln!(
                out,
                "  waits: {:<12} {}, mean {}, max {}",
                phase.name(),
                of(waits.count, "request"),
                duration(waits.mean()),
                duration(waits.max),
            );
        }
    }
    out
}

/// A row of the table of origins.
pub(crate) struct OriginRow<'a> {
    pub(crate) name: &'a str,
    pub(crate) tally: &'a Tally,
}

/// Columns of the table of origins.
const ORIGINS_COLUMNS: usize = 86;

/// One line per origin; several, where they do not fit into one.
pub(crate) fn origins(rows: &[OriginRow<'_>], elapsed: Duration, columns: Option<usize>) -> String {
    if columns.is_some_and(|columns| columns < ORIGINS_COLUMNS) {
        return fold(&narrow_origins(rows, elapsed), columns);
    }
    let mut out = format!(
        "{:<32} {:>8} {:>6} {:>7} {:>9} {:>9} {:>9}\n",
        "origin", "requests", "ok", "failed", "p50", "p99", "rate"
    );
    for row in rows {
        let tally = row.tally;
        let _ = writeln!(
            out,
            "{:<32} {:>8} {:>6} {:>7} {:>9} {:>9} {:>9}",
            row.name,
            count(tally.finished()),
            count(tally.ok),
            count(tally.finished() - tally.ok),
            duration(tally.latency.quantile(0.5)),
            duration(tally.latency.quantile(0.99)),
            rate(tally.finished(), elapsed),
        );
    }
    out
}

fn narrow_origins(rows: &[OriginRow<'_>], elapsed: Duration) -> String {
    let mut out = String::new();
    for OriginRow { name, tally } in rows {
        let _ = writeln!(
            out,
            "{name}\n  {}, ok {}, failed {}, p50 {}, p99 {}, {}",
            of(tally.finished(), "request"),
            count(tally.ok),
            count(tally.finished() - tally.ok),
            duration(tally.latency.quantile(0.5)),
            duration(tally.latency.quantile(0.99)),
            rate(tally.finished(), elapsed),
        );
    }
    out
}

/// Fields whose values are secrets. The help of `get --verbose` names them.
const SECRET_FIELDS: [&str; 4] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
];

/// What names of other secret fields contain, in lower case. The help names these, too.
const SECRET_PARTS: [&str; 4] = ["api-key", "password", "secret", "token"];

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_FIELDS.contains(&&*name) || SECRET_PARTS.iter().any(|part| name.contains(part))
}

/// A field of a head for a human reader: the values of [`is_secret`] names are hidden, other bytes than text spelled out.
pub(crate) fn field(name: &str, value: &[u8]) -> String {
    if is_secret(name) {
        return format!("{name}: [hidden]");
    }
    format!(
        "{name}: {}",
        super::visible(&String::from_utf8_lossy(value))
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{bytes, count, duration, field, rate};

    #[test]
    fn numbers_are_short_and_have_units() {
        assert_eq!(duration(Duration::from_nanos(1_234)), "1.2 µs");
        assert_eq!(duration(Duration::from_micros(123)), "123 µs");
        assert_eq!(duration(Duration::from_micros(12_345)), "12.35 ms");
        assert_eq!(duration(Duration::from_millis(61_000)), "61.00 s");
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(5 << 40), "5.0 TiB");
        assert_eq!(rate(5, Duration::from_secs(2)), "2.5/s");
    }

    #[test]
    fn secrets_are_hidden_in_any_case_of_letters() {
        assert_eq!(field("Set-Cookie", b"id=1"), "Set-Cookie: [hidden]");
        assert_eq!(
            field("authorization", b"Basic x"),
            "authorization: [hidden]"
        );
        for name in [
            "X-Api-Key",
            "api-key",
            "x-auth-token",
            "Client-Secret",
            "x-password-2",
        ] {
            assert_eq!(field(name, b"1"), format!("{name}: [hidden]"));
        }
        assert_eq!(field("x-key", b"1"), "x-key: 1");
        assert_eq!(field("x", b"a\x1b\xff"), "x: a\\u{1b}\u{fffd}");
    }
}
