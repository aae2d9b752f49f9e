//! The defaults, as the README and the guide say them: a change of one is seen here.

use std::time::Duration;

use turbohttp::{Limits, Priority, QueueOptions, Reserve, Shutdown, Timeouts, limits};

const MIB: usize = 1024 * 1024;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// 128 hosts, and what else a client may keep.
#[test]
fn limits_are_these_unless_said_otherwise() {
    let limits = Limits::default();
    let bytes = (limits.body_bytes, limits.head_bytes, limits.head_fields);
    assert_eq!(bytes, (64 * MIB, 65_536, 128));
    assert_eq!((limits.idle_per_origin, limits.idle_total), (64, 256));
    assert_eq!((limits.per_host, limits.total), (64, 256));
    assert_eq!((limits.waiting, limits.waiting_per_host), (65_536, 10_000));
    assert_eq!((limits.idle_hosts, limits.ageing), (128, None));
    assert_eq!(limits.reserve, Reserve::NONE);
}

#[test]
fn timeouts_are_these_unless_said_otherwise() {
    let timeouts = Timeouts::default();
    assert_eq!(
        (timeouts.permit, timeouts.request),
        (Some(seconds(120)), None)
    );
    let connecting = (timeouts.dns, timeouts.connect, timeouts.tls);
    assert_eq!(connecting, (seconds(5), seconds(10), seconds(10)));
    assert_eq!((timeouts.head, timeouts.body), (seconds(30), seconds(30)));
    assert_eq!((timeouts.idle, timeouts.lifetime), (seconds(90), None));
}

/// 1,000 jobs at each level.
#[test]
fn a_queue_has_these_options_unless_said_otherwise() {
    let options = QueueOptions::default();
    let counts = (options.workers, options.per_priority, options.submitters);
    assert_eq!(counts, (64, 1_000, 1_024));
    assert_eq!((options.streamed, options.limits), (false, None));
    assert_eq!(Priority::default(), Priority::Normal);
}

/// A drain has 30 s.
#[test]
fn a_close_drains_for_thirty_seconds_unless_said_otherwise() {
    let within = seconds(30);
    assert_eq!(Shutdown::default(), Shutdown::Drain { within });
    assert_eq!(seconds(limits::DRAIN_SECONDS), within);
}
