//! What the command says of what happened: exit codes, redirects, proxies, and what was typed.

use std::fs;

use serde_json::Value;
use turbohttp_loopback::script::{Script, ScriptServer, Step};
use turbohttp_loopback::tls::TestCa;
use turbohttp_loopback::{Options, Server};

use super::support::{Directory, Run, run, run_with_input, server, turbohttp};

const REDIRECTS: [u16; 6] = [300, 301, 302, 303, 307, 308];

/// A server that answers every request with these bytes, and closes.
fn answers(bytes: &str) -> ScriptServer {
    let steps = [Step::ReadHead, Step::send(bytes), Step::Close];
    Script::new().accept(steps).repeat_last().start().unwrap()
}

#[test]
fn exit_codes_are_those_of_curl() {
    let server = server();
    for (path, code) in [
        ("/small", 0),
        ("/status/404", 0),
        ("/drop/1000", 18),
        ("/status/302", 0),
        ("/drop", 52),
        ("/reset", 56),
    ] {
        let run = run(&["get", &server.url(path)]);
        assert_eq!(run.code, Some(code), "{path}: {}", run.stderr);
    }
    let url = server.url("/status/500");
    run(&["get", "-f", &url]).fails_with(22, &["server answered 500"]);
    run(&["get", &server.url("/never"), "-m", "0.02"]).fails_with(28, &[]);
    run(&["get", &server.url("/small"), "-o", "/"]).fails_with(23, &[]);
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    for (answer, code) in [
        ("", 52),
        ("HTTP/1.1 200 OK\r\nconte", 18),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", 8),
        (&format!("{chunked}5\r\nab"), 18),
        (&format!("{chunked}x\r\n"), 56),
    ] {
        let run = run(&["get", &answers(answer).url("/")]);
        assert_eq!(run.code, Some(code), "{answer:?}: {}", run.stderr);
    }
}

#[test]
fn exit_codes_tell_where_no_connection_came_to_be() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    run(&["get", &format!("http://{closed}/")]).fails_with(7, &["refused"]);
    // A part of a name has at most 63 letters, so that no server is asked.
    let name = "a".repeat(70);
    run(&["get", &format!("http://{name}.invalid/")]).fails_with(6, &["no address"]);
    // What speaks no TLS.
    let steps = [
        Step::ReadExact(1),
        Step::send("HTTP/1.1 400 Bad Request\r\n\r\n"),
    ];
    let plain = Script::new().accept(steps).start().unwrap();
    let url = plain.url("/").replace("http://", "https://");
    run(&["get", &url]).fails_with(35, &["phase tls"]);
    let ca = TestCa::new();
    let directory = Directory::new();
    let root = directory.write("ca.pem", ca.pem());
    for (names, trusted) in [("127.0.0.1", false), ("other.test", true)] {
        let options = Options {
            tls: Some(ca.server_config(&[names])),
            ..Options::default()
        };
        let server = Server::start(options).unwrap();
        let url = server.url("/small");
        let mut arguments = vec!["get", &url];
        if trusted {
            arguments.extend(["--cacert", &root]);
        }
        run(&arguments).fails_with(60, &["certificate of 127.0.0.1 was refused"]);
    }
}

#[test]
fn the_help_has_every_exit_code() {
    for arguments in [&["--help"][..], &["get", "--help"]] {
        let help = run(arguments);
        let codes = help.text().split_once("Exit codes:").unwrap().1;
        let words: Vec<&str> = codes.split(|c: char| !c.is_ascii_digit()).collect();
        for code in [
            0, 1, 2, 3, 6, 7, 8, 16, 18, 22, 23, 26, 28, 35, 47, 52, 55, 56, 60, 92, 129, 130, 143,
        ] {
            assert!(words.contains(&&*code.to_string()), "{code}: {codes}");
        }
    }
}

#[test]
fn a_redirect_is_shown_and_its_page_is_no_file() {
    let server = server();
    let directory = Directory::new();
    for status in REDIRECTS {
        let url = server.url(&format!("/status/{status}"));
        let shown = run(&["get", &url]);
        let code = status.to_string();
        assert_eq!(shown.code, Some(0), "as curl");
        let said = format!("{code} ");
        for part in [
            "server answered ",
            &said,
            " to /small is not followed: give -L",
        ] {
            assert!(shown.stderr.contains(part), "{part}: {}", shown.stderr);
        }
        assert!(shown.text().starts_with(&code), "{}", shown.text());
        assert_eq!(run(&["get", "-I", &url]).code, Some(0));
        // What stands there is not replaced by a page that says where it is now.
        let file = directory.write("file", "old");
        run(&["get", &url, "-o", &file]).fails_with(47, &[&url]);
        run(&["get", &url, "-o", &directory.file("new")]).fails_with(47, &[&url]);
        assert_eq!(fs::read(&file).unwrap(), b"old");
        assert_eq!(directory.names(), ["file"]);
    }
}

