//! What every request and response needs, the same as over HTTP/1.1.

use bytes::Bytes;
use turbohttp::{Body, Method, StatusCode, Version};
use turbohttp_loopback::pattern;

use super::ground::{client, run, run_on_two, server};

#[test]
fn get_has_a_head_and_a_body() {
    let server = server();
    run(async {
        let client = client();
        for _ in 0..3 {
            let response = client.get(server.url("/small")).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.version(), Version::HTTP_2);
            assert_eq!(response.text().await.unwrap(), "Hello, world!");
        }
    });
    assert_eq!(server.stop().http2.streams, 3);
}

#[test]
fn bodies_of_every_size_are_what_was_sent() {
    let server = server();
    run(async {
        let client = client();
        for size in [
            0, 1, 8_191, 8_192, 16_384, 65_535, 65_536, 300_000, 5_000_000,
        ] {
            let url = server.url(&format!("/bytes/{size}"));
            let response = client.get(url).send().await.unwrap();
            let body = response.bytes().await.unwrap();
            assert!(body == pattern(size), "{size}");
        }
    });
}

#[test]
fn uploads_arrive_whole() {
    let server = server();
    run(async {
        let client = client();
        for size in [0, 1, 16_383, 65_535, 65_536, 1_000_000, 3_000_000] {
            let sent = pattern(size).to_vec();
            let response = client
                .post(server.url("/echo"))
                .body(sent.clone())
                .send()
                .await
                .unwrap();
            let echo = response.bytes().await.unwrap();
            assert!(echo == sent, "{size}: {}", echo.len());
            let pieces: Vec<_> = sent
                .chunks(10_000)
                .map(|piece| Ok(Bytes::copy_from_slice(piece)))
                .collect();
            let stream = futures_util::stream::iter(pieces);
            let response = client
                .post(server.url("/echo"))
                .body(Body::from_stream(stream, None))
                .send()
                .await
                .unwrap();
            let echo = response.bytes().await.unwrap();
            assert!(echo == sent, "{size}: {}", echo.len());
        }
    });
}

#[test]
fn head_and_statuses_without_content_end_at_once() {
    let server = server();
    run(async {
        let client = client();
        let url = server.url("/bytes/1000");
        let response = client.request(Method::HEAD, url).send().await.unwrap();
        assert_eq!(response.header("content-length").unwrap(), "1000");
        assert_eq!(response.bytes().await.unwrap().len(), 0);
        for status in [204, 304, 404, 500] {
            let url = server.url(&format!("/status/{status}"));
            let response = client.get(url).send().await.unwrap();
            assert_eq!(response.status(), status);
            response.bytes().await.unwrap();
        }
    });
}

#[test]
fn trailers_follow_the_content() {
    let server = server();
    run(async {
        let url = server.url("/trailers/1000");
        let mut response = client().get(url).send().await.unwrap();
        while response.chunk().await.unwrap().is_some() {}
        assert!(response.trailer("x-trailer").is_some());
    });
}

#[test]
fn many_requests_share_one_connection() {
    let server = server();
    run_on_two(async {
        let client = client();
        client.get(server.url("/small")).send().await.unwrap();
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let (client, url) = (client.clone(), server.url("/bytes/20000"));
                tokio::spawn(async move {
                    for _ in 0..100 {
                        let response = client.get(&url).send().await.unwrap();
                        assert_eq!(response.bytes().await.unwrap().len(), 20_000);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    let stats = server.stop();
    assert_eq!((stats.http2.connections, stats.http2.streams), (1, 6_401));
}
