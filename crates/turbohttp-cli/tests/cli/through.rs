//! What is no regular file, and what the command was started with: written through, never replaced.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use turbohttp_loopback::pattern;

use super::support::{Directory, Run, alone, run, server, shell, turbohttp};

#[test]
fn descriptors_are_written_through() {
    let server = server();
    let directory = Directory::new();
    let log = directory.file("log");
    let url = server.url("/small");
    for (target, redirection) in [
        ("/dev/stdout", ">>\"$LOG\""),
        ("/dev/fd/1", ">>\"$LOG\""),
        ("/proc/self/fd/1", ">>\"$LOG\""),
        ("/dev/stderr", "2>>\"$LOG\""),
        ("/dev/fd/7", "7>>\"$LOG\""),
    ] {
        fs::write(&log, "before\n").unwrap();
        let script = format!("\"$0\" \"$@\" {redirection}; echo; echo behind >> \"$LOG\"");
        let mut command = shell(&script, &["get", &url, "-o", target]);
        let got = Run::from(command.env("LOG", &log).output().unwrap());
        assert!(!got.stderr.contains("turbohttp"), "{}", got.stderr);
        let left = fs::read_to_string(&log).unwrap();
        assert_eq!(left, "before\nHello, world!behind\n", "{target}");
    }
    assert_eq!(directory.names(), ["log"]);
}

#[test]
fn a_descriptor_of_another_process_is_written_to() {
    let server = server();
    let directory = Directory::new();
    let log = directory.file("log");
    let file = directory.file("file");
    let own = "/proc/$$/fd/1";
    // As a log in a container that is a link to /proc/1/fd/1, and a file that has no name any more. The
    // command itself, in a subshell, has another stdout.
    for (script, target) in [
        (
            format!("(exec >/dev/null; \"$0\" \"$@\" -o {own}); exit $?"),
            own,
        ),
        (
            format!("ln -s {own} {log}; (exec >/dev/null; \"$0\" \"$@\" -o {log}); exit $?"),
            "a link",
        ),
        (
            format!("exec 7>{file}; rm {file}; \"$0\" \"$@\" -o /proc/$$/fd/7; cat /proc/$$/fd/7"),
            "a removed file",
        ),
    ] {
        let got = shell(&script, &["get", &server.url("/small")]).output();
        let got = Run::from(got.unwrap());
        got.is_quietly_ok();
        assert_eq!(got.text(), "Hello, world!", "{target}");
    }
    assert_eq!(directory.names(), ["log"]);
}

#[test]
fn a_namespace_of_processes_with_the_outer_proc_does_not_hinder() {
    let server = server();
    let directory = Directory::new();
    let log = directory.write("log", "before ");
    let script = format!("\"$0\" \"$@\" >>{log}");
    let arguments = ["get", &server.url("/small"), "-o", "/dev/stdout"];
    let Some(mut command) = alone(&["--pid", "--fork", "--kill-child"], &script, &arguments) else {
        return;
    };
    Run::from(command.output().unwrap()).is_quietly_ok();
    assert_eq!(fs::read_to_string(&log).unwrap(), "before Hello, world!");
}

#[test]
fn a_stderr_that_is_closed_is_no_null_device() {
    let server = server();
    let arguments = ["get", &server.url("/small"), "-o", "/dev/stderr"];
    let got = shell("\"$0\" \"$@\" 2>&-", &arguments).output().unwrap();
    assert_eq!(got.status.code(), Some(23));
}

#[test]
fn a_descriptor_goes_on_where_others_left_it() {
    let server = server();
    let directory = Directory::new();
    let file = directory.file("file");
    let script = "exec 5>\"$FILE\"; echo one >&5; \"$0\" \"$@\"; echo two >&5";
    let mut command = shell(script, &["get", &server.url("/small"), "-o", "/dev/fd/5"]);
    Run::from(command.env("FILE", &file).output().unwrap()).is_quietly_ok();
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        "one\nHello, world!two\n"
    );
    // Descriptors of the command itself are none of the user's.
    run(&["get", &server.url("/small"), "-o", "/dev/fd/5"])
        .fails_with(23, &["Bad file descriptor"]);
}

#[test]
fn a_socket_is_written_through() {
    let server = server();
    for target in ["/dev/stdout", "-"] {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let mut command = turbohttp(&["get", &server.url("/bytes/300000"), "-o", target]);
        let mut child = command
            .stdout(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
            .spawn()
            .unwrap();
        drop(command);
        let mut body = Vec::new();
        ours.read_to_end(&mut body).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{target}");
        assert!(body == pattern(300_000), "{target}: {} bytes", body.len());
    }
}

#[test]
fn devices_and_pipes_stay_what_they_are() {
    let server = server();
    let directory = Directory::new();
    let pipe = directory.file("pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let link = directory.file("link");
    symlink("pipe", &link).unwrap();
    for path in [&pipe, &link] {
        let mut child = turbohttp(&["get", &server.url("/bytes/300000"), "-o", path])
            .spawn()
            .unwrap();
        let mut body = Vec::new();
        File::open(&pipe).unwrap().read_to_end(&mut body).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert!(body == pattern(300_000));
    }
    run(&["get", &server.url("/small"), "-o", "/dev/null"]).is_quietly_ok();
    run(&["get", &server.url("/small"), "-o", "/dev/full"]).fails_with(23, &["No space left"]);
    let socket = directory.file("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    run(&["get", &server.url("/small"), "-o", &socket]).fails_with(23, &[&socket]);
    assert_eq!(directory.names(), ["link", "pipe", "socket"]);
}
