//! `turbohttp batch`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;

use serde_json::Value;
use turbohttp_loopback::{Server, pattern};

use super::support::{Directory, Run, run, run_with_input, server, turbohttp};

const PHASES: [&str; 11] = [
    "queue",
    "pause",
    "host_permit",
    "total_permit",
    "dns",
    "connect",
    "tunnel",
    "tls",
    "send",
    "wait",
    "receive",
];

/// The objects on stdout, by line number.
fn rows(run: &Run) -> BTreeMap<u64, Value> {
    let parse = |line| serde_json::from_str::<Value>(line).unwrap();
    run.text()
        .lines()
        .map(parse)
        .map(|row| (row["line"].as_u64().unwrap(), row))
        .collect()
}

/// Lines of every kind: two of nothing, three good ones, an error of each sort, six bad ones.
fn mixed(server: &Server) -> String {
    let object = |path, fields| format!(r#"{{"url":"{}",{fields}}}"#, server.url(path));
    let lines = [
        server.url("/small"),
        String::new(),
        "# a comment".to_owned(),
        object(
            "/echo",
            r#""method":"POST","body":"abc","headers":{"x":"y"}"#,
        ),
        "not a url".to_owned(),
        "{\"url\":".to_owned(),
        object("/small", r#""colour":"red""#),
        object("/small", r#""method":"FETCH""#),
        object("/small", r#""priority":"urgent""#),
        server.url("/status/404"),
        server.url("/drop/1000"),
        object("/chunked/4/100", r#""priority":"high""#),
        format!("http://{}", "a".repeat(300_000)),
    ];
    lines.join("\n")
}

const MIXED_COUNTS: &str =
    "ok 3   http errors (400 and more) 1   failed 1 (truncated 1)   bad lines 6";

#[test]
fn json_tells_what_became_of_each_line() {
    let run = run_with_input(&["batch", "-", "--json"], mixed(&server()).as_bytes());
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(
        run.stderr.contains(MIXED_COUNTS) && run.stderr.contains("p50 "),
        "{}",
        run.stderr
    );
    let rows = rows(&run);
    assert_eq!(
        rows.keys().copied().collect::<Vec<_>>(),
        [1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    );
    for row in rows.values() {
        assert_eq!(row["version"], 1);
        let has_phase = |phase: &str| row["phases_us"][phase].is_number();
        assert!(PHASES.into_iter().all(has_phase), "{row}");
        assert!(
            row["total_us"].is_number() && row["reused"].is_boolean() && row["resumed"].is_null(),
            "{row}"
        );
    }
    for (line, status, bytes) in [(1, 200, 13), (4, 200, 3), (10, 404, 14), (12, 200, 400)] {
        let row = &rows[&line];
        assert_eq!(
            (&row["status"], &row["bytes"]),
            (&status.into(), &bytes.into()),
            "{row}"
        );
        assert!(
            row["error"].is_null() && row["connection"].is_u64(),
            "{row}"
        );
        assert!(row["total_us"].as_f64().unwrap() > 0.0, "{row}");
    }
    let cut = &rows[&11]["error"];
    assert_eq!(
        (&cut["kind"], &cut["phase"]),
        (&"truncated".into(), &"receive".into())
    );
    assert_eq!(rows[&11]["bytes"], 500);
    let reasons = [
        (5, "scheme"),
        (6, "EOF"),
        (7, "colour"),
        (8, "FETCH"),
        (9, "urgent"),
        (13, "longer than 262144 bytes"),
    ];
    for (line, part) in reasons {
        let error = &rows[&line]["error"];
        assert_eq!(error["kind"], "line");
        assert!(error["message"].as_str().unwrap().contains(part), "{error}");
    }
}

#[test]
fn without_json_only_failures_are_told() {
    let server = server();
    let run = run_with_input(&["batch", "-"], mixed(&server).as_bytes());
    assert_eq!((run.code, run.text()), (Some(1), ""));
    assert!(run.stderr.contains(MIXED_COUNTS), "{}", run.stderr);
    for line in [5, 6, 7, 8, 9, 10, 11, 13] {
        assert!(
            run.stderr.contains(&format!("turbohttp: line {line}: ")),
            "{}",
            run.stderr
        );
    }
    let cut = format!("line 11: {}: ", server.url("/drop/1000"));
    assert!(run.stderr.contains(&cut), "{}", run.stderr);
    assert!(
        !run.stderr.contains("line 1:") && !run.stderr.contains('\x1b'),
        "{}",
        run.stderr
    );
}

#[test]
fn a_batch_without_faults_exits_with_zero() {
    let server = server();
    let directory = Directory::new();
    let file = directory.write("lines", format!("{}\n", server.url("/small")).repeat(500));
    let run = run(&["batch", &file, "--total", "8", "--progress", "never"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stderr.starts_with("500 requests finished in "),
        "{}",
        run.stderr
    );
    assert!(server.stats().in_flight_peak <= 8);
    assert!(server.stats().connections <= 8);
}

#[test]
fn bodies_go_to_files() {
    let server = server();
    let directory = Directory::new();
    let input = format!(
        "{}\n{{\"url\":\"{}\",\"output\":\"deep/named.bin\"}}\n{}\n{}\n",
        server.url("/bytes/200000"),
        server.url("/chunked/3/1000"),
        server.url("/status/500"),
        server.url("/drop/1000"),
    );
    let out = directory.file("out");
    let run = run_with_input(&["batch", "-", "--out-dir", &out], input.as_bytes());
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let address = server.addr().to_string().replace(':', "-");
    let own = format!("000001-{address}-bytes-200000");
    assert!(fs::read(directory.path().join("out").join(&own)).unwrap() == pattern(200_000));
    assert!(fs::read(directory.path().join("out/deep/named.bin")).unwrap() == pattern(3_000));
    // Neither error pages nor halves.
    let left: Vec<_> = fs::read_dir(&out)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn a_name_is_not_given_to_two_lines() {
    let server = server();
    let directory = Directory::new();
    let line = |path| format!("{{\"url\":\"{}\",\"output\":\"same\"}}\n", server.url(path));
    let input = line("/bytes/1000") + "# a comment\n" + &line("/small");
    let out = directory.file("out");
    let run = run_with_input(&["batch", "-", "--out-dir", &out], input.as_bytes());
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let reason = "turbohttp: line 3: output \"same\" is taken by line 1\n";
    assert!(run.stderr.contains(reason), "{}", run.stderr);
    assert!(fs::read(directory.path().join("out/same")).unwrap() == pattern(1_000));
}

#[test]
fn a_line_with_too_many_fields_is_a_bad_line() {
    let server = server();
    let letters = || "abcdefghijklmnopqrstuvwxyz0123456789".chars();
    let names = letters().flat_map(|a| letters().map(move |b| (a, b)));
    let names = names.flat_map(|(a, b)| letters().map(move |c| format!("\"{a}{b}{c}\":\"\"")));
    let names: Vec<String> = names.take(26_000).collect();
    let url = server.url("/small");
    let fields = names.join(",");
    let input = format!("{url}\n{{\"url\":\"{url}\",\"headers\":{{{fields}}}}}\n{url}\n");
    let run = run_with_input(&["batch", "-"], input.as_bytes());
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let reason = "turbohttp: line 2: more than 16384 header fields\n";
    assert!(run.stderr.contains(reason), "{}", run.stderr);
    assert!(run.stderr.contains("ok 2 "), "{}", run.stderr);
}

#[test]
fn names_that_escape_are_refused() {
    let server = server();
    let directory = Directory::new();
    let out = directory.file("out");
    let names = [
        "../evil",
        "/elsewhere/evil",
        "a/../../evil",
        "..",
        "",
        "a\\u0000b",
        "a\\nb",
        "a\\\\b",
    ];
    let line = |name: &&str| {
        format!(
            "{{\"url\":\"{}\",\"output\":\"{name}\"}}\n",
            server.url("/small")
        )
    };
    let input: String = names.iter().map(line).collect();
    let run = run_with_input(&["batch", "-", "--out-dir", &out], input.as_bytes());
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(
        run.stderr.contains(&format!("bad lines {}", names.len())),
        "{}",
        run.stderr
    );
    assert_eq!(directory.names(), ["out"]);
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
    assert_eq!(server.stats().requests, 0);
}

#[test]
fn fields_for_all_lines_give_way_to_those_of_a_line() {
    let server = server();
    let directory = Directory::new();
    let input = format!(
        "{0}\n{{\"url\":\"{0}\",\"headers\":{{\"x-a\":\"own\"}}}}\n",
        server.url("/headers")
    );
    let out = directory.file("out");
    let arguments = ["batch", "-", "--out-dir", &out, "-H", "x-a: common"];
    assert_eq!(run_with_input(&arguments, input.as_bytes()).code, Some(0));
    let mut heads: Vec<String> = fs::read_dir(&out)
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    heads.sort_by_key(|head| head.contains("own"));
    assert!(
        heads[0].contains("x-a: common") && !heads[0].contains("own"),
        "{}",
        heads[0]
    );
    assert!(
        heads[1].contains("x-a: own") && !heads[1].contains("common"),
        "{}",
        heads[1]
    );
}

#[test]
fn an_input_that_is_not_there_is_named() {
    run(&["batch", "/no/such"]).fails_with(2, &["/no/such"]);
    let directory = Directory::new();
    run(&["batch", directory.path().to_str().unwrap()]).fails_with(2, &["directory"]);
}

#[test]
fn a_server_that_goes_away_fails_the_rest_only() {
    let server = server();
    let url = server.url("/small");
    let mut child = turbohttp(&["batch", "-", "--json"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut results = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut ask = |line: &mut String| {
        use std::io::{BufRead as _, Write as _};
        writeln!(stdin, "{url}").unwrap();
        line.clear();
        results.read_line(line).unwrap();
    };
    let mut line = String::new();
    ask(&mut line);
    assert!(line.contains("\"status\":200"), "{line}");
    drop(server);
    ask(&mut line);
    // Mostly refused; a child that another test is just starting may hold the listener for a moment
    // longer, and then the connection is reset.
    let row: Value = serde_json::from_str(&line).unwrap();
    let kind = row["error"]["kind"].as_str().unwrap();
    assert!(["connect", "io", "truncated"].contains(&kind), "{line}");
    assert!(row["status"].is_null(), "{line}");
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_batch() {
    let server = server();
    let directory = Directory::new();
    let file = directory.write(
        "lines",
        format!("{}\n", server.url("/small")).repeat(20_000),
    );
    let mut child = turbohttp(&["batch", &file, "--json"]).spawn().unwrap();
    let mut first = [0; 100];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(23),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("stdout cannot be written"), "{stderr}");
}
