//! Lists and other input, as files in the wild are.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;
use turbohttp_loopback::script::{Script, Signal as Go, Step};

use super::support::{Directory, run, run_with_input, server, skipped, turbohttp, until};

/// What became of each line: its status, or why it is none.
fn told(input: &[u8]) -> BTreeMap<u64, Result<u64, String>> {
    let run = run_with_input(&["batch", "-", "--json"], input);
    let rows = run.text().lines().map(|row| {
        let row: Value = serde_json::from_str(row).unwrap();
        let outcome = match row["status"].as_u64() {
            Some(status) => Ok(status),
            None => Err(row["error"]["message"].as_str().unwrap().to_owned()),
        };
        (row["line"].as_u64().unwrap(), outcome)
    });
    rows.collect()
}

#[test]
fn lines_end_with_lf_cr_or_both() {
    let server = server();
    let url = server.url("/small");
    let object = format!("{{\"url\":\"{url}\"}}");
    for (input, lines) in [
        (format!("{url}\n{url}\n{url}"), vec![1, 2, 3]),
        (format!("{url}\r\n{url}\r\n\r\n{url}\r\n"), vec![1, 2, 4]),
        (format!("{url}\r{url}\r\r{url}\r"), vec![1, 2, 4]),
        (
            format!("{url}\r{url}\n{url}\r\n{object}\r{object}"),
            vec![1, 2, 3, 4, 5],
        ),
        (format!("# a\r# b\r\n{object}\n\r{url}"), vec![3, 5]),
    ] {
        let told = told(input.as_bytes());
        assert!(told.keys().copied().eq(lines), "{input:?}: {told:?}");
        assert!(
            told.values().all(|status| *status == Ok(200)),
            "{input:?}: {told:?}"
        );
    }
}

#[test]
fn byte_order_marks_may_begin_any_line() {
    let server = server();
    let url = server.url("/small");
    let mark = "\u{feff}";
    // Files that were put together, each with its own.
    let input =
        format!("{mark}{url}\n{mark}# a\n{mark}{{\"url\":\"{url}\"}}\r\n{mark}\n{mark}{mark}{url}");
    let told = told(input.as_bytes());
    assert!(told.keys().copied().eq([1, 3, 5]), "{told:?}");
    assert!(told.values().all(|status| *status == Ok(200)), "{told:?}");
    let inside = format!("{url}{mark}\n");
    let told = self::told(inside.as_bytes());
    let expected = format!("a byte order mark in column {}", url.len() + 1);
    assert_eq!(told[&1], Err(expected));
}

#[test]
fn encodings_of_two_and_four_bytes_are_named_once() {
    let server = server();
    let text = format!("{0}\n{0}\n{0}\n", server.url("/small"));
    let units: Vec<u16> = text.encode_utf16().collect();
    let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    let four: Vec<u8> = text
        .chars()
        .flat_map(|c| u32::from(c).to_le_bytes())
        .collect();
    for (input, name) in [
        ([&[0xff, 0xfe], &little[..]].concat(), "UTF-16"),
        ([&[0xfe, 0xff], &big[..]].concat(), "UTF-16"),
        (little, "UTF-16"),
        (big, "UTF-16"),
        ([&[0xff, 0xfe, 0, 0], &four[..]].concat(), "UTF-32"),
    ] {
        let told = told(&input);
        assert_eq!(told.len(), 1, "{told:?}");
        let expected = format!("{name} text: convert the list to UTF-8");
        assert_eq!(told[&1], Err(expected));
    }
    assert_eq!(server.stats().requests, 0);
}

#[test]
fn what_is_not_seen_in_a_url_is_an_error_with_its_column() {
    let server = server();
    let url = server.url("/id/x");
    let column = url.len() + 1;
    for (stray, name) in [
        ("\t", "a tab"),
        (" ", "a blank"),
        (" \t", "a blank"),
        ("\0", "a NUL"),
        ("\u{b}", "the character U+000B"),
        ("\u{1b}", "the character U+001B"),
        ("\u{7f}", "the character U+007F"),
        ("\u{a0}", "the character U+00A0"),
        ("\u{200b}", "the character U+200B"),
        ("\u{2028}", "the character U+2028"),
        ("\u{202c}", "the character U+202C"),
        ("\u{2069}", "the character U+2069"),
        ("\u{ad}", "the character U+00AD"),
    ] {
        for behind in ["", "y"] {
            let expected = format!("{name} in column {column}");
            let line = format!("{url}{stray}{behind}\n");
            assert_eq!(told(line.as_bytes())[&1], Err(expected), "{line:?}");
            let line = format!("  {url}{stray}{behind}\n");
            let expected = format!("{name} in column {}", column + 2);
            assert_eq!(told(line.as_bytes())[&1], Err(expected), "{line:?}");
            let string = serde_json::to_string(&format!("{url}{stray}{behind}")).unwrap();
            let line = format!("{{\"url\":{string}}}\n");
            let expected = format!("url holds {name} in column {column} of it");
            assert_eq!(told(line.as_bytes())[&1], Err(expected), "{line:?}");
        }
    }
    assert_eq!(server.stats().requests, 0);
}

#[test]
fn the_same_holds_for_a_url_that_was_typed() {
    let server = server();
    let url = server.url("/id/x");
    for stray in ["\t", " ", "\n", "\r", "\u{1b}", "\u{a0}", "\u{feff}"] {
        for typed in [
            format!("{url}{stray}"),
            format!("{stray}{url}"),
            format!("{url}{stray}y"),
        ] {
            run(&["get", &typed]).fails_with(2, &["holds ", " in column "]);
        }
    }
    assert_eq!(server.stats().requests, 0);
}

