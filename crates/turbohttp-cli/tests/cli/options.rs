//! What `turbohttp get` tells, and what it refuses.

use std::fs;

use serde_json::Value;
use turbohttp_loopback::script::{Script, Step};

use super::support::{Directory, run, server};

#[test]
fn what_is_written_out_is_in_order() {
    let server = server();
    let got = run(&[
        "get",
        "-o",
        "/dev/null",
        "-w",
        "%{json}",
        &server.url("/bytes/5000"),
    ]);
    got.is_quietly_ok();
    let told: Value = serde_json::from_str(got.text()).unwrap();
    let times = [
        "namelookup",
        "connect",
        "pretransfer",
        "starttransfer",
        "total",
    ];
    let times = times.map(|name| told[format!("time_{name}")].as_f64().unwrap());
    assert!(times.is_sorted() && times[4] > 0.0, "{told}");
    assert_eq!(told["size_download"], 5_000);
    assert_eq!(told["remote_port"], server.addr().port());
    assert_eq!(
        (&told["exitcode"], &told["errormsg"]),
        (&0.into(), &Value::Null)
    );
    let speed = told["speed_download"].as_f64().unwrap();
    assert!(speed >= 5_000.0 / times[4] * 0.99 - 1.0, "{told}");
}

#[test]
fn a_failure_is_written_out_with_its_message() {
    let server = server();
    let format = "%{exitcode} %{http_code} %{size_download} %{errormsg}";
    let got = run(&[
        "get",
        "-s",
        "-o",
        "/dev/null",
        "-w",
        format,
        &server.url("/drop/1000"),
    ]);
    assert_eq!((got.code, &*got.stderr), (Some(18), ""));
    assert!(got.text().starts_with("18 200 500 "), "{}", got.text());
    assert!(got.text().contains("/drop/1000"), "{}", got.text());
}

#[test]
fn fields_are_written_out_as_json() {
    let answer = "HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: \"2\"\r\ncontent-length: 0\r\n\r\n";
    let script = Script::new()
        .accept([Step::ReadHead, Step::send(answer)])
        .start()
        .unwrap();
    let got = run(&["get", "-w", "%{header_json}", &script.url("/")]);
    got.is_quietly_ok();
    let told: Value = serde_json::from_str(got.text()).unwrap();
    assert_eq!(told["x-a"], serde_json::json!(["1", "\"2\""]));
    assert_eq!(told["content-length"][0], "0");
}

#[test]
fn silence_is_broken_by_errors_that_are_asked_for() {
    let server = server();
    let url = server.url("/status/404");
    for (options, lines) in [(&["-s"][..], 0), (&["-sS"], 1), (&["-S"], 1), (&[], 1)] {
        let got = run(&[&["get", "-f", &url], options].concat());
        assert_eq!(got.code, Some(22));
        assert_eq!(
            got.stderr.lines().count(),
            lines,
            "{options:?}: {}",
            got.stderr
        );
    }
    let got = run(&["get", "-s", "-f", &url, "--next", "-f", &url]);
    assert_eq!((got.code, &*got.stderr), (Some(22), ""));
    // What was typed wrong is told in any case.
    let got = run(&["get", "-s", "-I", "-d", "x", &url]);
    got.fails_with(2, &["--head asks for the head only"]);
}

#[test]
fn a_redirect_may_go_where_nothing_is_kept() {
    let answer = "HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 2\r\n\r\nno";
    let script = Script::new()
        .accept([Step::ReadHead, Step::send(answer)])
        .repeat_last()
        .start()
        .unwrap();
    let url = script.url("/");
    let format = "%{http_code} %{redirect_url}";
    let got = run(&["get", "-s", "-o", "/dev/null", "-w", format, &url]);
    got.is_quietly_ok();
    assert_eq!(got.text(), format!("302 {}", script.url("/x")));
    let directory = Directory::new();
    run(&["get", "-o", &directory.file("page"), &url]).fails_with(47, &["/x"]);
    assert_eq!(directory.names(), [""; 0]);
}

