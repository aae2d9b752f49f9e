//! What the fuzz targets share: a driver that feeds bytes to the codec as a connection would, and
//! checks at each step what must hold whatever the bytes are.
//!
//! - **splits**: every split of the bytes gives the same result;
//! - **progress**: what is consumed was given, and each step makes progress;
//! - **bounds**: nothing is held beyond the limits, and the number of steps is linear in the input.
#![forbid(unsafe_code)]

use turbohttp_core::h1::body::Decoder;
use turbohttp_core::h1::framing::Framing;
use turbohttp_core::h1::{Exchange, HeadLimits, HeadStep, ParseError, Reuse};
use turbohttp_core::head::ResponseHead;

pub mod http2;

/// A name or a value, as bytes.
pub type Field = (Vec<u8>, Vec<u8>);

/// All that can be seen of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The status code.
    pub status: u16,
    /// Fields in the order of arrival.
    pub fields: Vec<Field>,
    /// Fields behind a chunked body.
    pub trailers: Vec<Field>,
    /// How the body was framed.
    pub framing: Framing,
    /// The body.
    pub body: Vec<u8>,
    /// Whether the connection is kept.
    pub reuse: Reuse,
    /// Where the final head begins and ends in the bytes.
    pub final_head: (usize, usize),
}

/// Splits an input into choices and bytes: the first byte says how many choices there are.
pub fn choices(input: &[u8]) -> (&[u8], &[u8]) {
    match input.split_first() {
        Some((count, rest)) => rest.split_at(usize::from(count % 8).min(rest.len())),
        None => (&[], &[]),
    }
}

/// Cuts `bytes` into pieces whose lengths come from `cuts`, over and over; no cuts, no pieces but one.
pub fn pieces<'a>(bytes: &'a [u8], cuts: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut lengths = cuts.iter().cycle();
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let length = lengths
            .next()
            .map_or(usize::MAX, |cut| usize::from(*cut) + 1);
        let (piece, tail) = rest.split_at(length.min(rest.len()));
        rest = tail;
        Some(piece)
    })
}

/// Feeds `pieces` to an exchange as a connection would, then ends the stream.
///
/// # Errors
///
/// What the codec says of the bytes.
pub fn receive<'a>(
    to_head: bool,
    limits: HeadLimits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Outcome, ParseError> {
    let mut receiver = Receiver::new(to_head, limits);
    for piece in pieces {
        receiver.input.extend_from_slice(piece);
        receiver.heads()?;
        receiver.body()?;
    }
    receiver.end()
}

/// [`receive`] of a message that is all there, its body decoded in place as that of a response that has
/// arrived whole.
///
/// # Errors
///
/// What the codec says of the bytes.
pub fn receive_in_place(
    to_head: bool,
    limits: HeadLimits,
    bytes: &[u8],
) -> Result<Outcome, ParseError> {
    let mut receiver = Receiver::new(to_head, limits);
    receiver.input.extend_from_slice(bytes);
    receiver.heads()?;
    if receiver.final_head.is_some() {
        let Receiver {
            exchange,
            input,
            head,
            ..
        } = &mut receiver;
        let all = exchange.decode_all(input, head);
        assert!(
            all.data.end <= all.consumed && all.consumed <= input.len(),
            "consumed more than was given"
        );
        receiver.body.extend_from_slice(&receiver.input[all.data]);
        receiver.consume(all.consumed);
        if let Some(error) = all.error {
            return Err(error);
        }
    }
    receiver.end()
}

struct Receiver {
    limits: HeadLimits,
    exchange: Exchange,
    head: ResponseHead,
    input: Vec<u8>,
    consumed: usize,
    final_head: Option<(usize, usize)>,
    body: Vec<u8>,
}

impl Receiver {
    fn new(to_head: bool, limits: HeadLimits) -> Receiver {
        Receiver {
            limits,
            exchange: Exchange::new(to_head, false, limits),
            head: ResponseHead::default(),
            input: Vec::new(),
            consumed: 0,
            final_head: None,
            body: Vec::new(),
        }
    }

