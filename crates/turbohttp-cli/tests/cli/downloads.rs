//! Files of a batch: checked, tried again, skipped, and gone on with.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::site::{Answer, LARGE, MIB, Site, Version, content};
use super::support::{Directory, alone, run, run_with_input, server, turbohttp};

fn row(text: &str) -> Value {
    serde_json::from_str(text.lines().next().unwrap()).unwrap()
}

#[test]
fn checksums_are_checked() {
    let (server, directory) = (server(), Directory::new());
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let url = server.url("/bytes/0");
    let lines = format!(
        "{{\"url\":\"{url}\",\"output\":\"right\",\"sha256\":\"{empty}\"}}\n\
         {{\"url\":\"{url}\",\"output\":\"wrong\",\"checksum\":\"md5:{}\"}}\n\
         {{\"url\":\"{url}\",\"output\":\"bad\",\"sha256\":\"12\"}}\n",
        "0".repeat(32)
    );
    let list = directory.write("list", lines);
    let out = directory.file("out");
    let run = run(&["batch", &list, "--out-dir", &out]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(
        run.stderr.contains("d41d8cd98f00b204e9800998ecf8427e"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("line 3: a checksum by sha-256 is 64"),
        "{}",
        run.stderr
    );
    let names: Vec<_> = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["right"]);
}

#[test]
fn what_is_there_is_skipped_and_not_sent() {
    let (server, directory) = (server(), Directory::new());
    fs::create_dir(directory.file("out")).unwrap();
    directory.write("out/a", "old");
    let object = format!(
        "{{\"url\":\"{}\",\"output\":\"a\"}}\n",
        server.url("/small")
    );
    let out = directory.file("out");
    let arguments = ["batch", "-", "--out-dir", &out, "--skip-existing", "--json"];
    let skipped = run_with_input(&arguments, object.as_bytes());
    assert_eq!(skipped.code, Some(0), "{}", skipped.stderr);
    assert!(skipped.stderr.contains("skipped 1"), "{}", skipped.stderr);
    let row = row(skipped.text());
    assert_eq!(
        (&row["skipped"], &row["status"], &row["error"]),
        (&true.into(), &Value::Null, &Value::Null)
    );
    assert_eq!(fs::read(directory.file("out/a")).unwrap(), b"old");
    assert_eq!(server.stats().requests, 0);
}

#[test]
fn a_line_is_tried_again_and_then_at_its_mirrors() {
    let version = Version::new(b"abc".to_vec(), "\"1\"");
    let broken = Site::new(|_, _| Answer::status(503, ""));
    let moody = Site::new(move |seen, number| match number {
        0 => Answer::status(500, ""),
        1 => version.answer(seen).cut(1),
        _ => version.answer(seen),
    });
    let directory = Directory::new();
    let lines = format!(
        "{{\"url\":\"{}\",\"mirrors\":[\"{}\"],\"retry\":2,\"output\":\"a\"}}\n",
        broken.url(),
        moody.url()
    );
    let list = directory.write("list", lines);
    let out = directory.file("out");
    let run = run(&["batch", &list, "--out-dir", &out, "--json"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(fs::read(directory.file("out/a")).unwrap(), b"abc");
    assert_eq!((broken.seen().len(), moody.seen().len()), (3, 3));
    assert_eq!(row(run.text())["url"], Value::from(moody.url()));
}

#[test]
fn a_line_sends_a_form_with_files() {
    let (server, directory) = (server(), Directory::new());
    let file = directory.write("file.txt", "content of it");
    let lines = format!(
        "{{\"url\":\"{0}\",\"output\":\"a\",\"form\":{{\"z\":\"1\",\"a\":{{\"file\":\"{file}\",\"filename\":\"x y\",\"type\":\"text/x\"}}}}}}\n\
         {{\"url\":\"{0}\",\"output\":\"b\",\"form\":{{\"a\":{{\"file\":\"/no/such\"}}}}}}\n\
         {{\"url\":\"{0}\",\"form\":{{\"a\":{{\"fil\":\"x\"}}}}}}\n\
         {{\"url\":\"{0}\",\"form\":{{\"a\":\"1\"}},\"body\":\"x\"}}\n",
        server.url("/echo")
    );
    let list = directory.write("list", lines);
    let out = directory.file("out");
    let run = run(&["batch", &list, "--out-dir", &out]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let sent = fs::read_to_string(directory.file("out/a")).unwrap();
    let (first, second) = (
        sent.find("name=\"z\"").unwrap(),
        sent.find("name=\"a\"").unwrap(),
    );
    assert!(first < second, "{sent}");
    for part in ["filename=\"x y\"", "text/x", "content of it"] {
        assert!(sent.contains(part), "{part}: {sent}");
    }
    assert!(
        run.stderr.contains("line 2") && run.stderr.contains("/no/such"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("line 3: "), "{}", run.stderr);
    assert!(
        run.stderr.contains("line 4: a line has a body or a form"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_batch_that_is_killed_is_gone_on_with() {
    let version = Version::new(content(LARGE, 1), "\"1\"");
    let (bytes, served) = (version.content.clone(), version);
    // Killed when the server has sent half of the file.
    let victim = Arc::new(Mutex::new((LARGE as u64 / 2, None::<std::process::Child>)));
    let watched = victim.clone();
    let site = Site::watched(
        move |seen, _| served.answer(seen),
        move |bytes| {
            let (left, child) = &mut *watched.lock().unwrap();
            *left = left.saturating_sub(bytes);
            if *left == 0
                && let Some(child) = child
            {
                child.kill().unwrap();
            }
        },
    );
    let directory = Directory::new();
    let list = directory.write(
        "list",
        format!("{{\"url\":\"{}\",\"output\":\"a\"}}\n", site.url()),
    );
    let out = directory.file("out");
    let arguments = ["batch", &*list, "--out-dir", &out];
    let status = {
        let mut locked = victim.lock().unwrap();
        locked.1 = Some(turbohttp(&arguments).spawn().unwrap());
        drop(locked);
        loop {
            let ended = victim
                .lock()
                .unwrap()
                .1
                .as_mut()
                .unwrap()
                .try_wait()
                .unwrap();
            match ended {
                Some(status) => break status,
                None => std::thread::yield_now(),
            }
        }
    };
    victim.lock().unwrap().1 = None;
    assert_eq!(status.signal(), Some(9));
    assert!(fs::metadata(directory.file("out/a")).is_err());
    let run = run(&arguments);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(fs::read(directory.file("out/a")).unwrap() == *bytes);
    let names: Vec<_> = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["a"]);
    assert!(
        site.seen()
            .iter()
            .any(|seen| seen.field("if-range") == Some("\"1\""))
    );
}

#[test]
fn a_full_disk_loses_nothing_and_leaves_nothing_half() {
    let version = Version::new(content(12 * MIB, 1), "\"1\"");
    let bytes = version.content.clone();
    let site = Site::new(move |seen, _| match seen.line.contains("endless") {
        // Of no known length: only the write finds out.
        true => Answer {
            head: "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".into(),
            body: bytes.clone(),
            range: 0..bytes.len(),
            is_cut: true,
        },
        false => version.answer(seen),
    });
    let directory = Directory::new();
    let lines = format!(
        "{{\"url\":\"http://{0}/endless\",\"output\":\"endless\"}}\n{{\"url\":\"http://{0}/known\",\"output\":\"known\"}}\n",
        site.address
    );
    let list = directory.write("list", lines);
    let disk = directory.file("disk");
    fs::create_dir(&disk).unwrap();
    let script = "mount -t tmpfs -o size=8m tmpfs \"$4\" && echo kept > \"$4/kept\" || exit 99; \
                  \"$0\" \"$@\" --total 1; code=$?; ls -A \"$4\"; cat \"$4/kept\"; exit $code";
    let arguments = ["batch", &*list, "--out-dir", &disk];
    let Some(mut command) = alone(&["--map-root-user", "--mount"], script, &arguments) else {
        return;
    };
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(
        stderr.matches("No space left on device").count(),
        2,
        "{stderr}"
    );
    assert!(stderr.contains("disk/known cannot be written"), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "kept\nkept\n");
}
