//! Ctrl-C, which a terminal sends as SIGINT.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStderr};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use turbohttp_loopback::Server;
use turbohttp_loopback::script::{Script, ScriptServer, Signal as Go, Step};

use super::batch_limits::Batch;
use super::support::{Directory, server, turbohttp, until};

fn press(child: &Child) {
    kill_process(Pid::from_child(child), Signal::INT).unwrap();
}

/// Reads stderr up to a line that holds `part`: until then, the command has not got there.
pub(crate) fn wait_for(stderr: &mut BufReader<ChildStderr>, part: &str) -> String {
    let mut line = String::new();
    while !line.contains(part) {
        line.clear();
        assert_ne!(
            stderr.read_line(&mut line).unwrap(),
            0,
            "ended without saying {part}"
        );
    }
    line
}

fn rest(mut stderr: BufReader<ChildStderr>) -> String {
    let mut text = String::new();
    stderr.read_to_string(&mut text).unwrap();
    text
}

/// A server that answers every connection when it is told to.
fn answers_later(go: &Go) -> ScriptServer {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
    let steps = [Step::ReadHead, Step::Await(go.clone()), Step::send(answer)];
    let script = Script::new().accept(steps).repeat_last();
    script.start().unwrap()
}

/// How many requests a line of stderr tells that was waited for.
fn told(line: &str, after: &str) -> usize {
    let rest = line.split_once(after).unwrap().1;
    rest.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn once_lets_what_was_accepted_finish() {
    let go = Go::new();
    let server = answers_later(&go);
    let mut batch = Batch::start(&["--total", "3"]);
    batch.give(&format!("{}\n", server.url("/")).repeat(10));
    until(|| server.connections() == 3);
    press(&batch.child);
    let mut stderr = BufReader::new(batch.child.stderr.take().unwrap());
    let line = wait_for(&mut stderr, "interrupted");
    assert!(
        line.contains("finishing 10 requests within 30.00 s"),
        "{line}"
    );
    assert!(line.contains("Ctrl-C again cancels"), "{line}");
    go.set();
    let (rows, code) = batch.end();
    let text = rest(stderr);
    assert_eq!(code, Some(130), "{text}");
    assert!(rows.values().all(|row| row["status"] == 200), "{rows:?}");
    assert!(rows.keys().copied().eq(1..=10), "{rows:?}");
    assert!(text.contains("10 requests finished"), "{text}");
    let report =
        "after Ctrl-C: 10 inside: 10 completed, 0 failed, 0 canceled, 0 expired, 0 aborted";
    assert!(text.contains(report), "{text}");
    assert_eq!(server.connections(), 10);
}

#[test]
fn once_leaves_the_lines_that_were_not_accepted() {
    let go = Go::new();
    let server = answers_later(&go);
    let directory = Directory::new();
    let file = directory.write("lines", format!("{}\n", server.url("/")).repeat(50));
    let mut child = turbohttp(&["batch", &file, "--total", "2", "--queue", "1"])
        .spawn()
        .unwrap();
    until(|| server.connections() == 2);
    press(&child);
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let accepted = told(&wait_for(&mut stderr, "interrupted"), "finishing ");
    assert!((2..=3).contains(&accepted), "{accepted}");
    go.set();
    let text = rest(stderr);
    assert_eq!(child.wait().unwrap().code(), Some(130), "{text}");
    assert!(
        text.contains(&format!("{accepted} requests finished")),
        "{text}"
    );
    let report = format!("after Ctrl-C: {accepted} inside: {accepted} completed, ");
    assert!(text.contains(&report), "{text}");
    assert_eq!(server.connections(), accepted);
}

#[test]
fn twice_cancels_at_once() {
    let server = server();
    let directory = Directory::new();
    let out = directory.file("out");
    let mut batch = Batch::start(&["--total", "5", "--out-dir", &out]);
    let lines = format!("{}\n", server.url("/slow/100000/60000")).repeat(3)
        + &format!("{}\n", server.url("/never")).repeat(50);
    batch.give(&lines);
    until(|| server.stats().in_flight == 5);
    press(&batch.child);
    let mut stderr = BufReader::new(batch.child.stderr.take().unwrap());
    wait_for(&mut stderr, "Ctrl-C again cancels");
    press(&batch.child);
    let (rows, code) = batch.end();
    let text = rest(stderr);
    assert_eq!(code, Some(130), "{text}");
    assert!(
        text.contains("interrupted again: canceling 53 requests"),
        "{text}"
    );
    assert!(rows.keys().copied().eq(1..=53), "{rows:?}");
    for row in rows.values() {
        assert_eq!(row["error"]["kind"], "canceled", "{row}");
    }
    assert!(text.contains("0 requests finished"), "{text}");
    assert!(text.contains("canceled by Ctrl-C 53"), "{text}");
    let report =
        "after Ctrl-C: 53 inside: 0 completed, 0 failed, 48 canceled, 0 expired, 5 aborted";
    assert!(text.contains(report), "{text}");
    // No half files, under whatever name.
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);
    assert_eq!(server.stats().requests, 5);
}