    fn consume(&mut self, length: usize) {
        assert!(length <= self.input.len(), "consumed more than was given");
        self.input.drain(..length);
        self.consumed += length;
    }

    fn heads(&mut self) -> Result<(), ParseError> {
        while self.final_head.is_none() && !self.input.is_empty() {
            match self.exchange.receive_head(&self.input, &mut self.head)? {
                HeadStep::NeedMore => {
                    assert!(self.input.len() <= self.limits.bytes, "an unbounded head");
                    return Ok(());
                }
                HeadStep::Interim { consumed, .. } => {
                    assert!(consumed > 0, "no progress");
                    self.consume(consumed);
                    self.head.reset();
                    assert!(self.head.is_blank(), "an interim head leaves nothing");
                }
                HeadStep::Final { consumed } => {
                    let start = self.consumed;
                    self.consume(consumed);
                    assert!(consumed <= self.limits.bytes, "a head beyond its limit");
                    self.final_head = Some((start, start + consumed));
                }
            }
        }
        Ok(())
    }

    fn body(&mut self) -> Result<(), ParseError> {
        if self.final_head.is_none() {
            return Ok(());
        }
        let mut at = 0;
        while !self.exchange.is_done() && at < self.input.len() {
            let rest = &self.input[at..];
            let decoded = self.exchange.decode(rest, &mut self.head)?;
            assert!(decoded.consumed > 0, "a step without progress");
            assert!(
                decoded.consumed <= rest.len(),
                "consumed more than was given"
            );
            assert!(
                decoded.data.end <= decoded.consumed,
                "data beyond what was consumed"
            );
            self.body.extend_from_slice(&rest[decoded.data]);
            at += decoded.consumed;
        }
        self.consume(at);
        Ok(())
    }

    fn end(mut self) -> Result<Outcome, ParseError> {
        let Some(final_head) = self.final_head else {
            return Err(self.exchange.end_of_stream_in_head(self.input.len()));
        };
        self.exchange.decoder_mut().end_of_stream()?;
        let owned = |(name, value): (&str, &[u8])| (name.as_bytes().to_vec(), value.to_vec());
        let outcome = Outcome {
            status: self.head.status().as_u16(),
            fields: self.head.iter().map(owned).collect(),
            trailers: self.head.trailers().map(owned).collect(),
            framing: self.exchange.framing(),
            body: self.body,
            reuse: self.exchange.reuse(self.input.len()),
            final_head,
        };
        check_bounds(&outcome.fields, self.limits);
        check_bounds(&outcome.trailers, self.limits);
        Ok(outcome)
    }
}

fn check_bounds(fields: &[Field], limits: HeadLimits) {
    assert!(fields.len() <= limits.fields, "more fields than the limit");
    let bytes: usize = fields
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    assert!(bytes <= limits.bytes, "more bytes of fields than the limit");
}

/// What a decoder makes of the pieces: the data, and the bytes behind the body.
///
/// # Errors
///
/// What the decoder says of the bytes.
pub fn decode<'a>(
    framing: Framing,
    limits: HeadLimits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Vec<u8>, Vec<Field>, usize), ParseError> {
    let mut decoder = Decoder::new(framing);
    let mut head = ResponseHead::default();
    let (mut data, mut left) = (Vec::new(), 0);
    for piece in pieces {
        let mut at = 0;
        while !decoder.is_done() && at < piece.len() {
            let decoded = decoder.decode(&piece[at..], limits, &mut head)?;
            assert!(decoded.consumed > 0, "a step without progress");
            assert!(
                decoded.consumed <= piece.len() - at,
                "consumed more than was given"
            );
            assert!(
                decoded.data.end <= decoded.consumed,
                "data beyond what was consumed"
            );
            data.extend_from_slice(&piece[at..][decoded.data]);
            at += decoded.consumed;
        }
        left += piece.len() - at;
    }
    decoder.end_of_stream()?;
    let owned = |(name, value): (&str, &[u8])| (name.as_bytes().to_vec(), value.to_vec());
    let trailers: Vec<Field> = head.trailers().map(owned).collect();
    check_bounds(&trailers, limits);
    Ok((data, trailers, left))
}