#[test]
fn not_modified_leaves_the_file_as_it_is() {
    let server = server();
    let directory = Directory::new();
    let file = directory.write("file", "old");
    let url = server.url("/status/304");
    run(&["get", &url, "-H", "if-none-match: \"1\"", "-o", &file]).is_quietly_ok();
    assert_eq!(fs::read(&file).unwrap(), b"old");
    let line = format!("{{\"url\":\"{url}\",\"output\":\"file\"}}");
    let out = directory.path().to_str().unwrap();
    let batch = run_with_input(&["batch", "-", "--out-dir", out], line.as_bytes());
    assert_eq!(batch.code, Some(0), "{}", batch.stderr);
    assert_eq!(fs::read(&file).unwrap(), b"old");
}

#[test]
fn a_redirect_is_no_success_of_a_batch() {
    let server = server();
    let directory = Directory::new();
    let lines: Vec<String> = REDIRECTS
        .iter()
        .map(|status| server.url(&format!("/status/{status}")))
        .chain([server.url("/small")])
        .collect();
    let out = directory.file("out");
    let input = lines.join("\n");
    let run = run_with_input(
        &["batch", "-", "--json", "--out-dir", &out],
        input.as_bytes(),
    );
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("ok 1 "), "{}", run.stderr);
    assert!(
        run.stderr.contains("failed 6 (redirect 6)"),
        "{}",
        run.stderr
    );
    for row in run.text().lines() {
        let row: Value = serde_json::from_str(row).unwrap();
        let status = row["status"].as_u64().unwrap();
        let kind = &row["error"]["kind"];
        match status {
            200 => assert!(row["error"].is_null(), "{row}"),
            _ => assert_eq!(kind, "redirect", "{row}"),
        }
    }
    let files: Vec<_> = fs::read_dir(&out).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
}

#[test]
fn a_batch_says_that_bodies_are_dropped() {
    const SAID: &str = "bodies were read and dropped: --out-dir keeps them";
    let server = server();
    let directory = Directory::new();
    let out = directory.file("out");
    for (options, is_said) in [
        (&[][..], true),
        (&["--json"], false),
        (&["--out-dir", &out], false),
    ] {
        let arguments = [&["batch", "-"], options].concat();
        let run = run_with_input(&arguments, server.url("/small").as_bytes());
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert_eq!(
            run.stderr.contains(SAID),
            is_said,
            "{options:?}: {}",
            run.stderr
        );
    }
}

fn with_environment(arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    let mut command = turbohttp(arguments);
    command.envs(variables.iter().copied());
    command.output().unwrap().into()
}

#[test]
fn a_proxy_that_the_environment_names_is_used() {
    let server = server();
    let http = server.url("/small");
    let https = "https://127.0.0.1:1/";
    for (variable, url) in [
        ("http_proxy", &*http),
        ("HTTP_PROXY", &http),
        ("all_proxy", &http),
        ("ALL_PROXY", &http),
        ("https_proxy", https),
        ("HTTPS_PROXY", https),
        ("all_proxy", https),
    ] {
        // Nobody listens there: what is sent must go through it all the same.
        let proxy = "http://joe:topsecret@127.0.0.1:1";
        let run = with_environment(&["get", url], &[(variable, proxy)]);
        run.fails_with(7, &["on the way to http://127.0.0.1:1", "refused"]);
        assert!(!run.stderr.contains("topsecret"), "{}", run.stderr);
    }
    let wrong = with_environment(&["get", &http], &[("http_proxy", "ftp://canary@h")]);
    wrong.fails_with(2, &["http_proxy"]);
    assert!(!wrong.stderr.contains("canary"), "{}", wrong.stderr);
    let mut batch = turbohttp(&["batch", "/dev/stdin", "--json"]);
    let directory = Directory::new();
    let list = fs::File::open(directory.write("list", &http)).unwrap();
    let batch: Run = batch
        .env("http_proxy", "http://127.0.0.1:1")
        .stdin(list)
        .output()
        .unwrap()
        .into();
    assert_eq!(batch.code, Some(1));
    assert!(batch.text().contains("on the way to"), "{}", batch.text());
    assert_eq!(server.stats().requests, 0);
}

#[test]
fn hosts_that_need_no_proxy_are_reached() {
    let server = server();
    let url = server.url("/small");
    let proxy = ("http_proxy", "http://127.0.0.1:1");
    for (variables, options, is_reached) in [
        (
            &[proxy, ("no_proxy", "a.test,127.0.0.1")][..],
            &[][..],
            true,
        ),
        (&[proxy, ("NO_PROXY", "127.0.0.0/8")], &[], true),
        (&[proxy, ("no_proxy", "*")], &[], true),
        (&[proxy, ("no_proxy", "localhost, 127.0.0.2")], &[], false),
        (&[proxy, ("no_proxy", "")], &[], false),
        (&[proxy], &["--noproxy", "*"], true),
        (&[proxy], &["--noproxy", "127.0.0.1"], true),
        (&[proxy, ("no_proxy", "*")], &["--noproxy", "a.test"], false),
        (&[("https_proxy", "x")], &[], true),
        (&[("http_proxy", "")], &[], true),
        (&[("HTTP_PROXY", "x"), ("REQUEST_METHOD", "GET")], &[], true),
    ] {
        let arguments = [&["get", &url], options].concat();
        let run = with_environment(&arguments, variables);
        let code = if is_reached { 0 } else { 7 };
        assert_eq!(
            run.code,
            Some(code),
            "{variables:?} {options:?}: {}",
            run.stderr
        );
    }
}

