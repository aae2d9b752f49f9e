//! Decoding of content codings (RFC 9110 section 8.4): gzip, deflate, br and zstd.
//!
//! [`Decoding`] says which codings are asked for and undone, and how far a body may grow by it. What it
//! puts around a body is a `Stage` for each coding (`stage.rs`), over the decoders of `codec.rs`.

use std::fmt;

use http::{HeaderValue, StatusCode};

use crate::body::ResponseBody;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{CODINGS_MAX, DECODE_RATIO_MAX};
use crate::response::Response;

mod codec;
#[cfg(feature = "gzip")]
mod deflate;
mod stage;
#[cfg(test)]
#[cfg(all(feature = "gzip", feature = "brotli", feature = "zstd"))]
mod tests;

use codec::Coding;
use stage::{Bounds, Source, Stage};

/// Which content codings are asked for and undone, and how far a body may grow by that.
///
/// Decoding streams: a body in any of the codings takes one buffer of 16 KiB for each coding and the
/// decoder's window (32 KiB for gzip and deflate, at most 16 MiB for br, at most 8 MiB for zstd, RFC 8878
/// and RFC 9659), however long the body is. The codings that are not compiled in (the features `gzip`,
/// `brotli` and `zstd`) stay off.
///
/// A response to HEAD, one with the status 204, 206 or 304, an empty one, and one with a coding that is
/// unknown or off is left as it is, with its fields. A body that is decoded has no Content-Encoding and no
/// Content-Length any more.
///
/// ```
/// use turbohttp::Decoding;
///
/// let decoding = Decoding::all().deflate(false).ratio_max(100);
/// assert_ne!(decoding, Decoding::all());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Decoding {
    /// A bit for each [`Coding`] that is on.
    codings: u8,
    ratio_max: u64,
    bytes_max: u64,
}

impl Decoding {
    /// Every coding that is compiled in; a body may grow to 1,000 times its size.
    pub const fn all() -> Decoding {
        Decoding {
            codings: Coding::COMPILED,
            ratio_max: DECODE_RATIO_MAX,
            bytes_max: u64::MAX,
        }
    }

    /// No coding: bodies are handed out as they arrive.
    pub const fn none() -> Decoding {
        Decoding {
            codings: 0,
            ..Decoding::all()
        }
    }

    /// Whether gzip (RFC 1952) is asked for and undone; several members are one body.
    #[must_use]
    pub const fn gzip(self, is_on: bool) -> Decoding {
        self.with(Coding::Gzip, is_on)
    }

    /// Whether deflate is asked for and undone: in the format of zlib (RFC 1950), or without it (RFC
    /// 1951), as some servers send it.
    #[must_use]
    pub const fn deflate(self, is_on: bool) -> Decoding {
        self.with(Coding::Deflate, is_on)
    }

    /// Whether br (RFC 7932) is asked for and undone.
    #[must_use]
    pub const fn brotli(self, is_on: bool) -> Decoding {
        self.with(Coding::Brotli, is_on)
    }

    /// Whether zstd (RFC 8878) is asked for and undone; several frames are one body, and a window of more
    /// than 8 MiB is an error (RFC 9659).
    #[must_use]
    pub const fn zstd(self, is_on: bool) -> Decoding {
        self.with(Coding::Zstd, is_on)
    }

    /// How many bytes a body may become for each byte that has arrived, 1,000 by default. It is looked at
    /// once more than 1 MiB has come out; beyond it, the body fails with
    /// [`ErrorKind::TooLarge`](crate::ErrorKind).
    #[must_use]
    pub const fn ratio_max(self, ratio_max: u64) -> Decoding {
        Decoding { ratio_max, ..self }
    }

    /// How many bytes a body may become in all, without a bound by default. Beyond it, the body fails with
    /// [`ErrorKind::TooLarge`](crate::ErrorKind), even if it is read piece by piece; a collected body is
    /// also bounded by [`Limits::body_bytes`](crate::Limits).
    #[must_use]
    pub const fn bytes_max(self, bytes_max: u64) -> Decoding {
        Decoding { bytes_max, ..self }
    }

