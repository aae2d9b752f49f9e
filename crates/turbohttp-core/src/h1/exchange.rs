//! One request and its response on one connection.

use std::fmt;
use std::ops::Range;

use http::{Method, StatusCode, Version};

use super::body::{Decoded, Decoder};
use super::encode::{Asks, RequestHead};
use super::error::{EncodeError, ParseError};
use super::framing::{Framing, FramingFields};
use super::head::HeadScanner;
use super::limits::HeadLimits;
use super::send::{ContentSource, SendHalf};
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

/// One request and its response: what is to be sent, which bytes are head, which are body, and whether
/// the connection can be kept.
///
/// The two halves are independent: a server may answer before it has the whole request.
#[derive(Debug)]
pub struct Exchange {
    send: SendHalf,
    limits: HeadLimits,
    to_head: bool,
    /// The request asks for another protocol.
    upgrade: bool,
    scanner: HeadScanner,
    interim_bytes: usize,
    framing: Framing,
    decoder: Decoder,
    close: Option<CloseReason>,
    keep_alive_seconds: Option<u32>,
}

impl Exchange {
    /// An exchange whose request has been sent.
    ///
    /// `to_head`: the method is HEAD. `closing`: the request says `Connection: close`.
    pub fn new(to_head: bool, closing: bool, limits: HeadLimits) -> Exchange {
        Exchange {
            send: SendHalf::default(),
            limits,
            to_head,
            upgrade: false,
            scanner: HeadScanner::default(),
            interim_bytes: 0,
            framing: Framing::None,
            decoder: Decoder::new(Framing::None),
            close: closing.then_some(CloseReason::ClientClose),
            keep_alive_seconds: None,
        }
    }

    /// Begins the next exchange of the connection: writes the head into the output buffer.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if the request cannot be written; the former exchange is as it was.
    #[inline]
    pub fn begin(
        &mut self,
        head: &RequestHead<'_>,
        content: ContentSource,
    ) -> Result<(), EncodeError> {
        let encoded = self.send.begin(head, content)?;
        self.to_head = *head.method == Method::HEAD;
        self.upgrade = head.asks == Asks::Upgrade;
        self.scanner = HeadScanner::default();
        self.interim_bytes = 0;
        self.framing = Framing::None;
        self.decoder = Decoder::new(Framing::None);
        self.close = encoded.closing.then_some(CloseReason::ClientClose);
        self.keep_alive_seconds = None;
        Ok(())
    }

    /// The sending half.
    #[inline]
    pub fn send_half(&self) -> &SendHalf {
        &self.send
    }

