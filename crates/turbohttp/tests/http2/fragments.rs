//! Frames of a server, cut where a connection may cut them.

use turbohttp_loopback::script::{Script, Step, frames};

use super::ground::{client, run};

/// Fragments of a field block that arrive by themselves make no event before the last one.
#[test]
fn a_head_in_fragments_byte_by_byte() {
    let block = frames::block(&[(":status", "200"), ("x-name", "value")]);
    let (first, rest) = block.split_at(3);
    let (second, third) = rest.split_at(4);
    let answer = [
        frames::headers(1, 0, first),
        frames::continuation(1, 0, second),
        frames::continuation(1, frames::END_HEADERS, third),
        frames::data(1, frames::END_STREAM, b"hello"),
    ];
    let server = Script::new()
        .accept([
            Step::ReadPreface,
            Step::send(frames::settings(&[])),
            Step::read_frame(frames::HEADERS),
            Step::send_split(answer.concat(), 1),
            Step::Stall,
        ])
        .start()
        .unwrap();
    run(async {
        let response = client().get(server.url("/")).send().await.unwrap();
        assert_eq!(response.header("x-name"), Some("value"));
        assert_eq!(response.text().await.unwrap(), "hello");
    });
}
