//! How a body is framed (RFC 9112 section 6.3), and the decoders.

use std::ops::Range;

use http::{StatusCode, Version};

use super::error::ParseError;
use super::head::parse_trailers;
use super::limits::HeadLimits;
use crate::head::ResponseHead;
use crate::head::eq_ignore_case;

/// Bytes of chunk extensions that one body may carry in all: they mean nothing to this client.
pub const CHUNK_EXTENSION_BYTES_MAX: usize = 16 * 1024;

/// Characters of one chunk-size line: sixteen digits and some leading zeros and spaces.
const CHUNK_SIZE_CHARS_MAX: u8 = 64;

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "complete by RFC 9112 section 6.3")]
pub enum Framing {
    /// There is no body.
    None,
    /// After so many bytes.
    Length(u64),
    /// After the last chunk.
    Chunked,
    /// Where the connection ends.
    CloseDelimited,
}

/// What the framing fields of a head say; one pass over the fields gathers it.
#[derive(Debug, Default)]
pub(crate) struct FramingFields {
    content_length: Option<u64>,
    transfer_encoding: bool,
    chunked: bool,
    /// What is wrong with them. It is no error of a response that has no body.
    fault: Option<ParseError>,
    /// Transfer-Encoding is spelled in a way that another recipient may read differently.
    unusual: bool,
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) keep_alive_seconds: Option<u32>,
}

impl FramingFields {
    pub(crate) fn of(head: &ResponseHead) -> FramingFields {
        let mut fields = FramingFields::default();
        // Most fields are passed over by the length of their name alone: connection and keep-alive,
        // content-length, and transfer-encoding have 10, 14 and 17 letters.
        for (name, value) in head.iter_of_lengths([10, 14, 17]) {
            match name.len() {
                10 if eq_ignore_case(name, b"connection") => fields.add_connection(value),
                10 if eq_ignore_case(name, b"keep-alive") => fields.add_keep_alive(value),
                14 if eq_ignore_case(name, b"content-length") => fields.add_length(value),
                17 if eq_ignore_case(name, b"transfer-encoding") => fields.add_codings(value),
                _ => {}
            }
        }
        fields
    }

    /// Whether another recipient may find the end of this message elsewhere: both ways of framing were
    /// present, one is malformed, or Transfer-Encoding is unusual. The connection is closed after it
    /// (RFC 9112 section 6.1).
    pub(crate) fn is_ambiguous(&self, version: Version) -> bool {
        let has_both = self.transfer_encoding && self.content_length.is_some();
        // HTTP/1.0 knows no transfer codings.
        let too_early = self.transfer_encoding && version == Version::HTTP_10;
        has_both || too_early || self.unusual || self.fault.is_some()
    }

    /// The framing of a response with `status` to a request that was HEAD or not.
    pub(crate) fn framing(&self, to_head: bool, status: StatusCode) -> Result<Framing, ParseError> {
        let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        // Whatever the fields say: they describe the response that a GET would get (section 6.3, rule 1).
        if to_head || bodiless || status.is_informational() {
            return Ok(Framing::None);
        }
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.chunked {
            return Ok(Framing::Chunked);
        }
        // Transfer-Encoding has overridden Content-Length (section 6.3, rule 3).
        Ok(match self.content_length {
            Some(0) => Framing::None,
            Some(length) => Framing::Length(length),
            None => Framing::CloseDelimited,
        })
    }

