//! The coding `deflate`, which some servers send without the format of zlib around it (RFC 9110 section
//! 8.4.1).

use std::io;

use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::{DecodeV2, DeflateDecoder, ZlibDecoder};

/// A decoder that tells by the first two bytes which of the two formats it has before it.
#[derive(Default)]
pub(super) struct EitherDeflate {
    first: Option<u8>,
    decoder: Option<Box<dyn DecodeV2 + Send + Sync>>,
}

/// Whether a stream that begins with these bytes is in the format of zlib: method 8, a window of at most 32
/// KiB, and a check that makes both a multiple of 31 (RFC 1950 section 2.2).
///
/// A stream without that format cannot look so: with these low bits its first block is a stored one whose
/// padding is not zero.
fn is_zlib(first: u8, second: u8) -> bool {
    let check = u16::from_be_bytes([first, second]);
    first & 0x0f == 8 && first >> 4 <= 7 && check.is_multiple_of(31)
}

impl EitherDeflate {
    /// The decoder, once two bytes have told which one it is; the first byte has been given to it then.
    fn decided(
        &mut self,
        input: &mut PartialBuffer<&[u8]>,
        output: &mut WriteBuffer<'_>,
    ) -> io::Result<Option<&mut Box<dyn DecodeV2 + Send + Sync>>> {
        if self.decoder.is_none() {
            if self.first.is_none() {
                self.first = input.unwritten().first().copied();
                input.advance(usize::from(self.first.is_some()));
            }
            let (Some(first), Some(second)) = (self.first, input.unwritten().first()) else {
                return Ok(None);
            };
            let mut decoder: Box<dyn DecodeV2 + Send + Sync> = match is_zlib(first, *second) {
                true => Box::new(ZlibDecoder::new()),
                false => Box::new(DeflateDecoder::new()),
            };
            // One byte ends neither format, so what this returns says nothing.
            decoder.decode(&mut PartialBuffer::new(&[first][..]), output)?;
            self.decoder = Some(decoder);
        }
        Ok(self.decoder.as_mut())
    }
}

impl DecodeV2 for EitherDeflate {
    fn reinit(&mut self) -> io::Result<()> {
        *self = EitherDeflate::default();
        Ok(())
    }

    fn decode(
        &mut self,
        input: &mut PartialBuffer<&[u8]>,
        output: &mut WriteBuffer<'_>,
    ) -> io::Result<bool> {
        match self.decided(input, output)? {
            Some(decoder) => decoder.decode(input, output),
            None => Ok(false),
        }
    }

    fn flush(&mut self, output: &mut WriteBuffer<'_>) -> io::Result<bool> {
        match &mut self.decoder {
            Some(decoder) => decoder.flush(output),
            None => Ok(true),
        }
    }

    fn finish(&mut self, output: &mut WriteBuffer<'_>) -> io::Result<bool> {
        match &mut self.decoder {
            Some(decoder) => decoder.finish(output),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}
