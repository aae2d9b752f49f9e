//! Results for programs: one object per line.

use std::time::Duration;

use serde::Serialize;
use turbohttp::{CacheStatus, Phase, Timeline};

use super::heads::version_number;
use crate::batch::outcome::{Outcome, Verdict};

/// Raised when a field changes its meaning or goes away; new fields do not raise it.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Row<'a> {
    version: u32,
    line: u64,
    url: Option<&'a str>,
    status: Option<u16>,
    bytes: u64,
    error: Option<Fault<'a>>,
    /// Whether nothing was sent, as the file is there.
    skipped: bool,
    phases_us: Phases,
    total_us: f64,
    connection: Option<u64>,
    reused: bool,
    /// As of `-w '%{http_version}'`; `null` where no head has come.
    http_version: Option<&'static str>,
    /// `null` where the request made no TLS handshake.
    resumed: Option<bool>,
    /// `null` without `--cache`, and where no head has come.
    cache: Option<&'static str>,
}

#[derive(Serialize)]
struct Fault<'a> {
    kind: &'a str,
    phase: Option<&'a str>,
    message: &'a str,
}

/// Every phase is there; one that did not happen took 0.
#[derive(Default, Serialize)]
struct Phases {
    backoff: f64,
    queue: f64,
    pause: f64,
    host_permit: f64,
    total_permit: f64,
    dns: f64,
    connect: f64,
    tunnel: f64,
    tls: f64,
    send: f64,
    wait: f64,
    receive: f64,
}

/// The result of one line of a batch as one line of JSON.
pub(crate) fn row(outcome: &Outcome) -> serde_json::Result<String> {
    let timeline = outcome.timeline.as_deref();
    let (status, error) = match &outcome.verdict {
        Verdict::Answered(status) => (Some(*status), None),
        Verdict::Failed(failed) => {
            let phase = failed.phase.map(Phase::name);
            let fault = Fault {
                kind: failed.kind,
                phase,
                message: &failed.message,
            };
            (failed.status, Some(fault))
        }
        Verdict::Skipped => (None, None),
        Verdict::Bad(reason) => (
            None,
            Some(Fault {
                kind: "line",
                phase: None,
                message: reason,
            }),
        ),
    };
    serde_json::to_string(&Row {
        version: VERSION,
        line: outcome.line,
        url: outcome.url.as_deref(),
        status,
        bytes: outcome.bytes,
        error,
        skipped: matches!(outcome.verdict, Verdict::Skipped),
        phases_us: timeline.map(phases).unwrap_or_default(),
        total_us: timeline.map_or(0.0, |timeline| microseconds(timeline.total())),
        connection: timeline.and_then(Timeline::connection_id),
        reused: timeline.is_some_and(Timeline::is_connection_reused),
        http_version: outcome.version.map(version_number),
        resumed: timeline.and_then(Timeline::tls_resumed),
        cache: outcome.cache.map(CacheStatus::name),
    })
}

fn phases(timeline: &Timeline) -> Phases {
    let of = |phase| microseconds(timeline.duration(phase));
    Phases {
        backoff: of(Phase::Backoff),
        queue: of(Phase::Queue),
        pause: of(Phase::Pause),
        host_permit: of(Phase::HostPermit),
        total_permit: of(Phase::TotalPermit),
        dns: of(Phase::Dns),
        connect: of(Phase::Connect),
        tunnel: of(Phase::Tunnel),
        tls: of(Phase::Tls),
        send: of(Phase::Send),
        wait: of(Phase::Wait),
        receive: of(Phase::Receive),
    }
}

/// Phases of a warm request are shorter than one, so the fraction is kept: to the nanosecond.
fn microseconds(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use turbohttp::{Phase, Version};

    use super::row;
    use crate::batch::outcome::{Outcome, Verdict};

    #[test]
    fn a_row_has_every_phase() {
        let outcome = Outcome {
            line: 7,
            weight: 0,
            url: Some("http://h/\"".to_owned()),
            bytes: 13,
            verdict: Verdict::Answered(200),
            timeline: None,
            version: Some(Version::HTTP_2),
            cache: None,
        };
        let row: serde_json::Value = serde_json::from_str(&row(&outcome).unwrap()).unwrap();
        assert_eq!(row["version"], 1);
        assert_eq!(row["line"], 7);
        assert_eq!(row["url"], "http://h/\"");
        assert!(row["error"].is_null());
        assert_eq!(row["http_version"], "2");
        let phases = row["phases_us"].as_object().unwrap();
        assert_eq!(phases.len(), Phase::COUNT);
        assert!(
            Phase::ALL
                .iter()
                .all(|phase| phases.contains_key(phase.name()))
        );
    }
}
