//! What a server can send of HTTP/2 that costs its client work and brings nothing.
//!
//! ```
//! use turbohttp_loopback::script::{Script, floods};
//!
//! # fn main() -> std::io::Result<()> {
//! for flood in floods::all() {
//!     let server = Script::new().accept(flood.steps()).start()?;
//!     println!("{}: {}", flood.name, server.url("/"));
//! }
//! # Ok(())
//! # }
//! ```

use super::Step;
use super::frames::{self, END_HEADERS, END_STREAM, HEADERS};

/// How many small frames there are in one write.
const FRAMES: usize = 200;

/// One kind of flood, behind the first request, which is on stream 1.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Flood {
    /// What it consists of.
    pub name: &'static str,
    /// What is sent once before.
    pub first: Vec<u8>,
    /// What is sent again and again.
    pub again: Vec<u8>,
    /// Whether the request is answered before the flood, so that its caller may notice nothing.
    pub is_behind_the_answer: bool,
}

impl Flood {
    /// The steps of a connection: preface and SETTINGS of both sides, one request, and the flood until the
    /// client ends the connection.
    pub fn steps(&self) -> Vec<Step> {
        vec![
            Step::ReadPreface,
            Step::send([frames::settings(&[]), frames::settings_ack()].concat()),
            Step::read_frame(HEADERS),
            Step::Send(self.first.clone()),
            Step::Flood(self.again.clone()),
        ]
    }
}

/// Every kind.
pub fn all() -> Vec<Flood> {
    [
        at_once(),
        of_an_open_stream(),
        of_a_closed_stream(),
        of_fields(),
    ]
    .concat()
}

/// Without an answer.
fn at_once() -> Vec<Flood> {
    let flood = |name, again| after(Vec::new(), name, again);
    vec![
        flood("PING", many(&frames::ping(false, [7; 8]))),
        flood("answers to PING", many(&frames::ping(true, [7; 8]))),
        flood("SETTINGS", many(&frames::settings(&[]))),
        flood("acknowledged SETTINGS", many(&frames::settings_ack())),
        flood("long SETTINGS", frames::settings(&[(0x99, 1); 1_000])),
        flood("PRIORITY", many(&frames::priority(1, 0, 1))),
        flood("unknown frames", many(&frames::raw(0x77, 0, 0, b"what?"))),
        flood("WINDOW_UPDATE", many(&frames::window_update(0, 1))),
        flood(
            "WINDOW_UPDATE of a stream",
            many(&frames::window_update(1, 1)),
        ),
        flood("GOAWAY", many(&frames::goaway(1, 0, b""))),
        flood(
            "PUSH_PROMISE",
            many(&frames::push_promise(1, END_HEADERS, 2, &[0x82])),
        ),
    ]
}

/// After a head whose content is to come.
fn of_an_open_stream() -> Vec<Flood> {
    let head = head(END_HEADERS);
    vec![
        after(head.clone(), "empty DATA", many(&frames::data(1, 0, b""))),
        after(
            head,
            "padded DATA",
            many(&frames::padded_data(1, 0, b"", 255)),
        ),
    ]
}

/// After a whole answer.
fn of_a_closed_stream() -> Vec<Flood> {
    let whole = head(END_HEADERS | END_STREAM);
    [
        ("DATA of a closed stream", frames::data(1, 0, b"late")),
        ("HEADERS of a closed stream", whole.clone()),
        ("RST_STREAM of a closed stream", frames::rst(1, 0)),
    ]
    .map(|(name, frame)| Flood {
        is_behind_the_answer: true,
        ..after(whole.clone(), name, many(&frame))
    })
    .to_vec()
}

/// Of field blocks.
fn of_fields() -> Vec<Flood> {
    let name = frames::field(b"x-more", &[b'a'; 16_000]);
    let interim = frames::block(&[(":status", "103"), ("x", "y")]);
    vec![
        after(
            Vec::new(),
            "interim heads",
            many(&frames::headers(1, END_HEADERS, &interim)),
        ),
        after(
            head(0),
            "empty CONTINUATION",
            many(&frames::continuation(1, 0, b"")),
        ),
        after(head(0), "CONTINUATION", frames::continuation(1, 0, &name)),
        after(Vec::new(), "a bomb of HPACK", bomb()),
    ]
}

fn after(first: Vec<u8>, name: &'static str, again: Vec<u8>) -> Flood {
    Flood {
        name,
        first,
        again,
        is_behind_the_answer: false,
    }
}

fn head(flags: u8) -> Vec<u8> {
    frames::headers(1, flags, &frames::block(&[(":status", "200")]))
}

/// One field of 4,000 bytes that goes into the table, and then so many fields that are it again.
fn bomb() -> Vec<u8> {
    let mut block = vec![0x88, 0x40, 1, b'x'];
    frames::integer(&mut block, 0, 7, 4_000);
    block.extend(vec![b'a'; 4_000]);
    block.extend(vec![0xbe; 12_000]);
    frames::headers(1, END_HEADERS, &block)
}

fn many(frame: &[u8]) -> Vec<u8> {
    frame.repeat(FRAMES)
}
