//! Bodies that are decoded while they arrive: what becomes of their connections.

use turbohttp_loopback::script::{Script, Step};

use super::*;
use crate::Client;

/// Larger than any read buffer that holds a whole body, and no easier to compress than it is long.
fn noise() -> Vec<u8> {
    let next = |seed: &u32| Some(seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let numbers = std::iter::successors(Some(7), next);
    numbers
        .map(|number| (number >> 24) as u8)
        .take(400_000)
        .collect()
}

/// A response whose body has `framing`, in pieces that arrive one by one.
fn reply(framing: &str, body: &[u8]) -> Step {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n{framing}\r\n\r\n");
    Step::send_split([head.as_bytes(), body].concat(), 60_000)
}

fn chunked(body: &[u8]) -> Vec<u8> {
    let chunks = body.chunks(50_000).map(|chunk| {
        let size = format!("{:x}\r\n", chunk.len());
        [size.as_bytes(), chunk, b"\r\n"].concat()
    });
    [&chunks.collect::<Vec<_>>().concat()[..], b"0\r\n\r\n"].concat()
}

async fn get(client: &Client, url: &str) -> Response {
    let mut response = client.get(url).send().await.unwrap();
    Decoding::all().decode(&mut response).unwrap();
    assert_eq!(
        (
            response.content_length(),
            response.header("content-encoding")
        ),
        (None, None)
    );
    response
}

#[tokio::test]
async fn a_decoded_body_gives_its_connection_back() {
    let body = gzip(&noise());
    let length = format!("content-length: {}", body.len());
    let replies = [
        reply("transfer-encoding: chunked", &chunked(&body)),
        reply(&length, &body),
    ];
    let steps = replies
        .into_iter()
        .flat_map(|reply| [Step::ReadHead, reply]);
    let server = Script::new()
        .accept(steps.collect::<Vec<_>>())
        .start()
        .unwrap();
    let client = Client::new().unwrap();
    for _ in 0..2 {
        let mut response = get(&client, &server.url("/")).await;
        let mut content = Vec::new();
        while let Some(chunk) = response.chunk().await.unwrap() {
            content.extend_from_slice(chunk);
        }
        assert!(content == noise());
        // The response is still there, and holds nothing but itself.
        let audit = client.audit();
        assert!(audit.scheduler.is_idle() && audit.connections == 0 && audit.buffers == 0);
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_body_that_cannot_be_decoded_closes_its_connection() {
    let mut broken = gzip(&noise());
    broken[200_000] ^= 0x55;
    let whole = [gzip(&noise()), b"garbage".to_vec()].concat();
    for body in [broken, whole] {
        let length = format!("content-length: {}", body.len());
        let steps = [Step::ReadHead, reply(&length, &body), Step::ReadToEnd];
        let server = Script::new().accept(steps).start().unwrap();
        let client = Client::new().unwrap();
        let response = get(&client, &server.url("/")).await;
        let error = response.bytes().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
        assert!(error.timeline().is_some() && error.origin().is_some());
        assert!(client.audit().is_idle());
        assert_eq!(client.stats().net.unwrap().open, 0);
    }
}

#[tokio::test]
async fn a_connection_that_ends_within_the_framing_is_the_first_fault() {
    let body = gzip(&noise());
    let length = format!("content-length: {}", body.len() + 1);
    let steps = [Step::ReadHead, reply(&length, &body)];
    let server = Script::new().accept(steps).start().unwrap();
    let client = Client::new().unwrap();
    let error = get(&client, &server.url("/"))
        .await
        .bytes()
        .await
        .unwrap_err();
    // The coding is whole, and the framing is not: the content is not known to be.
    assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
}
