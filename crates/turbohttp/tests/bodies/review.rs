//! Servers that answer what few do: coded events, ids that end, fields of framing in a switch of protocols.

use std::io::Write;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turbohttp::StatusCode;
use turbohttp::limits::EVENT_ID_BYTES_MAX;

use crate::ground::reply;
use crate::message::Reader;
use crate::support::{Peer, TestClient, read_head, soon};

#[cfg(feature = "gzip")]
#[tokio::test]
async fn coded_events_come_as_they_are_flushed() {
    use std::sync::{Mutex, mpsc};

    let (send, go_on) = mpsc::channel::<()>();
    let go_on = Mutex::new(go_on);
    let server = Peer::start(move |mut stream| {
        read_head(&mut stream).unwrap();
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(stream, flate2::Compression::fast());
        for data in ["one", "two"] {
            encoder
                .write_all(format!("data: {data}\n\n").as_bytes())
                .unwrap();
            encoder.flush().unwrap();
            go_on.lock().unwrap().recv().unwrap();
        }
        encoder.finish().unwrap();
    });
    let client = TestClient::new();
    let mut source = client.get(server.url("/")).events();
    for data in ["one", "two"] {
        assert_eq!(soon(source.next()).await.unwrap().unwrap().data, data);
        send.send(()).unwrap();
    }
}

#[tokio::test]
async fn an_id_that_the_caller_knows_is_where_a_source_begins_and_a_server_may_end_it() {
    let events = |body: &str| reply(200, &["content-type: text/event-stream"], body);
    let server = Reader::new(move |number| match number {
        0 => events("retry: 0\ndata: a\n\n"),
        1 => events("id\ndata: b\n\n"),
        _ => reply(204, &[], ""),
    });
    let client = TestClient::new();
    let request = client.get(server.url("/")).header("last-event-id", "7");
    let mut source = request.events();
    assert_eq!(source.last_id(), "7");
    for (data, id) in [("a", "7"), ("b", "")] {
        let event = soon(source.next()).await.unwrap().unwrap();
        assert_eq!((&*event.data, &*event.id), (data, id));
    }
    assert!(soon(source.next()).await.is_none());
    let messages = server.messages();
    let sent = messages
        .iter()
        .map(|message| message.field("last-event-id"));
    let expected = [Some("7"), Some("7"), None];
    assert!(sent.eq(expected.map(|id| id.map(str::to_owned))));
}

#[tokio::test]
async fn fields_of_framing_mean_nothing_in_a_switch_of_protocols() {
    for fields in [
        "content-length: 0\r\n",
        "content-length: 2\r\n",
        "transfer-encoding: chunked\r\n",
        "content-encoding: gzip\r\n",
        "connection: close\r\n",
    ] {
        let server = Peer::start(move |mut stream| {
            read_head(&mut stream).unwrap();
            let interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
            let head = format!("{interim}HTTP/1.1 101 X\r\nupgrade: echo\r\n{fields}\r\nhello");
            stream.write_all(head.as_bytes()).unwrap();
            std::io::copy(&mut stream.try_clone().unwrap(), &mut stream).unwrap();
        });
        let client = TestClient::new();
        let response = soon(client.get(server.url("/")).upgrade("echo").send()).await;
        let response = response.unwrap();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        let mut stream = response.upgrade().unwrap();
        stream.write_all(b" world").await.unwrap();
        let mut read = [0; 11];
        soon(stream.read_exact(&mut read)).await.unwrap();
        assert_eq!(&read, b"hello world", "{fields}");
        // Its halves, of which one is dropped before the other.
        let (mut reading, mut writing) = tokio::io::split(stream);
        writing.write_all(b"!").await.unwrap();
        drop(writing);
        assert_eq!(soon(reading.read_u8()).await.unwrap(), b'!');
        drop(reading);
        client.audit();
    }
}

#[tokio::test]
async fn an_id_that_is_too_long_for_a_field_is_left_out() {
    let server = Reader::new(move |number| match number {
        0 | 1 => {
            let id = "x".repeat(EVENT_ID_BYTES_MAX + number);
            let body = format!("retry: 0\nid: {id}\ndata: a\n\n");
            reply(200, &["content-type: text/event-stream"], &body)
        }
        _ => reply(204, &[], ""),
    });
    let client = TestClient::new();
    let mut source = client.get(server.url("/")).events();
    for _ in 0..2 {
        assert_eq!(soon(source.next()).await.unwrap().unwrap().data, "a");
    }
    assert!(soon(source.next()).await.is_none());
    let messages = server.messages();
    let sent = messages
        .iter()
        .map(|message| message.field("last-event-id"));
    let lengths = sent.map(|id| id.map(|id| id.len()));
    assert!(lengths.eq([None, Some(EVENT_ID_BYTES_MAX), None]));
}
