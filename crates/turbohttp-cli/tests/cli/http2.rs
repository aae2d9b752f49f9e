//! Which version of HTTP is spoken, and what is told of it.

use serde_json::Value;
use turbohttp_loopback::script::{Script, Step, frames};
use turbohttp_loopback::tls::TestCa;
use turbohttp_loopback::{Options, Protocols, Server};

use super::support::{Directory, run, server};

/// What each option leads to, the last one last.
const TYPED: [(&[&str], &str, &str); 7] = [
    (&[], "1.1", "2"),
    (&["--http2"], "1.1", "2"),
    (&["--http1.1"], "1.1", "1.1"),
    (&["--http2-prior-knowledge"], "2", "2"),
    (&["--http2", "--http1.1"], "1.1", "1.1"),
    (&["--http1.1", "--http2"], "1.1", "2"),
    (&["--http1.1", "--http2-prior-knowledge"], "2", "2"),
];

/// A server of `https` that has both versions, and what trusts it.
fn tls(directory: &Directory) -> (Server, String) {
    let ca = TestCa::new();
    let names = ["localhost", "127.0.0.1"];
    let options = Options {
        tls: Some(ca.server_config_with_alpn(&names, &["h2", "http/1.1"])),
        ..Options::default()
    };
    let trusted = directory.write("ca.pem", ca.pem());
    (Server::start(options).unwrap(), trusted)
}

#[test]
fn the_last_option_says_which_version_is_spoken() {
    let directory = Directory::new();
    let (secure, trusted) = tls(&directory);
    let plain = server();
    for (typed, by_http, by_https) in TYPED {
        for (server, version) in [(&plain, by_http), (&secure, by_https)] {
            let url = server.url("/small");
            let others = ["--cacert", &trusted, "-w", "|%{http_version}", &url];
            let run = run(&[&["get"], typed, &others].concat());
            run.is_quietly_ok();
            let expected = format!("Hello, world!|{version}");
            assert_eq!(run.text(), expected, "{typed:?} {url}");
        }
    }
}

#[test]
fn heads_are_shown_as_curl_shows_them() {
    let server = server();
    let url = server.url("/small");
    let prior = "--http2-prior-knowledge";
    let included = run(&["get", "-i", prior, &url]);
    included.is_quietly_ok();
    let text = included.text();
    assert!(text.starts_with("HTTP/2 200 \r\n"), "{text}");
    let verbose = run(&["get", "-v", "--timeline", prior, &url]);
    assert_eq!(verbose.code, Some(0), "{}", verbose.stderr);
    for part in ["> GET /small\n", "< HTTP/2 200 \n", "(new), HTTP/2, total "] {
        assert!(verbose.stderr.contains(part), "{}", verbose.stderr);
    }
}

#[test]
fn a_version_that_is_yet_to_be_chosen_is_not_told() {
    let directory = Directory::new();
    let (server, trusted) = tls(&directory);
    let url = server.url("/small");
    let run = run(&["get", "-v", "--cacert", &trusted, &url]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let said = &run.stderr;
    assert!(said.contains("> GET /small\n"), "{said}");
    assert!(said.contains("< HTTP/2 200 \n"), "{said}");
}

#[test]
fn a_server_without_http2_is_told_of() {
    let answer = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let script = Script::new()
        .accept([Step::ReadHead, Step::send(answer)])
        .start()
        .unwrap();
    let run = run(&["get", "--http2-prior-knowledge", &script.url("/")]);
    run.fails_with(8, &["HTTP/2"]);
}

/// Frames behind those of a server that begins, and the code: that of curl 7.88 but for broken frames, which it
/// has for an empty answer.
fn failures() -> Vec<(&'static str, Vec<u8>, i32)> {
    let ok = frames::headers(
        1,
        frames::END_HEADERS,
        &frames::block(&[(":status", "200")]),
    );
    let ten = [(":status", "200"), ("content-length", "10")];
    let of_ten = frames::headers(1, frames::END_HEADERS, &frames::block(&ten));
    let last = frames::END_STREAM;
    let bad = frames::data(0, 0, b"x");
    let reset = |code| frames::rst(1, code);
    vec![
        ("a reset", reset(2), 92),
        ("a reset without an error", reset(0), 92),
        (
            "a reset behind the head",
            [ok.clone(), reset(2)].concat(),
            92,
        ),
        (
            "a body that is too short",
            [of_ten.clone(), frames::data(1, last, b"x")].concat(),
            92,
        ),
        (
            "no status",
            frames::headers(1, frames::END_HEADERS | last, &frames::block(&[("a", "b")])),
            92,
        ),
        ("nothing", vec![], 18),
        ("a head alone", ok.clone(), 18),
        (
            "a body that is cut",
            [of_ten, frames::data(1, 0, b"x")].concat(),
            18,
        ),
        ("a farewell with an error", frames::goaway(1, 11, b""), 18),
        (
            "a farewell without the request",
            frames::goaway(0, 1, b""),
            16,
        ),
        ("a broken frame", bad.clone(), 16),
        ("a broken frame behind the head", [ok, bad].concat(), 16),
    ]
}

#[test]
fn exit_codes_of_http2_are_those_of_curl() {
    for (name, bytes, code) in failures() {
        let steps = [
            Step::ReadPreface,
            Step::send(frames::settings(&[])),
            Step::read_frame(frames::HEADERS),
            Step::send(bytes),
            Step::Close,
        ];
        let script = Script::new().accept(steps).repeat_last().start().unwrap();
        let run = run(&["get", "--http2-prior-knowledge", &script.url("/")]);
        assert_eq!(run.code, Some(code), "{name}: {}", run.stderr);
    }
}

#[test]
fn a_batch_says_the_version_of_each_line() {
    let server = server();
    let directory = Directory::new();
    let list = directory.write("list", format!("{}\nnonsense:\n", server.url("/small")));
    for (option, version) in [("--http2-prior-knowledge", "2"), ("--http1.1", "1.1")] {
        let run = run(&["batch", option, "--json", &list]);
        let rows = run.text().lines().map(serde_json::from_str);
        let rows: Result<Vec<Value>, _> = rows.collect();
        let rows = rows.unwrap();
        let line = |number| rows.iter().find(|row| row["line"] == number).unwrap();
        assert_eq!(line(1)["http_version"], version);
        assert_eq!(line(2)["http_version"], Value::Null);
    }
}

#[test]
fn a_load_of_http2_goes_over_one_connection() {
    let server = Server::start(Options {
        protocols: Protocols::Http2,
        ..Options::default()
    })
    .unwrap();
    let url = server.url("/small");
    let prior = "--http2-prior-knowledge";
    let run = run(&["bench", "-c", "16", "-n", "200", "--json", prior, &url]);
    run.is_quietly_ok();
    let told: Value = serde_json::from_str(run.text()).unwrap();
    assert_eq!(
        (&told["answered"], &told["connections"]),
        (&200.into(), &1.into())
    );
    assert_eq!(server.stats().http2.connections, 1);
}

#[test]
fn versions_that_are_not_built_say_so() {
    for option in ["-0", "--http1.0", "--http3", "--http3-only"] {
        let run = run(&["get", option, "http://127.0.0.1:1/"]);
        run.fails_with_usage();
        let said = format!("{option} is an option of curl that is not built yet");
        assert!(run.stderr.contains(&said), "{}", run.stderr);
    }
}