#[test]
fn fields_are_left_out_emptied_and_set_as_in_curl() {
    let server = server();
    let url = server.url("/headers");
    for (fields, has, has_not) in [
        (
            &["User-Agent:"][..],
            &["accept: */*"][..],
            &["user-agent"][..],
        ),
        (
            &["accept:", "user-agent: "],
            &["host: "],
            &["user-agent", "\naccept:"],
        ),
        (&["accept:", "accept: a/b"], &["accept: a/b\r\n"], &["*/*"]),
        (&["x-empty;", "x-none:"], &["x-empty: \r\n"], &["x-none"]),
        (&["user-agent;"], &["user-agent: \r\n"], &["turbohttp"]),
    ] {
        let mut arguments = vec!["get", &*url];
        arguments.extend(fields.iter().flat_map(|field| ["-H", field]));
        let got = run(&arguments);
        got.is_quietly_ok();
        let directory = Directory::new();
        let out = directory.file("out");
        let mut arguments = vec!["batch", "-", "--out-dir", &out];
        arguments.extend(fields.iter().flat_map(|field| ["-H", field]));
        let batch = run_with_input(&arguments, url.as_bytes());
        assert_eq!(batch.code, Some(0), "{}", batch.stderr);
        let entry = fs::read_dir(&out).unwrap().next().unwrap().unwrap();
        for head in [got.text(), &fs::read_to_string(entry.path()).unwrap()] {
            let head = head.to_ascii_lowercase();
            assert!(
                has.iter().all(|part| head.contains(part)),
                "{fields:?}: {head}"
            );
            assert!(
                !has_not.iter().any(|part| head.contains(part)),
                "{fields:?}: {head}"
            );
        }
    }
    run(&["get", &url, "-H", "Host:"]).fails_with(2, &["host cannot be left out"]);
    let json = ["get", &url, "--json", "{}", "-H", "content-type:"];
    assert!(!run(&json).text().contains("content-type"));
    let user = url.replace("http://", "http://joe:pass@");
    assert!(
        !run(&["get", &user, "-H", "authorization:"])
            .text()
            .contains("Basic")
    );
}

#[test]
fn data_that_is_given_again_is_joined() {
    let server = server();
    let url = server.url("/echo");
    for (arguments, body) in [
        (&["-d", "a=1", "-d", "b=2"][..], "a=1&b=2"),
        (&["-d", "", "-d", "b"], "&b"),
        (&["--json", "{\"a\":", "--json", "1}"], "{\"a\":1}"),
    ] {
        let run = run(&[&["get", &url], arguments].concat());
        run.is_quietly_ok();
        assert_eq!(run.text(), body);
    }
}

#[test]
fn urls_are_taken_as_people_type_them() {
    let server = server();
    let url = server.url("/small");
    let address = url.strip_prefix("http://").unwrap();
    let named = address.replace("127.0.0.1", "localhost");
    let user = format!("joe:pass@{address}");
    for arguments in [
        &["get", address][..],
        &[address],
        &[&url],
        &[&user],
        &["-f", &url],
        &["-m", "60", "--noproxy", "*", address],
        &["--output=-", &named],
    ] {
        let run = run(arguments);
        assert_eq!(run.code, Some(0), "{arguments:?}: {}", run.stderr);
        assert_eq!(run.text(), "Hello, world!", "{arguments:?}");
    }
    for (typed, part) in [
        ("/small", "names no host"),
        ("//127.0.0.1/small", "names no host"),
        ("http:/127.0.0.1/small", "names no host"),
        ("http:127.0.0.1", "names no host"),
        ("ftp://127.0.0.1/", "not http or https"),
        ("?q", "names no host"),
    ] {
        run(&["get", typed]).fails_with(2, &[part]);
    }
    assert_eq!(run(&["gett", &url]).code, Some(2));
}

#[test]
fn a_host_and_a_path_are_taken_as_they_are_given() {
    let server = server();
    let port = server.addr().port();
    let url = format!("http://h.test:{port}/headers/../headers?a=|");
    let here = format!("H.test:{port}:127.0.0.1");
    let other = format!("h.test:1:127.0.0.1,other.test:{port}:127.0.0.1");
    for (options, target) in [
        (&[][..], "GET /headers?a=| "),
        (&["-H", "accept:"], "GET /headers?a=| "),
        (&["--path-as-is"], "GET /headers/../headers?a=| "),
    ] {
        let run = run(&[&["get", &url, "--resolve", &here, "-v"], options].concat());
        assert!(run.stderr.contains(target), "{}", run.stderr);
        assert!(
            run.stderr.contains(&format!("> host: h.test:{port}")),
            "{}",
            run.stderr
        );
    }
    let unused = &other[..other.find(',').unwrap()];
    run(&["get", &url, "--resolve", unused]).fails_with(2, &["--resolve names no h.test"]);
    assert_eq!(run(&["get", &url, "--resolve", "h.test"]).code, Some(2));
}
