//! Several requests of one `turbohttp get`.

use std::fs;
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};
use turbohttp_loopback::pattern;
use turbohttp_loopback::script::{Script, Signal as Go, Step};

use super::support::{Directory, run, run_with_input, server, turbohttp, until};

const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[test]
fn requests_share_a_connection_over_urls_and_groups() {
    let server = server();
    let list = server.url("/id/{a,b}[1-3]");
    let got = run(&[
        "get",
        &list,
        &server.url("/small"),
        "--next",
        "-H",
        "x: 1",
        &list,
    ]);
    got.is_quietly_ok();
    assert_eq!(got.text(), "a1a2a3b1b2b3Hello, world!a1a2a3b1b2b3");
    let stats = server.stats();
    assert_eq!((stats.connections, stats.requests), (1, 13));
}

#[test]
fn a_range_is_written_out_as_it_is_asked_for() {
    let server = server();
    // More than any machine could hold or ask for; the first answer ends it.
    let all = server.url("/status/404?[0-18446744073709551615][0-18446744073709551615]");
    for options in [&["--fail-early", "-f"][..], &["-Z", "--fail-early", "-f"]] {
        let got = run(&[&["get", "-s", &all], options].concat());
        assert_eq!((got.code, &*got.stderr), (Some(22), ""));
    }
}

#[test]
fn requests_run_beside_one_another_up_to_their_limit() {
    let server = server();
    let directory = Directory::new();
    let to = directory.file("#1");
    let all = server.url("/delay/5?[1-40]");
    run(&["get", "-Z", "--parallel-max", "3", "-o", &to, &all]).is_quietly_ok();
    let stats = server.stats();
    assert!(stats.in_flight_peak <= 3, "{stats:?}");
    assert_eq!((stats.requests, directory.names().len()), (40, 40));

    // None of them ends before all have begun.
    let go = Go::new();
    let steps = [Step::ReadHead, Step::Await(go.clone()), Step::send(ANSWER)];
    let script = Script::new().accept(steps).repeat_last().start().unwrap();
    let directory = Directory::new();
    let to = directory.file("#1");
    let arguments = [
        "get",
        "-Z",
        "--parallel-max",
        "3",
        "-o",
        &to,
        &script.url("/[1-3]"),
    ];
    let child = turbohttp(&arguments).spawn().unwrap();
    until(|| script.connections() == 3);
    go.set();
    assert!(child.wait_with_output().unwrap().status.success());
    assert_eq!(directory.names(), ["1", "2", "3"]);
}

#[test]
fn what_is_said_of_the_series_may_be_said_in_one_group() {
    let go = Go::new();
    let steps = [Step::ReadHead, Step::Await(go.clone()), Step::send(ANSWER)];
    let script = Script::new().accept(steps).repeat_last().start().unwrap();
    let (list, last) = (script.url("/[1-60]"), script.url("/last"));
    let arguments = ["get", &list, "--next", "-Z", "--parallel-max", "61", &last];
    let child = turbohttp(&arguments).spawn().unwrap();
    until(|| script.connections() == 61);
    go.set();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.len()),
        (Some(0), 2 * 61)
    );
}

fn press(child: &Child) {
    kill_process(Pid::from_child(child), Signal::INT).unwrap();
}

#[test]
fn a_signal_leaves_no_unfinished_file_of_any_request() {
    let go = Go::new();
    let begun = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nbegun";
    let steps = [Step::ReadHead, Step::send(begun), Step::Await(go.clone())];
    let script = Script::new().accept(steps).repeat_last().start().unwrap();
    let directory = Directory::new();
    let to = directory.file("#1");
    let child = turbohttp(&["get", "-Z", "-o", &to, &script.url("/[1-5]")])
        .spawn()
        .unwrap();
    until(|| directory.names().len() == 5);
    press(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(directory.names(), [""; 0]);
    go.set();
}

#[test]
fn the_exit_code_is_that_of_the_last_request() {
    let server = server();
    let (good, bad) = (server.url("/small"), server.url("/status/500"));
    for (options, code, bodies) in [
        (&["-f", &*bad, &good][..], 0, 1),
        (&["-f", &*good, &bad], 22, 1),
        (&["-f", "--fail-early", &*bad, &good], 22, 0),
        (&["-f", "-Z", "--parallel-max", "1", &*bad, &good], 22, 1),
        (&["http://h\u{200b}/", &*good], 0, 1),
    ] {
        let got = run(&[&["get"], options].concat());
        assert_eq!(got.code, Some(code), "{options:?}: {}", got.stderr);
        assert_eq!(got.text().matches("Hello").count(), bodies, "{options:?}");
        assert_eq!(got.stderr.lines().count(), 1, "{options:?}: {}", got.stderr);
    }
}

#[test]
fn uploads_and_files_belong_to_their_urls() {
    let server = server();
    let directory = Directory::new();
    let one = directory.write("one", pattern(400_000));
    let (a, b) = (directory.file("a"), directory.file("b"));
    let url = server.url("/echo");
    run(&["get", "-T", &one, "-o", &a, &url, "-o", &b, &url]).is_quietly_ok();
    assert!(fs::read(&a).unwrap() == pattern(400_000));
    assert_eq!(fs::read(&b).unwrap(), b"");
    // Stdin is for the only request of a group.
    let groups = ["get", "-d", "@-", &url, "--next", "-d", "x", &url];
    let got = run_with_input(&groups, b"from stdin ");
    got.is_quietly_ok();
    assert_eq!(got.text(), "from stdin x");
    let slow = ["get", "--limit-rate", "1G", "-T", &one, "-o", &b, &url];
    run(&slow).is_quietly_ok();
    assert!(fs::read(&b).unwrap() == pattern(400_000));
}

#[test]
fn files_of_options_tell_their_mistakes() {
    let directory = Directory::new();
    let config = directory.write("config", "fail\nuser-agent = \"open\n");
    let got = run(&["get", "-K", &config, "http://h/"]);
    assert_eq!(got.code, Some(2));
    assert!(
        got.stderr.contains("line 2: the quote is not closed"),
        "{}",
        got.stderr
    );
    assert!(got.stderr.contains(&config), "{}", got.stderr);
    let server = server();
    let config = format!("url = {}\nfail # or not\n", server.url("/id/x"));
    let got = run_with_input(&["-K", "-"], config.as_bytes());
    got.is_quietly_ok();
    assert_eq!(got.text(), "x");
}
