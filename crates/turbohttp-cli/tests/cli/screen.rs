//! What terminals show: as much as fits, no binary, and no more than is of use.

use std::io::{BufReader, Read as _};
use std::os::fd::OwnedFd;

use rustix::process::{Pid, Signal, kill_process};

use super::support::{Directory, server, turbohttp, until};
use super::terminal::{read_terminal, terminal};

const COLUMNS: [u16; 5] = [40, 60, 80, 120, 200];

/// The lines that stand on a terminal in the end: without colours, and without what was overwritten.
fn lines(shown: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(shown);
    let mut plain = String::new();
    let mut rest = &*text;
    while let Some((before, behind)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        let end = behind.find(|c: char| c.is_ascii_alphabetic()).unwrap();
        // What a cursor or an erasure moves away begins a line anew.
        if !behind[..=end].ends_with('m') {
            plain.push('\r');
        }
        rest = &behind[end + 1..];
    }
    plain.push_str(rest);
    plain.split(['\n', '\r']).map(str::to_owned).collect()
}

/// Runs the command with stdout and stderr on a terminal.
fn shown(columns: u16, arguments: &[&str]) -> (Vec<u8>, Option<i32>) {
    let (screen, end): (OwnedFd, _) = terminal(columns);
    let mut command = turbohttp(arguments);
    command.env("TERM", "xterm");
    command.stdout(end.try_clone().unwrap()).stderr(end);
    let mut child = command.spawn().unwrap();
    // The command's end of the terminal must be closed here for it to end there.
    drop(command);
    let shown = read_terminal(screen);
    (shown, child.wait().unwrap().code())
}

#[track_caller]
fn fits(columns: u16, arguments: &[&str], part: &str) {
    let (shown, _) = shown(columns, arguments);
    let lines = lines(&shown);
    let widest = lines
        .iter()
        .max_by_key(|line| line.chars().count())
        .unwrap();
    assert!(
        widest.chars().count() <= usize::from(columns),
        "{columns}: {widest}"
    );
    assert!(lines.iter().any(|line| line.contains(part)), "{lines:?}");
}

#[test]
fn all_that_is_said_fits_into_the_width_of_a_terminal() {
    let server = server();
    let directory = Directory::new();
    let paths = [
        "/small",
        "/status/404",
        "/drop/10",
        "/status/302",
        "/delay/1",
    ];
    let urls = paths.map(|path| server.url(path) + "\n");
    let list = directory.write("list", urls.concat().repeat(20));
    let out = directory.file("out");
    for columns in COLUMNS {
        let small = server.url("/small");
        fits(
            columns,
            &["get", "--timeline", &small, "-o", "/dev/null"],
            "receive",
        );
        fits(columns, &["batch", &list, "--total", "2"], "latency");
        fits(
            columns,
            &["batch", &list, "--per-host", "1", "--out-dir", &out],
            "waits",
        );
        fits(columns, &["get", &server.url("/reset")], "(phase wait)");
        let file = directory.file("file");
        fits(
            columns,
            &["get", "-v", &server.url("/bytes/1000000"), "-o", &file],
            "HTTP/1.1",
        );
        fits(columns, &["get", "/x"], "no host");
        fits(columns, &["--help"], "Exit codes");
    }
}

#[test]
fn the_demo_fits_into_a_narrow_terminal() {
    fits(40, &["demo"], "receive");
}

#[test]
fn waits_have_a_mean_and_a_maximum() {
    let server = server();
    let directory = Directory::new();
    let list = directory.write("list", (server.url("/delay/1") + "\n").repeat(20));
    let run = super::support::run(&["batch", &list, "--total", "1"]);
    let waits = run
        .stderr
        .lines()
        .find(|line| line.contains("waits: queue"));
    let waits = waits.unwrap();
    assert!(
        waits.contains(", mean ") && waits.contains(", max "),
        "{waits}"
    );
    assert!(!run.stderr.contains("in all"), "{}", run.stderr);
}

#[test]
fn what_is_canceled_has_one_line() {
    let server = server();
    let directory = Directory::new();
    let list = directory.write("list", (server.url("/never") + "\n").repeat(50));
    let mut child = turbohttp(&["batch", &list, "--total", "5"])
        .spawn()
        .unwrap();
    until(|| server.stats().in_flight == 5);
    let process = Pid::from_child(&child);
    let press = || kill_process(process, Signal::INT).unwrap();
    press();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    super::interrupt::wait_for(&mut stderr, "again cancels");
    press();
    let mut text = String::new();
    stderr.read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let told = text.lines().filter(|line| line.contains("canceled by"));
    assert_eq!(told.count(), 1, "{text}");
    assert!(!text.contains("line 1:"), "{text}");
}

#[test]
fn binary_is_not_for_terminals_unless_it_is_wanted() {
    let server = server();
    let binary = server.url("/bytes/300");
    let refused = shown(80, &["get", &binary]);
    assert_eq!(refused.1, Some(23));
    let said = String::from_utf8_lossy(&refused.0).into_owned();
    assert!(said.contains("binary") && said.contains("-o -"), "{said}");
    assert!(!refused.0.contains(&0));
    let wanted = shown(80, &["get", &binary, "-o", "-"]);
    assert_eq!(wanted.1, Some(0));
    assert!(wanted.0.contains(&0));
    let text = shown(80, &["get", &server.url("/small")]);
    assert_eq!((text.1, &*text.0), (Some(0), &b"Hello, world!"[..]));
}
