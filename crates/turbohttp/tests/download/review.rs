//! Servers that lie, and paths and files that others have laid.

use std::ffi::OsStr;
use std::fs;

use turbohttp::ErrorKind;

use crate::ground::{Answer, LARGE, MIB, Site, Version, client, content, is_same, names};

const LENGTH: usize = 5 * MIB + 77;

/// Bytes that are thrown away are no progress.
#[tokio::test]
async fn a_download_that_cannot_be_gone_on_with_begins_anew_so_often_and_no_more() {
    // Without ranges; of a length that is not known; small.
    for (fields, cut, length) in [
        ("", 3 * MIB, LENGTH),
        ("transfer-encoding: chunked", 3 * MIB, LENGTH),
        ("", MIB / 2, MIB - 1),
    ] {
        let version = Version {
            content: content(length, 1).into(),
            fields: String::new(),
            validator: None,
        };
        let site = Site::new(move |_, number| {
            let mut answer = version.whole();
            if !fields.is_empty() {
                let known = format!("content-length: {length}");
                let chunk = format!("{fields}\r\n\r\n{length:x}");
                answer.head = answer
                    .head
                    .replace(&known, &chunk)
                    .replace("\r\n\r\n\r\n", "\r\n");
            }
            match number {
                0..10 => answer.cut(cut),
                _ => Answer::status(404, ""),
            }
        });
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let done = client().download(site.url()).tries(2).to(&path).await;
        assert_eq!(done.unwrap_err().kind(), ErrorKind::Truncated, "{fields}");
        assert_eq!(site.seen().len(), 3, "{fields}");
        assert!(names(directory.path()).len() != 1);
    }
}

#[tokio::test]
async fn what_the_first_answer_says_of_the_file_is_not_forgotten() {
    let wrong = "repr-digest: sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:\r\n";
    let dated = "last-modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    for (said, is_wrong) in [(wrong, true), (dated, false)] {
        let version = Version::new(content(LENGTH, 1), "\"1\"");
        let site = Site::new(move |seen, number| {
            let mut answer = version.answer(seen);
            if number == 0 {
                answer.head = answer.head.replace("etag", &format!("{said}etag"));
                return answer.cut(3 * MIB);
            }
            answer
        });
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let done = client().download(site.url()).to(&path).await;
        match is_wrong {
            true => assert_eq!(done.unwrap_err().kind(), ErrorKind::Checksum),
            false => assert!(done.unwrap().last_modified().is_some()),
        }
    }
}

#[tokio::test]
async fn ranges_without_bytes_are_not_asked_for_without_end() {
    let version = Version::new(content(LENGTH, 1), "\"1\"");
    let site = Site::new(move |seen, number| match number {
        0 => version.answer(seen).cut(3 * MIB),
        1..20 => {
            let mut empty = version.answer(seen);
            let said = format!("content-length: {}", empty.range.len());
            empty.head = empty.head.replace(&said, "content-length: 0");
            empty.range.end = empty.range.start;
            empty
        }
        _ => version.answer(seen),
    });
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let done = client().download(site.url()).tries(2).to(&path).await;
    assert_eq!(done.unwrap_err().kind(), ErrorKind::Truncated);
    assert_eq!(site.seen().len(), 3, "the first one was a break, too");
}

#[tokio::test]
async fn a_length_beyond_all_files_is_an_error() {
    for length in [u64::MAX, i64::MAX as u64, u64::MAX / 2 + 1] {
        let site = Site::new(move |_, _| Answer {
            head: format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\naccept-ranges: bytes\r\netag: \"1\"\r\n\r\n"
            ),
            body: content(MIB, 1).into(),
            range: 0..MIB,
            is_cut: true,
        });
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let done = client().download(site.url()).tries(0).to(&path).await;
        done.unwrap_err();
        assert!(!path.exists());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn pipes_in_place_of_the_unfinished_file_block_nothing() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    for name in ["a.turbohttp.journal", "a.turbohttp.part"] {
        let version = Version::new(content(LENGTH, 1), "\"1\"");
        let (bytes, served) = (version.content.clone(), version);
        let site = Site::new(move |seen, _| served.answer(seen));
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a.turbohttp.part"), "x").unwrap();
        let pipe = directory.path().join(name);
        _ = fs::remove_file(&pipe);
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let path = directory.path().join("a");
        let done = client().download(site.url()).to(&path).await;
        match name.ends_with("journal") {
            true => assert!(done.is_ok() && is_same(&path, &bytes)),
            false => assert_eq!(done.unwrap_err().kind(), ErrorKind::Output),
        }
    }
}

#[tokio::test]
async fn names_may_be_as_long_as_the_system_takes() {
    for name in ["x".repeat(255), "é".repeat(127), "x".repeat(238)] {
        for length in [10, LENGTH] {
            let version = Version::new(content(length, 1), "\"1\"");
            let (bytes, served) = (version.content.clone(), version);
            let site = Site::new(move |seen, number| match number {
                0 => served.answer(seen).cut(length - 9),
                _ => served.answer(seen),
            });
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join(&name);
            let broken = client().download(site.url()).tries(0).to(&path).await;
            assert_eq!(broken.unwrap_err().kind(), ErrorKind::Truncated);
            let done = client().download(site.url()).to(&path).await.unwrap();
            assert_eq!(done.resumed() > 0, length == LENGTH);
            assert!(is_same(&path, &bytes));
            assert_eq!(names(directory.path()), [&*name]);
        }
    }
}

