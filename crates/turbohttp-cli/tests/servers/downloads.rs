//! Files of a batch from nginx: in pieces, killed and gone on with, changed on the server meanwhile.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::child::{poll, write};
use crate::nginx::Nginx;

/// A file of three pieces.
const BYTES: usize = 40 << 20;

fn content(seed: u8) -> Vec<u8> {
    let mut bytes = vec![seed; BYTES];
    for (number, line) in bytes.chunks_mut(64).enumerate() {
        line[..8].copy_from_slice(&(number as u64).to_le_bytes());
    }
    bytes
}

fn batch(list: &Path, out: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turbohttp"));
    command.args(["batch".as_ref(), list.as_os_str()]);
    command.args(["--out-dir".as_ref(), out.as_os_str()]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Runs a batch to its end.
fn run(list: &Path, out: &Path) {
    let output = batch(list, out).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
}

/// Starts a batch and kills it when the journal says that some bytes are there.
fn kill_under_way(list: &Path, out: &Path) {
    let mut child = batch(list, out).stderr(Stdio::null()).spawn().unwrap();
    let journal = out.join("big.turbohttp.journal");
    poll(|| {
        let text = fs::read_to_string(&journal).unwrap_or_default();
        let (_, pieces) = text.split_once("\npieces ")?;
        let is_begun = pieces
            .lines()
            .skip(1)
            .any(|line| !line.starts_with("0000000000000000"));
        // Slow machines may find it whole.
        (is_begun || child.try_wait().unwrap().is_some()).then_some(())
    })
    .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn files_of_nginx_are_whole_and_of_one_version() {
    let Some(nginx) = Nginx::start() else { return };
    let home = TempDir::new().unwrap();
    let (list, out) = (home.path().join("list"), home.path().join("out"));
    fs::create_dir(&out).unwrap();
    let url = nginx.url("/plain/big");
    fs::write(&list, format!("{{\"url\":\"{url}\",\"output\":\"big\"}}\n")).unwrap();
    // Of different seconds: the ETag of nginx says no more.
    let publish = |seed: u8| {
        write(Path::new(&nginx.file("www/plain")), "big", content(seed));
        let file = fs::File::options()
            .write(true)
            .open(nginx.file("www/plain/big"));
        let modified = SystemTime::now() - Duration::from_secs(3_600 - u64::from(seed) * 60);
        file.unwrap().set_modified(modified).unwrap();
    };
    let is = |seed| fs::read(out.join("big")).unwrap() == content(seed);
    let mut read = 0;

    publish(1);
    run(&list, &out);
    assert!(is(1));
    let asked = nginx.seen(&mut read);
    let ranges = asked.iter().filter(|line| line.contains("range=\"bytes="));
    assert!(ranges.count() >= 1, "{asked:?}");

    // Killed, and gone on with.
    fs::remove_file(out.join("big")).unwrap();
    kill_under_way(&list, &out);
    nginx.seen(&mut read);
    run(&list, &out);
    assert!(is(1));

    // Killed, and another version by then.
    fs::remove_file(out.join("big")).unwrap();
    kill_under_way(&list, &out);
    publish(2);
    _ = fs::remove_file(out.join("big"));
    run(&list, &out);
    assert!(is(2));
    let left: Vec<_> = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["big"]);
}
