//! Bodies in every framing: any split gives the same data, and never more than was announced.
#![no_main]

use libfuzzer_sys::fuzz_target;
use turbohttp_core::h1::HeadLimits;
use turbohttp_core::h1::framing::Framing;
use turbohttp_fuzz::{choices, decode, pieces};

fuzz_target!(|input: &[u8]| {
    let (cuts, bytes) = choices(input);
    let limits = HeadLimits::new(256, 4);
    let announced = cuts.first().map_or(5, |cut| u64::from(*cut));
    for framing in [
        Framing::Chunked,
        Framing::Length(announced),
        Framing::CloseDelimited,
        Framing::None,
    ] {
        let whole = decode(framing, limits, [bytes]);
        assert_eq!(
            decode(framing, limits, pieces(bytes, cuts)),
            whole,
            "split at the cuts"
        );
        assert_eq!(
            decode(framing, limits, bytes.chunks(1)),
            whole,
            "split byte by byte"
        );
        let Ok((data, _, left)) = whole else {
            continue;
        };
        match framing {
            Framing::Length(length) => {
                assert_eq!(data.len() as u64, length, "exactly what was announced");
                assert_eq!(
                    data.len() + left,
                    bytes.len(),
                    "consumed what was not given"
                );
            }
            Framing::CloseDelimited => assert_eq!(data, bytes, "all of it"),
            Framing::None => assert!(data.is_empty() && left == bytes.len()),
            Framing::Chunked => assert!(data.len() + left < bytes.len(), "framing takes bytes"),
        }
    }
});
