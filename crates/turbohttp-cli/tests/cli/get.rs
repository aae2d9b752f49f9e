//! `turbohttp get`.

use std::fs;
use std::io::Read as _;

use turbohttp_loopback::script::{Script, Step};
use turbohttp_loopback::tls::{Leaf, TestCa};
use turbohttp_loopback::{Options, Server, pattern};

use super::support::{Directory, run, run_with_input, server, turbohttp};

#[test]
fn the_body_goes_to_stdout_byte_by_byte() {
    let server = server();
    for (path, length) in [
        ("/bytes/1000003", 1_000_003),
        ("/chunked/9/1000", 9_000),
        ("/close/5000", 5_000),
        ("/bytes/0", 0),
    ] {
        let run = run(&["get", &server.url(path)]);
        run.is_quietly_ok();
        assert!(
            run.stdout == pattern(length),
            "{path}: {} bytes",
            run.stdout.len()
        );
    }
}

#[test]
fn output_is_a_whole_file_or_none() {
    let server = server();
    let directory = Directory::new();
    let file = directory.file("body");
    run(&["get", &server.url("/bytes/300000"), "-o", &file]).is_quietly_ok();
    assert!(fs::read(&file).unwrap() == pattern(300_000));
    assert_eq!(directory.names(), ["body"]);

    let missing = directory.file("missing");
    let cut = run(&["get", &server.url("/drop/100000"), "-o", &missing]);
    cut.fails_with(18, &["/drop/100000", "phase receive"]);
    // The old content stays under a name that is taken.
    run(&["get", &server.url("/drop/100000"), "-o", &file]).fails_with(18, &[]);
    assert_eq!(directory.names(), ["body"]);
    assert!(fs::read(&file).unwrap() == pattern(300_000));
}

#[test]
fn output_that_cannot_be_written_is_named() {
    let server = server();
    let directory = Directory::new();
    let path = directory.path().to_str().unwrap();
    run(&["get", &server.url("/small"), "-o", path]).fails_with(23, &[path, "directory"]);
    let nowhere = directory.file("no/such");
    let got = run(&["get", &server.url("/small"), "-o", &nowhere]);
    got.fails_with(23, &[&nowhere]);
    // The name that the file has meanwhile says nothing to people.
    assert!(!got.stderr.contains(".part"), "{}", got.stderr);
    let slash = directory.file("new/");
    run(&["get", &server.url("/small"), "-o", &slash]).fails_with(23, &[&slash, "is a directory"]);
}