#[test]
fn the_time_to_finish_after_an_interrupt_is_bounded() {
    let server = server();
    let mut batch = Batch::start(&["--total", "2", "--drain", "10ms"]);
    batch.give(&format!("{}\n", server.url("/never")).repeat(4));
    until(|| server.stats().in_flight == 2);
    press(&batch.child);
    let stderr = BufReader::new(batch.child.stderr.take().unwrap());
    let (rows, code) = batch.end();
    let text = rest(stderr);
    assert_eq!((rows.len(), code), (4, Some(130)), "{text}");
    assert!(text.contains("2 canceled, 0 expired, 2 aborted"), "{text}");
}

#[test]
fn a_batch_that_waits_for_input_ends_at_once() {
    let mut batch = Batch::start(&[]);
    batch.give("");
    press(&batch.child);
    let stderr = BufReader::new(batch.child.stderr.take().unwrap());
    assert_eq!(batch.child.wait().unwrap().code(), Some(130));
    let text = rest(stderr);
    assert!(text.contains("after Ctrl-C: 0 inside: "), "{text}");
}

#[test]
fn as_many_run_as_may_to_one_host_and_in_all() {
    let (one, other) = (server(), server());
    let mut batch = Batch::start(&["--per-host", "3", "--total", "5"]);
    let lines = |server: &Server| format!("{}\n", server.url("/never")).repeat(10);
    batch.give(&(lines(&one) + &lines(&other)));
    until(|| one.stats().in_flight == 3 && other.stats().in_flight == 2);
    press(&batch.child);
    let mut stderr = BufReader::new(batch.child.stderr.take().unwrap());
    wait_for(&mut stderr, "Ctrl-C again cancels");
    press(&batch.child);
    let (rows, code) = batch.end();
    assert_eq!((rows.len(), code), (20, Some(130)));
    for (server, peak) in [(one, 3), (other, 2)] {
        let stats = server.stop();
        assert_eq!((stats.in_flight_peak, stats.requests), (peak, peak));
    }
}

#[test]
fn twice_stops_even_if_nobody_reads_the_output() {
    let server = server();
    let directory = Directory::new();
    let input = format!("{}\n", server.url("/small")).repeat(20_000);
    let file = directory.write("lines", input);
    let mut child = turbohttp(&["batch", &file, "--json"]).spawn().unwrap();
    // The pipe is full when no more requests come.
    let mut before = 0;
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let now = server.stats().requests;
        if now > 0 && now == before {
            break;
        }
        before = now;
    }
    assert!(before < 20_000);
    // Pressed again and again, as signals that come close together are one.
    let mut waits = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        waits += 1;
        if waits == 200 {
            child.kill().unwrap();
            panic!("still hangs");
        }
        press(&child);
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(status.code(), Some(130));
}

#[test]
fn a_download_that_is_interrupted_leaves_no_file() {
    let server = server();
    let directory = Directory::new();
    let file = directory.file("body");
    let mut child = turbohttp(&["get", &server.url("/slow/100000/60000"), "-o", &file])
        .spawn()
        .unwrap();
    until(|| !directory.names().is_empty());
    press(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(directory.names(), Vec::<String>::new());
}

#[test]
fn serve_announces_itself_and_ends_in_order() {
    let mut child = turbohttp(&["serve", "--address", "127.0.0.1:0"])
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let url = line
        .split_whitespace()
        .find(|word| word.starts_with("http://"))
        .unwrap();
    let get = super::support::run(&["get", &format!("{url}small")]);
    assert_eq!(get.text(), "Hello, world!");
    press(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let stderr = rest(BufReader::new(child.stderr.take().unwrap()));
    assert_eq!(stderr, "served 1 request on 1 connection\n");
}
