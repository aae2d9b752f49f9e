//! The command against nginx: byte for byte what curl gets.

use std::collections::HashSet;
use std::fs;

use serde_json::Value;
use turbohttp_loopback::nginx::Nginx;

use crate::support::{Directory, run, run_with_input};

/// What there is to get, the page in chunks.
const PATHS: [&str; 5] = [
    "/small.txt",
    "/empty.txt",
    "/large.bin",
    "/page.shtml",
    "/missing",
];

fn ways(nginx: &Nginx) -> [(String, Vec<String>); 2] {
    let ca = nginx.ca_file().display().to_string();
    [
        (nginx.plain_url(""), Vec::new()),
        (nginx.tls_url(""), vec!["--cacert".to_owned(), ca]),
    ]
}

fn with<'a>(arguments: &[&'a str], more: &'a [String]) -> Vec<&'a str> {
    arguments
        .iter()
        .copied()
        .chain(more.iter().map(String::as_str))
        .collect()
}

#[test]
fn get_prints_what_curl_prints() {
    let Some(nginx) = Nginx::start() else { return };
    for (base, options) in ways(&nginx) {
        for path in PATHS {
            let url = format!("{base}{path}");
            let run = run(&with(&["get", &url], &options));
            run.is_quietly_ok();
            assert!(
                run.stdout == nginx.curl(&[&url]),
                "{url}: {} bytes",
                run.stdout.len()
            );
        }
        let small = format!("{base}/small.txt");
        let head = run(&with(&["get", "-I", &small], &options));
        assert!(head.text().starts_with("HTTP/1.1 200"), "{}", head.text());
        assert!(
            head.text()
                .to_ascii_lowercase()
                .contains("content-length: 14")
        );
        let etag = head
            .text()
            .lines()
            .find_map(|line| line.strip_prefix("ETag: "))
            .unwrap();
        let condition = format!("If-None-Match: {etag}");
        let unchanged = run(&with(&["get", "-i", "-H", &condition, &small], &options));
        assert!(
            unchanged.text().starts_with("HTTP/1.1 304"),
            "{}",
            unchanged.text()
        );
        assert_eq!(nginx.status(&["-H", &condition, &small]), 304);
    }
}

#[test]
fn batch_writes_what_curl_prints_over_few_connections() {
    let Some(nginx) = Nginx::start() else { return };
    for (base, options) in ways(&nginx) {
        let line = |(number, path): (usize, &str)| {
            format!("{{\"url\":\"{base}{path}\",\"output\":\"{number}\"}}\n")
        };
        // Statuses of 400 and more write no file.
        let paths = PATHS.iter().filter(|path| **path != "/missing");
        let paths: Vec<&str> = paths.copied().cycle().take(40).collect();
        let input: String = paths.iter().copied().enumerate().map(line).collect();
        let directory = Directory::new();
        let out = directory.file("out");
        let fixed = ["batch", "-", "--json", "--total", "4", "--out-dir", &out];
        let run = run_with_input(&with(&fixed, &options), input.as_bytes());
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        for (number, path) in paths.iter().enumerate() {
            let file = fs::read(directory.path().join("out").join(number.to_string())).unwrap();
            assert!(
                file == nginx.curl(&[&format!("{base}{path}")]),
                "{base}{path}"
            );
        }
        let rows = run
            .text()
            .lines()
            .map(|row| serde_json::from_str::<Value>(row).unwrap());
        let connections: HashSet<u64> = rows
            .map(|row| row["connection"].as_u64().unwrap())
            .collect();
        assert!(connections.len() <= 4, "keep-alive: {connections:?}");
    }
}
