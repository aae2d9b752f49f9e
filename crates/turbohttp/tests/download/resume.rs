//! What an earlier download has left is gone on with, if it is still of the same version.

use std::fs;
use std::path::Path;

use turbohttp::{ErrorKind, Result};

use crate::ground::{Answer, MIB, Site, Version, client, content, is_same, names, retrying};

const LENGTH: usize = 5 * MIB + 77;

/// Fails after some 3 MiB, with one connection and without going on by itself.
async fn fail(site: &Site, path: &Path) {
    let error = client()
        .download(site.url())
        .tries(0)
        .to(path)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    assert_eq!(
        names(path.parent().unwrap()),
        ["a.turbohttp.journal", "a.turbohttp.part"]
    );
}

async fn go_on(site: &Site, path: &Path) -> Result<turbohttp::Downloaded> {
    client().download(site.url()).tries(0).to(path).await
}

#[tokio::test]
async fn a_broken_download_goes_on_where_it_was() {
    let version = Version::new(content(LENGTH, 1), "\"1\"");
    let (bytes, served) = (version.content.clone(), version);
    let site = Site::new(move |seen, number| match number {
        0 => served.answer(seen).cut(3 * MIB + 5),
        _ => served.answer(seen),
    });
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    fail(&site, &path).await;
    let done = go_on(&site, &path).await.unwrap();
    assert!(is_same(&path, &bytes));
    assert_eq!((done.resumed(), done.requests()), (3 * MIB as u64 + 5, 1));
    let seen = &site.seen()[1];
    assert_eq!(seen.field("if-range"), Some("\"1\""));
    assert_eq!(
        seen.field("range"),
        Some(&*format!("bytes={}-{}", 3 * MIB + 5, LENGTH - 1))
    );
    assert_eq!(names(directory.path()), ["a"]);
}

#[tokio::test]
async fn it_goes_on_by_itself_as_long_as_bytes_come() {
    let version = Version::new(content(LENGTH, 1), "\"1\"");
    let (bytes, served) = (version.content.clone(), version);
    // Each answer breaks off after less than 700 KiB: more of them than the tries.
    let site = Site::new(move |seen, _| served.answer(seen).cut(700_000));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let done = client()
        .download(site.url())
        .tries(1)
        .to(&path)
        .await
        .unwrap();
    assert!(is_same(&path, &bytes));
    assert_eq!((done.requests(), done.restarts()), (8, 0));
}

#[tokio::test]
async fn another_version_begins_anew() {
    // (validator fields of the old one, of the new one)
    let old = "Sun, 06 Nov 1994 08:49:37 GMT";
    let new = "Mon, 07 Nov 1994 08:49:37 GMT";
    let dated = |date: &str| {
        (
            format!(
                "accept-ranges: bytes\r\nlast-modified: {date}\r\ndate: Tue, 08 Nov 1994 08:49:37 GMT\r\n"
            ),
            Some(date.to_owned()),
        )
    };
    let tagged = |tag: &str| {
        (
            format!("accept-ranges: bytes\r\netag: {tag}\r\n"),
            Some(tag.to_owned()),
        )
    };
    for (first, second) in [
        (tagged("\"1\""), tagged("\"2\"")),
        (dated(old), dated(new)),
        (tagged("\"1\""), dated(new)),
    ] {
        let versions = [(1, first), (2, second)].map(|(number, (fields, validator))| Version {
            content: content(LENGTH + usize::from(number), number).into(),
            fields,
            validator,
        });
        let bytes = versions[1].content.clone();
        let site = Site::new(move |seen, number| match number {
            0 => versions[0].answer(seen).cut(3 * MIB),
            _ => versions[1].answer(seen),
        });
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        fail(&site, &path).await;
        let done = go_on(&site, &path).await.unwrap();
        assert!(is_same(&path, &bytes));
        assert_eq!(
            (done.resumed(), done.requests(), done.restarts()),
            (0, 1, 0)
        );
    }
}

#[tokio::test]
async fn without_a_strong_validator_nothing_is_left_to_go_on_from() {
    for fields in [
        "accept-ranges: bytes\r\n",
        "accept-ranges: bytes\r\netag: W/\"1\"\r\n",
        "accept-ranges: bytes\r\nlast-modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
    ] {
        let version = Version {
            content: content(LENGTH, 1).into(),
            fields: fields.into(),
            validator: None,
        };
        let (bytes, served) = (version.content.clone(), version);
        let site = Site::new(move |seen, number| match number {
            0 | 1 => served.answer(seen).cut(3 * MIB),
            _ => served.answer(seen),
        });
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let error = client()
            .download(site.url())
            .tries(0)
            .to(&path)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
        assert!(names(directory.path()).is_empty());
        // By itself it begins anew.
        let done = client()
            .download(site.url())
            .tries(1)
            .to(&path)
            .await
            .unwrap();
        assert!(is_same(&path, &bytes));
        assert_eq!((done.requests(), done.restarts()), (2, 1));
        assert!(site.seen().iter().all(|seen| seen.field("range").is_none()));
    }
}

