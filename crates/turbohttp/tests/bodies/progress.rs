//! How much of a body has been sent, as it is told while it is sent.

use std::io::Write;
use std::sync::{Arc, Mutex, mpsc};

use turbohttp::{Body, Client, UploadProgress};

use crate::ground::{drop_at_every_poll, redirect, reply};
use crate::message::Reader;
use crate::support::{Peer, TestClient, read_head, soon};

const PIECE: u64 = 64 * 1024;

/// Bytes sent and bytes in all, as they were reported.
type Reports = Arc<Mutex<Vec<(u64, Option<u64>)>>>;

/// What was reported, and the function that reports.
fn record() -> (Reports, impl Fn(UploadProgress) + Send + Sync) {
    let record = Reports::default();
    let copy = record.clone();
    let report = move |progress: UploadProgress| {
        let pair = (progress.sent_bytes, progress.total_bytes);
        copy.lock().unwrap().push(pair);
    };
    (record, report)
}

#[tokio::test]
async fn every_piece_is_reported_once_it_is_sent() {
    let server = Reader::pleased();
    let client = TestClient::new();
    let (reports, report) = record();
    let body = Body::from(vec![7; 150_000]).on_progress(report);
    soon(client.post(server.url("/")).body(body).send())
        .await
        .unwrap();
    let sent = [0, PIECE, 2 * PIECE, 150_000];
    assert_eq!(
        *reports.lock().unwrap(),
        sent.map(|sent| (sent, Some(150_000)))
    );
    let message = &server.messages()[0];
    assert_eq!(message.field("content-length").as_deref(), Some("150000"));
    assert!(message.content == vec![7; 150_000]);
    client.audit();
}

#[tokio::test]
async fn the_count_begins_anew_with_each_attempt() {
    let server = Reader::new(|number| match number {
        0 => redirect(307, "/second"),
        _ => reply(200, &[], "ok"),
    });
    let client = TestClient::new();
    let (reports, report) = record();
    let sent = client
        .post(server.url("/"))
        .body("content")
        .on_progress(report);
    soon(sent.send()).await.unwrap();
    let expected = [0, 7, 0, 7].map(|sent| (sent, Some(7)));
    assert_eq!(*reports.lock().unwrap(), expected);
    assert_eq!(server.messages()[1].content, b"content");
}

#[tokio::test]
async fn an_unknown_length_has_no_total() {
    let server = Reader::pleased();
    let client = TestClient::new();
    let (reports, report) = record();
    let body = Body::from_reader(&b"content"[..], None).on_progress(report);
    soon(client.post(server.url("/")).body(body).send())
        .await
        .unwrap();
    assert_eq!(*reports.lock().unwrap(), [(0, None), (7, None)]);
    assert_eq!(server.messages()[0].content, b"content");
}

/// A stream of which a part is gone does not become a whole one by what is put around it.
#[tokio::test]
async fn what_is_made_of_a_spent_stream_is_spent() {
    use http_body::Body as _;
    use turbohttp::{ErrorKind, HeaderMap};

    let server = Reader::pleased();
    let client = TestClient::new();
    let spent = || async {
        let mut body = Body::from_reader(&b"content"[..], None);
        let frame = std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx));
        frame.await.unwrap().unwrap();
        body
    };
    let watched = spent().await.on_progress(|_| {});
    let trailed = spent().await.with_trailers(HeaderMap::new()).unwrap();
    let requests = [
        client.post(server.url("/")).body(watched),
        client.post(server.url("/")).body(trailed),
        #[cfg(feature = "multipart")]
        client.post(server.url("/")).multipart({
            use turbohttp::multipart::{Form, Part};
            Form::new().part("a", Part::stream(spent().await))
        }),
    ];
    for request in requests {
        let error = soon(request.send()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RequestBody, "{error}");
    }
    assert!(server.messages().is_empty());
    client.audit();
}

#[tokio::test]
async fn no_body_reports_nothing() {
    let server = Reader::pleased();
    let client = TestClient::new();
    let (reports, report) = record();
    let sent = client.get(server.url("/")).on_progress(report);
    soon(sent.send()).await.unwrap();
    assert!(reports.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_the_server_does_not_take_is_not_reported() {
    // More than the buffers of both systems take.
    const LENGTH: usize = 64 << 20;
    let (end, ended) = mpsc::channel::<()>();
    let ended = Mutex::new(ended);
    let server = Peer::start(move |mut stream| {
        read_head(&mut stream).unwrap();
        stream.write_all(reply(413, &[], "").as_bytes()).unwrap();
        // Open and unread until the test ends.
        _ = ended.lock().unwrap().recv();
    });
    let client = TestClient::new();
    let (reports, report) = record();
    let body = Body::from(vec![0; LENGTH]).on_progress(report);
    let sent = client.post(server.url("/")).body(body).send();
    assert_eq!(soon(sent).await.unwrap().status(), 413);
    let last = reports.lock().unwrap().last().unwrap().0;
    assert!(last < LENGTH as u64, "{last}");
    drop(end);
    client.audit();
}

#[cfg(feature = "multipart")]
#[tokio::test]
async fn a_form_reports_its_whole_length() {
    use turbohttp::multipart::{Form, Part};

    let server = Reader::pleased();
    let client = TestClient::new();
    let (reports, report) = record();
    let form = Form::new().part("a", Part::bytes(vec![1; 100_000]));
    let sent = client.post(server.url("/")).multipart(form);
    soon(sent.on_progress(report).send()).await.unwrap();
    let total = server.messages()[0].content.len() as u64;
    assert_eq!(reports.lock().unwrap().last(), Some(&(total, Some(total))));
}

#[tokio::test]
async fn a_dropped_request_leaves_nothing() {
    let server = Reader::pleased();
    let client = Client::new().unwrap();
    drop_at_every_poll(&client, || async {
        let (_, report) = record();
        let body = Body::from(vec![7; 150_000]).on_progress(report);
        let sent = client.post(server.url("/")).body(body);
        sent.send().await.unwrap().bytes().await.unwrap();
    })
    .await;
}
