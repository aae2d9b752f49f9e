//! The decoders of `compression-codecs`, one type for all: bytes in, bytes out, no waiting.

use std::io;

use compression_codecs::DecodeV2;
use compression_codecs::core::util::{PartialBuffer, WriteBuffer};

/// The base-two logarithm of the largest window of a zstd frame: 8 MiB, which RFC 9659 permits at most.
#[cfg(feature = "zstd")]
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// A content coding that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    /// In the order in which Accept-Encoding names them.
    pub(super) const ALL: [Coding; 4] =
        [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];

    /// The bits of the codings whose decoders are compiled in.
    pub(super) const COMPILED: u8 = {
        let zlib = Coding::Gzip.bit() | Coding::Deflate.bit();
        let gzip = if cfg!(feature = "gzip") { zlib } else { 0 };
        let brotli = if cfg!(feature = "brotli") {
            Coding::Brotli.bit()
        } else {
            0
        };
        let zstd = if cfg!(feature = "zstd") {
            Coding::Zstd.bit()
        } else {
            0
        };
        gzip | brotli | zstd
    };

    pub(super) const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The name in the registry of content codings (RFC 9110 section 16.6.1).
    pub(super) fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
        }
    }

    /// The coding called `name`, in any case of letters; `x-gzip` is gzip (RFC 9110 section 8.4.1).
    pub(super) fn named(name: &[u8]) -> Option<Coding> {
        if name.eq_ignore_ascii_case(b"x-gzip") {
            return Some(Coding::Gzip);
        }
        let is_called = |coding: &Coding| name.eq_ignore_ascii_case(coding.name().as_bytes());
        Coding::ALL.into_iter().find(is_called)
    }

    /// Whether one body may be several members (RFC 1952 section 2.2) or frames (RFC 8878 section 3.1).
    fn has_members(self) -> bool {
        matches!(self, Coding::Gzip | Coding::Zstd)
    }

    fn decoder(self) -> Box<dyn DecodeV2 + Send + Sync> {
        match self {
            #[cfg(feature = "gzip")]
            Coding::Gzip => Box::new(compression_codecs::GzipDecoder::new()),
            #[cfg(feature = "gzip")]
            Coding::Deflate => Box::new(super::deflate::EitherDeflate::default()),
            #[cfg(feature = "brotli")]
            Coding::Brotli => Box::new(compression_codecs::BrotliDecoder::new()),
            #[cfg(feature = "zstd")]
            Coding::Zstd => {
                let window = compression_codecs::zstd::params::DParameter::window_log_max;
                let parameters = [window(ZSTD_WINDOW_LOG_MAX)];
                Box::new(compression_codecs::ZstdDecoder::new_with_params(
                    &parameters,
                ))
            }
            #[cfg(not(all(feature = "gzip", feature = "brotli", feature = "zstd")))]
            _ => unreachable!("`Decoding` turns on what is compiled in, and nothing else"),
        }
    }
}

/// One coding of one body being undone.
pub(super) struct Codec {
    pub(super) coding: Coding,
    decoder: Box<dyn DecodeV2 + Send + Sync>,
    place: Place,
}

/// Where in its coding a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// No byte has been decoded.
    Start,
    Inside,
    /// Behind a member, which may be the last one.
    Behind,
}

/// What one step of a decoder did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
    pub(super) consumed: usize,
    pub(super) produced: usize,
}

/// Why a body cannot be decoded.
#[derive(Debug)]
pub(super) enum Fault {
    /// The bytes are not in the coding.
    Corrupt(io::Error),
    /// There are bytes behind the end of the coding.
    Garbage,
    /// The bytes end before the coding does.
    Truncated,
}

impl Codec {
    pub(super) fn new(coding: Coding) -> Codec {
        Codec {
            coding,
            decoder: coding.decoder(),
            place: Place::Start,
        }
    }

    /// Decodes some of `input`, which is not empty, into `out`.
    pub(super) fn decode(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step, Fault> {
        if self.place == Place::Start && self.coding == Coding::Brotli {
            check_brotli_window(input)?;
        }
        if self.place == Place::Behind {
            if !self.coding.has_members() {
                return Err(Fault::Garbage);
            }
            self.decoder.reinit().map_err(Fault::Corrupt)?;
        }
        self.place = Place::Inside;
        let (step, has_ended) = self.run(input, out)?;
        if has_ended {
            self.place = Place::Behind;
        } else if step.consumed == 0 && step.produced == 0 {
            // A decoder that does nothing would do nothing for ever.
            return Err(Fault::Corrupt(io::Error::other(
                "the decoder makes no progress",
            )));
        }
        Ok(step)
    }

    /// Has the decoder write what it kept because the buffer was full: without new input, so that what has
    /// arrived is not kept until more arrives.
    pub(super) fn drain(&mut self, out: &mut [u8]) -> Result<Step, Fault> {
        if self.place != Place::Inside {
            return Ok(Step::default());
        }
        if self.coding == Coding::Zstd {
            // The decoder of zstd forgets in `flush` that a frame has ended there.
            let (step, has_ended) = self.run(&[], out)?;
            if has_ended {
                self.place = Place::Behind;
            }
            return Ok(step);
        }
        let mut output = WriteBuffer::new_initialized(out);
        self.decoder.flush(&mut output).map_err(Fault::Corrupt)?;
        Ok(Step {
            consumed: 0,
            produced: output.written_len(),
        })
    }

    /// The input has ended: whether the coding has, too. Returns what it still had to write.
    pub(super) fn finish(&mut self, out: &mut [u8]) -> Result<usize, Fault> {
        // No byte at all is no gzip, but what servers send for an empty body.
        if self.place != Place::Inside {
            return Ok(0);
        }
        let mut output = WriteBuffer::new_initialized(out);
        // Every byte was in the coding, so that an error only says that more of them should have come.
        match self.decoder.finish(&mut output) {
            Ok(true) => self.place = Place::Behind,
            Ok(false) if output.written_len() > 0 => {}
            Ok(false) | Err(_) => return Err(Fault::Truncated),
        }
        Ok(output.written_len())
    }

    fn run(&mut self, input: &[u8], out: &mut [u8]) -> Result<(Step, bool), Fault> {
        let mut input = PartialBuffer::new(input);
        let mut output = WriteBuffer::new_initialized(out);
        let decoded = self.decoder.decode(&mut input, &mut output);
        let has_ended = decoded.map_err(Fault::Corrupt)?;
        let step = Step {
            consumed: input.written_len(),
            produced: output.written_len(),
        };
        Ok((step, has_ended))
    }
}

/// Refuses a window of more than 16 MiB, which RFC 7932 section 9.1 leaves no bits for and the decoder takes
/// nevertheless: up to 1 GiB would be allocated for a few bytes of a body.
fn check_brotli_window(input: &[u8]) -> Result<(), Fault> {
    match input {
        [first, ..] if first & 0x7f == 0x11 => {
            let message = "its window is larger than the coding permits";
            Err(Fault::Corrupt(io::Error::other(message)))
        }
        _ => Ok(()),
    }
}
