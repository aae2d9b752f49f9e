//! A cache in a directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use turbohttp::{Cache, CacheStatus, Client, MockReply, MockTransport, StatusCode};

use crate::ground::{Clock, MIB, Server};

const FRESH: &str = "200; cache-control: max-age=60; etag: \"1\"; body=content";

fn open(directory: &Path) -> (Cache, Clock) {
    let clock = Clock::default();
    (clock.set_for(Cache::directory(directory, MIB)), clock)
}

/// What the cache answers; what it stores of that is written then.
async fn read(client: &Client, cache: &Cache, path: &str) -> (CacheStatus, String) {
    let response = client
        .get(format!("http://a.test{path}"))
        .send()
        .await
        .unwrap();
    let status = response.cache_status().unwrap();
    let body = response.text().await.unwrap();
    cache.flush().await;
    (status, body)
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn entries_outlive_their_cache() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("made/by/the/cache");
    let server = Server::new(&[
        FRESH,
        "304; x: 1",
        "200; cache-control: max-age=60; vary: x; body=b",
    ]);
    let (first, _) = open(&path);
    let client = server.client(&first);
    assert_eq!(read(&client, &first, "/").await.0, CacheStatus::Miss);
    assert_eq!(
        read(&client, &first, "/").await,
        (CacheStatus::Hit, "content".to_owned())
    );

    let (second, clock) = open(&path);
    let client = server.client(&second);
    assert_eq!(read(&client, &second, "/").await.0, CacheStatus::Hit);
    clock.advance(60);
    assert_eq!(
        read(&client, &second, "/").await.0,
        CacheStatus::Revalidated
    );
    assert_eq!(read(&client, &second, "/2").await.0, CacheStatus::Miss);
    assert_eq!((second.stats().entries, files(&path).len()), (2, 2));

    let (third, clock) = open(&path);
    clock.advance(60);
    let client = server.client(&third);
    let response = client.get("http://a.test/").send().await.unwrap();
    assert_eq!(
        (response.cache_status(), response.header("x")),
        (Some(CacheStatus::Hit), Some("1"))
    );
    third.clear().await;
    assert_eq!((third.stats().entries, files(&path).len()), (0, 0));
}

#[tokio::test]
async fn what_a_former_cache_has_left_is_removed_by_an_unsafe_request() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::new(&[FRESH, "200", "200; body=new"]);
    let (first, _) = open(directory.path());
    read(&server.client(&first), &first, "/").await;
    let (second, _) = open(directory.path());
    let client = server.client(&second);
    client.put("http://a.test/").send().await.unwrap();
    assert_eq!(files(directory.path()).len(), 0);
    let expected = (CacheStatus::Miss, "new".to_owned());
    assert_eq!(read(&client, &second, "/").await, expected);
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_their_owners_alone_and_hold_no_credentials() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cache");
    let server = Server::new(&[FRESH]);
    let (cache, _) = open(&path);
    let client = server.client(&cache);
    let request = client
        .get("http://a.test/")
        .header("authorization", "Bearer SECRET");
    request.send().await.unwrap().text().await.unwrap();
    cache.flush().await;
    let [file] = &files(&path)[..] else {
        panic!("one file")
    };
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(file)), (0o700, 0o600));
    assert!(
        !fs::read(file)
            .unwrap()
            .windows(6)
            .any(|window| window == b"SECRET")
    );
}

#[tokio::test]
async fn a_file_that_is_cut_at_any_byte_is_a_miss_and_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, _) = open(directory.path());
    read(&Server::new(&[FRESH]).client(&cache), &cache, "/").await;
    let [file] = &files(directory.path())[..] else {
        panic!("one file")
    };
    let whole = fs::read(file).unwrap();
    for cut in 0..whole.len() {
        fs::write(file, &whole[..cut]).unwrap();
        let (cache, _) = open(directory.path());
        // What comes instead may not be stored, so that a file that is left is the torn one.
        let client = Server::new(&["200; body=new"]).client(&cache);
        assert_eq!(
            read(&client, &cache, "/").await,
            (CacheStatus::Miss, "new".to_owned()),
            "{cut}"
        );
        assert!(!file.exists(), "{cut}");
    }
    fs::write(file, &whole).unwrap();
    let (cache, _) = open(directory.path());
    assert_eq!(
        read(&Server::new(&[]).client(&cache), &cache, "/").await.0,
        CacheStatus::Hit
    );
}

