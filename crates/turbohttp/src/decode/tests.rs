//! Every coding in every cut, and what servers do wrong.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as TaskContext, Poll, Waker};

use http::Method;
use proptest::prelude::*;

use super::*;
use crate::body::{BodyContext, BodySource};
use crate::request::Request;

mod wire;

/// A body in pieces, before each of which it is pending once.
struct Pieces {
    pieces: VecDeque<Vec<u8>>,
    piece: Vec<u8>,
    is_ready: bool,
    has_ended: Arc<AtomicBool>,
}

impl Pieces {
    fn new(pieces: impl IntoIterator<Item = Vec<u8>>) -> Pieces {
        Pieces {
            pieces: pieces
                .into_iter()
                .filter(|piece| !piece.is_empty())
                .collect(),
            piece: Vec::new(),
            is_ready: false,
            has_ended: Arc::default(),
        }
    }
}

impl BodySource for Pieces {
    fn poll_chunk(
        &mut self,
        _cx: &mut TaskContext<'_>,
        _context: BodyContext<'_>,
    ) -> Poll<Result<bool>> {
        // While it waits its slice is nothing that may be read.
        self.piece = b"not of the body".to_vec();
        self.is_ready = !self.is_ready;
        if self.is_ready {
            return Poll::Pending;
        }
        match self.pieces.pop_front() {
            Some(piece) => self.piece = piece,
            None => self.has_ended.store(true, Ordering::Relaxed),
        }
        Poll::Ready(Ok(!self.has_ended.load(Ordering::Relaxed)))
    }

    fn chunk(&self) -> &[u8] {
        &self.piece
    }
}

fn respond(method: Method, body: ResponseBody, codings: &[&str]) -> Response {
    let request = Request::new(method, "http://a.test/").unwrap();
    let mut response = request.respond(StatusCode::OK, body);
    for coding in codings {
        response.push_header("Content-Encoding", coding.as_bytes());
    }
    response
}

fn answer(pieces: impl IntoIterator<Item = Vec<u8>>, codings: &[&str]) -> Response {
    respond(
        Method::GET,
        ResponseBody::from_source(Pieces::new(pieces)),
        codings,
    )
}

/// Polls until it is ready: what the tests wait for becomes ready by being polled.
fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = TaskContext::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
}

fn read(response: &mut Response) -> Result<Vec<u8>> {
    let mut whole = Vec::new();
    while let Some(chunk) = finish(response.chunk())? {
        assert!(!chunk.is_empty() && chunk.len() <= crate::limits::DECODE_BUFFER_BYTES);
        whole.extend_from_slice(chunk);
    }
    Ok(whole)
}

fn decoded(pieces: impl IntoIterator<Item = Vec<u8>>, codings: &[&str]) -> Result<Vec<u8>> {
    let mut response = answer(pieces, codings);
    Decoding::all().decode(&mut response)?;
    let whole = read(&mut response)?;
    assert_eq!(response.remaining(), Some(0));
    Ok(whole)
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn zlib(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn raw(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn br(content: &[u8]) -> Vec<u8> {
    let mut coded = Vec::new();
    brotli::CompressorReader::new(content, 4096, 4, 18)
        .read_to_end(&mut coded)
        .unwrap();
    coded
}

fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(content, 3).unwrap()
}

type Encode = fn(&[u8]) -> Vec<u8>;

/// Every format, and the coding that it is sent as.
const FORMATS: [(&str, Encode); 5] = [
    ("gzip", gzip),
    ("deflate", zlib),
    ("deflate", raw),
    ("br", br),
    ("zstd", zstd),
];

/// Content that is neither too easy nor too hard to compress.
fn text(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| ((at * at / 7) % 61) as u8 + b' ')
        .collect()
}

fn message(result: Result<Vec<u8>>, kind: ErrorKind) -> String {
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.is_body()), (kind, true), "{error}");
    error.to_string()
}

#[test]
fn every_cut_of_every_coding_gives_the_same_content() {
    for (coding, encode) in FORMATS {
        for content in [text(700), Vec::new(), vec![b'x']] {
            let coded = encode(&content);
            for at in 0..=coded.len() {
                let (head, rest) = coded.split_at(at);
                let pieces = [head.to_vec(), rest.to_vec()];
                assert_eq!(
                    decoded(pieces, &[coding]).unwrap(),
                    content,
                    "{coding} at {at}"
                );
            }
            let bytes = coded.iter().map(|byte| vec![*byte]);
            assert_eq!(
                decoded(bytes, &[coding]).unwrap(),
                content,
                "{coding}, byte by byte"
            );
        }
        // More than one buffer.
        let content = text(300_000);
        assert!(
            decoded([encode(&content)], &[coding]).unwrap() == content,
            "{coding}"
        );
    }
}

