//! The cache over real connections.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use turbohttp::{CacheStatus, Limits};

use crate::everyday::{Origin, assert_idle, client, drop_at_every_poll, reply};
use crate::ground::cache;

/// A server whose one resource has to be validated each time.
fn validated() -> Origin {
    Origin::new(|seen| match seen.field("if-none-match") {
        Some("\"1\"") => "HTTP/1.1 304 X\r\netag: \"1\"\r\n\r\n".to_owned(),
        _ => reply(200, &["cache-control: no-cache", "etag: \"1\""], "content"),
    })
}

#[tokio::test]
async fn a_body_is_stored_if_its_framing_has_an_end() {
    let origin = Origin::new(|seen| {
        let head = "HTTP/1.1 200 X\r\ncache-control: max-age=60\r\n";
        match seen.path() {
            "/length" => format!("{head}content-length: 1\r\n\r\na"),
            "/chunked" => format!("{head}transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
            "/large" => format!(
                "{head}content-length: 100000\r\n\r\n{}",
                "a".repeat(100_000)
            ),
            _ => format!("{head}connection: close\r\n\r\na"),
        }
    });
    let (cache, _) = cache();
    let client = client(|builder| builder.cache(cache.clone()));
    for path in ["/length", "/chunked", "/large"] {
        for expected in [CacheStatus::Miss, CacheStatus::Hit] {
            let response = client.get(origin.url(path)).send().await.unwrap();
            assert_eq!(response.cache_status(), Some(expected), "{path}");
            assert_eq!(
                response.header("transfer-encoding").is_some(),
                path == "/chunked" && expected == CacheStatus::Miss
            );
            assert!(response.text().await.unwrap().starts_with('a'));
        }
    }
    assert_eq!(origin.seen().len(), 3);
    assert_idle(&client);
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_not_stored() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        _ = stream.read(&mut [0; 4096]);
        let head = "HTTP/1.1 200 X\r\ncache-control: max-age=60\r\ncontent-length: 9\r\n\r\n";
        _ = stream.write_all(format!("{head}abc").as_bytes());
    });
    let (cache, _) = cache();
    let client = client(|builder| builder.cache(cache.clone()));
    let response = client
        .get(format!("http://{address}/"))
        .send()
        .await
        .unwrap();
    response.bytes().await.unwrap_err();
    assert_eq!(cache.stats().entries, 0);
    assert_idle(&client);
}

#[tokio::test]
async fn validation_may_be_dropped_at_every_poll() {
    let origin = validated();
    let (cache, _) = cache();
    let limits = Limits::default().per_host(1).total(1);
    let client = client(|builder| builder.limits(limits).cache(cache.clone()));
    // The first time it is fetched, and the second time validated.
    for _ in 0..2 {
        let send = || async {
            let response = client.get(origin.url("/")).send().await.unwrap();
            assert_eq!(response.text().await.unwrap(), "content");
        };
        drop_at_every_poll(&client, send).await;
        assert_eq!(cache.stats().entries, 1);
    }
    let response = client.get(origin.url("/")).send().await.unwrap();
    assert_eq!(response.cache_status(), Some(CacheStatus::Revalidated));
    drop(response);
    assert_idle(&client);
}

#[cfg(feature = "gzip")]
#[tokio::test]
async fn a_coded_body_is_stored_as_it_came_and_decoded_each_time() {
    let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    coder.write_all(&[b'x'; 5000]).unwrap();
    let coded = coder.finish().unwrap();
    let length = coded.len() as u64;
    let origin = Origin::new(move |seen| {
        assert!(seen.field("accept-encoding").unwrap().contains("gzip"));
        let fields = "cache-control: max-age=60\r\nvary: accept-encoding\r\ncontent-encoding: gzip";
        let head = format!("HTTP/1.1 200 X\r\n{fields}\r\ncontent-length: {length}\r\n\r\n");
        [head.as_bytes(), &coded].concat()
    });
    let (cache, _) = cache();
    let client = client(|builder| builder.cache(cache.clone()));
    for expected in [CacheStatus::Miss, CacheStatus::Hit, CacheStatus::Hit] {
        let response = client.get(origin.url("/")).send().await.unwrap();
        assert_eq!(response.cache_status(), Some(expected));
        assert_eq!(response.header("content-encoding"), None);
        assert_eq!(response.bytes().await.unwrap(), [b'x'; 5000][..]);
    }
    assert!(cache.stats().bytes < 2000 + length);
    let own = client
        .get(origin.url("/"))
        .header("accept-encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(own.cache_status(), Some(CacheStatus::Miss));
    assert_eq!(own.bytes().await.unwrap().len() as u64, length);
}