#[tokio::test]
async fn a_file_under_the_name_of_another_entry_is_a_miss() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, _) = open(directory.path());
    let client = Server::new(&[
        "200; cache-control: max-age=60; body=a",
        "200; cache-control: max-age=60; body=b",
    ])
    .client(&cache);
    read(&client, &cache, "/a").await;
    let [a] = &files(directory.path())[..] else {
        panic!("one file")
    };
    read(&client, &cache, "/b").await;
    let b = files(directory.path())
        .into_iter()
        .find(|file| file != a)
        .unwrap();
    fs::copy(&b, a).unwrap();
    let (cache, _) = open(directory.path());
    let client = Server::new(&["200; body=new"]).client(&cache);
    assert_eq!(read(&client, &cache, "/a").await.1, "new");
    assert_eq!(
        read(&client, &cache, "/b").await,
        (CacheStatus::Hit, "b".to_owned())
    );
}

#[tokio::test]
async fn what_a_dead_process_was_writing_is_removed_after_an_hour() {
    let directory = tempfile::tempdir().unwrap();
    let entry = format!("{}-{}", "0".repeat(64), "1".repeat(64));
    let ages = [("old", 3601, false), ("young", 3000, true)];
    for (at, (_, age, _)) in ages.iter().enumerate() {
        let path = directory.path().join(format!("{entry}.7.{at}.part"));
        let file = fs::File::create(path).unwrap();
        let then = SystemTime::now() - Duration::from_secs(*age);
        file.set_modified(then).unwrap();
    }
    let (cache, _) = open(directory.path());
    read(&Server::new(&["200"]).client(&cache), &cache, "/").await;
    for (at, (name, _, stays)) in ages.iter().enumerate() {
        let path = directory.path().join(format!("{entry}.7.{at}.part"));
        assert_eq!(path.exists(), *stays, "{name}");
    }
    assert_eq!(cache.stats().entries, 0);
}

#[tokio::test]
async fn a_body_of_32_mib_is_written_and_a_larger_one_is_not() {
    const LARGEST: usize = 32 * 1024 * 1024;
    let directory = tempfile::tempdir().unwrap();
    for (length, stored) in [(LARGEST, 1), (LARGEST + 1, 0)] {
        let reply = MockReply::new(StatusCode::OK).header("cache-control", "max-age=60");
        let mock = MockTransport::new(reply.body(vec![b'x'; length]));
        let cache = Cache::directory(directory.path(), 1024 * MIB);
        let client = Client::builder().transport(mock).cache(cache.clone());
        assert_eq!(
            read(&client.build().unwrap(), &cache, "/").await.1.len(),
            length
        );
        assert_eq!(cache.stats().entries, stored);
        cache.clear().await;
    }
}

#[tokio::test]
async fn foreign_files_stay() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["notes.txt", "film.part", "a-b"] {
        fs::write(directory.path().join(name), "mine").unwrap();
    }
    fs::create_dir(directory.path().join("folder")).unwrap();
    let (cache, _) = open(directory.path());
    read(&Server::new(&[FRESH]).client(&cache), &cache, "/").await;
    assert_eq!(cache.stats().entries, 1);
    cache.clear().await;
    assert_eq!(files(directory.path()).len(), 4);
}

#[tokio::test]
async fn the_bound_holds_for_files_and_what_was_used_last_stays() {
    let directory = tempfile::tempdir().unwrap();
    let body = "x".repeat(8000);
    let answer = format!("200; cache-control: max-age=60; body={body}");
    let server = Server::new(&vec![answer.as_str(); 21]);
    let cache = Cache::directory(directory.path(), 64 * 1024);
    let client = server.client(&cache);
    read(&client, &cache, "/first").await;
    for number in 0..20 {
        read(&client, &cache, &format!("/{number}")).await;
        assert_eq!(read(&client, &cache, "/first").await.0, CacheStatus::Hit);
        let bytes: u64 = files(directory.path())
            .iter()
            .map(|file| file.metadata().unwrap().len())
            .sum();
        assert!(bytes <= 64 * 1024);
    }
    assert_eq!(
        (cache.stats().entries, files(directory.path()).len()),
        (7, 7)
    );
    assert_eq!(cache.stats().evicted, 14);
}

