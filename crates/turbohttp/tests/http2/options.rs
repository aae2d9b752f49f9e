//! The options of HTTP/2: what they change on the wire, and their bounds.

use std::pin::pin;

use turbohttp::{Client, ErrorKind, Limits};
use turbohttp_loopback::Http2;
use turbohttp_loopback::script::{Script, ScriptServer, frames};

use super::ground::{answer_all, builder, greeting, idles, poll_few, run, server_with};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// A setting of the client (RFC 9113 section 6.5.2).
const INITIAL_WINDOW_SIZE: u16 = 4;

fn answering() -> ScriptServer {
    let steps = [greeting(&[]), vec![answer_all()]].concat();
    Script::new().accept(steps).start().unwrap()
}

fn limited(limits: Limits) -> Client {
    builder().limits(limits).build().unwrap()
}

async fn get(client: &Client, server: &ScriptServer) -> turbohttp::Result<String> {
    client.get(server.url("/")).send().await?.text().await
}

/// The windows that a client with these limits announces: that of the connection, and that of a stream.
fn windows(limits: Limits) -> (u32, u32) {
    let server = answering();
    run(async {
        let client = limited(limits);
        assert_eq!(get(&client, &server).await.unwrap(), "hello");
        idles(&client).await;
    });
    let frames = server.frames();
    // So little content is received that no credit for it follows.
    let updates = frames[0]
        .iter()
        .filter(|frame| frame.kind == frames::WINDOW_UPDATE && frame.stream == 0);
    let more: u32 = updates.map(|frame| frame.number(0).unwrap()).sum();
    let settings = frames[0][0].settings();
    let stream = settings.iter().find(|(id, _)| *id == INITIAL_WINDOW_SIZE);
    (65_535 + more, stream.unwrap().1)
}

#[test]
fn windows_are_those_of_the_options() {
    let limits = Limits::default();
    let kib = |bytes: usize| (bytes * KIB) as u32;
    assert_eq!(windows(limits), (kib(32 * KIB), kib(256)));
    let small = limits.h2_receive_bytes(64 * KIB).h2_window(64 * KIB);
    assert_eq!(windows(small), (kib(64), kib(64)));
    let large = limits.h2_receive_bytes((1 << 31) - 1).h2_window(16 * MIB);
    assert_eq!(windows(large), ((1 << 31) - 1, kib(16 * KIB)));
    // All streams together fit into the window of the connection.
    let shared = limits.per_host(64).h2_receive_bytes(8 * MIB);
    assert_eq!(windows(shared), (kib(8 * KIB), kib(128)));
}

#[test]
fn windows_out_of_their_bounds_are_errors_that_name_them() {
    let limits = Limits::default();
    let cases = [
        (limits.h2_receive_bytes(64 * KIB - 1), "h2_receive_bytes"),
        (limits.h2_receive_bytes(1 << 31), "h2_receive_bytes"),
        (limits.h2_window(64 * KIB - 1), "h2_window"),
        (limits.h2_window(32 * MIB + 1), "h2_window"),
        (limits.h2_receive_bytes(128 * KIB), "h2_window"),
    ];
    for (limits, option) in cases {
        let error = Client::builder().limits(limits).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let message = error.to_string();
        assert!(message.contains(option), "{message}");
    }
}

#[test]
fn a_small_window_of_the_connection_takes_few_streams_and_all_requests() {
    let server = server_with(Http2::default());
    run(async {
        let limits = Limits::default().per_host(4);
        let client = limited(limits.h2_receive_bytes(128 * KIB).h2_window(64 * KIB));
        let get = || client.get(server.url("/bytes/300000")).send();
        let first = get().await.unwrap();
        let second = get().await.unwrap();
        let mut third = pin!(get());
        assert!(poll_few(third.as_mut(), 50).await.is_none());
        for unread in [first, second] {
            assert_eq!(unread.bytes().await.unwrap().len(), 300_000);
        }
        let third = third.await.unwrap();
        assert_eq!(third.bytes().await.unwrap().len(), 300_000);
        idles(&client).await;
    });
    assert_eq!(server.stop().http2.streams_peak, 2);
}
