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