    fn add_connection(&mut self, value: &[u8]) {
        // The field is a list, and may be there several times (RFC 9110 section 7.6.1).
        for token in value.split(|byte| *byte == b',') {
            let token = token.trim_ascii();
            self.close |= token.eq_ignore_ascii_case(b"close");
            self.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// The shortest time counts; what is no time says nothing.
    fn add_keep_alive(&mut self, value: &[u8]) {
        for parameter in value.split(|byte| *byte == b',') {
            let parameter = parameter.trim_ascii();
            let (name, seconds) = parameter.split_at(parameter.len().min(b"timeout=".len()));
            if !name.eq_ignore_ascii_case(b"timeout=") {
                continue;
            }
            if let Some(seconds) = parse_decimal(seconds) {
                let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
                let shortest = self.keep_alive_seconds.unwrap_or(u32::MAX).min(seconds);
                self.keep_alive_seconds = Some(shortest);
            }
        }
    }

    /// A second Content-Length is refused even if it says the same, which RFC 9112 section 6.3 permits:
    /// two lengths are how request and response smuggling begins, and no server needs them.
    fn add_length(&mut self, value: &[u8]) {
        let length = parse_decimal(value);
        let former = std::mem::replace(&mut self.content_length, length);
        if length.is_none() || former.is_some() {
            self.fault = Some(ParseError::ContentLength);
        }
    }

    /// Only one coding is understood, `chunked`, and it can stand only once. Empty elements of the list
    /// (RFC 9110 section 5.6.1.2) and `identity`, which means none (RFC 2616 section 3.6), are passed
    /// over.
    fn add_codings(&mut self, value: &[u8]) {
        let repeated = std::mem::replace(&mut self.transfer_encoding, true);
        self.unusual |= repeated || value != b"chunked";
        for coding in value.split(|byte| *byte == b',') {
            let coding = coding.trim_ascii();
            if coding.eq_ignore_ascii_case(b"chunked") && !self.chunked {
                self.chunked = true;
            } else if !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity") {
                self.fault = Some(ParseError::TransferEncoding);
            }
        }
    }
}

/// Digits only, 64 bits: no sign, no list, no white space inside.
pub(super) fn parse_decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    // Each step is checked: a length that wraps would let the rest of the body pass for a response.
    value.iter().try_fold(0u64, |sum, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// What one step of decoding found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decoded {
    /// Bytes of the input that are done with; the data lies inside them.
    pub consumed: usize,
    /// Where in the input data lies; empty if this step found none.
    pub data: Range<usize>,
}

impl Decoded {
    fn data(range: Range<usize>) -> Decoded {
        Decoded {
            consumed: range.end,
            data: range,
        }
    }

    fn nothing(consumed: usize) -> Decoded {
        Decoded {
            consumed,
            data: consumed..consumed,
        }
    }
}

/// Takes the framing off a body, slice by slice, without copying.
#[derive(Debug)]
pub struct Decoder {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Done,
    Length(u64),
    Chunked(Chunked),
    CloseDelimited,
}

impl Decoder {
    /// A decoder at the start of a body.
    pub fn new(framing: Framing) -> Decoder {
        Decoder {
            kind: match framing {
                Framing::None | Framing::Length(0) => Kind::Done,
                Framing::Length(length) => Kind::Length(length),
                Framing::Chunked => Kind::Chunked(Chunked::default()),
                Framing::CloseDelimited => Kind::CloseDelimited,
            },
        }
    }

    /// Whether the body has ended.
    pub fn is_done(&self) -> bool {
        matches!(self.kind, Kind::Done)
    }

    /// Bytes of data still to come, where the framing tells.
    pub fn remaining(&self) -> Option<u64> {
        match self.kind {
            Kind::Done => Some(0),
            Kind::Length(left) => Some(left),
            Kind::Chunked(_) | Kind::CloseDelimited => None,
        }
    }

    /// Decodes the next slice of `input`; trailers go to `head`.
    ///
    /// A step without data consumes what it could understand: the rest needs more bytes, or the body
    /// has ended.
    ///
    /// # Errors
    ///
    /// [`ParseError`] if the bytes break the framing.
    pub fn decode(
        &mut self,
        input: &[u8],
        limits: HeadLimits,
        head: &mut ResponseHead,
    ) -> Result<Decoded, ParseError> {
        match &mut self.kind {
            // What follows the body belongs to no response, and is not consumed.
            Kind::Done => Ok(Decoded::nothing(0)),
            Kind::CloseDelimited => Ok(Decoded::data(0..input.len())),
            Kind::Length(left) => {
                // The cast cannot lose: the smaller of the two fits a usize.
                let length = (*left).min(input.len() as u64) as usize;
                self.take(length as u64);
                Ok(Decoded::data(0..length))
            }
            Kind::Chunked(chunked) => {
                let decoded = chunked.decode(input, limits, head)?;
                // The memory of the trailer section is freed with the state.
                if chunked.state == ChunkState::End {
                    self.kind = Kind::Done;
                }
                Ok(decoded)
            }
        }
    }

