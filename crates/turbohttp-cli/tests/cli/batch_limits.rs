//! `turbohttp batch`: how many at once, in which order, and how long a line may wait.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::Value;
use turbohttp_loopback::script::{Script, ScriptServer, Signal as Go, Step};

use super::support::{Directory, run, run_with_input, server, turbohttp, until};

const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A line of which every batch says at once that it is wrong: when it has said so, it has accepted all
/// lines before it.
const MARKER: &str = "marker\n";

/// A server that holds back the first answer and gives `others` more, on one connection.
fn holds_the_first(go: &Go, others: usize) -> ScriptServer {
    let mut steps = vec![Step::ReadHead, Step::Await(go.clone()), Step::send(ANSWER)];
    for _ in 0..others {
        steps.extend([Step::ReadHead, Step::send(ANSWER)]);
    }
    Script::new().accept(steps).start().unwrap()
}

/// The paths asked for on the first connection, in order.
fn paths(server: &ScriptServer) -> Vec<String> {
    let received = String::from_utf8(server.received().swap_remove(0)).unwrap();
    let targets = received
        .lines()
        .filter_map(|line| line.strip_prefix("GET /")?.strip_suffix(" HTTP/1.1"));
    targets.map(str::to_owned).collect()
}

/// A batch that is told its lines as it goes, with one row of JSON for each.
pub(crate) struct Batch {
    pub(crate) child: Child,
    input: ChildStdin,
    rows: BufReader<ChildStdout>,
}

impl Batch {
    pub(crate) fn start(options: &[&str]) -> Batch {
        let arguments = [&["batch", "-", "--json"], options].concat();
        let mut child = turbohttp(&arguments).stdin(Stdio::piped()).spawn().unwrap();
        Batch {
            input: child.stdin.take().unwrap(),
            rows: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// Gives it lines, and waits until it has accepted them.
    pub(crate) fn give(&mut self, lines: &str) {
        self.input.write_all(lines.as_bytes()).unwrap();
        self.input.write_all(MARKER.as_bytes()).unwrap();
        let row = self.row().unwrap();
        assert_eq!(row["error"]["kind"], "line", "{row}");
    }

    /// The next row; `None` at the end.
    pub(crate) fn row(&mut self) -> Option<Value> {
        let mut line = String::new();
        let is_there = self.rows.read_line(&mut line).unwrap() > 0;
        is_there.then(|| serde_json::from_str(&line).unwrap())
    }

    /// Ends the input, and gives the other rows by their lines and the exit code.
    pub(crate) fn end(mut self) -> (BTreeMap<u64, Value>, Option<i32>) {
        drop(self.input);
        let mut rows = BTreeMap::new();
        for line in self.rows.lines() {
            let row: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let before = rows.insert(row["line"].as_u64().unwrap(), row);
            assert!(before.is_none(), "two rows of one line: {before:?}");
        }
        (rows, self.child.wait().unwrap().code())
    }
}

#[test]
fn lines_are_started_by_priority_and_in_order_within_one() {
    let go = Go::new();
    let priorities = ["low", "normal", "critical", "", "high", "Critical", "low"];
    let server = holds_the_first(&go, priorities.len());
    let mut batch = Batch::start(&["--total", "1"]);
    batch.give(&format!("{}\n", server.url("/first")));
    until(|| server.connections() == 1);
    let mut lines = String::new();
    for (number, priority) in priorities.iter().enumerate() {
        let url = server.url(&format!("/{priority}-{number}"));
        lines += &match *priority {
            "" => format!("{url}\n"),
            priority => format!("{{\"url\":\"{url}\",\"priority\":\"{priority}\"}}\n"),
        };
    }
    batch.give(&lines);
    go.set();
    let (rows, code) = batch.end();
    assert_eq!((rows.len(), code), (8, Some(1)), "the markers are faults");
    let expected = [
        "first",
        "critical-2",
        "Critical-5",
        "high-4",
        "normal-1",
        "-3",
        "low-0",
        "low-6",
    ];
    assert_eq!(paths(&server), expected);
    for row in rows.values().filter(|row| row["line"] != 1) {
        assert!(row["phases_us"]["queue"].as_f64().unwrap() > 0.0, "{row}");
    }
}

#[test]
fn a_priority_that_is_none_names_the_line_and_the_choices() {
    let line = r#"{"url":"http://127.0.0.1:1/","priority":"urgent"}"#;
    let run = run_with_input(&["batch", "-"], line.as_bytes());
    let told = "turbohttp: line 1: \
                priority must be one of critical, high, normal, low (got \"urgent\")\n";
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.starts_with(told), "{}", run.stderr);
}

#[test]
fn a_line_that_waits_too_long_is_never_sent() {
    // Those that are to be sent have time enough, of their own or by the option.
    for (option, own) in [("1ms", ["3600000", "", "3600000"]), ("1h", ["", "1", ""])] {
        let go = Go::new();
        let server = holds_the_first(&go, 1);
        let mut lines = String::new();
        for (path, deadline) in ["/first", "/late", "/last"].into_iter().zip(own) {
            lines += &match deadline {
                "" => format!("{}\n", server.url(path)),
                ms => format!(
                    "{{\"url\":\"{}\",\"deadline_ms\":{ms}}}\n",
                    server.url(path)
                ),
            };
        }
        let mut batch = Batch::start(&["--total", "1", "--deadline", option]);
        // The row of the one that is late may come before that of the marker.
        batch.input.write_all(lines.as_bytes()).unwrap();
        let row = batch.row().unwrap();
        assert_eq!(row["line"], 2, "{row}");
        assert_eq!(row["error"]["kind"], "expired_in_queue", "{row}");
        assert_eq!(row["error"]["phase"], "queue", "{row}");
        assert!(row["phases_us"]["queue"].as_f64().unwrap() > 0.0, "{row}");
        assert!(row["url"].as_str().unwrap().ends_with("/late"), "{row}");
        go.set();
        let (rows, code) = batch.end();
        assert_eq!((rows.len(), code), (2, Some(1)));
        assert!(rows.values().all(|row| row["status"] == 200), "{rows:?}");
        assert_eq!(paths(&server), ["first", "last"]);
    }
}

#[test]
fn the_time_of_a_request_begins_when_it_is_started() {
    let server = server();
    let lines = format!("{}\n{}\n", server.url("/never"), server.url("/small"));
    let options = ["batch", "-", "--json", "--total", "1", "--timeout", "1s"];
    let run = run_with_input(&options, lines.as_bytes());
    assert_eq!(run.code, Some(1));
    let rows: Vec<Value> = run
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows[0]["error"]["kind"], "timeout", "{}", rows[0]);
    assert_eq!(rows[0]["error"]["phase"], "wait", "{}", rows[0]);
    // It has waited for as long as a request may take.
    assert_eq!(rows[1]["status"], 200, "{}", rows[1]);
}

