//! One request and its response on one connection.

use http::{StatusCode, Version};

use super::body::{Decoded, Decoder, Framing, FramingFields};
use super::head::HeadScanner;
use super::{CloseReason, HeadLimits, ParseError, Reuse};
use crate::head::ResponseHead;

/// What the bytes that have arrived say about the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the driver must handle each")]
pub enum HeadStep {
    /// The head is not whole yet.
    NeedMore,
    /// An interim (1xx) head: consume so many bytes and ask again.
    Interim {
        /// Bytes to consume.
        consumed: usize,
        /// Whether it was `100 Continue`: the body may be sent.
        proceed: bool,
    },
    /// The final head: consume so many bytes; the body follows.
    Final {
        /// Bytes to consume.
        consumed: usize,
    },
}

/// The state of one request and its response: which bytes are head, which are body, and whether the
/// connection can be kept.
#[derive(Debug)]
pub struct Exchange {
    limits: HeadLimits,
    to_head: bool,
    scanner: HeadScanner,
    interim_bytes: usize,
    framing: Framing,
    decoder: Decoder,
    close: Option<CloseReason>,
}

impl Exchange {
    /// An exchange whose request is about to be sent.
    ///
    /// `to_head`: the method is HEAD. `closing`: the request says `Connection: close`.
    pub fn new(to_head: bool, closing: bool, limits: HeadLimits) -> Exchange {
        Exchange {
            limits,
            to_head,
            scanner: HeadScanner::default(),
            interim_bytes: 0,
            framing: Framing::None,
            decoder: Decoder::new(Framing::None),
            close: closing.then_some(CloseReason::ClientClose),
        }
    }

    /// Looks for a head at the start of `input`, which holds all that was not consumed yet.
    ///
    /// # Errors
    ///
    /// [`ParseError`] if the bytes are no acceptable head, or break a limit.
    pub fn receive_head(
        &mut self,
        input: &[u8],
        head: &mut ResponseHead,
    ) -> Result<HeadStep, ParseError> {
        let Some(consumed) = self.scanner.receive(input, self.limits, head)? else {
            return Ok(HeadStep::NeedMore);
        };
        if head.status().is_informational() {
            return self.interim(consumed, head.status());
        }
        self.begin_body(head)?;
        Ok(HeadStep::Final { consumed })
    }

    /// The connection ended while the head was awaited, `received` bytes into it.
    pub fn end_of_stream_in_head(&self, received: usize) -> ParseError {
        ParseError::HeadTruncated { received }
    }

    /// How the body is framed; known after the final head.
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Decodes the next slice of the body; see [`Decoder::decode`].
    ///
    /// # Errors
    ///
    /// [`ParseError`] if the bytes break the framing.
    pub fn decode(&mut self, input: &[u8], head: &mut ResponseHead) -> Result<Decoded, ParseError> {
        self.decoder.decode(input, self.limits, head)
    }

    /// The decoder of the body, for a driver that reads a body of known length past it.
    pub fn decoder_mut(&mut self) -> &mut Decoder {
        &mut self.decoder
    }

    /// Whether the body has ended.
    pub fn is_done(&self) -> bool {
        self.decoder.is_done()
    }

    /// Bytes of body still to come, where the framing tells.
    pub fn remaining(&self) -> Option<u64> {
        self.decoder.remaining()
    }

    /// Notes a reason to close; the first one counts.
    pub fn close_because(&mut self, reason: CloseReason) {
        self.close.get_or_insert(reason);
    }

    /// Whether the connection can serve another request, `surplus` bytes of input being left over.
    pub fn reuse(&self, surplus: usize) -> Reuse {
        match self.close {
            Some(reason) => Reuse::Close(reason),
            None if !self.is_done() => Reuse::Close(CloseReason::BodyUnread),
            None if surplus > 0 => Reuse::Close(CloseReason::SurplusBytes),
            None => Reuse::Keep,
        }
    }

    fn interim(&mut self, consumed: usize, status: StatusCode) -> Result<HeadStep, ParseError> {
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(ParseError::UnexpectedUpgrade);
        }
        self.interim_bytes += consumed;
        if self.interim_bytes > self.limits.bytes {
            return Err(ParseError::TooManyInterim {
                max: self.limits.bytes,
            });
        }
        Ok(HeadStep::Interim {
            consumed,
            proceed: status == StatusCode::CONTINUE,
        })
    }

    fn begin_body(&mut self, head: &ResponseHead) -> Result<(), ParseError> {
        let fields = FramingFields::of(head)?;
        self.framing = fields.framing(self.to_head, head.status(), head.version())?;
        self.decoder = Decoder::new(self.framing);
        if fields.close {
            self.close_because(CloseReason::ServerClose);
        } else if head.version() == Version::HTTP_10 && !fields.keep_alive {
            self.close_because(CloseReason::Http10);
        }
        if fields.has_both() {
            self.close_because(CloseReason::BothFramings);
        }
        if self.framing == Framing::CloseDelimited {
            self.close_because(CloseReason::CloseDelimited);
        }
        Ok(())
    }
}
