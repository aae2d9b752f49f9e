//! `turbohttp bench`: a load, and what is told of it.

use serde_json::Value;
use turbohttp_loopback::{Options, Server};

use super::support::{run, run_with_input, server};

fn figures(arguments: &[&str]) -> (Value, Option<i32>) {
    let run = run(arguments);
    assert_eq!(run.stderr, "");
    (serde_json::from_str(run.text()).unwrap(), run.code)
}

#[test]
fn a_load_has_as_many_requests_as_were_asked_for() {
    let server = server();
    let url = server.url("/small");
    let (told, code) = figures(&["bench", &url, "-n", "500", "-c", "7", "--json"]);
    assert_eq!(code, Some(0));
    assert_eq!(
        (&told["answered"], &told["failed"]),
        (&500.into(), &0.into())
    );
    assert_eq!(told["statuses"], serde_json::json!({"200": 500}));
    assert_eq!(told["bytes"], 500 * 13);
    assert!(told["connections"].as_u64().unwrap() <= 7, "{told}");
    assert_eq!(server.stats().requests, 500);
    let latency = &told["latency_us"];
    let at = |name: &str| latency[name].as_f64().unwrap();
    assert!(at("min") <= at("p50") && at("p50") <= at("p99") && at("p99") <= at("max"));
}

#[test]
fn what_is_sent_is_what_was_typed() {
    let server = server();
    let run = run(&[
        "bench",
        &server.url("/echo"),
        "-n",
        "1",
        "-d",
        "abc",
        "-H",
        "x: y",
    ]);
    run.is_quietly_ok();
    assert!(run.text().starts_with("1 request in "), "{}", run.text());
    assert!(run.text().contains("3 B of bodies"), "{}", run.text());
    assert!(
        run.text().contains("answered 1 (200: 1)   failed 0"),
        "{}",
        run.text()
    );
    for part in ["p50 ", "p99.9 ", "mean ", "max "] {
        assert!(run.text().contains(part), "{}", run.text());
    }
}

/// Each answer takes 50 ms and one caller sends: at 100 a second the tenth is due at 90 ms and answered at 500 ms.
#[test]
fn what_a_slow_server_keeps_from_being_sent_is_not_left_out() {
    let server = Server::start(Options::default()).unwrap();
    let url = server.url("/delay/50");
    let rate = [
        "bench", &url, "-n", "10", "-c", "1", "--rate", "100", "--json",
    ];
    let (told, _) = figures(&rate);
    let at = |which: &str, name: &str| told[which][name].as_f64().unwrap();
    // Each request after the first one waits 40 ms longer than the one before.
    assert!(
        at("latency_us", "max") >= at("since_sent_us", "min") * 10.0 - 90_000.0,
        "{told}"
    );
    assert!(
        at("latency_us", "max") > 2.0 * at("since_sent_us", "p50"),
        "{told}"
    );
    assert_eq!(told["rate"], 100.0);
}

#[test]
fn a_time_ends_a_load_and_drops_what_is_under_way() {
    let server = server();
    let (told, code) = figures(&[
        "bench",
        &server.url("/never"),
        "-z",
        "100ms",
        "-c",
        "3",
        "--json",
    ]);
    assert_eq!(
        (&told["answered"], &told["dropped"]),
        (&0.into(), &3.into())
    );
    assert_eq!(code, Some(1), "nothing was answered");
}

/// One caller that is never answered, at a rate: what was due meanwhile is in no latency, and is told.
#[test]
fn what_was_due_and_never_sent_is_told() {
    let server = server();
    let url = server.url("/never");
    let (told, _) = figures(&[
        "bench", &url, "-z", "100ms", "-c", "1", "--rate", "100", "--json",
    ]);
    assert_eq!(
        (&told["dropped"], &told["unsent"]),
        (&1.into(), &9.into()),
        "{told}"
    );
}

#[test]
fn errors_are_counted_and_told_once() {
    let run = run(&["bench", "http://127.0.0.1:1/", "-n", "20", "-c", "2"]);
    assert_eq!(run.code, Some(1));
    assert!(run.text().contains("failed 20"), "{}", run.text());
    assert_eq!(
        run.text().matches("connect 20: ").count(),
        1,
        "{}",
        run.text()
    );
}

#[test]
fn slow_rates_are_told_with_their_fraction() {
    let url = server().url("/small");
    let run = run(&["bench", &url, "-n", "1", "--rate", "0.001"]);
    assert!(run.text().contains(" of 0.001/s"), "{}", run.text());
}

#[test]
fn a_body_may_come_from_stdin_and_is_bounded() {
    let server = server();
    let url = server.url("/echo");
    let run = run_with_input(&["bench", &url, "-n", "2", "-d", "@-"], b"abc");
    assert!(run.text().contains("6 B of bodies"), "{}", run.text());
    #[cfg(unix)]
    {
        let run = super::support::run(&["bench", &url, "-d", "@/dev/zero"]);
        run.fails_with(2, &["/dev/zero is longer than 67108864 bytes"]);
    }
}

#[test]
fn what_cannot_be_is_refused() {
    for (arguments, part) in [
        (["http://h/", "--rate", "0"], "more than 0"),
        (["http://h/", "--rate", "x"], "not a number"),
        (["http://h/", "-c", "0"], "0"),
        (["http://h/", "-d", "@/no/such"], "/no/such cannot be read"),
        (["ftp://h/", "-n", "1"], "ftp"),
    ] {
        let run = run(&[&["bench"], &arguments[..]].concat());
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(run.stderr.contains(part), "{}", run.stderr);
    }
}