    const fn with(self, coding: Coding, is_on: bool) -> Decoding {
        let codings = match is_on {
            true => self.codings | coding.bit(),
            false => self.codings & !coding.bit(),
        };
        Decoding {
            codings: codings & Coding::COMPILED,
            ..self
        }
    }

    const fn has(self, coding: Coding) -> bool {
        self.codings & coding.bit() != 0
    }

    /// The value of Accept-Encoding (RFC 9110 section 12.5.3); `None` if no coding is on.
    pub(crate) fn accept_encoding(self) -> Option<HeaderValue> {
        let on = Coding::ALL.into_iter().filter(|coding| self.has(*coding));
        let names: Vec<&str> = on.map(Coding::name).collect();
        // Names of codings are tokens, which a value may hold.
        HeaderValue::try_from(names.join(", "))
            .ok()
            .filter(|value| !value.is_empty())
    }

    /// Has the body of `response` decoded while it is read, if all its codings are on, and removes the
    /// fields that are not true of it any more. Nothing is read or decoded here.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] if there are more than [`CODINGS_MAX`] codings.
    pub(crate) fn decode(self, response: &mut Response) -> Result<()> {
        let has_content = response.remaining() != Some(0) && !response.is_to_head();
        let is_whole = !matches!(
            response.status(),
            StatusCode::SWITCHING_PROTOCOLS
                | StatusCode::NO_CONTENT
                | StatusCode::PARTIAL_CONTENT
                | StatusCode::NOT_MODIFIED
        );
        if self.codings == 0 || !has_content || !is_whole {
            return Ok(());
        }
        let Some(codings) = self.codings_of(response)? else {
            return Ok(());
        };
        response.replace_body(|body| self.around(body, &codings));
        response.remove_header("content-encoding");
        response.remove_header("content-length");
        Ok(())
    }

    /// The codings of `response` in the order in which they were applied; `None` if there is none, or one
    /// that cannot be undone.
    fn codings_of(self, response: &Response) -> Result<Option<Vec<Coding>>> {
        let mut codings = Vec::new();
        let mut count = 0;
        let fields = response.fields();
        let fields = fields.filter(|(name, _)| name.eq_ignore_ascii_case("content-encoding"));
        // The field is a list, and may be there several times (RFC 9110 section 5.3).
        for name in fields.flat_map(|(_, value)| value.split(|byte| *byte == b',')) {
            let name = name.trim_ascii();
            if name.is_empty() || name.eq_ignore_ascii_case(b"identity") {
                continue;
            }
            let coding = Coding::named(name).filter(|coding| self.has(*coding));
            let Some(coding) = coding else {
                return Ok(None);
            };
            count += 1;
            if count <= CODINGS_MAX {
                codings.push(coding);
            }
        }
        if count > CODINGS_MAX {
            let message = format!(
                "the response has {count} content codings, at most {CODINGS_MAX} are undone"
            );
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        Ok((count > 0).then_some(codings))
    }

    /// The stages around `body` that undo `codings`, the last one first.
    fn around(self, body: ResponseBody, codings: &[Coding]) -> ResponseBody {
        let [first, others @ ..] = codings else {
            return body;
        };
        let bounds = |bytes_max| Bounds {
            ratio_max: self.ratio_max,
            bytes_max,
        };
        body.map(|body| {
            let mut source = Source::body(body);
            for coding in others.iter().rev() {
                // What lies between two codings is no size of the body.
                source = Source::from(Stage::new(source, *coding, bounds(u64::MAX)));
            }
            Stage::new(source, *first, bounds(self.bytes_max))
        })
    }
}

impl fmt::Debug for Decoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = Coding::ALL.into_iter().filter(|coding| self.has(*coding));
        f.debug_struct("Decoding")
            .field("codings", &on.map(Coding::name).collect::<Vec<_>>())
            .field("ratio_max", &self.ratio_max)
            .field("bytes_max", &self.bytes_max)
            .finish()
    }
}
