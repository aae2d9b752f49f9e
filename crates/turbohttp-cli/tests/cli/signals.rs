//! SIGTERM and SIGHUP, which end the command as Ctrl-C does, also where it is the first process.

use std::fs;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use turbohttp_loopback::pattern;
use turbohttp_loopback::script::{Script, Signal as Go, Step};

use super::batch_limits::Batch;
use super::support::{Directory, Run, alone, server, shell, turbohttp, until};

const ENDS: [(Signal, i32); 3] = [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)];

/// Processes that only the test sees; they end with it.
const PROCESSES: &[&str] = &["--pid", "--fork", "--kill-child"];

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn a_download_that_is_ended_leaves_the_old_file_alone() {
    let server = server();
    for (signal, code) in ENDS {
        let directory = Directory::new();
        let file = directory.write("file", "old");
        let mut child = turbohttp(&["get", &server.url("/slow/100000/60000"), "-o", &file])
            .spawn()
            .unwrap();
        until(|| directory.names().len() == 2);
        send(&child, signal);
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert_eq!(directory.names(), ["file"]);
        assert_eq!(fs::read(&file).unwrap(), b"old");
    }
}

#[test]
fn a_batch_that_is_ended_finishes_what_was_accepted() {
    for (signal, code) in ENDS {
        let go = Go::new();
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
        let steps = [Step::ReadHead, Step::Await(go.clone()), Step::send(answer)];
        let server = Script::new().accept(steps).repeat_last().start().unwrap();
        let mut batch = Batch::start(&["--total", "2"]);
        batch.give(&format!("{}\n", server.url("/")).repeat(4));
        until(|| server.connections() == 2);
        send(&batch.child, signal);
        let mut stderr = std::io::BufReader::new(batch.child.stderr.take().unwrap());
        let line = super::interrupt::wait_for(&mut stderr, "interrupted");
        assert!(line.contains("finishing 4 requests"), "{line}");
        go.set();
        let (rows, ended) = batch.end();
        assert_eq!((rows.len(), ended), (4, Some(code)));
        assert!(rows.values().all(|row| row["status"] == 200), "{rows:?}");
    }
}

#[test]
fn a_hang_up_that_is_ignored_stays_so() {
    let go = Go::new();
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let steps = [Step::ReadHead, Step::Await(go.clone()), Step::send(answer)];
    let server = Script::new().accept(steps).repeat_last().start().unwrap();
    let url = server.url("/");
    for (script, code) in [
        ("exec \"$0\" \"$@\"", 129),
        ("trap '' HUP; exec \"$0\" \"$@\"", 0),
    ] {
        let connections = server.connections();
        let mut child = shell(script, &["get", &url]).spawn().unwrap();
        until(|| server.connections() > connections);
        send(&child, Signal::HUP);
        if code == 0 {
            go.set();
        }
        assert_eq!(child.wait().unwrap().code(), Some(code));
    }
}

#[test]
fn a_pipe_that_nobody_reads_does_not_keep_the_command() {
    let server = server();
    for (arguments, requests) in [(["-o", "PIPE"], 1), (["-d", "@PIPE"], 0)] {
        let directory = Directory::new();
        let pipe = directory.file("pipe");
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        let arguments = arguments.map(|argument| argument.replace("PIPE", &pipe));
        let before = server.stats().requests;
        let url = server.url("/small");
        let mut child = turbohttp(&["get", "-v", &url, &arguments[0], &arguments[1]])
            .spawn()
            .unwrap();
        until(|| server.stats().requests == before + requests);
        // The command listens before it opens a pipe.
        until(|| is_caught(child.id(), 15));
        send(&child, Signal::TERM);
        assert_eq!(child.wait().unwrap().code(), Some(143));
    }
}

#[test]
fn a_certificate_that_does_not_come_does_not_keep_a_batch() {
    let directory = Directory::new();
    let pipe = directory.file("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let mut child = turbohttp(&["batch", "-", "--cacert", &pipe])
        .spawn()
        .unwrap();
    until(|| is_caught(child.id(), 15));
    send(&child, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

/// Whether a process has a handler for a signal, as the system tells it in a mask.
fn is_caught(process: u32, signal: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigCgt:"))
        .unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() >> (signal - 1) & 1 == 1
}

/// The one child of a process.
fn child_of(process: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).ok()?;
    children.trim().parse().ok()
}

#[test]
fn the_first_process_can_be_ended() {
    let server = server();
    for (signal, code) in ENDS {
        let directory = Directory::new();
        let file = directory.file("file");
        let arguments = ["get", &server.url("/slow/100000/60000"), "-o", &file];
        let Some(mut command) = alone(PROCESSES, "exec \"$0\" \"$@\"", &arguments) else {
            return;
        };
        let mut unshare = command.spawn().unwrap();
        until(|| !directory.names().is_empty());
        let first = child_of(unshare.id()).unwrap();
        let first = Pid::from_raw(first.cast_signed()).unwrap();
        kill_process(first, signal).unwrap();
        assert_eq!(unshare.wait().unwrap().code(), Some(code));
        assert_eq!(directory.names(), Vec::<String>::new());
    }
}

#[test]
fn what_a_killed_run_has_left_is_in_nobodys_way() {
    let server = server();
    let directory = Directory::new();
    let file = directory.file("file");
    let mut child = turbohttp(&["get", &server.url("/slow/100000/60000"), "-o", &file])
        .spawn()
        .unwrap();
    until(|| !directory.names().is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    let left = directory.names();
    assert_eq!(left.len(), 1);
    // In a container every run has the same number.
    directory.write(".turbohttp-1-0.part", "left");
    let arguments = ["get", &server.url("/bytes/5000"), "-o", &file];
    let Some(mut command) = alone(PROCESSES, "exec \"$0\" \"$@\"", &arguments) else {
        return;
    };
    let got: Run = command.stdout(Stdio::piped()).output().unwrap().into();
    got.is_quietly_ok();
    assert!(fs::read(&file).unwrap() == pattern(5_000));
    assert_eq!(directory.names().len(), 3);
    assert!(directory.names().contains(&left[0]));
}
