//! Stdout and stderr that are closed, full, or slow.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Stdio};

use rustix::fs::OFlags;
use rustix::io::ioctl_fionread;
use rustix::pipe::{PipeFlags, pipe_with};
use turbohttp_loopback::pattern;
use turbohttp_loopback::script::{Script, Step};

use super::support::{Directory, Run, run_with_input, server, shell, turbohttp, until};

/// What the pipe of a slow reader holds, in bytes, and when it is taken for full. Beside small writes
/// there is no room for another then; a large one leaves parts of pages unused.
const SMALL_PIPE: (usize, u64) = (4_096, 3_500);
const LARGE_PIPE: (usize, u64) = (65_536, 16_384);

/// How often a slow reader lets others go first.
const LATE_YIELDS: usize = 200;

#[test]
fn what_cannot_be_written_is_an_error() {
    let server = server();
    let directory = Directory::new();
    let url = server.url("/small");
    let list = directory.write("list", format!("{url}\n"));
    for arguments in [
        &["get", &url][..],
        &["batch", &list, "--json"],
        &["get", "-I", &url],
    ] {
        for (redirection, part) in [(">&-", "closed"), (">/dev/full", "No space left")] {
            let script = format!("exec \"$0\" \"$@\" {redirection}");
            let got: Run = shell(&script, arguments).output().unwrap().into();
            got.fails_with(23, &["stdout cannot be written", part]);
        }
    }
    for redirection in [">&-", ">/dev/full"] {
        let script = format!("exec \"$0\" \"$@\" {redirection}");
        let got: Run = shell(&script, &["--help"]).output().unwrap().into();
        assert_eq!(got.code, Some(23), "{redirection}");
    }
}

#[test]
fn a_null_device_is_not_a_closed_stdout() {
    let server = server();
    let url = server.url("/small");
    // Opened both ways, as std opens it in place of what is closed, and as other programs do.
    for redirection in [">/dev/null", "1<>/dev/null"] {
        let script = format!("exec \"$0\" \"$@\" {redirection}");
        let got: Run = shell(&script, &["get", &url]).output().unwrap().into();
        got.is_quietly_ok();
    }
    // Nothing is to be written there.
    let script = "exec \"$0\" \"$@\" >&-";
    let arguments = ["get", &url, "-o", "/dev/null"];
    let got: Run = shell(script, &arguments).output().unwrap().into();
    got.is_quietly_ok();
    let got: Run = shell(script, &["get", &url]).output().unwrap().into();
    assert_eq!(got.code, Some(23), "{}", got.stderr);
}

#[test]
fn a_closed_stdin_is_no_empty_file() {
    let server = server();
    let url = server.url("/echo");
    for (arguments, code, part) in [
        (
            &["get", &url, "-d", "@-"][..],
            26,
            "the content cannot be read: stdin is closed",
        ),
        (
            &["batch", "-"],
            2,
            "the list cannot be read: stdin is closed",
        ),
    ] {
        let mut command = shell("exec \"$0\" \"$@\" <&-", arguments);
        let got: Run = command.output().unwrap().into();
        got.fails_with(code, &[part]);
    }
    assert_eq!(server.stats().requests, 0);
}