#[test]
fn what_breaks_off_goes_on_where_it_was() {
    let first = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n01234";
    let second = "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 5-9/10\r\ncontent-length: 5\r\n\r\n56789";
    let third = "HTTP/1.1 416 Range Not Satisfiable\r\ncontent-range: bytes */10\r\ncontent-length: 0\r\n\r\n";
    let other = "HTTP/1.1 416 Range Not Satisfiable\r\ncontent-range: bytes */9\r\ncontent-length: 0\r\n\r\n";
    let moved = "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 4-9/10\r\ncontent-length: 6\r\n\r\n456789";
    let mut script = Script::new();
    for answer in [first, second, third, other, moved] {
        script = script.accept([Step::ReadHead, Step::send(answer)]);
    }
    let script = script.start().unwrap();
    let directory = Directory::new();
    let file = directory.file("file");
    let arguments = ["get", "-C", "-", "-o", &file, &script.url("/")];
    run(&arguments).fails_with(18, &[]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "01234");
    run(&arguments).is_quietly_ok();
    assert_eq!(fs::read_to_string(&file).unwrap(), "0123456789");
    run(&arguments).is_quietly_ok();
    run(&arguments).fails_with(33, &["the server has 9"]);
    run(&arguments).fails_with(33, &["begins at byte 10"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "0123456789");
    let asked = script
        .received()
        .into_iter()
        .map(|head| String::from_utf8(head).unwrap());
    let asked: Vec<bool> = asked.map(|head| head.contains("range: bytes=")).collect();
    assert_eq!(asked, [false, true, true, true, true]);
}

#[test]
fn a_body_that_is_too_long_leaves_no_file() {
    let server = server();
    let directory = Directory::new();
    let file = directory.file("file");
    for path in ["/bytes/2000", "/chunked/20/100", "/close/2000"] {
        let arguments = [
            "get",
            "--max-filesize",
            "1k",
            "-o",
            &file,
            &server.url(path),
        ];
        run(&arguments).fails_with(63, &["longer than --max-filesize 1024"]);
    }
    assert_eq!(directory.names(), [""; 0]);
    run(&[
        "get",
        "--max-filesize",
        "2000",
        "-o",
        &file,
        &server.url("/bytes/2000"),
    ])
    .is_quietly_ok();
}

#[test]
fn a_slow_pace_ends_with_the_time_of_the_request() {
    let server = server();
    let url = server.url("/bytes/1000000");
    let got = run(&[
        "get",
        "--limit-rate",
        "10",
        "-m",
        "0.5",
        "-o",
        "/dev/null",
        &url,
    ]);
    got.fails_with(28, &["--limit-rate", "--timeout"]);
}

#[test]
fn heads_that_cannot_be_written_are_told() {
    let server = server();
    let got = run(&["get", "-D", "/no/such/heads", &server.url("/small")]);
    got.fails_with(23, &["--dump-header /no/such/heads"]);
    assert_eq!(got.text(), "");
    let got = run(&["get", "-D", "/dev/full", &server.url("/small")]);
    got.fails_with(23, &["--dump-header"]);
}

#[test]
fn what_cannot_go_together_is_refused() {
    let url = "http://h/";
    for (options, part) in [
        (&["-I", "-d", "x"][..], "--head"),
        (&["-r", "0-", "-d", "x"], "--range"),
        (&["-T", "f", "-d", "x"], "--upload-file"),
        (&["-F", "a=b", "-T", "f"], "--form"),
        (&["-F", "a=b;c"], "what stands behind ; is unknown"),
        (&["-F", "a=@x,y"], "several files"),
        (&["-J"], "--remote-header-name"),
        (&["-J", "-O", "-C", "-"], "--continue-at"),
        (&["-C", "x", "-o", "f"], "number of bytes"),
        (&["-o", "a", "-o", "b"], "more -o and -O"),
        (&["-T", "a", "-T", "b"], "more --upload-file"),
        (&["-w", "%{nope}"], "no variable %{nope}"),
        (&["--rate", "3/x"], "2/s"),
        (&["--limit-rate", "0"], "more than zero"),
        (&["--parallel-max", "301"], "from 1 to 300"),
        (&["http://h/{a"], "brace that is not closed in column 10"),
        (&["-A", "a\nb"], "User-Agent"),
    ] {
        let got = run(&[&["get", url], options].concat());
        assert_eq!(got.code, Some(2), "{options:?}: {}", got.stderr);
        assert!(got.stderr.contains(part), "{options:?}: {}", got.stderr);
    }
}

#[test]
fn help_has_headings_and_a_short_form() {
    let (short, long) = (run(&["get", "-h"]), run(&["get", "--help"]));
    for heading in [
        "Request:",
        "Content:",
        "Files:",
        "Output:",
        "Several requests:",
        "Time:",
        "TLS:",
    ] {
        assert!(
            short.text().contains(&format!("\n{heading}\n")),
            "{heading}"
        );
    }
    assert!(
        long.text().contains("time_starttransfer") && !short.text().contains("time_starttransfer")
    );
}
