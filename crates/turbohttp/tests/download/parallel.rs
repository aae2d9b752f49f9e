//! Several pieces at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use turbohttp::{Client, ErrorKind, Limits};

use crate::ground::{Answer, LARGE, MIB, Site, Version, client, content, is_same, names};

#[tokio::test]
async fn pieces_come_by_several_connections() {
    let version = Version::new(content(LARGE, 1), "\"1\"");
    let (bytes, served) = (version.content.clone(), version);
    let site = Site::new(move |seen, _| served.answer(seen));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let done = client().download(site.url()).to(&path).await.unwrap();
    assert!(is_same(&path, &bytes));
    assert!(done.requests() >= 2, "{}", done.requests());
    assert_eq!(names(directory.path()), ["a"]);
}

#[tokio::test]
async fn one_permit_is_enough_and_more_are_never_taken() {
    for per_host in [1, 2] {
        let version = Version::new(content(LARGE, 1), "\"1\"");
        let (bytes, served) = (version.content.clone(), version);
        let site = Site::new(move |seen, _| served.answer(seen));
        let limits = Limits::default().per_host(per_host).total(per_host);
        let client = Client::builder().limits(limits).build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let done = client
            .download(site.url())
            .connections(8)
            .to(&path)
            .await
            .unwrap();
        assert!(is_same(&path, &bytes));
        if per_host == 1 {
            assert_eq!(done.requests(), 1, "the others need no permit in the end");
            assert_eq!(site.seen().len(), 1);
        }
        assert!(client.audit().is_idle());
    }
}

#[tokio::test]
async fn without_ranges_or_a_validator_one_connection_brings_all() {
    for fields in [
        "etag: \"1\"\r\n",
        "accept-ranges: none\r\netag: \"1\"\r\n",
        "accept-ranges: bytes\r\netag: W/\"1\"\r\n",
    ] {
        let version = Version {
            content: content(LARGE, 1).into(),
            fields: fields.into(),
            validator: None,
        };
        let (bytes, served) = (version.content.clone(), version);
        let site = Site::new(move |seen, _| served.answer(seen));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let done = client().download(site.url()).to(&path).await.unwrap();
        assert!(is_same(&path, &bytes));
        assert_eq!(done.requests(), 1);
    }
}

/// The file changes when the first piece is asked for: strong and weak ETags, and none.
#[tokio::test]
async fn a_file_that_changes_between_two_pieces_is_never_mixed() {
    for weak in [false, true] {
        let old = Version::new(content(LARGE, 1), "\"1\"");
        let mut new = Version::new(content(LARGE, 2), "\"2\"");
        if weak {
            new.fields = "accept-ranges: bytes\r\netag: W/\"2\"\r\n".into();
            new.validator = None;
        }
        let bytes = new.content.clone();
        let site = Site::new(move |seen, number| match number {
            0 => old.answer(seen),
            _ => new.answer(seen),
        });
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let done = client().download(site.url()).to(&path).await.unwrap();
        assert!(is_same(&path, &bytes), "weak: {weak}");
        assert_eq!(done.restarts(), 1);
    }
}

#[tokio::test]
async fn a_server_that_answers_pieces_with_all_is_read_by_one_connection() {
    let version = Version::new(content(LARGE, 1), "\"1\"");
    let (bytes, served) = (version.content.clone(), version);
    let site = Site::new(move |_, _| served.whole());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let done = client().download(site.url()).to(&path).await.unwrap();
    assert!(is_same(&path, &bytes));
    assert_eq!(done.restarts(), 0);
}

#[tokio::test]
async fn connections_that_the_server_refuses_are_done_without() {
    for status in [403, 429, 503] {
        let version = Version::new(content(LARGE, 1), "\"1\"");
        let (bytes, served) = (version.content.clone(), version);
        let site = Site::new(move |seen, number| match number {
            0 => served.answer(seen),
            _ => Answer::status(status, ""),
        });
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let done = client().download(site.url()).to(&path).await.unwrap();
        assert!(is_same(&path, &bytes), "{status}");
        assert_eq!(done.restarts(), 0);
    }
}

#[tokio::test]
async fn answers_that_break_off_are_gone_on_with() {
    let version = Version::new(content(LARGE, 1), "\"1\"");
    let (bytes, served) = (version.content.clone(), version);
    let site = Site::new(move |seen, number| served.answer(seen).cut(2 * MIB + number * 1_000));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let done = client().download(site.url()).to(&path).await.unwrap();
    assert!(is_same(&path, &bytes));
    assert_eq!(done.restarts(), 0);
}

#[tokio::test]
async fn a_file_that_never_stays_the_same_is_an_error() {
    let changes = Arc::new(AtomicUsize::new(0));
    let site = Site::new(move |seen, _| {
        let number = changes.fetch_add(1, Ordering::Relaxed);
        Version::new(content(LARGE, 1), &format!("\"{number}\"")).answer(seen)
    });
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let done = client().download(site.url()).tries(1).to(&path).await;
    // Each version may be whole before a piece of it is asked for.
    if let Err(error) = done {
        assert_eq!(error.kind(), ErrorKind::Changed, "{error}");
        assert!(!path.exists());
    }
}
