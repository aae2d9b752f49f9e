//! Windows: readers that do not read, responses that are dropped, and uploads that wait for credit.

use bytes::Bytes;
use turbohttp::{Body, Client, Response};
use turbohttp_loopback::script::{Script, Step, frames};
use turbohttp_loopback::{Http2, pattern};

use super::ground::{
    LONG, Numbers, answer, client, greeting, idles, run, run_for, run_on_two, server, server_with,
    wide_client,
};

/// Bytes that a connection may have received unread, and what the reader of another response has in hand.
const UNREAD_BYTES_MAX: u64 = (32 + 4) * 1024 * 1024;

async fn get(client: &Client, url: &str) -> Response {
    client.get(url).send().await.unwrap()
}

/// Reads a response to its end, and compares it with what the server sends.
async fn read(mut response: Response) -> usize {
    let mut at = 0;
    while let Some(chunk) = response.chunk().await.unwrap() {
        let expected = pattern(at + chunk.len());
        assert!(chunk == &expected[at..], "at {at}");
        at += chunk.len();
        // The pattern repeats.
        at %= 251 * 4_000;
    }
    at
}

/// `unread` responses are left where they are, and one more is read.
fn slow_readers(unread: usize, unread_bytes: usize, read_bytes: usize) {
    let server = server();
    run_for(LONG, async {
        let client = wide_client(unread + 1);
        let mut idle = Vec::new();
        for _ in 0..unread {
            idle.push(get(&client, &server.url(&format!("/bytes/{unread_bytes}"))).await);
        }
        let url = server.url(&format!("/bytes/{read_bytes}"));
        assert_eq!(
            read(get(&client, &url).await).await,
            read_bytes % (251 * 4_000)
        );
        let sent = server.stats().body_bytes_sent;
        let ahead = sent - read_bytes as u64;
        assert!(ahead <= UNREAD_BYTES_MAX, "{ahead} bytes were sent ahead");
        // Those that were left can still be read.
        let last = idle.pop().unwrap();
        assert_eq!(read(last).await, unread_bytes % (251 * 4_000));
        drop(idle);
        get(&client, &server.url("/small"))
            .await
            .text()
            .await
            .unwrap();
        idles(&client).await;
        let stats = server.stats().http2;
        assert_eq!((stats.connections, stats.goaways_received), (1, 0));
    });
}

#[test]
fn readers_that_do_not_read_hold_up_nobody() {
    slow_readers(15, 2_000_000, 8_000_000);
}

#[test]
#[ignore = "the full figures: 100 MB beside 63 responses of 10 MB"]
fn sixty_three_readers_that_do_not_read_hold_up_nobody() {
    slow_readers(63, 10_000_000, 100_000_000);
}

