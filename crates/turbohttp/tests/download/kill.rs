//! A process that is killed at any byte of a download, and the next one that goes on.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::ground::{LARGE, Site, Version, client, content, is_same, names};

/// As many deaths as the download survives here.
const KILLS: usize = 200;

/// What the process of [`child`] is told by.
const URL: &str = "TURBOHTTP_TEST_URL";
const PATH: &str = "TURBOHTTP_TEST_PATH";

/// The process that is killed: this test, run by name with an environment that says what to do.
#[tokio::test]
async fn child() {
    let (Ok(url), Ok(path)) = (std::env::var(URL), std::env::var(PATH)) else {
        return;
    };
    client().download(url).to(path).await.unwrap();
}

/// A child that dies when the server has sent so many more bytes.
#[derive(Default)]
struct Victim {
    child: Option<Child>,
    bytes_left: u64,
}

impl Victim {
    fn sent(&mut self, bytes: u64) {
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        if self.bytes_left == 0
            && let Some(child) = &mut self.child
        {
            child.kill().unwrap();
        }
    }
}

fn start(url: &str, path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["kill::child", "--exact", "--test-threads=1"])
        .env(URL, url)
        .env(PATH, path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_download_that_is_killed_at_any_byte_is_finished_by_the_next_ones() {
    let version = Version::new(content(LARGE, 1), "\"1\"");
    let (bytes, served) = (version.content.clone(), version);
    let victim = Arc::<Mutex<Victim>>::default();
    let watched = victim.clone();
    let site = Site::watched(
        move |seen, _| served.answer(seen),
        move |bytes| watched.lock().unwrap().sent(bytes),
    );
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let (mut kills, mut files, mut seed) = (0, 0, 1_u64);
    while kills < KILLS {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        {
            let mut victim = victim.lock().unwrap();
            // Up to the whole file: much of it is on its way when the process dies, and lost.
            victim.bytes_left = 1 + (seed >> 33) % (LARGE as u64);
            victim.child = Some(start(&site.url(), &path));
        }
        // Waited for without its lock, which the server takes.
        let status = loop {
            if let Some(status) = victim
                .lock()
                .unwrap()
                .child
                .as_mut()
                .unwrap()
                .try_wait()
                .unwrap()
            {
                break status;
            }
            std::thread::yield_now();
        };
        victim.lock().unwrap().child = None;
        match status.success() {
            true => {
                assert!(is_same(&path, &bytes), "after {kills} kills");
                assert_eq!(names(directory.path()), ["a"]);
                fs::remove_file(&path).unwrap();
                files += 1;
            }
            false => {
                assert!(!path.exists(), "a file that is not whole has no name");
                kills += 1;
            }
        }
    }
    assert!(files > KILLS / 20, "{files} files");
}
