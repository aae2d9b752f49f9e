//! The random steps of a run.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// A request begins, with a body to send or without, of a level.
    Begin {
        sends: bool,
        level: u8,
    },
    /// A request goes on as its task would: asks for a stream, or for the answer, and reads.
    Poll(usize),
    /// A request sends bytes, and the end of the stream behind them.
    Send {
        request: usize,
        bytes: usize,
        ends: bool,
    },
    /// A request sends no more of its body, which is not wanted.
    Stop(usize),
    /// A request is given up.
    Drop(usize),
    /// The server sends a head.
    Head {
        stream: usize,
        ends: bool,
    },
    /// The server sends content, as far as the windows that it knows of permit.
    Data {
        stream: usize,
        bytes: usize,
        padding: u8,
        ends: bool,
    },
    Reset(usize),
    /// It gives windows back.
    Window {
        stream: usize,
        bytes: u32,
    },
    WindowOfAll(u32),
    StreamsMax(u32),
    InitialWindow(u32),
    Ping,
    /// It takes no more requests but those that it has seen, but for so many.
    GoAway(u32),
    /// The task writes.
    Write,
    /// The connection is lost.
    End,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let request = 0..REQUESTS;
    let stream = 0..REQUESTS;
    let bytes = prop_oneof![4 => 0_usize..300, 2 => 0..FRAME_BYTES_MAX, 1 => Just(70_000_usize)];
    let steps = [
        (
            12,
            (any::<bool>(), 0..3_u8)
                .prop_map(|(sends, level)| Step::Begin { sends, level })
                .boxed(),
        ),
        (20, request.clone().prop_map(Step::Poll).boxed()),
        (
            10,
            (request.clone(), bytes.clone(), prop::bool::weighted(0.3))
                .prop_map(|(request, bytes, ends)| Step::Send {
                    request,
                    bytes,
                    ends,
                })
                .boxed(),
        ),
        (1, request.clone().prop_map(Step::Stop).boxed()),
        (5, request.prop_map(Step::Drop).boxed()),
        (
            10,
            (stream.clone(), prop::bool::weighted(0.2))
                .prop_map(|(stream, ends)| Step::Head { stream, ends })
                .boxed(),
        ),
        (
            20,
            (
                stream.clone(),
                bytes,
                prop_oneof![3 => Just(0), 1 => any::<u8>()],
                prop::bool::weighted(0.2),
            )
                .prop_map(|(stream, bytes, padding, ends)| Step::Data {
                    stream,
                    bytes,
                    padding,
                    ends,
                })
                .boxed(),
        ),
        (1, stream.clone().prop_map(Step::Reset).boxed()),
        (
            6,
            (stream, 1..100_000_u32)
                .prop_map(|(stream, bytes)| Step::Window { stream, bytes })
                .boxed(),
        ),
        (6, (1..200_000_u32).prop_map(Step::WindowOfAll).boxed()),
        (2, (0..6_u32).prop_map(Step::StreamsMax).boxed()),
        (
            2,
            prop_oneof![0..300_u32, 0..200_000_u32]
                .prop_map(Step::InitialWindow)
                .boxed(),
        ),
        (1, Just(Step::Ping).boxed()),
        (16, Just(Step::Write).boxed()),
    ];
    prop::strategy::Union::new_weighted(steps.to_vec())
}

/// The last steps of some runs.
pub(super) fn last() -> impl Strategy<Value = Option<Step>> {
    prop_oneof![
        2 => Just(None),
        1 => Just(Some(Step::End)),
        1 => (0..4_u32).prop_map(|beside| Some(Step::GoAway(beside))),
    ]
}