#[test]
fn a_body_that_takes_too_long_is_given_up() {
    let server = server();
    let directory = Directory::new();
    let out = directory.file("out");
    let line = server.url("/slow/100/60000");
    let options = ["batch", "-", "--timeout", "100ms", "--out-dir", &out];
    let run = run_with_input(&options, line.as_bytes());
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("(timeout 1)"), "{}", run.stderr);
    assert!(run.stderr.contains("phase receive"), "{}", run.stderr);
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);
}

#[test]
fn one_line_that_may_wait_is_enough_for_any_number() {
    let server = server();
    let directory = Directory::new();
    let file = directory.write("lines", format!("{}\n", server.url("/small")).repeat(3_000));
    let run = run(&["batch", &file, "--json", "--queue", "1", "--total", "3"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let number = |row: &str| serde_json::from_str::<Value>(row).unwrap()["line"].as_u64();
    let mut numbers: Vec<Option<u64>> = run.text().lines().map(number).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq((1..=3_000).map(Some)));
    assert_eq!(server.stats().requests, 3_000);
    assert!(server.stats().in_flight_peak <= 3);
}

#[test]
fn results_come_while_the_input_goes_on() {
    let server = server();
    let mut batch = Batch::start(&["--queue", "1", "--total", "1"]);
    let line = format!("{}\n", server.url("/small"));
    for number in 1..=20 {
        batch.input.write_all(line.as_bytes()).unwrap();
        assert_eq!(batch.row().unwrap()["line"], number);
    }
    let (rows, code) = batch.end();
    assert_eq!((rows.len(), code), (0, Some(0)));
}

#[test]
fn waits_are_told_by_reason() {
    let server = server();
    let lines = format!("{}\n", server.url("/delay/1")).repeat(20);
    let told = |options: &[&str]| {
        let arguments = [&["batch", "-"], options].concat();
        let run = run_with_input(&arguments, lines.as_bytes());
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        run.stderr
    };
    let by_total = told(&["--total", "1"]);
    assert!(by_total.contains("\n  waits: queue "), "{by_total}");
    assert!(!by_total.contains("waits: host_permit "), "{by_total}");
    let by_host = told(&["--per-host", "1"]);
    assert!(by_host.contains("\n  waits: host_permit "), "{by_host}");
    assert!(by_host.contains(", mean "), "{by_host}");
    assert!(by_host.contains(", max "), "{by_host}");
}

/// One request a day: the first begins at once, and the others are given up.
#[test]
fn a_rate_holds_for_each_host() {
    let servers = [server(), server()];
    let lines: String = (0..6)
        .map(|line| format!("{}\n", servers[line % 2].url("/small")))
        .collect();
    let options = [
        "batch",
        "-",
        "--rate-per-host",
        "1/d",
        "--deadline",
        "300ms",
    ];
    let run = run_with_input(&options, lines.as_bytes());
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    for server in servers {
        assert_eq!(server.stats().requests, 1);
    }
}

#[test]
fn limits_out_of_bounds_are_refused() {
    let cases = [
        ("--per-host", "0", "1 to 4096"),
        ("--per-host", "4097", "1 to 4096"),
        ("--per-host", "many", "1 to 4096"),
        ("--rate-per-host", "0/s", "2/s, 10/m"),
        ("--rate-per-host", "ten", "2/s, 10/m"),
        ("--total", "0", "1 to 4096"),
        ("--queue", "0", "1 to 1048576"),
        ("--queue", "1048577", "1 to 1048576"),
        ("--deadline", "0s", "longer than zero"),
        ("--deadline", "5x", "10s, 500ms or 2m"),
        ("--drain", "soon", "10s, 500ms or 2m"),
    ];
    for (option, value, bound) in cases {
        let run = run(&["batch", "-", option, value]);
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        for part in [&format!("'{value}' for '{option} "), bound] {
            assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
        }
    }
    for within in [
        ["--per-host", "4096", "--queue", "1048576"],
        ["--total", "4096", "--drain", "1ms"],
    ] {
        let arguments = [&["batch", "-"], &within[..]].concat();
        assert_eq!(run_with_input(&arguments, b"").code, Some(0), "{within:?}");
    }
}