#[tokio::test]
async fn a_smaller_bound_holds_for_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, _) = open(directory.path());
    let body = "x".repeat(8000);
    let answer = format!("200; cache-control: max-age=60; body={body}");
    let client = Server::new(&vec![answer.as_str(); 20]).client(&cache);
    for number in 0..20 {
        read(&client, &cache, &format!("/{number}")).await;
    }
    assert_eq!(files(directory.path()).len(), 20);
    let small = Cache::directory(directory.path(), 64 * 1024);
    read(&Server::new(&["200"]).client(&small), &small, "/").await;
    assert_eq!(
        (small.stats().entries, files(directory.path()).len()),
        (7, 7)
    );
}

#[tokio::test]
async fn two_caches_on_one_directory_see_whole_entries_or_none() {
    let directory = tempfile::tempdir().unwrap();
    let ((one, _), (two, _)) = (open(directory.path()), open(directory.path()));
    let server = Server::new(&[FRESH, FRESH, "200; body=x", "200; body=new"]);
    let (first, second) = (server.client(&one), server.client(&two));
    // Both look through the empty directory, and both write the one file.
    let (a, b) = tokio::join!(read(&first, &one, "/"), read(&second, &two, "/"));
    assert_eq!((a.0, b.0), (CacheStatus::Miss, CacheStatus::Miss));
    assert_eq!(files(directory.path()).len(), 1);
    assert_eq!(read(&first, &one, "/").await.0, CacheStatus::Hit);
    assert_eq!(read(&second, &two, "/").await.0, CacheStatus::Hit);
    first.delete("http://a.test/").send().await.unwrap();
    assert_eq!(
        read(&second, &two, "/").await,
        (CacheStatus::Miss, "new".to_owned())
    );
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_leaves_the_client_without_a_cache() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let (cache, _) = open(&file.join("below"));
    let client = Server::new(&[FRESH, FRESH]).client(&cache);
    for _ in 0..2 {
        assert_eq!(
            read(&client, &cache, "/").await,
            (CacheStatus::Miss, "content".to_owned())
        );
    }
    let stats = cache.stats();
    assert_eq!((stats.entries, stats.stored, stats.failures), (0, 0, 1));
    assert!(stats.failure.is_some());
}

#[cfg(unix)]
#[tokio::test]
async fn a_directory_without_permission_leaves_the_client_without_a_cache() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o500)).unwrap();
    if fs::write(directory.path().join("probe"), "").is_ok() {
        // Root may write everywhere.
        println!("SKIPPED: this user may write everywhere");
        return;
    }
    let (cache, _) = open(directory.path());
    let client = Server::new(&[FRESH, FRESH]).client(&cache);
    for _ in 0..2 {
        assert_eq!(read(&client, &cache, "/").await.0, CacheStatus::Miss);
    }
    assert!(cache.stats().failure.unwrap().contains("denied"));
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_counted_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, _) = open(directory.path());
    let server = Server::new(&["200; body=x", FRESH, FRESH]);
    let client = server.client(&cache);
    read(&client, &cache, "/").await;
    // The directory goes away behind the back of the cache.
    fs::remove_dir_all(directory.path()).unwrap();
    assert_eq!(
        read(&client, &cache, "/").await,
        (CacheStatus::Miss, "content".to_owned())
    );
    let stats = cache.stats();
    assert_eq!((stats.entries, stats.stored, stats.failures), (0, 0, 1));
    fs::create_dir(directory.path()).unwrap();
    assert_eq!(read(&client, &cache, "/").await.0, CacheStatus::Miss);
    assert_eq!(
        (cache.stats().entries, files(directory.path()).len()),
        (1, 1)
    );
}
