//! What is sent again and what is not: connections that go away, and streams that are reset.

use turbohttp::{Client, ErrorKind, Tls, Version};
use turbohttp_loopback::Http2;
use turbohttp_loopback::script::{Script, Step, frames};
use turbohttp_loopback::tls::TestCa;

use super::ground::{
    LONG, answer, answer_all, greeting, idles, run, run_for, server, server_with, wide_client,
};

/// `count` requests by 64 callers against connections that end after 100 requests; how many the server
/// processed.
fn under_goaway(count: u64, is_post: impl Fn(u64) -> bool + Copy + Send + 'static) -> u64 {
    let server = server_with(Http2 {
        goaway_after: Some(100),
        ..Http2::default()
    });
    let base = server.url("");
    run_for(LONG, async {
        let client = wide_client(64);
        let tasks: Vec<_> = (0..64)
            .map(|task| {
                let (client, base) = (client.clone(), base.clone());
                tokio::spawn(async move {
                    for number in (task..count).step_by(64) {
                        let request = match is_post(number) {
                            true => client.post(format!("{base}/echo")).body(number.to_string()),
                            false => client.get(format!("{base}/id/{number}")),
                        };
                        let text = request.send().await.unwrap().text().await.unwrap();
                        assert_eq!(text, number.to_string());
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        idles(&client).await;
    });
    server.stop().requests
}

#[test]
fn no_post_is_processed_twice_by_connections_that_go_away() {
    assert_eq!(under_goaway(3_000, |_| true), 3_000);
}

#[test]
fn gets_and_posts_survive_connections_that_go_away() {
    assert_eq!(under_goaway(3_000, |number| number % 3 == 0), 3_000);
}

#[test]
#[ignore = "the full figures: 100,000 requests"]
fn a_hundred_thousand_requests_survive_connections_that_go_away() {
    assert_eq!(under_goaway(100_000, |number| number % 2 == 0), 100_000);
}

#[test]
fn a_stream_that_is_refused_for_ever_is_sent_three_times() {
    for is_post in [false, true] {
        let server = server();
        run(async {
            let client = wide_client(4);
            let url = server.url("/reset/7");
            let request = match is_post {
                true => client.post(url).body("content"),
                false => client.get(url),
            };
            let error = request.send().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io);
            assert!(error.to_string().contains("REFUSED_STREAM"), "{error}");
            drop(error);
            let text = client
                .get(server.url("/small"))
                .send()
                .await
                .unwrap()
                .text()
                .await;
            assert_eq!(text.unwrap(), "Hello, world!");
            idles(&client).await;
        });
        let stats = server.stop().http2;
        assert_eq!((stats.connections, stats.streams), (1, 4));
    }
}

#[test]
fn a_stream_that_is_reset_otherwise_is_sent_once() {
    // INTERNAL_ERROR, CANCEL, ENHANCE_YOUR_CALM, and a code that nobody knows.
    for code in [2, 8, 11, 4_711] {
        let server = server();
        run(async {
            let client = wide_client(4);
            let url = server.url(&format!("/reset/{code}"));
            let error = client.post(&url).body("content").send().await.unwrap_err();
            assert!(error.to_string().contains("reset the stream"), "{error}");
            assert_eq!(
                client.get(&url).send().await.unwrap_err().kind(),
                ErrorKind::Io
            );
            idles(&client).await;
        });
        let stats = server.stop().http2;
        assert_eq!((stats.connections, stats.streams), (1, 2));
    }
}

#[test]
fn only_streams_above_the_last_one_are_sent_again() {
    // Of three POSTs the first is processed and lost, the others were not seen.
    let going = [
        greeting(&[]),
        vec![
            Step::read_frame(frames::HEADERS),
            Step::send(answer(1, "warm")),
            Step::ReadFrame(frames::HEADERS, Some(7)),
            Step::send(frames::goaway(3, 0, b"bye")),
            Step::Close,
        ],
    ]
    .concat();
    let next = [greeting(&[]), vec![answer_all()]].concat();
    let server = Script::new().accept(going).accept(next).start().unwrap();
    run(async {
        let client = wide_client(4);
        let warm = client.get(server.url("/")).send().await.unwrap();
        assert_eq!(warm.text().await.unwrap(), "warm");
        let sends: Vec<_> = (0..3)
            .map(|_| tokio::spawn(client.post(server.url("/")).body("content").send()))
            .collect();
        let mut failed = 0;
        for (number, send) in sends.into_iter().enumerate() {
            match send.await.unwrap() {
                Ok(response) => assert_eq!(response.text().await.unwrap(), "hello"),
                Err(error) => {
                    assert_eq!(number, 0, "{error}");
                    failed += 1;
                }
            }
        }
        assert_eq!(failed, 1);
        idles(&client).await;
    });
    let seen = server.frames();
    let requests = |seen: &[frames::Frame]| {
        let heads = seen.iter().filter(|frame| frame.kind == frames::HEADERS);
        heads.count()
    };
    assert_eq!((requests(&seen[0]), requests(&seen[1])), (4, 2));
}

/// A client that trusts the authority alone.
fn trusting(ca: &TestCa) -> Client {
    let tls = Tls::default().root_pem(ca.pem()).only_added_roots();
    Client::builder().tls(tls).build().unwrap()
}

/// The script of a server that wants HTTP/1.1, asked by HTTP/2 first.
fn wants_http1(ca: &TestCa) -> Script {
    let both = ca.server_config_with_alpn(&["127.0.0.1"], &["h2", "http/1.1"]);
    let first = [
        vec![Step::Handshake(both.clone())],
        greeting(&[]),
        vec![
            Step::read_frame(frames::HEADERS),
            Step::answer(|request| frames::rst(request.stream, 13)),
            Step::Stall,
        ],
    ]
    .concat();
    let http1 = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let second = vec![
        Step::Handshake(both),
        Step::Repeat(vec![Step::ReadHead, Step::send(&http1[..])]),
    ];
    Script::new().accept(first).accept(second)
}

#[test]
fn a_server_that_wants_http1_gets_it_from_then_on() {
    let ca = TestCa::new();
    let server = wants_http1(&ca).start().unwrap();
    run(async {
        let client = trusting(&ca);
        for _ in 0..3 {
            let url = format!("https://{}/", server.addr());
            let response = client.post(url).send().await.unwrap();
            assert_eq!(response.version(), Version::HTTP_11);
            assert_eq!(response.text().await.unwrap(), "ok");
        }
        idles(&client).await;
    });
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_request_that_cannot_be_repeated_teaches_that_http1_is_wanted() {
    let ca = TestCa::new();
    let server = wants_http1(&ca).start().unwrap();
    run(async {
        let client = trusting(&ca);
        let url = format!("https://{}/", server.addr());
        let pieces = futures_util::stream::iter([Ok(bytes::Bytes::from_static(b"once"))]);
        let body = turbohttp::Body::from_stream(pieces, None);
        let error = client.post(&url).body(body).send().await.unwrap_err();
        assert!(error.to_string().contains("HTTP_1_1_REQUIRED"), "{error}");
        let response = client.get(&url).send().await.unwrap();
        assert_eq!(response.version(), Version::HTTP_11);
        assert_eq!(response.timeline().attempts(), 1);
    });
}