    /// Notes that `length` bytes of a body of known length went past the decoder.
    pub fn take(&mut self, length: u64) {
        if let Kind::Length(left) = &mut self.kind {
            *left = left.saturating_sub(length);
            if *left == 0 {
                self.kind = Kind::Done;
            }
        }
    }

    /// The connection ended: the end of a close-delimited body, an error in any other.
    ///
    /// # Errors
    ///
    /// [`ParseError::BodyTruncated`] if more was announced.
    pub fn end_of_stream(&mut self) -> Result<(), ParseError> {
        match self.kind {
            Kind::Done => Ok(()),
            Kind::CloseDelimited => {
                self.kind = Kind::Done;
                Ok(())
            }
            Kind::Length(left) => Err(ParseError::BodyTruncated {
                missing: Some(left),
            }),
            Kind::Chunked(_) => Err(ParseError::BodyTruncated { missing: None }),
        }
    }
}

/// The chunked coding (RFC 9112 section 7.1), strict in its line ends.
#[derive(Debug, Default)]
struct Chunked {
    state: ChunkState,
    /// Digits give the size, data counts it down.
    size: u64,
    digits: u8,
    size_line_chars: u8,
    extension_bytes: usize,
    trailer: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ChunkState {
    #[default]
    Size,
    SizeSpace,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailer,
    End,
}

impl Chunked {
    fn decode(
        &mut self,
        input: &[u8],
        limits: HeadLimits,
        head: &mut ResponseHead,
    ) -> Result<Decoded, ParseError> {
        // One slice of data for each call, so that the caller can lend it out without copying.
        let mut at = self.plain_border(input);
        while at < input.len() {
            match self.state {
                ChunkState::Data => {
                    let length = self.size.min((input.len() - at) as u64) as usize;
                    self.size -= length as u64;
                    if self.size == 0 {
                        self.state = ChunkState::DataCr;
                    }
                    return Ok(Decoded::data(at..at + length));
                }
                ChunkState::Trailer => {
                    let taken = self.add_trailer(&input[at..], limits, head)?;
                    return Ok(Decoded::nothing(at + taken));
                }
                ChunkState::End => break,
                _ => self.step(input[at])?,
            }
            at += 1;
        }
        Ok(Decoded::nothing(at))
    }

    /// What stands between the data of two chunks, where it is whole and plain, which it nearly always
    /// is: says how long it is. What this leaves is read byte by byte.
    #[inline]
    fn plain_border(&mut self, input: &[u8]) -> usize {
        let mut at = 0;
        if self.state == ChunkState::DataCr && input.starts_with(b"\r\n") {
            self.state = ChunkState::Size;
            at = 2;
        }
        if self.state == ChunkState::Size
            && self.digits == 0
            && let Some((size, length)) = plain_size_line(&input[at..])
        {
            self.size = size;
            self.state = self.end_of_size_line();
            at += length;
        }
        at
    }

    /// One byte of a size line, or of the line end behind the data.
    fn step(&mut self, byte: u8) -> Result<(), ParseError> {
        self.state = match (self.state, byte) {
            (ChunkState::Size, byte) if byte.is_ascii_hexdigit() => {
                self.add_digit(byte)?;
                ChunkState::Size
            }
            // Anything else before the first digit: a size that is empty means 0 to some parsers.
            (ChunkState::Size | ChunkState::SizeSpace, _) if self.digits == 0 => {
                return Err(ParseError::ChunkSize);
            }
            (ChunkState::Size | ChunkState::SizeSpace, b' ' | b'\t') => {
                self.count_size_char()?;
                ChunkState::SizeSpace
            }
            (ChunkState::Size | ChunkState::SizeSpace, b';') => ChunkState::Extension,
            (ChunkState::Size | ChunkState::SizeSpace, b'\r') => ChunkState::SizeLf,
            (ChunkState::Extension, b'\r') => ChunkState::SizeLf,
            (ChunkState::Extension, byte) if byte == b'\t' || (byte >= b' ' && byte != 0x7f) => {
                self.extension_bytes += 1;
                if self.extension_bytes > CHUNK_EXTENSION_BYTES_MAX {
                    return Err(ParseError::ChunkExtensions {
                        max: CHUNK_EXTENSION_BYTES_MAX,
                    });
                }
                ChunkState::Extension
            }
            (ChunkState::SizeLf, b'\n') => self.end_of_size_line(),
            (ChunkState::DataCr, b'\r') => ChunkState::DataLf,
            (ChunkState::DataLf, b'\n') => ChunkState::Size,
            // A lone LF is refused: a proxy that takes it for data would see other chunks than this.
            (ChunkState::DataCr | ChunkState::DataLf, _) => return Err(ParseError::ChunkEnd),
            _ => return Err(ParseError::ChunkSize),
        };
        Ok(())
    }

