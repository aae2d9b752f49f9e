//! Heads, interim ones included, under small limits: any split gives the same result.
#![no_main]

use libfuzzer_sys::fuzz_target;
use turbohttp_core::h1::HeadLimits;
use turbohttp_fuzz::{choices, pieces, receive};

fuzz_target!(|input: &[u8]| {
    let (cuts, bytes) = choices(input);
    // Small, so that the limits are met often.
    let limits = HeadLimits::new(512, 8);
    let whole = receive(true, limits, [bytes]);
    assert_eq!(
        receive(true, limits, pieces(bytes, cuts)),
        whole,
        "split at the cuts"
    );
    assert_eq!(
        receive(true, limits, bytes.chunks(1)),
        whole,
        "split byte by byte"
    );
    if let Ok(outcome) = whole {
        assert!(outcome.body.is_empty(), "an answer to HEAD has no body");
    }
});
