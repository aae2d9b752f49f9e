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
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains('\x1b'));
    assert!(!text.contains("http errors (400 and more) 0"), "{text}");
}