#[test]
fn keys_that_are_given_twice_are_errors() {
    let server = server();
    let url = server.url("/small");
    for (rest, part) in [
        (format!("\"url\":\"{url}\""), "duplicate field `url`"),
        (
            "\"body\":\"a\",\"body\":\"b\"".to_owned(),
            "duplicate field `body`",
        ),
        (
            "\"headers\":{},\"headers\":{}".to_owned(),
            "duplicate field `headers`",
        ),
        (
            "\"headers\":{\"a\":\"1\",\"a\":\"1\"}".to_owned(),
            "duplicate header a",
        ),
        (
            "\"headers\":{\"Key\":\"1\",\"key\":\"2\"}".to_owned(),
            "duplicate header key",
        ),
    ] {
        let line = format!("{{\"url\":\"{url}\",{rest}}}\n");
        let told = told(line.as_bytes());
        let reason = told[&1].clone().unwrap_err();
        assert!(
            reason.starts_with(part) && reason.contains("(column "),
            "{line}: {reason}"
        );
    }
    assert_eq!(server.stats().requests, 0);
}

#[test]
fn sizes_of_files_are_hints() {
    let server = server();
    let url = server.url("/echo");
    for path in [
        "/proc/version",
        "/proc/self/status",
        "/proc/kallsyms",
        "/sys/class/net/lo/mtu",
    ] {
        let Ok(content) = fs::read(path) else {
            skipped(&format!("there is no {path}"));
            continue;
        };
        let run = run(&["get", &url, "-d", &format!("@{path}")]);
        run.is_quietly_ok();
        // Of another process in one case, so only its beginning is the same.
        assert_eq!(run.stdout[..5], content[..5], "{path}");
        assert!(path.contains("self") || run.stdout == content, "{path}");
        assert!(!run.stdout.contains(&0), "{path}");
    }
}

#[test]
fn the_length_that_is_sent_is_that_of_what_was_read() {
    let server = server();
    let directory = Directory::new();
    for bytes in [0, 1, 262_143, 262_144, 262_145, 1_000_000] {
        let file = directory.write("file", "x".repeat(bytes));
        let run = run(&["get", &server.url("/headers"), "-d", &format!("@{file}")]);
        run.is_quietly_ok();
        let field = format!("content-length: {bytes}\r\n");
        assert!(run.text().contains(&field), "{bytes}: {}", run.text());
    }
    // Of a file in /proc, too, whose size is said to be 0.
    let version = fs::read("/proc/version").unwrap();
    let run = run(&["get", &server.url("/headers"), "-d", "@/proc/version"]);
    let field = format!("content-length: {}\r\n", version.len());
    assert!(run.text().contains(&field), "{}", run.text());
}

#[test]
fn content_comes_from_several_places() {
    let server = server();
    let url = server.url("/echo");
    let directory = Directory::new();
    let file = format!("@{}", directory.write("file", "file"));
    let pipe = directory.file("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let mut child = turbohttp(&[
        "get",
        &url,
        "-d",
        &file,
        "-d",
        "a=b",
        "-d",
        &format!("@{pipe}"),
        "-d",
        "@-",
    ])
    .stdin(Stdio::piped())
    .spawn()
    .unwrap();
    fs::write(&pipe, "from the pipe").unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"from stdin").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let body = String::from_utf8(output.stdout).unwrap();
    assert_eq!(body, "file&a=b&from the pipe&from stdin");
    run(&["get", &url, "-d", "@-", "-d", "@-"]).fails_with(2, &["@- can be given once"]);
}

#[test]
fn a_list_may_come_from_a_pipe_or_from_where_sizes_are_wrong() {
    let server = server();
    let directory = Directory::new();
    let pipe = directory.file("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let child = turbohttp(&["batch", &pipe, "--json"]).spawn().unwrap();
    fs::write(&pipe, format!("{0}\r{0}\r", server.url("/small"))).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2);
    // A line of one of these is no URL, which is all that is wrong with it.
    let run = run(&["batch", "/proc/version", "--json"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.text().contains("has no scheme"), "{}", run.text());
}

#[test]
fn a_file_that_changes_while_it_is_sent_is_sent_as_it_was_or_not_at_all() {
    // More than the system and the read ahead take before the server reads.
    const BYTES: usize = 32_000_000;
    for (becomes, code) in [(BYTES + 1_000_000, 0), (1_000_000, 26)] {
        let go = Go::new();
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        let steps = [
            Step::ReadHead,
            Step::Await(go.clone()),
            Step::ReadExact(BYTES),
            Step::send(answer),
        ];
        let server = Script::new().accept(steps).start().unwrap();
        let directory = Directory::new();
        let file = directory.write("file", vec![b'x'; BYTES]);
        let child = turbohttp(&["get", &server.url("/"), "-d", &format!("@{file}")])
            .spawn()
            .unwrap();
        until(|| !server.received().is_empty() && !server.received()[0].is_empty());
        let changing = fs::OpenOptions::new().write(true).open(&file).unwrap();
        changing.set_len(becomes as u64).unwrap();
        go.set();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{becomes}: {stderr}");
        let received = server.received().swap_remove(0);
        let head = format!("content-length: {BYTES}\r\n");
        // A file that became shorter may leave no more than the head behind.
        let first = &received[..received.len().min(1_000)];
        assert!(String::from_utf8_lossy(first).contains(&head));
    }
}
