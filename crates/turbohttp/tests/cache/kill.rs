//! A process that is killed while it writes entries, and the next one that reads them.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use turbohttp::{Cache, CacheStatus, Client, MockReply, MockTransport, StatusCode};

use crate::ground::MIB;

/// As many deaths as the directory survives here.
const KILLS: u64 = 40;

/// URLs whose entries are written again and again.
const URLS: usize = 8;

/// What the process of [`child`] is told by.
const DIRECTORY: &str = "TURBOHTTP_TEST_DIRECTORY";

/// One line that is repeated: an entry of two writings has two lines.
fn content(number: usize) -> String {
    format!("{number:08}\n").repeat(10_000)
}

fn open(directory: &Path) -> Client {
    let next = AtomicUsize::new(0);
    let mock = MockTransport::with_handler(move |_| {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let reply = MockReply::new(StatusCode::OK).header("cache-control", "max-age=3600");
        reply.body(content(number)).streamed()
    });
    let cache = Cache::directory(directory, 16 * MIB);
    Client::builder()
        .transport(mock)
        .cache(cache)
        .build()
        .unwrap()
}

/// The process that is killed: this test, run by name with an environment that says what to do. It says each entry
/// that it has begun to write.
#[tokio::test]
async fn child() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let client = open(Path::new(&directory));
    for number in 0.. {
        let url = format!("http://a.test/{}", number % URLS);
        let request = client.get(url).header("cache-control", "no-cache");
        request.send().await.unwrap().bytes().await.unwrap();
        std::io::stdout().write_all(b"written\n").unwrap();
    }
}

fn start(directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["kill::child", "--exact", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn entries_of_a_process_that_was_killed_are_whole_or_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let (mut whole, mut unfinished) = (0, 0);
    for kill in 0..KILLS {
        let mut child = start(directory.path());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The harness has lines of its own.
        let written = lines
            .map_while(Result::ok)
            .filter(|line| line.ends_with("written"));
        let enough = usize::try_from(1 + kill % 13).unwrap();
        assert_eq!(written.take(enough).count(), enough);
        child.kill().unwrap();
        child.wait().unwrap();
        let files = std::fs::read_dir(directory.path()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        unfinished += names.filter(|name| name.ends_with(".part")).count();

        let client = open(directory.path());
        for url in 0..URLS {
            let request = client.get(format!("http://a.test/{url}"));
            let request = request.header("cache-control", "only-if-cached");
            let response = request.send().await.unwrap();
            if response.cache_status() == Some(CacheStatus::Hit) {
                let text = response.text().await.unwrap();
                let number = text.lines().next().unwrap().parse().unwrap();
                assert!(text == content(number), "an entry of {url} is torn");
                whole += 1;
            }
        }
    }
    assert!(
        whole > 0,
        "no entry was found, {unfinished} were unfinished"
    );
}
