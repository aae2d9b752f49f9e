//! `--cache`: what one run has stored answers the next one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use super::support::{Directory, run, run_with_input};

/// A server of one response that is fresh for a minute; its URL, and how often it was asked.
fn fresh() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let asked = Arc::<AtomicUsize>::default();
    let count = asked.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let _head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            count.fetch_add(1, Ordering::Relaxed);
            let head = "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\nconnection: close\r\n";
            let answer = format!("{head}content-length: 7\r\n\r\ncontent");
            (&stream).write_all(answer.as_bytes()).unwrap();
        }
    });
    (url, asked)
}

#[test]
fn a_second_run_asks_nobody() {
    let (url, asked) = fresh();
    let directory = Directory::new();
    let cache = directory.file("cache");
    for expected in ["* cache: miss", "* cache: hit"] {
        let run = run(&["get", "-v", "--cache", &cache, &url]);
        assert_eq!(
            (run.code, run.text()),
            (Some(0), "content"),
            "{}",
            run.stderr
        );
        assert!(run.stderr.contains(expected), "{}", run.stderr);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    let plain = run(&["get", "-v", &url]);
    assert!(!plain.stderr.contains("cache:"), "{}", plain.stderr);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[test]
fn rows_of_a_batch_say_what_the_cache_did() {
    let (url, asked) = fresh();
    let directory = Directory::new();
    let cache = directory.file("cache");
    for expected in ["miss", "hit"] {
        let arguments = ["batch", "--json", "--cache", &cache, "-"];
        let run = run_with_input(&arguments, url.as_bytes());
        let row: Value = serde_json::from_str(run.text().trim()).unwrap();
        assert_eq!(
            (&row["status"], &row["cache"]),
            (&200.into(), &expected.into()),
            "{row}"
        );
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    let run = run_with_input(&["batch", "--json", "-"], url.as_bytes());
    let row: Value = serde_json::from_str(run.text().trim()).unwrap();
    assert!(row["cache"].is_null(), "{row}");
}

#[test]
fn a_directory_that_cannot_be_used_is_told_and_fails_nothing() {
    let (url, asked) = fresh();
    let directory = Directory::new();
    let file = directory.file("file");
    std::fs::write(&file, "").unwrap();
    for _ in 0..2 {
        let run = run(&["get", "--cache", &file, &url]);
        assert_eq!((run.code, run.text()), (Some(0), "content"));
        assert!(run.stderr.contains("--cache: "), "{}", run.stderr);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}