#[test]
fn a_stdin_that_is_not_ready_is_waited_for() {
    let (reads, writes) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    rustix::fs::fcntl_setfl(&reads, OFlags::NONBLOCK).unwrap();
    let server = server();
    let mut command = turbohttp(&["batch", "-", "--json"]);
    let mut child = command.stdin(Stdio::from(reads)).spawn().unwrap();
    let mut rows = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut input = File::from(writes);
    for _ in 0..3 {
        // Between a row and the next line there is nothing to read.
        writeln!(input, "{}", server.url("/small")).unwrap();
        let row = rows.next().unwrap().unwrap();
        assert!(row.contains("\"status\":200"), "{row}");
    }
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn content_from_a_stdin_that_is_not_ready_is_waited_for() {
    let (reads, writes) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    rustix::fs::fcntl_setfl(&reads, OFlags::NONBLOCK).unwrap();
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let steps = [
        Step::ReadHead,
        Step::ReadExact(16),
        Step::ReadExact(5),
        Step::send(answer),
    ];
    let server = Script::new().accept(steps).start().unwrap();
    let mut command = turbohttp(&["get", &server.url("/"), "-d", "@-"]);
    let mut child = command.stdin(Stdio::from(reads)).spawn().unwrap();
    let mut input = File::from(writes);
    for word in ["one", "two"] {
        input.write_all(word.as_bytes()).unwrap();
        let is_there = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).contains(word);
        until(|| server.received().iter().any(is_there));
    }
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn complaints_that_get_lost_change_the_exit_code() {
    let server = server();
    let directory = Directory::new();
    let list = directory.write("list", format!("{}\n", server.url("/small")));
    let script = "exec \"$0\" \"$@\" 2>/dev/full";
    let got: Run = shell(script, &["batch", &list]).output().unwrap().into();
    assert_eq!(got.code, Some(23));
}

/// A pipe whose end for writing is never waited for by the system.
fn non_blocking_pipe(bytes: usize) -> (OwnedFd, OwnedFd) {
    let (reads, writes) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    rustix::pipe::fcntl_setpipe_size(&writes, bytes).unwrap();
    rustix::fs::fcntl_setfl(&writes, OFlags::NONBLOCK).unwrap();
    (reads, writes)
}

#[test]
fn one_signal_ends_a_request_whose_messages_nobody_reads() {
    let server = server();
    let directory = Directory::new();
    let file = directory.file("file");
    let (_reads, writes) = non_blocking_pipe(SMALL_PIPE.0);
    while rustix::io::write(&writes, b"x").is_ok() {}
    let arguments = ["get", &server.url("/small"), "-o", &file, "--timeline"];
    let mut child = turbohttp(&arguments).stderr(writes).spawn().unwrap();
    // The timeline is written when the file is there, and nothing is waited for in between.
    until(|| std::fs::exists(&file).unwrap());
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(directory.names(), ["file"]);
}

/// Reads the pipe to its end, and always too late: when it is full, or the command has ended.
fn read_late(
    pipe: OwnedFd,
    (size, full): (usize, u64),
    child: &mut Child,
) -> (Vec<u8>, Option<i32>) {
    let mut pipe = File::from(pipe);
    let mut bytes = Vec::new();
    let mut piece = vec![0; size];
    loop {
        let mut ended = None;
        while ended.is_none() && ioctl_fionread(pipe.as_fd()).unwrap() < full {
            std::thread::yield_now();
            ended = child.try_wait().unwrap();
        }
        if let Some(ended) = ended {
            pipe.read_to_end(&mut bytes).unwrap();
            return (bytes, ended.code());
        }
        // What comes now finds the pipe full.
        (0..LATE_YIELDS).for_each(|_| std::thread::yield_now());
        let read = pipe.read(&mut piece).unwrap();
        bytes.extend_from_slice(&piece[..read]);
    }
}

#[test]
fn a_body_waits_for_a_slow_reader() {
    let server = server();
    for target in ["-", "/dev/stdout"] {
        let (reads, writes) = non_blocking_pipe(LARGE_PIPE.0);
        let mut command = turbohttp(&["get", &server.url("/bytes/1000000"), "-o", target]);
        let mut child = command.stdout(Stdio::from(writes)).spawn().unwrap();
        drop(command);
        let (body, code) = read_late(reads, LARGE_PIPE, &mut child);
        assert_eq!(code, Some(0));
        assert!(body == pattern(1_000_000), "{} bytes", body.len());
    }
}

#[test]
fn no_row_is_lost_to_a_slow_reader() {
    const LINES: usize = 2_000;
    let server = server();
    let directory = Directory::new();
    let list = directory.write("list", format!("{}\n", server.url("/small")).repeat(LINES));
    let (reads, writes) = non_blocking_pipe(SMALL_PIPE.0);
    let mut command = turbohttp(&["batch", &list, "--json"]);
    let mut child = command.stdout(Stdio::from(writes)).spawn().unwrap();
    drop(command);
    let (rows, code) = read_late(reads, SMALL_PIPE, &mut child);
    assert_eq!(code, Some(0));
    let rows = String::from_utf8(rows).unwrap();
    let is_whole = |row: &str| serde_json::from_str::<serde_json::Value>(row).is_ok();
    assert!(rows.lines().all(is_whole));
    assert_eq!(rows.lines().count(), LINES);
}

#[test]
fn no_complaint_is_lost_to_a_slow_reader() {
    const LINES: usize = 4_000;
    let directory = Directory::new();
    let list = directory.write("list", "no-url\n".repeat(LINES));
    let (reads, writes) = non_blocking_pipe(SMALL_PIPE.0);
    let mut command = turbohttp(&["batch", &list]);
    let mut child = command.stderr(Stdio::from(writes)).spawn().unwrap();
    drop(command);
    let (told, code) = read_late(reads, SMALL_PIPE, &mut child);
    assert_eq!(code, Some(1));
    let told = String::from_utf8(told).unwrap();
    let complaints = told.lines().filter(|line| line.ends_with("before it"));
    assert_eq!(complaints.count(), LINES);
}

#[test]
fn a_reader_of_rows_that_goes_ends_the_batch() {
    let server = server();
    let input = format!("{}\n", server.url("/small")).repeat(5_000);
    let directory = Directory::new();
    let list = directory.write("list", &input);
    let mut child = turbohttp(&["batch", &list, "--json"]).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(23));
    // An output that is wanted by nobody is another thing.
    let got = run_with_input(&["batch", "-"], server.url("/small").as_bytes());
    assert_eq!(got.code, Some(0));
}
