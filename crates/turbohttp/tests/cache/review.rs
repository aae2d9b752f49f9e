//! Clocks that are set back, heads of many fields, and directories that other users write to.

use std::fs;

use turbohttp::{Cache, CacheStatus, Client};

use crate::ground::{MIB, Server, cache};

const FRESH: &str = "200; cache-control: max-age=60; etag: \"1\"; body=content";

async fn read(client: &Client, path: &str) -> CacheStatus {
    let request = client.get(format!("http://a.test{path}"));
    let response = request.send().await.unwrap();
    let status = response.cache_status().unwrap();
    response.text().await.unwrap();
    status
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_nothing_fresh_for_longer() {
    let (cache, clock) = cache();
    let server = Server::new(&[FRESH, "304"]);
    let client = server.client(&cache);
    clock.advance(1_000_000);
    assert_eq!(read(&client, "/").await, CacheStatus::Miss);
    // A step of a few seconds is one of NTP.
    clock.turn_back(10);
    assert_eq!(read(&client, "/").await, CacheStatus::Hit);
    clock.turn_back(60);
    assert_eq!(read(&client, "/").await, CacheStatus::Revalidated);
    assert_eq!(read(&client, "/").await, CacheStatus::Hit);
}

#[tokio::test]
async fn fields_count_with_what_they_take_in_memory() {
    let cache = Cache::memory(MIB);
    let fields = "x: y; ".repeat(100);
    let answer = format!("200; cache-control: max-age=60; {fields}body=a");
    let client = Server::new(&[&answer]).client(&cache);
    read(&client, "/").await;
    let least = 100 * size_of::<(String, Vec<u8>)>() as u64;
    assert!(cache.stats().bytes > least, "{:?}", cache.stats());
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_regular_file_is_no_entry() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let open = || Cache::directory(path, MIB);
    let entry = |cache: Cache| async move {
        read(&Server::new(&[FRESH]).client(&cache), "/").await;
        cache.flush().await;
        let file = fs::read_dir(path).unwrap().next().unwrap().unwrap();
        file.path()
    };
    let file = entry(open()).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let other = elsewhere.path().join("other");
    fs::rename(&file, &other).unwrap();
    let make_fifo = || {
        let made = std::process::Command::new("mkfifo").arg(&file).status();
        made.is_ok_and(|status| status.success())
    };
    let make_link = || std::os::unix::fs::symlink(&other, &file).is_ok();
    let makers: [&dyn Fn() -> bool; 2] = [&make_link, &make_fifo];
    for make in makers {
        // There when the directory is opened.
        assert!(make());
        let cache = open();
        let client = Server::new(&["200"]).client(&cache);
        assert_eq!(read(&client, "/").await, CacheStatus::Miss);
        fs::remove_file(&file).unwrap();
        // In place of a file that was there then.
        let cache = open();
        assert_eq!(entry(cache.clone()).await, file);
        fs::remove_file(&file).unwrap();
        assert!(make());
        let client = Server::new(&["200"]).client(&cache);
        assert_eq!(read(&client, "/").await, CacheStatus::Miss);
        _ = fs::remove_file(&file);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_directory_that_everybody_writes_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    let open_to_all = fs::Permissions::from_mode(0o777);
    fs::set_permissions(directory.path(), open_to_all).unwrap();
    let cache = Cache::directory(directory.path(), MIB);
    let client = Server::new(&[FRESH, FRESH]).client(&cache);
    for _ in 0..2 {
        assert_eq!(read(&client, "/").await, CacheStatus::Miss);
        cache.flush().await;
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    let failure = cache.stats().failure.unwrap();
    assert!(failure.contains("other users"), "{failure}");
}

#[cfg(feature = "rustls")]
#[tokio::test]
async fn what_comes_without_a_check_of_its_certificate_is_not_for_others() {
    use turbohttp::Tls;
    use turbohttp_loopback::script::{Script, Step};
    use turbohttp_loopback::tls::TestCa;

    let ca = TestCa::new();
    let answer = "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
    let config = ca.server_config(&["localhost", "127.0.0.1"]);
    let connection = || {
        [
            Step::Handshake(config.clone()),
            Step::ReadHead,
            Step::send(answer),
        ]
    };
    let script = Script::new().accept(connection()).accept(connection());
    let server = script.start().unwrap();
    let url = format!("https://{}/", server.addr());
    let (cache, _) = cache();
    let any = Tls::default().danger_accept_any_certificate();
    let checked = Tls::default().root_pem(ca.pem()).only_added_roots();
    for (tls, expected) in [
        (&any, CacheStatus::Bypass),
        (&checked, CacheStatus::Miss),
        (&checked, CacheStatus::Hit),
    ] {
        let client = Client::builder().cache(cache.clone()).tls(tls.clone());
        let response = client.build().unwrap().get(&url).send().await.unwrap();
        assert_eq!(response.cache_status(), Some(expected));
        assert_eq!(response.text().await.unwrap(), "ok");
    }
}
