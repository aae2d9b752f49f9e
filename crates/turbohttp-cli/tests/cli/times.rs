//! Limits of time and of descriptors.

use std::net::{TcpListener, TcpStream};

use turbohttp_loopback::{Options, Server};

use super::support::{Directory, Run, is_root, run, run_with_input, server, shell, skipped};

#[test]
fn every_phase_has_a_limit_of_its_own() {
    let server = server();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    // The system accepts, and nobody answers.
    let tls = format!("https://{}/", silent.local_addr().unwrap());
    // One connection fills the queue of this one, and the system answers no other.
    let full = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&full, 0).unwrap();
    let address = full.local_addr().unwrap();
    let _first = TcpStream::connect(address).unwrap();
    let connect = format!("http://{address}/");
    let never = server.url("/never");
    let slow = server.url("/slow/1000/60000");
    for (option, url, phase) in [
        ("--connect-timeout", &connect, "connect"),
        ("--tls-timeout", &tls, "tls"),
        ("--head-timeout", &never, "wait"),
        ("--body-timeout", &slow, "receive"),
        ("--timeout", &never, "wait"),
        ("--max-time", &slow, "receive"),
    ] {
        for limit in ["50ms", "0.05"] {
            let run = run(&["get", url, option, limit]);
            run.fails_with(28, &["50ms", &format!("(phase {phase})")]);
            let batch = ["batch", "-", option, limit];
            let run = run_with_input(&batch, url.as_bytes());
            assert_eq!(run.code, Some(1), "{}", run.stderr);
            assert!(run.stderr.contains("(timeout 1)"), "{}", run.stderr);
            assert!(
                run.stderr.contains(&format!("(phase {phase})")),
                "{}",
                run.stderr
            );
        }
    }
}

#[test]
fn all_limits_can_be_given_to_both_commands() {
    let server = server();
    let url = server.url("/small");
    let options = [
        "--timeout=3m",
        "--permit-timeout=1m",
        "--dns-timeout=2m",
        "--connect-timeout=90s",
        "--tls-timeout=100",
        "--head-timeout=180",
        "--body-timeout=1.5m",
    ];
    run(&[&["get", &url], &options[..]].concat()).is_quietly_ok();
    let batch = [&["batch", "-"], &options[..]].concat();
    assert_eq!(run_with_input(&batch, url.as_bytes()).code, Some(0));
    run(&[&["get", "-m1", &url], &options[1..1]].concat()).is_quietly_ok();
}

#[test]
fn a_limit_that_can_never_be_reached_is_refused() {
    let server = server();
    let url = server.url("/small");
    for phase in ["dns", "connect", "tls", "head", "body"] {
        let option = format!("--{phase}-timeout");
        for (limit, whole, is_refused) in [
            ("3m", "2m", true),
            ("1001ms", "1", true),
            ("2m", "120", false),
            ("1s", "1h", false),
        ] {
            let get = ["get", &url, &option, limit, "--timeout", whole];
            let got = run(&get);
            match is_refused {
                true => got.fails_with(2, &[&option, "is longer than --timeout"]),
                false => got.is_quietly_ok(),
            }
            let batch = ["batch", "-", &option, limit, "--timeout", whole];
            let code = run_with_input(&batch, url.as_bytes()).code;
            assert_eq!(code, Some(if is_refused { 2 } else { 0 }));
        }
    }
}

#[test]
fn a_number_alone_is_seconds() {
    let server = server();
    for (limit, said) in [("0.02", "20ms"), ("0.5s", "500ms"), ("30ms", "30ms")] {
        let run = run(&["get", &server.url("/never"), "--timeout", limit]);
        run.fails_with(28, &["longer than", said]);
    }
    run(&["get", &server.url("/small"), "--timeout", "60"]).is_quietly_ok();
    for wrong in ["0", "-1", "1x", "soon", ""] {
        let run = run(&["get", &server.url("/small"), "--timeout", wrong]);
        assert_eq!(run.code, Some(2), "{wrong}: {}", run.stderr);
    }
}

/// Runs a batch of slow lines in a shell that limits its descriptors.
fn with_descriptors(limit: &str, options: &[&str]) -> (Run, Server) {
    let server = Server::start(Options::default()).unwrap();
    let directory = Directory::new();
    let lines = format!("{}\n", server.url("/delay/5")).repeat(300);
    let list = directory.write("list", lines);
    let out = directory.file("out");
    let options: Vec<&str> = options
        .iter()
        .map(|option| if *option == "OUT" { &*out } else { *option })
        .collect();
    let arguments = [&["batch", &list], &options[..]].concat();
    let script = format!("ulimit {limit} && exec \"$0\" \"$@\"");
    (shell(&script, &arguments).output().unwrap().into(), server)
}

#[test]
fn the_soft_limit_of_descriptors_is_raised() {
    let (run, server) = with_descriptors("-Sn 24", &["--total", "64"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(!run.stderr.contains("at most"), "{}", run.stderr);
    assert!(server.stats().connections > 24, "{:?}", server.stats());
}

#[test]
fn a_limit_that_is_too_low_is_raised_or_told() {
    let server = server();
    let url = server.url("/small");
    for (limit, is_enough) in [("-Sn 8", true), ("-n 6", false), ("-n 12", false)] {
        let script = format!("ulimit {limit} && exec \"$0\" \"$@\"");
        let got = Run::from(shell(&script, &["get", &url]).output().unwrap());
        match is_enough {
            true => got.is_quietly_ok(),
            false => got.fails_with(1, &["open files", "ulimit -n"]),
        }
    }
}

#[test]
fn too_few_threads_are_told() {
    use std::os::unix::process::CommandExt as _;

    /// No user that another test runs as.
    const USER: u32 = 65_533;
    if !is_root() {
        return;
    }
    // A part of a name has at most 63 letters, so that no server is asked.
    let url = format!("http://{}.invalid/", "a".repeat(70));
    // Root has no limit of threads.
    let as_user = |processes: &str| {
        let mut command = std::process::Command::new("prlimit");
        command.arg(format!("--nproc={processes}"));
        command.args([env!("CARGO_BIN_EXE_turbohttp"), "get", &url]);
        command.uid(USER).gid(USER).arg("--noproxy=*").output()
    };
    // One who reaches the command finds no such host.
    if !as_user("100").is_ok_and(|output| output.status.code() == Some(6)) {
        return skipped("there is no prlimit, or the command lies where only its owner may go");
    }
    for processes in ["1", "2", "3", "4"] {
        let got = Run::from(as_user(processes).unwrap());
        got.fails_with(1, &["fewer than 4 threads"]);
    }
}

#[test]
fn requests_fit_into_the_descriptors_that_there_are() {
    for options in [
        &["--total", "256"][..],
        &["--total", "256", "--out-dir", "OUT"],
    ] {
        let (run, server) = with_descriptors("-n 48", options);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let said = "in place of 256: the system gives 48 open files";
        assert!(run.stderr.contains(said), "{}", run.stderr);
        assert!(run.stderr.contains("ok 300 "), "{}", run.stderr);
        assert!(server.stats().in_flight_peak <= 24);
    }
}
