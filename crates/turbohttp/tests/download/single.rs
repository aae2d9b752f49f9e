//! One answer into one file.

use std::fs;
use std::path::PathBuf;

use std::time::Duration;

use turbohttp::{Checksum, ErrorKind, Shutdown};

use crate::ground::{Answer, LARGE, MIB, Seen, Site, Version, client, content, is_same, names};

#[tokio::test]
async fn a_file_is_whole_and_nothing_is_beside_it() {
    for length in [0, 1, 100, MIB - 1, MIB, MIB + 1, 3 * MIB + 7] {
        let version = Version::new(content(length, 1), "\"1\"");
        let (bytes, served) = (version.content.clone(), version);
        let site = Site::new(move |seen, _| served.answer(seen));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.bin");
        let done = client().download(site.url()).to(&path).await.unwrap();
        assert!(is_same(&path, &bytes), "{length}");
        assert_eq!(
            (done.length(), done.resumed(), done.requests()),
            (length as u64, 0, 1)
        );
        assert_eq!(names(directory.path()), ["a.bin"]);
        let seen = &site.seen()[0];
        assert_eq!(seen.field("accept-encoding"), Some("identity"));
        assert_eq!(seen.field("range"), None);
    }
}

#[tokio::test]
async fn a_length_that_is_not_known_is_taken_to_the_end() {
    let bytes = content(2 * MIB + 3, 1);
    let body = bytes.clone();
    let site = Site::new(move |_, _| Answer {
        head: "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".into(),
        body: body.clone().into(),
        range: 0..body.len(),
        is_cut: true,
    });
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let done = client().download(site.url()).to(&path).await.unwrap();
    assert!(is_same(&path, &bytes));
    assert_eq!(done.length(), bytes.len() as u64);
}

#[tokio::test]
async fn an_error_of_the_server_leaves_nothing() {
    for status in [204, 304, 404, 500] {
        let site = Site::new(move |_, _| Answer::status(status, ""));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let done = client().download(site.url()).to(&path).await;
        match status {
            // No content is an empty file.
            204 => assert_eq!(done.unwrap().length(), 0),
            _ => {
                let error = done.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Status, "{error}");
                assert_eq!(error.status().unwrap().as_u16(), status);
                assert!(names(directory.path()).is_empty());
            }
        }
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_an_error_before_anything_is_sent() {
    let site = Site::new(|_, _| Answer::status(200, ""));
    let directory = tempfile::tempdir().unwrap();
    let there = |name: &str| directory.path().join(name);
    fs::create_dir(there("directory")).unwrap();
    for path in [
        there("directory"),
        there("no/such"),
        there(".."),
        PathBuf::from("/dev/null"),
    ] {
        let error = client().download(site.url()).to(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Output, "{error}");
        assert!(
            error.to_string().contains(&path.display().to_string()),
            "{error}"
        );
    }
    assert!(site.seen().is_empty());
    assert_eq!(names(directory.path()), ["directory"]);
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_followed_and_modes_kept() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let version = Version::new(b"new".to_vec(), "\"1\"");
    let site = Site::new(move |seen, _| version.answer(seen));
    let directory = tempfile::tempdir().unwrap();
    let (file, link) = (directory.path().join("file"), directory.path().join("link"));
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("file", &link).unwrap();
    client().download(site.url()).to(&link).await.unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&file).unwrap(), b"new");
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o640
    );
    // What another has laid in the place of the unfinished file is not written through.
    symlink("file", directory.path().join("other.turbohttp.part")).unwrap();
    let other = directory.path().join("other");
    let error = client().download(site.url()).to(&other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Output, "{error}");
    assert_eq!(fs::read(&file).unwrap(), b"new");
}

