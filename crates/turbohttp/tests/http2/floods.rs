//! Servers that send what costs work and brings nothing: the connection ends, and no other one notices.

use bytes::Bytes;
use turbohttp::{Client, ErrorKind, Limits};
use turbohttp_loopback::script::{Script, Step, frames};

use super::ground::{builder, greeting, idles, run, server};

/// What a server does behind the first request, which is on stream 1.
enum Flood {
    /// These frames, again and again.
    Of(Vec<u8>),
    /// The first ones once, then the others again and again.
    After(Vec<u8>, Vec<u8>),
}

use Flood::{After, Of};

/// A head whose content is to come.
fn head(stream: u32) -> Vec<u8> {
    frames::headers(
        stream,
        frames::END_HEADERS,
        &frames::block(&[(":status", "200")]),
    )
}

/// A whole answer.
fn whole(stream: u32) -> Vec<u8> {
    let flags = frames::END_HEADERS | frames::END_STREAM;
    frames::headers(stream, flags, &frames::block(&[(":status", "200")]))
}

/// One field of 4,000 bytes that goes into the table, and then so many fields that are it again.
fn bomb() -> Vec<u8> {
    let mut block = vec![0x88, 0x40, 1, b'x'];
    frames::integer(&mut block, 0, 7, 4_000);
    block.extend(vec![b'a'; 4_000]);
    block.extend(vec![0xbe; 12_000]);
    frames::headers(1, frames::END_HEADERS, &block)
}

/// Interim heads, many to a write.
fn interim() -> Vec<u8> {
    let block = frames::block(&[(":status", "103"), ("x", "y")]);
    frames::headers(1, frames::END_HEADERS, &block).repeat(100)
}

fn many(frame: &[u8]) -> Vec<u8> {
    frame.repeat(200)
}

fn floods() -> Vec<(&'static str, Flood)> {
    let unfinished = frames::headers(1, 0, &frames::block(&[(":status", "200")]));
    let name = frames::field(b"x-more", &[b'a'; 16_000]);
    vec![
        ("PING", Of(many(&frames::ping(false, [7; 8])))),
        ("answers to PING", Of(many(&frames::ping(true, [7; 8])))),
        ("SETTINGS", Of(many(&frames::settings(&[])))),
        ("acknowledged SETTINGS", Of(many(&frames::settings_ack()))),
        ("long SETTINGS", Of(frames::settings(&[(0x99, 1); 1_000]))),
        ("PRIORITY", Of(many(&frames::priority(1, 0, 1)))),
        (
            "unknown frames",
            Of(many(&frames::raw(0x77, 0, 0, b"what?"))),
        ),
        ("WINDOW_UPDATE", Of(many(&frames::window_update(0, 1)))),
        (
            "WINDOW_UPDATE of a stream",
            Of(many(&frames::window_update(1, 1))),
        ),
        ("GOAWAY", Of(many(&frames::goaway(1, 0, b"")))),
        ("empty DATA", After(head(1), many(&frames::data(1, 0, b"")))),
        (
            "padded DATA",
            After(head(1), many(&frames::padded_data(1, 0, b"", 255))),
        ),
        (
            "DATA of a closed stream",
            After(whole(1), many(&frames::data(1, 0, b"late"))),
        ),
        (
            "HEADERS of a closed stream",
            After(whole(1), many(&whole(1))),
        ),
        (
            "RST_STREAM of a closed stream",
            After(whole(1), many(&frames::rst(1, 0))),
        ),
        ("interim heads", Of(interim())),
        (
            "empty CONTINUATION",
            After(unfinished.clone(), many(&frames::continuation(1, 0, b""))),
        ),
        (
            "CONTINUATION",
            After(unfinished, frames::continuation(1, 0, &name)),
        ),
        ("a bomb of HPACK", Of(bomb())),
        (
            "PUSH_PROMISE",
            Of(many(&frames::push_promise(
                1,
                frames::END_HEADERS,
                2,
                &[0x82],
            ))),
        ),
    ]
}

async fn read(client: &Client, url: &str) -> turbohttp::Result<Bytes> {
    client.get(url).send().await?.bytes().await
}

#[test]
fn floods_end_their_connection_and_no_other() {
    let calm = server();
    for (name, flood) in floods() {
        let mut steps = greeting(&[]);
        steps.push(Step::read_frame(frames::HEADERS));
        match flood {
            Of(bytes) => steps.push(Step::Flood(bytes)),
            After(first, bytes) => steps.extend([Step::send(first), Step::Flood(bytes)]),
        }
        let server = Script::new().accept(steps).start().unwrap();
        run(async {
            let limits = Limits::default().per_host(8);
            let client = builder().limits(limits).build().unwrap();
            let small = calm.url("/bytes/100000");
            read(&client, &small).await.unwrap();
            let beside: Vec<_> = (0..4)
                .map(|_| {
                    let (client, small) = (client.clone(), small.clone());
                    tokio::spawn(async move { read(&client, &small).await })
                })
                .collect();
            let flooded = read(&client, &server.url("/")).await;
            // The connection is ended by the client: the script would go on for ever.
            server.all_closed().await;
            if let Err(error) = flooded {
                let kinds = [ErrorKind::Protocol, ErrorKind::TooLarge];
                assert!(kinds.contains(&error.kind()), "{name}: {error:?}");
            } else {
                assert!(name.contains("closed"), "{name}");
            }
            for other in beside {
                other.await.unwrap().unwrap();
            }
            idles(&client).await;
        });
    }
    // One connection for each client.
    assert_eq!(calm.stop().connections, floods().len() as u64);
}
