//! `turbohttp demo` and `turbohttp serve`.

use super::support::run;

#[test]
fn the_demo_needs_nothing_and_reports() {
    let run = run(&["demo"]);
    run.is_quietly_ok();
    let text = run.text();
    for part in [
        "2,000 requests finished in ",
        " slow ",
        " failing ",
        "held at the end: 0 contexts, 0 buffers",
        "one request on a new connection:\nconnection ",
        "one request on a connection used again:\nconnection ",
        "p99",
        "waits: queue ",
        "one dead host beside 9 healthy ones, at most 6 requests per host and 64 in total:",
        "healthy ones alone: ",
        "healthy ones beside the dead one: ",
        "waits: host_permit ",
        "6 running, 34 waiting for its permits",
        "40 inside: 0 completed, 0 failed, 34 canceled, 0 expired, 6 aborted; closed in ",
        "0 permits, 0 waiting, 0 contexts, 0 connections, 0 buffers",
        "a server of HTTP/2 that takes 8 requests at once, and 41 requests:",
        "with 8 that are never answered running, 32 waited for a permit",
        "8 streams reset, and the connection carried the rest",
        "medians of the waits by priority: critical ",
        "1 connection opened, no stream refused",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains('\x1b'));
    assert!(!text.contains("http errors (400 and more) 0"), "{text}");
}
