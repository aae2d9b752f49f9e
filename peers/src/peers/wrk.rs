//! wrk, a program of its own: its requests per second and its processor time are known, and no more.
//! It looks at no field and checks no length, so that it does less than the others.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::Work;
use crate::machine;
use crate::sample::Sample;

/// Runs wrk for at least `seconds`, of which it takes whole ones only.
pub(crate) fn measure(work: &Work, callers: usize, seconds: f64) -> Result<Sample> {
    ensure!(
        !work.is_tls() && work.content.is_none(),
        "wrk is used for plain GET requests only"
    );
    let seconds = seconds.max(1.0).ceil();
    let before = machine::ticks_of_children();
    let output = Command::new("wrk")
        .args(["--threads", "1", "--connections", &callers.to_string()])
        .args(["--duration", &format!("{seconds}s"), &work.url])
        .stdin(Stdio::null())
        .output()
        .context("wrk is needed for this")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{}: {text}", output.status);
    let told = Told::read(&text)?;
    let after = machine::ticks_of_children();
    let (user, system) = (after.0 - before.0, after.1 - before.1);
    let ticks = user + system;
    Ok(Sample {
        requests: told.requests,
        elapsed_ns: (told.requests as f64 / told.per_second * 1e9) as u64,
        cpu_ns: ticks * 1_000_000_000 / machine::ticks_per_second(),
        user_share: user as f64 / ticks.max(1) as f64,
        ..Sample::default()
    })
}

/// What is taken from its report.
#[derive(Debug, PartialEq)]
struct Told {
    requests: u64,
    per_second: f64,
}

impl Told {
    fn read(text: &str) -> Result<Told> {
        let mut requests = None;
        let mut per_second = None;
        for line in text.lines().map(str::trim) {
            ensure!(
                !line.starts_with("Socket errors") && !line.starts_with("Non-2xx"),
                "{line}"
            );
            if let Some((count, _)) = line.split_once(" requests in ") {
                requests = count.parse().ok();
            } else if let Some(rate) = line.strip_prefix("Requests/sec:") {
                per_second = rate.trim().parse().ok();
            }
        }
        let (Some(requests), Some(per_second)) = (requests, per_second) else {
            anyhow::bail!("no figures in: {text}");
        };
        ensure!(requests > 0 && per_second > 0.0, "no request was answered");
        Ok(Told {
            requests,
            per_second,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "Running 1s test @ http://127.0.0.1:1/small\n  1 threads and 64 connections\n  \
        Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency   300.00us  100.00us   9.00ms   \
        90.00%\n  20469 requests in 1.10s, 4.00MB read\nRequests/sec:  18608.18\nTransfer/sec:      \
        3.64MB\n";

    #[test]
    fn report_is_read() {
        let told = Told {
            requests: 20_469,
            per_second: 18_608.18,
        };
        assert_eq!(Told::read(REPORT).unwrap(), told);
    }

    #[test]
    fn errors_in_the_report_are_errors() {
        for line in [
            "  Socket errors: connect 0, read 3, write 0, timeout 0\n",
            "  Non-2xx or 3xx responses: 12\n",
        ] {
            let error = Told::read(&format!("{REPORT}{line}")).unwrap_err();
            assert_eq!(error.to_string(), line.trim());
        }
        assert!(Told::read("nothing\n").is_err());
        assert!(Told::read(&REPORT.replace("20469", "0")).is_err());
    }
}
