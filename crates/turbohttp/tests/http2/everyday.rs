//! What is a client's and not the network's is the same over HTTP/2: redirects, retries, cookies, codings,
//! events, forms, downloads, middlewares, queues.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use turbohttp::{Client, Next, QueueOptions, Request, RequestQueue, RetryPolicy, Shutdown};

use super::ground::{builder, client, idles, run, run_on_two};
use super::origin::{Origin, Seen, reply};

#[cfg(any(feature = "cookies", feature = "gzip"))]
async fn text(client: &Client, url: String) -> String {
    let response = client.get(url).send().await.unwrap();
    assert_eq!(response.version(), turbohttp::Version::HTTP_2);
    response.text().await.unwrap()
}

fn one_connection(client: &Client) {
    assert_eq!(client.stats().net.unwrap().opened, 1);
}

#[test]
fn redirects_are_followed_on_the_same_connection() {
    let origin = Origin::new(|seen: &Seen| match seen.uri().path() {
        "/end" => reply(200, &[], "end"),
        "/307" => reply(307, &[("location", "/end")], "moved"),
        _ => reply(303, &[("location", "/end")], "moved"),
    });
    run(async {
        let client = client();
        for path in ["/307", "/303"] {
            let request = client.post(origin.url(path)).body("content");
            let response = request.send().await.unwrap();
            assert_eq!(response.history().len(), 1);
            assert_eq!(response.text().await.unwrap(), "end");
        }
        one_connection(&client);
        idles(&client).await;
    });
    let seen = origin.seen();
    let expected = [("POST", "/307", "content"), ("POST", "/end", "content")];
    for (seen, (method, path, content)) in seen.iter().zip(expected) {
        assert_eq!(
            (&*seen.0, &*seen.1, &*seen.2),
            (method, path, content.as_bytes())
        );
    }
    assert_eq!((&*seen[3].0, seen[3].2.len()), ("GET", 0));
}

#[test]
fn retries_wait_and_then_succeed() {
    let count = AtomicU32::new(0);
    let origin = Origin::new(
        move |_: &Seen| match count.fetch_add(1, Ordering::Relaxed) {
            0..3 => reply(503, &[], "not now"),
            _ => reply(200, &[], "fine"),
        },
    );
    run(async {
        let policy = RetryPolicy::up_to(3).base(Duration::from_millis(1));
        let client = builder().retry(policy).build().unwrap();
        let response = client.get(origin.url("/")).send().await.unwrap();
        assert_eq!(response.timeline().attempts(), 4);
        assert_eq!(response.text().await.unwrap(), "fine");
        one_connection(&client);
        idles(&client).await;
    });
}

#[cfg(feature = "cookies")]
#[test]
fn cookies_are_set_and_sent() {
    let origin = Origin::new(|seen: &Seen| match seen.uri().path() {
        "/set" => reply(200, &[("set-cookie", "a=1"), ("set-cookie", "b=2")], ""),
        _ => {
            let mut cookies = seen.headers().get_all("cookie").iter();
            let cookie = cookies
                .next()
                .map_or("none", |value| value.to_str().unwrap());
            reply(200, &[], cookie)
        }
    });
    run(async {
        let client = builder().cookies(turbohttp::Jar::new()).build().unwrap();
        assert_eq!(text(&client, origin.url("/")).await, "none");
        text(&client, origin.url("/set")).await;
        assert_eq!(text(&client, origin.url("/")).await, "a=1; b=2");
        one_connection(&client);
    });
}

#[cfg(feature = "gzip")]
#[test]
fn content_is_decoded() {
    use std::io::Write;

    let origin = Origin::new(|seen: &Seen| {
        assert!(
            seen.headers()["accept-encoding"]
                .to_str()
                .unwrap()
                .contains("gzip")
        );
        let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        coder.write_all(&b"again and ".repeat(10_000)).unwrap();
        let coded = coder.finish().unwrap();
        let fields = vec![("content-encoding", "gzip".to_owned())];
        (200, fields, coded)
    });
    run(async {
        let client = builder()
            .decoding(turbohttp::Decoding::all())
            .build()
            .unwrap();
        assert_eq!(
            text(&client, origin.url("/")).await,
            "again and ".repeat(10_000)
        );
        idles(&client).await;
    });
}

#[test]
fn events_come_one_by_one() {
    let origin = Origin::new(|seen: &Seen| match seen.headers().get("last-event-id") {
        None => reply(
            200,
            &[("content-type", "text/event-stream")],
            "retry: 0\nid: 1\ndata: a\n\ndata: b\n\n",
        ),
        Some(_) => reply(204, &[], ""),
    });
    run(async {
        let client = client();
        let mut events = client.get(origin.url("/")).events();
        let mut data = Vec::new();
        while let Some(event) = events.next().await {
            data.push(event.unwrap().data);
        }
        assert_eq!(data, ["a", "b"]);
        drop(events);
        one_connection(&client);
        idles(&client).await;
    });
}