#[tokio::test]
async fn servers_that_say_no_are_asked_for_all() {
    let version = Version::new(content(LENGTH, 1), "\"1\"");
    let shorter = Version::new(content(MIB, 2), "\"2\"");
    // What the second request, for a range, is answered with.
    let whole = version.whole();
    let not_satisfiable = Answer::status(416, "content-range: bytes */1048576\r\n");
    let mut other_length = version.part(3 * MIB..LENGTH);
    other_length.head = other_length.head.replace(&format!("/{LENGTH}"), "/9999999");
    let mut other_tag = version.part(3 * MIB..LENGTH);
    other_tag.head = other_tag.head.replace("\"1\"", "\"2\"");
    for (second, third) in [
        (whole, None),
        (not_satisfiable, Some(shorter)),
        (other_length, Some(version.clone())),
        (other_tag, Some(version.clone())),
    ] {
        let first = version.clone();
        let bytes = third.as_ref().unwrap_or(&version).content.clone();
        let requests = 1 + u32::from(third.is_some());
        let site = Site::new(move |seen, number| match (number, &third) {
            (0, _) => first.answer(seen).cut(3 * MIB),
            (1, _) => second.clone(),
            (_, Some(third)) => third.answer(seen),
            (_, None) => Answer::status(500, ""),
        });
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        fail(&site, &path).await;
        let done = go_on(&site, &path).await.unwrap();
        assert!(is_same(&path, &bytes));
        assert_eq!((done.resumed(), done.requests()), (0, requests));
        assert_eq!(names(directory.path()), ["a"]);
    }
}

#[tokio::test]
async fn a_wrong_range_is_not_written() {
    let version = Version::new(content(LENGTH, 1), "\"1\"");
    for wrong in [0..LENGTH, 3 * MIB - 1..LENGTH, 3 * MIB + 1..LENGTH] {
        let (bytes, served) = (version.content.clone(), version.clone());
        let site = Site::new(move |seen, number| match number {
            0 => served.answer(seen).cut(3 * MIB),
            1 => served.part(wrong.clone()),
            _ => served.answer(seen),
        });
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        fail(&site, &path).await;
        let done = client()
            .download(site.url())
            .tries(1)
            .to(&path)
            .await
            .unwrap();
        assert!(is_same(&path, &bytes));
        assert_eq!(done.requests(), 2);
    }
}

#[tokio::test]
async fn a_failure_keeps_what_is_there() {
    let version = Version::new(content(LENGTH, 1), "\"1\"");
    let (bytes, served) = (version.content.clone(), version);
    let site = Site::new(move |seen, number| match number {
        0 => served.answer(seen).cut(3 * MIB),
        1 => Answer::status(403, ""),
        2 => Answer::status(503, ""),
        _ => served.answer(seen),
    });
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    fail(&site, &path).await;
    let error = go_on(&site, &path).await.unwrap_err();
    assert_eq!(error.status().unwrap().as_u16(), 403, "{error}");
    // A 503 is up to the policy of the client.
    let done = retrying().download(site.url()).to(&path).await.unwrap();
    assert!(is_same(&path, &bytes));
    assert_eq!(done.resumed(), 3 * MIB as u64);
}

#[tokio::test]
async fn another_url_and_a_torn_journal_begin_anew() {
    let version = Version::new(content(LENGTH, 1), "\"1\"");
    for spoil in 0..3 {
        let (bytes, served) = (version.content.clone(), version.clone());
        let site = Site::new(move |seen, number| match number {
            0 => served.answer(seen).cut(3 * MIB),
            _ => served.answer(seen),
        });
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        fail(&site, &path).await;
        let mut url = site.url();
        match spoil {
            0 => url.push_str("?other"),
            1 => fs::write(directory.path().join("a.turbohttp.journal"), "turbohttp").unwrap(),
            _ => {
                // Bytes that the journal speaks of are gone.
                let part = fs::OpenOptions::new()
                    .write(true)
                    .open(directory.path().join("a.turbohttp.part"));
                part.unwrap().set_len(1_000).unwrap();
            }
        }
        let done = client().download(&url).to(&path).await.unwrap();
        assert!(is_same(&path, &bytes), "{spoil}");
        assert_eq!(done.resumed(), 0);
        assert_eq!(site.seen().last().unwrap().field("range"), None);
    }
}

#[tokio::test]
async fn a_whole_file_without_its_name_is_asked_for_once_more() {
    let version = Version::new(content(LENGTH, 1), "\"1\"");
    let (bytes, served) = (version.content.clone(), version);
    let site = Site::new(move |seen, _| served.answer(seen));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    // Killed before the rename: the name is a directory meanwhile.
    let blocker = path.clone();
    let error = client()
        .download(site.url())
        .on_progress(move |progress| {
            if Some(progress.bytes) == progress.total {
                fs::create_dir(&blocker).unwrap();
            }
        })
        .to(&path)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Output, "{error}");
    fs::remove_dir(&path).unwrap();
    let done = go_on(&site, &path).await.unwrap();
    assert!(is_same(&path, &bytes));
    assert_eq!(done.resumed(), LENGTH as u64 - 1);
    assert_eq!(names(directory.path()), ["a"]);
}

#[tokio::test]
async fn a_download_dropped_at_any_poll_is_gone_on_with() {
    use std::future::{Future as _, poll_fn};
    use std::task::Poll;

    let version = Version::new(content(LENGTH, 1), "\"1\"");
    let (bytes, served) = (version.content.clone(), version);
    let site = Site::new(move |seen, _| served.answer(seen));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let client = client();
    for polls in 1..200 {
        let mut download = Box::pin(client.download(site.url()).to(&path));
        let mut left = polls;
        let ended = poll_fn(|cx| {
            left -= 1;
            match download.as_mut().poll(cx) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending if left == 0 => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        drop(download);
        assert!(client.audit().is_idle(), "{polls}");
        if let Some(done) = ended {
            done.unwrap();
            break;
        }
        // A rename that was under way goes on without its future.
        assert!(!path.exists() || is_same(&path, &bytes), "{polls}");
    }
    client.download(site.url()).to(&path).await.unwrap();
    assert!(is_same(&path, &bytes));
    assert_eq!(names(directory.path()), ["a"]);
}
