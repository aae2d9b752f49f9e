//! Server-sent events: of one response, and of a source that reconnects.

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::Poll;

use turbohttp::limits::{EVENT_BYTES_MAX, EVENT_FAILURES_MAX};
use turbohttp::{
    Client, ErrorKind, Event, EventSource, MockReply, MockTransport, Phase, Shutdown, StatusCode,
};

use crate::ground::{assert_idle, drop_at_every_poll, poll_times, reply};
use crate::message::Reader;
use crate::support::{Peer, TestClient, read_head, soon};

/// An answer of events, whose connection stays.
fn events(body: &str) -> String {
    reply(200, &["content-type: text/event-stream"], body)
}

async fn next(source: &mut EventSource) -> Event {
    soon(source.next()).await.unwrap().unwrap()
}

fn ids(server: &Reader) -> Vec<Option<String>> {
    let messages = server.messages();
    messages
        .iter()
        .map(|message| message.field("last-event-id"))
        .collect()
}

#[tokio::test]
async fn events_of_a_response_come_as_they_arrive() {
    let (send, go_on) = mpsc::channel::<()>();
    let go_on = Mutex::new(go_on);
    let server = Peer::start(move |mut stream| {
        read_head(&mut stream).unwrap();
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let first = "10\r\ndata: one\n\ndata:\r\n";
        stream
            .write_all(format!("{head}{first}").as_bytes())
            .unwrap();
        go_on.lock().unwrap().recv().unwrap();
        stream
            .write_all(b"7\r\n two\n\r\n\r\n6\r\ndata:x\r\n0\r\n\r\n")
            .unwrap();
    });
    let client = TestClient::new();
    let response = soon(client.post(server.url("/")).body("x").send())
        .await
        .unwrap();
    let mut stream = response.events();
    assert_eq!(soon(stream.next()).await.unwrap().unwrap().data, "one");
    send.send(()).unwrap();
    assert_eq!(soon(stream.next()).await.unwrap().unwrap().data, "two");
    assert!(
        soon(stream.next()).await.is_none(),
        "what is not whole is none"
    );
    assert!(soon(stream.next()).await.is_none());
    drop(stream);
    client.audit();
}

