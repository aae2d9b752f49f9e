//! Any bytes of a server, on a connection with requests: nothing panics, what is counted stays right, what is
//! to be written is bounded, and every split of the bytes gives the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use turbohttp_core::h2::OUT_BYTES_MAX;
use turbohttp_fuzz::http2::Client;
use turbohttp_fuzz::{choices, pieces};

/// An empty SETTINGS frame, without which no server gets far.
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

fuzz_target!(|input: &[u8]| {
    let (choices, bytes) = choices(input);
    let whole = play(bytes, &[]);
    assert_eq!(play(bytes, choices), whole, "a split changes nothing");
});

fn play(bytes: &[u8], cuts: &[u8]) -> String {
    let mut client = Client::new();
    for sends in [false, true, false, true] {
        client.begin(sends);
    }
    let first = client.output().len();
    client.receive(SETTINGS);
    client.send(1, &[7; 20_000], false);
    client.send(3, b"all of it", true);
    let mut before = first;
    for piece in pieces(bytes, cuts) {
        client.receive(piece);
        client.check();
    }
    // An answer to each frame, credit, and a last word.
    before += 20_000 + OUT_BYTES_MAX + 4 * bytes.len() + 256;
    let output = client.output();
    assert!(output.len() <= before, "unbounded output: {}", output.len());
    for at in 0..client.requests.len() {
        // As many pieces as there may be, and the end.
        (0..64).for_each(|_| client.poll(at));
    }
    client.check();
    let seen: Vec<_> = client
        .requests
        .iter()
        .map(|request| {
            let of_answer = (request.head, &request.content, request.trailers);
            format!("{of_answer:?} {} {:?}", request.has_ended, request.failure)
        })
        .collect();
    let glitches = client.streams.glitches();
    let seen = format!("{seen:?} {:?} {output:?} {glitches}", client.fault);
    client.end();
    client.check();
    client.close();
    seen
}
