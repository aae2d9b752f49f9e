//! Taking the framing off a body: the decoders.

use std::ops::Range;

use super::error::ParseError;
use super::framing::Framing;
use super::head::parse_trailers;
use super::limits::HeadLimits;
use crate::head::ResponseHead;

/// Bytes of chunk extensions that one body may carry in all: they mean nothing to this client.
pub const CHUNK_EXTENSION_BYTES_MAX: usize = 16 * 1024;

/// Characters of one chunk-size line: sixteen digits and some leading zeros and spaces.
const CHUNK_SIZE_CHARS_MAX: u8 = 64;

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