#[tokio::test]
async fn a_path_that_names_no_file_is_refused_before_anything_is_sent() {
    let site = Site::new(|_, _| Answer::status(200, ""));
    let directory = tempfile::tempdir().unwrap();
    for end in ["", "new/", "new/.", "new/..", "."] {
        let path = directory.path().join(end);
        let done = client().download(site.url()).to(&path).await;
        assert_eq!(done.unwrap_err().kind(), ErrorKind::Output, "{end}");
    }
    let done = client().download(site.url()).to(OsStr::new("")).await;
    assert_eq!(done.unwrap_err().kind(), ErrorKind::Output);
    assert_eq!(site.seen().len(), 0);
    assert_eq!(names(directory.path()).len(), 0);
}

/// What a download has written that went on after a start of the system is believed by the next one.
#[tokio::test]
async fn after_another_start_of_the_system_a_download_is_gone_on_with_twice() {
    for other_run in ["-", "11111111-2222-3333-4444-555555555555"] {
        let version = Version::new(content(LARGE, 1), "\"1\"");
        let (bytes, served) = (version.content.clone(), version);
        let site = Site::new(move |seen, number| match number {
            0 => served.answer(seen).cut(20 * MIB),
            1 => served.answer(seen).cut(10 * MIB),
            _ => served.answer(seen),
        });
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let download = || client().download(site.url()).connections(1).tries(0);
        download().to(&path).await.unwrap_err();
        let journal = directory.path().join("a.turbohttp.journal");
        let text = fs::read_to_string(&journal).unwrap();
        let boot = text.lines().find(|line| line.starts_with("boot ")).unwrap();
        fs::write(&journal, text.replace(boot, &format!("boot {other_run}"))).unwrap();
        download().to(&path).await.unwrap_err();
        let done = download().to(&path).await.unwrap();
        // The first piece was synced, and all of the second answer is of this run.
        assert_eq!(done.resumed(), 26 * MIB as u64, "{other_run}");
        assert!(is_same(&path, &bytes));
    }
}

/// `Accept-Ranges` is optional (RFC 9110 section 14.3).
#[tokio::test]
async fn a_server_that_does_not_speak_of_ranges_is_asked_for_them() {
    for takes_them in [true, false] {
        let mut version = Version::new(content(LENGTH, 1), "\"1\"");
        version.fields = "etag: \"1\"\r\n".into();
        let (bytes, served) = (version.content.clone(), version);
        let site = Site::new(move |seen, number| match (number, takes_them) {
            (0, _) => served.answer(seen).cut(3 * MIB),
            // Not even a head.
            (1, true) => {
                let mut nothing = Answer::status(206, "").cut(0);
                nothing.head.clear();
                nothing
            }
            (1, false) => served.whole().cut(3 * MIB),
            (_, true) => served.answer(seen),
            (_, false) => served.whole(),
        });
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let download = client().download(site.url()).tries(2);
        let done = download.to(&path).await.unwrap();
        assert!(is_same(&path, &bytes));
        let restarts = if takes_them { 0 } else { 2 };
        assert_eq!((done.requests(), done.restarts()), (3, restarts));
        assert_eq!(done.resumed(), 0);
        let rest = format!("bytes={}-{}", 3 * MIB, LENGTH - 1);
        assert_eq!(site.seen()[1].field("range"), Some(&*rest));
    }
}

#[tokio::test]
async fn credentials_of_one_origin_go_to_no_other_with_any_piece() {
    let version = Version::new(content(LARGE, 1), "\"1\"");
    let (bytes, served) = (version.content.clone(), version);
    let files = Site::new(move |seen, number| served.answer(seen).cut((7 + number) * MIB));
    let location = format!("location: {}\r\n", files.url());
    let site = Site::new(move |_, _| Answer::status(302, &location));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let request = client().get(site.url()).basic_auth("user", Some("canary"));
    request.download().to(&path).await.unwrap();
    assert!(is_same(&path, &bytes));
    assert!(
        site.seen()
            .iter()
            .all(|seen| seen.field("authorization").is_some())
    );
    assert!(files.seen().len() > 2);
    assert!(
        files
            .seen()
            .iter()
            .all(|seen| seen.field("authorization").is_none())
    );
}

/// Each way to end a client while pieces are under way leaves what is there; so does a panic of the caller.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_in_the_middle_leaves_what_can_be_gone_on_with() {
    use std::time::Duration;
    use turbohttp::Shutdown;

    for end in [
        Some(Shutdown::Now),
        Some(Shutdown::Drain {
            within: Duration::ZERO,
        }),
        Some(Shutdown::CancelPending {
            within: Duration::ZERO,
        }),
        None,
    ] {
        let version = Version::new(content(LARGE, 1), "\"1\"");
        let (bytes, served) = (version.content.clone(), version);
        let site = Site::new(move |seen, _| served.answer(seen));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let client = client();
        let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let download = client.download(site.url()).on_progress(move |progress| {
            _ = told.send(progress.bytes);
            assert!(
                progress.bytes < 8 * MIB as u64 || end.is_some(),
                "as this test wants"
            );
        });
        let target = path.clone();
        let running = tokio::spawn(async move { download.to(&target).await });
        while heard
            .recv()
            .await
            .is_some_and(|bytes| bytes < 6 * MIB as u64)
        {}
        if let Some(end) = end {
            client.close(end).await;
        }
        let ended = running.await;
        assert_eq!(ended.is_err_and(|error| error.is_panic()), end.is_none());
        let done = self::client().download(site.url()).to(&path).await;
        done.unwrap();
        assert!(is_same(&path, &bytes));
        assert!(client.audit().is_idle());
    }
}
