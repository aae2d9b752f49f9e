//! Forms, read by another implementation.

use std::io::Write;
use std::path::Path;

use turbohttp::multipart::{Form, Part};
use turbohttp::{Body, Client, ErrorKind};

use crate::ground::{drop_at_every_poll, redirect, reply};
use crate::message::{Message, Reader};
use crate::support::{TestClient, soon};

/// A part as the reader of the form sees it.
#[derive(Debug, PartialEq)]
struct Seen {
    name: Option<String>,
    file_name: Option<String>,
    content_type: Option<String>,
    content: Vec<u8>,
}

impl Seen {
    fn text(name: &str, content: &str) -> Seen {
        Seen {
            name: Some(name.to_owned()),
            file_name: None,
            content_type: None,
            content: content.into(),
        }
    }

    fn file(name: &str, file_name: &str, content: impl Into<Vec<u8>>) -> Seen {
        Seen {
            file_name: Some(file_name.to_owned()),
            content_type: Some("application/octet-stream".to_owned()),
            content: content.into(),
            ..Seen::text(name, "")
        }
    }
}

/// The parts of a form by the crate multer.
async fn parts_of(message: &Message) -> Vec<Seen> {
    let content_type = message.field("content-type").unwrap();
    let boundary = multer::parse_boundary(content_type).unwrap();
    let mut form = multer::Multipart::with_reader(&message.content[..], boundary);
    let mut parts = Vec::new();
    while let Some(field) = form.next_field().await.unwrap() {
        parts.push(Seen {
            name: field.name().map(str::to_owned),
            file_name: field.file_name().map(str::to_owned),
            content_type: field.content_type().map(ToString::to_string),
            content: field.bytes().await.unwrap().to_vec(),
        });
    }
    parts
}

fn file(folder: &Path, name: &str, content: &[u8]) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

#[tokio::test]
async fn every_kind_of_part_arrives_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let large = pattern(300_000);
    let path = file(folder.path(), "gro\u{df} \"x\".bin", &large);
    let empty = file(folder.path(), "empty", b"");
    let server = Reader::pleased();
    let form = Form::new()
        .text("na\r\nme \"q\" \u{e4}", "one\ntwo")
        .text("empty", "")
        .part("bytes", Part::bytes(large.clone()))
        .file("file", &path)
        .await
        .unwrap()
        .file("none", &empty)
        .await
        .unwrap();
    let client = TestClient::new();
    let sent = client.post(server.url("/")).multipart(form).send();
    assert_eq!(soon(sent).await.unwrap().status(), 200);
    let message = &server.messages()[0];
    assert!(
        message.field("content-length").is_some(),
        "{}",
        message.head
    );
    let expected = [
        Seen::text("na%0D%0Ame %22q%22 \u{e4}", "one\r\ntwo"),
        Seen::text("empty", ""),
        Seen {
            content: large.clone(),
            ..Seen::text("bytes", "")
        },
        Seen::file("file", "gro\u{df} %22x%22.bin", large),
        Seen::file("none", "empty", ""),
    ];
    let parts = parts_of(message).await;
    assert!(parts == expected, "{} parts", parts.len());
    client.audit();
}

#[tokio::test]
async fn an_unknown_length_is_sent_in_chunks() {
    let server = Reader::pleased();
    let content = pattern(200_000);
    let reader = Body::from_reader(std::io::Cursor::new(content.clone()), None);
    let form = Form::new().text("a", "b").part("c", Part::stream(reader));
    let client = TestClient::new();
    let sent = client.post(server.url("/")).multipart(form).send();
    soon(sent).await.unwrap();
    let message = &server.messages()[0];
    assert_eq!(message.field("transfer-encoding").unwrap(), "chunked");
    let parts = parts_of(message).await;
    assert!(parts[0] == Seen::text("a", "b") && parts[1].content == content);
}

#[tokio::test]
async fn a_stated_length_is_known_and_must_be_kept() {
    let server = Reader::pleased();
    let client = TestClient::new();
    let form = |length| {
        let reader = Body::from_reader(&b"content"[..], None);
        Form::new().part("a", Part::stream_with_length(reader, length))
    };
    let sent = client.post(server.url("/")).multipart(form(7)).send();
    soon(sent).await.unwrap();
    let message = &server.messages()[0];
    assert!(message.field("content-length").is_some());
    assert_eq!(parts_of(message).await, [Seen::text("a", "content")]);
    for length in [6, 8] {
        let sent = client.post(server.url("/")).multipart(form(length)).send();
        let error = soon(sent).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RequestBody, "{error}");
    }
    client.audit();
}

#[tokio::test]
async fn a_form_without_parts_is_a_form() {
    let server = Reader::pleased();
    let client = TestClient::new();
    let sent = client.post(server.url("/")).multipart(Form::new()).send();
    soon(sent).await.unwrap();
    assert!(parts_of(&server.messages()[0]).await.is_empty());
}

#[tokio::test]
async fn a_file_that_shrinks_fails_in_either_framing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Reader::pleased();
    let client = TestClient::new();
    for is_chunked in [false, true] {
        let path = file(folder.path(), "file", &pattern(100_000));
        let mut form = Form::new().file("file", &path).await.unwrap();
        if is_chunked {
            let reader = Body::from_reader(&b"content"[..], None);
            form = form.part("rest", Part::stream(reader));
        }
        let shorter = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        shorter.set_len(10).unwrap();
        let sent = client.post(server.url("/")).multipart(form).send();
        let error = soon(sent).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RequestBody, "{error}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(
            source.contains("100000 bytes was announced, 10 came"),
            "{source}"
        );
    }
    assert!(server.messages().is_empty());
    client.audit();
}

#[tokio::test]
async fn what_is_appended_to_a_file_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "file", b"before");
    let server = Reader::pleased();
    let client = TestClient::new();
    let form = Form::new().file("file", &path).await.unwrap();
    let mut longer = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    longer.write_all(b" and after").unwrap();
    let sent = client.post(server.url("/")).multipart(form).send();
    soon(sent).await.unwrap();
    let parts = parts_of(&server.messages()[0]).await;
    assert_eq!(parts, [Seen::file("file", "file", "before")]);
}

#[tokio::test]
async fn a_redirect_that_keeps_the_body_sends_the_form_again() {
    let folder = tempfile::tempdir().unwrap();
    let large = file(folder.path(), "large", &pattern(150_000));
    let empty = file(folder.path(), "empty", b"");
    let server = Reader::new(|number| match number {
        0 => redirect(307, "/second"),
        _ => reply(200, &[], "ok"),
    });
    let form = Form::new().text("a", "b").file("large", &large).await;
    let form = form.unwrap().file("empty", &empty).await.unwrap();
    let client = TestClient::new();
    let sent = client.post(server.url("/")).multipart(form).send();
    assert_eq!(soon(sent).await.unwrap().status(), 200);
    let [first, second] = &server.messages()[..] else {
        panic!("two requests");
    };
    assert!(first.content == second.content);
    assert_eq!(parts_of(second).await.len(), 3);
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_named() {
    let error = Part::file("/nowhere/at-all").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RequestBody);
    assert!(error.to_string().contains("/nowhere/at-all"), "{error}");
}

#[tokio::test]
async fn a_dropped_form_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "file", &pattern(200_000));
    let server = Reader::pleased();
    let client = Client::new().unwrap();
    drop_at_every_poll(&client, || async {
        let form = Form::new().file("file", &path).await.unwrap();
        let sent = client.post(server.url("/")).multipart(form).send();
        sent.await.unwrap().bytes().await.unwrap();
    })
    .await;
}