#[cfg(feature = "multipart")]
#[test]
fn forms_with_files_arrive() {
    use turbohttp::multipart::{Form, Part};

    let origin = Origin::new(|_: &Seen| reply(200, &[], "thanks"));
    run(async {
        let client = client();
        let large = vec![b'x'; 300_000];
        let pieces: Vec<_> = large
            .chunks(9_999)
            .map(|piece| Ok(piece.to_vec().into()))
            .collect();
        let body = turbohttp::Body::from_stream(futures_util::stream::iter(pieces), None);
        let form = Form::new()
            .text("a", "b")
            .part("bytes", Part::bytes(large))
            .part("stream", Part::stream(body));
        let sent = client
            .post(origin.url("/"))
            .multipart(form)
            .send()
            .await
            .unwrap();
        assert_eq!(sent.text().await.unwrap(), "thanks");
        idles(&client).await;
    });
    let content = &origin.seen()[0].2;
    assert_eq!(
        content.iter().filter(|byte| **byte == b'x').count(),
        600_000
    );
    let kind = origin.field("content-type").swap_remove(0).unwrap();
    assert!(kind.starts_with("multipart/form-data; boundary="), "{kind}");
}

#[cfg(feature = "download")]
#[test]
fn downloads_take_pieces_of_one_connection() {
    let content: Vec<u8> = (0..20_000_000_u32).map(|at| (at % 251) as u8).collect();
    let served = content.clone();
    let origin = Origin::new(move |seen: &Seen| {
        let range = seen
            .headers()
            .get("range")
            .map(|range| range.to_str().unwrap().to_owned());
        let tag = ("etag", "\"1\"".to_owned());
        let Some(range) = range else {
            return (
                200,
                vec![tag, ("accept-ranges", "bytes".to_owned())],
                served.clone(),
            );
        };
        let (from, to) = range
            .strip_prefix("bytes=")
            .unwrap()
            .split_once('-')
            .unwrap();
        let from: usize = from.parse().unwrap();
        let to = to.parse().unwrap_or(served.len() - 1).min(served.len() - 1);
        let range = format!("bytes {from}-{to}/{}", served.len());
        (
            206,
            vec![tag, ("content-range", range)],
            served[from..=to].to_vec(),
        )
    });
    run_on_two(async {
        let client = client();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let done = client.download(origin.url("/")).to(&path).await.unwrap();
        assert!(std::fs::read(&path).unwrap() == content);
        assert!(done.requests() >= 1);
        one_connection(&client);
        idles(&client).await;
    });
}

#[test]
fn middlewares_see_requests_and_responses() {
    let origin = Origin::new(|_: &Seen| reply(200, &[("x-from", "server")], "content"));
    run(async {
        let client = builder()
            .with_fn(async |mut request: Request, next: Next<'_>| {
                request
                    .headers_mut()
                    .insert("x-from", "client".parse().unwrap());
                let mut response = next.run(request).await?;
                assert_eq!(response.header("x-from"), Some("server"));
                response
                    .headers_mut()
                    .insert("x-from", "between".parse().unwrap());
                Ok(response)
            })
            .build()
            .unwrap();
        let response = client.get(origin.url("/")).send().await.unwrap();
        assert_eq!(response.header("x-from"), Some("between"));
        assert_eq!(response.text().await.unwrap(), "content");
        idles(&client).await;
    });
    assert_eq!(origin.field("x-from"), [Some("client".to_owned())]);
}

#[test]
fn queues_send_all_their_jobs_on_one_connection() {
    let origin = Origin::new(|seen: &Seen| reply(200, &[], seen.uri().path()));
    run_on_two(async {
        let client = client();
        let queue = RequestQueue::new(&client, QueueOptions::default().workers(8)).unwrap();
        queue.start().unwrap();
        let mut tickets = Vec::new();
        for number in 0..200 {
            let request = client
                .get(origin.url(&format!("/{number}")))
                .build()
                .unwrap();
            tickets.push(queue.submit(request).await.unwrap());
        }
        for (number, ticket) in tickets.into_iter().enumerate() {
            let text = ticket.await.unwrap().text().await.unwrap();
            assert_eq!(text, format!("/{number}"));
        }
        queue.stop(Shutdown::default()).await;
        one_connection(&client);
        idles(&client).await;
    });
}