#[tokio::test]
async fn an_event_beyond_the_limit_is_an_error() {
    let long = format!("data: {}\n\n", "x".repeat(EVENT_BYTES_MAX));
    let mock = MockTransport::new(MockReply::new(StatusCode::OK).body(long));
    let client = Client::builder().transport(mock).build().unwrap();
    let mut stream = client
        .get("http://mock.test/")
        .send()
        .await
        .unwrap()
        .events();
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert!(error.to_string().contains("8388608"), "{error}");
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_source_goes_on_behind_the_last_event_until_the_server_says_no_content() {
    let server = Reader::new(|number| match number {
        0 => events("retry: 0\nid: 1\ndata: a\n\nid: 2\ndata: b\n\n"),
        1 => events("data: c\n\n"),
        // An id without an event counts as well.
        2 => events("data: d\n\nid: 9\n\n"),
        _ => reply(204, &[], ""),
    });
    let client = TestClient::new();
    let mut source = client.get(server.url("/")).header("x-a", "1").events();
    for (data, id) in [("a", "1"), ("b", "2"), ("c", "2"), ("d", "2")] {
        let event = next(&mut source).await;
        assert_eq!((&*event.data, &*event.id), (data, id));
    }
    assert!(soon(source.next()).await.is_none());
    assert!(soon(source.next()).await.is_none());
    let expected = [None, Some("2"), Some("2"), Some("9")];
    assert_eq!(ids(&server), expected.map(|id| id.map(str::to_owned)));
    for message in server.messages() {
        assert_eq!(
            message.field("accept").as_deref(),
            Some("text/event-stream")
        );
        assert_eq!(message.field("cache-control").as_deref(), Some("no-store"));
        assert_eq!(message.field("x-a").as_deref(), Some("1"));
    }
    drop(source);
    client.audit();
}

#[tokio::test]
async fn a_connection_that_is_cut_is_made_again() {
    let connections = AtomicUsize::new(0);
    let server = Peer::start(move |mut stream| {
        let number = connections.fetch_add(1, Ordering::SeqCst);
        while read_head(&mut stream).is_some() {
            let answer = match number {
                // Cut inside of an event, and then inside of a head.
                0 => "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream;charset=utf-8\r\n\
                      content-length: 99\r\n\r\nretry: 0\ndata: a\n\ndata: lost"
                    .to_owned(),
                1 => "HTTP/1.1 200".to_owned(),
                _ => events("data: b\n\n"),
            };
            stream.write_all(answer.as_bytes()).unwrap();
            if number < 2 {
                return;
            }
        }
    });
    let client = TestClient::new();
    let mut source = client.get(server.url("/")).events();
    assert_eq!(next(&mut source).await.data, "a");
    assert_eq!(next(&mut source).await.data, "b");
    drop(source);
    client.audit();
}

#[tokio::test]
async fn other_answers_end_a_source() {
    for (answer, kind) in [
        (
            reply(404, &["content-type: text/event-stream"], ""),
            ErrorKind::Status,
        ),
        (
            reply(201, &["content-type: text/event-stream"], ""),
            ErrorKind::Status,
        ),
        (
            reply(200, &["content-type: text/html"], "data: a\n\n"),
            ErrorKind::Decode,
        ),
        (reply(200, &[], "data: a\n\n"), ErrorKind::Decode),
    ] {
        let server = Reader::new(move |_| answer.clone());
        let client = TestClient::new();
        let mut source = client.get(server.url("/")).events();
        let error = soon(source.next()).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(soon(source.next()).await.is_none());
        assert_eq!(server.messages().len(), 1);
        drop(source);
        client.audit();
    }
}

#[tokio::test]
async fn only_requests_that_can_be_repeated_make_a_source() {
    let client = TestClient::new();
    let stream = turbohttp::Body::from_reader(&b"x"[..], None);
    for request in [
        client.post("http://localhost/"),
        client.get("http://localhost/").body(stream),
        client.get("no url"),
    ] {
        let mut source = request.events();
        let error = soon(source.next()).await.unwrap().unwrap_err();
        assert!(error.is_builder(), "{error}");
        assert!(soon(source.next()).await.is_none());
    }
    client.audit();
}

#[tokio::test]
async fn a_first_connection_that_fails_is_an_error_at_once() {
    let server = Peer::start(|_| {});
    let client = TestClient::new();
    let mut source = client.get(server.url("/")).events();
    let error = soon(source.next()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    drop(source);
    client.audit();
}

/// The clock is paused: it jumps to the end of each wait.
#[tokio::test(start_paused = true)]
async fn failures_in_a_row_are_bounded_and_their_waits_grow() {
    let fine = MockReply::new(StatusCode::OK).header("content-type", "text/event-stream");
    let mock = MockTransport::new(MockReply::failure(ErrorKind::Io, "cut"));
    mock.script(fine.body("data: a\n\n"));
    let client = Client::builder().transport(mock.clone()).build().unwrap();
    let mut source = client.get("http://mock.test/").events();
    let start = tokio::time::Instant::now();
    assert_eq!(source.next().await.unwrap().unwrap().data, "a");
    let error = source.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert!(source.next().await.is_none());
    // 3 s behind the event; 3, 6, 12, 24, 48 and 60 s behind the failures, each up to a quarter longer.
    let least = 3 + 3 + 6 + 12 + 24 + 48 + 60 * (u64::from(EVENT_FAILURES_MAX) - 5);
    let waited = start.elapsed().as_secs();
    assert!(
        (least..=least + least / 4).contains(&waited),
        "{waited} s of {least}"
    );
    drop(source);
    assert_idle(&client);
}

#[tokio::test(start_paused = true)]
async fn no_permit_is_held_while_a_source_waits() {
    let fine = MockReply::new(StatusCode::OK).header("content-type", "text/event-stream");
    let mock = MockTransport::new(fine.body("data: a\n\n"));
    let client = Client::builder().transport(mock).build().unwrap();
    let mut source = client.get("http://mock.test/").events();
    source.next().await.unwrap().unwrap();
    {
        let mut waiting = Box::pin(source.next());
        assert!(poll_times(&mut waiting, 1).await.is_none());
        // The request that is sent again and again belongs to the source; nothing else is out.
        let audit = client.audit();
        assert!(audit.scheduler.is_idle(), "{audit:?}");
    }
    drop(source);
    assert_idle(&client);
}

#[tokio::test(start_paused = true)]
async fn a_close_ends_a_source_that_waits() {
    let fine = MockReply::new(StatusCode::OK).header("content-type", "text/event-stream");
    let mock = MockTransport::new(fine.body("retry: 3600000\ndata: a\n\n"));
    let client = Client::builder().transport(mock).build().unwrap();
    let mut source = client.get("http://mock.test/").events();
    source.next().await.unwrap().unwrap();
    let mut waiting = Box::pin(source.next());
    assert!(poll_times(&mut waiting, 1).await.is_none());
    let start = tokio::time::Instant::now();
    client
        .close(Shutdown::Drain {
            within: std::time::Duration::from_secs(30),
        })
        .await;
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Closed, Some(Phase::Backoff))
    );
    assert_eq!(start.elapsed(), std::time::Duration::ZERO);
    assert!(source.next().await.is_none());
}

#[tokio::test]
async fn a_close_cuts_a_source_that_is_open() {
    let server = Peer::start(|mut stream| {
        read_head(&mut stream).unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: a\n\n";
        stream.write_all(head.as_bytes()).unwrap();
        read_head(&mut stream);
    });
    let client = TestClient::new();
    let mut source = client.get(server.url("/")).events();
    assert_eq!(next(&mut source).await.data, "a");
    let mut waiting = Box::pin(source.next());
    assert!(std::future::poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_pending())).await);
    client.close_now();
    let error = soon(waiting).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    drop(source);
    client.audit();
}

#[tokio::test]
async fn a_dropped_source_leaves_nothing() {
    let server = Reader::new(|_| events("retry: 0\ndata: a\n\n"));
    let client = Client::new().unwrap();
    drop_at_every_poll(&client, || async {
        let mut source = client.get(server.url("/")).events();
        for _ in 0..3 {
            source.next().await.unwrap().unwrap();
        }
    })
    .await;
}