    fn add_digit(&mut self, byte: u8) -> Result<(), ParseError> {
        self.count_size_char()?;
        // The guard of the caller makes it a hexadecimal digit.
        let digit = (byte as char).to_digit(16).ok_or(ParseError::ChunkSize)?;
        self.size = self
            .size
            .checked_mul(16)
            .and_then(|size| size.checked_add(u64::from(digit)))
            .ok_or(ParseError::ChunkSize)?;
        self.digits = 1;
        Ok(())
    }

    fn count_size_char(&mut self) -> Result<(), ParseError> {
        self.size_line_chars += 1;
        if self.size_line_chars > CHUNK_SIZE_CHARS_MAX {
            Err(ParseError::ChunkSize)
        } else {
            Ok(())
        }
    }

    fn end_of_size_line(&mut self) -> ChunkState {
        self.digits = 0;
        self.size_line_chars = 0;
        if self.size == 0 {
            ChunkState::Trailer
        } else {
            ChunkState::Data
        }
    }

    /// Gathers the trailer section line by line until its blank line; says how much it took.
    fn add_trailer(
        &mut self,
        input: &[u8],
        limits: HeadLimits,
        head: &mut ResponseHead,
    ) -> Result<usize, ParseError> {
        // Nearly every trailer section is the blank line alone.
        if self.trailer.is_empty() && input.starts_with(b"\r\n") {
            self.state = ChunkState::End;
            return Ok(2);
        }
        for (index, byte) in input.iter().enumerate() {
            self.trailer.push(*byte);
            if self.trailer.len() > limits.bytes {
                return Err(ParseError::Trailers);
            }
            if *byte == b'\n' && is_section_end(&self.trailer)? {
                self.state = ChunkState::End;
                let section = std::mem::take(&mut self.trailer);
                if section.len() > 2 {
                    parse_trailers(&section, limits, head)?;
                }
                return Ok(index + 1);
            }
        }
        Ok(input.len())
    }
}

/// A size line of at most eight digits that is all there and has no extension, which is nearly every
/// one: its size and length. All others are read byte by byte.
fn plain_size_line(input: &[u8]) -> Option<(u64, usize)> {
    const DIGITS_MAX: usize = 8;
    // One more than the digits, for the CR behind them; eight digits cannot overflow.
    let mut size = 0;
    for (index, byte) in input.iter().take(DIGITS_MAX + 1).enumerate() {
        let digit = DIGITS[usize::from(*byte)];
        if digit == NO_DIGIT {
            let is_whole = index > 0 && input[index..].starts_with(b"\r\n");
            return is_whole.then_some((size, index + 2));
        }
        size = size << 4 | u64::from(digit);
    }
    None
}

const NO_DIGIT: u8 = 16;

/// What each byte is worth as a hexadecimal digit.
const DIGITS: [u8; 256] = {
    let mut table = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < 16 {
        let byte = b"0123456789abcdef"[digit];
        table[byte as usize] = digit as u8;
        table[byte.to_ascii_uppercase() as usize] = digit as u8;
        digit += 1;
    }
    table
};

/// Whether the line that just ended is blank; lines must end in CRLF, as a lone LF is read
/// differently by different parsers.
fn is_section_end(section: &[u8]) -> Result<bool, ParseError> {
    // The caller asks at each LF, so only the byte before it is open.
    if !section.ends_with(b"\r\n") {
        return Err(ParseError::Trailers);
    }
    Ok(section.len() == 2 || section.ends_with(b"\r\n\r\n"))
}