#[tokio::test]
async fn checksums_of_the_caller_and_the_server_are_checked() {
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let right = "repr-digest: sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:\r\n";
    let wrong = "digest: SHA-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\r\n";
    for (fields, typed, trusts, is_right) in [
        (right, Some(abc), true, true),
        (right, None, true, true),
        (wrong, None, true, false),
        (wrong, Some(abc), false, true),
        ("", Some(&*"0".repeat(64)), true, false),
    ] {
        let mut version = Version::new(b"abc".to_vec(), "\"1\"");
        version.fields.push_str(fields);
        let site = Site::new(move |seen, _| version.answer(seen));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        fs::write(&path, "old").unwrap();
        let mut download = client().download(site.url()).server_checksum(trusts);
        if let Some(typed) = typed {
            download = download.checksum(Checksum::sha256(typed).unwrap());
        }
        match download.to(&path).await {
            Ok(_) => assert!(is_right && is_same(&path, b"abc")),
            Err(error) => {
                assert!(!is_right);
                assert_eq!(error.kind(), ErrorKind::Checksum, "{error}");
                assert!(is_same(&path, b"old"), "the file that was there is kept");
            }
        }
        assert_eq!(names(directory.path()), ["a"]);
    }
}

#[tokio::test]
async fn progress_goes_up_to_the_length() {
    let version = Version::new(content(5 * MIB, 1), "\"1\"");
    let site = Site::new(move |seen, _| version.answer(seen));
    let directory = tempfile::tempdir().unwrap();
    let told = std::sync::Arc::<std::sync::Mutex<Vec<u64>>>::default();
    let telling = told.clone();
    let download = client().download(site.url()).on_progress(move |progress| {
        assert_eq!(progress.total, Some(5 * MIB as u64));
        telling.lock().unwrap().push(progress.bytes);
    });
    download.to(directory.path().join("a")).await.unwrap();
    let told = told.lock().unwrap();
    assert!(told.is_sorted() && told.len() >= 5);
    assert_eq!(told.last(), Some(&(5 * MIB as u64)));
}

#[tokio::test]
async fn two_downloads_of_one_file_are_not_mixed() {
    let version = Version::new(content(LARGE, 1), "\"1\"");
    let (bytes, served) = (version.content.clone(), version);
    let site = Site::new(move |seen, _| served.answer(seen));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let client = client();
    let (first, second) = tokio::join!(
        client.download(site.url()).to(&path),
        client.download(site.url()).to(&path)
    );
    assert!(first.is_ok() || second.is_ok());
    assert!(is_same(&path, &bytes));
    assert_eq!(names(directory.path()), ["a"]);
}

#[tokio::test]
async fn what_is_no_download_is_refused() {
    let site = Site::new(|_, _| Answer::status(200, ""));
    let client = client();
    let path = tempfile::tempdir().unwrap().path().join("a");
    for (request, kind) in [
        (client.post(site.url()), ErrorKind::Request),
        (client.get(site.url()).body("x"), ErrorKind::Request),
        (
            client.get(site.url()).header("range", "bytes=0-1"),
            ErrorKind::Request,
        ),
        (client.get("ftp://x/"), ErrorKind::Url),
    ] {
        assert_eq!(request.download().to(&path).await.unwrap_err().kind(), kind);
    }
    for connections in [0, 17] {
        let download = client.download(site.url()).connections(connections);
        assert_eq!(
            download.to(&path).await.unwrap_err().kind(),
            ErrorKind::Config
        );
    }
    assert!(site.seen().is_empty());
}

#[tokio::test]
async fn a_closed_client_ends_a_download_and_its_back_off() {
    let version = Version::new(content(3 * MIB, 1), "\"1\"");
    let site = Site::new(move |seen: &Seen, _| version.answer(seen).cut(0));
    let directory = tempfile::tempdir().unwrap();
    let client = client();
    let download = client
        .download(site.url())
        .tries(8)
        .to(directory.path().join("a"));
    let closing = async {
        while site.seen().len() < 3 {
            tokio::task::yield_now().await;
        }
        client
            .close(Shutdown::CancelPending {
                within: Duration::from_secs(30),
            })
            .await
    };
    let (error, _) = tokio::join!(download, closing);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Closed);
    assert!(client.audit().is_idle());
}