/// Responses are dropped with a random part of them read, some before their head.
fn dropped_unread(responses: usize, bytes: u64, at_once: usize) {
    let server = server();
    run_for(LONG, async {
        let client = wide_client(at_once);
        get(&client, &server.url("/small"))
            .await
            .text()
            .await
            .unwrap();
        let tasks: Vec<_> = (0..at_once)
            .map(|task| {
                let (client, url) = (client.clone(), server.url(&format!("/bytes/{bytes}")));
                let share = responses / at_once;
                tokio::spawn(async move {
                    let mut numbers = Numbers::new(task as u64);
                    for _ in 0..share {
                        let mut response = get(&client, &url).await;
                        let until = numbers.below(bytes + bytes / 4);
                        let mut read = 0;
                        while read < until
                            && let Some(chunk) = response.chunk().await.unwrap()
                        {
                            read += chunk.len() as u64;
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        // All credit is there again: a response larger than the window of the connection.
        let url = server.url("/bytes/40000000");
        assert_eq!(
            get(&client, &url).await.bytes().await.unwrap().len(),
            40_000_000
        );
        idles(&client).await;
        let stats = server.stats().http2;
        assert_eq!((stats.connections, stats.goaways_received), (1, 0));
    });
}

#[test]
fn responses_dropped_unread_cost_no_credit() {
    dropped_unread(400, 1_000_000, 8);
}

#[test]
#[ignore = "the full figures: 100,000 responses of 1 MB"]
fn a_hundred_thousand_responses_dropped_unread_cost_no_credit() {
    dropped_unread(100_000, 1_000_000, 16);
}

/// Uploads beyond the server's streams, each larger than its window.
fn uploads(count: usize, http2: Http2) {
    let server = server_with(http2);
    run_on_two(async {
        let client = wide_client(count);
        let tasks: Vec<_> = (0..count)
            .map(|number| {
                let (client, url) = (client.clone(), server.url("/echo"));
                tokio::spawn(async move {
                    let sent = pattern(150_000 + number).to_vec();
                    let request = client.post(url);
                    let response = match number % 2 {
                        0 => request.body(sent.clone()),
                        _ => {
                            let pieces: Vec<_> = sent
                                .chunks(7_000)
                                .map(|piece| Ok(Bytes::copy_from_slice(piece)))
                                .collect();
                            let stream = futures_util::stream::iter(pieces);
                            request.body(Body::from_stream(stream, None))
                        }
                    };
                    let echo = response.send().await.unwrap().bytes().await.unwrap();
                    assert!(echo == sent, "{number}");
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        idles(&client).await;
    });
    let stats = server.stop();
    assert_eq!(stats.http2.connections, 1);
    assert_eq!(stats.requests, count as u64);
}

#[test]
fn two_hundred_uploads_go_through_four_streams() {
    uploads(
        200,
        Http2 {
            max_concurrent_streams: Some(4),
            stream_window_bytes: Some(65_536),
            connection_window_bytes: Some(4 * 65_536),
            credits_at_exhaustion: true,
            ..Http2::default()
        },
    );
}

#[test]
fn uploads_wait_for_the_window_of_the_connection() {
    uploads(
        16,
        Http2 {
            stream_window_bytes: Some(1_000_000),
            connection_window_bytes: Some(65_536),
            ..Http2::default()
        },
    );
}

/// The content bytes of the DATA frames on one connection.
fn content_bytes(seen: &[frames::Frame]) -> usize {
    let data = seen.iter().filter(|frame| frame.kind == frames::DATA);
    data.map(|frame| frame.payload.len()).sum()
}

#[test]
fn a_negative_window_lets_no_byte_through() {
    // The window of 20,000 bytes is used up, then made -15,000, then 0, then 1.
    let steps = [
        greeting(&[(frames::INITIAL_WINDOW_SIZE, 20_000)]),
        vec![
            Step::read_frame(frames::HEADERS),
            Step::send(answer(1, "first")),
            Step::read_until(|frame| frame.kind == frames::DATA && frame.payload.len() == 3_616),
            Step::send(frames::settings(&[(frames::INITIAL_WINDOW_SIZE, 5_000)])),
            Step::read_until(|frame| frame.kind == frames::SETTINGS && frame.has(frames::ACK)),
            Step::send(frames::window_update(3, 15_000)),
            Step::send(frames::ping(false, *b"still 0.")),
            Step::read_until(|frame| frame.kind == frames::PING),
            Step::send(frames::window_update(3, 1)),
            Step::read_until(|frame| frame.kind == frames::DATA),
            Step::send(frames::window_update(3, 1_000_000)),
            Step::read_until(|frame| frame.kind == frames::DATA && frame.has(frames::END_STREAM)),
            Step::send(answer(3, "thanks")),
            Step::Stall,
        ],
    ]
    .concat();
    let server = Script::new().accept(steps).start().unwrap();
    run(async {
        let client = client();
        // The settings of the server are here with the first answer.
        get(&client, &server.url("/")).await.text().await.unwrap();
        let request = client.post(server.url("/")).body(pattern(60_000).to_vec());
        let response = request.send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), "thanks");
    });
    let seen = &server.frames()[0];
    let at = |kind, nth: usize| {
        let mut places = seen
            .iter()
            .enumerate()
            .filter(|(_, frame)| frame.kind == kind);
        places.nth(nth).unwrap().0
    };
    // Up to the second acknowledgement of settings and the answer to PING.
    assert_eq!(content_bytes(&seen[..at(frames::PING, 0)]), 20_000);
    let one = seen[at(frames::PING, 0)..]
        .iter()
        .find(|frame| frame.kind == frames::DATA);
    assert_eq!(one.unwrap().payload.len(), 1);
    assert_eq!(content_bytes(seen), 60_000);
}
