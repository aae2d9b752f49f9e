//! Dropping at every poll: a call of each kind is dropped after its first poll, its second and so on, until
//! it ends; after each the next request goes out on the same connection.

use std::future::Future;

use bytes::Bytes;
use turbohttp::{Body, Client, Result};
use turbohttp_loopback::{Http2, Server, pattern};

use super::ground::{client, idles, poll_times, run, server, server_with};

/// More polls than any call here takes.
const POLLS_MAX: usize = 1_000;

async fn small(client: &Client, server: &Server) {
    let response = client.get(server.url("/small")).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "Hello, world!");
}

/// Drops what `call` makes at every poll, on a connection that is there.
fn drop_at_every_poll<F: Future<Output = Result<usize>>>(
    server: &Server,
    call: impl Fn(Client, String) -> F,
) {
    run(async {
        let client = client();
        small(&client, server).await;
        for polls in 1..POLLS_MAX {
            let mut called = Box::pin(call(client.clone(), server.url("")));
            let ended = poll_times(called.as_mut(), polls).await;
            drop(called);
            small(&client, server).await;
            idles(&client).await;
            if let Some(ended) = ended {
                ended.unwrap();
                assert_eq!(client.stats().net.unwrap().opened, 1);
                return;
            }
        }
        panic!("no call ends within {POLLS_MAX} polls");
    });
}

/// Small windows, so that contents take many polls.
fn narrow() -> Server {
    server_with(Http2 {
        stream_window_bytes: Some(20_000),
        connection_window_bytes: Some(65_535),
        ..Http2::default()
    })
}

async fn read(response: turbohttp::Response, expected: &[u8]) -> Result<usize> {
    let bytes = response.bytes().await?;
    assert!(bytes == expected);
    Ok(bytes.len())
}

#[test]
fn a_get_is_dropped_at_every_poll() {
    drop_at_every_poll(&server(), |client, base| async move {
        let response = client.get(format!("{base}/bytes/400000")).send().await?;
        read(response, &pattern(400_000)).await
    });
}

#[test]
fn a_response_with_trailers_is_dropped_at_every_poll() {
    drop_at_every_poll(&server(), |client, base| async move {
        let mut response = client.get(format!("{base}/trailers/3000")).send().await?;
        let mut length = 0;
        while let Some(chunk) = response.chunk().await? {
            length += chunk.len();
        }
        assert!(response.trailer("x-trailer").is_some());
        Ok(length)
    });
}

#[test]
fn a_post_is_dropped_at_every_poll() {
    drop_at_every_poll(&narrow(), |client, base| async move {
        let request = client.post(format!("{base}/echo")).body(pattern(150_000));
        read(request.send().await?, &pattern(150_000)).await
    });
}

#[test]
fn a_streamed_upload_is_dropped_at_every_poll() {
    drop_at_every_poll(&narrow(), |client, base| async move {
        let pieces = (0..15).map(|_| Ok(Bytes::from_static(&[7; 10_000])));
        let body = Body::from_stream(futures_util::stream::iter(pieces), None);
        let request = client.post(format!("{base}/echo")).body(body);
        read(request.send().await?, &[7; 150_000]).await
    });
}

#[test]
fn content_that_waits_for_a_word_is_dropped_at_every_poll() {
    drop_at_every_poll(&narrow(), |client, base| async move {
        let request = client.post(format!("{base}/echo")).body(pattern(60_000));
        read(request.expect_continue().send().await?, &pattern(60_000)).await
    });
}

#[test]
fn a_request_that_dials_is_dropped_at_every_poll() {
    for path in ["/small", "/bytes/100000"] {
        let server = server();
        run(async {
            for polls in 1..POLLS_MAX {
                let client = client();
                let mut called = Box::pin(async {
                    let response = client.get(server.url(path)).send().await?;
                    response.bytes().await
                });
                let ended = poll_times(called.as_mut(), polls).await;
                drop(called);
                small(&client, &server).await;
                idles(&client).await;
                if let Some(ended) = ended {
                    ended.unwrap();
                    return;
                }
            }
            panic!("no call ends within {POLLS_MAX} polls");
        });
    }
}