#[test]
fn include_and_head_show_the_fields() {
    let server = server();
    let included = run(&["get", "-i", &server.url("/small")]);
    included.is_quietly_ok();
    assert!(included.text().starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(included.text().contains("\r\ncontent-length: 13\r\n"));
    assert!(included.text().ends_with("\r\n\r\nHello, world!"));
    let head = run(&["get", "-I", &server.url("/small")]);
    head.is_quietly_ok();
    assert!(head.text().ends_with("\r\n\r\n"));
    // As in curl: the empty body would only empty the file.
    let directory = Directory::new();
    let file = directory.write("file", "old");
    let to_file = run(&["get", "-I", &server.url("/small"), "-o", &file]);
    to_file.is_quietly_ok();
    assert_eq!(to_file.text(), "");
    let left = fs::read_to_string(&file).unwrap();
    assert!(left.starts_with("HTTP/1.1 200 OK\r\n") && left.ends_with("\r\n\r\n"));
}

#[test]
fn data_comes_from_text_file_and_stdin() {
    let server = server();
    let url = server.url("/echo");
    let directory = Directory::new();
    let file = directory.write("data", pattern(100_000));
    let at_file = format!("@{file}");
    for (argument, input, expected) in [
        ("a=1&b=2", &b""[..], b"a=1&b=2".to_vec()),
        (&at_file, b"", pattern(100_000)),
        ("@-", b"from stdin", b"from stdin".to_vec()),
    ] {
        let run = run_with_input(&["get", "-i", &url, "-d", argument], input);
        run.is_quietly_ok();
        let head_end = run
            .stdout
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap()
            + 4;
        assert!(run.stdout[head_end..] == expected, "{argument}");
        let head = String::from_utf8_lossy(&run.stdout[..head_end]);
        assert!(head.contains("application/x-www-form-urlencoded"), "{head}");
    }
}

#[test]
fn the_request_says_what_was_typed() {
    let server = server();
    let url = server.url("/headers");
    let arguments = [
        "get", &url, "-X", "PUT", "--json", "{}", "-H", "X-One: 1", "-H", "x-one:2", "-u",
        "joe:pass",
    ];
    let run = run(&arguments);
    run.is_quietly_ok();
    let head = run.text().to_ascii_lowercase();
    for part in [
        "put /headers http/1.1",
        "x-one: 1\r\n",
        "x-one: 2\r\n",
        "content-type: application/json",
        "accept: application/json",
        "authorization: basic am9lonbhc3m=",
        "content-length: 2",
        "user-agent: turbohttp/",
    ] {
        assert!(head.contains(part), "{part} is not in {head}");
    }
}

#[test]
fn a_streamed_file_has_its_length() {
    let server = server();
    let directory = Directory::new();
    let file = format!("@{}", directory.write("data", "12345"));
    let run = run(&["get", &server.url("/headers"), "-d", &file]);
    assert!(
        run.text().contains("content-length: 5\r\n"),
        "{}",
        run.text()
    );
    assert!(run.text().starts_with("POST "), "{}", run.text());
}

#[test]
fn verbose_hides_secrets() {
    let script = Script::new().accept([
        Step::ReadHead,
        Step::send(
            "HTTP/1.1 200 OK\r\nset-cookie: id=topsecret\r\nx: y\r\ncontent-length: 0\r\n\r\n",
        ),
    ]);
    let server = script.start().unwrap();
    let url = server
        .url("/v?q=1")
        .replace("http://", "http://joe:topsecret@");
    let key = "X-Api-Key: topsecret";
    let run = run(&["get", "-v", &url, "-H", "cookie: topsecret", "-H", key]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    for part in [
        "> GET /v?q=1 HTTP/1.1",
        "> host: 127.",
        "> cookie: [hidden]",
        "> authorization: [hidden]",
        "> x-api-key: [hidden]",
        "< HTTP/1.1 200 OK",
        "< x: y",
        "< set-cookie: [hidden]",
    ] {
        assert!(run.stderr.contains(part), "{part} is not in {}", run.stderr);
    }
    assert!(!run.stderr.contains("topsecret"), "{}", run.stderr);
}

#[test]
#[cfg(unix)]
fn too_many_fields_are_refused() {
    let names: Vec<String> = (0..20_000).map(|number| format!("x{number}:")).collect();
    let mut arguments = vec!["get", "http://localhost/"];
    arguments.extend(names.iter().flat_map(|name| ["-H", name]));
    run(&arguments).fails_with(2, &["--header: more than 16384 fields"]);
}

#[test]
fn timeline_shows_the_phases() {
    let server = server();
    let run = run(&["get", "--timeline", &server.url("/small")]);
    assert_eq!((run.code, run.text()), (Some(0), "Hello, world!"));
    assert!(
        run.stderr.starts_with("connection 1 (new), total "),
        "{}",
        run.stderr
    );
    for phase in ["connect", "send", "wait", "receive"] {
        assert!(
            run.stderr.contains(&format!("\n  {phase:<8}|")),
            "{}",
            run.stderr
        );
    }
    assert!(!run.stderr.contains('\x1b'));
}

#[test]
fn statuses_fail_only_when_asked() {
    let server = server();
    let url = server.url("/status/404");
    let plain = run(&["get", &url]);
    plain.is_quietly_ok();
    assert_eq!(plain.text(), "404 Not Found\n");
    let failed = run(&["get", "--fail", &url]);
    failed.fails_with(22, &["server answered 404 Not Found", "/status/404"]);
    assert_eq!(failed.text(), "");
}

#[test]
fn what_was_typed_wrong_is_said_in_one_line() {
    let cases: [(&[&str], &str); 9] = [
        (&["get", "joe:topsecret@h /"], "\"h /\" holds a blank"),
        (&["get", "/path"], "\"/path\" names no host: write http://"),
        (
            &["get", "ftp://joe:topsecret@h/"],
            "\"ftp\" is not http or https",
        ),
        (&["get", "http://"], "host"),
        (
            &["get", "http://h/", "-H", "a: b\u{1}c"],
            "header a: its value holds a control byte",
        ),
        (&["get", "http://h/", "-H", "a"], "no colon"),
        (&["get", "http://h/", "-X", "post"], "write POST"),
        (
            &["get", "http://h/", "--cacert", "/no/such"],
            "--cacert /no/such",
        ),
        (&["get", "http://h/", "-u", "joe"], "write USER:PASSWORD"),
    ];
    for (arguments, part) in cases {
        let run = run(arguments);
        run.fails_with(2, &[part]);
        assert!(!run.stderr.contains("topsecret"), "{}", run.stderr);
    }
}

#[test]
fn content_that_cannot_be_read_has_the_code_of_curl() {
    for (path, part) in [("/no/such", "No such file"), ("/", "directory")] {
        let content = format!("@{path}");
        for arguments in [&["-d", &*content][..], &["-d", "x", "-d", &content]] {
            let run = run(&[&["get", "http://h.invalid/"], arguments].concat());
            run.fails_with(26, &[&format!("body file {path} cannot be read"), part]);
        }
    }
}

#[test]
fn clap_refuses_with_the_same_code() {
    for arguments in [
        &["get"][..],
        &["gett"],
        &["get", "http://h/", "--timeout", "10x"],
        &["get", "http://h/", "-d", "a", "--json", "b"],
        &["batch", "x", "--total", "0"],
    ] {
        assert_eq!(run(arguments).code, Some(2), "{arguments:?}");
    }
    assert_eq!(run(&["--help"]).code, Some(0));
    assert_eq!(run(&["get", "--help"]).code, Some(0));
}

#[test]
fn a_refused_connection_names_address_and_phase() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let run = run(&["get", &format!("http://{address}/x")]);
    run.fails_with(
        7,
        &[&format!("http://{address}/x"), "refused", "phase connect"],
    );
}

#[test]
fn a_truncated_body_is_an_error() {
    let server = server();
    let run = run(&["get", &server.url("/drop/1000")]);
    run.fails_with(18, &["/drop/1000", "phase receive"]);
    assert!(run.stdout == pattern(500), "{}", run.stdout.len());
}

#[test]
fn the_timeout_ends_a_request() {
    let server = server();
    let run = run(&["get", &server.url("/never"), "--timeout", "20ms"]);
    run.fails_with(28, &["/never", "longer than 20ms", "phase "]);
}

#[test]
fn certificates_are_checked_unless_told_otherwise() {
    let ca = TestCa::new();
    let tls = Some(ca.server_config(&["127.0.0.1"]));
    let server = Server::start(Options {
        tls,
        ..Options::default()
    })
    .unwrap();
    let url = server.url("/small");
    let directory = Directory::new();
    let right = directory.write("ca.pem", ca.pem());
    let wrong = directory.write(
        "other.pem",
        Leaf::self_signed(&["elsewhere"]).certificate_pem(),
    );
    let trusted = run(&["get", &url, "--cacert", &right, "--timeline"]);
    assert_eq!(
        (trusted.code, trusted.text()),
        (Some(0), "Hello, world!"),
        "{}",
        trusted.stderr
    );
    assert!(trusted.stderr.contains("\n  tls "), "{}", trusted.stderr);
    run(&["get", &url, "--cacert", &wrong]).fails_with(60, &["issuer is not trusted", "phase tls"]);
    run(&["get", &url, "-k"]).is_quietly_ok();
}

#[test]
fn a_client_certificate_is_shown() {
    let ca = TestCa::new();
    let tls = Some(ca.leaf(&["127.0.0.1"]).mutual_server_config(&ca));
    let server = Server::start(Options {
        tls,
        ..Options::default()
    })
    .unwrap();
    let directory = Directory::new();
    let leaf = ca.leaf(&["client"]);
    let root = directory.write("ca.pem", ca.pem());
    let cert = directory.write("cert.pem", leaf.certificate_pem());
    let key = directory.write("key.pem", leaf.key_pem());
    let url = server.url("/small");
    run(&[
        "get", &url, "--cacert", &root, "--cert", &cert, "--key", &key,
    ])
    .is_quietly_ok();
    // A server that refuses a client tells it by an alert, in or after the handshake.
    let code = run(&["get", &url, "--cacert", &root]).code;
    assert!([Some(35), Some(56)].contains(&code), "{code:?}");
}

#[test]
fn a_reader_that_goes_is_an_error_as_in_curl() {
    let server = server();
    // More than any pipe holds, so that the command is still writing when its reader goes.
    let mut child = turbohttp(&["get", &server.url("/bytes/100000000")])
        .spawn()
        .unwrap();
    let mut first = [0; 1000];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(23));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("stdout cannot be written"), "{stderr}");
}