#[test]
fn content_that_fills_buffers_exactly_is_whole() {
    let buffer = crate::limits::DECODE_BUFFER_BYTES;
    for (coding, encode) in FORMATS {
        for length in [buffer - 1, buffer, buffer + 1, 2 * buffer, 4 * buffer] {
            for content in [vec![0; length], text(length)] {
                assert!(
                    decoded([encode(&content)], &[coding]).unwrap() == content,
                    "{coding}"
                );
            }
        }
    }
}

#[test]
fn members_and_frames_are_one_body() {
    for (coding, encode) in [("gzip", gzip as Encode), ("zstd", zstd)] {
        let coded = [
            encode(b"one,"),
            encode(b""),
            encode(&text(500)),
            encode(b"three"),
        ]
        .concat();
        let content = [b"one,", &text(500)[..], b"three"].concat();
        for at in 0..=coded.len() {
            let (head, rest) = coded.split_at(at);
            let pieces = [head.to_vec(), rest.to_vec()];
            assert_eq!(
                decoded(pieces, &[coding]).unwrap(),
                content,
                "{coding} at {at}"
            );
        }
    }
}

#[test]
fn a_skippable_frame_is_skipped() {
    let skippable = [
        &0x184d_2a50_u32.to_le_bytes()[..],
        &3_u32.to_le_bytes(),
        b"abc",
    ]
    .concat();
    let coded = [&skippable[..], &zstd(b"content"), &skippable].concat();
    assert_eq!(decoded([coded], &["zstd"]).unwrap(), b"content");
}

#[test]
fn a_body_that_ends_too_early_is_truncated() {
    for (coding, encode) in FORMATS {
        let coded = encode(&text(300));
        for length in 1..coded.len() {
            let said = message(
                decoded([coded[..length].to_vec()], &[coding]),
                ErrorKind::Truncated,
            );
            let expected = format!("the body ends at byte {length}, inside its coding {coding}");
            assert!(said.starts_with(&expected), "{said}");
        }
    }
    let two = [gzip(b"one"), gzip(b"two")[..5].to_vec()].concat();
    message(decoded([two], &["gzip"]), ErrorKind::Truncated);
}

#[test]
fn no_byte_at_all_is_an_empty_body() {
    for (coding, _) in FORMATS {
        assert_eq!(decoded([], &[coding]).unwrap(), b"");
        assert_eq!(decoded([], &[coding, "gzip"]).unwrap(), b"");
    }
}

