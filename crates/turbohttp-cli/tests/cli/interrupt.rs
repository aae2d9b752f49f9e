//! Ctrl-C, which a terminal sends as SIGINT.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStderr};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use turbohttp_loopback::script::{Script, Signal as Go, Step};

use super::support::{Directory, server, turbohttp};

fn press(child: &Child) {
    kill_process(Pid::from_child(child), Signal::INT).unwrap();
}

/// Reads stderr up to a line that holds `part`: until then, the command has not got there.
fn wait_for(stderr: &mut BufReader<ChildStderr>, part: &str) {
    let mut line = String::new();
    while !line.contains(part) {
        line.clear();
        assert_ne!(
            stderr.read_line(&mut line).unwrap(),
            0,
            "ended without saying {part}"
        );
    }
}

fn rest(mut stderr: BufReader<ChildStderr>) -> String {
    let mut text = String::new();
    stderr.read_to_string(&mut text).unwrap();
    text
}

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

#[test]
fn once_lets_what_runs_finish() {
    let go = Go::new();
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
    let script = Script::new()
        .accept([Step::ReadHead, Step::Await(go.clone()), Step::send(answer)])
        .repeat_last();
    let server = script.start().unwrap();
    let directory = Directory::new();
    let file = directory.write("lines", format!("{}\n", server.url("/")).repeat(50));
    let mut child = turbohttp(&["batch", &file, "--total", "3"])
        .spawn()
        .unwrap();
    until(|| server.connections() == 3);
    press(&child);
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    wait_for(&mut stderr, "interrupted: finishing 3 requests");
    go.set();
    let text = rest(stderr);
    assert_eq!(child.wait().unwrap().code(), Some(130), "{text}");
    assert!(text.contains("3 requests finished"), "{text}");
    assert!(text.contains("ok 3 "), "{text}");
    assert_eq!(server.connections(), 3);
}

#[test]
fn twice_stops_at_once() {
    let server = server();
    let directory = Directory::new();
    let input = format!("{}\n", server.url("/slow/100000/60000")).repeat(3)
        + &format!("{}\n", server.url("/never")).repeat(50);
    let file = directory.write("lines", input);
    let out = directory.file("out");
    let arguments = ["batch", &file, "--total", "5", "--out-dir", &out];
    let mut child = turbohttp(&arguments).spawn().unwrap();
    until(|| server.stats().in_flight == 5);
    press(&child);
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    wait_for(&mut stderr, "Ctrl-C again stops");
    press(&child);
    let text = rest(stderr);
    assert_eq!(child.wait().unwrap().code(), Some(130), "{text}");
    assert!(text.contains("0 requests finished"), "{text}");
    assert!(text.contains("stopped while running 5"), "{text}");
    // No half files, under whatever name.
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);
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
