//! Dropping: whatever is dropped at whatever time, its stream is reset and the connection goes on.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use bytes::Bytes;
use turbohttp::{Body, Client, Result};
use turbohttp_loopback::script::{Script, Step, frames};
use turbohttp_loopback::{Http2, pattern};

use super::ground::{
    LONG, Numbers, answer, greeting, idles, poll_few, poll_times, run, run_for, server_with,
    wide_client,
};

/// More polls than any call here takes.
const POLLS_MAX: u64 = 24;

/// Sends one of several kinds of requests, and reads its response.
async fn exchange(client: Client, base: String, kind: u64) -> Result<usize> {
    let response = match kind {
        0 => client.get(format!("{base}/small")).send().await?,
        1 => client.get(format!("{base}/bytes/100000")).send().await?,
        2 => {
            let body = pattern(90_000).to_vec();
            client
                .post(format!("{base}/echo"))
                .body(body)
                .send()
                .await?
        }
        3 => {
            let pieces = (0..9).map(|_| Ok(Bytes::from_static(&[7; 10_000])));
            let body = Body::from_stream(futures_util::stream::iter(pieces), Some(90_000));
            client
                .post(format!("{base}/echo"))
                .body(body)
                .send()
                .await?
        }
        4 => client.get(format!("{base}/trailers/1000")).send().await?,
        _ => client.get(format!("{base}/never")).send().await?,
    };
    Ok(response.bytes().await?.len())
}

/// `drops` requests are dropped after a random number of polls, `at_once` of them side by side.
fn drop_at_random(drops: u64, at_once: u64, streams: u32) {
    let server = server_with(Http2 {
        max_concurrent_streams: Some(streams),
        ..Http2::default()
    });
    let base = server.url("");
    run_for(LONG, async {
        let client = wide_client(at_once as usize);
        // The settings of the server are known before more than its limit is sent.
        exchange(client.clone(), base.clone(), 0).await.unwrap();
        let tasks: Vec<_> = (0..at_once)
            .map(|task| {
                let (client, base) = (client.clone(), base.clone());
                tokio::spawn(async move {
                    let mut numbers = Numbers::new(task + 1);
                    for _ in 0..drops / at_once {
                        let kind = numbers.below(6);
                        let polls = 1 + numbers.below(POLLS_MAX) as usize;
                        let mut sent = Box::pin(exchange(client.clone(), base.clone(), kind));
                        if let Some(ended) = poll_few(sent.as_mut(), polls).await {
                            ended.unwrap();
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        exchange(client.clone(), base.clone(), 1).await.unwrap();
        idles(&client).await;
        let stats = client.stats().net.unwrap();
        assert_eq!((stats.opened, stats.buffers.outstanding), (1, 0));
        let stats = server.stats().http2;
        assert_eq!((stats.connections, stats.goaways_received), (1, 0));
    });
    let stats = server.stop().http2;
    assert!(stats.streams_peak <= u64::from(streams), "{stats:?}");
    assert_eq!(stats.streams_open, 0);
    // Nothing but CANCEL, and no stream that the server had to refuse.
    assert_eq!(stats.resets_received.total(), stats.resets_received.with(8));
    assert!(stats.resets_received.with(8) > 0);
    assert_eq!(stats.resets_sent.with(7), 0, "{stats:?}");
}

#[test]
fn requests_dropped_at_random_leave_nothing() {
    drop_at_random(4_000, 16, 10);
}

#[test]
#[ignore = "the full figures: a million drops"]
fn a_million_dropped_requests_leave_nothing() {
    drop_at_random(1_000_000, 16, 10);
}

#[test]
fn a_request_that_was_dropped_unwritten_is_never_seen() {
    let steps = [
        greeting(&[(frames::MAX_CONCURRENT_STREAMS, 1)]),
        vec![
            Step::read_frame(frames::HEADERS),
            Step::send(answer(1, "first")),
            // No PING either: a server that the second request has not reached is not silent.
            Step::read_frame(frames::HEADERS),
            Step::send(answer(5, "third")),
            Step::Stall,
        ],
    ]
    .concat();
    let server = Script::new().accept(steps).start().unwrap();
    run(async {
        let client = wide_client(4);
        let text = client
            .get(server.url("/"))
            .send()
            .await
            .unwrap()
            .text()
            .await;
        assert_eq!(text.unwrap(), "first");
        let mut dropped = Box::pin(client.get(server.url("/")).send());
        assert!(poll_times(dropped.as_mut(), 1).await.is_none());
        drop(dropped);
        let text = client
            .get(server.url("/"))
            .send()
            .await
            .unwrap()
            .text()
            .await;
        assert_eq!(text.unwrap(), "third");
        idles(&client).await;
    });
    let seen: Vec<_> = server.frames()[0]
        .iter()
        .filter(|frame| matches!(frame.kind, frames::HEADERS | frames::RST_STREAM))
        .map(|frame| (frame.kind, frame.stream))
        .collect();
    assert_eq!(seen, [(frames::HEADERS, 1), (frames::HEADERS, 5)]);
}

/// A server ends the connection of a client that has too many streams reset, as a defence (CVE-2023-44487).
#[test]
fn a_burst_of_requests_that_are_dropped_at_once_costs_no_connection() {
    let server = server_with(Http2::default());
    run(async {
        let client = wide_client(100);
        drop(client.get(server.url("/small")).send().await.unwrap());
        for _ in 0..20 {
            let mut burst = Vec::new();
            for _ in 0..100 {
                let mut request = Box::pin(client.get(server.url("/small")).send());
                assert!(poll_times(request.as_mut(), 1).await.is_none());
                burst.push(request);
            }
            drop(burst);
            let last = client.get(server.url("/small")).send().await.unwrap();
            assert_eq!(last.status(), 200);
        }
        idles(&client).await;
    });
    let seen = server.stop().http2;
    assert_eq!((seen.connections, seen.streams), (1, 21));
    assert_eq!(seen.resets_received.total(), 0);
}

/// One request is polled once, or a few times, and then kept; the others go on.
fn kept_after(polls: usize, path: &str, is_first: bool) {
    let server = server_with(Http2::default());
    run(async {
        let client = wide_client(64);
        if !is_first {
            exchange(client.clone(), server.url(""), 0).await.unwrap();
        }
        let mut kept = pin!(client.get(server.url(path)).send());
        let mut unwoken = Context::from_waker(Waker::noop());
        for _ in 0..polls {
            _ = kept.as_mut().poll(&mut unwoken);
            tokio::task::yield_now().await;
        }
        for round in 0..3 {
            let tasks: Vec<_> = (0..63)
                .map(|number| {
                    let kind = (number + round) % 5;
                    tokio::spawn(exchange(client.clone(), server.url(""), kind))
                })
                .collect();
            for task in tasks {
                task.await.unwrap().unwrap();
            }
        }
        let response = kept.await.unwrap();
        assert_eq!(response.status(), 200);
        response.bytes().await.unwrap();
        idles(&client).await;
    });
    assert_eq!(server.stop().connections, 1);
}

#[test]
fn nobody_waits_for_a_future_that_is_kept() {
    kept_after(1, "/small", false);
    kept_after(1, "/bytes/5000000", false);
}

#[test]
fn nobody_waits_for_the_future_that_dials() {
    kept_after(1, "/small", true);
    kept_after(1, "/bytes/5000000", true);
}