#[test]
fn garbage_behind_the_coding_is_an_error() {
    for (coding, encode) in FORMATS {
        let coded = encode(b"content");
        for garbage in [
            &b"\n"[..],
            b"\0",
            b"\0\0\0\0\0\0\0\0\0\0\0\0",
            b"garbage, and more of it",
        ] {
            let whole = [&coded, garbage].concat();
            let in_one = decoded([whole], &[coding]);
            let apart = decoded([coded.clone(), garbage.to_vec()], &[coding]);
            for result in [in_one, apart] {
                match result {
                    // It begins like a skippable frame, and ends before it is one.
                    Err(error) if coding == "zstd" && error.kind() == ErrorKind::Truncated => {
                        assert!(garbage.len() < 4);
                    }
                    result => {
                        let said = message(result, ErrorKind::Decode);
                        assert!(said.contains(&format!("coding {coding}")), "{said}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_not_in_its_coding_is_an_error_with_its_name() {
    for (coding, _) in FORMATS {
        let said = message(
            decoded([b"\xffplain text, of all things".to_vec()], &[coding]),
            ErrorKind::Decode,
        );
        assert!(
            said.contains(&format!("not in the coding {coding} behind byte 0")),
            "{said}"
        );
    }
    let mut wrong = gzip(b"content");
    let crc = wrong.len() - 8;
    wrong[crc] ^= 1;
    message(decoded([wrong], &["gzip"]), ErrorKind::Decode);
    let mut wrong = zlib(b"content");
    let adler = wrong.len() - 1;
    wrong[adler] ^= 1;
    message(decoded([wrong], &["deflate"]), ErrorKind::Decode);
}

#[test]
fn a_body_that_has_failed_goes_on_failing() {
    let mut response = answer([b"plain".to_vec()], &["gzip"]);
    Decoding::all().decode(&mut response).unwrap();
    read(&mut response).unwrap_err();
    read(&mut response).unwrap_err();
}

#[test]
fn codings_are_undone_in_reverse() {
    let content = text(5_000);
    let coded = br(&gzip(&content));
    for codings in [
        &["gzip, br"][..],
        &["GZIP", "Br"],
        &[" ,x-gzip\t,, identity", "br ,"],
        &["X-GZip,br,IDENTITY"],
    ] {
        for size in [1, 7, 4096] {
            let pieces = coded.chunks(size).map(<[u8]>::to_vec);
            assert_eq!(decoded(pieces, codings).unwrap(), content, "{codings:?}");
        }
    }
    let four = zstd(&br(&zlib(&gzip(&content))));
    assert_eq!(
        decoded([four], &["gzip, deflate, br, zstd"]).unwrap(),
        content
    );
    // Truncated within: the outer coding is whole, the inner one is not.
    let cut = br(&gzip(&content)[..100]);
    let said = message(decoded([cut], &["gzip, br"]), ErrorKind::Truncated);
    assert!(said.contains("byte 100, inside its coding gzip"), "{said}");
}

#[test]
fn more_codings_than_are_undone_are_an_error() {
    let mut response = answer([vec![0]], &["gzip, gzip", "br,br", "br"]);
    let error = Decoding::all().decode(&mut response).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let said = "the response has 5 content codings, at most 4 are undone";
    assert_eq!(error.to_string(), said);
}

#[test]
fn fields_that_are_no_longer_true_are_removed() {
    for has_map in [false, true] {
        let mut response = answer([gzip(b"content")], &["gzip"]);
        response.push_header("content-length", b"27");
        response.push_header("etag", b"\"1\"");
        if has_map {
            response.headers_mut();
        }
        Decoding::all().decode(&mut response).unwrap();
        assert_eq!(
            response.fields().collect::<Vec<_>>(),
            [("etag", &b"\"1\""[..])]
        );
        assert_eq!(response.headers().len(), 1);
        assert_eq!(
            (response.content_length(), response.remaining()),
            (None, None)
        );
        assert_eq!(read(&mut response).unwrap(), b"content");
    }
}

#[test]
fn what_need_not_be_decoded_is_left_alone() {
    let coded = gzip(b"content");
    let untouched = |mut response: Response, decoding: Decoding, expected: &[u8]| {
        let before: Vec<_> = response.headers().clone().into_iter().collect();
        decoding.decode(&mut response).unwrap();
        assert_eq!(
            response.headers().clone().into_iter().collect::<Vec<_>>(),
            before
        );
        assert_eq!(read(&mut response).unwrap(), expected);
    };
    let all = Decoding::all();
    for status in [204, 206, 304].map(|status| StatusCode::from_u16(status).unwrap()) {
        let request = Request::new(Method::GET, "http://a.test/").unwrap();
        let mut response = request.respond(status, coded.clone());
        response.push_header("content-encoding", b"gzip");
        untouched(response, all, &coded);
    }
    untouched(
        respond(Method::HEAD, ResponseBody::default(), &["gzip"]),
        all,
        b"",
    );
    untouched(
        respond(Method::GET, ResponseBody::default(), &["gzip"]),
        all,
        b"",
    );
    for codings in [
        &[][..],
        &["identity"],
        &[""],
        &["zip"],
        &["gzip, aes128gcm"],
        &["zip", "gzip"],
    ] {
        untouched(answer([coded.clone()], codings), all, &coded);
    }
    for decoding in [Decoding::none(), all.gzip(false)] {
        untouched(answer([coded.clone()], &["gzip"]), decoding, &coded);
    }
}

#[test]
fn accept_encoding_names_what_is_on() {
    let value = |decoding: Decoding| decoding.accept_encoding();
    assert_eq!(value(Decoding::all()).unwrap(), "gzip, deflate, br, zstd");
    assert_eq!(
        value(Decoding::all().deflate(false).brotli(false)).unwrap(),
        "gzip, zstd"
    );
    assert_eq!(value(Decoding::none().zstd(true)).unwrap(), "zstd");
    assert_eq!(value(Decoding::none()), None);
}

#[test]
fn what_has_arrived_is_handed_out_before_more_is_waited_for() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"first").unwrap();
    gzip.flush().unwrap();
    let first = gzip.get_ref().clone();
    let rest = gzip.finish().unwrap()[first.len()..].to_vec();
    let mut response = answer([first, rest], &["gzip"]);
    Decoding::all().decode(&mut response).unwrap();
    let chunk = |response: &mut Response| finish(response.chunk()).unwrap().map(<[u8]>::to_vec);
    assert_eq!(chunk(&mut response).unwrap(), b"first");
    assert_eq!(chunk(&mut response), None);
}

#[test]
fn a_dropped_read_loses_nothing() {
    let content = text(2_000);
    for (coding, encode) in FORMATS {
        let mut response = answer(encode(&content).chunks(9).map(<[u8]>::to_vec), &[coding]);
        Decoding::all().decode(&mut response).unwrap();
        let mut whole = Vec::new();
        let mut cx = TaskContext::from_waker(Waker::noop());
        loop {
            // Each read is polled once, and dropped if it has to wait.
            match pin!(response.chunk()).poll(&mut cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(Some(chunk))) => whole.extend_from_slice(chunk),
                Poll::Ready(end) => break assert!(end.unwrap().is_none()),
            }
        }
        assert_eq!(whole, content, "{coding}");
    }
}

#[test]
fn the_body_is_read_to_its_end() {
    for (coding, encode) in FORMATS {
        let pieces = Pieces::new([encode(b"content")]);
        let has_ended = pieces.has_ended.clone();
        let mut response = respond(Method::GET, ResponseBody::from_source(pieces), &[coding]);
        Decoding::all().decode(&mut response).unwrap();
        assert!(!has_ended.load(Ordering::Relaxed));
        assert_eq!(read(&mut response).unwrap(), b"content");
        assert!(has_ended.load(Ordering::Relaxed), "{coding}");
    }
}

/// Members of zeros: cheap to make, and as long as one likes.
fn bomb(encode: Encode, members: usize) -> impl Iterator<Item = Vec<u8>> {
    std::iter::repeat_n(encode(&vec![0; 1 << 20]), members)
}

#[test]
fn a_bomb_ends_at_the_ratio() {
    for (coding, encode) in [("gzip", gzip as Encode), ("zstd", zstd)] {
        let mut response = answer(bomb(encode, 40), &[coding]);
        Decoding::all()
            .ratio_max(150)
            .decode(&mut response)
            .unwrap();
        let mut bytes = 0;
        let error = loop {
            match finish(response.chunk()) {
                Ok(chunk) => bytes += chunk.unwrap().len(),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        // Its first bytes are let through, and not one buffer beyond the bound.
        assert!((1 << 20..2 << 20).contains(&bytes), "{bytes}");
        assert!(
            error.to_string().contains("more than 150 times as many"),
            "{error}"
        );
    }
    // One stream, and by the default bound.
    for (coding, encode) in [("br", br as Encode), ("zstd", zstd)] {
        let bomb = encode(&vec![0; 8 << 20]);
        let mut response = answer([bomb.clone()], &[coding]);
        Decoding::all().decode(&mut response).unwrap();
        let said = message(read(&mut response), ErrorKind::TooLarge);
        assert!(
            said.starts_with(&format!("{} bytes of the body became ", bomb.len())),
            "{said}"
        );
    }
}

#[test]
fn a_bomb_in_a_bomb_counts_from_the_bytes_that_arrived() {
    // Each coding alone stays within the ratio.
    let inner = gzip(&vec![0; 16 << 20]);
    let coded = gzip(&inner);
    assert!(inner.len() / coded.len() < 1_000);
    let mut response = answer([coded], &["gzip, gzip"]);
    Decoding::all().decode(&mut response).unwrap();
    message(read(&mut response), ErrorKind::TooLarge);
}

#[test]
fn a_long_body_takes_one_buffer() {
    let mut response = answer(bomb(zstd, 200), &["zstd"]);
    let decoding = Decoding::all().ratio_max(u64::MAX);
    decoding.decode(&mut response).unwrap();
    let (mut bytes, mut buffer) = (0, None);
    while let Some(chunk) = finish(response.chunk()).unwrap() {
        bytes += chunk.len();
        assert_eq!(*buffer.get_or_insert(chunk.as_ptr()), chunk.as_ptr());
    }
    assert_eq!(bytes, 200 << 20);
}

#[test]
fn a_body_ends_at_the_bytes_that_are_permitted() {
    let coded = gzip(&text(1_000));
    let length = coded.len();
    let read_within = |bytes_max| {
        let mut response = answer([coded.clone()], &["gzip"]);
        Decoding::all()
            .bytes_max(bytes_max)
            .decode(&mut response)
            .unwrap();
        read(&mut response)
    };
    assert_eq!(read_within(1_000).unwrap(), text(1_000));
    let said = message(read_within(999), ErrorKind::TooLarge);
    let expected = format!("{length} bytes of the body became 1000 by decoding, more than 999");
    assert!(said.starts_with(&expected), "{said}");
}

#[test]
fn a_collected_body_is_bounded_as_it_is_decoded() {
    let collected = |bytes_max| {
        let mut request = Request::new(Method::GET, "http://a.test/").unwrap();
        request.context.request.body_bytes_max = Some(bytes_max);
        let mut response = request.respond(StatusCode::OK, gzip(&text(1_000)));
        response.push_header("content-encoding", b"gzip");
        Decoding::all().decode(&mut response).unwrap();
        finish(response.bytes())
    };
    assert_eq!(collected(1_000).unwrap(), text(1_000));
    assert_eq!(collected(999).unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn a_window_beyond_what_the_coding_permits_is_refused() {
    let coded = |window_log| {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(window_log).unwrap();
        encoder.write_all(b"content").unwrap();
        encoder.flush().unwrap();
        encoder.finish().unwrap()
    };
    assert_eq!(decoded([coded(23)], &["zstd"]).unwrap(), b"content");
    message(decoded([coded(24)], &["zstd"]), ErrorKind::Decode);
}

#[test]
fn a_large_window_of_brotli_is_refused() {
    let coded = |large_window| {
        let parameters = brotli::enc::BrotliEncoderParams {
            large_window,
            lgwin: if large_window { 28 } else { 24 },
            ..Default::default()
        };
        let mut coded = Vec::new();
        let content = text(10_000);
        brotli::BrotliCompress(&mut &content[..], &mut coded, &parameters).unwrap();
        coded
    };
    assert_eq!(decoded([coded(false)], &["br"]).unwrap(), text(10_000));
    let large = coded(true);
    // A stream that the decoder would read.
    let mut content = Vec::new();
    brotli::BrotliDecompress(&mut &large[..], &mut content).unwrap();
    assert_eq!(content, text(10_000));
    message(decoded([large], &["br"]), ErrorKind::Decode);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn any_chunking_gives_the_same_content(
        seeds in prop::collection::vec((any::<u8>(), 1..2_000_usize), 0..20),
        formats in prop::collection::vec(0..FORMATS.len(), 1..=4),
        sizes in prop::collection::vec(1..600_usize, 1..20),
    ) {
        let runs = seeds.iter().map(|(byte, length)| match byte % 2 {
            0 => vec![*byte; *length],
            _ => text(*length),
        });
        let content = runs.collect::<Vec<_>>().concat();
        let coded = formats.iter().fold(content.clone(), |content, at| FORMATS[*at].1(&content));
        let codings: Vec<_> = formats.iter().map(|at| FORMATS[*at].0).collect();
        let mut rest = &coded[..];
        let pieces = sizes.iter().cycle().map_while(|size| {
            let (piece, behind) = rest.split_at((*size).min(rest.len()));
            rest = behind;
            (!piece.is_empty()).then(|| piece.to_vec())
        });
        prop_assert!(decoded(pieces.collect::<Vec<_>>(), &codings).unwrap() == content);
    }

    #[test]
    fn any_bytes_are_content_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 1..300),
        change in (any::<prop::sample::Index>(), any::<u8>()),
        format in 0..FORMATS.len(),
        size in 1..100_usize,
    ) {
        let (coding, encode) = FORMATS[format];
        let mut changed = encode(&bytes);
        let at = change.0.index(changed.len());
        changed[at] ^= change.1;
        for coded in [bytes, changed] {
            let pieces = coded.chunks(size).map(<[u8]>::to_vec);
            if let Err(error) = decoded(pieces, &[coding]) {
                let kinds = [ErrorKind::Decode, ErrorKind::Truncated, ErrorKind::TooLarge];
                prop_assert!(kinds.contains(&error.kind()), "{error:?}");
            }
        }
    }
}