    /// The sending half, to drive it.
    #[inline]
    pub fn send_half_mut(&mut self) -> &mut SendHalf {
        &mut self.send
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
        // Nothing is consumed before the head is whole, so that `input` always begins with it.
        let Some(consumed) = self.scanner.receive(input, self.limits, head)? else {
            return Ok(HeadStep::NeedMore);
        };
        if head.status().is_informational() {
            return self.interim(consumed, head);
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
        let decoded = self.decoder.decode(input, self.limits, head)?;
        // Trailers may have been malformed as well.
        if self.decoder.is_done() && head.skipped_fields() > 0 {
            self.close_because(CloseReason::MalformedFields);
        }
        Ok(decoded)
    }

    /// Whether `input` looks as if it held all the body that is still to come, so that
    /// [`decode_all`](Exchange::decode_all) is worth its copies. `false` where only the end of the
    /// connection ends the body.
    #[inline]
    pub fn may_hold_rest(&self, input: &[u8]) -> bool {
        match self.framing {
            Framing::None => true,
            Framing::Length(_) => self
                .remaining()
                .is_some_and(|remaining| remaining <= input.len() as u64),
            // A trailer section, empty or not, ends in a blank line (RFC 9112 section 7.1).
            Framing::Chunked => input.ends_with(b"\r\n\r\n"),
            Framing::CloseDelimited => false,
        }
    }

    /// Decodes as much of the body as `input` holds, in place: the data of all chunks is moved together
    /// behind that of the first one. Trailers go to `head`.
    ///
    /// An error ends the body behind the data that was found before it; the exchange must not be asked
    /// to decode any further then.
    #[inline]
    pub fn decode_all(&mut self, input: &mut [u8], head: &mut ResponseHead) -> DecodedAll {
        let Framing::Length(_) = self.framing else {
            return self.decode_all_steps(input, head);
        };
        let remaining = self.remaining().unwrap_or_default();
        // The smaller of the two fits a usize.
        let length = remaining.min(input.len() as u64) as usize;
        self.decoder.take(length as u64);
        DecodedAll {
            consumed: length,
            data: 0..length,
            error: None,
        }
    }

    fn decode_all_steps(&mut self, input: &mut [u8], head: &mut ResponseHead) -> DecodedAll {
        let mut all = DecodedAll {
            consumed: 0,
            data: 0..0,
            error: None,
        };
        while !self.is_done() && all.consumed < input.len() {
            let decoded = match self.decode(&input[all.consumed..], head) {
                Ok(decoded) => decoded,
                Err(error) => {
                    all.error = Some(error);
                    break;
                }
            };
            let found = all.consumed + decoded.data.start..all.consumed + decoded.data.end;
            // The data of the first chunk stays where it is; mostly there is no other.
            if all.data.is_empty() {
                all.data = found;
            } else if !found.is_empty() {
                let length = found.len();
                input.copy_within(found, all.data.end);
                all.data.end += length;
            }
            all.consumed += decoded.consumed;
        }
        all
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

    /// Whether the server closes the connection after the response, as one of the two has said: then no more
    /// of the request is read behind it (RFC 9112 section 9.6).
    pub fn is_closing(&self) -> bool {
        use CloseReason::{ClientClose, Http10, ServerClose};
        matches!(self.close, Some(ServerClose | ClientClose | Http10))
    }

    /// How long the server says that it keeps the connection idle: `timeout` of the field Keep-Alive
    /// (RFC 2068 section 19.7.1), a hint.
    pub fn keep_alive_seconds(&self) -> Option<u32> {
        self.keep_alive_seconds
    }

    /// Whether the connection can serve another request, `surplus` bytes of input being left over.
    pub fn reuse(&self, surplus: usize) -> Reuse {
        match self.close {
            Some(reason) => Reuse::Close(reason),
            None if !self.send.is_complete() => Reuse::Close(CloseReason::RequestUnfinished),
            None if !self.is_done() => Reuse::Close(CloseReason::BodyUnread),
            None if surplus > 0 => Reuse::Close(CloseReason::SurplusBytes),
            None => Reuse::Keep,
        }
    }

    /// Counts an interim head. 101 is final for a request that asks for another protocol, and refused for any
    /// other (RFC 9110 section 15.2.2).
    fn interim(&mut self, consumed: usize, head: &ResponseHead) -> Result<HeadStep, ParseError> {
        let status = head.status();
        if status == StatusCode::SWITCHING_PROTOCOLS {
            // HTTP/1.0 has no interim responses.
            if !self.upgrade || head.version() != Version::HTTP_11 {
                return Err(ParseError::UnexpectedUpgrade);
            }
            // What follows is of the other protocol, up to the end of the connection.
            self.framing = Framing::CloseDelimited;
            self.decoder = Decoder::new(self.framing);
            self.close_because(CloseReason::Upgraded);
            return Ok(HeadStep::Final { consumed });
        }
        // A server may send any number of them; together they are bounded like one head.
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
        let mut fields = FramingFields::default();
        fields.read(head);
        if !fields.is_plain(head) {
            self.look_closely(&fields, head)?;
        }
        self.framing = fields.framing(self.to_head, head.status());
        self.decoder = Decoder::new(self.framing);
        if self.framing == Framing::CloseDelimited {
            self.close_because(CloseReason::CloseDelimited);
        }
        Ok(())
    }

    /// What a head says beside the length of its body: faults, and reasons to close. The first reason is
    /// the one reported.
    #[cold]
    fn look_closely(
        &mut self,
        fields: &FramingFields,
        head: &ResponseHead,
    ) -> Result<(), ParseError> {
        fields.check(self.to_head, head.status())?;
        self.keep_alive_seconds = fields.keep_alive_seconds;
        // RFC 9112 section 9.3: HTTP/1.1 persists unless one side says close, HTTP/1.0 does not unless both
        // agree to keep it alive.
        if fields.close {
            self.close_because(CloseReason::ServerClose);
        } else if head.version() == Version::HTTP_10 && !fields.keep_alive {
            self.close_because(CloseReason::Http10);
        }
        // RFC 9112 section 6.1: after such a message the connection must be closed.
        if fields.is_ambiguous(head.version()) {
            self.close_because(CloseReason::AmbiguousFraming);
        }
        if head.skipped_fields() > 0 {
            self.close_because(CloseReason::MalformedFields);
        }
        Ok(())
    }
}

/// What [`Exchange::decode_all`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodedAll {
    /// Bytes of the input that are done with; the data lies inside them.
    pub consumed: usize,
    /// Where in the input all the data lies now.
    pub data: Range<usize>,
    /// What is wrong with the bytes behind the data.
    pub error: Option<ParseError>,
}

/// The decision at the end of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a connection is kept or closed")]
pub enum Reuse {
    /// The exchange is over and the connection can serve another request.
    Keep,
    /// The connection is to be closed.
    Close(CloseReason),
}

/// Why a connection is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The server said `Connection: close`.
    ServerClose,
    /// The request said `Connection: close`.
    ClientClose,
    /// The server speaks HTTP/1.0 and did not say `Connection: keep-alive`.
    Http10,
    /// The end of the connection was the end of the body.
    CloseDelimited,
    /// The connection speaks another protocol now.
    Upgraded,
    /// The framing fields can be read in two ways: both Transfer-Encoding and Content-Length, an unusual
    /// Transfer-Encoding or one in HTTP/1.0, or a malformed field of a response without a body
    /// (RFC 9112 section 6.1).
    AmbiguousFraming,
    /// The head had malformed field lines, which were passed over.
    MalformedFields,
    /// The response came before the request was sent whole.
    RequestUnfinished,
    /// The response was dropped before its body ended.
    BodyUnread,
    /// Bytes arrived that belong to no response.
    SurplusBytes,
    /// The exchange failed.
    Failed,
}

impl CloseReason {
    /// The reason in a few words.
    pub fn explain(self) -> &'static str {
        match self {
            CloseReason::ServerClose => "server said Connection: close",
            CloseReason::ClientClose => "request said Connection: close",
            CloseReason::Http10 => "server speaks HTTP/1.0 without keep-alive",
            CloseReason::Upgraded => "connection speaks another protocol",
            CloseReason::CloseDelimited => "body ended with the connection",
            CloseReason::AmbiguousFraming => "framing fields can be read in two ways",
            CloseReason::MalformedFields => "head had malformed fields",
            CloseReason::RequestUnfinished => "response came before the request was sent whole",
            CloseReason::BodyUnread => "response was dropped before its body ended",
            CloseReason::SurplusBytes => "bytes arrived that belong to no response",
            CloseReason::Failed => "exchange failed",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.explain())
    }
}
