//! Limits of time that do not contradict each other.

use std::time::Duration;

use anyhow::bail;
use turbohttp::Timeouts;

use crate::args::TimeArgs;

/// The limits of the phases: as they were typed, or all of the time of a request, or the defaults. The
/// limit of the whole request is not among them.
///
/// # Errors
///
/// If a phase may take longer than the whole: that limit would never be reached, and was meant.
pub(crate) fn phases(args: &TimeArgs) -> anyhow::Result<Timeouts> {
    type Set = fn(Timeouts, Duration) -> Timeouts;
    let phases: [(&str, Option<Duration>, Set); 5] = [
        ("--dns-timeout", args.dns_timeout, Timeouts::dns),
        ("--connect-timeout", args.connect_timeout, Timeouts::connect),
        ("--tls-timeout", args.tls_timeout, Timeouts::tls),
        ("--head-timeout", args.head_timeout, Timeouts::head),
        ("--body-timeout", args.body_timeout, Timeouts::body),
    ];
    let mut timeouts = Timeouts::default();
    for (name, typed, set) in phases {
        if let (Some(typed), Some(whole)) = (typed, args.timeout)
            && typed > whole
        {
            bail!(
                "{name} {typed:?} is longer than --timeout {whole:?}, which ends the request before"
            );
        }
        // What was not typed at all is left to the client.
        // As in curl, where that limit spans the three of them.
        let spanned = match name {
            "--dns-timeout" | "--tls-timeout" => args.connect_timeout,
            _ => None,
        };
        if let Some(limit) = typed.or(spanned).or(args.timeout) {
            timeouts = set(timeouts, limit);
        }
    }
    Ok(timeouts)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{TimeArgs, Timeouts, phases};

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn the_time_of_the_whole_replaces_defaults_and_no_others() {
        let default = Timeouts::default();
        assert_eq!(phases(&TimeArgs::default()).unwrap(), default);
        for whole in [Duration::from_secs(1), 3 * MINUTE] {
            let args = TimeArgs {
                timeout: Some(whole),
                tls_timeout: Some(whole / 2),
                ..TimeArgs::default()
            };
            let times = phases(&args).unwrap();
            let all = [times.dns, times.connect, times.head, times.body];
            assert_eq!(all, [whole; 4]);
            assert_eq!(times.tls, whole / 2);
        }
    }

    #[test]
    fn the_time_of_a_connection_is_that_of_name_and_handshake_too() {
        let second = Duration::from_secs(1);
        let mut args = TimeArgs {
            connect_timeout: Some(second),
            tls_timeout: Some(2 * second),
            ..TimeArgs::default()
        };
        let times = phases(&args).unwrap();
        assert_eq!(
            [times.dns, times.connect, times.tls],
            [second, second, 2 * second]
        );
        assert_eq!(times.head, Timeouts::default().head);
        args.timeout = Some(MINUTE);
        assert_eq!(phases(&args).unwrap().dns, second);
    }

    #[test]
    fn a_phase_that_is_longer_than_the_whole_is_refused() {
        let mut args = TimeArgs {
            head_timeout: Some(5 * MINUTE),
            ..TimeArgs::default()
        };
        assert_eq!(phases(&args).unwrap().head, 5 * MINUTE);
        args.timeout = Some(3 * MINUTE);
        let error = phases(&args).unwrap_err().to_string();
        assert!(
            error.starts_with("--head-timeout 300s is longer than --timeout 180s"),
            "{error}"
        );
        args.head_timeout = args.timeout;
        assert!(phases(&args).is_ok());
    }
}
